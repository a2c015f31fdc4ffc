"""Opening raw files: text of bounded damage, and folders whose files all have one ending."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mksgn.errors import DataError

_LEFT_BY_SYSTEMS = ("thumbs.db", "desktop.ini")


def is_companion(path: Path) -> bool:
    """Whether a system left this file beside the recordings: ``._a01.json``, ``.DS_Store``, ``Thumbs.db``."""
    return path.name.startswith(".") or path.name.lower() in _LEFT_BY_SYSTEMS


def read_text(path: Path) -> str:
    """Return the text of a file that must not be empty.

    Raises
    ------
    DataError
        When it cannot be opened, is not text, or is empty.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("The file cannot be read as text", str(path), str(error), "UTF-8 text",
                        "check the path and that the file is what its ending says") from None
    if not text.strip():
        raise DataError("The file is empty", str(path), f"{path.stat().st_size} bytes, no text", "one recording",
                        "copy or download it again")
    return text


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises
    ------
    DataError
        When it is none.
    """
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise DataError("The file is not valid JSON; it may be truncated", str(path), str(error)[:200],
                        "one JSON value", "copy or download it again") from None


def files_of(path: Path, suffix: str, leave_out: frozenset[str] = frozenset()) -> list[Path]:
    """Return ``path`` itself, or the files in it that end in ``suffix``, by name; none that a system left there.

    ``leave_out`` holds names, without endings, of recordings that are not wanted.

    Raises
    ------
    DataError
        When there is no such file.
    """
    if path.is_file():
        return [path]
    try:
        found = sorted(p for p in path.iterdir()
                       if p.suffix.lower() == suffix and not is_companion(p) and p.is_file())
    except OSError as error:
        raise DataError("The folder cannot be read", str(path), str(error), fix="check the path") from None
    if not found:
        raise DataError(f"The folder holds no {suffix} file", str(path),
                        fix="name the folder that holds the recordings")
    kept = [p for p in found if p.stem not in leave_out]
    if not kept:
        raise DataError("Every recording of the folder is to be left out", str(path), f"{len(found)} recordings",
                        "one or more that the list does not name", "name another folder or another --leave-out list")
    return kept
