"""What recordings hold: format, sequences, body, coordinates, missing joints, classes, ids and splits.

    mksgn data show clips
    mksgn data show clip.json --json clip-facts.json
    mksgn data show clips.npz --animate clip.html --sequence 3     # a page that shows one sequence moving

Exit codes: 0; 2 for anything that can be mended, with one message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, ClassVar

import tyro
from rich.console import Console

from mksgn.errors import ConfigError
from mksgn.programs.console import exit_on_error, print_prose
from mksgn.programs.options import parse
from mksgn.programs.outputs import check_writable, write_json, write_text
from mksgn.programs.reading import DATA_HELP, READ_AS_IT_IS, Reading, numbered_sequence


def main(arguments: Sequence[str] | None = None, command: str = "mksgn data show") -> int:
    """Read the options and do it; the exit code. ``command``: what was typed before the options."""
    with exit_on_error():
        return show(parse(Options, __doc__, arguments, command))


@dataclass(frozen=True)
class Options:
    """Say what recordings hold."""

    GROUPS: ClassVar[dict[str, str]] = {"reading": "format"}

    data: Annotated[tyro.conf.Positional[str], tyro.conf.arg(help=DATA_HELP, metavar="DATA")]
    json: Path | None = None
    """Write the same here, for programs."""
    animate: Path | None = None
    """Write a page (.html) here that shows a sequence moving."""
    sequence: str | None = None
    """Which sequence --animate shows: its number, from 0, or its name. Default: the first."""
    reading: Reading = READ_AS_IT_IS

    def validate(self) -> None:
        """Refuse options that have no effect, before anything is read."""
        if self.sequence is not None and self.animate is None:
            raise ConfigError("an option has no effect without --animate", where="--sequence", got=self.sequence,
                              fix="name a page with --animate clip.html, or leave it out")
        for option, path in (("--json", self.json), ("--animate", self.animate)):
            if path is not None:
                check_writable(path, option)


def show(options: Options) -> int:
    """Read and print; write what was asked for."""
    from mksgn.data.animation import animation
    from mksgn.data.sources import SYNTHETIC
    from mksgn.data.summary import contents, summary

    options.validate()
    console = Console(highlight=False)
    pack = options.reading.load(options.data, partial(print_prose, console))
    found = contents(None if options.data == SYNTHETIC else Path(options.data), pack, options.reading.format or "")
    console.print(summary(found), markup=False, soft_wrap=True)
    if options.json is not None:
        write_json(options.json, found)
        print_prose(console, f"wrote {options.json}")
    if options.animate is not None:
        write_text(options.animate, animation(pack, numbered_sequence(pack, options.sequence)))
        print_prose(console, f"wrote {options.animate}")
    return 0
