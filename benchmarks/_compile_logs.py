"""The networks of Lava's public compile logs, placed by our mapper and held against the printed rows.

``published/compile_logs.toml`` holds the rows. Only shapes and widths of weights matter here: weights are random, and
sigma-delta neurons stand as plain ones, with one word of state each as the logs have it. Their messages, spikes and
times are not modelled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import tomli

from mksgn.ir import Conv, Cuba, Dense, Graph, Population, Synapse
from mksgn.mapping import Board, Placement, board, place
from mksgn.mapping.grid import Grid
from mksgn.mapping.memory import synapse_words, weight_bits

LOGS = Path(__file__).resolve().parent / "published" / "compile_logs.toml"
STEPS = 16
"""Per sample; the figures here do not depend on it."""
COLUMNS = {"cores": "cores", "neurons": "neurons", "synapses": "synapse words", "in_axons": "in-axons",
           "axon_map": "axon map", "axon_memory": "axon memory", "total": "joint memory",
           "allocation": "synapse words of the whole layer"}
"""Columns of a log, and their names."""
LIMITS = {"neurons": "neurons", "synapses": "synapse_words", "in_axons": "in_axons", "axon_map": "out_axons",
          "total": "core_words"}
"""What a share of each column is a share of: fields of :class:`Board`."""


@dataclass(frozen=True)
class Row:
    """One printed figure beside ours.

    Parameters
    ----------
    network : str
        Its title.
    what : str
        Layer and column.
    published : float
    ours : float or None
        None: not modelled.
    unit : 'cores', 'words' or '%'
        'words' stands for any other number per core.
    tolerance : float
        One unit of the last printed digit of a share, 0 for a count.
    source : str
    explained : bool
        Ours differs by no more than that.
    why : str
        What is known of a difference; of an agreement, what it rests on.
    """

    network: str
    what: str
    published: float
    ours: float | None
    unit: str
    tolerance: float
    source: str
    explained: bool
    why: str


@cache
def logs() -> dict[str, dict[str, Any]]:
    """The logs by name of their network, with ``why``."""
    return tomli.loads(LOGS.read_text(encoding="utf-8"))


def names() -> tuple[str, ...]:
    """The networks of the logs."""
    return tuple(name for name in logs() if name != "why")


def graph(name: str) -> Graph:
    """A network of the logs: its shapes and widths of weights, in (channels, rows, columns)."""
    log = logs()[name]
    populations = [Population("input", tuple(log["input"]), role="input", message_bits=8)]
    synapses: list[Synapse] = []
    for layer in log["layers"]:
        source, shape = populations[-1], tuple(layer["shape"])
        if "kernel" in layer:
            one_to_one = layer["bits"] == 1  # PilotNet's input layer
            inputs = 1 if one_to_one else source.shape[0]
            weight = _weights((shape[0], inputs, layer["kernel"], layer["kernel"]), layer["bits"])
            made: Synapse = Conv(f"to_{layer['name']}", (source.name,), layer["name"], weight,
                                 stride=tuple(layer["stride"]), padding=tuple(layer.get("padding", (0, 0))),
                                 groups=shape[0] if one_to_one else 1)
        else:
            made = Dense(f"to_{layer['name']}", (source.name,), layer["name"],
                         _weights((shape[0], source.size), layer["bits"]))
        synapses.append(made)
        populations.append(Population(layer["name"], shape, Cuba(64)))
    return Graph(tuple(populations), tuple(synapses), STEPS)


def _weights(shape: tuple[int, ...], bits: int) -> np.ndarray:
    """Random even weights that need ``bits`` bits."""
    if bits == 1:
        return np.full(shape, 2, np.int16)
    most = (1 << (bits - 1)) - 1
    weight = 2 * np.random.default_rng(0).integers(-most, most + 1, shape).astype(np.int16)
    weight.flat[:2] = 2 * most, -2 * most
    assert weight_bits(weight) == bits
    return weight


@cache
def placement(name: str) -> Placement:
    """Our placement of a network, with the objective ``lava`` on the board of its log."""
    return place(graph(name), board(logs()[name]["board"]), objective="lava")


def rows() -> list[Row]:
    """Every printed figure of every log beside ours, and the cores of each network in all."""
    return [row for name in names() for row in network_rows(name)]


def network_rows(name: str) -> Iterator[Row]:
    """The rows of one network."""
    log, placed = logs()[name], placement(name)
    ours = placed.packing.cores
    yield Row(log["title"], "cores in all", log["cores"], ours, "cores", 0.0, log["source"], ours == log["cores"],
              "the sum of its layers")
    for layer in log["layers"]:
        found = _found(log, layer, placed)
        for column, title in COLUMNS.items():
            if column in layer:
                yield _row(log, layer, column, title, found.get(column))


def _row(log: Mapping[str, Any], layer: Mapping[str, Any], column: str, title: str, ours: float | None) -> Row:
    percent = log["printed"] == "percent" and column not in ("cores", "allocation")
    tolerance = 0.01 if percent else 0.0
    explained = ours is not None and abs(ours - layer[column]) <= tolerance + 1e-9
    why = log["widths"] if column in ("synapses", "allocation") else ""
    if not explained:
        named = layer.get("differs", {}).get(column, column)
        why = logs()["why"].get(named, "")
    elif column == "total" and "axon_memory" in layer:
        why = "with the printed axon memory, which is not modelled"
    return Row(log["title"], f"{layer['name']}: {title}", layer[column], ours,
               "cores" if column == "cores" else "%" if percent else "words", tolerance, log["source"], explained, why)


def _found(log: Mapping[str, Any], layer: Mapping[str, Any], placed: Placement) -> dict[str, float]:
    """Our figures for a layer, as the log prints them."""
    name, limits = layer["name"], placed.board
    grid, here = placed.packing.grids[name], placed.packing.core[name]
    synapse = placed.graph.into(name)[0]
    source = placed.graph[synapse.sources[0]].shape
    mean = log["printed"] == "words" and "kernel" not in layer  # of dense layers the old logs print means
    words = synapse_words(synapse, source, tuple(layer["shape"]), grid, limits)
    usage = {"neurons": grid.sizes, "synapses": words, "axon_map": _axon_map(placed, name, grid),
             "in_axons": np.array([core.usage["in_axons"] for core in (placed.cores[i] for i in here)])}
    found = {column: int(values.mean()) if mean or (column == "axon_map" and log["printed"] == "words")
             else int(values.max()) for column, values in usage.items()}
    whole = synapse_words(synapse, source, tuple(layer["shape"]), Grid.even(tuple(layer["shape"]), (1, 1, 1)), limits)
    if "total" in layer:
        memory = layer.get("axon_memory", 0.0) / 100 * limits.out_axons
        found["total"] = (found["neurons"] * limits.state_words + found["synapses"] + found["axon_map"] + memory
                          + found["in_axons"] * limits.in_axon_words + layer.get("groups", 1) * limits.group_words)
    shares = {column: 100 * value / getattr(limits, LIMITS[column]) for column, value in found.items()}
    printed = {**(found if log["printed"] == "words" else shares), "cores": len(np.unique(here)),
               "allocation": int(whole.max())}
    return printed if _read_by_convolutions(placed, name) else {**printed, "axon_memory": 0.0}


def _axon_map(placed: Placement, name: str, grid: Grid) -> np.ndarray:
    """Entries of each box: one for each position that a convolution reads, otherwise one for each neuron."""
    if _read_by_convolutions(placed, name):
        _, rows_, columns = grid.lengths
        return np.multiply.outer(rows_, columns)
    return grid.sizes


def _read_by_convolutions(placed: Placement, name: str) -> bool:
    return any(name in synapse.sources and isinstance(synapse, Conv) for synapse in placed.graph.synapses)


def tile(name: str, layer: Mapping[str, Any]) -> tuple[int, int, int]:
    """Columns, rows and channels of our largest box of a conv layer, in the order of the logs."""
    channels, rows_, columns = (int(lengths.max()) for lengths in placement(name).packing.grids[layer["name"]].lengths)
    return columns, rows_, channels


def limits_of_log(name: str) -> Board:
    """The board that stands for the compiler of a log."""
    return board(logs()[name]["board"])
