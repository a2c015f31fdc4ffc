"""Spiking graph convolutional networks: from SLAYER training to Loihi 2, exact on every spike.

:func:`load` and :func:`read` begin what a user does in Python; :mod:`mksgn.api` describes it. They are imported when
they are first used, so that ``import mksgn`` loads nothing else.

Importing this package before torch or numba sets how their threads wait for each other: they spin for some
microseconds and then sleep. By default they spin for milliseconds, which takes the cores from every other program: two
trainings side by side on two cores then cost several times what they need. What the environment says in
``OMP_WAIT_POLICY``, ``GOMP_SPINCOUNT`` (libgomp) or ``KMP_BLOCKTIME`` (Intel's and LLVM's OpenMP) goes first.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mksgn.api import Net, Recordings, Result, load, read

__all__ = ["Net", "Recordings", "Result", "__version__", "load", "read"]
__version__ = "0.1.0"

if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    os.environ.setdefault("KMP_BLOCKTIME", "0")


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(importlib.import_module("mksgn.api"), name)
    raise AttributeError(f"module 'mksgn' has no attribute {name!r}")
