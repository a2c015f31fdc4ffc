"""Results of earlier runs, read back from the JSON files that programs wrote."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from mksgn.errors import ConfigError

Kept = TypeVar("Kept")


def read_kept(path: Path, what: str, option: str, writer: str, use: Callable[[Any], Kept]) -> Kept:
    """The part of a file that a program needs.

    Parameters
    ----------
    path : Path
    what : str
        What is looked for, in a word, such as 'rows'.
    option : str
        The option that names the file.
    writer : str
        The command that writes such files.
    use : callable
        Makes the result of the file's content; KeyError, TypeError or ValueError where it is of another kind.

    Raises
    ------
    ConfigError
        When the file cannot be read or holds something else.
    """
    try:
        return use(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"no {what} can be read here", where=f"{option} {path}",
                          got=f"{type(error).__name__}: {error}", fix=f"name a file that {writer} wrote") from None
