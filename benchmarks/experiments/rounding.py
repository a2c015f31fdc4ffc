"""Measure how rounding to integers changes firing rates and classes, and how much half a weight unit of bias mends.

    python benchmarks/experiments/rounding.py --run runs/a runs/b --data nw_ucla.npz
    python benchmarks/experiments/rounding.py --run runs/a --data nw_ucla.npz --units 0 0.5 1 --json rounding.json

A neuron fires strictly above its threshold, and weights are even: what is rounded fires half a weight unit late, on
average. SpikingGraphNet.quantize() therefore raises every folded bias by half a unit. Here the floating-point network
of a run is rounded, without fine-tuning, with biases raised by other amounts (--units), and asked on training samples
without augmentation. No test sample has a part in it. docs/decisions/0011 draws the consequence.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mksgn.data.sources import SYNTHETIC
from mksgn.errors import ConfigError
from mksgn.programs.console import exit_on_error
from mksgn.programs.options import parse

COLUMNS = ("raised by, units", "samples", "mean rate, % of float's", "head's rate, % of float's",
           "class as in float, %", "accuracy, %")


@dataclass(frozen=True)
class Options:
    """Rounding with biases raised; see the head of this file."""

    run: tuple[Path, ...]
    """Folders of finished train_slayer.py runs."""
    data: str = SYNTHETIC
    """The data that they were trained on."""
    units: tuple[float, ...] = (0.0, 0.5, 1.0)
    """Amounts by which biases are raised, in weight units; quantize() takes 0.5."""
    samples: int = 0
    """Training samples, evenly spaced; 0: all."""
    json: Path | None = None
    """Write the numbers here."""


if __name__ == "__main__":
    with exit_on_error():
        given = parse(Options, __doc__)  # before the heavy imports: --help and a misspelt option answer at once

import numpy as np
import torch
from _training_samples import report, training_samples

from mksgn.nn import SpikingGraphNet
from mksgn.training.checkpoint import FLOAT, WEIGHTS, load_network
from mksgn.training.evaluation import PART


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
    folded = [block for block in net.populations if block.norm is not None]
    if net.weighs_samples:
        net.fix_fusion(load_network(run / WEIGHTS).fusion_weights or ())
    net.quantize()
    with torch.no_grad():
        for block in folded:
            block.bias.add_((2 * units - 1) * block.mean_overshoot())
    return net.eval()


def rows(run: Path, options: Options) -> list[dict[str, Any]]:
    """The floating-point network's, and one per amount."""
    samples, labels = training_samples(run, options.data, options.samples)
    if not (run / FLOAT).exists():
        raise ConfigError("this run kept no floating-point network", where=str(run), fix=f"name a run that has {FLOAT}")
    expected, rate, head = measured(load_network(run / FLOAT, quantized=False), samples)
    found = []
    for units in (None, *options.units):
        classes, own, own_head = (expected, rate, head) if units is None else measured(rounded(run, units), samples)
        found.append({"run": run.name, "units": units, "samples": len(samples), "rate": part_of(own, rate),
                      "head_rate": part_of(own_head, head), "agreement": float((classes == expected).mean()),
                      "accuracy": float((classes == labels).mean())})
    return found


def cells(row: dict[str, Any]) -> list[str]:
    """A row's text."""
    figures = [row[name] for name in ("rate", "head_rate", "agreement", "accuracy")]
    return ["float" if row["units"] is None else f"{row['units']:g}", str(row["samples"]),
            *("-" if figure is None else f"{100 * figure:.2f}" for figure in figures)]


def main(options: Options) -> None:
    report(options.run, partial(rows, options=options), "training samples, rounded without fine-tuning", COLUMNS, cells,
           options.json)


if __name__ == "__main__":
    with exit_on_error():
        main(given)
    sys.exit(0)
