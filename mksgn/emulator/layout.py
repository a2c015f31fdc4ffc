"""How the weights of a synapse lie in a program, and which positions they link."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch
from typing import NamedTuple

import numpy as np

from mksgn.emulator.program import ALIGNED, PRODUCTS, ROWS, SCALED, filled
from mksgn.emulator.rows import pad
from mksgn.ir import Conv, Dense, GraphConv, JointMix, Synapse
from mksgn.ir.synapses import Shape

_NOTHING = np.zeros(0, np.int32)


class Links(NamedTuple):
    """A table of links: int arrays (Q + 1,), (E,), (E,); see :class:`mksgn.emulator.program.Code`."""

    first: np.ndarray
    rows: np.ndarray
    what: np.ndarray

    @classmethod
    def of(cls, targets: int, target: np.ndarray, rows: np.ndarray, what: np.ndarray) -> Links:
        """Links in any order, to ``targets`` positions."""
        order = np.argsort(target, kind="stable")
        return cls(np.searchsorted(target[order], np.arange(targets + 1)), rows[order], what[order])


@dataclass(frozen=True)
class Layout:
    """A synapse laid out.

    Parameters
    ----------
    kind : int
        ROWS, SCALED, PRODUCTS or ALIGNED.
    weights : int ndarray (..., W)
        Filled rows; empty for SCALED, whose numbers stand in the links.
    links : Links
    shared : bool
        The links are those of a frame, and the same in all.
    parts, part_width : int
        Partitions of a joint mixing and their channels; else 1 and the target's.
    channels : int ndarray
        Channels of the source that have weights, of ROWS.
    """

    kind: int
    weights: np.ndarray
    links: Links
    shared: bool
    parts: int
    part_width: int
    channels: np.ndarray


@singledispatch
def room(synapse: Synapse, source: Shape, target: Shape) -> int:
    """The larger of how many weights and how many links the layout of ``synapse`` has."""
    raise TypeError(f"no kind of synapse: {synapse!r}")


@room.register
def _room_of_conv(synapse: Conv, source: Shape, target: Shape) -> int:
    return int(np.prod(synapse.weight.shape[2:])) * max(_step(synapse, source, target), target[1] * target[2])


@room.register
def _room_of_dense(synapse: Dense, source: Shape, target: Shape) -> int:
    return source[1] * source[2] * target[1] * target[2] * _step(synapse, source, target)


@room.register
def _room_of_joint_mix(synapse: JointMix, source: Shape, target: Shape) -> int:
    return synapse.weight.size


@room.register
def _room_of_graph_conv(synapse: GraphConv, source: Shape, target: Shape) -> int:
    return len(synapse.edges) * _step(synapse, source, target)


@singledispatch
def layout(synapse: Synapse, source: Shape, target: Shape) -> Layout:
    """Lay out a synapse without delays.

    Those that mix channels are of the kind ROWS.

    Parameters
    ----------
    synapse : Synapse
    source, target : (C, F, V)
    """
    raise TypeError(f"no kind of synapse: {synapse!r}")


@layout.register
def _joint_mix(synapse: JointMix, source: Shape, target: Shape) -> Layout:
    partitions, made, _ = synapse.weight.shape
    k, v, w = np.nonzero(synapse.weight)
    links = Links.of(made * partitions, v * partitions + k, w, synapse.weight[k, v, w])
    return Layout(SCALED, _NOTHING, links, True, partitions, source[0], _NOTHING)


@layout.register
def _conv(synapse: Conv, source: Shape, target: Shape) -> Layout:
    links = _conv_links(synapse, source, target)
    if synapse.mixes_channels:
        return _rows(synapse.ungrouped().transpose(2, 3, 1, 0), links, source, target)
    rows = filled(synapse.weight.transpose(2, 3, 1, 0)[:, :, 0])
    if _aligned(source, target, links):
        rows = np.broadcast_to(rows[0, 0], (target[2], pad(target[0])))
        return Layout(ALIGNED, rows, links, False, 1, target[0], _NOTHING)
    return Layout(PRODUCTS, rows, links, False, 1, target[0], _NOTHING)


@layout.register
def _dense(synapse: Dense, source: Shape, target: Shape) -> Layout:
    made, read = target[1] * target[2], source[1] * source[2]
    rows = synapse.weight.reshape(target[0], made, source[0], read).transpose(1, 3, 2, 0)  # (Q, P, I, O)
    q, p = np.divmod(np.arange(made * read), read)
    links = Links.of(made, q, p, np.arange(made * read) * _step(synapse, source, target))
    return _rows(rows, links, source, target)


@layout.register
def _graph_conv(synapse: GraphConv, source: Shape, target: Shape) -> Layout:
    links = Links.of(target[2], synapse.edges[:, 1], synapse.edges[:, 0],
                     np.arange(len(synapse.edges)) * _step(synapse, source, target))
    return _rows(synapse.weight.transpose(0, 2, 1), links, source, target, shared=True)


def _step(synapse: Synapse, source: Shape, target: Shape) -> int:
    """Weights from those of one link to those of the next: a row, or one for every channel of the source."""
    return (source[0] if synapse.mixes_channels else 1) * pad(target[0])


def _rows(rows: np.ndarray, links: Links, source: Shape, target: Shape, shared: bool = False) -> Layout:
    """A layout of the kind ROWS; weights (..., I, O)."""
    channels = np.flatnonzero(rows.reshape(-1, source[0], target[0]).any(axis=(0, 2)))
    return Layout(ROWS, filled(rows), links, shared, 1, target[0], channels)


def _aligned(source: Shape, target: Shape, links: Links) -> bool:
    """Whether every position reads itself and nothing else, through the same weights."""
    positions = np.arange(target[1] * target[2])
    return source == target and np.array_equal(links.rows, positions) and not links.what.any() and np.array_equal(
        links.first, np.arange(len(positions) + 1))


def _conv_links(synapse: Conv, source: Shape, target: Shape) -> Links:
    """Links of the taps that have weights and meet a real position."""
    taps = synapse.weight.shape[2:]
    f = synapse.read_positions(0, target[1]).T[:, None, :, None]
    v = synapse.read_positions(1, target[2]).T[None, :, None, :]
    used = np.asarray(synapse.weight).any(axis=(0, 1))
    real = (f >= 0) & (f < source[1]) & (v >= 0) & (v < source[2]) & used
    q, p, tap = np.broadcast_arrays(np.arange(target[1] * target[2]).reshape(target[1], target[2], 1, 1),
                                    f * source[2] + v, np.arange(taps[0] * taps[1]).reshape(taps))
    return Links.of(target[1] * target[2], q[real], p[real], tap[real] * _step(synapse, source, target))
