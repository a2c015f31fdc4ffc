"""The queue between a sensor and a network: bounded, and never silent about what it loses."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, replace
from enum import Enum

from mksgn.stream.clock import Clock
from mksgn.stream.frames import Frame
from mksgn.stream.records import Note

_WAKE_S = 0.1
"""Seconds after which a source that waits looks whether it should stop."""


class Nothing(Enum):
    """Why there is no frame."""

    SILENT = "the sensor said nothing for too long"
    ENDED = "there are no more frames"


@dataclass(frozen=True, eq=False)
class Arrival:
    """A frame, when it came by our own clock, and its number among those that came.

    Where the source waits, nobody knows when its frame came: then it comes when it is taken out of the queue.
    """

    frame: Frame
    at: float
    number: int


class FrameQueue:
    """Holds the frames that came and were not yet looked at.

    Parameters
    ----------
    capacity : int
        Frames that it holds, at most.
    clock : Clock
    waits : bool
        What happens to a frame that comes when the queue is full. True: the source waits, and nothing is lost. False:
        the oldest frame in the queue is dropped and counted, so that what is decided is never far behind.

    Attributes
    ----------
    came, dropped : int
        Frames that came, and those that were dropped.
    """

    def __init__(self, capacity: int, clock: Clock, waits: bool = False) -> None:
        self.capacity, self.clock, self.waits = capacity, clock, waits
        self.came = self.dropped = 0
        self.stop = threading.Event()
        """Set when nobody reads any more: sources then end."""
        self._frames: deque[Arrival] = deque()
        self._notes: deque[Note] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._error: BaseException | None = None

    def __len__(self) -> int:
        return len(self._frames)

    def put(self, frame: Frame) -> None:
        """Let a frame in; called by the source."""
        with self._changed:
            while self.waits and len(self._frames) >= self.capacity and not self.stop.is_set():
                self._changed.wait(_WAKE_S)
            if len(self._frames) >= self.capacity:
                self._frames.popleft()
                self.dropped += 1
            self._frames.append(Arrival(frame, self.clock.now(), self.came))
            self.came += 1
            self._changed.notify_all()

    def say(self, note: Note) -> None:
        """Let the source say something; it is told before the next frame."""
        with self._changed:
            self._notes.append(note)
            self._changed.notify_all()

    def end(self, error: BaseException | None = None) -> None:
        """No more frames will come; ``error`` is raised where the next frame is asked for."""
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def get(self, patience: float) -> Arrival | Nothing:
        """The oldest frame; or why there is none.

        Parameters
        ----------
        patience : float
            Seconds of silence after which :attr:`Nothing.SILENT` is the answer.

        Raises
        ------
        BaseException
            What ended the source, once the frames before it are taken.
        """
        with self._changed:
            until = self.clock.now() + patience
            while not self._frames and not self._ended:
                left = until - self.clock.now()
                if left <= 0:
                    return Nothing.SILENT
                self.clock.wait(self._changed, left)
            if self._frames:
                arrival = self._frames.popleft()
                self._changed.notify_all()
                return replace(arrival, at=self.clock.now()) if self.waits else arrival
            if self._error is not None:
                raise self._error
            return Nothing.ENDED

    def notes(self) -> list[Note]:
        """What the source said since this was last asked."""
        with self._changed:
            found = list(self._notes)
            self._notes.clear()
            return found
