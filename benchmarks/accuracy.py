"""Accuracy and events of trained networks, in the form of the paper's Table 1 (ablation) and Table 3 (NW-UCLA).

    python benchmarks/accuracy.py --data nw_ucla.npz                                # the networks of models/
    python benchmarks/accuracy.py --data nw_ucla.npz --run runs/mksgn-4-kd runs/mksgn-4 --teacher runs/teacher-*
    python benchmarks/accuracy.py --data nw_ucla.npz --run runs/base-sgn --keep benchmarks/results/accuracy.json \\
        --json benchmarks/results/accuracy.json --markdown benchmarks/results/accuracy.md --curves benchmarks/results

A spiking network is run as integers on the whole test split by the emulator, whose every spike is Lava's
(deploy/run_lava.py --check), and its events are counted. Runs that differ in their seed only become one line: mean and
standard deviation, and how many. The paper's figure stands beside each; its networks are floating point, on a GPU, and
its Table 1 is of NTU RGB+D 60. A network nobody has trained says so. The test split is read here and at the end of a
training, and chooses nothing.

--keep takes rows of an earlier --json, of runs that lie elsewhere; a run given again replaces its row.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import tyro
from accuracy_rows import NAMES, ann_rows, spiking_row
from plots import svg
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from mksgn.cli import describe_commit, exit_on_error, sample_progress
from mksgn.deploy.outputs import check_writable, write_json, write_text
from mksgn.energy.printed import TABLE1, TABLE3, PrintedRow
from mksgn.errors import ConfigError

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = ("network", "modalities", "taught", "variant", "runs", "params (M)", "top-1", "clean", "float",
           "synops (M)", "Eq. 33 SOPs (M)", "Eq. 34 (mJ)", "counted (mJ)", "paper: top-1", "params (M)", "SOPs (M)",
           "mJ")
METRICS = "metrics.jsonl"
LINES, COLOURS = ("-", "--", ":"), 10
"""Of the curves: matplotlib repeats its colours after so many, in the next line style here."""
BEGIN, END = "<!-- accuracy.py: begin -->", "<!-- accuracy.py: end -->"


@dataclass(frozen=True)
class Options:
    """Accuracy and events of trained networks beside the paper's."""

    data: str | None = None
    """The data; default: what a net was trained on, where it is found."""
    run: tuple[Path, ...] = ()
    """Folders of finished train_slayer.py runs, or of models/. Default, with neither this nor --teacher nor --keep: all
    of models/."""
    teacher: tuple[Path, ...] = ()
    """Folders of finished train_teacher.py runs; streams of one network are fused as well."""
    keep: Path | None = None
    """Rows of an earlier --json to show as well."""
    json: Path | None = None
    """Write a row per run here."""
    markdown: Path | None = None
    """Write the tables here."""
    readme: Path | None = None
    """Replace the table between the two accuracy.py marks of this file."""
    curves: Path | None = None
    """Draw the learning curves of all --run into this folder, as accuracy_curves.svg."""


Row = dict[str, Any]


def group_key(row: Row) -> tuple[Any, ...]:
    """Runs with the same key differ in their seed only."""
    return row["network"], tuple(row["modalities"]), row["distilled"], row["variant"], tuple(row["epochs"])


def grouped(rows: list[Row]) -> list[list[Row]]:
    """Rows that differ in their seed only, together, in the order they came."""
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[group_key(row)].append(row)
    return list(groups.values())


def figure(group: list[Row], name: str, scale: float, digits: int) -> str:
    """Mean of a figure over a group, with its standard deviation where there are several; '-' where it has none."""
    values = [row[name] * scale for row in group if row[name] is not None]
    if not values:
        return "-"
    spread = f" ± {stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{mean(values):.{digits}f}{spread}"


def cells(group: list[Row]) -> list[str]:
    """What a group shows."""
    first = group[0]
    names = "all four" if len(first["modalities"]) == 4 else ", ".join(first["modalities"])
    floating, tuned = first["epochs"]
    variant = f"{first['variant']}, {floating}{f' + {tuned}' if tuned else ''} epochs"
    return [first["network"], names, "yes" if first["distilled"] else "no", variant, str(len(group)),
            figure(group, "parameters", 1e-6, 3), figure(group, "accuracy", 100, 2),
            figure(group, "accuracy_clean", 100, 2), figure(group, "float", 100, 2), figure(group, "synops", 1e-6, 1),
            figure(group, "sops", 1e-6, 1), figure(group, "paper_mj", 1, 4), figure(group, "counted_mj", 1, 4)]


def printed(row: PrintedRow | None) -> list[str]:
    """The paper's figures of a row."""
    if row is None:
        return ["-"] * 4
    accuracy = " / ".join(str(value) for value in row.accuracy.values())
    sops = "-" if row.ops_g is None or row.kind == "ANN" else f"{float(row.ops_g) * 1000:g}"
    parameters, power = ("-" if value is None else str(value) for value in (row.parameters_m, row.power_mj))
    return [accuracy, parameters, sops, power]


def matches(row: Row, paper: PrintedRow) -> bool:
    """Whether a run is of the network that the paper's row is of; Table 3's MK-SGN is the whole of it."""
    if row["network"] != paper.name:
        return False
    if paper.modalities is not None:
        return len(row["modalities"]) == paper.modalities and row["distilled"] == paper.distilled
    if paper.name == "MK-SGN":
        return len(row["modalities"]) == 4 and row["distilled"]
    return paper.kind == "SNN" or len(row["modalities"]) == 4


def table(rows: list[Row], paper: tuple[PrintedRow, ...]) -> list[list[str]]:
    """Lines in the paper's order; a network without a run has one line that says so."""
    lines = []
    for theirs in paper:
        groups = grouped([row for row in rows if matches(row, theirs)])
        taught = "yes" if theirs.distilled else "-"
        if not groups:
            which = "-" if theirs.modalities is None else str(theirs.modalities)
            groups_cells = [[theirs.name, which, taught, "not trained here", "0", *["-"] * 8]]
        else:
            groups_cells = [cells(group) for group in groups]
        lines += [[*ours, *printed(theirs)] for ours in groups_cells]
    return lines


def sections(rows: list[Row]) -> list[tuple[str, list[list[str]]]]:
    """(title, lines) of every table."""
    others = [row for row in rows if not any(matches(row, theirs) for theirs in (*TABLE1, *TABLE3))]
    found = [("Table 1, ablation: ours on NW-UCLA; the paper's columns are NTU RGB+D 60, X-Sub / X-View",
              table(rows, TABLE1)),
             ("Table 3, NW-UCLA: the networks that are built here",
              table(rows, tuple(row for row in TABLE3 if row.name in NAMES.values())))]
    if others:
        found.append(("Not in the paper's tables", [[*cells(group), *printed(None)] for group in grouped(others)]))
    return found


def terminal_table(title: str, lines: list[list[str]]) -> Table:
    """The same in 80 columns: several figures to a cell, each with its name."""
    shown = Table("network", "top-1, %", "per sample", "the paper", title=title, title_justify="left", show_lines=True)
    for line in lines:
        name, modalities, taught, variant, runs = line[:5]
        ours, theirs = dict(zip(COLUMNS[5:13], line[5:13])), line[13:]
        network = f"[bold]{name}[/], {modalities}" + (", taught" if taught == "yes" else "") + f"\n{variant}"
        figures = [f"{key} {value}" for key, value in ours.items() if value != "-"]
        paper = [f"{value}{unit}" for value, unit in zip(theirs, (" %", " M parameters", " M SOPs", " mJ"))
                 if value != "-"]
        accuracy = [text.removeprefix("top-1 ") for text in figures if text.startswith(("top-1", "clean", "float"))]
        events = [text for text in figures if not text.startswith(("top-1", "clean", "float"))]
        many = f"\n{runs} seeds" if int(runs) > 1 else ""
        shown.add_row(network + many, "\n".join(accuracy), "\n".join(events), "\n".join(paper))
    return shown


def markdown_table(lines: list[list[str]]) -> str:
    """A GitHub table."""
    head = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    return "\n".join(head + ["| " + " | ".join(line) + " |" for line in lines]) + "\n"


def as_markdown(rows: list[Row], command: str) -> str:
    """The file of benchmarks/results."""
    counts = next((f"{row['samples']} test sequences, {row['samples_clean']} of them no copy of a training sequence"
                   for row in rows if row["samples_clean"]), "the test split")
    parts = ["# Accuracy", "", f"`{command}`, {describe_commit()}", "",
             f"Top-1 in per cent of the integers on {counts}; 'float' is before folding and rounding. Mean and "
             "standard deviation where there are several seeds. Events per sample, all time steps, counted by the "
             "emulator. An ANN's figures are floating point.", ""]
    for title, lines in sections(rows):
        parts += [f"## {title}", "", markdown_table(lines)]
    return "\n".join(parts)


def readme_table(rows: list[Row]) -> str:
    """The short table of the README: a line per network, without the paper's figures."""
    columns = ("network", "modalities", "taught", "seeds", "top-1, %", "clean, %", "parameters (M)", "synops (M)",
               "Eq. 34 (mJ)", "counted (mJ)", "variant")
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for group in grouped(rows):
        shown = dict(zip(COLUMNS, cells(group)))
        lines.append("| " + " | ".join(shown[name] for name in (
            "network", "modalities", "taught", "runs", "top-1", "clean", "params (M)", "synops (M)", "Eq. 34 (mJ)",
            "counted (mJ)", "variant")) + " |")
    return "\n".join(lines) + "\n"


def replaced(text: str, new: str, where: Path) -> str:
    """``text`` with what stands between the marks replaced.

    Raises
    ------
    ConfigError
        When the marks are missing.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ConfigError("this file has no place for the table", where=str(where), allowed=f"{BEGIN} ... {END}")
    return f"{before}{begin}\n{new}{end}{after}"


def draw(runs: list[Path], path: Path) -> None:
    """Accuracy on the training samples (augmented) and loss of every run, epoch by epoch."""
    with svg(path, 2, (9.0, 3.6)) as (left, right):
        for index, run in enumerate(runs):
            style = LINES[index // COLOURS % len(LINES)]
            lines = [json.loads(line) for line in (run / METRICS).read_text().splitlines()]
            epochs = [line for line in lines if line.get("stage") == "float"]
            number = range(1, len(epochs) + 1)
            left.plot(number, [line["loss"] for line in epochs], style, label=run.name)
            right.plot(number, [100 * line["accuracy"] for line in epochs], style, label=run.name)
        left.set_ylabel("loss")
        right.set_ylabel("training accuracy (augmented), %")
        for axis in (left, right):
            axis.set_xlabel("epoch (floating point)")
            axis.grid(alpha=0.3)
        right.legend(frameon=False, fontsize=7)


def advance(bar: Progress, task: TaskID, done: int) -> None:
    """So many samples have run."""
    bar.update(task, completed=done)


def measure(options: Options, console: Console) -> list[Row]:
    """Kept rows and those of all runs given: MK-SGN first, most modalities first, taught ones first."""
    kept: list[Row] = []
    if options.keep is not None:
        try:
            kept = json.loads(options.keep.read_text())["rows"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError("no rows can be read here", where=str(options.keep),
                              got=f"{type(error).__name__}: {error}", fix="name a file that --json wrote") from None
    runs = list(options.run)
    if not (runs or options.teacher or kept):
        runs = sorted(path.parent for path in (ROOT / "models").glob("*/mksgn.net"))
    rows = ann_rows(list(options.teacher))
    for run in runs:
        with sample_progress(console) as bar:
            task = bar.add_task(run.name, total=None)
            rows.append(spiking_row(run, options.data, partial(advance, bar, task)))
    again = {row["run"] for row in rows}
    names = list(NAMES.values())
    return sorted([row for row in kept if row["run"] not in again] + rows, key=lambda row: (
        names.index(row["network"]), -len(row["modalities"]), not row["distilled"]))


def main(options: Options) -> None:
    for name in ("json", "markdown"):
        path = getattr(options, name)
        if path is not None:
            check_writable(path, f"--{name}")
    if options.curves is not None:
        options.curves.mkdir(parents=True, exist_ok=True)
        for run in options.run:
            if not (run / METRICS).is_file():
                raise ConfigError("this run has no learning curve", where=str(run), got=f"no {METRICS}",
                                  fix="leave out --curves, or name folders that train_slayer.py wrote")
    console = Console(highlight=False)
    text = None
    if options.readme is not None:
        text = options.readme.read_text() if options.readme.is_file() else ""
        replaced(text, "", options.readme)
    rows = measure(options, console)
    for title, lines in sections(rows):
        console.print(terminal_table(title, lines))
    if options.json is not None:
        write_json(options.json, {"rows": rows, "commit": describe_commit()})
    if options.markdown is not None:
        write_text(options.markdown, as_markdown(rows, "python " + " ".join(sys.argv)))
    if options.readme is not None and text is not None:
        write_text(options.readme, replaced(text, readme_table(rows), options.readme))
    if options.curves is not None:
        draw(list(options.run), options.curves / "accuracy_curves.svg")


if __name__ == "__main__":
    with exit_on_error():
        main(tyro.cli(Options, description=__doc__))
    sys.exit(0)
