"""Accuracy and events of trained networks, in the form of the paper's Table 1 (ablation) and Table 3 (NW-UCLA).

    python benchmarks/accuracy.py --data nw_ucla.npz                                # the networks of models/
    python benchmarks/accuracy.py --data nw_ucla.npz --run runs/mksgn-4-kd runs/mksgn-4 --teacher runs/teacher-*
    python benchmarks/accuracy.py --data nw_ucla.npz --run runs/base-sgn --keep benchmarks/results/accuracy.json \\
        --json benchmarks/results/accuracy.json --markdown benchmarks/results/accuracy.md

A spiking network is run as integers on the whole test split by the emulator, whose every spike is Lava's
(deploy/run_lava.py --check), and its events are counted. Runs that differ in their seed only become one line: mean and
standard deviation, and how many. The paper's figure stands beside each; its networks are floating point, on a GPU, and
its Table 1 is of NTU RGB+D 60. A network nobody has trained says so. The test split is read here and at the end of a
training, and chooses nothing.

--keep takes rows of an earlier --json, of runs that lie elsewhere; a run given again replaces its row. --readme puts
the short table in its place, which is docs/results.md: all rows, or those of --headline.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, TaskID

from mksgn.commit import describe_commit
from mksgn.errors import ConfigError
from mksgn.programs.console import exit_on_error, print_table, sample_progress
from mksgn.programs.options import parse

ROOT = Path(__file__).resolve().parent.parent
METRICS = "metrics.jsonl"
LINES, COLOURS = ("-", "--", ":"), 10
"""Line styles of the curves, and colours: matplotlib repeats its colours after so many, here in the next style."""


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
    headline: tuple[str, ...] = ()
    """Rows of the --readme, by the names of their runs, in this order; default: all."""
    curves: Path | None = None
    """Draw the learning curves of all --run and --teacher into this .svg; --markdown names every
    accuracy_curves*.svg beside it."""


if __name__ == "__main__":
    with exit_on_error():
        given = parse(Options, __doc__)  # before the heavy imports: --help and a misspelt option answer at once

from _accuracy_rows import Row, ann_rows, kept_row, spiking_row
from _accuracy_tables import as_markdown, check_headline, headlines, readme_table, replaced, sections, terminal_table

from mksgn.programs.kept import read_kept
from mksgn.programs.outputs import check_writable, write_json, write_text
from mksgn.report.figures import LEGEND_LINE, legend_below, svg
from mksgn.report.network_names import NAMES, labels


def draw(runs: list[Path], names: dict[str, str], path: Path) -> None:
    """Accuracy on the training samples (augmented) and loss of every run that had epochs, epoch by epoch.

    Parameters
    ----------
    runs : list of Path
    names : dict of run to str
        What the network of each run is called.
    path : Path
    """
    lines = {run: [json.loads(line) for line in (run / METRICS).read_text().splitlines()] for run in runs}
    curves = {run: [line for line in found if "loss" in line and line.get("stage", "float") == "float"]
              for run, found in lines.items()}
    drawn = {run: epochs for run, epochs in curves.items() if epochs}
    with svg(path, 2, (9.0, 3.6 + LEGEND_LINE * len(drawn))) as (left, right):
        for index, (run, epochs) in enumerate(drawn.items()):
            style = LINES[index // COLOURS % len(LINES)]
            number = range(1, len(epochs) + 1)
            left.plot(number, [line["loss"] for line in epochs], style, label=names[run.name])
            right.plot(number, [100 * line["accuracy"] for line in epochs], style)
        left.set_ylabel("training loss (of a taught network with the soft labels)")
        right.set_ylabel("training accuracy (augmented), %")
        for axis in (left, right):
            axis.set_xlabel("epoch of the floating-point training")
            axis.grid(alpha=0.3)
        legend_below(left)


def advance(bar: Progress, task: TaskID, done: int) -> None:
    """So many samples have run."""
    bar.update(task, completed=done)


def measure(options: Options, console: Console) -> list[Row]:
    """Kept rows and those of all runs given: MK-SGN first, most modalities first, taught ones first."""
    kept: list[Row] = []
    if options.keep is not None:
        kept = read_kept(options.keep, "rows", "--keep", "--json", lambda file: [kept_row(row) for row in file["rows"]])
    runs = list(options.run)
    if not (runs or options.teacher or kept):
        runs = sorted(path.parent for path in (ROOT / "models").glob("*/mksgn.net"))
    rows = ann_rows(list(options.teacher))
    check_headline(options.headline, [row["run"] for row in kept + rows] + [run.name for run in runs])
    for run in runs:
        with sample_progress(console) as bar:
            task = bar.add_task(run.name, total=None)
            rows.append(spiking_row(run, options.data, partial(advance, bar, task)))
    again = {row["run"] for row in rows}
    names = list(NAMES.values())
    return sorted([row for row in kept if row["run"] not in again] + rows, key=lambda row: (
        names.index(row["network"]), -len(row["modalities"]), not row["distilled"]))


def main(options: Options) -> None:
    for name in ("json", "markdown", "curves"):
        path = getattr(options, name)
        if path is not None:
            check_writable(path, f"--{name}")
    if options.curves is not None:
        for run in options.run + options.teacher:
            if not (run / METRICS).is_file():
                raise ConfigError("this run has no learning curve", where=str(run), got=f"no {METRICS}",
                                  fix="leave out --curves, or name folders that a training wrote")
    console = Console(highlight=False)
    text = None
    if options.readme is not None:
        text = options.readme.read_text() if options.readme.is_file() else ""
        replaced(text, "", options.readme)
    commit = describe_commit()  # before anything that git tracks is written
    rows = measure(options, console)
    for title, lines in sections(rows):
        print_table(console, terminal_table(title, lines))
    if options.json is not None:
        write_json(options.json, {"rows": rows, "commit": commit})
    if options.markdown is not None:
        command = f"`python {' '.join(sys.argv)}`, {commit}"
        write_text(options.markdown, as_markdown(rows, command, _curves(options)))
    if options.readme is not None and text is not None:
        write_text(options.readme, replaced(text, readme_table(headlines(rows, options.headline)), options.readme))
    if options.curves is not None:
        draw([*options.run, *options.teacher], labels(rows), options.curves)


def _curves(options: Options) -> list[str]:
    """Files that --markdown names: those beside it, and the one that is about to be drawn there."""
    assert options.markdown is not None
    here = options.markdown.resolve().parent
    names = {path.name for path in here.glob("accuracy_curves*.svg")}
    if options.curves is not None and options.curves.resolve().parent == here:
        names.add(options.curves.name)
    return sorted(names)


if __name__ == "__main__":
    with exit_on_error():
        main(given)
    sys.exit(0)
