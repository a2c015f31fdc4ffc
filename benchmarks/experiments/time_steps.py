"""Ask a trained network for its classes at fewer time steps, without training it again.

    python benchmarks/experiments/time_steps.py --run models/nw-ucla-joint --data nw_ucla.npz
    python benchmarks/experiments/time_steps.py --run runs/a runs/b --data nw_ucla.npz --json steps.json

The paper's neuron keeps a quarter of its voltage per step (tau = 0.25, Table 4) and sees the same input at each (PCM).
From rest it therefore fires at T steps at the same input d as at one if d > 1, and besides only between 1 / 1.25 and 1
(from the second step on; 1 / 1.3125 from the third): later steps tell little that the first has not told.

The floating-point network is asked on training samples without augmentation, at its own T and at smaller powers of
two. No test sample has a part in it. docs/decisions/0010 draws the consequence.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mksgn.data.sources import SYNTHETIC
from mksgn.programs.console import exit_on_error
from mksgn.programs.options import parse


@dataclass(frozen=True)
class Options:
    """A network's classes at fewer time steps; see the head of this file."""

    run: tuple[Path, ...]
    """Folders of finished train_slayer.py runs, or of models/."""
    data: str = SYNTHETIC
    """The data that they were trained on."""
    samples: int = 340
    """Training samples, evenly spaced; 0: all."""
    json: Path | None = None
    """Write the numbers here."""


if __name__ == "__main__":
    with exit_on_error():
        given = parse(Options, __doc__)  # before the heavy imports: --help and a misspelt option answer at once

from _training_samples import report, training_samples

from mksgn.nn.unfolding import unfolded
from mksgn.training.evaluation import predictions
from mksgn.training.network_file import load_network
from mksgn.training.run_files import WEIGHTS


def rows(run: Path, options: Options) -> list[dict[str, Any]]:
    """One per T, from the network's own down to 1."""
    net = load_network(run / WEIGHTS)
    samples, labels = training_samples(run, options.data, options.samples)
    found: list[dict[str, Any]] = []
    own = predictions(unfolded(net), samples)
    steps = net.config.time_steps
    while steps >= 1:
        classes = predictions(unfolded(net, time_steps=steps), samples)
        found.append({"run": run.name, "time_steps": steps, "samples": len(samples),
                      "accuracy": float((classes == labels).mean()), "agreement": float((classes == own).mean())})
        steps //= 2
    return found


def cells(row: dict[str, Any]) -> list[str]:
    """A row's text."""
    return [str(row["time_steps"]), str(row["samples"]), f"{100 * row['accuracy']:.1f}",
            f"{100 * row['agreement']:.1f}"]


def main(options: Options) -> None:
    report(options.run, partial(rows, options=options), "training samples, floating point, nothing trained again",
           ("T", "samples", "accuracy, %", "as at its own T, %"), cells, options.json)


if __name__ == "__main__":
    with exit_on_error():
        main(given)
    sys.exit(0)
