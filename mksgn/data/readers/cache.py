"""Convert raw recordings once: a pack in the user's cache folder, named by a digest of its files."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Literal

from mksgn.data.pack import Pack, load_pack, save_pack
from mksgn.data.readers.files import files_of
from mksgn.data.readers.recognise import SUFFIX, format_of, read
from mksgn.errors import DataError
from mksgn.files import printable

#: Raised whenever a reader gives other numbers for the same files, so that older caches are not used.
CACHE_VERSION = 2


def cache_folder() -> Path | None:
    """``$XDG_CACHE_HOME/mksgn``, else ``~/.cache/mksgn``; None for a user without a home."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(named):
        return Path(named) / "mksgn"
    home = os.path.expanduser("~")
    return Path(home) / ".cache" / "mksgn" if os.path.isabs(home) else None


def digest_of(path: Path, missing: str = "error", leave_out: frozenset[str] = frozenset()) -> str:
    """Digest of format, reader version, options, and each file's name, size and time of change (ns)."""
    kind = format_of(path)
    state = hashlib.sha256(f"{CACHE_VERSION} {kind} {missing}".encode())
    for file in files_of(path, SUFFIX[kind], leave_out):
        status = file.stat()
        state.update(b"\0" + os.fsencode(file.name) + f"\0{status.st_size}\0{status.st_mtime_ns}".encode())
    return state.hexdigest()[:20]


def read_cached(path: str | os.PathLike[str], cache_dir: str | os.PathLike[str] | None,
                missing: Literal["error", "skip"] = "error", leave_out: frozenset[str] = frozenset()) -> Pack:
    """As :func:`~mksgn.data.readers.read`, converting raw recordings only when they changed.

    Folders and CTR-GCN archives are converted into ``cache_dir/<name>-<digest of path>-<digest of state>.npz`` once;
    what an earlier state of the same path left there is removed. Packs and single recordings are read directly. So is
    everything where ``cache_dir`` is None or cannot be written to: a cache saves time and is needed for nothing.

    Raises
    ------
    DataError
        As :func:`~mksgn.data.readers.read`; when a cached pack is damaged.
    """
    path = Path(path)
    if cache_dir is None or format_of(path) == "pack" or not (path.is_dir() or format_of(path) == "ctrgcn"):
        return read(path, missing, leave_out)
    place = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:10]
    family = f"{printable(path.stem)[:60] or 'recordings'}-{place}-"
    cached = Path(cache_dir) / f"{family}{digest_of(path, missing, leave_out)}.npz"
    if os.access(cached, os.R_OK):
        try:
            return load_pack(cached)
        except DataError as error:
            error.fix = f"delete {cached}; it is made again from {path}"
            raise
    pack = read(path, missing, leave_out)
    with suppress(OSError, DataError):
        cached.parent.mkdir(parents=True, exist_ok=True)
        save_pack(pack, cached)
        for older in cached.parent.iterdir():
            if older.name.startswith(family) and older.suffix == ".npz" and older != cached:
                older.unlink(missing_ok=True)
    return pack
