"""A synapse as one explicit matrix, and as joint-mixing matrices followed by a convolution. Integers only."""

from __future__ import annotations

from functools import singledispatch

import numpy as np

from mksgn.ir.synapses import Conv, Dense, GraphConv, JointMix, Shape, Synapse


def edge_terms(synapse: GraphConv, joints: int, target_joints: int) -> tuple[np.ndarray, np.ndarray]:
    r"""A graph convolution as :math:`\sum_k A_k \otimes W_k`: edges with the same weights are one term.

    Returns
    -------
    adjacency : int16 ndarray (K, V target, V source)
        How many of the term's edges join the two joints.
    weight : int16 ndarray (K, O, I)
    """
    weight, term = np.unique(synapse.weight, axis=0, return_inverse=True)
    adjacency = np.zeros((len(weight), target_joints, joints), np.int16)
    np.add.at(adjacency, (term.reshape(-1), synapse.edges[:, 1], synapse.edges[:, 0]), 1)
    return adjacency, weight


@singledispatch
def matrix(synapse: Synapse, source: Shape, target: Shape) -> np.ndarray:
    """The synapse as int32 (neurons of the target, neurons of the source), both in (C, F, V) order."""
    raise TypeError(f"no kind of synapse: {synapse!r}")


@matrix.register
def _dense(synapse: Dense, source: Shape, target: Shape) -> np.ndarray:
    return synapse.weight.astype(np.int32)


@matrix.register
def _conv(synapse: Conv, source: Shape, target: Shape) -> np.ndarray:
    frames, joints = (synapse.taps(axis, source, target).astype(np.int16) for axis in (0, 1))
    return _as_matrix(np.einsum("oimn,mfx,nvy->ofvixy", synapse.ungrouped().astype(np.int32), frames, joints,
                                optimize=True), source, target)


@matrix.register
def _joint_mix(synapse: JointMix, source: Shape, target: Shape) -> np.ndarray:
    channels, frames = (np.eye(length, dtype=np.int32) for length in source[:2])
    return _as_matrix(np.einsum("kvw,ci,fx->kcfvixw", synapse.weight.astype(np.int32), channels, frames,
                                optimize=True), source, target)


@matrix.register
def _graph_conv(synapse: GraphConv, source: Shape, target: Shape) -> np.ndarray:
    adjacency, weight = edge_terms(synapse, source[2], target[2])
    return _as_matrix(np.einsum("kvw,koi,fx->ofvixw", adjacency.astype(np.int32), weight,
                                np.eye(source[1], dtype=np.int32), optimize=True), source, target)


def _as_matrix(full: np.ndarray, source: Shape, target: Shape) -> np.ndarray:
    """An array with the axes of the target, then those of the source, as a matrix."""
    return full.reshape(int(np.prod(target)), int(np.prod(source)))


@singledispatch
def intermediate_numbers(synapse: Synapse, source: Shape, target: Shape) -> int:
    """Numbers that :func:`matrix` makes beside its result."""
    return 0


@intermediate_numbers.register
def _intermediate_of_conv(synapse: Conv, source: Shape, target: Shape) -> int:
    return sum(synapse.weight.shape[axis + 1] * source[axis] * target[axis] for axis in (1, 2))


@intermediate_numbers.register
def _intermediate_of_graph_conv(synapse: GraphConv, source: Shape, target: Shape) -> int:
    return len(synapse.edges) * source[2] * target[2]
