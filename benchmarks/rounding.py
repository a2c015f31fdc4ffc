"""What rounding to integers does to firing rates and classes, and what half a weight unit of bias takes back.

    python benchmarks/rounding.py --run runs/a runs/b --data nw_ucla.npz
    python benchmarks/rounding.py --run runs/a --data nw_ucla.npz --units 0 0.5 1 --json rounding.json

A neuron fires strictly above its threshold, and weights are even: what is rounded fires half a weight unit late, on
average. SpikingGraphNet.quantize() therefore raises every folded bias by half a unit. Here the floating-point network
of a run is rounded, without fine-tuning, with biases raised by other amounts (--units), and asked on training samples
without augmentation. No test sample has a part in it. docs/decisions/0011 draws the consequence.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.table import Table

from mksgn.cli import exit_on_error, print_table
from mksgn.data.preprocess import Preprocess
from mksgn.data.sources import SYNTHETIC, load
from mksgn.data.splits import evenly
from mksgn.deploy.outputs import check_writable, write_json
from mksgn.errors import ConfigError
from mksgn.nn import SpikingGraphNet
from mksgn.training.batches import preprocessed
from mksgn.training.checkpoint import FLOAT, WEIGHTS, load_network, read_meta
from mksgn.training.finish import split_of
from mksgn.training.integers import PART

COLUMNS = {"units": "raised by, units", "samples": "samples", "rate": "mean rate, % of float's",
           "head_rate": "head's rate, % of float's", "agreement": "class as in float, %", "accuracy": "accuracy, %"}


@dataclass(frozen=True)
class Options:
    """Rounding with biases raised; see the head of this file."""

    run: tuple[Path, ...]
    """Folders of finished train_slayer.py runs."""
    data: str = SYNTHETIC
    """What they were trained on."""
    units: tuple[float, ...] = (0.0, 0.5, 1.0)
    """What biases are raised by, in weight units; quantize() takes 0.5."""
    samples: int = 0
    """Training samples, evenly spaced; 0: all."""
    json: Path | None = None
    """Write the numbers here."""


@torch.no_grad()
def measured(net: SpikingGraphNet, samples: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Classes, the mean firing rate of all populations but gates, and that of the head."""
    classes, rates, heads = [], 0.0, 0.0
    for part in np.array_split(samples, max(1, len(samples) // PART)):
        out = net(torch.from_numpy(part))
        classes.append(out.logits.argmax(1).numpy())
        rates += out.rate.item() * len(part)
        heads += out.rates["head.gap"].item() * len(part)
    return np.concatenate(classes), rates / len(samples), heads / len(samples)


def part_of(rate: float, whole: float) -> float | None:
    """``rate`` as a part of ``whole``; None where that is silent."""
    return rate / whole if whole else None


def rounded(run: Path, units: float) -> SpikingGraphNet:
    """The integers of a run's floating-point network with its folded biases raised by ``units``."""
    net = load_network(run / FLOAT, quantized=False)
    folded = [block for _, block in net.populations() if block.norm is not None]
    if net.config.fusion == "smf":
        net.fix_fusion(load_network(run / WEIGHTS).config.fusion_weights or ())
    net.quantize()
    with torch.no_grad():
        for block in folded:
            block.bias.add_((2 * units - 1) * block.lateness())
    return net.eval()


def rows(run: Path, options: Options) -> list[dict[str, Any]]:
    """One per amount."""
    meta = read_meta(run / WEIGHTS)
    if meta["data"] != Path(options.data).name:
        raise ConfigError("the run was trained on other data", where=str(run), got=options.data, allowed=meta["data"],
                          fix="name it with --data")
    if not (run / FLOAT).exists():
        raise ConfigError("this run kept no floating-point network", where=str(run), fix=f"name a run that has {FLOAT}")
    pack = load(options.data)
    train = split_of(pack, meta).train
    chosen = evenly(train, options.samples or len(train))
    samples, labels = preprocessed(pack, chosen, Preprocess.from_json(meta["preprocess"])), pack.labels[chosen]
    expected, rate, head = measured(load_network(run / FLOAT, quantized=False), samples)
    found: list[dict[str, Any]] = [{
        "run": run.name, "units": None, "samples": len(chosen), "rate": part_of(rate, rate),
        "head_rate": part_of(head, head), "agreement": 1.0, "accuracy": float((expected == labels).mean())}]
    for units in options.units:
        classes, own, own_head = measured(rounded(run, units), samples)
        found.append({"run": run.name, "units": units, "samples": len(chosen), "rate": part_of(own, rate),
                      "head_rate": part_of(own_head, head), "agreement": float((classes == expected).mean()),
                      "accuracy": float((classes == labels).mean())})
    return found


def main(options: Options) -> None:
    if options.json is not None:
        check_writable(options.json, "--json")
    console = Console(highlight=False)
    table = Table(title="training samples, rounded without fine-tuning")
    for name in ("run", *COLUMNS.values()):
        table.add_column(name, justify="left" if name == "run" else "right")
    found = []
    for run in options.run:
        with console.status(f"{run.name} ..."):
            found += rows(run, options)
    for row in found:
        units = "float" if row["units"] is None else f"{row['units']:g}"
        figures = [row[name] for name in ("rate", "head_rate", "agreement", "accuracy")]
        table.add_row(row["run"], units, str(row["samples"]),
                      *("-" if figure is None else f"{100 * figure:.2f}" for figure in figures))
    print_table(console, table)
    if options.json is not None:
        write_json(options.json, {"rows": found})


if __name__ == "__main__":
    with exit_on_error():
        main(tyro.cli(Options, description=__doc__))
    sys.exit(0)
