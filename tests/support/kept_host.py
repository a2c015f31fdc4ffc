"""One process that runs Lava for many tests: the imports of Lava and of our kernels happen once, not once a graph."""

from __future__ import annotations

import os
import sys
from typing import Any

from mksgn.lava.host_handle import HostHandle


class KeptHost(HostHandle):
    """A host process that is kept where its work is done, and handed out again for the next graph.

    One that was stopped at work, or that reported an error, ends as any host does. So does one whose successor has
    another search path or other variables: it would not find what that one finds.
    """

    kept: KeptHost | None = None

    def __init__(self, timeout_s: float) -> None:
        self.idle, self.surroundings = False, _surroundings()
        super().__init__(timeout_s)

    def send(self, message: dict[str, Any]) -> None:
        self.idle = False
        super().send(message)

    def receive(self) -> dict[str, Any]:
        message = super().receive()
        self.idle = message["event"] in ("loaded", "stopped")
        return message

    def close(self) -> None:
        if self.idle and KeptHost.kept is None:
            KeptHost.kept = self
        else:
            super().close()


def opened(timeout_s: float) -> KeptHost:
    """The kept host, or a new one: in the place of :class:`~mksgn.lava.host_handle.HostHandle`."""
    found, KeptHost.kept = KeptHost.kept, None
    if found is not None and found.surroundings == _surroundings():
        found.timeout_s = timeout_s
        return found
    _end(found)
    return KeptHost(timeout_s)


def end() -> None:
    """End the kept host."""
    found, KeptHost.kept = KeptHost.kept, None
    _end(found)


def _end(host: KeptHost | None) -> None:
    if host is not None:
        host.idle = False
        host.close()


def _surroundings() -> tuple[object, ...]:
    """What a host process inherits, but for the name of the test."""
    return (*sys.path, *sorted(pair for pair in os.environ.items() if pair[0] != "PYTEST_CURRENT_TEST"))
