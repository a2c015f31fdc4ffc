"""Look at recordings, convert them into a pack, or into a net's input.

    mksgn data show clips                                     # what was recognised, and what it holds
    mksgn data convert --data clips --out clips.npz           # one pack that every command reads at once
    mksgn data tensor --net mksgn.net --data clip.json --out x.npy   # the int8 input that a net makes of a recording

Each of them explains its options with --help.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from mksgn.data.readers.registry import listing
from mksgn.errors import ConfigError
from mksgn.programs.console import USAGE_ERROR, exit_on_error

ACTIONS = {"show": "what recordings hold: format, sequences, body, missing joints, classes",
           "convert": "write recordings as a pack: NAME.npz, or NAME.pack, which is mapped into memory",
           "tensor": "write the int8 tensor that a net makes of a recording, for mksgn run --input"}
"""What ``mksgn data`` does, and the modules ``mksgn.commands.data_...`` that do it."""


def main(arguments: Sequence[str] | None = None, command: str = "mksgn data") -> int:
    """Do what the first argument names, with the others; the exit code. ``command``: what was typed before them."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if not given or given[0] in ("-h", "--help"):
        print(described(command))
        return 0 if given else USAGE_ERROR
    with exit_on_error():
        if given[0] not in ACTIONS:
            raise ConfigError("unknown action", where=command, got=given[0], allowed=", ".join(ACTIONS),
                              fix=f"{command} --help says what each does")
    module = importlib.import_module(f"mksgn.commands.data_{given[0]}")
    code: int = module.main(given[1:], f"{command} {given[0]}")
    return code


def described(command: str) -> str:
    """What ``mksgn data --help`` shows."""
    actions = [f"  {name:<8}  {says}" for name, says in ACTIONS.items()]
    return "\n".join((f"usage: {command} ACTION [options]", "", (__doc__ or "").rstrip(), "", *actions, "",
                      "Formats that are read", listing()))
