"""Rows, tables and pictures of `python benchmarks/speed`."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _baselines import HAS_SPIKINGJELLY
from rich.console import Console
from rich.table import Table

from mksgn.commit import describe_commit
from mksgn.errors import ConfigError
from mksgn.programs.console import print_table
from mksgn.programs.kept import read_kept
from mksgn.report.figures import LEGEND_LINE, legend_below, svg
from mksgn.report.provenance import hardware

CURVES = "speed_scaling.svg"
"""The picture of the scaling curves."""


def take_turns(candidates: Mapping[str, Callable[[], Any]], rounds: int, warm: int = 1,
               calls: int = 1) -> dict[str, list[float]]:
    """Seconds per call of every candidate, ``rounds`` turns of ``calls`` calls, after ``warm`` unmeasured rounds."""
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(warm + rounds):
        for name, run in candidates.items():
            began = time.perf_counter()
            for _ in range(calls):
                run()
            if number >= warm:
                times[name].append((time.perf_counter() - began) / calls)
    return times


@dataclass
class Rows:
    """Measured rows, in order; ``commit`` is noted with every one."""

    console: Console
    commit: str = ""
    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, what: str, ours: float, unit: str, baseline: float | None = None, against: str = "",
            target: str = "", met: bool | None = None, ratio: float | None = None, spread: str = "") -> None:
        row = {"what": what, "ours": ours, "unit": unit, "against": against, "baseline": baseline, "ratio": ratio,
               "target": target, "met": met, "spread": spread, "commit": self.commit}
        self.rows.append(row)
        beside = f", {against}: {short(baseline)} {unit}" if baseline is not None else ""
        self.console.print(f"{what}: {short(ours)} {unit}{beside}" + (f"; ratio {ratio:.2f}" if ratio else "")
                           + (f"; target {target}: {'met' if met else 'MISSED'}" if target else ""), markup=False)

    def pair(self, what: str, times: dict[str, list[float]], ours: str, baseline: str, target: float | None,
             at_most: bool = False) -> None:
        """A row of two measured times; the ratio is baseline over ours, or ours over baseline with ``at_most``."""
        left, right = statistics.median(times[ours]), statistics.median(times[baseline])
        ratio = left / right if at_most else right / left
        spread = "; ".join(f"{name} {short(min(times[name]))}..{short(max(times[name]))}" for name in (ours, baseline))
        met = None if target is None else (ratio <= target if at_most else ratio >= target)
        sign = "<=" if at_most else ">="
        self.add(what, left, "s", right, baseline, "" if target is None else f"{sign} {target:g}", met, ratio, spread)


def short(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


@dataclass
class Curve:
    """A time that grows with a size.

    Parameters
    ----------
    size : str
        What grows: the label of the horizontal axis.
    timed : str
        What is timed, in seconds: the label of the vertical axis.
    of : str
        The network, and what stays as it is.
    points : list of (float, list of float)
        Each size, and the seconds of every turn.
    linear : bool
        Whether growth in proportion is what one would expect: axes are logarithmic then, with a line of slope 1.
    commit : str
        The commit that measured it.
    """

    size: str
    timed: str
    of: str
    points: list[tuple[float, list[float]]] = field(default_factory=list)
    linear: bool = True
    commit: str = ""

    def medians(self) -> list[float]:
        """The median of the turns at each size."""
        return [statistics.median(seconds) for _, seconds in self.points]


def draw(curves: list[Curve], path: Path) -> None:
    """One small plot per curve, with the fastest and slowest turn as error bars, into one SVG."""
    with svg(path, len(curves), (3.2 * len(curves), 3.4 + 2 * LEGEND_LINE)) as axes:
        for axis, curve in zip(axes, curves):
            x, y = np.array([size for size, _ in curve.points]), np.array(curve.medians())
            turns = [seconds for _, seconds in curve.points]
            reach = np.array([[middle - min(each), max(each) - middle] for middle, each in zip(y, turns)]).T
            axis.errorbar(x, y, reach, fmt="o-", color="#1f6f8b", capsize=3,
                          label="median of the turns; bars: the fastest and the slowest turn")
            if curve.linear:
                axis.plot(x, y[0] * x / x[0], "--", color="0.6", label="growth in proportion to the first point")
                axis.set_xscale("log", base=2)
                axis.set_yscale("log", base=2)
                axis.set_yticks(y, [f"{value:.2g}" for value in y])
            else:
                axis.set_ylim(0, 1.15 * max(max(each) for each in turns))
            axis.set_xticks(x, [f"{value:g}" for value in x])
            axis.minorticks_off()
            axis.set_xlabel(curve.size)
            axis.set_ylabel(f"{curve.timed}, s")
            axis.set_title(curve.of, fontsize=8)
        legend_below(axes[0])


def machine() -> dict[str, Any]:
    """The machine and the versions that the figures are measured with."""
    packages = ("torch", "lava-nc", "lava-dl", "numpy", "numba", *(("spikingjelly",) if HAS_SPIKINGJELLY else ()))
    return {**hardware(), "torch_threads": torch.get_num_threads(),
            "python": platform.python_version(), **{name: version(name) for name in packages},
            "commit": describe_commit()}


def kept(path: Path, where: dict[str, Any]) -> tuple[list[dict[str, Any]], list[Curve]]:
    """Rows and curves of an earlier --json, each with its commit.

    Raises
    ------
    ConfigError
        When the file holds none, or those of another machine.
    """

    def use(file: dict[str, Any]) -> tuple[str, list[dict[str, Any]], list[Curve]]:
        return (f"{file['cpu']}, {file['cpu_count']} cores",
                [{**row, "commit": row.get("commit", file["commit"])} for row in file["rows"]],
                [Curve(**{"commit": file["commit"], **curve}) for curve in file["curves"]])

    measured_on, rows, curves = read_kept(path, "rows", "--keep", "--json", use)
    here = f"{where['cpu']}, {where['cpu_count']} cores"
    if measured_on != here:
        raise ConfigError("these rows are of another machine", where=f"--keep {path}", got=measured_on, allowed=here,
                          fix="measure all sections on one machine")
    return rows, curves


def joined(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of two runs: a row that both measured is the new one, in the old one's place."""
    rows = {(row["what"], row["against"]): row for row in (*old, *new)}
    return list(rows.values())


def cells(row: dict[str, Any]) -> list[str]:
    """A row as text, up to whether its target is met."""
    baseline = "" if row["baseline"] is None else f"{short(row['baseline'])} {row['unit']}"
    return [row["what"], f"{short(row['ours'])} {row['unit']}", row["against"], baseline,
            "" if row["ratio"] is None else f"{row['ratio']:.2f}", row["target"]]


def show(console: Console, rows: list[dict[str, Any]]) -> None:
    """The rows on the terminal."""
    table = Table("what", "ours", "against", "baseline", "ratio", "target", "met")
    for row in rows:
        table.add_row(*cells(row), {True: "yes", False: "[red]no[/]", None: ""}[row["met"]])
    print_table(console, table)


def markdown(rows: list[dict[str, Any]], curves: list[Curve], where: dict[str, Any], command: str) -> str:
    """The table for benchmarks/results; the commit stands in each row where the rows are of several."""
    columns = ["what", "ours", "against", "baseline", "ratio", "target", "met", "spread"]
    several = len({row["commit"] for row in rows}) > 1
    lines = ["# Speed", "", f"`{command}`", "", ", ".join(f"{key} {value}" for key, value in where.items()) + ".", "",
             "Medians; ratios are baseline / ours, or ours / baseline where the target is an upper bound.", "",
             "| " + " | ".join([*columns, *(["commit"] if several else [])]) + " |",
             "|---" * (len(columns) + several) + "|"]
    for row in rows:
        met = {True: "yes", False: "**no**", None: ""}[row["met"]]
        lines.append("| " + " | ".join([*cells(row), met, row["spread"], *([row["commit"]] if several else [])]) + " |")
    if curves:
        commits = ", ".join(sorted({curve.commit for curve in curves}))
        lines += ["", f"Times over sizes: [{CURVES}]({CURVES}), {commits}."]
    return "\n".join(lines) + "\n"
