"""A stream from its first frame to its last: frames out of the queue, decisions, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mksgn.errors import DataError
from mksgn.stream.clock import Clock
from mksgn.stream.decider import Decider, Outcome
from mksgn.stream.early_exit import EarlyExit
from mksgn.stream.following import ABSENCE_S, Follower, Placed
from mksgn.stream.frame_queue import Arrival, FrameQueue, Nothing
from mksgn.stream.records import FrameRecord, Kind, Note, NoteRecord, SummaryRecord
from mksgn.stream.tally import Tally


@dataclass(frozen=True)
class Rules:
    """How a stream is judged.

    Parameters
    ----------
    silence : float
        Seconds without a frame after which the sensor has stopped.
    waits : bool
        Whether the stream waits for a sensor that has stopped; else it ends.
    late : float
        Seconds from a frame's arrival to its decision above which the decision is late.
    absence : float
        As of :class:`~mksgn.stream.following.Follower`.
    least : float
        Joints of a lower score are missing.
    exit_at : float or None
        Confidence at which a decision is final.
    exit_after : int
        Fewest frames that a final decision must have seen.
    exit_hold : int
        Decisions in a row that must be the same, each of that confidence.
    """

    silence: float = 5.0
    waits: bool = False
    late: float = 0.1
    absence: float = ABSENCE_S
    least: float = 0.0
    exit_at: float | None = None
    exit_after: int = 1
    exit_hold: int = 1


class Listener(Protocol):
    """Told what happens in a stream, as it happens."""

    def frame(self, record: FrameRecord, joints: np.ndarray, raster: dict[str, np.ndarray]) -> None:
        """A frame was decided on: joints float32 (M, V, 3), NaN where missing; the raster of :class:`Outcome`."""
        ...

    def note(self, record: NoteRecord) -> None:
        """Something happened."""
        ...

    def summary(self, record: SummaryRecord) -> None:
        """The stream is over."""
        ...


class Session:
    """One stream.

    Parameters
    ----------
    decider : Decider
    queue : FrameQueue
    places, joints : int
        M and V that the decider takes.
    rules : Rules
    clock : Clock
    class_names : sequence of str
        The net's; empty where it names none.
    listeners : sequence of Listener
    bad_lines : callable
        How many lines the source has left out.
    """

    def __init__(self, decider: Decider, queue: FrameQueue, places: int, joints: int, rules: Rules, clock: Clock,
                 class_names: Sequence[str], listeners: Sequence[Listener],
                 bad_lines: Callable[[], int] = lambda: 0) -> None:
        self.decider, self.queue, self.rules, self.clock = decider, queue, rules, clock
        self.class_names, self.listeners, self.bad_lines = tuple(class_names), listeners, bad_lines
        self.follower = Follower(places, joints, rules.absence, rules.least)
        self.exit = EarlyExit(rules.exit_at, rules.exit_after, rules.exit_hold)
        self.tally = Tally()
        self._number: int | None = None  # of the last frame
        self._time: float | None = None
        self._dropped = 0
        self._silent_since: float | None = None
        self._began: float | None = None
        self._ended = 0.0  # when the last frame was decided on

    def run(self) -> SummaryRecord:
        """Decide on frames until there are no more; the summary, which the listeners are told as well.

        An interruption from the keyboard ends the stream in the same way, and is then raised again.

        Raises
        ------
        DataError
            When no frame ever came, or the source met an error.
        """
        try:
            while self._next():
                pass
        except KeyboardInterrupt:
            self._say(Note("interrupted", "ended from the keyboard"))
            self.close()
            raise
        if not self.queue.came:
            raise DataError("no frame came", where="--frames", got=f"silence for {self.rules.silence:g} s"
                            if self._silent_since is not None else "an end without a frame",
                            fix="start the sensor first, or wait for it with --on-silence wait")
        return self.close()

    def close(self) -> SummaryRecord:
        """Tell the summary."""
        seconds = 0.0 if self._began is None else self._ended - self._began
        summary = self.tally.summary(seconds, self.queue.came, self.queue.dropped, self.bad_lines(),
                                     self.decider.energy)
        for listener in self.listeners:
            listener.summary(summary)
        return summary

    def _next(self) -> bool:
        """Take what comes next; whether the stream goes on."""
        arrival = self.queue.get(self.rules.silence)
        for note in self.queue.notes():
            self._say(note)
        if arrival is Nothing.ENDED:
            return False
        if arrival is Nothing.SILENT:
            return self._silence()
        assert isinstance(arrival, Arrival)
        self._frame(arrival)
        return True

    def _silence(self) -> bool:
        if self._silent_since is None:
            self._silent_since = self.clock.now() - self.rules.silence
            what = "waiting for it" if self.rules.waits else "the stream ends"
            self._say(Note("silent", f"no frame for {self.rules.silence:g} s: {what}"))
        return self.rules.waits

    def _frame(self, arrival: Arrival) -> None:
        """Decide on a frame, and tell it."""
        frame = arrival.frame
        self._began = arrival.at if self._began is None else self._began
        if self._silent_since is not None:
            self._say(Note("back", f"frames come again after {arrival.at - self._silent_since:.1f} s"))
            self._silent_since = None
        if self.queue.dropped > self._dropped:
            new, self._dropped = self.queue.dropped - self._dropped, self.queue.dropped
            self._say(Note("dropped", f"the queue was full: {new} of the oldest frames dropped, "
                           f"{self._dropped} in all"))
        if self._time is not None and 0 <= self._time - frame.time <= self.rules.absence:
            self.tally.out_of_order += 1
            self._say(Note("out-of-order", f"frame {arrival.number} is of {frame.time:.3f} s, not after "
                           f"{self._time:.3f} s: left out"))
            return
        self._time, self._number = frame.time, arrival.number
        placed = self.follower.place(frame)
        for note in placed.notes:
            self._say(note)
        self._tell(arrival, placed, self._decide(arrival, placed))

    def _decide(self, arrival: Arrival, placed: Placed) -> Outcome:
        """What comes of a frame."""
        tally, frame = self.tally, arrival.frame
        tally.frames += 1
        tally.missing_joints += placed.missing
        over = self.exit.is_over(self.decider, frame.time, frame.recording) and not placed.restart
        tally.restarts += placed.restart
        if over:
            self._say(Note("again", "the final decision is as old as the decider looks back: begun anew"))
        if placed.restart or over or tally.frames == 1:
            self.decider.restart()
            self.exit.restart()
        if not placed.watched:
            tally.nobody += 1
            if not self.decider.holds:
                return Outcome(None)
        self.exit.passes()
        if self.exit.final is not None:
            tally.skipped += self.decider.skip(frame.time)
            return Outcome(self.exit.final)
        outcome = self.decider.push(placed.joints, placed.scores, frame.time)
        if outcome.step is not None:
            tally.step(outcome.step)
        return outcome

    def _tell(self, arrival: Arrival, placed: Placed, outcome: Outcome) -> None:
        """Tell the listeners of a frame and what comes of it."""
        decision, step = outcome.decision, outcome.step
        self._ended = self.clock.now()
        latency = self._ended - arrival.at
        late = latency > self.rules.late and not self.queue.waits
        self.tally.latency(latency)
        self.tally.late += late
        before = self.exit.final
        new = before is None and decision is not None and self.exit.settle(decision, arrival.frame.time)
        scores = None if decision is None or decision.scores is None else [float(each) for each in decision.scores]
        record: FrameRecord = {
            "type": "frame", "frame": arrival.number, "time": arrival.frame.time,
            "recording": arrival.frame.recording or None,
            "class_name": None if decision is None else self._class(decision.best),
            "class_number": None if decision is None else decision.best,
            "confidence": None if decision is None else decision.confidence, "scores": scores,
            "final": self.exit.final is not None, "latency_ms": latency * 1e3,
            "latency_frames": None if decision is None or before is not None else decision.behind, "late": late,
            "waiting": len(self.queue), "persons": placed.persons, "missing_joints": placed.missing,
            "events": None if step is None else step.record(), "energy_mj": self.tally.energy_mj}
        for listener in self.listeners:
            listener.frame(record, placed.joints, outcome.raster)
        if new and decision is not None:
            self.tally.finals += 1
            self._say(Note("final", f"{self._class(decision.best)} is final at a confidence of "
                           f"{decision.confidence:.3f}: nothing more is computed"))
        if late and self.tally.late == 1:
            self._say(Note("late", f"a decision took more than {self.rules.late * 1e3:g} ms; more are only counted"))

    def _class(self, number: int) -> str:
        return self.class_names[number] if number < len(self.class_names) else str(number)

    def _say(self, note: Note) -> None:
        kind: Kind = note.kind
        record: NoteRecord = {"type": "note", "kind": kind, "frame": self._number, "text": note.text}
        for listener in self.listeners:
            listener.note(record)
