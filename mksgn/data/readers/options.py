"""What a caller may ask of a reader beyond the path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mksgn.data.frames import Frames
from mksgn.errors import ConfigError

PERSONS, PERSONS_MAX = 2, 32
"""Persons kept of a recording of more, by default and at most."""


def _silent(_: str) -> None:
    return None


@dataclass(frozen=True)
class ReadOptions:
    """Options of all readers; each takes those that concern it.

    Parameters
    ----------
    format : str
        Name of the reader, where the content does not tell it.
    persons : int
        Most persons kept of a recording of pose estimates; those who are seen best and longest.
    skip_bad : bool
        Leave out, and count, recordings that are empty or cannot be read, in place of refusing them.
    index : path, optional
        A CSV file about the recordings: ``name``, and any of ``label``, the ids of a pack, and named splits.
    body : str
        Name of a body (:mod:`mksgn.skeleton.bodies`), for formats that do not tell it.
    edges : path, optional
        The bones of a body without a name: a text file, two joint numbers or names a line.
    channels : str
        What the numbers of a joint in a .npy array are: ``xy``, ``xyz``, ``xys`` or ``xyzs``, s the score.
    units, up : str
        What the recordings' format does not tell, or tells wrongly: see :class:`~mksgn.data.facts.Facts`.
    upright : bool
        Turn the coordinates so that y points up, from what ``up``, the format, or the bodies say.
    leave_out : frozenset of str
        Names, without endings, of recordings that are not read.
    frames : callable
        Makes what sequences are gathered in: memory, or a file (:class:`~mksgn.data.streaming.FramesOnDisk`).
    say : callable
        Told, in one line each, what was left out.

    Raises
    ------
    ConfigError
        When ``persons`` is impossible.
    """

    format: str = ""
    persons: int = PERSONS
    skip_bad: bool = False
    index: Path | None = None
    body: str = ""
    edges: Path | None = None
    channels: str = ""
    units: str = ""
    up: str = ""
    upright: bool = False
    leave_out: frozenset[str] = frozenset()
    frames: Callable[[str], Frames] = field(default=lambda name: Frames(), compare=False)
    say: Callable[[str], object] = field(default=_silent, compare=False)

    def __post_init__(self) -> None:
        if type(self.persons) is not int or not 1 <= self.persons <= PERSONS_MAX:
            raise ConfigError("the number of persons is impossible", "--persons", repr(self.persons)[:40],
                              f"1..{PERSONS_MAX}")
