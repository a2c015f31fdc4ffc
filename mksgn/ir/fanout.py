"""How many non-zero weights one spike meets, exactly, for every source neuron of a synapse.

A synaptic operation is one non-zero weight read and accumulated because of one spike. Summing
``spikes * fanout`` over the source's neurons therefore counts a run exactly: convolution borders,
strides, dilation and groups, missing edges of the joint graph and zero weights all lie in
``fanout``, none in an average.
"""

from __future__ import annotations

import numpy as np

from mksgn.ir.synapses import Conv, Dense, GraphConv, JointMix, Shape, Synapse


def fanout(synapse: Synapse, source_shape: Shape, target_shape: Shape) -> np.ndarray:
    """Non-zero weights of ``synapse`` that one spike of each source neuron meets.

    Parameters
    ----------
    synapse : Synapse
    source_shape, target_shape : (C, F, V)

    Returns
    -------
    int64 ndarray (C, F, V)
        Of ``source_shape``. Every source of a `concat` has this same fan-out.
    """
    nonzero = np.asarray(synapse.weight) != 0
    if isinstance(synapse, Conv):
        return _conv(synapse, nonzero, source_shape, target_shape)
    if isinstance(synapse, Dense):
        return nonzero.sum(axis=0, dtype=np.int64).reshape(source_shape)
    if isinstance(synapse, JointMix):
        per_joint = nonzero.sum(axis=(0, 1), dtype=np.int64)
        return np.broadcast_to(per_joint, source_shape).copy()
    assert isinstance(synapse, GraphConv)
    per_joint_and_channel = np.zeros((source_shape[2], source_shape[0]), np.int64)
    np.add.at(per_joint_and_channel, synapse.edges[:, 0], nonzero.sum(axis=1, dtype=np.int64))
    return np.broadcast_to(per_joint_and_channel.T[:, None, :], source_shape).copy()


def _conv(synapse: Conv, nonzero: np.ndarray, source_shape: Shape, target_shape: Shape) -> np.ndarray:
    out_channels, _, frames_kernel, joints_kernel = nonzero.shape
    # (G, O/G, I/G, kF, kV) -> non-zero weights of each input channel and kernel tap.
    grouped = nonzero.reshape(synapse.groups, out_channels // synapse.groups, *nonzero.shape[1:])
    taps = grouped.sum(axis=1, dtype=np.int64).reshape(source_shape[0], frames_kernel, joints_kernel)
    reach = [
        _reach(source_shape[axis + 1], target_shape[axis + 1], nonzero.shape[axis + 2], synapse.stride[axis],
               synapse.padding[axis], synapse.dilation[axis])
        for axis in (0, 1)
    ]
    return np.einsum("imn,mf,nv->ifv", taps, reach[0], reach[1])


def _reach(source: int, target: int, kernel: int, stride: int, padding: int, dilation: int) -> np.ndarray:
    """(kernel, source) int64: 1 where tap m carries source position p to a position that exists.

    Output q reads p = q stride + m dilation - padding, so q = (p + padding - m dilation) / stride.
    """
    numerator = np.arange(source)[None, :] + padding - dilation * np.arange(kernel)[:, None]
    position = numerator // stride
    return ((numerator % stride == 0) & (position >= 0) & (position < target)).astype(np.int64)
