"""What :mod:`mksgn.commands.convert` does once its options are read."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.table import Table

from mksgn.commands.convert import Options
from mksgn.ir import graph_difference
from mksgn.ir.streaming import streamed
from mksgn.netx import read_net, write_net
from mksgn.nir import DT, Assumptions, NirError, read_nir, write_nir
from mksgn.programs.console import print_table
from mksgn.programs.run_tables import net_line

TEXT = 1 << 24
"""Names and JSON of a file that just fits into its limit."""


def convert_net(options: Options) -> int:
    """Read, convert, write, and read again."""
    console = Console(highlight=False)
    limit = options.max_mb << 20
    from_net = options.net.suffix == ".net"
    graph = read_net(options.net) if from_net else read_nir(options.net, assumptions(options), options.foreign, limit)
    if options.time == "stream":
        graph = streamed(graph)
    if options.out.suffix == ".nir":
        made = write_nir(graph, options.out, DT if options.dt is None else options.dt, limit)
        back = read_nir(options.out, max_bytes=limit + TEXT)
        print_table(console, nodes_table(Counter(type(node).__name__ for node in made.nodes.values())))
    else:
        write_net(graph, options.out)
        back = read_net(options.out)
    console.print(net_line(str(options.net), graph), markup=False, soft_wrap=True)
    different = graph_difference(graph, back)
    if different:
        raise NirError("what was written reads differently", where=str(options.out), got=different)
    console.print(f"wrote {options.out} ({options.out.stat().st_size / 1e6:.2f} MB), read again: the same network",
                  markup=False, soft_wrap=True)
    return 0


def assumptions(options: Options) -> Assumptions | None:
    """What is said about another tool's file; None where nothing is."""
    if (options.dt, options.time_steps, options.message_bits) == (None, None, None):
        return None
    return Assumptions(DT if options.dt is None else options.dt, options.time_steps, options.message_bits or 0)


def nodes_table(kinds: Counter[str]) -> Table:
    """How many nodes of which type."""
    table = Table("NIR node", "number")
    for kind, number in sorted(kinds.items()):
        table.add_row(kind, str(number))
    return table
