"""Synapses as sparse matrices between flattened populations, in Lava's order.

Lava lays a population out as (V, F, C) = (x, y, channel), the spiking graph as (C, F, V). The
matrices here have rows and columns numbered in Lava's order, so a Process network needs no
transposition between populations.
"""

from __future__ import annotations

from functools import singledispatch

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix

from mksgn.errors import BackendError
from mksgn.ir import Conv, Dense, GraphConv, JointMix, Synapse
from mksgn.ir.graph import WEIGHT_MAX, WEIGHT_MIN
from mksgn.ir.synapses import Shape


def matrix(synapse: Synapse, source: Shape, target: Shape) -> csr_matrix:
    """Weights of ``synapse``: int32 csr_matrix (target neurons, source neurons), both in (V, F, C) order.

    Raises
    ------
    BackendError
        When edges named twice add up to a weight wider than 8 bits.
    """
    sizes = int(np.prod(target)), int(np.prod(source))
    rows, columns, values = _triplets(synapse, source, target)
    result = coo_matrix((values.astype(np.int32), (rows, columns)), shape=sizes).tocsr()
    if result.nnz and not WEIGHT_MIN <= result.data.min() <= result.data.max() <= WEIGHT_MAX:
        raise BackendError("weights of one synapse between the same neurons add up to more than 8 bits",
                           where=f"synapse {synapse.name!r}", got=f"{result.data.min()}..{result.data.max()}",
                           allowed=f"{WEIGHT_MIN}..{WEIGHT_MAX}", fix="name each edge once")
    return result


def lava_order(values: np.ndarray, source: Shape, target: Shape) -> np.ndarray:
    """A (target neurons, source neurons) array in (C, F, V) order, reordered to (V, F, C) on both sides."""
    full = values.reshape(*target, *source)
    return full.transpose(2, 1, 0, 5, 4, 3).reshape(values.shape)


def lava_kernel(synapse: Conv) -> np.ndarray:
    """Kernel for ``lava.proc.conv.Conv``: int32 (O, kV, kF, I / groups), flipped, as it convolves and we correlate."""
    return np.ascontiguousarray(synapse.weight[:, :, ::-1, ::-1].transpose(0, 3, 2, 1)).astype(np.int32)


def _index(frame: np.ndarray, joint: np.ndarray, channel: np.ndarray, shape: Shape) -> np.ndarray:
    return (joint * shape[1] + frame) * shape[0] + channel


_Triplets = tuple[np.ndarray, np.ndarray, np.ndarray]


@singledispatch
def _triplets(synapse: Synapse, source: Shape, target: Shape) -> _Triplets:
    """Rows, columns and values of the weights that are not 0."""
    raise TypeError(f"no kind of synapse: {synapse!r}")


@_triplets.register
def _dense(synapse: Dense, source: Shape, target: Shape) -> _Triplets:
    full = lava_order(synapse.weight, source, target)
    rows, columns = np.nonzero(full)
    return rows, columns, full[rows, columns]


@_triplets.register
def _conv(synapse: Conv, source: Shape, target: Shape) -> _Triplets:
    weight = synapse.weight
    out_per_group, in_per_group = weight.shape[0] // synapse.groups, weight.shape[1]
    reads = [synapse.read_positions(axis, target[axis + 1]) for axis in (0, 1)]
    inside = [(read >= 0) & (read < source[axis + 1]) for axis, read in enumerate(reads)]
    parts: list[_Triplets] = []
    for m, n in np.ndindex(*weight.shape[2:]):
        out_channel, within = np.nonzero(weight[:, :, m, n])
        in_channel = out_channel // out_per_group * in_per_group + within
        out_frame, out_joint = np.flatnonzero(inside[0][m]), np.flatnonzero(inside[1][n])
        in_frame, in_joint = reads[0][m, out_frame], reads[1][n, out_joint]
        rows = _index(out_frame[:, None, None], out_joint[None, :, None], out_channel[None, None], target)
        columns = _index(in_frame[:, None, None], in_joint[None, :, None], in_channel[None, None], source)
        values = np.broadcast_to(weight[out_channel, within, m, n], rows.shape)
        parts.append((rows.ravel(), columns.ravel(), values.ravel()))
    rows, columns, values = (np.concatenate(part) for part in zip(*parts))
    return rows, columns, values


@_triplets.register
def _joint_mix(synapse: JointMix, source: Shape, target: Shape) -> _Triplets:
    partition, out_joint, in_joint = np.nonzero(synapse.weight)
    values = synapse.weight[partition, out_joint, in_joint]
    channel = np.arange(source[0])[:, None, None]
    frame = np.arange(source[1])[None, :, None]
    rows = _index(frame, out_joint[None, None], partition[None, None] * source[0] + channel, target)
    columns = _index(frame, in_joint[None, None], channel, source)
    return rows.ravel(), columns.ravel(), np.broadcast_to(values, rows.shape).ravel()


@_triplets.register
def _graph_conv(synapse: GraphConv, source: Shape, target: Shape) -> _Triplets:
    edge, out_channel, in_channel = np.nonzero(synapse.weight)
    values = synapse.weight[edge, out_channel, in_channel]
    in_joint, out_joint = synapse.edges[edge, 0], synapse.edges[edge, 1]
    frame = np.arange(source[1])[:, None]
    rows = _index(frame, out_joint[None], out_channel[None], target)
    columns = _index(frame, in_joint[None], in_channel[None], source)
    return rows.ravel(), columns.ravel(), np.broadcast_to(values, rows.shape).ravel()
