"""``mksgn COMMAND``: which commands there are, and which module does each."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Sequence
from typing import NamedTuple

from mksgn import __version__
from mksgn.errors import ConfigError
from mksgn.programs.console import USAGE_ERROR, exit_on_error

HELP = ("-h", "--help", "help")


class Command(NamedTuple):
    """A command: its name, what it does, and the extra it needs, with words on when; empty: none."""

    name: str
    says: str
    needs: str = ""

    @property
    def module(self) -> str:
        """The module whose ``main(arguments)`` does it."""
        return f"mksgn.commands.{self.name}"


COMMANDS = (
    Command("data", "look at recordings, convert them into a pack, or into a net's input"),
    Command("bodies", "the bodies that are known by name: their joints and edges"),
    Command("train", "train a network on skeletons, and write its integers as a .net file", "[lava]"),
    Command("run", "run a .net file: accuracy, scores and events", "[lava] with --backend lava"),
    Command("stream", "decide at every frame of a stream of skeletons", "[lava] with --backend lava"),
    Command("energy", "count the events of a run, and model its energy and time", "[lava] with --backend lava"),
    Command("map", "place a .net file on the cores of a board"),
    Command("convert", "turn a .net file into a .nir file, or back"),
)
NAMES = tuple(command.name for command in COMMANDS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Start the command that the first of the arguments names, with the others; the exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        Default: those of the process.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    if not given or given[0] in HELP:
        print(described())
        return 0 if given else USAGE_ERROR
    if given[0] == "--version":
        print(f"mksgn {__version__}")
        return 0
    with exit_on_error():
        command = find(given[0])
    code: int = importlib.import_module(command.module).main(given[1:])
    return code


def find(name: str) -> Command:
    """The command called ``name``.

    Raises
    ------
    ConfigError
        When there is none.
    """
    for command in COMMANDS:
        if command.name == name:
            return command
    close = difflib.get_close_matches(name, NAMES, 1)
    raise ConfigError("unknown command", where="mksgn", got=name, allowed=", ".join(NAMES),
                      fix=f"mksgn {close[0]}" if close else "mksgn --help says what each does")


def described() -> str:
    """What ``mksgn --help`` shows."""
    width = max(map(len, NAMES))
    lines = [f"  {command.name:<{width}}  {command.says}" + (f"; needs {command.needs}" if command.needs else "")
             for command in COMMANDS]
    return "\n".join((
        "usage: mksgn COMMAND [options]", "",
        "Spiking graph networks that recognise actions from skeletons, from training to Intel's Loihi 2.", "",
        *lines, "",
        "  mksgn COMMAND --help    explains a command and its options",
        "  mksgn --version         prints the version", "",
        "A first run needs no data and no extra:", "",
        "  mksgn run --net nw-ucla-joint --data synthetic", "",
        "[lava] and [torch] are extras: pip install 'mksgn[lava]' (CPython 3.10 only)."))
