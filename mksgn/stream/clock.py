"""The clock of a stream: the machine's, or one of a test that stands still until it is moved."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """What a stream asks of a clock."""

    def now(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...

    def sleep(self, seconds: float, stop: threading.Event) -> None:
        """Wait so long, or until ``stop`` is set."""
        ...

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        """Wait until ``condition``, which is held, is notified; at most so long."""
        ...


class MachineClock:
    """The machine's own clock."""

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float, stop: threading.Event) -> None:
        if seconds > 0:
            stop.wait(seconds)

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        condition.wait(seconds)
