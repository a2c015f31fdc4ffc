"""Files that a run leaves: JSON and arrays, each written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mksgn.data import npz
from mksgn.errors import ConfigError
from mksgn.files import replacing


def check_writable(path: Path, option: str) -> None:
    """Raise :class:`ConfigError` unless a file can be written at ``path``: before a long run, not after it."""
    if path.is_dir() or not path.name:
        raise ConfigError("not a file name to write to", where=option, got=f"{path} is a folder")
    check_folder_of(path, option)


def check_folder_of(path: Path, option: str) -> None:
    """Raise :class:`ConfigError` unless the folder that ``path`` is to stand in can be written to."""
    folder = path.parent
    if not folder.is_dir():
        raise ConfigError("the folder to write to does not exist", where=option, got=str(folder), fix="create it first")
    if not os.access(folder, os.W_OK):
        raise ConfigError("the folder cannot be written to", where=option, got=str(folder),
                          fix="choose another, or change its permissions")


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write ``content`` as JSON. An interrupted write leaves an existing file as it was.

    Raises
    ------
    ConfigError
        When the file cannot be written.
    """
    with _replacing(path) as temporary, temporary.open("w", encoding="utf-8", errors="backslashreplace") as stream:
        # A name that is no UTF-8 becomes \udc.., as JSON itself writes such characters.
        json.dump(content, stream, indent=1, allow_nan=False, ensure_ascii=False)
        stream.write("\n")


def write_text(path: Path, content: str) -> None:
    """Write text (UTF-8). An interrupted write leaves an existing file as it was.

    Raises
    ------
    ConfigError
        When the file cannot be written.
    """
    with _replacing(path) as temporary:
        temporary.write_text(content, encoding="utf-8", errors="backslashreplace")


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays as a compressed ``.npz``. An interrupted write leaves an existing file as it was.

    Raises
    ------
    ConfigError
        When the file cannot be written.
    """
    with _replacing(path) as temporary:
        npz.write_arrays(temporary, arrays)


def write_array(path: Path, array: np.ndarray) -> None:
    """Write an array as ``.npy``. An interrupted write leaves an existing file as it was.

    Raises
    ------
    ConfigError
        When the file cannot be written.
    """
    with _replacing(path) as temporary, temporary.open("wb") as stream:
        np.lib.format.write_array(stream, array, allow_pickle=False)


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """:func:`mksgn.files.replacing`, with an error that a user can act on."""
    try:
        with replacing(path) as temporary:
            yield temporary
    except OSError as error:
        raise ConfigError("a file could not be written", where=str(path), got=error.strerror or str(error),
                          fix="check the folder, its permissions and the free space") from None
