"""Operating-system sessions: which processes belong to one, and how all of them are ended."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from mksgn.errors import BackendError

_GRACE_S = 3.0
"""Seconds that the resource tracker gets to unlink shared memory, and killed processes to go."""


def end_session(session: int) -> None:
    """Kill what is left of a session that we started, and wait until it is gone.

    multiprocessing's resource tracker goes last and by itself: it unlinks the shared memory that
    killed processes left behind, as soon as all of them are gone.
    """
    if not Path("/proc/self/stat").exists():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(session, signal.SIGKILL)
        return
    deadline = time.monotonic() + _GRACE_S
    while members := session_members(session):
        late = time.monotonic() > deadline
        for pid, command in members.items():
            if late or "resource_tracker" not in command:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if late and time.monotonic() > deadline + _GRACE_S:
            raise BackendError("processes of Lava cannot be ended", where="Lava", got=str(sorted(members)))
        time.sleep(0.01)


def session_members(session: int) -> dict[int, str]:
    """Process id and command line of the session's processes that still run, zombies left out; none but on Linux."""
    members: dict[int, str] = {}
    for folder in Path("/proc").iterdir() if Path("/proc/self/stat").exists() else ():
        if not folder.name.isdigit():
            continue
        try:
            # pid (command) state ppid pgrp session ...; the command may hold anything, so cut after the last ')'.
            state, _, _, owner = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(owner) == session and state not in "ZX":
                command = (folder / "cmdline").read_bytes()
                members[int(folder.name)] = command.replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return members
