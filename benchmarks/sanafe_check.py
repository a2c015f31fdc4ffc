"""Our counts, energy and time beside SANA-FE's, an independent simulator of Loihi 1, for the same spikes.

    pip install sanafe
    python benchmarks/sanafe_check.py                                   # a small net, and a cut of a shipped one
    python benchmarks/sanafe_check.py --frames 4 --width 0.25 --json sanafe.json

SANA-FE (Boyle et al., TCAD 2025) simulates a chip event by event; the constants of its architecture file are those of
our table `loihi1-fitted`. The nets run on our emulator, and each neuron of SANA-FE is told to fire at the same steps:
its weights are 0, and its bias is above its threshold where the neuron fired. Cores are those of our mapper, on the
same routers. The input stays with the host on both sides. So counts must agree, and energy where a price is one number.
Time differs: SANA-FE plays the queues of the mesh, and we do not.

Exit codes: 0; 1 when a count differs; 2 for anything that can be mended.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from mksgn.commit import describe_commit
from mksgn.errors import ConfigError, MissingExtraError
from mksgn.programs.console import exit_on_error, print_table
from mksgn.programs.options import parse

DIFFERENT = 1
SANAFE = "sanafe"
MODEL = "loihi1-fitted"
BOARD = "loihi-1"


@dataclass(frozen=True)
class Options:
    """The same spikes on SANA-FE and on our cost model; see the head of this file."""

    net: Path = Path("models/nw-ucla-joint/mksgn.net")
    """The network that is cut."""
    frames: int = 1
    """Frames of its input that are left: the fewer, the smaller the net."""
    width: float = 0.125
    """Share of its channels that is left."""
    json: Path | None = None
    """Write the rows here."""
    results: Path | None = None
    """Write the table here as Markdown."""

    def validate(self) -> None:
        """Refuse before anything is read."""
        if self.frames < 1:
            raise ConfigError("a clip has at least one frame", where="--frames", got=str(self.frames))
        if not 0 < self.width <= 1:
            raise ConfigError("so much of the channels cannot be left", where="--width", got=str(self.width),
                              allowed="above 0, up to 1")
        for option, path in (("--json", self.json), ("--results", self.results)):
            if path is not None:
                check_writable(path, option)
        if importlib.util.find_spec(SANAFE) is None:
            raise MissingExtraError("SANA-FE is not installed", where="package sanafe", fix="pip install sanafe")


if __name__ == "__main__":
    with exit_on_error():
        given = parse(Options, __doc__)  # before the heavy imports: --help and a misspelt option answer at once

import numpy as np
from _pilotnet_report import Rows

from mksgn.emulator import Emulator
from mksgn.energy.costs import Cost, cost_models
from mksgn.energy.work import CoreWork
from mksgn.ir import Cuba, Dense, Graph, Population
from mksgn.ir.schedule import schedule
from mksgn.lava.unroll import matrix
from mksgn.mapping import Placement, board, place
from mksgn.mapping.links import positions
from mksgn.mapping.shrink import with_frames, with_width
from mksgn.netx import read_net
from mksgn.programs.outputs import check_writable, write_json, write_text

_LIF = {"threshold": 1.0, "leak_decay": 0.0, "reset_mode": "hard"}
_UNITS = {"soma_hw_name": "loihi_lif", "default_synapse_hw_name": "loihi_conv_synapse",
          "default_dendrite_hw_name": "loihi_dendrites"}
_PJ = 1e-12


def small_net() -> Graph:
    """Three dense layers with random weights, six steps a sample."""
    rng = np.random.default_rng(0)

    def weight(*shape: int) -> np.ndarray:
        return (2 * rng.integers(-30, 50, shape)).astype(np.int16)
    populations = (Population("in", (40, 1, 1), role="input", message_bits=0),
                   Population("first", (64, 1, 1), Cuba(200)), Population("second", (32, 1, 1), Cuba(200)),
                   Population("out", (10, 1, 1), Cuba(200)))
    synapses = (Dense("a", ("in",), "first", weight(64, 40)), Dense("b", ("first",), "second", weight(32, 64)),
                Dense("c", ("second",), "out", weight(10, 32)))
    return Graph(populations, synapses, 6)


def cut_net(options: Options) -> Graph:
    """The shipped net with fewer frames and channels."""
    graph: Graph | None = read_net(options.net)
    assert graph is not None
    graph = with_frames(graph, options.frames)
    graph = with_width(graph, options.width) if graph is not None else None
    if graph is None:
        raise ConfigError("the layers of the net do not allow this cut", where=str(options.net),
                          got=f"--frames {options.frames} --width {options.width}", fix="leave more of it")
    return graph


def run(graph: Graph) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Spikes of one sample of random input, int8 (C, F, V, T) by population without the input; active updates."""
    shape = graph.input.shape
    rng = np.random.default_rng(1)
    if graph.input.message_bits:
        x = rng.integers(-60, 61, (1, *shape))
    else:
        assert graph.time_steps is not None
        x = rng.integers(0, 2, (1, *shape, graph.time_steps))
    with Emulator(graph) as emulator:
        result = emulator.run(x, record="spikes")
    spikes = {p.name: result.spikes[p.name][0] for p in graph.populations[1:] if p.name in result.spikes}
    return spikes, {name: float(number) for name, number in result.counts.active.items()}


def ours(graph: Graph, spikes: dict[str, np.ndarray], active: dict[str, float]) -> tuple[Placement, CoreWork, Cost]:
    """Our placement on one Loihi 1, the work of a sample without its input, and its cost."""
    activity = {p.name: np.zeros(p.shape) if p.name not in spikes else
                spikes[p.name].sum(axis=-1, dtype=np.float64) for p in graph.populations}
    target = board(BOARD)
    placement = place(graph, target, activity, objective="cores")
    if placement.packing.cores > target.cores:
        raise ConfigError("the net does not fit on the one chip of SANA-FE", where="--frames, --width",
                          got=f"{placement.packing.cores} cores", allowed=f"{target.cores}", fix="leave less of it")
    work = placement.work(activity, active)
    return placement, work, cost_models()[MODEL].price(work)


def sanafe_run(graph: Graph, placement: Placement, spikes: dict[str, np.ndarray]) -> dict[str, float]:
    """Counts, energy in mJ and time in ms of the same spikes on SANA-FE."""
    import sanafe  # type: ignore[import-not-found]

    architecture = sanafe.load_loihi()
    net = sanafe.Network()
    rows, columns = positions(placement.board, placement.packing.cores)
    height, at_router = placement.board.router_mesh[0], placement.board.router_cores
    groups = {}
    for population in graph.populations[1:]:
        group = net.create_neuron_group(population.name, population.size, model_attributes=_LIF, **_UNITS)
        groups[population.name] = group
        neurons = group.neurons
        for core in placement.cores:
            # SANA-FE numbers its tiles column by column.
            tile = architecture.tiles[int(columns[core.index]) * height + int(rows[core.index])]
            for slab in core.slabs:
                if slab.population == population.name:
                    for number in _lava_ids(slab.ids, population.shape):
                        neurons[int(number)].map_to_core(tile.cores[core.index % at_router])
    for synapse in graph.synapses:
        for source in synapse.sources:
            if source in groups:
                found = matrix(synapse, graph[source].shape, graph[synapse.target].shape).tocoo()
                pairs = list(zip(found.col.tolist(), found.row.tolist()))
                groups[source].connect_neurons_sparse(groups[synapse.target], {"weight": [0.0] * len(pairs)}, pairs)
    chip = sanafe.SpikingChip(architecture)
    chip.load(net)
    return _simulated(graph, chip, spikes)


def _lava_ids(ids: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Numbers in (C, F, V) order as those in (V, F, C) order, which :func:`matrix` has."""
    channel, frame, joint = np.unravel_index(ids, shape)
    return np.asarray((joint * shape[1] + frame) * shape[0] + channel)


def _simulated(graph: Graph, chip: Any, spikes: dict[str, np.ndarray]) -> dict[str, float]:
    """Step by step, each population when the sample reaches it."""
    plan = schedule(graph)
    assert graph.time_steps is not None
    flat = {name: fired.transpose(2, 1, 0, 3).reshape(-1, fired.shape[-1]) for name, fired in spikes.items()}
    before = {name: np.zeros(len(fired), bool) for name, fired in flat.items()}
    neurons = chip.mapped_neuron_groups
    total: dict[str, float] = {}
    for step in range(graph.time_steps + plan.latency):
        for name, fired in flat.items():
            at = step - plan.depth[name]
            now = fired[:, at] > 0 if 0 <= at < fired.shape[1] else np.zeros(len(fired), bool)
            for number in np.flatnonzero(now != before[name]):
                neurons[name][int(number)].set_attributes(model_attributes={"bias": 2.0 if now[number] else 0.0})
            before[name] = now
        with _silent():
            result = chip.sim(timesteps=1, timing_model="detailed", processing_threads=1, perf_trace=True)
        energy = {f"{part} mJ": result["energy"][part] * 1e3 for part in ("synapse", "soma", "network", "total")}
        each = {"spikes": result["neurons_fired"], "synaptic operations": result["spikes"],
                "messages": result["packets_sent"], "hops": sum(result["perf_trace"]["hops"]), **energy,
                "time, ms": result["sim_time"] * 1e3}
        total = {key: total.get(key, 0.0) + value for key, value in each.items()}
    return total


@contextmanager
def _silent() -> Iterator[None]:
    """Nothing reaches standard output from the C++ of the simulator, which prints a line for each step."""
    sys.stdout.flush()
    kept = os.dup(1)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def compared(name: str, graph: Graph) -> list[dict[str, Any]]:
    """One net: a row per figure."""
    spikes, active = run(graph)
    placement, work, cost = ours(graph, spikes, active)
    theirs = sanafe_run(graph, placement, spikes)
    assert cost.single_shot is not None
    waiting = (work.latency_steps - work.steps) * work.total("neurons")
    prices = cost_models()[MODEL].energies
    soma = prices.update_active.low * work.total("updates_active") + prices.spike.low * work.total("spikes") \
        + prices.update_idle.low * (work.total("updates_idle") + waiting)
    network = [sum(cost.terms_mj[term].bounds[end] for term in ("messages", "hops")) for end in (0, 1)]
    single = cost.single_shot
    mine: dict[str, list[float]] = {
        "spikes": [work.total("spikes")], "synaptic operations": [work.total("synops")],
        "messages": [work.total("messages_out")], "hops": [work.total("hops_ew") + work.total("hops_ns")],
        "synapse mJ": cost.terms_mj["synops"].bounds.tolist(), "soma mJ": [soma * _PJ * 1e3], "network mJ": network,
        "total mJ": single.dynamic_mj.bounds.tolist(), "time, ms": single.latency_ms.bounds.tolist()}
    return [{"net": name, "figure": key, "ours": mine[key], "sanafe": theirs[key],
             "neurons": int(work.total("neurons")), "cores": work.cores} for key in mine]


def table(rows: list[dict[str, Any]]) -> Rows:
    """Both sides."""
    def text(values: list[float]) -> str:
        low, high = (f"{value:,.4g}" if value < 1e4 else f"{value:,.0f}" for value in (values[0], values[-1]))
        return low if low == high else f"{low}–{high}"
    shown = [(row["net"], f"{row['neurons']:,}", str(row["cores"]), row["figure"], text(row["ours"]),
              text([row["sanafe"]]), "–" if not row["sanafe"] else
              text([value / row["sanafe"] for value in row["ours"]])) for row in rows]
    return Rows("One sample without its input, on one Loihi 1: our counts and the table loihi1-fitted, and SANA-FE.",
                ("net", "neurons", "cores", "figure", "ours", "SANA-FE", "ours / SANA-FE"), shown)


NOTES = (
    "Counts are of the same spikes; they must be equal.",
    "Synapses: SANA-FE was given its price of a convolution for all of them, 24.0 pJ; that is our low end.",
    "Soma: SANA-FE calls an update active when a message arrives or a neuron fires; we do when its state changes, "
    "which a leak does, too.",
    "Time: SANA-FE plays each message through the queues of the mesh. Our range goes from perfect overlap in a core to "
    "none, and takes all steps of a sample alike.",
)


def main(options: Options) -> int:
    options.validate()
    console = Console(highlight=False)
    nets = {"small": small_net(), f"{options.net.parent.name}, cut": cut_net(options)}
    rows = [row for name, graph in nets.items() for row in compared(name, graph)]
    print_table(console, table(rows).rich())
    for note in NOTES:
        console.print(f"- {note}", markup=False)
    if options.json is not None:
        write_json(options.json, {"rows": rows, "commit": describe_commit()})
    if options.results is not None:
        page = ["# SANA-FE beside our cost model", "    python benchmarks/sanafe_check.py --results "
                "benchmarks/results/sanafe.md", f"{describe_commit()}. All figures are counted or modelled.",
                table(rows).markdown(), "\n".join(f"- {note}" for note in NOTES)]
        write_text(options.results, "\n\n".join(page) + "\n")
    counted = ("spikes", "synaptic operations", "messages", "hops")
    return DIFFERENT if any(row["ours"] != [row["sanafe"]] for row in rows if row["figure"] in counted) else 0


if __name__ == "__main__":
    with exit_on_error():
        sys.exit(main(given))
