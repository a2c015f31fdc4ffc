"""Which neurons of a source a box of target neurons reads.

The answer is a few :class:`SourceBoxes`. Each holds, for every range along each axis of the target's grid, a
mask of the source along that axis; the box of target cell (c, f, v) is the product of the masks of its
ranges. Those of one synapse never overlap, so numbers of neurons and of messages add up. Conv, Dense and
GraphConv have one; JointMix has one for each set of partitions that a channel range may hold.

Structure decides, not the value of a weight: a position in the receptive field is read even where its weight is 0
(as a chip stores it), except in the sparse lists of JointMix and GraphConv.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch

import numpy as np

from mksgn.ir.synapses import Conv, Dense, GraphConv, JointMix, Shape, Synapse
from mksgn.mapping.grid import Edges, Grid, outer


@dataclass(frozen=True, eq=False)
class SourceBoxes:
    """Boxes of source neurons, one per target cell.

    Parameters
    ----------
    channels, frames, joints : bool ndarray (ranges of the target, length of the source)
    partitions : tuple of int
        JointMix: the partitions of the adjacency that its boxes go through.
    """

    channels: np.ndarray
    frames: np.ndarray
    joints: np.ndarray
    partitions: tuple[int, ...] = ()

    @property
    def masks(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return (self.channels, self.frames, self.joints)

    def count(self) -> np.ndarray:
        """Source neurons that each target cell reads: int64 (parts)."""
        return outer(*(mask.sum(axis=1) for mask in self.masks))


@singledispatch
def source_boxes(synapse: Synapse, source: Shape, target: Shape, grid: Grid) -> list[SourceBoxes]:
    """Source boxes of each cell of the target's ``grid``, for one source population of ``synapse``.

    Parameters
    ----------
    synapse : Synapse
    source, target : (C, F, V)
    grid : Grid
        Of the target.
    """
    raise TypeError(f"no kind of synapse: {synapse!r}")


@source_boxes.register
def _conv(synapse: Conv, source: Shape, target: Shape, grid: Grid) -> list[SourceBoxes]:
    frames, joints = (_any(synapse.taps(axis, source, target).any(axis=0), grid.edges[axis + 1]) for axis in (0, 1))
    return [SourceBoxes(_groups_read(synapse, target[0], source[0], grid.edges[0]), frames, joints)]


@source_boxes.register
def _dense(synapse: Dense, source: Shape, target: Shape, grid: Grid) -> list[SourceBoxes]:
    channels, frames, joints = (np.ones((parts, length), bool) for parts, length in zip(grid.parts, source))
    return [SourceBoxes(channels, frames, joints)]


@source_boxes.register
def _graph_conv(synapse: GraphConv, source: Shape, target: Shape, grid: Grid) -> list[SourceBoxes]:
    joints = np.zeros((target[2], source[2]), bool)
    present = (np.asarray(synapse.weight) != 0).any(axis=(1, 2))
    joints[synapse.edges[present, 1], synapse.edges[present, 0]] = True
    channels = np.ones((grid.parts[0], source[0]), bool)
    return [SourceBoxes(channels, _own_frames(source, grid), _any(joints, grid.edges[2]))]


@source_boxes.register
def _joint_mix(synapse: JointMix, source: Shape, target: Shape, grid: Grid) -> list[SourceBoxes]:
    frames = _own_frames(source, grid)
    return [SourceBoxes(channels, frames, _any(joints, grid.edges[2]), chosen)
            for chosen, channels, joints in _mixed(synapse, source[0], grid.edges[0])]


def _own_frames(source: Shape, grid: Grid) -> np.ndarray:
    """bool (ranges, F): each frame reads itself alone."""
    return _any(np.eye(source[1], dtype=bool), grid.edges[1])


def _any(matrix: np.ndarray, edges: Edges) -> np.ndarray:
    """Rows of a bool matrix (length, ...) joined range by range."""
    return np.logical_or.reduceat(matrix, edges[:-1], axis=0)


def _groups_read(synapse: Conv, out: int, into: int, edges: Edges) -> np.ndarray:
    """bool (ranges, I): source channels in the groups of each range of target channels."""
    if synapse.groups == 1:
        return np.ones((len(edges) - 1, into), bool)
    group_of_out, group_of_in = (np.arange(n) // (n // synapse.groups) for n in (out, into))
    low, high = group_of_out[np.array(edges[:-1])], group_of_out[np.array(edges[1:]) - 1]
    return (group_of_in >= low[:, None]) & (group_of_in <= high[:, None])


def _mixed(synapse: JointMix, channels: int, edges: Edges) -> list[tuple[tuple[int, ...], np.ndarray, np.ndarray]]:
    """(partitions, bool (ranges, C), bool (V target, V source)) for each set of partitions that occurs."""
    nonzero = np.asarray(synapse.weight) != 0
    partitions = len(nonzero)
    # Partition k of source channel c feeds target channel k C + c.
    low, high = np.array(edges[:-1])[:, None, None], np.array(edges[1:])[:, None, None]
    fed = np.arange(partitions)[None, :, None] * channels + np.arange(channels)[None, None, :]
    held = (fed >= low) & (fed < high)
    code = (held * (1 << np.arange(partitions))[None, :, None]).sum(axis=1)
    found = []
    for number in np.unique(code[code > 0]):
        chosen = tuple(k for k in range(partitions) if number >> k & 1)
        found.append((chosen, code == number, nonzero[list(chosen)].any(axis=0)))
    return found
