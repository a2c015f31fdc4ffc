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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console

from mksgn.commit import describe_commit
from mksgn.errors import ConfigError
from mksgn.programs.console import exit_on_error, print_table
from mksgn.programs.options import parse

STEPS = 16
FOLDER = "gts/pilotnet_lif"
RECORDED = {"layer_0": "input", "layer_1": "conv-0", "layer_2": "conv-1", "layer_3": "conv-2", "layer_4": "conv-3",
            "layer_5": "conv-4", "layer_7": "fc-0", "layer_8": "fc-1", "layer_9": "fc-2"}
"""Populations and the files of their recorded spikes."""


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
from _pilotnet_report import markdown, notes, tables

from mksgn.counts import Counts
from mksgn.emulator import Emulator
from mksgn.energy.costs import CostModel, cost_models, load_cost_model
from mksgn.energy.work import CoreWork
from mksgn.ir import Graph
from mksgn.mapping import Board, Placement, board, place
from mksgn.mapping.grid import Grid
from mksgn.mapping.layer import Cut, Layer
from mksgn.mapping.packing import Packing, needs
from mksgn.mapping.wiring import Wiring
from mksgn.netx import read_net
from mksgn.programs.outputs import check_writable, write_json, write_text


@dataclass(frozen=True)
class Published:
    """Figures that lava-dl publishes for it on one Loihi 2 (board Oheo Gulch, 10,000 steps, one frame held on chip).

    lava-dl, tutorials/lava/lib/dl/netx/pilotnet_snn/benchmark.ipynb, commit dad9dfad9d81.

    Parameters
    ----------
    cores_by_layer : dict of population to int
        From the compiler's log.
    slices : dict of population to int
        Joints (image columns), or neurons of a dense layer, on each of these cores.
    samples_per_s, other_run_per_s : float
        Throughput; and that of the notebook's earlier version (commit 12f040219767) on another board.
    total_w, static_w : float
        Power of the chip at work, and after the work.
    total_mj, dynamic_mj : float
        Per sample.
    """

    cores_by_layer: Mapping[str, int]
    slices: Mapping[str, int]
    samples_per_s: float = 408.91
    other_run_per_s: float = 342.29
    total_w: float = 0.679
    static_w: float = 0.232
    total_mj: float = 1.661
    dynamic_mj: float = 1.094

    @property
    def cores(self) -> int:
        return sum(self.cores_by_layer.values())

    @property
    def static_mj(self) -> float:
        """Static power x time per sample."""
        return self.static_w / self.samples_per_s * 1e3

    @property
    def step_us(self) -> float:
        return 1e6 / self.samples_per_s / STEPS


PUBLISHED = Published(
    cores_by_layer={"layer_0": 13, "layer_1": 25, "layer_2": 13, "layer_3": 3, "layer_4": 3, "layer_5": 2,
                    "layer_7": 12, "layer_8": 1, "layer_9": 1, "layer_10": 1},
    slices={"layer_0": 16, "layer_1": 4, "layer_2": 4, "layer_3": 8, "layer_4": 8, "layer_5": 16,
            "layer_7": 9, "layer_8": 50, "layer_9": 10, "layer_10": 1})


def wheel_file(name: str) -> Path:
    """A file of the tests in lava-dl's wheel.

    Raises
    ------
    ConfigError
        When the installed lava-dl has no such file.
    """
    for file in importlib.metadata.files("lava-dl") or ():
        if str(file).endswith(f"lib/dl/netx/{FOLDER}/{name}"):
            return Path(str(file.locate()))
    raise ConfigError("the installed lava-dl carries no PilotNet", where=f"{FOLDER}/{name}",
                      got=f"lava-dl {importlib.metadata.version('lava-dl')}", allowed="lava-dl 0.6.0")


def load() -> tuple[Graph, np.ndarray]:
    """The network with its 16 steps per sample, and the frame as biases, int64 (C, F, V)."""
    graph = replace(read_net(wheel_file("network.net")), time_steps=STEPS)
    return graph, np.load(wheel_file("image.npy")).astype(np.int64).transpose(2, 1, 0)


def recorded_spikes() -> dict[str, np.ndarray]:
    """Spikes that lava-dl's authors recorded, one sample: population to int64 (C, F, V), summed over its 16 steps."""
    found = {}
    for depth, (name, file) in enumerate(RECORDED.items()):
        values = np.load(wheel_file(f"{file}.npy"))[..., depth:depth + STEPS]
        values = values[None, None] if values.ndim == 2 else values  # dense: (C, step)
        found[name] = values.sum(axis=-1, dtype=np.int64).transpose(2, 1, 0)
    return found


def count(graph: Graph, frame: np.ndarray) -> Counts:
    """Run one frame from rest and count."""
    with Emulator(graph) as emulator:
        return emulator.run(frame[None]).counts


def on_chip(work: CoreWork) -> CoreWork:
    """The work as the tutorial runs it: the frame is in the first neurons' biases, so its hop does not exist."""
    return replace(work, latency_steps=work.latency_steps - 1, host_messages=0.0)


def activities(graph: Graph, counts: Counts) -> dict[str, np.ndarray]:
    """Messages per neuron and sample; none from the input, which stands in biases."""
    return {**counts.activity(), graph.input.name: np.zeros(graph.input.shape)}


def compilers_placement(graph: Graph, where: Board, activity: Mapping[str, np.ndarray]) -> Placement:
    """The placement of the published run: layers cut as the compiler's log says, each box on a core of its own."""
    grids = {}
    for name, size in PUBLISHED.slices.items():
        shape = graph[name].shape
        axis = 2 if shape[2] > 1 else 0
        edges = (*range(0, shape[axis], size), shape[axis])
        grids[name] = Grid(tuple(edges if a == axis else (0, shape[a]) for a in range(3)))  # type: ignore[arg-type]
        assert grids[name].cells == PUBLISHED.cores_by_layer[name], name
    wiring = Wiring.plain(graph)
    layers = {name: Layer(wiring, graph[name], where, activity, STEPS) for name in grids}
    usage = needs(layers, {name: Cut(grid, np.zeros(grid.parts)) for name, grid in grids.items()})
    first = np.concatenate([[0], np.cumsum([grid.cells for grid in grids.values()])])
    core = {name: np.arange(start, end) for name, start, end in zip(grids, first[:-1], first[1:])}
    return Placement(wiring, where, "cores", STEPS, False, Packing(grids, core, np.concatenate(list(usage.values()))))


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
