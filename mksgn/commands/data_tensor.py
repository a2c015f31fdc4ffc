"""Write the int8 tensor that a net makes of a recording: what mksgn run --input takes.

    mksgn data tensor --net mksgn.net --data clip.json --out x.npy
    mksgn data tensor --net mksgn.net --data clips.npz --sequence 3 --out x.npy
    mksgn run --net mksgn.net --input x.npy --dump out.npz

The net says how: frames, modality, alignment, missing joints (docs/data.md). The tensor has the net's input shape
(C, F, V) and then its T time steps, which all get the same.

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
from mksgn.programs.console import exit_on_error, print_prose, print_warning
from mksgn.programs.options import parse
from mksgn.programs.outputs import check_writable
from mksgn.programs.reading import DATA_HELP, READ_AS_IT_IS, Reading, numbered_sequence


def main(arguments: Sequence[str] | None = None, command: str = "mksgn data tensor") -> int:
    """Read the options and do it; the exit code. ``command``: what was typed before the options."""
    with exit_on_error():
        options = parse(Options, __doc__, arguments, command)
        options.validate()
        return write_tensor(options)


@dataclass(frozen=True)
class Options:
    """Write the int8 tensor that a net makes of a recording."""

    GROUPS: ClassVar[dict[str, str]] = {"reading": "format"}

    net: Path
    """The network whose preprocessing is used. A bare name is looked for in runs (the newest) and models."""
    data: Annotated[str, tyro.conf.arg(help=DATA_HELP)]
    out: Path
    """The tensor to write (.npy)."""
    sequence: str | None = None
    """Which sequence: its number, from 0, or its name. Default: the first."""
    reading: Reading = READ_AS_IT_IS

    def validate(self) -> None:
        """Refuse what cannot work, before anything is read."""
        check_writable(self.out, "--out")
        if self.out.suffix != ".npy":
            raise ConfigError("a tensor's name ends in .npy", where="--out", got=self.out.name, allowed="NAME.npy")


def write_tensor(options: Options) -> int:
    """Read the net and the recording, preprocess, write."""
    import numpy as np

    from mksgn.netx import read_net
    from mksgn.programs.nets import find_net
    from mksgn.programs.outputs import write_array
    from mksgn.programs.samples import Source, preprocess_of, select

    console = Console(highlight=False)
    net = find_net(options.net, partial(print_prose, console, style="yellow"))
    graph = read_net(net)
    persons = preprocess_of(graph, net).persons
    pack = options.reading.load(options.data, partial(print_prose, console), persons)
    number = numbered_sequence(pack, options.sequence)
    chosen = select(graph, net, Source(options.data, own=False), None, "all", 0, pack.subset(np.array([number])),
                    partial(print_warning, console))
    tensor = np.repeat(chosen.x[0][..., None], graph.time_steps or 1, axis=-1)
    write_array(options.out, tensor)
    print_prose(console, f"{options.data}, sequence {number} ({chosen.names[0]}): {tensor.dtype} {tensor.shape}, "
                f"{tensor.min()} to {tensor.max()}")
    print_prose(console, f"wrote {options.out}")
    return 0
