"""Convert raw recordings once: a pack beside a digest of the files it was made from."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Literal

from mksgn.data.pack import Pack, load_pack, save_pack
from mksgn.data.readers.files import files_of
from mksgn.data.readers.recognise import Format, format_of, read
from mksgn.errors import DataError

#: Raised whenever a reader gives other numbers for the same files, so that older caches are not used.
CACHE_VERSION = 1

_SUFFIX: dict[Format, str] = {"nw-ucla": ".json", "ntu": ".skeleton", "ctrgcn": ".npz"}


def digest_of(path: Path, missing: str = "error") -> str:
    """Digest of format, reader version, options, and each file's name, size and time of change (ns)."""
    kind = format_of(path)
    state = hashlib.sha256(f"{CACHE_VERSION} {kind} {missing}".encode())
    for file in files_of(path, _SUFFIX[kind]):
        status = file.stat()
        state.update(f"\0{file.name}\0{status.st_size}\0{status.st_mtime_ns}".encode())
    return state.hexdigest()[:20]


def read_cached(path: str | os.PathLike[str], cache_dir: str | os.PathLike[str],
                missing: Literal["error", "skip"] = "error") -> Pack:
    """As :func:`~mksgn.data.readers.read`, converting raw files only when they changed.

    A pack is read directly; anything else is converted into ``cache_dir/<name>-<digest>.npz`` once.

    Raises
    ------
    DataError
        As :func:`~mksgn.data.readers.read`; when the cache folder cannot be made; when a cached pack is damaged.
    """
    path, folder = Path(path), Path(cache_dir)
    if format_of(path) == "pack":
        return read(path)
    cached = folder / f"{path.stem or 'recordings'}-{digest_of(path, missing)}.npz"
    if cached.exists():
        try:
            return load_pack(cached)
        except DataError as error:
            error.fix = f"delete {cached}; it is made again from {path}"
            raise
    pack = read(path, missing)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError("The cache folder cannot be made", str(folder), str(error), "a writable folder") from None
    save_pack(pack, cached)
    return pack
