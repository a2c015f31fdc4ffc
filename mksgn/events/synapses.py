"""The synapses of a graph as event-driven operators on numpy arrays (B, F, V, C)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from mksgn.events import kernels
from mksgn.ir import Conv, Dense, GraphConv, JointMix, Synapse
from mksgn.ir.bounds import channels_last
from mksgn.ir.schedule import delayed
from mksgn.ir.synapses import Shape

Apply = Callable[[np.ndarray, np.ndarray], None]
"""``apply(x, out)``: int8 or int32 messages (B, F, V, C) in, int32 sums (B, F', V', C') added to."""


def compiled(synapse: Synapse, source: Shape, target: Shape) -> Apply:
    """The operator of a synapse without functional delays.

    Parameters
    ----------
    synapse : Synapse
    source, target : (C, F, V)

    Raises
    ------
    ValueError
        When a ``Dense`` synapse has delays (:func:`by_delay`).
    """
    if isinstance(synapse, Conv):
        return _conv(synapse)
    if isinstance(synapse, JointMix):
        k, v, w = (index.astype(np.int32) for index in np.nonzero(synapse.weight))
        values = synapse.weight[k, v, w].astype(np.int32)
        return _each(kernels.mix_joints, k, v, w, values)
    if isinstance(synapse, GraphConv):
        return _graph_conv(synapse, source[2])
    assert isinstance(synapse, Dense)
    if delayed(synapse):
        raise ValueError(f"synapse {synapse.name!r} has functional delays")
    rows, columns = channels_last(target), channels_last(source)
    weight = np.ascontiguousarray(synapse.weight[rows][:, columns].T.astype(np.int16))
    multiply = _each(kernels.multiply, weight)
    return lambda x, out: multiply(x.reshape(len(x), -1), out.reshape(len(out), -1))


def by_delay(synapse: Synapse, source: Shape, target: Shape) -> list[tuple[int, Apply]]:
    """The operator of every functional delay that occurs in ``synapse``, with the weights that have it.

    Parameters as for :func:`compiled`; one thread.
    """
    if not delayed(synapse):
        plain = replace(synapse, delay=None) if isinstance(synapse, Dense) else synapse
        return [(0, compiled(plain, source, target))]
    assert isinstance(synapse, Dense) and synapse.delay is not None
    delay = np.broadcast_to(synapse.delay, synapse.weight.shape)
    return [(int(steps), compiled(replace(synapse, weight=np.where(delay == steps, synapse.weight, 0), delay=None),
                                  source, target)) for steps in np.unique(delay[synapse.weight != 0])]


def _each(kernel: Callable[..., None], *weights: Any) -> Apply:
    """``kernel``, which takes an image, its weights and the sums, for every image of a batch."""

    def apply(x: np.ndarray, out: np.ndarray) -> None:
        for image, total in zip(x, out):
            kernel(image, *weights, total)

    return apply


def _conv(synapse: Conv) -> Apply:
    geometry = (*synapse.stride, *synapse.padding, *synapse.dilation)
    taps = synapse.weight.transpose(2, 3, 1, 0)  # (kF, kV, I / groups, O)
    if synapse.groups > 1 and taps.shape[2] == 1 and taps.shape[3] == synapse.groups:
        each = np.ascontiguousarray(taps[:, :, 0])
        return _each(kernels.convolve_depthwise, each, *geometry)
    read = np.flatnonzero(synapse.weight.any(axis=(0, 2, 3)))
    if synapse.groups == 1 and len(read) < taps.shape[2]:
        # Channels that no weight reads (a spike coder's other modalities) are left out of the work, as of the counts.
        convolve = _each(kernels.convolve, kernels.rows_by_input(taps[:, :, read], 1), 1, *geometry)
        return lambda x, out: convolve(np.ascontiguousarray(x[..., read]), out)
    return _each(kernels.convolve, kernels.rows_by_input(taps, synapse.groups), synapse.groups, *geometry)


def _graph_conv(synapse: GraphConv, joints: int) -> Apply:
    order = np.argsort(synapse.edges[:, 0], kind="stable")
    first = np.searchsorted(synapse.edges[order, 0], np.arange(joints + 1)).astype(np.int32)
    targets = synapse.edges[order, 1].astype(np.int32)
    weight = np.ascontiguousarray(synapse.weight[order].transpose(0, 2, 1))
    return _each(kernels.convolve_graph, first, targets, weight)
