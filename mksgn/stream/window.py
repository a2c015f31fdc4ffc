"""Decisions from a window: the last frames are preprocessed and run as a clip, so every net can do it."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mksgn.energy.paper import PaperFormula
from mksgn.errors import ConfigError
from mksgn.ir import Graph
from mksgn.programs.classes import scores as class_scores
from mksgn.programs.samples import body_in, preprocess_of
from mksgn.run.backend import Backend, RunResult, class_sums
from mksgn.stream.decider import Decision, Outcome, Step
from mksgn.stream.holding import Holder
from mksgn.stream.records import ENERGY

FRAMES_MAX = 10_000
_TEXT = re.compile(r"(\d+(?:\.\d+)?)(s?)")


@dataclass(frozen=True)
class Window:
    """How far back a decision looks: so many frames, or so many seconds; the other is None."""

    frames: int | None = None
    seconds: float | None = None

    @classmethod
    def parse(cls, text: str, option: str = "--window") -> Window:
        """``48``, frames, or ``1.6s``, seconds.

        Raises
        ------
        ConfigError
            When it is neither, or too long.
        """
        found = _TEXT.fullmatch(text)
        number = float(found[1]) if found else 0.0
        if not found or not 0 < number <= FRAMES_MAX or (not found[2] and number != int(number)):
            raise ConfigError("an impossible window", where=option, got=repr(text)[:40],
                              allowed=f"frames (48) or seconds (1.6s), up to {FRAMES_MAX}")
        return cls(seconds=number) if found[2] else cls(frames=int(number))

    def spans(self, frames: int, seconds: float) -> bool:
        """Whether so many frames that took so long lie within it."""
        if self.seconds is not None:
            return seconds <= self.seconds and frames <= FRAMES_MAX
        return frames <= (self.frames or 1)

    def __str__(self) -> str:
        return f"{self.frames} frames" if self.seconds is None else f"{self.seconds:g} s"


class WindowDecider:
    """Runs the last frames as a clip, anew at every so many frames.

    A decision is that of :meth:`mksgn.run.backend.Backend.run` on those frames, preprocessed as the net says. Nothing
    is carried from one computation to the next. The backend runs once before the first frame comes, on nothing: what
    it compiles or starts then is no frame's latency.

    Parameters
    ----------
    graph : Graph
    net : Path
        Names the net in errors.
    backend : Backend
        Open, of this graph; closed with this.
    window : Window
    every : int
        Frames from one computation to the next; the first frame is computed.
    watched : tuple of str
        Populations whose spikes are kept for the raster.

    Raises
    ------
    ConfigError, NetFileError
        When the net does not say how skeletons become its input.
    """

    energy = ENERGY
    holds = False

    def __init__(self, graph: Graph, net: Path, backend: Backend, window: Window, every: int,
                 watched: tuple[str, ...] = ()) -> None:
        self.graph, self.backend, self.window, self.every, self.watched = graph, backend, window, every, watched
        self.preprocess, self.body = preprocess_of(graph, net), body_in(graph)
        self.told = f"the last {window} as a clip" + (f", anew every {every} frames" if every > 1 else "")
        self._formula = PaperFormula(graph)
        self._record = "spikes" if watched or not backend.counts_alone else "none"
        backend.run(np.zeros((1, *graph.input.shape), np.int8), self._record)
        self.restart()

    def restart(self) -> None:
        self._held = Holder(self.preprocess.persons, self.body.num_joints, self.body.center)
        self._frames: deque[tuple[float, np.ndarray, np.ndarray]] = deque()
        self._count = 0
        self._last: Decision | None = None

    def close(self) -> None:
        self.backend.close()

    def spans(self, frames: int, seconds: float) -> bool:
        return self.window.spans(frames, seconds)

    def skip(self, time: float) -> bool:
        self._count += 1
        return (self._count - 1) % self.every == 0

    def push(self, joints: np.ndarray, scores: np.ndarray, time: float) -> Outcome:
        filled = self._held.fill(joints)
        if self.preprocess.missing:  # the net interpolates them itself, within the window
            filled = np.where(np.isnan(joints), 0, filled)
        self._frames.append((time, filled, scores))
        while not self.window.spans(len(self._frames), time - self._frames[0][0]):
            self._frames.popleft()
        if self.skip(time) or self._last is None:
            return self._decide()
        self._last = Decision(self._last.best, self._last.scores, self._last.behind + 1)
        return Outcome(self._last)

    def clip(self) -> np.ndarray:
        """The window as the net takes it: int8 (C, F, V)."""
        points = np.stack([filled for _, filled, _ in self._frames])
        scores = np.stack([each for _, _, each in self._frames]) if self.preprocess.missing else None
        return self.preprocess(points, self.body, scores=scores)

    def _decide(self) -> Outcome:
        result = self.backend.run(self.clip()[None], self._record)
        probabilities, _ = class_scores(self.graph, result.output)
        raster = {name: result.spikes[name][0].sum(axis=(2, 3), dtype=np.int64) for name in self.watched}
        self._last = Decision(int(np.argmax(class_sums(result.output)[0])),
                              None if probabilities is None else probabilities[0], 0)
        return Outcome(self._last, self._step(result), raster)

    def _step(self, result: RunResult) -> Step:
        counts, graded = result.counts, self.graph.input.name
        return Step(sum(number for name, number in counts.spikes.items() if name != graded),
                    sum(counts.synops.values()), sum(counts.macs.values()), self._formula.energy(counts).energy_mj)
