"""Data as a program's ``--data`` names it."""

from __future__ import annotations

from mksgn.data.pack import Pack
from mksgn.data.readers import read
from mksgn.data.synthetic import synthetic_pack

SYNTHETIC = "synthetic"
"""Stands for the skeletons that the package makes itself."""


def load(name: str) -> Pack:
    """The pack at a path (any kind that :func:`mksgn.data.readers.read` knows), or the synthetic one.

    Raises
    ------
    DataError
        When it cannot be read.
    """
    return synthetic_pack() if name == SYNTHETIC else read(name)
