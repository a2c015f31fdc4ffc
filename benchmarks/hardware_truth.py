"""Hold the time and energy model of Loihi 2 against every run that others have published and that we can rebuild.

    python benchmarks/hardware_truth.py                                # published, ours, factor: run by run
    python benchmarks/hardware_truth.py --json truth.json --svg truth.svg
    python benchmarks/hardware_truth.py --markdown benchmarks/results/hardware_truth.md \
        --svg benchmarks/results/hardware_truth.svg

PilotNet LIF runs here, spike for spike as it was recorded. Of all other runs the shapes are published, and the events
are assumptions that are printed. The few constants of the models are fitted to all runs, and each run is predicted by
constants that were fitted to the runs of the other works.
"""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from mksgn.commit import describe_commit
from mksgn.programs.console import exit_on_error, print_table
from mksgn.programs.options import parse


@dataclass(frozen=True)
class Options:
    """Published runs on Loihi 2 beside our models."""

    json: Path | None = None
    """Write the results here, whole or not at all."""
    markdown: Path | None = None
    """Write the tables here as Markdown."""
    svg: Path | None = None
    """Draw published against modelled figures here."""

    def validate(self) -> None:
        """Refuse what cannot be written, before anything runs."""
        for option, path in (("--json", self.json), ("--markdown", self.markdown), ("--svg", self.svg)):
            if path is not None:
                check_writable(path, option)


if __name__ == "__main__":
    with exit_on_error():
        given = parse(Options, __doc__)  # before the heavy imports: --help and a misspelt option answer at once

from _compile_logs import rows
from _published_runs import LEFT_OUT
from _rebuilt_runs import ASSUMPTIONS, STATED, rebuild
from _truth_fit import (
    ENERGY,
    STATIC,
    TIME,
    Bounds,
    Fit,
    Prediction,
    energy_rows,
    predict,
    scaled,
    slowest,
    static_rows,
    summed,
    time_rows,
)
from _truth_report import markdown, notes, picture, tables

from mksgn.energy.costs import Range, cost_models
from mksgn.programs.outputs import check_writable, write_json, write_text

TABLE = "loihi2-fitted"
_COMMAND = ("python benchmarks/hardware_truth.py --markdown benchmarks/results/hardware_truth.md "
            "--svg benchmarks/results/hardware_truth.svg")


def measure() -> dict[str, Any]:
    """Rebuild, fit and predict: everything that is reported."""
    runs = rebuild()
    static, powers = predict(static_rows(runs), STATIC, summed)
    time, times = predict(time_rows(runs), TIME, slowest)
    energy, energies = predict(energy_rows(runs, static), ENERGY, summed)
    return {
        "time": list(_rows(scaled(times, 1e-3))), "dynamic": list(_rows(scaled(energies, 1e-9))),
        "static": list(_rows(scaled(powers, 1e-3))), "compile_logs": [asdict(row) for row in rows()],
        "constants": [*_constants("slowest", "ns", time, TIME), *_constants("energy", "pJ", energy, ENERGY),
                      *_constants("static", "mW", static, STATIC)],
        "assumptions": [asdict(each) for each in ASSUMPTIONS], "stated": [list(each) for each in STATED],
        "left_out": [list(each) for each in LEFT_OUT], "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in ("lava-dl", "numpy")},
        "commit": describe_commit()}


def _rows(predictions: Iterable[Prediction]) -> Iterable[dict[str, Any]]:
    for each in predictions:
        yield {"run": each.run.name, "group": each.run.group, "source": each.run.source, "exact": each.run.exact,
               "published": each.measured, "fitted": each.fitted.values.tolist(),
               "held_out": each.held_out.values.tolist(), "factor": each.factor}


def _constants(section: str, unit: str, found: Fit, bounds: dict[str, Bounds]) -> Iterable[dict[str, Any]]:
    known = cost_models()[TABLE].constants
    for name, value in found.constants.items():
        held: Range = known[f"{section}.{'update_active' if (section, name) == ('energy', 'update') else name}"].value
        yield {"constant": f"{section}.{name}", "unit": unit, "fitted": value.values.tolist(),
               "table": held.values.tolist(), "published": [bounds[name].low, bounds[name].high],
               "why": bounds[name].why}


def main(options: Options) -> int:
    options.validate()
    console = Console(highlight=False)
    with console.status("published runs: rebuilding, fitting, predicting"):
        record = measure()
    for table in tables(record):
        print_table(console, table.rich())
    for note in notes(record):
        console.print(f"- {note}", markup=False)
    if options.json is not None:
        write_json(options.json, record)
    if options.markdown is not None:
        write_text(options.markdown, markdown(record, _COMMAND))
    if options.svg is not None:
        write_text(options.svg, picture(record))
    return 0


if __name__ == "__main__":
    with exit_on_error():
        sys.exit(main(given))
