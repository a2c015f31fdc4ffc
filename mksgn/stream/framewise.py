"""Decisions frame by frame: each frame is computed once, and what later frames will read is carried along."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import numpy as np

from mksgn.data.causal import CausalFrames
from mksgn.data.preprocess import Preprocess
from mksgn.energy import events_energy_mj
from mksgn.errors import GraphError
from mksgn.ir import Graph
from mksgn.ir.streaming import continuous, pads_frames
from mksgn.programs.classes import scores as class_scores
from mksgn.programs.samples import body_in, preprocess_of
from mksgn.run.backend import class_sums
from mksgn.run.registry import open_frames
from mksgn.stream.decider import NOTHING, Decision, Outcome, Step
from mksgn.stream.records import COUNTED_ENERGY


def why_clips(graph: Graph, preprocess: Preprocess) -> str:
    """Why a net must be given clips; empty for a continuous network, which :class:`FramewiseDecider` runs.

    Parameters
    ----------
    graph : Graph
        Of a clip.
    preprocess : Preprocess
        The net's.
    """
    if preprocess.causal is None:
        return "its preprocessing reads a whole clip before it codes the first frame"
    if pads_frames(graph):
        return "it pads its frames with zeros, so it must know where a clip ends"
    if graph.output.shape[1] > 1:
        return f"its output has {graph.output.shape[1]} frames"
    try:
        continuous(graph)
    except GraphError as error:
        return f"{error.what} ({error.where})"
    return ""


class FramewiseDecider:
    """Runs a continuous network, a frame per call.

    A decision is that of the clip of the last frames: :meth:`mksgn.emulator.Emulator.run` on them, as they were coded.
    Before the first frame nobody is seen (:func:`mksgn.data.causal.last_frames`): so many frames of zeros fill the
    network, and their events count as the first frame's. What is carried begins anew when the session says so, and
    when the preprocessing does (:attr:`mksgn.data.causal.CausalFrames.begun`).

    Parameters
    ----------
    graph : Graph
        Of a clip; :func:`why_clips` finds nothing.
    net : Path
        Names the net in errors.
    threads : int, optional
        As of :class:`mksgn.emulator.FrameByFrame`; in Lava, blocks.
    watched : tuple of str
        Populations whose spikes are kept for the raster.
    backend : 'emulator' or 'lava'
        What runs the network (:data:`mksgn.run.registry.FRAME_STREAMS`). Decisions and events are the same.

    Attributes
    ----------
    filling : Step
        Events of the frames without anybody that fill the network whenever it begins anew.

    Raises
    ------
    ConfigError, NetFileError
        When the net does not say how skeletons become its input.
    GraphError, BackendError
        As :func:`mksgn.run.registry.open_frames`.
    """

    energy = COUNTED_ENERGY
    told = "frame by frame, with carried state"
    holds = True

    def __init__(self, graph: Graph, net: Path, threads: int | None = None, watched: tuple[str, ...] = (),
                 backend: str = "emulator") -> None:
        self.graph, self.preprocess, self.body = graph, preprocess_of(graph, net), body_in(graph)
        assert self.preprocess.causal is not None, "this net takes clips"
        self._causal = self.preprocess.causal
        self.stream = open_frames(backend, continuous(graph), threads, bool(watched))
        self._behind = max(self.stream.lag(graph.output.name) - (self.preprocess.frames - 1), 0)
        self._columns = {name: deque[np.ndarray](maxlen=self.preprocess.frames) for name in watched}
        self._last: Decision | None = None
        self._nobody = np.zeros(self.stream.graph.input.shape, np.int8)
        self._is_empty, self._due, self.filling = False, NOTHING, NOTHING
        self._empty()  # what it compiles is no frame's latency
        self.restart()

    def restart(self) -> None:
        self._sensor = CausalFrames(self.preprocess, self.body)
        self._begun = 0
        self._first: float | None = None
        self._time = 0.0
        if not self._is_empty:
            self._empty()

    def close(self) -> None:
        self.stream.close()

    def spans(self, frames: int, seconds: float) -> bool:
        return (self._causal.entered(seconds) if self._causal.rate else frames) <= self.preprocess.frames

    def skip(self, time: float) -> bool:
        first, last, self._time = self._first, self._time, time
        entered = self._causal.entered
        return not self._causal.rate or first is None or entered(time - first) > entered(last - first)

    def push(self, joints: np.ndarray, scores: np.ndarray, time: float) -> Outcome:
        coded = self._sensor.push(joints, time, scores)
        if self._sensor.begun != self._begun:
            self._begun, self._first = self._sensor.begun, time
            if not self._is_empty:
                self._empty()
        elif self._first is not None and self._sensor.sees_nobody:
            self._first = None
            self._empty()
        self._time = time
        if not coded.shape[1]:
            last = self._last
            self._last = None if last is None else Decision(last.best, last.scores, last.behind + 1)
            return Outcome(self._last)
        step, self._due = self._due, NOTHING
        for at in range(coded.shape[1]):
            step += self._enter(coded[:, at:at + 1])
        return Outcome(self._last, step, {name: np.stack(list(kept), axis=1) for name, kept in self._columns.items()})

    def _empty(self) -> None:
        """Forget what is carried, and let as many frames without anybody enter as a clip has beside its last."""
        self.stream.reset()
        self.filling = NOTHING
        for _ in range(self.preprocess.frames - 1):
            self.filling += self._enter(self._nobody)
        self._due = self.filling
        self._last = None
        for kept in self._columns.values():
            kept.clear()
        self._is_empty = True

    def _enter(self, frame: np.ndarray) -> Step:
        """Let a coded frame (C, 1, V) enter the network; what that caused."""
        result = self.stream.push(frame)
        self._is_empty = False
        for name, kept in self._columns.items():
            kept.append(self.stream.spikes(name).sum(axis=(1, 2, 3), dtype=np.int64))
        if result.output is not None:
            output = result.output[None]
            probabilities, _ = class_scores(self.graph, output)
            self._last = Decision(int(np.argmax(class_sums(output)[0])),
                                  None if probabilities is None else probabilities[0], self._behind)
        entered = int(np.count_nonzero(frame)) * self.stream.steps
        return Step(result.spikes - entered, result.synops, result.macs, events_energy_mj(result.macs, result.synops))
