"""Recognise what a path holds and read it."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Literal

import numpy as np

from mksgn.data.npz import array_shapes
from mksgn.data.pack import Pack, load_pack
from mksgn.data.readers.ctrgcn import ARRAYS, read_ctrgcn
from mksgn.data.readers.files import is_companion
from mksgn.data.readers.ntu import read_ntu
from mksgn.data.readers.nw_ucla import read_nw_ucla
from mksgn.errors import DataError

Format = Literal["pack", "ctrgcn", "nw-ucla", "ntu"]
SUFFIX: dict[Format, str] = {"pack": ".npz", "ctrgcn": ".npz", "nw-ucla": ".json", "ntu": ".skeleton"}
"""How the files of a format end."""

_ALLOWED = ("a pack or CTR-GCN archive (.npz), NW-UCLA JSON (a .json file or a folder of them), or NTU RGB+D "
            "(a .skeleton file or a folder of them)")


def format_of(path: Path) -> Format:
    """Name the format of a file or folder.

    Raises
    ------
    DataError
        When the path does not exist, is empty, mixes formats, or is of a format that no reader knows.
    """
    if path.is_dir():
        return _format_of_folder(path)
    if not path.exists():
        raise DataError("There is no such file or folder", str(path), "nothing", _ALLOWED, "check the path")
    if path.stat().st_size == 0:
        raise DataError("The file is empty", str(path), "0 bytes", _ALLOWED, "copy or download it again")
    suffix = path.suffix.lower()
    if suffix == ".npz":
        shapes = array_shapes(path)
        return "ctrgcn" if any(name in shapes for name in ARRAYS) else "pack"
    if suffix == ".json":
        return "nw-ucla"
    if suffix == ".skeleton":
        return "ntu"
    kind = "MSR-Action3D text is not supported" if path.stem.endswith("_skeleton3D") else "no reader knows this ending"
    raise DataError("The file is of no known skeleton format", str(path), f"'{path.suffix}': {kind}", _ALLOWED,
                    "convert it to one of these formats")


def read(path: str | os.PathLike[str], missing: Literal["error", "skip"] = "error",
         leave_out: frozenset[str] = frozenset()) -> Pack:
    """Read skeleton data of any known format.

    Parameters
    ----------
    path : path
        Pack ``.npz``, CTR-GCN ``.npz``, NW-UCLA ``.json`` or folder, NTU ``.skeleton`` or folder.
    missing : "error" or "skip"
        Recordings of an NTU folder in which nobody was tracked: refuse, or leave out as the protocols do.
    leave_out : frozenset of str
        Names, without endings, of recordings of a raw folder that are not read.

    Raises
    ------
    DataError
        When the format is unknown, the data is damaged, or a sequence holds nothing but zeros.
    """
    path = Path(path)
    kind = format_of(path)
    if kind == "pack":
        pack = load_pack(path)
    elif kind == "ctrgcn":
        pack = read_ctrgcn(path)
    elif kind == "nw-ucla":
        pack = read_nw_ucla(path, leave_out)
    else:
        pack = read_ntu(path, missing, leave_out)
    if len(pack) == 0:
        raise DataError("The pack holds no sequences", str(path), "0 sequences", "one or more")
    occupied = np.maximum.reduceat(pack.data.any(axis=(1, 2, 3)), pack.offsets[:-1])
    if not occupied.all():
        name = pack.names[int(np.argmin(occupied))]
        raise DataError("A sequence holds nothing but zeros", f"{path}, sequence {name}", "all coordinates 0",
                        "one frame or more with a person", "leave it out")
    return pack


def _format_of_folder(path: Path) -> Format:
    try:
        endings = Counter(p.suffix.lower() for p in path.iterdir() if not is_companion(p) and p.is_file())
    except OSError as error:
        raise DataError("The folder cannot be read", str(path), str(error), fix="check its permissions") from None
    known: dict[str, Format] = {".json": "nw-ucla", ".skeleton": "ntu"}
    found = [suffix for suffix in known if endings[suffix]]
    if len(found) == 1:
        return known[found[0]]
    got = ", ".join(f"{n} x '{suffix}'" for suffix, n in sorted(endings.items())) or "no files"
    if found:
        raise DataError("The folder mixes two formats", str(path), got, "one format", "separate them")
    raise DataError("The folder holds no skeleton recordings", str(path), got, _ALLOWED,
                    "name the folder that holds the recordings themselves, or one .npz file")
