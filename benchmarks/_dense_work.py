"""The work of networks of dense layers of which only shapes and rates are known, as Lava's compiler would cut them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mksgn.energy.work import CoreWork
from mksgn.mapping import Board
from mksgn.mapping.links import LinkLoads
from mksgn.mapping.traffic import HOST, Flow

WEIGHT_BITS = 8


@dataclass(frozen=True)
class Source:
    """Messages into a layer: neurons that may send, messages in a step, and the layer of both (None: the host)."""

    neurons: int
    messages: float
    layer: int | None = None


@dataclass(frozen=True)
class DenseLayer:
    """Neurons, the cores that they are cut into evenly, and what they read; ``spikes`` in a step."""

    neurons: int
    cores: int
    sources: tuple[Source, ...] = ()
    spikes: float = 0.0


def row_words(neurons: int, board: Board) -> int:
    """Words of the row that a source has on a core of ``neurons`` neurons."""
    return -(-neurons * (WEIGHT_BITS + board.synapse_overhead_bits) // board.word_bits)


def cores_by_halving(neurons: int, rows: int, board: Board) -> int:
    """Cores of a layer: a core is cut into halves until its synapses fit (OzU-CAST on Lava's compiler)."""
    cores = 1
    while rows * row_words(-(-neurons // cores), board) > board.synapse_words:
        cores *= 2
    return cores


def dense_work(layers: Sequence[DenseLayer], steps: float, board: Board, chips: int = 1) -> CoreWork:
    """Work of ``steps`` steps that are all alike. Cores are numbered layer by layer and shared out over ``chips``."""
    first = np.concatenate([[0], np.cumsum([layer.cores for layer in layers])]).astype(np.int64)
    own = [np.arange(start, end) for start, end in pairwise(first)]
    cores = int(first[-1])
    found = {name: np.zeros(cores) for name in ("neurons", "synops", "reads", "spikes", "messages_in", "messages_out")}
    links, host = LinkLoads(board, cores), 0.0
    for layer, mine in zip(layers, own):
        found["neurons"][mine] = layer.neurons / layer.cores
        found["spikes"][mine] = layer.spikes / layer.cores
        for source in layer.sources:
            found["synops"][mine] += source.messages * layer.neurons / layer.cores
            found["reads"][mine] += source.messages * row_words(-(-layer.neurons // layer.cores), board)
            found["messages_in"][mine] += source.messages
            if source.layer is None:
                host += source.messages
                continue
            senders = own[source.layer]
            sender, receiver = (each.ravel() for each in np.meshgrid(senders, mine, indexing="ij"))
            assert HOST not in sender
            links.add(Flow(sender, receiver, np.full(len(sender), source.messages / len(senders))))
            found["messages_out"][senders] += source.messages * len(mine) / len(senders)
    within, _ = links.heaviest()
    zero = np.zeros(cores)
    whole = round(steps)
    totals = {name: values * (1 if name == "neurons" else whole) for name, values in found.items()}
    return CoreWork(
        steps=whole, latency_steps=whole, chip=np.arange(cores) * chips // cores, **totals,
        updates_active=found["neurons"] * whole, updates_idle=zero, macs=zero, hops_ew=zero, hops_ns=zero,
        chip_crossings=zero, host_messages=host * whole, link_messages=within * whole, chip_link_messages=0.0)
