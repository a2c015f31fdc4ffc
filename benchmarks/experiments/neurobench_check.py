"""Our counts of synaptic operations beside NeuroBench's Effective_ACs and Effective_MACs, synapse by synapse.

    pip install -e '.[bench]'
    python benchmarks/experiments/neurobench_check.py --net models/nw-ucla-joint/mksgn.net --data nw_ucla.npz

Each synapse of the net becomes a plain torch layer with the net's integer weights (Conv2d; Linear for joint mixing,
over the joint axis, and for dense synapses). It is fed the messages that the emulator recorded, one source at a time,
and NeuroBench (Yik et al., Nature Communications 2025) counts with its hooks. Layers are float64: NeuroBench adds up
in the layer's own type, and float32 loses counts above 2^24.

Where NeuroBench sees something else, the table says why. What it does not see at all, and what a naive port of the
network to it would count, is in the last column:

- a synapse that reads several populations at once (netx `concat`) is fed their sum by a naive port; one value of 2
  makes NeuroBench call the whole layer MACs;
- a graph convolution is an einsum in PyTorch: functional operations have no hook and count zero.

Exit codes: 0; 1 when a count differs without a reason named here; 2 for anything that can be mended.
"""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.table import Table

from mksgn.commit import describe_commit
from mksgn.errors import ConfigError
from mksgn.programs.console import exit_on_error, print_table
from mksgn.programs.options import parse

DIFFERENT = 1


@dataclass(frozen=True)
class Options:
    """Compare our counts with NeuroBench's; see the head of this file."""

    net: Path = Path("models/nw-ucla-joint/mksgn.net")
    """The network."""
    data: Annotated[str | None, tyro.conf.arg(metavar="PATH|synthetic")] = None
    """Its samples, named as for deploy/run_lava.py."""
    samples: int = 4
    """Samples to run, at least 1; NeuroBench runs every layer twice more."""
    json: Path | None = None
    """Write the rows here."""

    def validate(self) -> None:
        """Refuse before anything is read."""
        if self.samples < 1:
            raise ConfigError("at least one sample is needed", where="--samples", got=str(self.samples))
        if self.json is not None:
            check_writable(self.json, "--json")


if __name__ == "__main__":
    with exit_on_error():
        given = parse(Options, __doc__)  # before the heavy imports: --help and a misspelt option answer at once

import numpy as np
import torch
from torch import nn

from mksgn.counts import Counts
from mksgn.emulator import Emulator
from mksgn.ir import Attention, Conv, Dense, Graph, GraphConv, Synapse
from mksgn.netx import read_net
from mksgn.programs.outputs import check_writable, write_json
from mksgn.programs.samples import find_data, select
from mksgn.report.provenance import versions


@dataclass(frozen=True)
class Row:
    """One synapse; numbers of operations over all samples. ``naive``: all sources summed, functional operations left
    functional; (ACs, MACs)."""

    synapse: str
    kind: str
    ours: int
    graded: bool
    neurobench_acs: int
    neurobench_macs: int
    naive_acs: int
    naive_macs: int
    why: str

    @property
    def equal(self) -> bool:
        """Whether both agree, in number and kind."""
        return self.ours == (self.neurobench_macs if self.graded else self.neurobench_acs)

    @property
    def explained(self) -> bool:
        """Whether both agree, or the reason for the difference is known."""
        return self.equal or bool(self.why)


class Over(nn.Module):
    """A layer over (N, C, F, V): Linear layers see the joints last, or everything flat."""

    def __init__(self, layer: nn.Module, flat: bool) -> None:
        super().__init__()
        self.layer, self.flat = layer, flat

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x.flatten(1) if self.flat else x)


def as_module(synapse: Synapse) -> Over | None:
    """The synapse as a plain torch layer; None where PyTorch has none for it."""
    if isinstance(synapse, (GraphConv, Attention)):
        return None
    if isinstance(synapse, Conv):
        out_channels, per_group, taps_f, taps_v = synapse.weight.shape
        layer: nn.Module = nn.Conv2d(per_group * synapse.groups, out_channels, (taps_f, taps_v), synapse.stride,
                                     synapse.padding, synapse.dilation, synapse.groups, bias=False)
        weight = synapse.weight
    else:
        # (K, V', V) -> one Linear from V joints to K V'.
        weight = synapse.weight.reshape(-1, synapse.weight.shape[-1])
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    layer = layer.double()
    layer.weight.data = torch.from_numpy(weight.astype(np.float64))
    return Over(layer, isinstance(synapse, Dense))


def neurobench(module: Over, messages: np.ndarray) -> tuple[int, int]:
    """Effective_ACs and Effective_MACs of a layer over messages (N, C, F, V), in total."""
    from neurobench.metrics.workload import SynapticOperations
    from neurobench.models import TorchModel

    model, metric = TorchModel(module), SynapticOperations()
    model.register_hooks()
    if len(model.connection_hooks) != 1:
        raise ConfigError("NeuroBench found no layer to hook", got=repr(module))
    x = torch.from_numpy(messages.astype(np.float64))
    with torch.no_grad():
        result = metric(model, model(x), (x, None))
    model.cleanup_hooks()
    return round(float(result["Effective_ACs"]) * len(x)), round(float(result["Effective_MACs"]) * len(x))


def compare(graph: Graph, trains: dict[str, np.ndarray], counts: Counts) -> list[Row]:
    """A row per synapse.

    Parameters
    ----------
    trains : dict of population to int array (N T, C, F, V)
        Messages, each step an example of its own.
    """
    rows = []
    for synapse in graph.synapses:
        graded = graph[synapse.sources[0]].message_bits > 0
        ours = (counts.macs if graded else counts.synops)[synapse.name]
        module, why = as_module(synapse), ""
        if module is None:
            rows.append(Row(synapse.name, "graphconv", ours, graded, 0, 0, 0, 0, "einsum: no layer, no hook"))
            continue
        each = np.array([neurobench(module, trains[source]) for source in synapse.sources])
        acs, macs = (int(total) for total in each.sum(axis=0))
        naive = (acs, macs)
        if len(each) > 1:
            naive = neurobench(module, np.sum([trains[source] for source in synapse.sources], axis=0))
        if graded and macs != ours and acs + macs == ours:
            why = "messages that happen to be -1, 0 and 1 only"
        rows.append(Row(synapse.name, type(synapse).__name__.lower(), ours, graded, acs, macs, *naive, why))
    return rows


def table(rows: list[Row]) -> Table:
    """The synapses that differ in any way from what NeuroBench, or a naive port to it, counts."""
    shown = Table(title="synaptic operations, all samples; synapses that a naive port counts differently",
                  box=None, header_style="bold", title_justify="left")
    shown.add_column("synapse", no_wrap=True)
    for heading in ("ours", "NeuroBench", "naive ACs", "naive MACs"):
        shown.add_column(heading, justify="right", no_wrap=True)
    shown.add_column("why")
    for row in rows:
        naive_differs = (row.naive_acs, row.naive_macs) != (row.neurobench_acs, row.neurobench_macs)
        if naive_differs or not row.equal:
            why = row.why or ("sum of sources" if row.equal else "NOT EXPLAINED")
            shown.add_row(row.synapse, f"{row.ours:,}", f"{row.neurobench_acs + row.neurobench_macs:,}",
                          f"{row.naive_acs:,}", f"{row.naive_macs:,}", why)
    return shown


def main(options: Options) -> int:
    options.validate()
    try:
        import neurobench as _  # noqa: F401
    except ImportError:
        raise ConfigError("NeuroBench is not installed", where="benchmarks/experiments/neurobench_check.py",
                          fix="pip install -e '.[bench]'") from None
    console = Console(highlight=False)
    graph = read_net(options.net)
    selection = select(graph, options.net, find_data(graph, options.net, options.data), None, None, options.samples)
    with Emulator(graph) as emulator:
        result = emulator.run(selection.x, "spikes")
    steps = result.counts.steps
    trains = {name: np.moveaxis(spikes, -1, 1).reshape(-1, *spikes.shape[1:4])
              for name, spikes in result.spikes.items()}
    trains[graph.input.name] = np.repeat(selection.x, steps, axis=0)
    rows = compare(graph, trains, result.counts)
    print_table(console, table(rows))
    same = [row for row in rows if row.equal]
    console.print(f"{options.net}, {len(selection)} samples of {selection.data}: {len(same)} of {len(rows)} synapses "
                  f"equal, {sum(row.ours for row in same):,} operations; not explained: "
                  f"{sum(not row.explained for row in rows)}", soft_wrap=True, markup=False)
    if options.json is not None:
        content: dict[str, Any] = {"rows": [asdict(row) for row in rows], "samples": len(selection),
                                   "net": str(options.net), "versions": versions(), "commit": describe_commit()}
        write_json(options.json, content)
    return 0 if all(row.explained for row in rows) else DIFFERENT


if __name__ == "__main__":
    with exit_on_error():
        status = main(given)
    sys.exit(status)
