"""The files of a run: their names, and the JSON state that each of them holds beside its tensors."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from torch import Tensor

from mksgn.errors import ConfigError, typed
from mksgn.teachers.weights import save_tensors

CHECKPOINT, FLOAT, WEIGHTS, NET = "checkpoint.safetensors", "float.safetensors", "weights.safetensors", "mksgn.net"
"""What a run leaves: its state after every epoch, the floating-point network, the quantised one, and its integers."""
MODEL = "model."
"""What the names of a network's tensors begin with."""
_HEADER_LIMIT = 100_000_000
"""The safetensors format's own bound, in bytes."""
_READABLE = "name the folder of a run that has written one; to begin a run, leave out --resume"
_DATA_OFFSETS, _METADATA = "data_offsets", "__metadata__"


def write_state(path: Path, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
    """Write tensors and ``state`` (JSON values); a file that is there is replaced whole.

    Raises
    ------
    OSError
        When it cannot be written; an earlier file is as it was.
    """
    save_tensors(path, tensors, {"state": json.dumps(state)})


def read_state(path: Path, **needed: type) -> dict[str, Any]:
    """The JSON state of a checkpoint or of a network's file.

    Parameters
    ----------
    path : Path
    **needed : type
        Entries that it must have, and of which type.

    Raises
    ------
    ConfigError
        When there is none at ``path``, it is cut short, or the file is something else.
    """
    with typed(ConfigError, "no checkpoint can be read here", str(path), fix=_READABLE):
        # Read the header in one open: safe_open maps the file in a second one, and a run may replace it in between.
        with open(path, "rb") as file:
            found = os.fstat(file.fileno()).st_size
            size = int.from_bytes(file.read(8), "little")
            if size > _HEADER_LIMIT:
                raise ValueError("not a safetensors file")
            header = json.loads(file.read(size))
            state = json.loads(header[_METADATA]["state"])
        if type(state) is not dict:
            raise ValueError("its state is no JSON object")
        promised = 8 + size + max((entry[_DATA_OFFSETS][1] for name, entry in header.items() if name != _METADATA),
                                  default=0)
        if found != promised:
            raise ConfigError("this file is cut short or damaged", where=str(path), got=f"{found:,} bytes",
                              allowed=f"{promised:,} bytes", fix="copy it again from where it is whole, or train anew")
    for name, kind in needed.items():
        if type(state.get(name)) is not kind:
            raise ConfigError("this checkpoint is of another program, or of an older version of this one", str(path),
                              f"{name} is {state.get(name)!r:.60}", f"{name} is of type {kind.__name__}",
                              "resume it with what wrote it, or start anew with --overwrite")
    return state
