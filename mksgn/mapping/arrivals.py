"""Synaptic operations of every target neuron: the transpose of a synapse's fan-out.

fanout counts, for a source neuron, the non-zero weights that one of its messages meets. Here every target neuron
counts the messages that reach it through non-zero weights. Both sum to the same number, but sums over target
neurons can be cut at any core: this is what makes a core's share exact.
"""

from __future__ import annotations

from functools import singledispatch

import numpy as np

from mksgn.ir.synapses import Conv, Dense, GraphConv, JointMix, Shape, Synapse


@singledispatch
def arrivals(synapse: Synapse, activity: np.ndarray, target: Shape) -> np.ndarray:
    """Non-zero weights of ``synapse`` met in each target neuron.

    Parameters
    ----------
    synapse : Synapse
    activity : float64 ndarray (C, F, V)
        Messages of each neuron of a source, or of several sources added up.
    target : (C, F, V)

    Returns
    -------
    float64 ndarray
        Of shape ``target``; whole numbers exactly, where the activity is of whole numbers (below 2^53).
    """
    raise TypeError(f"no kind of synapse: {synapse!r}")


def _present(synapse: Synapse) -> np.ndarray:
    """1.0 for each weight that is not 0."""
    return (np.asarray(synapse.weight) != 0).astype(np.float64)


@arrivals.register
def _dense(synapse: Dense, activity: np.ndarray, target: Shape) -> np.ndarray:
    return (_present(synapse) @ activity.ravel()).reshape(target)


@arrivals.register
def _joint_mix(synapse: JointMix, activity: np.ndarray, target: Shape) -> np.ndarray:
    return (activity @ _present(synapse).transpose(0, 2, 1)[:, None]).reshape(target)


@arrivals.register
def _graph_conv(synapse: GraphConv, activity: np.ndarray, target: Shape) -> np.ndarray:
    result = np.zeros(target)
    for (source_joint, target_joint), weights in zip(synapse.edges, _present(synapse)):
        result[:, :, target_joint] += weights @ activity[:, :, source_joint]
    return result


@arrivals.register
def _conv(synapse: Conv, activity: np.ndarray, target: Shape) -> np.ndarray:
    """Tap by tap: a matrix product over channels for the target positions that have the tap."""
    nonzero, groups = np.asarray(synapse.weight) != 0, synapse.groups
    weights = nonzero.reshape(groups, target[0] // groups, *nonzero.shape[1:])
    grouped = activity.reshape(groups, -1, *activity.shape[1:])
    result = np.zeros((groups, target[0] // groups, *target[1:]))
    for m, n in np.ndindex(*nonzero.shape[2:]):
        into, out = zip(*(_tap_range(activity.shape[axis + 1], target[axis + 1], synapse.stride[axis],
                                     (m, n)[axis] * synapse.dilation[axis] - synapse.padding[axis]) for axis in (0, 1)))
        seen = grouped[:, :, into[0], into[1]]
        if not seen.size:
            continue
        tap = weights[:, :, :, m, n].astype(np.float64)
        met = tap @ seen.reshape(groups, seen.shape[1], -1)
        result[:, :, out[0], out[1]] += met.reshape(groups, -1, *seen.shape[2:])
    return result.reshape(target)


def _tap_range(source: int, target: int, stride: int, shift: int) -> tuple[slice, slice]:
    """Slices of source and target positions with p = q stride + shift, both inside."""
    first = max(0, -(shift // stride))
    last = min(target - 1, (source - 1 - shift) // stride)
    if last < first:
        return slice(0, 0), slice(0, 0)
    return slice(first * stride + shift, last * stride + shift + 1, stride), slice(first, last + 1)
