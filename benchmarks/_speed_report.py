"""Rows, tables and pictures of speed.py."""

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
from _plots import svg
from _speed_baselines import HAS_SPIKINGJELLY
from rich.console import Console

from mksgn.cli import describe_commit
from mksgn.deploy.report import hardware


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
    """What was measured, in order."""

    console: Console
    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, what: str, ours: float, unit: str, baseline: float | None = None, against: str = "",
            target: str = "", met: bool | None = None, ratio: float | None = None, spread: str = "") -> None:
        row = {"what": what, "ours": ours, "unit": unit, "against": against, "baseline": baseline, "ratio": ratio,
               "target": target, "met": met, "spread": spread}
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


def draw(curves: dict[str, list[tuple[float, float]]], path: Path) -> None:
    """One small plot per curve, log-log with a line of slope 1, into one SVG."""
    with svg(path, len(curves), (3.1 * len(curves), 3.0)) as axes:
        for axis, (name, points) in zip(axes, curves.items()):
            x, y = np.array(points).T
            axis.plot(x, y, "o-", color="#1f6f8b", label="measured")
            if "blocks" not in name:
                axis.plot(x, y[0] * x / x[0], "--", color="0.6", label="linear")
                axis.set_xscale("log", base=2)
                axis.set_yscale("log", base=2)
            else:
                axis.set_ylim(0, 1.15 * max(y))
            axis.set_xticks(x, [f"{value:g}" for value in x])
            axis.minorticks_off()
            if "blocks" not in name:
                axis.set_yticks(y, [f"{value:.2g}" for value in y])
            axis.set_xlabel(name.replace(" (", "\n("))
            axis.set_ylabel("s")
            axis.legend(frameon=False, fontsize=8)


def machine() -> dict[str, Any]:
    """What the figures were measured with."""
    packages = ("torch", "lava-nc", "lava-dl", "numpy", "numba", *(("spikingjelly",) if HAS_SPIKINGJELLY else ()))
    return {**hardware(), "torch_threads": torch.get_num_threads(),
            "python": platform.python_version(), **{name: version(name) for name in packages},
            "commit": describe_commit()}


def markdown(rows: list[dict[str, Any]], where: dict[str, Any], command: str) -> str:
    """The table for benchmarks/results."""
    lines = ["# Speed", "", f"`{command}`", "", ", ".join(f"{key} {value}" for key, value in where.items()) + ".", "",
             "Medians; ratios are baseline / ours, or ours / baseline where the target is an upper bound.", "",
             "| what | ours | against | baseline | ratio | target | met | spread |",
             "|---|---|---|---|---|---|---|---|"]
    for row in rows:
        baseline = "" if row["baseline"] is None else f"{short(row['baseline'])} {row['unit']}"
        met = {True: "yes", False: "**no**", None: ""}[row["met"]]
        lines.append(f"| {row['what']} | {short(row['ours'])} {row['unit']} | {row['against']} | {baseline} | "
                     f"{'' if row['ratio'] is None else format(row['ratio'], '.2f')} | {row['target']} | {met} | "
                     f"{row['spread']} |")
    return "\n".join(lines) + "\n"
