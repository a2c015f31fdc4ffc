"""What a trained network's time steps are worth: its classes at fewer of them, without training it again.

    python benchmarks/time_steps.py --run models/nw-ucla-joint --data nw_ucla.npz
    python benchmarks/time_steps.py --run runs/a runs/b --data nw_ucla.npz --json steps.json

The paper's neuron keeps a quarter of its voltage per step (tau = 0.25, Table 4) and sees the same input at each (PCM).
From rest it therefore fires at T steps at the same input d as at one if d > 1, and besides only between 1 / 1.25 and 1
(from the second step on; 1 / 1.3125 from the third): later steps tell little that the first has not told.

The floating-point network is asked on training samples without augmentation, at its own T and at smaller powers of
two. No test sample has a part in it. docs/decisions/0010 draws the consequence.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro
from rich.console import Console
from rich.table import Table

from mksgn.cli import exit_on_error, print_table
from mksgn.data.preprocess import Preprocess
from mksgn.data.sources import SYNTHETIC, load
from mksgn.data.splits import evenly
from mksgn.deploy.outputs import check_writable, write_json
from mksgn.errors import ConfigError
from mksgn.nn.unfolding import unfolded
from mksgn.training.batches import preprocessed
from mksgn.training.checkpoint import WEIGHTS, load_network, read_meta
from mksgn.training.finish import split_of
from mksgn.training.integers import predictions


@dataclass(frozen=True)
class Options:
    """A network's classes at fewer time steps; see the head of this file."""

    run: tuple[Path, ...]
    """Folders of finished train_slayer.py runs, or of models/."""
    data: str = SYNTHETIC
    """What they were trained on."""
    samples: int = 340
    """Training samples, evenly spaced; 0: all."""
    json: Path | None = None
    """Write the numbers here."""


def rows(run: Path, options: Options) -> list[dict[str, Any]]:
    """One per T, from the network's own down to 1."""
    net, meta = load_network(run / WEIGHTS), read_meta(run / WEIGHTS)
    if meta["data"] != Path(options.data).name:
        raise ConfigError("the run was trained on other data", where=str(run), got=options.data, allowed=meta["data"],
                          fix="name it with --data")
    pack = load(options.data)
    train = split_of(pack, meta).train
    chosen = evenly(train, options.samples)
    samples = preprocessed(pack, chosen, Preprocess.from_json(meta["preprocess"]))
    found: list[dict[str, Any]] = []
    own = predictions(unfolded(net), samples)
    steps = net.config.time_steps
    while steps >= 1:
        classes = predictions(unfolded(net, time_steps=steps), samples)
        found.append({"run": run.name, "time_steps": steps, "samples": len(chosen),
                      "accuracy": float((classes == pack.labels[chosen]).mean()),
                      "agreement": float((classes == own).mean())})
        steps //= 2
    return found


def main(options: Options) -> None:
    if options.json is not None:
        check_writable(options.json, "--json")
    console = Console(highlight=False)
    table = Table(title="training samples, floating point, nothing trained again")
    for name in ("run", "T", "samples", "accuracy, %", "as at its own T, %"):
        table.add_column(name, justify="left" if name == "run" else "right")
    found = []
    for run in options.run:
        with console.status(f"{run.name} ..."):
            found += rows(run, options)
    for row in found:
        table.add_row(row["run"], str(row["time_steps"]), str(row["samples"]), f"{100 * row['accuracy']:.1f}",
                      f"{100 * row['agreement']:.1f}")
    print_table(console, table)
    if options.json is not None:
        write_json(options.json, {"rows": found})


if __name__ == "__main__":
    with exit_on_error():
        main(tyro.cli(Options, description=__doc__))
    sys.exit(0)
