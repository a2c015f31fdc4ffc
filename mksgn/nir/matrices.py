"""A synapse as one explicit matrix, and as joint-mixing matrices followed by a convolution. Integers only."""

from __future__ import annotations

import numpy as np

from mksgn.ir.synapses import Conv, Dense, GraphConv, JointMix, Shape, Synapse


def ungrouped(synapse: Conv) -> np.ndarray:
    """Weights (O, I, kF, kV) of the same convolution with one group: zero between groups."""
    weight, groups = synapse.weight, synapse.groups
    if groups == 1:
        return weight
    outputs, per_group, *kernel = weight.shape
    full = np.zeros((outputs, per_group * groups, *kernel), weight.dtype)
    for group in range(groups):
        rows = slice(group * outputs // groups, (group + 1) * outputs // groups)
        full[rows, group * per_group:(group + 1) * per_group] = weight[rows]
    return full


def taps(size: int, outputs: int, kernel: int, stride: int, padding: int, dilation: int) -> np.ndarray:
    """One axis of a convolution as 0/1 matrices (kernel, outputs, size): which input each tap of each output reads."""
    found = np.zeros((kernel, outputs, size), np.int16)
    for tap in range(kernel):
        read = np.arange(outputs) * stride + tap * dilation - padding
        inside = (read >= 0) & (read < size)
        found[tap, inside, read[inside]] = 1
    return found


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


def matrix(synapse: Synapse, source: Shape, target: Shape) -> np.ndarray:
    """The synapse as int32 (neurons of the target, neurons of the source), both in (C, F, V) order."""
    if isinstance(synapse, Dense):
        return synapse.weight.astype(np.int32)
    if isinstance(synapse, Conv):
        frames, joints = (taps(source[axis + 1], target[axis + 1], synapse.weight.shape[axis + 2], synapse.stride[axis],
                               synapse.padding[axis], synapse.dilation[axis]) for axis in (0, 1))
        full = np.einsum("oimn,mfx,nvy->ofvixy", ungrouped(synapse).astype(np.int32), frames, joints, optimize=True)
    elif isinstance(synapse, JointMix):
        partitions = synapse.weight.shape[0]
        channels = np.eye(source[0], dtype=np.int32)
        full = np.einsum("kvw,ci,fx->kcfvixw", synapse.weight.astype(np.int32), channels,
                         np.eye(source[1], dtype=np.int32), optimize=True)
        full = full.reshape(partitions * source[0], *full.shape[2:])
    else:
        adjacency, weight = edge_terms(synapse, source[2], target[2])
        full = np.einsum("kvw,koi,fx->ofvixw", adjacency.astype(np.int32), weight, np.eye(source[1], dtype=np.int32),
                         optimize=True)
    return full.reshape(int(np.prod(target)), int(np.prod(source)))
