"""Which of the paper's ideas help on NW-UCLA, and which of our changes: MK-SGN as printed, then one change at a time.

    python benchmarks/experiments/paper_rows.py --data nw_ucla.npz --out runs/rows --plan      # what it would cost
    python benchmarks/experiments/paper_rows.py --data nw_ucla.npz --out runs/rows --markdown rows.md
    python benchmarks/experiments/paper_rows.py --data nw_ucla.npz --out runs/rows --seeds 0 --row sum averaged \\
        --widths 8 8 16 16 32 32 --epochs 10 --batch 32                                        # smaller

The rows stand in _paper_recipe.py. The first is the preset 'paper': half of Table 7's widths, T = 4, four modalities,
SMF, Eq. 10, the paper's loss with FTM, and the settings of Tables 4 and 5. Every other row is that with one change; the
row of T = 1 adds modalities up, because SMF needs several steps, and so is compared with the row 'sum'. Input and
augmentation are ours in all rows: the paper does not describe its own. Four CTR-GCNs of one seed teach all rows.

A training that has finished is left alone, and one that was killed goes on: the same command continues. The table shows
what has finished. Rows are chosen by the protocol nw-ucla-dev, view 1 for training and view 2 for the test, so that
view 3 has no part in it.
"""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from mksgn.data.sources import SYNTHETIC
from mksgn.errors import ConfigError
from mksgn.limits import check_limits
from mksgn.programs.console import exit_on_error, print_table
from mksgn.programs.options import parse

TRAIN = Path(__file__).resolve().parent.parent.parent / "train"


@dataclass(frozen=True)
class Options:
    """The paper's own network, and each change alone; see the head of this file."""

    out: Path
    """Folder for the trainings."""
    data: str = SYNTHETIC
    """Recordings, as train_slayer.py reads them."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Every row is trained with each of these; the teachers' seed is 0."""
    row: tuple[str, ...] = ()
    """Rows to train, by name. Default: all. The paper's own and those that a row is compared with come along."""
    protocol: str | None = "nw-ucla-dev"
    """How the data is split, as in train_slayer.py."""
    teachers: Path | None = None
    """Folder that holds, or is to hold, the teachers. Default: --out."""
    widths: tuple[int, ...] | None = None
    """Channels of each layer, to make it smaller. Default, as of the next three: the preset's."""
    epochs: int | None = None
    """Epochs of every row."""
    batch: int | None = None
    """Samples per optimiser step; the row adamw has its own."""
    frames: int | None = None
    """Frames of a sample."""
    student: str = ""
    """Further options of train_slayer.py for every row, in one string, where the printed ones do not learn at a smaller
    scale: --student="--lr 0.01"."""
    teacher: str = ""
    """Further options of train_teacher.py, in one string: --teacher="--epochs 20"."""
    threads: int | None = None
    """CPU threads of each training."""
    device: str | None = None
    """Where to train: auto, cpu or cuda."""
    plan: bool = False
    """Print the plan and its cost, and stop."""
    json: Path | None = None
    """Write the figures of every finished training here."""
    markdown: Path | None = None
    """Write the table here, after every training anew."""


if __name__ == "__main__":
    with exit_on_error():
        given = parse(Options, __doc__)  # before the heavy imports: --help and a misspelt option answer at once

from _paper_recipe import CHANGES, PRINTED, Scale, steps
from _paper_table import Page, finished_runs, terminal_table

from mksgn.commit import describe_commit
from mksgn.data.sources import load
from mksgn.data.splits import split
from mksgn.programs.outputs import check_writable, write_json, write_text
from mksgn.training.steps import Step, run_steps, show_plan, words_of


def chosen(names: tuple[str, ...]) -> tuple[str, ...]:
    """The rows of these names and those that they are compared with, in the table's order.

    Raises
    ------
    ConfigError
        When there is no such row.
    """
    unknown = [name for name in names if name not in CHANGES]
    if unknown:
        raise ConfigError("there is no such row", "--row", unknown[0], ", ".join(CHANGES))
    wanted = set(names or CHANGES) | {PRINTED}
    wanted |= {CHANGES[name].beside for name in wanted}
    return tuple(name for name in CHANGES if name in wanted)


def scale_of(options: Options) -> Scale:
    """How large the rows are."""
    smaller = () if options.frames is None else ("--frames", str(options.frames))
    return Scale(widths=options.widths, epochs=options.epochs, batch=options.batch, frames=options.frames,
                 student_words=words_of(options.student), teacher_words=(*smaller, *words_of(options.teacher)))


def planned(options: Options, names: tuple[str, ...]) -> list[Step]:
    """The trainings with these options."""
    shared = {"--protocol": options.protocol, "--threads": options.threads, "--device": options.device}
    words = tuple(word for name, value in shared.items() if value is not None for word in (name, str(value)))
    return list(steps(options.data, options.out, options.teachers or options.out, names, options.seeds,
                      scale_of(options), words))


def main(options: Options) -> None:
    check_limits(options)
    options = replace(options, seeds=tuple(dict.fromkeys(options.seeds)))
    for name in ("json", "markdown"):
        path = getattr(options, name)
        if path is not None:
            check_writable(path, f"--{name}")
    names, console, commit = chosen(options.row), Console(highlight=False), describe_commit()
    found = planned(options, names)
    sequences = len(split(load(options.data), options.protocol, val_fraction=0).train)
    show_plan(found, sequences, console)
    if options.plan:
        return
    page = Page(command="python " + shlex.join(sys.argv), commit=commit, names=names, seeds=options.seeds,
                sequences=sequences, scale=scale_of(options))
    runs = finished_runs(options.out, names, options.seeds, scale_of(options))
    for step in found:
        run_steps([step], TRAIN)
        runs = finished_runs(options.out, names, options.seeds, scale_of(options))
        if options.markdown is not None and runs:
            write_text(options.markdown, page.markdown(runs))
        if options.json is not None and runs:
            write_json(options.json, {"rows": runs, "commit": commit})
    print_table(console, terminal_table(names, runs))


if __name__ == "__main__":
    with exit_on_error():
        main(given)
    sys.exit(0)
