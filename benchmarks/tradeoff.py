"""Accuracy against energy: one trained network, fine-tuned as integers under several prices on synaptic operations.

    python benchmarks/tradeoff.py --run runs/mksgn-4-kd --data nw_ucla.npz
    python benchmarks/tradeoff.py --run runs/mksgn-4-kd --data nw_ucla.npz --targets 10e6 20e6 40e6 --epochs 8 \\
        --results benchmarks/results

Every point is a run of train/train_slayer.py that starts from the floating-point weights of --run, with its options,
and fine-tunes the integers while synaptic operations above the target cost (--synop-weight, --synop-target: spikes
weighted by their fan-out, a firing-rate regularisation that knows what a spike costs). Then the integers are run on the
test split and their events counted. The runs lie beside --run (RUN-tradeoff/TARGET) and are not trained again when the
program is started once more; an unfinished one is continued.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _accuracy_rows import spiking_row
from _plots import svg
from rich.console import Console
from rich.table import Table

from mksgn.cli import describe_commit, exit_on_error, print_table
from mksgn.deploy.outputs import check_writable, write_json, write_text
from mksgn.errors import ConfigError, MksgnError
from mksgn.options import parse
from mksgn.training.checkpoint import CHECKPOINT, NET, read_state

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Options:
    """Accuracy against energy of one network under several prices on synaptic operations."""

    run: Path
    """Folder of a finished train_slayer.py run."""
    data: str
    """What it was trained on."""
    targets: tuple[float, ...] = (15e6, 25e6, 35e6, 50e6, 70e6)
    """Synaptic operations per sample that cost nothing, one fine-tuning each."""
    weight: float = 2.0
    """Weight of max(S / target - 1, 0)."""
    epochs: int = 6
    """Of each fine-tuning."""
    lr: float = 3e-4
    """First learning rate of each; it falls to 0 along a cosine."""
    json: Path | None = None
    """Write the points here."""
    results: Path | None = None
    """Write tradeoff.md and tradeoff.svg into this folder."""

    def validate(self) -> None:
        """Refuse what cannot work, before anything is trained."""
        if not self.targets or len(set(self.targets)) < len(self.targets) or min(self.targets) <= 0:
            raise ConfigError("impossible targets", where="--targets", got=str(self.targets),
                              allowed="different positive numbers")
        if not (self.run / NET).exists():
            raise ConfigError("there is no finished run with an exported network", where=str(self.run),
                              fix="name the folder of a train_slayer.py run that has written mksgn.net")
        if self.json is not None:
            check_writable(self.json, "--json")


def arguments(options: Options, target: float) -> list[str]:
    """The command line of one fine-tuning: what the run was trained with, and a price."""
    stored = read_state(options.run / CHECKPOINT)["options"]
    given = {name: stored[name] for name in ("protocol", "teacher", "device", "devices", "precision") if stored[name]}
    given |= {"data": options.data, "start": options.run, "epochs": 0, "tune_epochs": options.epochs,
              "tune_lr": options.lr, "integers": "tuned", "synop_weight": options.weight, "synop_target": target}
    words: list[str] = []
    for name, value in given.items():
        words += [f"--{name.replace('_', '-')}", *map(str, value if isinstance(value, list) else [value])]
    return words


def fine_tune(options: Options, target: float, console: Console) -> Path:
    """Train one point unless it is there already; returns its folder.

    Raises
    ------
    MksgnError
        When the training program fails; it has said why.
    """
    folder = options.run.parent / f"{options.run.name}-tradeoff" / f"{target:.3g}"
    if (folder / NET).exists():
        return folder
    resume = ["--resume"] if (folder / CHECKPOINT).exists() else arguments(options, target)
    console.print(f"[bold]target {target / 1e6:g} M synaptic operations[/]")
    done = subprocess.run([sys.executable, str(ROOT / "train" / "train_slayer.py"), "--out", str(folder), *resume])
    if done.returncode:
        raise MksgnError(f"the training of {folder} ended with exit code {done.returncode}")
    return folder


def point(folder: Path, data: str, target: float | None) -> dict[str, Any]:
    """Row of accuracy.py, with the target; None: the run itself."""
    return spiking_row(folder, data) | {"target": target}


def as_table(points: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Lines: target, top-1, clean, synops, energies."""
    return [("as it is" if p["target"] is None else f"{p['target'] / 1e6:g} M", f"{p['accuracy']:.2%}",
             "-" if p["accuracy_clean"] is None else f"{p['accuracy_clean']:.2%}", f"{p['synops'] / 1e6:.1f} M",
             f"{p['paper_mj']:.4f}", f"{p['counted_mj']:.4f}") for p in points]


COLUMNS = ("target", "top-1", "clean", "synops", "Eq. 34, mJ", "counted, mJ")


def as_markdown(points: list[dict[str, Any]], command: str) -> str:
    """The file of benchmarks/results."""
    lines = ["# Accuracy against energy", "", f"`{command}`, {describe_commit()}", "",
             "One network, fine-tuned as integers under several prices on synaptic operations; events per sample, "
             "counted by the emulator.", "", "| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    return "\n".join(lines + ["| " + " | ".join(line) + " |" for line in as_table(points)]) + "\n"


def draw(points: list[dict[str, Any]], path: Path) -> None:
    """Top-1 over energy by the paper's formula and by counted events."""
    with svg(path, 1, (5.6, 3.6)) as (axis,):
        for key, label, style in (("counted_mj", "counted events", "o-"), ("paper_mj", "the paper's Eq. 34", "s--")):
            energy, accuracy = zip(*sorted((p[key], 100 * p["accuracy"]) for p in points))
            axis.plot(energy, accuracy, style, label=label)
        axis.set_xlabel("energy per sample, mJ at 45 nm (modelled)")
        axis.set_ylabel("top-1 on the test split, %")
        axis.grid(alpha=0.3)
        axis.legend(frameon=False)


def main(options: Options) -> None:
    options.validate()
    console = Console(highlight=False)
    folders = [(fine_tune(options, target, console), target) for target in options.targets]
    points = [point(folder, options.data, target) for folder, target in folders]
    points.append(point(options.run, options.data, None))
    shown = Table(*COLUMNS, title=f"{options.run.name}: accuracy against energy")
    for line in as_table(points):
        shown.add_row(*line)
    print_table(console, shown)
    if options.json is not None:
        write_json(options.json, {"points": points, "commit": describe_commit()})
    if options.results is not None:
        options.results.mkdir(parents=True, exist_ok=True)
        write_text(options.results / "tradeoff.md", as_markdown(points, "python " + " ".join(sys.argv)))
        draw(points, options.results / "tradeoff.svg")


if __name__ == "__main__":
    with exit_on_error():
        main(parse(Options, __doc__))
    sys.exit(0)
