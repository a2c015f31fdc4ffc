"""Opening raw files: text of bounded damage, and folders whose files all have one ending."""

from __future__ import annotations

from pathlib import Path

from mksgn.errors import DataError


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


def files_of(path: Path, suffix: str) -> list[Path]:
    """Return ``path`` itself, or the files in it that end in ``suffix``, by name.

    Raises
    ------
    DataError
        When there is no such file.
    """
    if path.is_file():
        return [path]
    try:
        found = sorted(p for p in path.iterdir() if p.suffix.lower() == suffix and p.is_file())
    except OSError as error:
        raise DataError("The folder cannot be read", str(path), str(error), fix="check the path") from None
    if not found:
        raise DataError(f"The folder holds no {suffix} file", str(path),
                        fix="name the folder that holds the recordings")
    return found
