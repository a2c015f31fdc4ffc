"""Compare SLAYER, the emulator and the Lava processes spike by spike, population by population.

    python benchmarks/exactness.py                                       # every network, synthetic samples
    python benchmarks/exactness.py --data nw_ucla.npz --samples 2        # on real samples
    python benchmarks/exactness.py --data nw_ucla.npz --weights models/nw-ucla-joint/weights.safetensors
    python benchmarks/exactness.py --data nw_ucla.npz --layouts blocks --states   # u and v as well

Without --weights the networks are Base-SGN (10 layers) and MK-SGN (6 layers) with one modality and with
four, fused by the weights that an untrained estimator finds, each with both realisations of the graph
convolution, at a small width, untrained but with batch-norm statistics of the samples, folded and
quantised: their neurons fire as trained ones do. SLAYER runs by its own
synapses and integer neurons, Lava on its CPU simulator: by its own fixed-point models (stock), by ours
in their place (layers), and by our Blocks (blocks); nothing here runs on a chip. --states compares u and v
as well, which stock Lava hands out one by one (slow). Exit code 1 if anything differs.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from mksgn.commit import describe_commit
from mksgn.data.sources import SYNTHETIC, load
from mksgn.programs.console import exit_on_error, print_table
from mksgn.programs.options import parse

NETWORKS: tuple[Literal["base-sgn", "mksgn", "mksgn-4"], ...] = ("base-sgn", "mksgn", "mksgn-4")


@dataclass(frozen=True)
class Options:
    """Compare SLAYER, the emulator and the Lava processes spike by spike."""

    data: str = SYNTHETIC
    """Where the samples come from: a pack, a folder of .json or .skeleton files, or 'synthetic'."""
    samples: int = 2
    """Test samples per network, streamed back to back through Lava."""
    width: int = 8
    """Channels of the first layers of the untrained networks; later layers keep the presets' ratios."""
    frames: int = 16
    """Video frames of the untrained networks."""
    networks: tuple[Literal["base-sgn", "mksgn", "mksgn-4"], ...] = NETWORKS
    """Presets whose untrained networks are compared."""
    weights: Path | None = None
    """weights.safetensors of a trained network, to compare that one instead."""
    layouts: tuple[Literal["blocks", "layers", "stock"], ...] = ("stock", "blocks")
    """How Lava runs the nets: every one is compared with the emulator."""
    states: bool = False
    """Compare u and v of every population too (emulator against Lava, step by step)."""
    json: Path | None = None
    """Write the rows here."""


if __name__ == "__main__":
    with exit_on_error():
        given = parse(Options, __doc__)  # before the heavy imports: --help and a misspelt option answer at once

import torch

from mksgn.data.pack import Pack
from mksgn.data.splits import evenly, split
from mksgn.networks.graph import GraphConfig
from mksgn.nn import SpikingGraphNet
from mksgn.nn.slayer_backend import SlayerReference, calibrate
from mksgn.programs.outputs import write_json
from mksgn.run.comparison import compare
from mksgn.run.registry import open_backend
from mksgn.training.batches import preprocessed
from mksgn.training.checkpoint import load_network
from mksgn.training.fusing import fixed_weights, sample_weights
from mksgn.training.recipe import PRESETS


def networks(options: Options, pack: Pack) -> list[tuple[str, SpikingGraphNet]]:
    """Named quantised networks to compare."""
    if options.weights is not None:
        return [(options.weights.parent.name, load_network(options.weights))]
    found = []
    for preset in options.networks:
        recipe = PRESETS[preset]
        network = recipe.network
        assert isinstance(network, GraphConfig), "the others have one form only"
        first = network.widths[0]
        widths = tuple(width * options.width // first for width in network.widths)
        coder = None if network.coder_width is None else max(network.coder_width * options.width // first, 1)
        for graph_conv in dict.fromkeys((network.graph_conv, "layer", "fused")):
            torch.manual_seed(0)
            small = recipe.with_options(widths=widths, coder_width=coder, frames=options.frames, graph_conv=graph_conv)
            found.append((f"{preset}, {graph_conv}", small.untrained(pack)))
    return found


def main(options: Options) -> int:
    console = Console()
    pack = load(options.data)
    test = split(pack, val_subjects=()).test
    table = Table("network", "populations", "samples", "compared spikes", "fired", "SLAYER = emulator",
                  *(f"emulator = Lava, {layout}" for layout in options.layouts))
    rows: list[dict[str, Any]] = []
    equal = True
    for name, net in networks(options, pack):
        tick = time.perf_counter()
        preprocess = replace(PRESETS["mksgn-4"], frames=net.data.frames, persons=net.data.persons,
                             modality=net.data.modalities).preprocess(pack)
        chosen = evenly(test, max(options.samples, 8))
        samples = preprocessed(pack, chosen, preprocess)
        if not net.quantized:
            calibrate(net, samples)
            if net.weighs_samples:
                net.fix_fusion(fixed_weights(sample_weights(net, pack, chosen, preprocess)))
            net.quantize()
        samples = samples[: options.samples]
        order = tuple(net.names)
        slayer = SlayerReference(net)
        with console.status(f"{name}: SLAYER"):
            reference = slayer.run(samples)
        record = "states" if options.states else "spikes"
        with console.status(f"{name}: emulator"), open_backend("emulator", slayer.graph) as backend:
            emulated = backend.run(samples, record=record)
        pairs = [("slayer_emulator", reference, emulated)]
        for layout in options.layouts:
            with console.status(f"{name}: Lava, {layout}"), \
                    open_backend("lava", slayer.graph, layout=layout) as backend:
                pairs.append((f"emulator_lava_{layout}", emulated, backend.run(samples, record=record)))
        row: dict[str, Any] = {"network": name, "populations": len(order), "samples": len(samples),
               "spikes_compared": sum(reference.spikes[p].size for p in order),
               "fired": sum(reference.counts.spikes[p] for p in order)}
        for label, left, right in pairs:
            result = compare(left, right, order)
            readout = int((left.output != right.output).sum())
            row[label] = {"differing": sum(result.differing.values()) + readout, "first": str(result.first or ""),
                          "states_compared": result.states_compared, "readouts_compared": left.output.size}
            equal &= not row[label]["differing"]
        row["seconds"] = round(time.perf_counter() - tick, 1)
        rows.append(row)
        cells = []
        for label, _, _ in pairs:
            states = row[label]["states_compared"]
            cells.append(f"{row[label]['differing']} differ" + (f" (and {states:,} u, v)" if states else ""))
        table.add_row(name, str(row["populations"]), str(row["samples"]), f"{row['spikes_compared']:,}",
                      f"{row['fired']:,}", *cells)
    print_table(console, table)
    for row in rows:
        for label in ("slayer_emulator", *(f"emulator_lava_{layout}" for layout in options.layouts)):
            if row[label]["first"]:
                console.print(f"{row['network']}, {label.replace('_', ' against ')}: {row[label]['first']}")
    where = {"data": options.data, "cpu_count": os.cpu_count(), "python": platform.python_version(),
             "lava-nc": version("lava-nc"), "lava-dl": version("lava-dl"), "torch": version("torch"),
             "commit": describe_commit()}
    console.print(f"{options.data}; lava-nc {where['lava-nc']}, lava-dl {where['lava-dl']}, torch {where['torch']}; "
                  f"{where['commit']}; Lava's CPU simulator, no chip")
    if options.json is not None:
        write_json(options.json, {"rows": rows, **where})
    return 0 if equal else 1


if __name__ == "__main__":
    with exit_on_error():
        sys.exit(main(given))
