"""The synapses of a graph as event-driven operators on numpy arrays (B, F, V, C)."""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch
from typing import Any

import numpy as np

from mksgn.events import kernels
from mksgn.events.attention import attend
from mksgn.ir import Attention, Conv, Dense, GraphConv, JointMix, Synapse
from mksgn.ir.bounds import channels_last
from mksgn.ir.synapses import Shape

Apply = Callable[[np.ndarray, np.ndarray], None]
"""``apply(x, out)``: int8 or int32 messages (B, F, V, C) in, int32 sums (B, F', V', C') added to."""


@singledispatch
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
    raise TypeError(f"no kind of synapse: {synapse!r}")


def by_delay(synapse: Synapse, source: Shape, target: Shape) -> list[tuple[int, Apply]]:
    """The operator of every functional delay that occurs in ``synapse``, with the weights that have it.

    Parameters as for :func:`compiled`; one thread.
    """
    return [(steps, compiled(part, source, target)) for steps, part in synapse.by_delay()]


def _each(kernel: Callable[..., None], *weights: Any) -> Apply:
    """``kernel``, which takes an image, its weights and the sums, for every image of a batch."""

    def apply(x: np.ndarray, out: np.ndarray) -> None:
        for image, total in zip(x, out):
            kernel(image, *weights, total)

    return apply


@compiled.register
def _dense(synapse: Dense, source: Shape, target: Shape) -> Apply:
    if synapse.delayed:
        raise ValueError(f"synapse {synapse.name!r} has functional delays")
    rows, columns = channels_last(target), channels_last(source)
    weight = np.ascontiguousarray(synapse.weight[rows][:, columns].T.astype(np.int16))
    multiply = _each(kernels.multiply, weight)
    return lambda x, out: multiply(x.reshape(len(x), -1), out.reshape(len(out), -1))


@compiled.register
def _joint_mix(synapse: JointMix, source: Shape, target: Shape) -> Apply:
    k, v, w = (index.astype(np.int32) for index in np.nonzero(synapse.weight))
    values = synapse.weight[k, v, w].astype(np.int32)
    return _each(kernels.mix_joints, k, v, w, values)


@compiled.register
def _conv(synapse: Conv, source: Shape, target: Shape) -> Apply:
    geometry = (*synapse.stride, *synapse.padding, *synapse.dilation)
    taps = synapse.weight.transpose(2, 3, 1, 0)  # (kF, kV, I / groups, O)
    if synapse.groups > 1 and synapse.depthwise:
        each = np.ascontiguousarray(taps[:, :, 0])
        return _each(kernels.convolve_depthwise, each, *geometry)
    read = np.flatnonzero(synapse.weight.any(axis=(0, 2, 3)))
    if synapse.groups == 1 and len(read) < taps.shape[2]:
        # Channels that no weight reads (a spike coder's other modalities) are left out of the work, as of the counts.
        convolve = _each(kernels.convolve, kernels.rows_by_input(taps[:, :, read], 1), 1, *geometry)
        return lambda x, out: convolve(np.ascontiguousarray(x[..., read]), out)
    return _each(kernels.convolve, kernels.rows_by_input(taps, synapse.groups), synapse.groups, *geometry)


@compiled.register
def _graph_conv(synapse: GraphConv, source: Shape, target: Shape) -> Apply:
    order = np.argsort(synapse.edges[:, 0], kind="stable")
    first = np.searchsorted(synapse.edges[order, 0], np.arange(source[2] + 1)).astype(np.int32)
    targets = synapse.edges[order, 1].astype(np.int32)
    weight = np.ascontiguousarray(synapse.weight[order].transpose(0, 2, 1))
    return _each(kernels.convolve_graph, first, targets, weight)


class Attend:
    """An attention as an operator that adds into sums of whole steps, and counts what happens inside.

    Parameters
    ----------
    synapse : Attention
    """

    def __init__(self, synapse: Attention) -> None:
        self.synapse, self._weight = synapse, synapse.weight.astype(np.int32)

    def __call__(self, q: np.ndarray, k: np.ndarray, v: np.ndarray, out: np.ndarray, counted: np.ndarray) -> None:
        """Add the sums of one step.

        Parameters
        ----------
        q, k, v : int8 or int32 ndarray (F, V, C) of 0 and 1
        out : int32 or int64 ndarray (F, V, C), added to
        counted : int64 ndarray (3,), added to
            As :class:`mksgn.ir.attention.Events`.
        """
        attend(q, k, v, self._weight, self.synapse.heads, self.synapse.across_frames, out, counted)
