"""Several trainings as one plan: what is finished is left alone, what was begun goes on. Nothing here imports torch."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mksgn.errors import ConfigError, MksgnError
from mksgn.programs.console import print_table


@dataclass(frozen=True)
class Step:
    """One training, or the joining of several.

    Parameters
    ----------
    kind : str
        'teacher', 'member', 'join', ..., as the plan calls it.
    program : str
        Of the folder train/.
    words : tuple of str
        Its options, without --out.
    out : Path
        Its folder.
    finished : str
        File that it leaves when it has finished.
    begun : str
        File that it leaves before; empty: it cannot be resumed.
    core_seconds : float
        Seconds that an epoch takes per training sequence on one core; 0: nothing to speak of.
    """

    kind: str
    program: str
    words: tuple[str, ...]
    out: Path
    finished: str
    begun: str = "checkpoint.safetensors"
    core_seconds: float = 0.0

    @property
    def state(self) -> str:
        """'finished', 'begun' or 'to do'."""
        if (self.out / self.finished).exists():
            return "finished"
        return "begun" if self.begun and (self.out / self.begun).exists() else "to do"

    def command(self) -> tuple[str, ...]:
        """Program and options that begin it, or go on with it."""
        if self.state == "begun":
            return self.program, "--resume", "--out", str(self.out)
        return self.program, *self.words, "--out", str(self.out)

    def seconds(self, sequences: int) -> float:
        """About how long it takes on one core."""
        epochs = int(self.words[self.words.index("--epochs") + 1]) if "--epochs" in self.words else 0
        return self.core_seconds * epochs * sequences


def merged(recipe: tuple[str, ...], *given: tuple[str, ...]) -> tuple[str, ...]:
    """Options of a recipe, overruled by those ``given``: each name once, with the values that came last."""
    found: dict[str, list[str]] = {}
    for words in (recipe, *given):
        name = ""
        for word in words:
            if word.startswith("--"):
                name, *value = word.split("=", 1)
                found[name] = list(value)
            elif name:
                found[name].append(word)
            else:
                raise ConfigError("options begin with --", got=word, fix="write '--name value'")
    return tuple(word for name, values in found.items() for word in (name, *values))


def words_of(text: str) -> tuple[str, ...]:
    """Options in one string, as a shell would part them."""
    return tuple(shlex.split(text))


def show_plan(steps: Sequence[Step], sequences: int, console: Console) -> None:
    """What is to be done, and about how long it takes.

    Parameters
    ----------
    sequences : int
        Training sequences.
    """
    table = Table("step", "folder", "state", "hours", title=f"{len(steps)} steps, {sequences:,} training sequences")
    left = 0.0
    for step in steps:
        hours = step.seconds(sequences) / 3600
        left += hours if step.state != "finished" else 0
        table.add_row(step.kind, str(step.out), step.state, f"{hours:.1f}" if hours else "-")
    print_table(console, table)
    for step in steps:
        if step.state != "finished":
            console.print(f"  python train/{shlex.join(step.command())}", markup=False, highlight=False,
                          soft_wrap=True)
    console.print(f"about {left:.1f} hours on one core of a Xeon with AMX, by times measured on NW-UCLA; other "
                  "processors, bodies, frames or persons take longer or shorter", soft_wrap=True)


def run_steps(steps: Sequence[Step], programs: Path) -> None:
    """Do what is not finished, in order, each step in a process of its own.

    Parameters
    ----------
    programs : Path
        The folder train/.

    Raises
    ------
    MksgnError
        When a step fails; it has said why.
    """
    for step in steps:
        if step.state == "finished":
            continue
        program, *words = step.command()
        done = subprocess.run([sys.executable, str(programs / program), *words])
        if done.returncode:
            raise MksgnError(f"{step.kind} {step.out.name} ended with exit code {done.returncode}",
                             where=str(step.out), fix="see what it said; the same command goes on from there")
