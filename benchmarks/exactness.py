"""Compare SLAYER, the emulator and the Lava processes spike by spike, population by population.

    python benchmarks/exactness.py                                       # every network, synthetic samples
    python benchmarks/exactness.py --data nw_ucla.npz --samples 2        # on real samples
    python benchmarks/exactness.py --data nw_ucla.npz --weights models/nw-ucla-joint/weights.safetensors
    python benchmarks/exactness.py --data nw_ucla.npz --layouts blocks --states   # u and v as well
    python benchmarks/exactness.py --data nw_ucla.npz --time stream               # Lava takes frames as time steps
    python benchmarks/exactness.py --data nw_ucla.npz --time stream --weights models/nw-ucla-joint/weights.safetensors \
        --samples 1 --layouts stock --parts 2                                     # half by half: fewer OS processes
    python benchmarks/exactness.py --data nw_ucla.npz --keep first.json --markdown benchmarks/results/exactness.md

Without --weights the networks are Base-SGN (10 layers) and MK-SGN (6 layers) with one modality and with
four, fused by the weights that an untrained estimator finds, each with both realisations of the graph
convolution, at a small width, untrained but with batch-norm statistics of the samples, folded and
quantised: their neurons fire as trained ones do. SLAYER runs by its own
synapses and integer neurons, Lava on its CPU simulator: by its own fixed-point models (stock), by ours
in their place (layers), and by our Blocks (blocks); nothing here runs on a chip. --states compares u and v
as well, which stock Lava hands out one by one (slow). --time stream streams the clips through Lava frame by frame
(mksgn.ir.streaming), and compares them with the emulator, where frames lie side by side. --markdown writes a page of
the runs that --keep names, in their order, and of this one. Exit code 1 if anything differs.
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

from mksgn.commit import describe_commit
from mksgn.data.sources import SYNTHETIC, load
from mksgn.programs.console import exit_on_error, print_table
from mksgn.programs.options import parse

NETWORKS: tuple[Literal["base-sgn", "mksgn", "mksgn-4"], ...] = ("base-sgn", "mksgn", "mksgn-4")
FORMS: tuple[Literal["learned", "layer", "fused"], ...] = ("learned", "layer", "fused")


@dataclass(frozen=True)
class Options:
    """Compare SLAYER, the emulator and the Lava processes spike by spike."""

    data: str = SYNTHETIC
    """The samples: a pack, a folder of .json or .skeleton files, or 'synthetic'."""
    samples: int = 2
    """Test samples per network, streamed back to back through Lava."""
    width: int = 8
    """Channels of the first layers of the untrained networks; later layers keep the presets' ratios."""
    frames: int = 16
    """Video frames of the untrained networks."""
    networks: tuple[Literal["base-sgn", "mksgn", "mksgn-4"], ...] = NETWORKS
    """Presets whose untrained networks are compared."""
    graph_conv: tuple[Literal["learned", "layer", "fused"], ...] = FORMS
    """Of these networks, the realisations of the graph convolution that are compared. Base-SGN learns no mixing."""
    weights: Path | None = None
    """weights.safetensors of a trained network, to compare that one instead."""
    layouts: tuple[Literal["blocks", "layers", "stock"], ...] = ("stock", "blocks")
    """Layouts in which Lava runs the nets; each is compared with the emulator."""
    time: Literal["clip", "stream"] = "clip"
    """How Lava runs the frames of a clip: side by side, each with neurons of its own, or one after the other."""
    parts: int = 1
    """Parts in which Lava runs each network, one after the other, fed with what the emulator has: for networks that are
    too large for Lava at once. Fewer where the network cannot be cut so often."""
    states: bool = False
    """Compare u and v of every population too (emulator against Lava, step by step)."""
    json: Path | None = None
    """Write the rows here."""
    keep: tuple[Path, ...] = ()
    """Files of --json of earlier runs, for --markdown."""
    markdown: Path | None = None
    """Write the page here: the runs of --keep, then this one."""

    @property
    def command(self) -> str:
        """The command line that compares the same, without the machine's paths."""
        words = ["python benchmarks/exactness.py", f"--data {Path(self.data).name}", f"--samples {self.samples}"]
        if self.weights is None:
            words += [f"--width {self.width}", f"--frames {self.frames}", "--networks", *self.networks]
            words += ["--graph-conv", *self.graph_conv] if self.graph_conv != FORMS else []
        else:
            words.append(f"--weights models/{self.weights.parent.name}/{self.weights.name}")
        words += ["--layouts", *self.layouts]
        words += ["--time", self.time] if self.time != "clip" else []
        words += ["--parts", str(self.parts)] if self.parts > 1 else []
        return " ".join([*words, *(["--states"] if self.states else [])])


if __name__ == "__main__":
    with exit_on_error():
        given = parse(Options, __doc__)  # before the heavy imports: --help and a misspelt option answer at once

import numpy as np
import torch
from _exactness_page import kept, page, terminal_table

from mksgn.data.pack import Pack
from mksgn.data.splits import evenly_spaced, split
from mksgn.errors import ConfigError
from mksgn.ir import Graph
from mksgn.ir.partition import parts
from mksgn.ir.streamed_clips import as_clip, clip_as_stream
from mksgn.ir.streaming import streamed
from mksgn.networks.graph import GraphConfig
from mksgn.nn import SpikingGraphNet
from mksgn.nn.slayer_backend import SlayerReference, calibrate
from mksgn.programs.outputs import check_writable, write_json, write_text
from mksgn.run.backend import RunResult
from mksgn.run.comparison import compare
from mksgn.run.registry import open_backend
from mksgn.training.batches import preprocessed
from mksgn.training.fusion_weights import fixed_weights, sample_weights
from mksgn.training.network_file import load_network
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
            if graph_conv not in options.graph_conv:
                continue
            torch.manual_seed(0)
            small = recipe.with_options(widths=widths, coder_width=coder, frames=options.frames, graph_conv=graph_conv)
            found.append((f"{preset}, {graph_conv}", small.untrained(pack)))
    return found


def prepared(options: Options, net: SpikingGraphNet, pack: Pack) -> np.ndarray:
    """Test samples for ``net``, which is made integer by them unless it is already; int8 (N, C, F, V)."""
    preprocess = replace(PRESETS["mksgn-4"], frames=net.data.frames, persons=net.data.persons,
                         modality=net.data.modalities).preprocess(pack)
    chosen = evenly_spaced(split(pack, val_subjects=()).test, max(options.samples, 8))
    samples = preprocessed(pack, chosen, preprocess)
    if not net.quantized:
        calibrate(net, samples)
        if net.weighs_samples:
            net.fix_fusion(fixed_weights(sample_weights(net, pack, chosen, preprocess)))
        net.quantize()
    return samples[: options.samples]


def runs(options: Options, name: str, net: SpikingGraphNet, samples: np.ndarray,
         console: Console) -> tuple[RunResult, RunResult, dict[str, RunResult]]:
    """The same samples in SLAYER, in the emulator and in every layout of Lava."""
    slayer = SlayerReference(net)
    with console.status(f"{name}: SLAYER"):
        reference = slayer.run(samples)
    record = "states" if options.states else "spikes"
    with console.status(f"{name}: emulator"), open_backend("emulator", slayer.graph) as backend:
        emulated = backend.run(samples, record=record)
    simulated: dict[str, RunResult] = {}
    for layout in options.layouts:
        with console.status(f"{name}: Lava, {layout}"):
            simulated[layout] = on_lava(options, slayer.graph, samples, emulated, layout, record)
    return reference, emulated, simulated


def on_lava(options: Options, whole: Graph, samples: np.ndarray, emulated: RunResult, layout: str,
            record: str) -> RunResult:
    """The samples on Lava, part by part: each is fed what the part before it sends in the emulator."""
    cost = {population.name: float(population.size) for population in whole.populations}
    found: list[RunResult] = []
    for part in parts(whole, options.parts, cost) if options.parts > 1 else [whole]:
        entering = samples if part.input.name == whole.input.name else emulated.spikes[part.input.name]
        graph = streamed(part) if options.time == "stream" else part
        messages = clip_as_stream(graph, entering) if options.time == "stream" else entering
        with open_backend("lava", graph, layout=layout) as backend:
            result = backend.run(messages, record=record)
        found.append(result if graph is part else side_by_side(graph, result))
    spikes, u, v = ({name: values for result in found for name, values in getattr(result, quantity).items()}
                    for quantity in ("spikes", "u", "v"))
    return replace(found[-1], spikes=spikes, u=u, v=v)


def side_by_side(stream: Graph, result: RunResult) -> RunResult:
    """What a streamed graph sent, with the frames of a clip in their places."""
    spikes, u, v = ({name: as_clip(stream[name], values) for name, values in recorded.items()}
                    for recorded in (result.spikes, result.u, result.v))
    return replace(result, spikes=spikes, u=u, v=v)


def compared(options: Options, name: str, net: SpikingGraphNet, pack: Pack, console: Console) -> dict[str, Any]:
    """The row of one network."""
    tick = time.perf_counter()
    samples = prepared(options, net, pack)
    order = tuple(net.names)
    reference, emulated, simulated = runs(options, name, net, samples, console)
    row: dict[str, Any] = {
        "network": name, "populations": len(order), "samples": len(samples),
        "spikes_compared": sum(reference.spikes[p].size for p in order),
        "fired": sum(reference.counts.spikes[p] for p in order)}
    pairs = [("slayer_emulator", reference, emulated),
             *((f"emulator_lava_{layout}", emulated, result) for layout, result in simulated.items())]
    for label, left, right in pairs:
        result = compare(left, right, order)
        readout = int((left.output != right.output).sum())
        row[label] = {"differing": sum(result.differing.values()) + readout, "first": str(result.first or ""),
                      "states_compared": result.states_compared, "readouts_compared": left.output.size}
        if row[label]["first"]:
            console.print(f"{name}, {label.replace('_', ' against ')}: {row[label]['first']}")
    return row | {"seconds": round(time.perf_counter() - tick, 1)}


def main(options: Options) -> int:
    console = Console()
    if options.parts < 1:
        raise ConfigError("a network has at least one part", where="--parts", got=str(options.parts))
    for option, path in (("--json", options.json), ("--markdown", options.markdown)):
        if path is not None:
            check_writable(path, option)
    earlier = kept(options.keep)
    pack = load(options.data)
    rows = [compared(options, name, net, pack, console) for name, net in networks(options, pack)]
    trained = options.weights is not None
    run: dict[str, Any] = {
        "rows": rows, "networks": rows[0]["network"] if trained else f"Untrained networks of width {options.width}",
        "layouts": list(options.layouts), "time": options.time, "states": options.states, "command": options.command,
        "data": options.data,
        "cpu_count": os.cpu_count(), "python": platform.python_version(), "lava-nc": version("lava-nc"),
        "lava-dl": version("lava-dl"), "torch": version("torch"), "commit": describe_commit()}
    print_table(console, terminal_table(run))
    console.print(f"{options.data}; lava-nc {run['lava-nc']}, lava-dl {run['lava-dl']}, torch {run['torch']}; "
                  f"{run['commit']}; Lava's CPU simulator, no chip")
    if options.json is not None:
        write_json(options.json, run)
    if options.markdown is not None:
        write_text(options.markdown, page([*earlier, run]))
    labels = ("slayer_emulator", *(f"emulator_lava_{layout}" for layout in options.layouts))
    return int(any(row[label]["differing"] for row in rows for label in labels))


if __name__ == "__main__":
    with exit_on_error():
        sys.exit(main(given))
