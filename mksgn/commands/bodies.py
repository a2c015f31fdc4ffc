"""The bodies that are known by name: their joints, which of them are left and right, and the bones.

    mksgn bodies                              # all of them, one line each
    mksgn bodies coco17 mediapipe33           # joints, bones and sides of these
    mksgn bodies --draw coco17 coco17.svg     # a picture, with the numbers of the joints

Exit codes: 0; 2 for anything that can be mended, with one message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from mksgn.errors import ConfigError
from mksgn.programs.console import exit_on_error, print_prose
from mksgn.programs.options import parse
from mksgn.programs.outputs import check_writable, write_text
from mksgn.skeleton.bodies import body_named
from mksgn.skeleton.drawing import as_svg, as_text, overview


def main(arguments: Sequence[str] | None = None, command: str = "mksgn bodies") -> int:
    """Read the options and do it; the exit code. ``command``: what was typed before the options."""
    with exit_on_error():
        return bodies(parse(Options, __doc__, arguments, command))


@dataclass(frozen=True)
class Options:
    """List and draw the bodies that are known by name."""

    names: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="NAME")] = ()
    """Bodies to describe: by name, or by another name for it, such as yolo."""
    draw: Annotated[tuple[str, Path] | None, tyro.conf.arg(metavar="NAME FILE.svg")] = None
    """Draw a body into this file."""


def bodies(options: Options) -> int:
    """Print, and draw what was asked for."""
    console = Console(highlight=False)
    described = [as_text(body_named(name)) for name in options.names]
    if options.draw is not None:
        name, path = options.draw
        if path.suffix != ".svg":
            raise ConfigError("a drawing's name ends in .svg", where="--draw", got=path.name, allowed="NAME FILE.svg")
        check_writable(path, "--draw")
        write_text(path, as_svg(body_named(name)))
        print_prose(console, f"wrote {path}")
    elif not described:
        described = [overview(), "mksgn bodies NAME describes one; --draw NAME FILE.svg draws it"]
    if described:
        console.print("\n\n".join(described), markup=False, soft_wrap=True)
    return 0
