"""Data as a program's ``--data`` names it, and what of it is left out."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from mksgn.data import streaming
from mksgn.data.pack import Pack
from mksgn.data.readers import cache_folder, read_cached
from mksgn.data.readers.files import files_of, read_text
from mksgn.data.readers.options import ReadOptions
from mksgn.data.readers.recognise import SUFFIX, format_of
from mksgn.data.synthetic import synthetic_pack
from mksgn.errors import ConfigError

SYNTHETIC = "synthetic"
"""Stands for the skeletons that the package makes itself."""


def load(name: str, *, skip_untracked: bool = False, leave_out: str | None = None,
         options: ReadOptions | None = None, say: Callable[[str], object] = lambda line: None) -> Pack:
    """The pack at a path (any kind that :func:`mksgn.data.readers.read` knows), or the synthetic one.

    A raw folder is parsed once; later calls read what :func:`mksgn.data.readers.read_cached` kept of it.

    Parameters
    ----------
    name : str
    skip_untracked : bool
        Leave out the recordings of an NTU folder in which nobody was ever tracked, as its protocols do.
    leave_out : str, optional
        A text file that names recordings to leave out, one per line, with or without their ending. Lines of several
        words, such as a heading, are no names.
    options : ReadOptions, optional
        What else is asked of the reader; its ``say`` is ``say``.
    say : callable
        Told, in one line, how many recordings were left out.

    Raises
    ------
    DataError
        When it cannot be read.
    ConfigError
        When an option has no effect on this data.
    """
    if name == SYNTHETIC:
        if skip_untracked or leave_out is not None:
            raise ConfigError("recordings cannot be left out of the synthetic data", where="--data",
                              got=SYNTHETIC, fix="name a folder with --data, or drop --skip-untracked and --leave-out")
        return synthetic_pack()
    path = Path(name)
    kind = format_of(path, options)
    _check_untracked(path, kind, skip_untracked)
    listed = frozenset() if leave_out is None else named_in(Path(leave_out))
    pack = read_cached(path, cache_folder(), "skip" if skip_untracked else "error",
                       listed if path.is_dir() else frozenset(), replace(options or ReadOptions(), say=say))
    if leave_out is not None and not (path.is_dir() and kind not in ("nw-ucla", "ntu", "pack")):
        if path.is_dir() and kind != "pack":
            found = len({file.stem for file in files_of(path, SUFFIX[kind])} & listed)
        else:
            keep = ~np.isin(pack.names, sorted(listed))
            found = int((~keep).sum())
            if not keep.any():
                raise ConfigError("every recording of the data is to be left out", where=f"--leave-out {leave_out}",
                                  got=f"{found} of {len(keep)}", fix="name another list")
            pack = pack.subset(keep) if found else pack
        say(f"{name}: left out {found} recordings of the {len(listed)} that {leave_out} names")
    if skip_untracked:
        _say_untracked(path, pack, listed, say)
    return pack


def convert(name: str, out: str | os.PathLike[str], options: ReadOptions, *, skip_untracked: bool = False,
            leave_out: str | None = None, progress: Callable[[int], object] = lambda done: None) -> Pack:
    """Write what :func:`load` reads as a pack, in a stream (:func:`mksgn.data.streaming.convert`).

    Parameters
    ----------
    name, skip_untracked, leave_out
        As of :func:`load`.
    out : path
        ``NAME.npz`` or ``NAME.pack``.
    options : ReadOptions
        Its ``say`` is told what was left out.
    progress : callable
        Told the number of sequences that are read.

    Raises
    ------
    DataError, ConfigError
        As :func:`load` and :func:`mksgn.data.streaming.convert`.
    """
    path = Path(name)
    kind = format_of(path, options)
    _check_untracked(path, kind, skip_untracked)
    listed = frozenset() if leave_out is None else named_in(Path(leave_out))
    pack = streaming.convert(path, out, replace(options, leave_out=listed, skip_bad=options.skip_bad or skip_untracked),
                             progress)
    if kind == "ntu" and path.is_dir() and (skip_untracked or options.skip_bad):
        _say_untracked(path, pack, listed, options.say)
    return pack


def _check_untracked(path: Path, kind: str, skip_untracked: bool) -> None:
    if skip_untracked and not (kind == "ntu" and path.is_dir()):
        raise ConfigError("an option for a folder of NTU .skeleton files has no effect here", where="--skip-untracked",
                          got=f"{path} ({kind})", fix="drop it: this data has no untracked recordings")


def _say_untracked(path: Path, pack: Pack, listed: frozenset[str], say: Callable[[str], object]) -> None:
    count = len(files_of(path, SUFFIX["ntu"], listed)) - len(pack)
    say(f"{path}: left out {count} recordings in which nobody was tracked")


def named_in(path: Path) -> frozenset[str]:
    """The names of recordings in a list, without endings: one per line.

    Raises
    ------
    DataError, ConfigError
        When the file cannot be read, or names nothing.
    """
    words = [line.split() for line in read_text(path).splitlines()]
    names = frozenset(Path(line[0]).stem for line in words if len(line) == 1)
    if not names:
        raise ConfigError("the list names no recording", where=f"--leave-out {path}", got=f"{len(words)} lines",
                          allowed="one name per line, such as S001C002P005R002A008")
    return names

