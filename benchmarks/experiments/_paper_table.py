"""The table of paper_rows.py: what finished trainings reached, and what each change brings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from _paper_recipe import CHANGES, NET, PRINTED, Scale, row_folder
from rich.table import Table

from mksgn.data.preprocess import tuples
from mksgn.errors import ConfigError
from mksgn.netx import read_net
from mksgn.training.recipe import PRESETS

Run = dict[str, Any]
COLUMNS = ("row", "what differs", "beside", "seeds", "float, %", "integers, %", "change of float", "change of integers",
           "firing rate")
FIGURES = ("accuracy_float", "accuracy_integer", "mean_rate", "test_samples", "protocol", "commit")
"""What a net says of its training."""


def finished_runs(out: Path, names: Sequence[str], seeds: Sequence[int], scale: Scale) -> list[Run]:
    """Figures of the trainings that have finished, in the order of rows and seeds.

    Raises
    ------
    ConfigError
        When one was made at another scale.
    """
    preset, found = PRESETS["paper"], []
    asked = {"widths": scale.widths or preset.network.widths, "epochs": scale.epochs or preset.epochs,
             "frames": scale.frames or preset.frames}
    for name in names:
        for seed in seeds:
            path = row_folder(out, name, seed) / NET
            if path.exists():
                meta = read_net(path).meta
                recipe = tuples(json.loads(meta["recipe"]))
                for choice, value in asked.items():
                    if recipe[choice] != value:
                        raise ConfigError("a training in --out was made at another scale", str(path.parent),
                                          f"{choice} {recipe[choice]}", str(value), "name another --out")
                found.append({"row": name, "seed": seed, "recipe": recipe,
                              **{figure: meta[figure] for figure in FIGURES}})
    return found


def spread(values: Sequence[float], digits: int, sign: str = "") -> str:
    """Mean and, of several, standard deviation."""
    if not values:
        return "-"
    return f"{mean(values):{sign}.{digits}f}" + (f" ± {stdev(values):.{digits}f}" if len(values) > 1 else "")


def changes(runs: Sequence[Run], name: str, figure: str) -> list[float]:
    """Points that a row is above the one beside it, seed by seed, where both have finished."""
    mine, other = ({run["seed"]: 100 * run[figure] for run in runs if run["row"] == each}
                   for each in (name, CHANGES[name].beside))
    return [value - other[seed] for seed, value in mine.items() if seed in other and name != PRINTED]


def lines(names: Sequence[str], runs: Sequence[Run]) -> list[list[str]]:
    """The text of every row; one that has not finished says so by dashes."""
    found = []
    for name in names:
        group, change = [run for run in runs if run["row"] == name], CHANGES[name]
        found.append([name, change.says, "" if name == PRINTED else change.beside, str(len(group)),
                      *(spread([100 * run[figure] for run in group], 2) for figure in FIGURES[:2]),
                      *(spread(changes(runs, name, figure), 2, "+") for figure in FIGURES[:2]),
                      spread([run["mean_rate"] for run in group], 3)])
    return found


def terminal_table(names: Sequence[str], runs: Sequence[Run]) -> Table:
    """The table, without the words on each row."""
    shown = Table(*(column for index, column in enumerate(COLUMNS) if index != 1))
    for line in lines(names, runs):
        shown.add_row(line[0], *line[2:])
    return shown


@dataclass(frozen=True)
class Page:
    """The page of Markdown.

    Parameters
    ----------
    command, commit : str
        What made it.
    names : tuple of str
        Rows.
    seeds : tuple of int
    sequences : int
        Training sequences.
    scale : Scale
        What is smaller than the preset has it.
    """

    command: str
    commit: str
    names: tuple[str, ...]
    seeds: tuple[int, ...]
    sequences: int
    scale: Scale

    def markdown(self, runs: Sequence[Run]) -> str:
        """The whole page."""
        head = ["# The paper's own network, and one change at a time", "", f"`{self.command}`, {self.commit}", "",
                *self.made(runs), "", "| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
        rows = ["| " + " | ".join(line) + " |" for line in lines(self.names, runs)]
        return "\n".join([*head, *rows]) + "\n"

    def made(self, runs: Sequence[Run]) -> list[str]:
        """At which scale it was made, how many seeds, and how far a figure can be trusted."""
        first = next((run for run in runs if run["row"] == PRINTED), runs[0])
        recipe, samples, preset = first["recipe"], first["test_samples"], PRESETS["paper"]
        error = 100 * (0.25 / samples) ** 0.5
        size = (f"Widths {'-'.join(map(str, recipe['widths']))}, {recipe['frames']} frames, {recipe['epochs']} epochs, "
                f"batches of {recipe['batch']}; {self.sequences} sequences train and {samples} test "
                f"({first['protocol']}). {self.common()}{self.taught(runs)}")
        printed = (f"widths {'-'.join(map(str, preset.network.widths))}, {preset.frames} frames, {preset.epochs} "
                   f"epochs, batches of {preset.batch}")
        warning = ["", f"**This is a smaller scale than that of the preset `paper` ({printed}). The preset's own scale "
                       "was not run.** What a change brings here need not hold there."] if self.scale != Scale() else []
        commits = sorted({run["commit"] for run in runs})
        return [size, *warning, "",
                f"Seeds: {', '.join(map(str, self.seeds))}; a row has the number of them that finished. One "
                f"accuracy has a standard error of up to {error:.1f} points; ± is the standard deviation over seeds. A "
                "change is the mean of the differences, seed by seed, from the row named under 'beside'. Float is "
                "before rounding; integers are by rounding alone, in the emulator. The trainings ran at "
                f"{', '.join(commits)}."]

    def common(self) -> str:
        """What all rows have that the preset has not."""
        words = " ".join(self.scale.student_words)
        return f"Every row has `{words}` in place of what is printed. " if words else ""

    def taught(self, runs: Sequence[Run]) -> str:
        """Who taught."""
        teachers = next((run["recipe"]["distil"]["teachers"] for run in runs if run["recipe"]["distil"]), ())
        return f"Teachers: {'; '.join(teachers)}." if teachers else "No row was taught."
