"""Recognise what a path holds and read it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from mksgn.data.axes import turned
from mksgn.data.facts import Facts
from mksgn.data.frames import kept
from mksgn.data.pack import Pack, occupied
from mksgn.data.readers.options import ReadOptions
from mksgn.data.readers.registry import READERS, find
from mksgn.errors import DataError, typed

SUFFIX: dict[str, str] = {reader.name: reader.endings[0] for reader in READERS}
"""How the files of a format end."""


def format_of(path: Path, options: ReadOptions | None = None) -> str:
    """Name the format of a file or folder (see :mod:`mksgn.data.readers.registry`), or that which the options name.

    Raises
    ------
    DataError
        When the path does not exist, is empty, mixes formats, or is of a format that no reader knows.
    """
    return find(path, options.format if options else "").name


def read(path: str | os.PathLike[str], missing: Literal["error", "skip"] = "error",
         leave_out: frozenset[str] = frozenset(), options: ReadOptions | None = None) -> Pack:
    """Read skeleton data of any known format.

    Parameters
    ----------
    path : path
        A file or a folder that a reader of :mod:`mksgn.data.readers.registry` knows.
    missing : "error" or "skip"
        Recordings of an NTU folder in which nobody was tracked: refuse, or leave out as the protocols do.
    leave_out : frozenset of str
        Names, without endings, of recordings that are not read.
    options : ReadOptions, optional
        What else is asked of the reader.

    Raises
    ------
    DataError
        When the format is unknown, the data is damaged, or a sequence holds nothing but zeros (with ``skip_bad`` it is
        left out); every sequence is to be left out; ``upright``, and nothing tells which way is up.
    """
    path = Path(path)
    options = options or ReadOptions()
    options = replace(options, leave_out=options.leave_out | leave_out, skip_bad=options.skip_bad or missing == "skip")
    reader = find(path, options.format)
    with typed(DataError, "The data holds something that its reader does not expect", str(path),
               f"it was taken for: {reader.title}"):
        pack = reader.read(path, options)
    if options.units or options.up:
        pack.facts = Facts(options.units or pack.facts.units, options.up or pack.facts.up, pack.facts.source)
    if len(pack) == 0:
        raise DataError("The pack holds no sequences", str(path), "0 sequences", "one or more")
    listed = np.isin(pack.names, sorted(options.leave_out))
    if listed.any():
        if listed.all():
            raise DataError("Every recording is to be left out", str(path), f"{len(pack)} recordings", "one or more",
                            "name another list")
        options.say(f"left out {int(listed.sum())} recordings that the list names")
        pack = kept(pack, ~listed, options.frames)
    full = occupied(pack)
    if not full.all():
        name = pack.names[int(np.argmin(full))]
        if not options.skip_bad or not full.any():
            raise DataError("A sequence holds nothing but zeros", f"{path}, sequence {name}", "all coordinates 0",
                            "one frame or more with a person", "leave it out, or all such sequences with --skip-bad")
        options.say(f"left out {int((~full).sum())} sequences that hold nothing but zeros; the first: {name}")
        pack = kept(pack, full, options.frames)
    return turned(pack, options.up, options.frames("data").like()) if options.upright else pack
