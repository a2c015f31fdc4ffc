"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def name_of(path: str | os.PathLike[str]) -> str:
    """The last part of a path as text that any file can hold: bytes that are not UTF-8 become ``\\udc..``.

    Linux takes any bytes for a name, and Python hides those that are no text in lone surrogates, which HDF5 refuses.
    """
    return printable(Path(path).name)


def printable(text: str) -> str:
    """``text`` without lone surrogates."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside ``path``; what the block wrote there takes its place if the block succeeds.

    Flushed to disk before and after it is renamed. Readable as any new file is: not :mod:`tempfile`, and not the
    mode that safetensors gives its files, which are their owner's alone and stay so when renamed.

    Raises
    ------
    OSError
        When it cannot be written or renamed; an existing file is as it was, and nothing is left beside it.
    """
    # A name has room for 255 bytes, and a character takes up to four of them.
    stem = os.fsdecode(os.fsencode(path.name)[:200])
    temporary = path.with_name(f".{stem}.{secrets.token_hex(6)}.tmp")
    try:
        yield temporary
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        os.replace(temporary, path)
        # The folder, too: a name that the disk does not hold yet would be lost with the power.
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        except OSError as error:
            # Some file systems (FUSE, CIFS) flush no folders and say so; the file itself is in its place.
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                raise
        finally:
            os.close(folder)
    finally:
        temporary.unlink(missing_ok=True)
