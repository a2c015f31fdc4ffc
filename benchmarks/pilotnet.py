"""Hold the cost models against a measurement of Loihi 2 that others made: PilotNet LIF.

    python benchmarks/pilotnet.py                          # cores, samples/s and energy beside the published figures
    python benchmarks/pilotnet.py --json pilotnet.json --results benchmarks/results/pilotnet.md

lava-dl's wheel carries the network, a frame of its driving data, and the spikes that its authors recorded; lava-dl's
tutorial netx/pilotnet_snn/benchmark.ipynb publishes throughput, power and the compiler's layer sizes for the same
network on one Loihi 2. Here the emulator runs the frame, its spikes are compared with the recorded ones, the events
are placed on cores and priced. Nothing is fitted to the result.

Three placements are priced: the compiler's own, rebuilt from its log, and our mapper's for the fewest cores and for
the least time. As in the tutorial, the frame stands in the bias of the first neurons: it costs no messages and no
multiplications.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console

from mksgn.commit import describe_commit
from mksgn.errors import ConfigError
from mksgn.programs.console import exit_on_error, print_table
from mksgn.programs.options import parse


@dataclass(frozen=True)
class Options:
    """Price PilotNet LIF with every cost model, beside Intel's measurement."""

    board: str = "oheo-gulch"
    """The board on which our mapper places it: a name, or a TOML file of limits."""
    costs: tuple[Path, ...] = ()
    """Cost tables of your own (TOML) to price it with, too."""
    inputs: Annotated[tuple[float, ...], tyro.conf.arg(metavar="FACTOR")] = (1.0, 0.75, 0.5, 0.25, 0.0)
    """Factors on the frame in the last table, which shows how much the result depends on the input."""
    json: Path | None = None
    """Write the results here, whole or not at all."""
    results: Path | None = None
    """Write the tables here as Markdown."""

    def validate(self) -> None:
        """Refuse what cannot be run, before anything is read."""
        bad = [factor for factor in self.inputs if not 0 <= factor <= 1]
        if not self.inputs or bad:
            raise ConfigError("the frame cannot be multiplied so", where="--inputs", got=str(bad or "nothing"),
                              allowed="factors from 0 to 1")
        for option, path in (("--json", self.json), ("--results", self.results)):
            if path is not None:
                check_writable(path, option)


if __name__ == "__main__":
    with exit_on_error():
        given = parse(Options, __doc__)  # before the heavy imports: --help and a misspelt option answer at once

import numpy as np
from _pilotnet import PUBLISHED, STEPS, activities, compilers_placement, count, load, on_chip, recorded_spikes
from _pilotnet_report import markdown, notes, tables

from mksgn.counts import Counts
from mksgn.energy.costs import CostModel, cost_models, load_cost_model
from mksgn.energy.work import CoreWork
from mksgn.ir import Graph
from mksgn.mapping import Board, Placement, board, place
from mksgn.programs.outputs import check_writable, write_json, write_text


def compare(work: CoreWork, models: Mapping[str, CostModel]) -> list[dict[str, Any]]:
    """Cost of ``work`` by every model, with its error factors: modelled / measured."""
    rows = []
    for model in models.values():
        cost = model.price(work)
        pace = cost.streaming
        pairs = {"samples_per_s": (pace.samples_per_s if pace else None, PUBLISHED.samples_per_s),
                 "dynamic_mj": (cost.dynamic_mj, PUBLISHED.dynamic_mj),
                 "static_mj": (cost.static_mj, PUBLISHED.static_mj),
                 "total_mj": (cost.total_mj, PUBLISHED.total_mj)}
        errors = {name: None if value is None else (value.bounds / measured).tolist()
                  for name, (value, measured) in pairs.items()}
        record = cost.as_record()
        del record["core_mj"]  # six models of a hundred cores: not what this program is about
        rows.append({**record, "error_factor": errors})
    return rows


def layer_rows(graph: Graph, counts: Counts, placements: Mapping[str, Placement]) -> list[dict[str, Any]]:
    """Counts and cores of every population; a core that several share is split evenly between them."""
    recorded = recorded_spikes()
    cores: dict[str, dict[str, float]] = {p.name: dict.fromkeys(placements, 0.0) for p in graph.populations[1:]}
    for name, placement in placements.items():
        for core in placement.cores:
            for slab in core.slabs:
                cores[slab.population][name] += 1 / len(core.slabs)
    return [{
        "population": name, "neurons": graph[name].size, "rate": counts.rate(name), "spikes": counts.spikes[name],
        "recorded_spikes": int(recorded[name].sum()) if name in recorded else None,
        "neurons_that_differ": int((counts.sent[name] != recorded[name]).sum()) if name in recorded else None,
        "synops": sum(counts.synops[synapse.name] for synapse in graph.into(name)), "cores": cores[name],
    } for name in cores]


def vary(graph: Graph, frame: np.ndarray, options: Options, where: Board) -> list[dict[str, Any]]:
    """Cost by the Loihi 1 table on the compiler's placement, with the frame dimmed."""
    rows = []
    for part in options.inputs:
        counts = count(graph, np.rint(part * frame).astype(np.int64))
        activity = activities(graph, counts)
        cost = cost_models()["loihi1"].price(
            on_chip(compilers_placement(graph, where, activity).work(activity, counts.active)))
        assert cost.streaming is not None
        rows.append({"factor": part, "input_rate": counts.rate("layer_0"), "conv_rate": counts.rate("layer_1"),
                     "synops": sum(counts.synops.values()), "dynamic_mj": [cost.dynamic_mj.low, cost.dynamic_mj.high],
                     "samples_per_s": [cost.streaming.samples_per_s.low, cost.streaming.samples_per_s.high]})
    return rows


def measure(options: Options) -> dict[str, Any]:
    """Run, place and price: everything that is reported."""
    models = dict(cost_models())
    for path in options.costs:
        model = load_cost_model(path)
        if model.name in models:
            raise ConfigError("two cost tables have one name", where="--costs", got=model.name, fix="rename the file")
        models[model.name] = model
    where = board(options.board)
    graph, frame = load()
    counts = count(graph, frame)
    activity = activities(graph, counts)
    placements = {"compiler's": compilers_placement(graph, where, activity),
                  "ours, fewest cores": place(graph, where, activity, objective="cores"),
                  "ours, least time": place(graph, where, activity, objective="time")}
    priced = {}
    for name, placement in placements.items():
        work = on_chip(placement.work(activity, counts.active))
        priced[name] = {"cores": work.cores, "chips": work.chips, "models": compare(work, models),
                        "does_not_fit": [f"{problem.where}, {problem.limit}: {problem.used:,}, at most "
                                         f"{problem.allowed:,}" for problem in placement.problems]}
    return {
        "published": {**vars(PUBLISHED), "cores": PUBLISHED.cores, "static_mj": PUBLISHED.static_mj,
                      "step_us": PUBLISHED.step_us},
        "layers": layer_rows(graph, counts, placements), "placements": priced,
        "inputs": vary(graph, frame, options, where), "board": where.name, "steps": STEPS,
        "python": platform.python_version(), "cpu_count": os.cpu_count(),
        "versions": {name: importlib.metadata.version(name) for name in ("lava-dl", "numpy", "torch")},
        "commit": describe_commit()}


def main(options: Options) -> int:
    options.validate()
    console = Console(highlight=False)
    with console.status("PilotNet: counting, placing, pricing"):
        record = measure(options)
    for table in tables(record):
        print_table(console, table.rich())
    for note in notes(record):
        console.print(f"- {note}", markup=False)
    if options.json is not None:
        write_json(options.json, record)
    if options.results is not None:
        write_text(options.results, markdown(record))
    return 0


if __name__ == "__main__":
    with exit_on_error():
        sys.exit(main(given))
