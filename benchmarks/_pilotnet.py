"""PilotNet LIF as others ran it on one Loihi 2: the network, a frame, its recorded spikes, the compiler's placement.

lava-dl's wheel carries the network, a frame of its driving data and the spikes that its authors recorded; lava-dl's
tutorial netx/pilotnet_snn/benchmark.ipynb publishes throughput, power and the compiler's layer sizes.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from _compile_logs import logs

from mksgn.counts import Counts
from mksgn.emulator import Emulator
from mksgn.energy.work import CoreWork
from mksgn.errors import ConfigError
from mksgn.ir import Graph
from mksgn.mapping import Board, Placement
from mksgn.mapping.grid import Grid
from mksgn.mapping.layer import Cut, Layer
from mksgn.mapping.packing import Packing, needs
from mksgn.mapping.wiring import Wiring
from mksgn.netx import read_net

STEPS = 16
FOLDER = "gts/pilotnet_lif"
RECORDED = {"layer_0": "input", "layer_1": "conv-0", "layer_2": "conv-1", "layer_3": "conv-2", "layer_4": "conv-3",
            "layer_5": "conv-4", "layer_7": "fc-0", "layer_8": "fc-1", "layer_9": "fc-2"}
"""Populations and the files of their recorded spikes."""


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


LAYERS = {layer["name"]: layer for layer in logs()["pilotnet_snn"]["layers"]}
PUBLISHED = Published(
    cores_by_layer={name: layer["cores"] for name, layer in LAYERS.items()},
    slices={name: layer["tile"][0] if "tile" in layer else -(-layer["shape"][0] // layer["cores"])
            for name, layer in LAYERS.items()})


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
