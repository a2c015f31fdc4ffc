"""Convert a spiking graph network between mksgn's .net and NIR, the exchange format of SNN tools.

    mksgn convert --net mksgn.net --out mksgn.nir       # for any tool that reads NIR
    mksgn convert --net mksgn.nir --out again.net       # the same network, every integer of it
    mksgn convert --net other.nir --out other.net --time-steps 4 --message-bits 8
    mksgn convert --net mksgn.net --out streamed.net --time stream   # frames as time steps (docs/streaming.md)

The suffixes say in which direction. A .nir file of ours holds weights, thresholds and time constants in real units,
and the integers beside them as metadata: it comes back exactly, or not at all where somebody has changed one and
not the other. Another tool's file is converted where its numbers are integers of ours times a power of two per
population; otherwise the node and the number that stand against it are named. What NIR cannot say of such a file
(steps per sample, width of the input, seconds per step) is given here. docs/nir.md explains all of it.

What was written is read again and compared before the program ends.

Exit codes: 0; 2 for anything that can be mended, with one message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from mksgn.errors import ConfigError
from mksgn.limits import MAX_BYTES
from mksgn.programs.console import exit_on_error
from mksgn.programs.options import parse
from mksgn.programs.outputs import check_writable
from mksgn.run.time_modes import Time


def main(arguments: Sequence[str] | None = None, command: str = "mksgn convert") -> int:
    """Read the options and do it; the exit code. ``command``: what was typed before the options."""
    with exit_on_error():
        options = parse(Options, __doc__, arguments, command)
        options.validate()
        from mksgn.commands.convert_net import convert_net  # only now: --help and a misspelt option answer at once

        return convert_net(options)


@dataclass(frozen=True)
class Options:
    """Convert .net to .nir, or .nir to .net."""

    net: Path
    """The network to read: a .net file (ours, or stock netx) or a .nir file."""
    out: Path
    """The file to write: .nir for a .net file, .net for a .nir file, or with --time stream for any."""
    dt: Annotated[float | None, tyro.conf.arg(metavar="SECONDS")] = None
    """Seconds per algorithmic step, in which NIR's time constants are written, or those of another tool's file are
    read. Default: 0.0001, as snnTorch and others assume."""
    time_steps: int | None = None
    """Of another tool's file: algorithmic steps per sample, after which neurons start anew. Default: never."""
    time: Time = "clip"
    """stream: write the graph with frames as time steps, which is for .net files only."""
    message_bits: int | None = None
    """Of another tool's file: width of the input's signed values. Default: 0, spikes."""
    foreign: bool = False
    """Read a .nir file of ours by its parameters alone, as if another tool had written it."""
    max_mb: int = MAX_BYTES >> 20
    """Most megabytes that the nodes' parameters may take, unpacked."""

    def validate(self) -> None:
        """Refuse options that have no effect, before anything is read."""
        suffixes, stream = (self.net.suffix, self.out.suffix), self.time == "stream"
        if suffixes not in ((".net", ".net" if stream else ".nir"), (".nir", ".net")):
            allowed = ".net or .nir, and .net, with --time stream" if stream else ".net and .nir, or .nir and .net"
            raise ConfigError("the suffixes do not say what to convert", where="--net and --out",
                              got=f"{self.net.name} and {self.out.name}", allowed=allowed)
        if self.net.suffix == ".net":
            for option, given in (("--time-steps", self.time_steps), ("--message-bits", self.message_bits),
                                  ("--foreign", self.foreign or None), ("--dt", self.dt if stream else None)):
                if given is not None:
                    raise ConfigError("an option for .nir files has no effect on a .net file", where=option,
                                      got=str(given), fix="leave it out")
        if self.max_mb < 1:
            raise ConfigError("the size limit is not positive", where="--max-mb", got=str(self.max_mb))
        check_writable(self.out, "--out")
