"""Convert a spiking graph network between mksgn's .net and NIR, the exchange format of SNN tools.

    python deploy/convert_nir.py --net mksgn.net --out mksgn.nir       # for any tool that reads NIR
    python deploy/convert_nir.py --net mksgn.nir --out again.net       # the same network, every integer of it
    python deploy/convert_nir.py --net other.nir --out other.net --time-steps 4 --message-bits 8

The suffixes say in which direction. A .nir file of ours holds weights, thresholds and time constants in real units,
and the integers beside them as metadata: it comes back exactly, or not at all where somebody has changed one and
not the other. Another tool's file is converted where its numbers are integers of ours times a power of two per
population; otherwise the node and the number that stand against it are named. What NIR cannot say of such a file
(steps per sample, width of the input, seconds per step) is given here. docs/nir.md explains all of it.

What was written is read again and compared before the program ends.

Exit codes: 0; 2 for anything that can be mended, with one message.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from mksgn.errors import ConfigError
from mksgn.limits import MAX_BYTES
from mksgn.programs.console import exit_on_error, print_table
from mksgn.programs.options import parse

TEXT = 1 << 24
"""Names and JSON of a file that just fits into its limit."""


@dataclass(frozen=True)
class Options:
    """Convert .net to .nir, or .nir to .net; see the head of this file."""

    net: Path
    """The network to read: a .net file (ours, or stock netx) or a .nir file."""
    out: Path
    """The file to write: .nir for a .net file, .net for a .nir file."""
    dt: Annotated[float | None, tyro.conf.arg(metavar="SECONDS")] = None
    """Seconds per algorithmic step, in which NIR's time constants are written, or those of another tool's file are
    read. Default: 0.0001, as snnTorch and others assume."""
    time_steps: int | None = None
    """Of another tool's file: algorithmic steps per sample, after which neurons start anew. Default: never."""
    message_bits: int | None = None
    """Of another tool's file: width of the input's signed values. Default: 0, spikes."""
    foreign: bool = False
    """Read a .nir file of ours by its parameters alone, as if another tool had written it."""
    max_mb: int = MAX_BYTES >> 20
    """Most megabytes that the nodes' parameters may take, unpacked."""

    def validate(self) -> None:
        """Refuse options that have no effect, before anything is read."""
        suffixes = (self.net.suffix, self.out.suffix)
        if suffixes not in ((".net", ".nir"), (".nir", ".net")):
            raise ConfigError("the suffixes do not say what to convert", where="--net and --out",
                              got=f"{self.net.name} and {self.out.name}", allowed=".net and .nir, or .nir and .net")
        if self.net.suffix == ".net":
            for option, given in (("--time-steps", self.time_steps), ("--message-bits", self.message_bits),
                                  ("--foreign", self.foreign or None)):
                if given is not None:
                    raise ConfigError("an option for .nir files has no effect on a .net file", where=option,
                                      got=str(given), fix="leave it out")
        if self.max_mb < 1:
            raise ConfigError("the size limit is not positive", where="--max-mb", got=str(self.max_mb))
        check_writable(self.out, "--out")

    @property
    def assumptions(self) -> Assumptions | None:
        """What is said about another tool's file; None where nothing is."""
        if (self.dt, self.time_steps, self.message_bits) == (None, None, None):
            return None
        return Assumptions(DT if self.dt is None else self.dt, self.time_steps, self.message_bits or 0)


if __name__ == "__main__":
    with exit_on_error():
        given = parse(Options, __doc__)  # before the heavy imports: --help and a misspelt option answer at once

from mksgn.ir import graph_difference
from mksgn.netx import read_net, write_net
from mksgn.nir import DT, Assumptions, NirError, read_nir, write_nir
from mksgn.programs.outputs import check_writable
from mksgn.programs.run_tables import net_line


def main(options: Options) -> None:
    """Read, convert, write, and read again."""
    options.validate()
    console = Console(highlight=False)
    limit = options.max_mb << 20
    if options.net.suffix == ".net":
        graph = read_net(options.net)
        made = write_nir(graph, options.out, DT if options.dt is None else options.dt, limit)
        back = read_nir(options.out, max_bytes=limit + TEXT)
        print_table(console, nodes_table(Counter(type(node).__name__ for node in made.nodes.values())))
    else:
        graph = read_nir(options.net, options.assumptions, options.foreign, limit)
        write_net(graph, options.out)
        back = read_net(options.out)
    console.print(net_line(str(options.net), graph), markup=False, soft_wrap=True)
    different = graph_difference(graph, back)
    if different:
        raise NirError("what was written reads differently", where=str(options.out), got=different)
    console.print(f"wrote {options.out} ({options.out.stat().st_size / 1e6:.2f} MB), read again: the same network",
                  markup=False, soft_wrap=True)


def nodes_table(kinds: Counter[str]) -> Table:
    """How many nodes of which type."""
    table = Table("NIR node", "number")
    for kind, number in sorted(kinds.items()):
        table.add_row(kind, str(number))
    return table


if __name__ == "__main__":
    with exit_on_error():
        main(given)
