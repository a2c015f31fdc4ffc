"""Train the flagship with one command: a teacher, two members that it teaches, both joined in one mksgn.net.

    python train/train_mksgn.py --data nw_ucla.npz --out runs/flagship --seed 0
    python train/train_mksgn.py --data nw_ucla.npz --out runs/flagship --seed 0      # again: goes on where it stopped
    python train/train_mksgn.py --data nw_ucla.npz --out runs/second --seed 1 --teachers runs/flagship   # same teacher
    python train/train_mksgn.py --data nw_ucla.npz --out runs/flagship --plan        # says what it would do

The recipe stands in mksgn/training/flagship.py and reads top to bottom. The plan is printed first: each training, its
command, and about how long it takes on one core. A training that has finished is left alone, and one that was killed
goes on from its last epoch. Each prints its own progress, and after an epoch how long it will take here.

The same command takes other bodies, classes and frame rates, and needs no option to start. For other data change
--persons where two act, and the split (--protocol, --test-subjects, --test-views). --member and --teacher take any
further option of train_slayer.py and train_teacher.py: --frames for long clips, in both; and in --member
--synop-target, the operations that cost nothing, which are 42e6 for 20 joints and 32 frames.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console

from mksgn.data.sources import SYNTHETIC
from mksgn.programs.console import exit_on_error
from mksgn.programs.options import parse
from mksgn.programs.reading import SPLIT_BY_IDS, Splitting

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Options:
    """Train teachers and members, and join them; see the head of this file."""

    out: Path
    """Folder for everything; mksgn.net, the joined network, is in it."""
    data: str = SYNTHETIC
    """Recordings, as train_slayer.py reads them."""
    seed: int = 0
    """Seed of the members; the teachers' is 0."""
    teachers: Path | None = None
    """Folder of an earlier --out whose teachers teach again."""
    modality: Literal["early", "all"] = "early"
    """What the teachers read, as in train_teacher.py: 'early' is one CTR-GCN that reads all four modalities; 'all' are
    four, one for each, at four times the cost."""
    splitting: Splitting = SPLIT_BY_IDS
    persons: int | None = None
    """Persons per sample (NTU: 2)."""
    threads: int | None = None
    """CPU threads of each training."""
    device: str | None = None
    """Where to train: auto, cpu or cuda."""
    teacher: str = ""
    """Further options of train_teacher.py, in one string: --teacher="--epochs 20"."""
    member: str = ""
    """Further options of train_slayer.py, in one string."""
    plan: bool = False
    """Print the plan and stop."""


if __name__ == "__main__":
    with exit_on_error():
        given = parse(Options, __doc__)  # before the heavy imports: --help and a misspelt option answer at once

from mksgn.data.sources import load
from mksgn.data.splits import split
from mksgn.training.flagship import steps
from mksgn.training.steps import Step, run_steps, show_plan, words_of


def planned(options: Options) -> list[Step]:
    """The steps of the recipe with these options."""
    shared = {"--protocol": options.splitting.described(), "--persons": options.persons, "--threads": options.threads,
              "--device": options.device}
    words = tuple(word for name, value in shared.items() if value is not None for word in (name, str(value)))
    return list(steps(options.data, options.out, options.seed, options.teachers or options.out, options.modality,
                      words, words_of(options.teacher), words_of(options.member)))


def main(options: Options) -> None:
    console = Console()
    found = planned(options)
    pack = load(options.data)
    show_plan(found, len(split(pack, options.splitting.described(), val_fraction=0).train), console)
    if options.plan:
        return
    run_steps(found, HERE)
    console.print(f"the flagship: {options.out / 'mksgn.net'}", soft_wrap=True)


if __name__ == "__main__":
    with exit_on_error():
        main(given)
    sys.exit(0)
