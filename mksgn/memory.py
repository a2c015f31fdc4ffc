"""What a program does with memory that it needs again in a moment."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's ``mallopt`` (malloc.h)."""
_NEVER = (1 << 31) - 1
_LARGEST = 1 << 30


def keep_memory() -> bool:
    """Keep what is freed, for the next allocation of this process, in place of giving it back to the system.

    A training step allocates and frees the same gigabytes again and again. By default glibc returns blocks of many
    megabytes at once, and the next step touches new pages: each costs a fault, and in a virtual machine that reports
    its free pages to the host far more. Programs call this; a library has no say in how its user's memory is handled.

    Returns
    -------
    bool
        False where the C library is not glibc: nothing is changed there.
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return bool(mallopt(_TRIM_THRESHOLD, _NEVER) and mallopt(_MMAP_THRESHOLD, _LARGEST))
