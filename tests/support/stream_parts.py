"""What the tests of streams share: a clock that stands still, persons, frames, and a decider that computes nothing."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from mksgn.ir import Graph
from mksgn.stream.decider import Decision, Outcome, Step
from mksgn.stream.frame_queue import FrameQueue
from mksgn.stream.frames import Frame, Person, person_of
from mksgn.stream.session import Rules, Session

JOINTS = 5


class FakeClock:
    """Stands still until it is moved, or until somebody would wait for it."""

    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float, stop: threading.Event) -> None:
        self.time += max(seconds, 0.0)

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        self.time += seconds


def person(place: float = 0.0, identity: int | str | None = None, joints: int = JOINTS, score: float = 0.9) -> Person:
    """Somebody whose body is about 1 across, at ``place``."""
    points = np.linspace(0, 1, joints * 3).reshape(joints, 3) + (place, 0, 0)
    return person_of(points, np.full(joints, score), identity)


def frame(time: float, *persons: Person, recording: str = "") -> Frame:
    return Frame(time, persons, recording)


class CountingDecider:
    """Is the surer, the more frames it has seen: ``rise`` a frame. A computation takes 10 synops and ``takes`` s."""

    energy, told, holds = "invented", "counts", False
    graph: Graph

    def __init__(self, clock: FakeClock | None = None, rise: float = 0.1, takes: float = 0.0, span: int = 10) -> None:
        self.clock, self.rise, self.takes, self.span = clock, rise, takes, span
        self.seen: list[float] = []
        self.pushed: list[np.ndarray] = []
        self.restarts = self.skipped = 0
        self.closed = False

    def push(self, joints: np.ndarray, scores: np.ndarray, time: float) -> Outcome:
        self.seen.append(time)
        self.pushed.append(joints)
        if self.clock is not None:
            self.clock.time += self.takes
        sure = min(self.rise * len(self.seen), 1.0)
        return Outcome(Decision(1, np.array([1 - sure, sure]), 0), Step(3, 10, 2, 0.5))

    def skip(self, time: float) -> bool:
        self.skipped += 1
        return True

    def spans(self, frames: int, seconds: float) -> bool:
        return frames <= self.span

    def restart(self) -> None:
        self.seen = []
        self.restarts += 1

    def close(self) -> None:
        self.closed = True


class Told:
    """Keeps all records."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.notes: list[dict[str, Any]] = []
        self.summaries: list[dict[str, Any]] = []

    def frame(self, record: Any, joints: np.ndarray, raster: dict[str, np.ndarray]) -> None:
        self.frames.append(record)

    def note(self, record: Any) -> None:
        self.notes.append(record)

    def summary(self, record: Any) -> None:
        self.summaries.append(record)

    @property
    def kinds(self) -> list[str]:
        return [note["kind"] for note in self.notes]


def played(frames: list[Frame], rules: Rules | None = None, capacity: int = 1000, places: int = 1,
           decider: CountingDecider | None = None) -> tuple[Told, CountingDecider]:
    """A session over frames that are all there when it begins, and the end after them."""
    clock, told = FakeClock(), Told()
    queue, decider = FrameQueue(capacity, clock), decider or CountingDecider()
    for each in frames:
        queue.put(each)
    queue.end()
    Session(decider, queue, places, JOINTS, rules or Rules(), clock, ("stand", "wave"), [told]).run()
    return told, decider
