"""Words of synaptic memory that each box of a population reads per sample.

A message that arrives reads the row of its source in whole words. Of shared conv weights it reads a row for each tap by
which it meets the box. The rows of a sparse list (JointMix, GraphConv) have different lengths; a message is taken to
read their mean.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mksgn.ir.synapses import Conv, Shape, Synapse
from mksgn.mapping.arrivals import arrivals
from mksgn.mapping.boards import Board
from mksgn.mapping.grid import Grid
from mksgn.mapping.layer import Layer
from mksgn.mapping.memory import conv_row_words, synapse_words
from mksgn.mapping.reach import source_boxes


def words_read(layer: Layer, grid: Grid) -> np.ndarray:
    """Words that each box of ``grid`` reads per sample: float64 (parts).

    Parameters
    ----------
    layer : Layer
        With the messages per neuron and sample.
    grid : Grid
    """
    name = layer.population.name
    found = clock_reads(layer, grid)
    for synapse in layer.synapses:
        for source in synapse.sources:
            sent = np.asarray(layer.activity[source], np.float64)
            found += read_by(synapse, sent, layer.wiring[name].shape, grid, layer.rules(synapse))
    return found


def clock_reads(layer: Layer, grid: Grid) -> np.ndarray:
    """Words that the messages of a clock read: float64 (parts); 0 where the population has none."""
    name, wiring = layer.population.name, layer.wiring
    words = np.asarray(wiring.gate_words(name, grid.sizes, layer.board), np.float64)
    return np.zeros(grid.parts) + wiring.rest_messages(name) * words


def read_by(synapse: Synapse, sent: np.ndarray, target: Shape, grid: Grid, board: Board) -> np.ndarray:
    """Words that each box reads for the messages of one source: float64 (parts).

    Parameters
    ----------
    synapse : Synapse
    sent : float64 ndarray (C, F, V)
        Messages of each neuron of the source.
    target : (C, F, V)
    grid : Grid
        Of the target.
    board : Board
        The rules by which the synapse is stored.
    """
    source: Shape = sent.shape  # type: ignore[assignment]
    if isinstance(synapse, Conv) and board.conv_weights != "none":
        one = replace(synapse, weight=np.ones((synapse.groups, *synapse.weight.shape[1:]), np.int16))
        taps = arrivals(one, sent, (synapse.groups, *target[1:]))
        for axis in (1, 2):
            taps = np.add.reduceat(taps, grid.edges[axis][:-1], axis=axis)
        return np.einsum("cg,gfv->cfv", conv_row_words(synapse, target, grid, board), taps)
    rows, arrived = np.zeros(grid.parts), np.zeros(grid.parts)
    for boxes in source_boxes(synapse, source, target, grid):
        rows += boxes.count()
        arrived += np.einsum("ac,bf,dv,cfv->abd", *(mask.astype(np.float64) for mask in boxes.masks), sent,
                             optimize=True)
    words = synapse_words(synapse, source, target, grid, board)
    return np.asarray(words * arrived / np.maximum(rows, 1))
