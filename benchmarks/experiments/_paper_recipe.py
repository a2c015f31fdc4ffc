"""The rows of paper_rows.py: MK-SGN as the paper prints it, and what each row changes of it. Read it top to bottom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mksgn.training.flagship import TEACHER, teacher_steps
from mksgn.training.recipe import PRESETS
from mksgn.training.steps import Step, merged
from mksgn.training.streams import ALL

PRINTED = "printed"
NET = "mksgn.net"
CORE_SECONDS = 0.1
"""Seconds that an epoch of the preset 'paper', taught, takes per training sequence on one core: an estimate from the
training step of benchmarks/results/speed.md and what teachers add to one (docs/decisions/0005)."""


@dataclass(frozen=True)
class Change:
    """One row of the table.

    Parameters
    ----------
    says : str
        The row's text.
    words : tuple of str
        Options of train_slayer.py that differ from those of the preset 'paper'.
    beside : str
        The row with which it is compared, which differs from it in one thing.
    taught : bool
        Whether teachers have a part in it.
    """

    says: str
    words: tuple[str, ...] = ()
    beside: str = PRINTED
    taught: bool = True


CHANGES: dict[str, Change] = {
    PRINTED: Change("the paper's: T = 4, SMF, Eq. 10, Eq. 26-32, SGD with one step, surrogate of width 1, fixed joint "
                    "mixing"),
    "sum": Change("modalities added up, in place of SMF", ("--fusion", "sum")),
    "ce-kl": Change("cross-entropy and divergence at a temperature, in place of L_b and L_sdk", ("--distil", "ce-kl")),
    "surrogate": Change("surrogate of width 2, in place of 1", ("--surrogate-width", "2")),
    "learned": Change("learned joint mixing, in place of the body's", ("--graph-conv", "learned")),
    # SMF shuffles time steps: one step has none to shuffle.
    "one-step": Change("T = 1, in place of 4", ("--fusion", "sum", "--time-steps", "1"), beside="sum"),
    "averaged": Change("weights averaged over the last 30 % of the epochs", ("--average-part", "0.3")),
    "masks": Change("attention by masks, in place of Eq. 10", ("--attention", "mask")),
    "adamw": Change("AdamW, one cycle and batches of 16, in place of SGD, one step and batches of 120",
                    ("--optimiser", "adamw", "--schedule", "one-cycle", "--lr", "3e-3", "--weight-decay", "0.05",
                     "--batch", "16")),
    "no-features": Change("no features taught (no FTM)", ("--gamma", "1", "1", "0")),
    "untaught": Change("no teacher: cross-entropy alone", taught=False),
}
"""What is changed, each alone. The first six after the paper's own are changes of ours; the last two leave out a part
of the paper's."""


@dataclass(frozen=True)
class Scale:
    """What may be smaller than printed; None: as the preset 'paper' has it.

    Parameters
    ----------
    widths : tuple of int
        Channels of each layer.
    epochs, batch, frames : int
        Of every row; ``adamw`` has batches of its own.
    student_words, teacher_words : tuple of str
        Further options of train_slayer.py for every row, and of train_teacher.py.
    """

    widths: tuple[int, ...] | None = None
    epochs: int | None = None
    batch: int | None = None
    frames: int | None = None
    student_words: tuple[str, ...] = ()
    teacher_words: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """Options of train_slayer.py. The step of the learning rate stays at the same part of the epochs."""
        recipe = PRESETS["paper"]
        given: dict[str, int | tuple[int, ...] | None] = {
            "--widths": self.widths, "--epochs": self.epochs or recipe.epochs, "--batch": self.batch,
            "--frames": self.frames}
        if self.epochs:
            given["--lr-step"] = round(self.epochs * recipe.lr_step / recipe.epochs)
        smaller = tuple(word for name, value in given.items() if value
                        for word in (name, *map(str, value if isinstance(value, tuple) else (value,))))
        return merged(smaller, self.student_words)

    @property
    def cost(self) -> float:
        """Cost of a sequence beside that of the preset, by widths and frames: work grows about linearly with both, and
        small networks cost more than that says."""
        recipe = PRESETS["paper"]
        wide = sum(self.widths or recipe.network.widths) / sum(recipe.network.widths)
        return wide * (self.frames or recipe.frames) / recipe.frames


def row_folder(out: Path, name: str, seed: int) -> Path:
    """Folder of a row's training."""
    return out / f"{name}-{seed}"


def steps(data: str, out: Path, teachers: Path, names: tuple[str, ...], seeds: tuple[int, ...], scale: Scale,
          shared: tuple[str, ...] = ()) -> Iterator[Step]:
    """The trainings: teachers, then all rows of the first seed, then of the next.

    Parameters
    ----------
    data : str
    out, teachers : Path
        Folders of the rows, and of the teachers.
    names : tuple of str
        Keys of ``CHANGES``.
    seeds : tuple of int
    scale : Scale
    shared : tuple of str
        Further options of all trainings.
    """
    lessons: list[str] = []
    if any(CHANGES[name].taught for name in names):
        for step in teacher_steps(data, teachers, ALL, merged(TEACHER, shared, scale.teacher_words)):
            yield step
            lessons.append(str(step.out))
    for seed in seeds:
        for name in names:
            change = CHANGES[name]
            taught = ("--teacher", *lessons, *(() if "--distil" in change.words else ("--distil", "paper")))
            words = merged(("--preset", "paper", "--val-subjects"), scale.words, change.words, shared,
                           taught if change.taught else ())
            part = 0.5 if "--time-steps" in change.words else 1.0  # the teachers cost as much at T = 1
            yield Step(f"{name}, seed {seed}", "train_slayer.py", ("--data", data, *words, "--seed", str(seed)),
                       row_folder(out, name, seed), NET, core_seconds=CORE_SECONDS * scale.cost * part)
