"""How the weights of a synapse lie in a program, and which positions they link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mksgn.emulator.program import ALIGNED, PRODUCTS, ROWS, SCALED, filled
from mksgn.emulator.rows import pad
from mksgn.ir import Conv, Dense, GraphConv, JointMix, Synapse
from mksgn.ir.synapses import Shape


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


def adds_rows(synapse: Synapse) -> bool:
    """Whether the layout of ``synapse`` is of the kind ROWS."""
    return not isinstance(synapse, JointMix) and not _each(synapse)


def room(synapse: Synapse, source: Shape, target: Shape) -> int:
    """The larger of how many weights and how many links its layout has."""
    read, made, matrix = source[1] * source[2], target[1] * target[2], source[0] * pad(target[0])
    if isinstance(synapse, Conv):
        return int(np.prod(synapse.weight.shape[2:])) * max(pad(target[0]) if _each(synapse) else matrix, made)
    if isinstance(synapse, Dense):
        return read * made * matrix
    return synapse.weight.size if isinstance(synapse, JointMix) else len(synapse.edges) * matrix


def layout(synapse: Synapse, weight: np.ndarray, source: Shape, target: Shape) -> Layout:
    """Lay out a synapse with ``weight`` in place of its own.

    Parameters
    ----------
    synapse : Synapse
    weight : int ndarray
        Of the synapse's shape.
    source, target : (C, F, V)
    """
    nothing = np.zeros(0, np.int32)
    shared = isinstance(synapse, (JointMix, GraphConv))
    if isinstance(synapse, JointMix):
        k, v, w = np.nonzero(weight)
        links = Links.of(target[2] * len(weight), v * len(weight) + k, w, weight[k, v, w])
        return Layout(SCALED, nothing, links, shared, len(weight), source[0], nothing)
    if isinstance(synapse, Conv) and _each(synapse):
        rows = filled(weight.transpose(2, 3, 1, 0)[:, :, 0])
        links = _conv_links(synapse, source, target, pad(target[0]))
        if _aligned(source, target, links):
            rows = np.broadcast_to(rows[0, 0], (target[2], pad(target[0])))
            return Layout(ALIGNED, rows, links, shared, 1, target[0], nothing)
        return Layout(PRODUCTS, rows, links, shared, 1, target[0], nothing)
    step = source[0] * pad(target[0])
    if isinstance(synapse, GraphConv):
        rows = weight.transpose(0, 2, 1)
        links = Links.of(target[2], synapse.edges[:, 1], synapse.edges[:, 0], np.arange(len(synapse.edges)) * step)
    elif isinstance(synapse, Dense):
        made, read = target[1] * target[2], source[1] * source[2]
        rows = weight.reshape(target[0], made, source[0], read).transpose(1, 3, 2, 0)  # (Q, P, I, O)
        q, p = np.divmod(np.arange(made * read), read)
        links = Links.of(made, q, p, np.arange(made * read) * step)
    else:
        assert isinstance(synapse, Conv)
        rows = _ungrouped(synapse, weight, source, target)
        links = _conv_links(synapse, source, target, step)
    channels = np.flatnonzero(rows.reshape(-1, source[0], target[0]).any(axis=(0, 2)))
    return Layout(ROWS, filled(rows), links, shared, 1, target[0], channels)


def _each(synapse: Synapse) -> bool:
    """A convolution of each channel with itself."""
    return isinstance(synapse, Conv) and synapse.groups == len(synapse.weight) and synapse.weight.shape[1] == 1


def _aligned(source: Shape, target: Shape, links: Links) -> bool:
    """Whether every position reads itself and nothing else, through the same weights."""
    positions = np.arange(target[1] * target[2])
    return source == target and np.array_equal(links.rows, positions) and not links.what.any() and np.array_equal(
        links.first, np.arange(len(positions) + 1))


def _ungrouped(synapse: Conv, weight: np.ndarray, source: Shape, target: Shape) -> np.ndarray:
    """(kF, kV, I, O), zeros between groups."""
    taps = weight.transpose(2, 3, 1, 0)
    rows = np.zeros((*taps.shape[:2], source[0], target[0]), weight.dtype)
    read, made = taps.shape[2], target[0] // synapse.groups
    for g in range(synapse.groups):
        own = slice(g * made, (g + 1) * made)
        rows[:, :, g * read:(g + 1) * read, own] = taps[..., own]
    return rows


def _conv_links(synapse: Conv, source: Shape, target: Shape, step: int) -> Links:
    """Links of the taps that meet a real position, whose weights lie ``step`` apart."""
    taps = synapse.weight.shape[2:]
    q_f, q_v, m, n = np.ogrid[:target[1], :target[2], :taps[0], :taps[1]]
    f = q_f * synapse.stride[0] + m * synapse.dilation[0] - synapse.padding[0]
    v = q_v * synapse.stride[1] + n * synapse.dilation[1] - synapse.padding[1]
    real = (f >= 0) & (f < source[1]) & (v >= 0) & (v < source[2])
    q, p, tap = np.broadcast_arrays(q_f * target[2] + q_v, f * source[2] + v, m * taps[1] + n)
    return Links.of(target[1] * target[2], q[real], p[real], tap[real] * step)
