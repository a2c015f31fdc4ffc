"""Memory and axons that a box of neurons takes on a core, by a board's rules.

Synapses are kept as rows, one per source that a message names, each in whole words of ``word_bits``:

- a list (Dense, JointMix, GraphConv; Conv where nothing is shared):
  ceil((n (weight bits + overhead) + header) / word bits) words for n synapses, none for an empty list. Dense stores
  zero weights, the sparse lists do not.
- shared conv weights: one row per input channel and tap, header + ceil(n weight bits / word bits) words for the
  n output channels of the box; once per core (`core`), or once for each set of taps that the border leaves (`pattern`).

Sources of a `concat` share their rows. A synapse into a core costs in-axons (one per source population,
source position or source neuron, :class:`mksgn.mapping.boards.Board`), and out-axons where it comes from: one per
position or neuron and destination box.
"""

from __future__ import annotations

from functools import singledispatch
from itertools import pairwise

import numpy as np

from mksgn.ir.graph import Graph
from mksgn.ir.synapses import Conv, Dense, GraphConv, JointMix, Shape, Synapse
from mksgn.mapping.boards import Board
from mksgn.mapping.grid import Edges, Grid, outer
from mksgn.mapping.reach import SourceBoxes, source_boxes


def weight_bits(weight: np.ndarray) -> int:
    """Bits that integers need once the trailing zeros that all of them have are gone; signed if any is negative.

    Even weights in [-256, 254] need 8, [0, 140] needs 7, a constant power of two 1.
    """
    values = np.asarray(weight).astype(np.int64)
    combined = int(np.bitwise_or.reduce(np.abs(values), axis=None))
    if combined == 0:
        return 1
    shift = (combined & -combined).bit_length() - 1
    low, high = int(values.min()) >> shift, int(values.max()) >> shift
    if low >= 0:
        return max(high.bit_length(), 1)
    return 1 + max((-low - 1).bit_length(), max(high, 0).bit_length())


@singledispatch
def synapse_words(synapse: Synapse, source: Shape, target: Shape, grid: Grid, board: Board) -> np.ndarray:
    """Words of synaptic memory of every box of the target's grid: int64 (parts)."""
    raise TypeError(f"no kind of synapse: {synapse!r}")


@synapse_words.register
def _dense_words(synapse: Dense, source: Shape, target: Shape, grid: Grid, board: Board) -> np.ndarray:
    return int(np.prod(source)) * _list_words(grid.sizes, listed_bits(synapse, board), board)


@synapse_words.register
def _joint_mix_words(synapse: JointMix, source: Shape, target: Shape, grid: Grid, board: Board) -> np.ndarray:
    bits = listed_bits(synapse, board)
    return sum((_mixed_words(synapse, boxes, grid, bits, board) for boxes in
                source_boxes(synapse, source, target, grid)), np.zeros(grid.parts, np.int64))


def listed_bits(synapse: Synapse, board: Board) -> int:
    """Bits of one synapse in a list."""
    return weight_bits(synapse.weight) + board.synapse_overhead_bits


def _list_words(synapses: np.ndarray, bits: int, board: Board) -> np.ndarray:
    """Words of lists of ``synapses`` entries each: int64, in their shape."""
    return np.where(synapses > 0, _words(synapses * bits + board.list_header_bits, board), 0)


def in_axons(synapse: Synapse, source: Shape, target: Shape, grid: Grid, board: Board) -> np.ndarray:
    """In-axons of every box of the target's grid, over all sources of the synapse: int64 (parts)."""
    read = source_boxes(synapse, source, target, grid)
    each = np.zeros(grid.parts, np.int64)
    for boxes in read:
        if _axons_per(synapse, board) == "population":
            each += 1
        elif _axons_per(synapse, board) == "position":
            each += outer(np.ones(grid.parts[0], np.int64), boxes.frames.sum(axis=1), boxes.joints.sum(axis=1))
        else:
            each += boxes.count()
    return each * len(synapse.sources)


def _axons_per(synapse: Synapse, board: Board) -> str:
    """What of a source needs an in-axon of its own: 'population', 'position' or 'neuron'."""
    return board.conv_axons if isinstance(synapse, Conv) else "neuron"


def out_axons(synapse: Synapse, source: Shape, target: Shape, source_grid: Grid, target_grid: Grid,
              board: Board) -> np.ndarray:
    """Out-axons of every box of the source's grid: one per position or neuron and box of the target that reads it.

    Returns
    -------
    int64 ndarray
        (parts of the source's grid).
    """
    position = _axons_per(synapse, board) == "population"
    total = np.zeros(source_grid.parts, np.int64)
    for boxes in source_boxes(synapse, source, target, target_grid):
        along = []
        for axis, (mask, edges) in enumerate(zip(boxes.masks, source_grid.edges)):
            inside = np.add.reduceat(mask.astype(np.int64), edges[:-1], axis=1)
            along.append(((inside > 0) if position and axis == 0 else inside).sum(axis=0))
        total += outer(*along)
    return total


def fan_in(graph: Graph, population: str) -> int:
    """Most synapses that end at one neuron of ``population``, zero weights of the sparse kinds left out."""
    return sum(synapse.fan_in() * len(synapse.sources) for synapse in graph.into(population))


def _words(bits: np.ndarray, board: Board) -> np.ndarray:
    return -(-bits // board.word_bits)


@synapse_words.register
def _conv_words(synapse: Conv, source: Shape, target: Shape, grid: Grid, board: Board) -> np.ndarray:
    channels = conv_row_words(synapse, target, grid, board).sum(axis=1) * (source[0] // synapse.groups)
    along = []
    for axis in (0, 1):
        if board.conv_weights == "core":
            along.append(np.full(grid.parts[axis + 1], synapse.weight.shape[axis + 2]))
        else:
            along.append(np.array(stored_taps(synapse.taps(axis, source, target), grid.edges[axis + 1],
                                              board.conv_weights == "pattern")))
    return outer(channels, along[0], along[1])


def conv_row_words(synapse: Conv, target: Shape, grid: Grid, board: Board) -> np.ndarray:
    """Words of the row of one source channel and tap in each channel range, by group: int64 (ranges, groups)."""
    shared = board.conv_weights != "none"
    each = weight_bits(synapse.weight) if shared else listed_bits(synapse, board)
    # Output channels of each group that lie in each channel range.
    per_group = target[0] // synapse.groups
    starts = np.arange(synapse.groups) * per_group
    low, high = (np.array(grid.edges[0][s])[:, None] for s in (slice(None, -1), slice(1, None)))
    outputs = np.clip(np.minimum(high, starts + per_group) - np.maximum(low, starts), 0, None)
    return (np.where(outputs > 0, _words(outputs * each, board) + board.row_header_words, 0) if shared
            else _list_words(outputs, each, board))


def stored_taps(tap: np.ndarray, edges: Edges, shared: bool) -> list[int]:
    """Taps that each range of target positions stores, summed over the source positions it reads.

    Parameters
    ----------
    tap : bool ndarray (kernel, target, source)
    edges : tuple of int
        Ranges of the target.
    shared : bool
        Positions with the same taps and relative targets count once.
    """
    found = []
    for low, high in pairwise(edges):
        sets = tap[:, low:high].any(axis=1).T
        sets = sets[sets.any(axis=1)]
        found.append(int(np.unique(sets, axis=0).sum() if shared else sets.sum()))
    return found


def _mixed_words(synapse: JointMix, boxes: SourceBoxes, grid: Grid, bits: int, board: Board) -> np.ndarray:
    nonzero = (np.asarray(synapse.weight) != 0)[list(boxes.partitions)].sum(axis=0)
    synapses = np.add.reduceat(nonzero, grid.edges[2][:-1], axis=0)
    return outer(boxes.channels.sum(1), boxes.frames.sum(1), _list_words(synapses, bits, board).sum(axis=1))


@synapse_words.register
def _graph_conv_words(synapse: GraphConv, source: Shape, target: Shape, grid: Grid, board: Board) -> np.ndarray:
    nonzero, bits = np.asarray(synapse.weight) != 0, listed_bits(synapse, board)
    outputs = np.add.reduceat(nonzero, grid.edges[0][:-1], axis=1, dtype=np.int64)
    found = np.zeros((grid.parts[0], grid.parts[2]), np.int64)
    for number, (low, high) in enumerate(zip(grid.edges[2][:-1], grid.edges[2][1:])):
        chosen = (synapse.edges[:, 1] >= low) & (synapse.edges[:, 1] < high)
        rows = np.zeros((source[2], *outputs.shape[1:]), np.int64)
        np.add.at(rows, synapse.edges[chosen, 0], outputs[chosen])
        found[:, number] = _list_words(rows, bits, board).sum(axis=(0, 2))
    return found[:, None, :] * grid.lengths[1][None, :, None]
