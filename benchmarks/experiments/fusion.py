"""Compare modality weights per sample, fixed and equal, in one trained run: the accuracy that fixing them costs.

    python benchmarks/experiments/fusion.py --run runs/nw-ucla-4 --data nw_ucla.npz
    python benchmarks/experiments/fusion.py --run runs/nw-ucla-4 --data nw_ucla.npz --json fusion.json

A run of train_slayer.py with --fusion smf leaves its floating-point network, whose weights depend on the
sample (paper Eq. 22-23), and mksgn.net, whose weights are their means over the training set. Neither is
changed here. Top-1 on the test split, and on its clean subset where the data marks copies of training sequences.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from mksgn.commit import describe_commit
from mksgn.data.selection import Selection
from mksgn.errors import ConfigError
from mksgn.programs.console import exit_on_error, print_table
from mksgn.programs.options import parse

BATCH = 64


@dataclass(frozen=True)
class Options:
    """Accuracy with modality weights per sample, fixed and equal, from one trained run."""

    run: Path
    """Folder of a run: float.safetensors and mksgn.net are read."""
    data: str | None = None
    """The data; default: what the net was trained on, where it is found."""
    samples: int = 0
    """Test samples, evenly spread over the classes; 0 for all."""
    json: Path | None = None
    """Write the rows here."""


if __name__ == "__main__":
    with exit_on_error():
        given = parse(Options, __doc__)  # before the heavy imports: --help and a misspelt option answer at once

import numpy as np
import torch

from mksgn.emulator import Emulator
from mksgn.ir import Graph
from mksgn.netx import read_net
from mksgn.nn import SpikingGraphNet
from mksgn.programs.outputs import write_json
from mksgn.programs.samples import select_labelled
from mksgn.training.network_file import load_network


@torch.no_grad()
def run_float(net: SpikingGraphNet, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(predictions (N,), weights (N, M)) of a floating-point network, in float32."""
    predictions, weights = [], []
    for start in range(0, len(x), BATCH):
        out = net(torch.from_numpy(x[start:start + BATCH]))
        assert out.weights is not None
        predictions.append(out.logits.argmax(1).numpy())
        weights.append(out.weights.double().numpy())
    return np.concatenate(predictions), np.concatenate(weights)


def trained(run: Path) -> tuple[Graph, tuple[float, ...]]:
    """The run's integers and the weights that are folded into them.

    Raises
    ------
    ConfigError
        When the run did not weigh its samples one by one.
    """
    graph = read_net(run / "mksgn.net")
    if graph.meta.get("fusion") != "smf":
        raise ConfigError("this run has no modality weights per sample", where=str(run / "mksgn.net"),
                          got=f"fusion {graph.meta.get('fusion', 'none')}", allowed="smf",
                          fix="name a run of train_slayer.py --fusion smf, such as --preset mksgn-4 --fusion smf")
    return graph, tuple(graph.meta["fusion_weights"])


def compare(graph: Graph, fixed: tuple[float, ...], run: Path, chosen: Selection) -> list[dict[str, Any]]:
    """One row per way to weigh the modalities."""
    ways: list[tuple[str, tuple[float, ...] | None]] = [
        ("float, per sample", None), ("float, fixed (training mean)", fixed), ("float, all 1", (1.0,) * len(fixed))]
    rows = []
    for name, weights in ways:
        net = load_network(run / "float.safetensors", quantized=False)
        if weights is not None:
            net.fix_fusion(weights)
        predictions, used = run_float(net, chosen.x)
        rows.append(row(name, predictions, used, chosen))
    with Emulator(graph) as emulator:
        predictions = emulator.run(chosen.x).predictions
    rows.append(row("integers, fixed", predictions, np.array([fixed]), chosen))
    return rows


def row(name: str, predictions: np.ndarray, weights: np.ndarray, chosen: Selection) -> dict[str, Any]:
    """Accuracies, and mean and standard deviation of the weights over the samples."""
    correct = predictions == chosen.labels
    return {"weights": name, "accuracy": float(correct.mean()),
            "accuracy_clean": None if chosen.clean is None else float(correct[chosen.clean].mean()),
            "mean": weights.mean(axis=0).tolist(), "deviation": weights.std(axis=0).tolist()}


def main(options: Options) -> None:
    graph, fixed = trained(options.run)
    path = options.run / "mksgn.net"
    chosen = select_labelled(graph, path, options.data, options.samples)
    rows = compare(graph, fixed, options.run, chosen)
    modalities = json.loads(graph.meta["preprocess"])["modality"]
    table = Table("weights", *modalities, f"top-1, {len(chosen)}",
                  *([] if chosen.clean is None else [f"clean {int(chosen.clean.sum())}"]))
    for entry in rows:
        shares = [f"{mean:.3f}" + (f" ± {spread:.3f}" if spread else "")
                  for mean, spread in zip(entry["mean"], entry["deviation"])]
        clean = [] if entry["accuracy_clean"] is None else [f"{entry['accuracy_clean']:.2%}"]
        table.add_row(entry["weights"], *shares, f"{entry['accuracy']:.2%}", *clean)
    console = Console()
    print_table(console, table)
    console.print(f"{chosen.data}, {chosen.protocol or 'all of it'}, split {chosen.split}; {describe_commit()}")
    if options.json is not None:
        record = {"rows": rows, "modalities": modalities, "samples": len(chosen), "data": Path(chosen.data).name,
                  "protocol": chosen.protocol, "split": chosen.split, "commit": describe_commit()}
        write_json(options.json, record)


if __name__ == "__main__":
    with exit_on_error():
        main(given)
    sys.exit(0)
