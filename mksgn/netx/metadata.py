"""File attributes: ``Graph.meta`` and back, exactly, value by value and type by type.

Each entry of ``meta`` is one attribute of the file's root, readable with ``h5dump -A``. Numbers are
64 bits wide, strings are UTF-8 of fixed length, and an empty list is stored as no elements of a string type.
"""

from __future__ import annotations

import math
from typing import Any

import h5py
import numpy as np

from mksgn.errors import NetFileError
from mksgn.ir import Graph
from mksgn.netx.store import ATTRIBUTE_BYTES_MAX, STEPS_MAX

FORMAT, FORMAT_VERSION, STREAMED_VERSION = "mksgn", 1, 2
RESERVED = ("format", "format_version", "time_steps")
LIST_MAX = 4096
_ALLOWED = "str, bool, int of 64 bits, finite float, or a list of at most 4096 of one of them"


def encode(key: str, value: Any, where: str) -> Any:
    """What h5py stores for ``meta[key]``.

    Raises
    ------
    NetFileError
        When the entry could not be read back as the same value of the same type.
    """
    at = f"{where}: meta {key!r}"
    if not isinstance(key, str) or not key or key in RESERVED or not storable(key) or len(key) > 255:
        raise NetFileError("a meta entry cannot have this name", where=at, allowed="a non-empty string of at most 255 "
                           f"characters, none of {', '.join(RESERVED)}", fix="rename the entry of Graph.meta")
    if isinstance(value, list):
        if len(value) > LIST_MAX or len({type(item) for item in value}) > 1 or any(isinstance(i, list) for i in value):
            raise NetFileError("a meta entry cannot be stored", where=at, got=f"a list of {len(value)} elements, types "
                               + ", ".join(sorted({type(item).__name__ for item in value})), allowed=_ALLOWED)
        items = [encode(key, item, where) for item in value]
        return _small(np.array(items, dtype=_text_type(items)), at) if items else np.array([], dtype="S1")
    if type(value) is str and storable(value):
        encoded = value.encode("utf-8")
        return _small(np.array(encoded, dtype=_text_type([encoded])), at)
    if type(value) is bool:
        return np.bool_(value)
    if type(value) is int and -(1 << 63) <= value < 1 << 63:
        return np.int64(value)
    if type(value) is float and math.isfinite(value):
        return np.float64(value)
    raise NetFileError("a meta entry cannot be stored", where=at, got=f"{value!r:.60} ({type(value).__name__})",
                       allowed=_ALLOWED, fix="convert the entry of Graph.meta before export")


def _text_type(items: list[Any]) -> np.dtype | None:
    """Fixed-length UTF-8 that holds all of ``items``; None where they are numbers."""
    if not isinstance(items[0], (bytes, np.ndarray)):
        return None
    return h5py.string_dtype("utf-8", max(1, *(len(np.asarray(item).item()) for item in items)))


def _small(values: np.ndarray, where: str) -> np.ndarray:
    if values.nbytes > ATTRIBUTE_BYTES_MAX - 1024:  # HDF5 keeps an attribute and its header in 64 KiB
        raise NetFileError("a meta entry is too large", where=where, got=f"{values.nbytes} bytes",
                           allowed=f"{ATTRIBUTE_BYTES_MAX - 1024} bytes")
    return values


def decode(key: str, value: Any, where: str) -> Any:
    """The Python value of attribute ``key`` as h5py returned it.

    Raises
    ------
    NetFileError
        When its type is none that :func:`encode` writes, or a number is not finite.
    """
    at = f"{where}: attribute {key!r}"
    if isinstance(value, np.ndarray):
        if value.ndim != 1 or value.size > LIST_MAX:
            raise NetFileError("an attribute has an impossible shape", where=at, got=str(value.shape), allowed=_ALLOWED)
        return [decode(key, item, where) for item in value]
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            raise NetFileError("an attribute is not UTF-8 text", where=at, got=repr(value[:60])) from None
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)) and math.isfinite(value):
        return float(value)
    raise NetFileError("an attribute holds a value that is not allowed", where=at,
                       got=f"{value!r:.60} ({type(value).__name__})", allowed=_ALLOWED)


def version_of(graph: Graph) -> int:
    """The format version that holds ``graph``: 2, which earlier releases refuse, for a streamed one."""
    return FORMAT_VERSION if graph.input.lattice is None else STREAMED_VERSION


def check_version(attributes: dict[str, Any], where: str) -> int:
    """The format version that the attributes of a file of ours say: that of a streamed graph, or of any other.

    Raises
    ------
    NetFileError
        When it is of another format or of a version that this release does not read.
    """
    name = decode("format", attributes["format"], where)
    version = decode("format_version", attributes["format_version"], where) if "format_version" in attributes else None
    if name != FORMAT:
        raise NetFileError("unknown file format", where=where, got=f"format = {name!r}", allowed=f"{FORMAT!r}, or none")
    if type(version) is not int or version not in (FORMAT_VERSION, STREAMED_VERSION):
        raise NetFileError("unknown format version", where=where, got=f"format_version = {version!r}",
                           allowed=f"{FORMAT_VERSION} or {STREAMED_VERSION}",
                           fix="use the mksgn release that wrote the file, or export again")
    return version


def time_steps(attributes: dict[str, Any], where: str) -> int | None:
    """The file's ``time_steps``; None for a net that runs without reset."""
    if "time_steps" not in attributes:
        return None
    value = decode("time_steps", attributes["time_steps"], where)
    if type(value) is not int or not 1 <= value <= STEPS_MAX:
        raise NetFileError("impossible time_steps", where=where, got=repr(value), allowed=f"1..{STEPS_MAX}")
    return value


def storable(text: str) -> bool:
    """Whether HDF5 keeps ``text`` as it is: no NUL, no lone surrogate."""
    try:
        return "\0" not in text and bool(text.encode("utf-8") or True)
    except UnicodeEncodeError:
        return False
