"""What programs ask about data alike: how recordings are read, and which of them test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from mksgn.data.facts import AXES, UNITS
from mksgn.data.own_splits import protocol_of
from mksgn.data.pack import Pack
from mksgn.data.readers.options import PERSONS, ReadOptions
from mksgn.data.readers.plain import CHANNELS
from mksgn.data.readers.registry import READERS, formats
from mksgn.data.sources import SYNTHETIC, load
from mksgn.data.splits import PROTOCOLS
from mksgn.errors import ConfigError
from mksgn.limits import option
from mksgn.programs.choices import HELP

DATA_HELP = f"Recordings: {formats()}; or '{SYNTHETIC}'."
"""Help of --data."""


def _said(text: str) -> Any:
    """An option that is not given, with a help that names what the library knows."""
    return field(default=None, metadata={HELP: text})


@dataclass(frozen=True)
class Reading:
    """How --data is read, where the recordings do not say it themselves."""

    format: str | None = _said(f"Reader, where the content does not tell it: {', '.join(r.name for r in READERS)}.")
    index: str | None = None
    """A CSV file about the recordings: a column name, and any of label, subject, view, ..., test, split:NAME."""
    body: str | None = None
    """Name of the body, for formats that do not tell it (list: mksgn bodies)."""
    edges: str | None = None
    """Bones of a body without a name: a text file, two joint numbers or names a line."""
    channels: str | None = _said(f"Numbers of a joint in a .npy array, s being its score: {', '.join(CHANNELS)}.")
    units: str | None = _said(f"Unit of the coordinates: {', '.join(filter(None, UNITS))}.")
    up: Annotated[str | None, tyro.conf.arg(metavar="AXIS")] = _said(
        f"Direction that points up in the coordinates: {', '.join(filter(None, AXES))}. Write --up=-y.")
    upright: bool = False
    """Turn the coordinates so that y points up, from --up, or what format or bodies say."""
    skip_bad: bool = False
    """Leave out, and count, recordings that are empty or cannot be read."""
    skip_untracked: bool = False
    """Leave out the recordings of an NTU folder in which nobody was tracked (302 of NTU 60, 535 of NTU 120)."""
    leave_out: str | None = None
    """A text file that names recordings to leave out, one per line, such as NTU's own list."""

    def options(self, persons: int = PERSONS, say: Callable[[str], object] = lambda line: None) -> ReadOptions:
        """What the readers are asked.

        Raises
        ------
        ConfigError
            When a choice is none of those there are.
        """
        for name, allowed in (("units", UNITS), ("up", AXES), ("channels", CHANNELS)):
            given = getattr(self, name)
            if given is not None and given not in allowed:
                raise ConfigError(f"unknown {name}", f"--{name}", repr(given)[:60], ", ".join(filter(None, allowed)))
        return ReadOptions(
            format=self.format or "", persons=persons, skip_bad=self.skip_bad, body=self.body or "",
            index=Path(self.index) if self.index else None, edges=Path(self.edges) if self.edges else None,
            channels=self.channels or "", units=self.units or "", up=self.up or "", upright=self.upright, say=say)

    def load(self, data: str, say: Callable[[str], object], persons: int = PERSONS) -> Pack:
        """The pack that --data names; ``say`` is told what was left out.

        Raises
        ------
        DataError, ConfigError
            As :func:`mksgn.data.sources.load`.
        """
        asked = self.options(max(persons, PERSONS))
        strange = [name for name in self.given() if name not in ("skip_untracked", "leave_out")]  # load() refuses these
        if data == SYNTHETIC and strange:
            raise ConfigError("the synthetic data is not read", "--data", f"{data}, {option(strange[0])}",
                              fix="drop the options of reading")
        return load(data, skip_untracked=self.skip_untracked, leave_out=self.leave_out, options=asked, say=say)

    def given(self) -> dict[str, Any]:
        """The options that are given."""
        return {name: value for name, value in vars(self).items() if value}


@dataclass(frozen=True)
class Splitting:
    """Which sequences test."""

    protocol: str | None = _said(
        f"How the data is split: {', '.join(PROTOCOLS)}; the name of a split that the data names; or a test half, "
        "such as test-subjects=3,7 or test-ratio=0.25,seed=0. nw-ucla-dev (view 1 trains, view 2 tests) is to choose "
        "recipes by. Default: what the data's ids say, or a net's own on its own data.")
    test_subjects: tuple[int, ...] = ()
    """These subjects test, and the others train."""
    test_views: tuple[int, ...] = ()
    """These views test, and the others train."""
    test_ratio: float | None = None
    """This part of the sequences tests, such as 0.25: whole subjects, or a part of each class where subjects are
    unknown."""
    split_seed: int | None = None
    """Seed of --test-ratio. Default: 0."""

    def described(self) -> str | None:
        """The protocol that they describe; None where nothing is said.

        Raises
        ------
        ConfigError
            When they contradict each other.
        """
        if self.split_seed is not None and self.test_ratio is None:
            raise ConfigError("a seed of the split has no effect", "--split-seed", str(self.split_seed),
                              fix="give --test-ratio, or drop it")
        return protocol_of(test_subjects=self.test_subjects or None, test_views=self.test_views or None,
                           test_ratio=self.test_ratio, seed=self.split_seed or 0, named=self.protocol)

    def given(self) -> dict[str, Any]:
        """The options that are given."""
        return {name: value for name, value in vars(self).items() if value not in (None, ())}


def numbered_sequence(pack: Pack, asked: str | None) -> int:
    """The number of the sequence that --sequence names: by number, or by name; without it the first.

    Raises
    ------
    ConfigError
        When there is none.
    """
    named = np.flatnonzero(pack.names == asked)
    if asked is None or len(named):
        return 0 if asked is None else int(named[0])
    if not asked.isdecimal() or int(asked[:18]) >= len(pack):
        raise ConfigError("there is no such sequence", "--sequence", asked[:60], f"0..{len(pack) - 1}, or a name such "
                          f"as {pack.names[0]}")
    return int(asked)


READ_AS_IT_IS, SPLIT_BY_IDS = Reading(), Splitting()
"""Options of which none is given: defaults."""
