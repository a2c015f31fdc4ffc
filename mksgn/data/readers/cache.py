"""Convert raw recordings once: a pack in the user's cache folder, named by a digest of its files."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Literal

from mksgn.data.pack import Pack, load_pack, save_pack
from mksgn.data.readers.files import files_of
from mksgn.data.readers.options import ReadOptions
from mksgn.data.readers.recognise import SUFFIX, format_of, read
from mksgn.data.readers.registry import reader_named
from mksgn.errors import DataError
from mksgn.files import printable

#: Raised whenever a reader gives other numbers for the same files, so that older caches are not used.
CACHE_VERSION = 3


def cache_folder() -> Path | None:
    """``$XDG_CACHE_HOME/mksgn``, else ``~/.cache/mksgn``; None for a user without a home."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(named):
        return Path(named) / "mksgn"
    home = os.path.expanduser("~")
    return Path(home) / ".cache" / "mksgn" if os.path.isabs(home) else None


def digest_of(path: Path, missing: str = "error", leave_out: frozenset[str] = frozenset(),
              options: ReadOptions | None = None) -> str:
    """Digest of format, reader version, options, and each file's name, size and time of change (ns)."""
    kind = format_of(path, options)
    plain = options is None or options == ReadOptions()
    asked = "" if plain else f" {sorted((k, str(v)) for k, v in vars(options).items() if not callable(v))}"
    state = hashlib.sha256(f"{CACHE_VERSION} {kind} {missing}{asked}".encode())
    if kind in ("nw-ucla", "ntu", "ctrgcn"):
        files = files_of(path, SUFFIX[kind], leave_out)
    else:
        files = sorted(f for f in path.rglob("*") if f.suffix.lower() in reader_named(kind).endings and f.is_file())
        files = [file for file in files if file.stem not in leave_out]
    beside = (options.index, options.edges) if options else ()
    for file in (*files, *(each for each in beside if each)):
        status = file.stat()
        inside = file.relative_to(path) if path.is_dir() and file.is_relative_to(path) else file.name
        state.update(b"\0" + os.fsencode(inside)
                     + f"\0{status.st_size}\0{status.st_mtime_ns}".encode())
    return state.hexdigest()[:20]


def read_cached(path: str | os.PathLike[str], cache_dir: str | os.PathLike[str] | None,
                missing: Literal["error", "skip"] = "error", leave_out: frozenset[str] = frozenset(),
                options: ReadOptions | None = None) -> Pack:
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
    kind = format_of(path, options)
    if cache_dir is None or kind == "pack" or not (path.is_dir() or kind == "ctrgcn"):
        return _read(path, missing, leave_out, options)
    place = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:10]
    family = f"{printable(path.stem)[:60] or 'recordings'}-{place}-"
    cached = Path(cache_dir) / f"{family}{digest_of(path, missing, leave_out, options)}.npz"
    if os.access(cached, os.R_OK):
        try:
            return load_pack(cached)
        except DataError as error:
            error.fix = f"delete {cached}; it is made again from {path}"
            raise
    pack = _read(path, missing, leave_out, options)
    with suppress(OSError, DataError):
        cached.parent.mkdir(parents=True, exist_ok=True)
        save_pack(pack, cached)
        for older in cached.parent.iterdir():
            if older.name.startswith(family) and older.suffix == ".npz" and older != cached:
                older.unlink(missing_ok=True)
    return pack


def _read(path: Path, missing: Literal["error", "skip"], leave_out: frozenset[str],
          options: ReadOptions | None) -> Pack:
    return read(path, missing, leave_out) if options is None else read(path, missing, leave_out, options)
