"""Repair of Lava's channels: a wake-up that can be lost, after which the network waits for ever.

The thread of a ``CspRecvPort`` asks whether the queue was empty, puts the new message in, and wakes the
selector only if it was. Between asking and putting the other thread may take the older message, find the
queue empty and go to sleep: then nobody wakes it. It takes two messages on the way at once, and Lava sends
them whenever a run ends (the HOST phase is not answered, so the next command follows at once), to every
process. Rare, but a test set is tens of thousands of such moments.

Imports Lava: only the host process imports this module.
"""

from __future__ import annotations

from typing import Any

from lava.magma.compiler.channels import pypychannel


def repair() -> None:
    """Make receiving ports, here and in processes forked from this one, wake their selector after every message."""
    pypychannel.CspRecvPort._req_callback = _on_request


def _on_request(self: Any, req: Any) -> None:
    """``CspRecvPort._req_callback``; waking a selector that need not be woken costs it one look."""
    try:
        while req.acquire() and not self._done:
            self._queue.put_nowait(0)
            # Read once: the selector sets it to None as soon as it has found a message.
            observer = self.observer
            if observer is not None:
                observer()
    except EOFError:
        pass
