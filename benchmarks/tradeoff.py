"""Accuracy against energy: one trained network, fine-tuned as integers under several prices on synaptic operations.

    python benchmarks/tradeoff.py --run runs/mksgn-4-kd --data nw_ucla.npz
    python benchmarks/tradeoff.py --run runs/mksgn-4-kd --data nw_ucla.npz --targets 10e6 20e6 40e6 --epochs 8 \\
        --results benchmarks/results
    python benchmarks/tradeoff.py --keep benchmarks/results/tradeoff.json --results benchmarks/results    # draws again

Every point is a run of train/train_slayer.py that starts from the floating-point weights of --run, with its options,
and fine-tunes the integers while synaptic operations above the target cost (--synop-weight, --synop-target: spikes
weighted by their fan-out, a firing-rate regularisation that knows what a spike costs). Then the integers are run on the
test split and their events counted. The runs lie beside --run (RUN-tradeoff/TARGET) and are not trained again when the
program is started once more; an unfinished one is continued.

The picture shows the networks of models/ beside them, by their rows of accuracy.py --json, and the paper's MK-SGN
(Table 3). Bars are binomial standard errors of the accuracy.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from mksgn.commit import describe_commit
from mksgn.errors import ConfigError, MksgnError
from mksgn.limits import LIMITS, check_number
from mksgn.programs.console import exit_on_error, print_table
from mksgn.programs.options import parse

ROOT = Path(__file__).resolve().parent.parent
ENERGIES = (("paper_mj", "the paper's formula, Eq. 34", "#d55e00"), ("counted_mj", "counted events", "#0072b2"))
"""The energies of a row that are drawn, with their names and colours."""
NAME_WIDTH = 34
"""Letters of a line of a point's name."""


@dataclass(frozen=True)
class Options:
    """Accuracy against energy of one network under several prices on synaptic operations."""

    run: Path | None = None
    """Folder of a finished train_slayer.py run."""
    data: str | None = None
    """The data that it was trained on."""
    keep: Path | None = None
    """Instead of --run: points of an earlier --json, to print and draw again. Nothing is trained or run."""
    targets: tuple[float, ...] = (15e6, 25e6, 35e6, 50e6, 70e6)
    """Synaptic operations per sample that cost nothing, one fine-tuning each."""
    weight: float = 2.0
    """Weight of max(S / target - 1, 0)."""
    epochs: int = 6
    """Epochs of each fine-tuning."""
    lr: float = 3e-4
    """First learning rate of each; it falls to 0 along a cosine."""
    accuracy: Path = ROOT / "benchmarks" / "results" / "accuracy.json"
    """Rows of accuracy.py --json, for the networks of models/ in the picture."""
    json: Path | None = None
    """Write the points here."""
    results: Path | None = None
    """Write tradeoff.md, tradeoff.json and tradeoff.svg into this folder."""

    def validate(self) -> None:
        """Refuse what cannot work, before anything is trained."""
        choices = {"targets": "synop_target", "weight": "synop_weight", "epochs": "tune_epochs", "lr": "tune_lr"}
        for name, choice in choices.items():
            check_number(f"--{name}", getattr(self, name), LIMITS[choice])
        if not self.targets or len(set(self.targets)) < len(self.targets):
            raise ConfigError("impossible targets", where="--targets", got=str(self.targets),
                              allowed="different positive numbers", fix="name every target once")
        if self.keep is not None and (self.run is not None or self.data is not None):
            raise ConfigError("points would come from two places", where="--keep beside --run or --data",
                              fix="leave one of them out")
        if self.keep is None and (self.run is None or self.data is None):
            raise ConfigError("there is nothing to draw", where="--run and --data",
                              fix="name a finished run and its data with --run and --data, or points with --keep")
        if self.run is not None and not (self.run / NET).exists():
            raise ConfigError("there is no finished run with an exported network", where=str(self.run),
                              fix="name the folder of a train_slayer.py run that has written mksgn.net")
        if self.json is not None:
            check_writable(self.json, "--json")
        if self.results is not None:
            shipped_rows(self.accuracy)


if __name__ == "__main__":
    with exit_on_error():
        given = parse(Options, __doc__)  # before the heavy imports: --help and a misspelt option answer at once

from _accuracy_rows import spiking_row

from mksgn.energy.printed import TABLE3
from mksgn.programs.kept import read_kept
from mksgn.programs.outputs import check_writable, write_json, write_text
from mksgn.report.figures import LEGEND_LINE, legend_below, standard_error, svg
from mksgn.report.network_names import short_name
from mksgn.training.run_files import CHECKPOINT, NET, read_state

PAPER = next(row for row in TABLE3 if row.name == "MK-SGN")


def shipped_rows(path: Path) -> list[dict[str, Any]]:
    """Rows of the networks of models/.

    Raises
    ------
    ConfigError
        When the file cannot be read.
    """
    shipped = {net.parent.name for net in (ROOT / "models").glob(f"*/{NET}")}
    return read_kept(path, "rows", "--accuracy", "accuracy.py --json",
                     lambda file: [row for row in file["rows"] if row["run"] in shipped])


def kept_content(file: dict[str, Any]) -> dict[str, Any]:
    """The points of an earlier file, and what they come from."""
    for point in file["points"]:
        point["target"]  # KeyError and TypeError say that this is no point
    return file


def arguments(run: Path, options: Options, target: float) -> list[str]:
    """The command line of one fine-tuning: what the run was trained with, and a price."""
    stored = read_state(run / CHECKPOINT, options=dict)["options"]
    said = stored["reading"] | stored["splitting"] | {name: stored[name] for name in KEPT_OPTIONS}
    given = {name: value for name, value in said.items() if value}
    given |= {"data": options.data, "start": run, "epochs": 0, "tune_epochs": options.epochs,
              "tune_lr": options.lr, "integers": "tuned", "synop_weight": options.weight, "synop_target": target}
    words: list[str] = []
    for name, value in given.items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, list | tuple):
            words += [flag, *map(str, value)]
        else:  # with an equals sign: a value such as -y would be taken for an option
            words.append(flag if value is True else f"{flag}={value}")
    return words


def fine_tune(run: Path, options: Options, target: float, console: Console) -> Path:
    """Train one point unless it is there already; returns its folder.

    Raises
    ------
    MksgnError
        When the training program fails; it has said why.
    """
    folder = run.parent / f"{run.name}-tradeoff" / f"{target:.3g}"
    if (folder / NET).exists():
        return folder
    resume = ["--resume"] if (folder / CHECKPOINT).exists() else arguments(run, options, target)
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


KEPT_OPTIONS = ("teacher", "device", "devices", "precision")
"""Options of the run that its fine-tunings keep, beside those that say how its data are read and split."""
COLUMNS = ("target", "top-1", "clean", "synops", "Eq. 34, mJ", "counted, mJ")


def as_markdown(content: dict[str, Any]) -> str:
    """The file of benchmarks/results."""
    points = content["points"]
    rounded = (["The operations and energies of all points but the last were kept with the digits shown here.", ""]
               if "rounded" in content else [])
    lines = ["# Accuracy against energy", "", f"`{content['command']}`, {content['commit']}", "",
             "One network, fine-tuned as integers under several prices on synaptic operations; events per sample, "
             "counted by the emulator.", "", *rounded, "| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    return "\n".join(lines + ["| " + " | ".join(line) + " |" for line in as_table(points)]) + "\n"


def draw(points: list[dict[str, Any]], shipped: list[dict[str, Any]], path: Path) -> None:
    """Top-1 over energy by the paper's formula and by counted events, with the shipped networks and the paper.

    Parameters
    ----------
    points : list of dict
        Of one network, with its target each.
    shipped : list of dict
        Rows of :mod:`accuracy_rows`.
    path : Path
    """
    whole = next(point for point in points if point["target"] is None)
    name = f"{short_name(whole)}, fine-tuned under {len(points) - 1} prices"
    samples = sorted({row["samples"] for row in (*points, *shipped)})
    with svg(path, 1, (7.6, 4.6 + LEGEND_LINE * (2 * len(ENERGIES) + 1))) as (axis,):
        for key, energy, colour in ENERGIES:
            _scatter(axis, sorted(points, key=lambda point: point[key]), key, "o-", colour, f"{name}: {energy}")
        for key, energy, colour in ENERGIES:
            _scatter(axis, shipped, key, "D", colour, f"networks of models/: {energy}")
        assert PAPER.power_mj is not None
        axis.errorbar(float(PAPER.power_mj), _paper_accuracy(), fmt="*", markersize=13, color="black",
                      label="the paper's MK-SGN, Table 3: floating point, its own rates in Eq. 34, no error given")
        for row in shipped:
            _name(axis, row["paper_mj"], 100 * row["accuracy"], textwrap.fill(
                f"models/{row['run']}: {short_name(row)}", NAME_WIDTH, break_on_hyphens=False), "left")
        _name(axis, float(PAPER.power_mj), _paper_accuracy(), f"the paper: {PAPER.power_mj} mJ,\n{_paper_accuracy()} %",
              "right")
        axis.set_xlabel("energy per sample at 45 nm, operations alone, mJ (modelled)")
        axis.set_ylabel(f"top-1 on {' or '.join(map(str, samples))} test sequences, %\n(bars: binomial standard error)")
        axis.grid(alpha=0.3)
        legend_below(axis)


def _paper_accuracy() -> float:
    return float(next(iter(PAPER.accuracy.values())))


def _scatter(axis: Any, rows: list[dict[str, Any]], key: str, style: str, colour: str, label: str) -> None:
    error = [100 * standard_error(row["accuracy"], row["samples"]) for row in rows]
    axis.errorbar([row[key] for row in rows], [100 * row["accuracy"] for row in rows], error, fmt=style, color=colour,
                  capsize=2, linewidth=1, elinewidth=0.8, markersize=5, label=label)


def _name(axis: Any, x: float, y: float, text: str, side: str) -> None:
    """A point's name beside it: to its right (``left`` aligned) or left."""
    axis.annotate(text, (x, y), (8 if side == "left" else -10, 0), textcoords="offset points", ha=side, va="center",
                  fontsize=8)


def compute(run: Path, options: Options, console: Console) -> dict[str, Any]:
    """Train what is missing, and count: the points, and what they come from."""
    assert options.data is not None
    folders = [(fine_tune(run, options, target, console), target) for target in options.targets]
    points = [point(folder, options.data, target) for folder, target in folders]
    points.append(point(run, options.data, None))
    return {"points": points, "command": "python " + " ".join(sys.argv), "commit": describe_commit()}


def main(options: Options) -> None:
    options.validate()
    console = Console(highlight=False)
    if options.keep is not None:
        content = read_kept(options.keep, "points", "--keep", "--json", kept_content)
    else:
        assert options.run is not None
        content = compute(options.run, options, console)
    points = content["points"]
    whole = next(point for point in points if point["target"] is None)
    shown = Table(*COLUMNS, title=f"{short_name(whole)}: accuracy against energy")
    for line in as_table(points):
        shown.add_row(*line)
    print_table(console, shown)
    if options.json is not None:
        write_json(options.json, content)
    if options.results is not None:
        options.results.mkdir(parents=True, exist_ok=True)
        write_json(options.results / "tradeoff.json", content)
        write_text(options.results / "tradeoff.md", as_markdown(content))
        draw(points, shipped_rows(options.accuracy), options.results / "tradeoff.svg")


if __name__ == "__main__":
    with exit_on_error():
        main(given)
    sys.exit(0)
