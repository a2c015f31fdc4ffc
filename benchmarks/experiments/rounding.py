"""Measure how rounding to integers changes firing rates, logits and classes: by kinds of scales, and of biases.

    python benchmarks/experiments/rounding.py --run runs/a runs/b --data nw_ucla.npz
    python benchmarks/experiments/rounding.py --run runs/a --data nw_ucla.npz --scales integer --units 0 0.5 1

The floating-point network of a run is rounded, without fine-tuning, and asked on training samples without augmentation.
No test sample has a part in it.

--scales: a population's threshold is a power of two of weight units, or any integer (docs/decisions/0017).
--noise: what a small change does by itself. The biases of the floating-point network are moved at random by about this
part of a threshold. A spike that flips makes others flip, so that logits differ far more than biases do.
--units: a neuron fires strictly above its threshold, and weights are even: what is rounded fires half a weight unit
late, on average. SpikingGraphNet.quantize() therefore raises every folded bias by half a unit (docs/decisions/0011).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, Literal, NamedTuple

from mksgn.data.sources import SYNTHETIC
from mksgn.errors import ConfigError
from mksgn.programs.console import exit_on_error
from mksgn.programs.options import parse

COLUMNS = ("scales", "raised by, units", "samples", "mean rate, % of float's", "head's rate, % of float's",
           "logits' error, %", "class as in float, %", "accuracy, %")


@dataclass(frozen=True)
class Options:
    """Rounding, in several ways; see the head of this file."""

    run: tuple[Path, ...]
    """Folders of finished train_slayer.py runs."""
    data: str = SYNTHETIC
    """The data that they were trained on."""
    scales: tuple[Literal["power-of-two", "integer"], ...] = ("power-of-two", "integer")
    """Kinds of scales."""
    units: tuple[float, ...] = (0.5,)
    """Amounts by which biases are raised, in weight units; quantize() takes 0.5."""
    noise: tuple[float, ...] = ()
    """Standard deviations of normal noise on the floating-point biases, in thresholds."""
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

from mksgn.emulator import Emulator
from mksgn.ir import LOGIT_SCALE
from mksgn.nn import SpikingGraphNet
from mksgn.nn.gates import GatePopulation
from mksgn.nn.lowering import to_graph
from mksgn.nn.network import HEAD
from mksgn.nn.scales import Scales
from mksgn.training.evaluation import PART
from mksgn.training.network_file import load_network
from mksgn.training.run_files import FLOAT, WEIGHTS


class Answers(NamedTuple):
    """Logits (N, classes), the mean firing rate of all populations but gates, and that of the head."""

    logits: np.ndarray
    rate: float
    head: float

    @property
    def classes(self) -> np.ndarray:
        return self.logits.argmax(1)


@torch.no_grad()
def floating(net: SpikingGraphNet, samples: np.ndarray) -> Answers:
    """What a floating-point network says."""
    logits, rates, heads = [], 0.0, 0.0
    for part in np.array_split(samples, max(1, len(samples) // PART)):
        out = net(torch.from_numpy(part))
        logits.append(out.logits.numpy())
        rates += out.rate.item() * len(part)
        heads += out.rates[HEAD].item() * len(part)
    return Answers(np.concatenate(logits), rates / len(samples), heads / len(samples))


def integers(net: SpikingGraphNet, samples: np.ndarray) -> Answers:
    """What a quantised network says, by the emulator."""
    graph = to_graph(net)
    with Emulator(graph) as emulator:
        run = emulator.run(samples)
    counted = [run.counts.rate(name) for name, each in net.named_populations() if not isinstance(each, GatePopulation)]
    return Answers(run.output / graph.meta[LOGIT_SCALE], float(np.mean(counted)), run.counts.rate(HEAD))


def part_of(rate: float, whole: float) -> float | None:
    """``rate`` as a part of ``whole``; None where that is silent."""
    return rate / whole if whole else None


def rounded(run: Path, scales: Scales, units: float) -> SpikingGraphNet:
    """The integers of a run's floating-point network with its folded biases raised by ``units``."""
    net = load_network(run / FLOAT, quantized=False)
    folded = [block for block in net.populations if block.norm is not None]
    if net.weighs_samples:
        net.fix_fusion(load_network(run / WEIGHTS).fusion_weights or ())
    net.quantize(scales)
    with torch.no_grad():
        for block in folded:
            block.bias.add_((2 * units - 1) * block.mean_overshoot())
    return net.eval()


def noisy(run: Path, noise: float) -> SpikingGraphNet:
    """The floating-point network of a run with biases moved by normal noise, of seed 0."""
    net = load_network(run / FLOAT, quantized=False)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for block in net.populations:
            if block.norm is not None:
                block.norm.bias.add_(noise * torch.randn(block.norm.bias.shape, generator=generator))
    return net


def row(run: Path, answers: Answers, beside: Answers, labels: np.ndarray) -> dict[str, Any]:
    """The figures of ``answers`` beside the floating-point network's."""
    error = np.linalg.norm(answers.logits - beside.logits) / np.linalg.norm(beside.logits)
    return {"run": run.name, "scales": None, "units": None, "noise": None, "samples": len(labels),
            "rate": part_of(answers.rate, beside.rate), "head_rate": part_of(answers.head, beside.head),
            "logit_error": float(error), "agreement": float((answers.classes == beside.classes).mean()),
            "accuracy": float((answers.classes == labels).mean())}


def rows(run: Path, options: Options) -> list[dict[str, Any]]:
    """The floating-point network's, one per amount of noise, and one per kind of scales and amount."""
    samples, labels = training_samples(run, options.data, options.samples)
    if not (run / FLOAT).exists():
        raise ConfigError("this run kept no floating-point network", where=str(run), fix=f"name a run that has {FLOAT}")
    beside = floating(load_network(run / FLOAT, quantized=False), samples)
    found = [row(run, beside, beside, labels)]
    for noise in options.noise:
        answers = floating(noisy(run, noise), samples)
        found.append({**row(run, answers, beside, labels), "noise": noise})
    for scales, units in product(options.scales, options.units):
        answers = integers(rounded(run, scales, units), samples)
        found.append({**row(run, answers, beside, labels), "scales": scales, "units": units})
    return found


def cells(row: dict[str, Any]) -> list[str]:
    """A row's text."""
    figures = [row[name] for name in ("rate", "head_rate", "logit_error", "agreement", "accuracy")]
    raised = "-" if row["units"] is None else f"{row['units']:g}"
    kind = row["scales"] or ("float" if row["noise"] is None else f"float, noise {row['noise']:g}")
    return [kind, raised, str(row["samples"]),
            *("-" if figure is None else f"{100 * figure:.2f}" for figure in figures)]


def main(options: Options) -> None:
    report(options.run, partial(rows, options=options), "training samples, rounded without fine-tuning", COLUMNS, cells,
           options.json)


if __name__ == "__main__":
    with exit_on_error():
        main(given)
    sys.exit(0)
