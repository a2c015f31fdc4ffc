"""Where every process of a silent Lava is: the host and its children write their stacks to the log when asked."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Iterable

_SIGNAL = getattr(signal, "SIGUSR1", None)
_CALL = re.compile(r'File "(?:.*/site-packages/)?(.*)", line (\d+) in (.*)')
_CALLS = 8
"""Innermost calls of a stack that are kept: the outer ones are how Lava forks."""
_BEGIN_S, _SETTLE_S = 1.0, 0.02
"""How long a process may take to begin its stack, and to go on with it."""


def answer_with_stack() -> None:
    """From now on this process, and those forked from it, write their main thread's stack to stderr on SIGUSR1."""
    if _SIGNAL is not None:
        faulthandler.register(_SIGNAL, all_threads=False)


def stacks_of(pids: Iterable[int], log: int, shown: int = 12) -> str:
    """The stacks of ``pids``, equal ones counted, the rarest first: the odd one out is what the others wait for.

    Parameters
    ----------
    pids : iterable of int
        Processes that called :func:`answer_with_stack`: any other would be ended by the signal.
    log : int
        Descriptor of the file that is their stderr.
    shown : int
        How many different stacks to return at most.
    """
    if _SIGNAL is None:
        return ""
    stacks: Counter[str] = Counter()
    for pid in pids:
        # One at a time: a stack is written in pieces, which those of two processes would mix.
        start = size = os.fstat(log).st_size
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, _SIGNAL)
        begun = time.monotonic()
        while True:
            time.sleep(_SETTLE_S)
            now = os.fstat(log).st_size
            if now == size and (size > start or time.monotonic() - begun > _BEGIN_S):
                break
            size = now
        calls = _CALL.findall(os.pread(log, size - start, start).decode(errors="replace"))[:_CALLS]
        stacks["\n".join(f"  {path}:{line} {function}" for path, line, function in calls)] += 1
    return "\n".join(f"{count} process(es), most recent call first:\n{stack or '  (no answer)'}"
                     for stack, count in stacks.most_common()[::-1][:shown])
