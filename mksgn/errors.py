"""The errors a user can cause, in one form: what, where, got, allowed, how to fix."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(eq=False)
class MksgnError(Exception):
    """Base of every error a user can cause. Programs print it and exit with code 2.

    Parameters
    ----------
    what : str
        One sentence: what is wrong.
    where : str
        File, layer, population, sample or option it was found in.
    got, allowed : str
        The offending value and what would have been accepted.
    fix : str
        What the user can do about it.
    """

    what: str
    where: str = ""
    got: str = ""
    allowed: str = ""
    fix: str = ""

    def __str__(self) -> str:
        parts = [self.what]
        for label in ("where", "got", "allowed", "fix"):
            text = getattr(self, label)
            if text:
                parts.append(f"  {label + ':':<9}{text}")
        return "\n".join(parts)

    def __reduce__(self) -> tuple[type[MksgnError], tuple[str, str, str, str, str]]:
        return (type(self), (self.what, self.where, self.got, self.allowed, self.fix))


class DataError(MksgnError):
    """Skeleton data that cannot be read or used."""


class GraphError(MksgnError):
    """A spiking graph whose shapes, widths or connections are impossible."""


class NetFileError(MksgnError):
    """A `.net` file that cannot be read or written."""


class BackendError(MksgnError):
    """A backend that cannot run here, or that failed while running."""


class MissingExtraError(BackendError):
    """A library that an extra of this package brings, and that is not installed."""


class ConfigError(MksgnError):
    """Options that contradict each other or have no effect."""


@contextmanager
def found_in(path: Path, fix: str) -> Iterator[None]:
    """Add to every error raised in the block that its cause is in the file at ``path``, and how to fix it."""
    try:
        yield
    except MksgnError as error:
        error.where = f"{path}: {error.where}" if error.where else str(path)
        error.fix = fix
        raise


@contextmanager
def typed(kind: type[MksgnError], what: str, where: str, fix: str = "", allowed: str = "") -> Iterator[None]:
    """Turn any exception raised in the block into one error of ``kind``; an error of ours passes as it is.

    Readers of files that others made need this: no list says which exceptions a damaged file makes a library raise. The
    exception stays the error's cause, so that a fault of our own can be found behind it.

    Raises
    ------
    MksgnError
        Of ``kind``; its ``got`` is the exception's type and the first line of its message.
    """
    try:
        yield
    except MksgnError:
        raise
    except Exception as error:
        reason = (str(error).strip("'\"").splitlines() or [""])[0][:200]
        raise kind(what, where=where, got=f"{type(error).__name__}: {reason}", allowed=allowed, fix=fix) from error
