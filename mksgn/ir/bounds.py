"""How large a sum of synaptic input can become, and the widths that decide what happens to it."""

from __future__ import annotations

import numpy as np

from mksgn.ir.graph import Graph
from mksgn.ir.messages import message_range
from mksgn.ir.synapses import Conv, Dense, JointMix, Shape, Synapse

SUM24 = 1 << 23
"""A Lava ``Conv`` keeps its sum in 24 signed bits: values from here on wrap."""
INPUT_LIMIT = 1 << 24
"""Summed synaptic input must stay below this: 64 times more overflows Lava's 32-bit arithmetic."""


def row_bound(synapse: Synapse) -> int:
    """Largest sum of absolute weights into one target neuron, over one source."""
    magnitude = np.abs(synapse.weight.astype(np.int64))
    if isinstance(synapse, Conv):
        return int(magnitude.sum(axis=(1, 2, 3)).max())
    if isinstance(synapse, Dense):
        return int(magnitude.sum(axis=1).max())
    if isinstance(synapse, JointMix):
        return int(magnitude.sum(axis=2).max())
    sums = np.zeros((int(synapse.edges[:, 1].max()) + 1, synapse.weight.shape[1]), np.int64)
    np.add.at(sums, synapse.edges[:, 1], magnitude.sum(axis=2))
    return int(sums.max())


def sum_bound(graph: Graph, synapse: Synapse) -> int:
    """No sum of ``synapse`` over all that its sources can send in one step exceeds this in absolute value."""
    return sum(row_bound(synapse) * max(-message_range(graph[source].message_bits)[0], 1) for source in synapse.sources)


def wraps24(graph: Graph, synapse: Synapse) -> bool:
    """Whether a sum of ``synapse`` can leave 24 bits, which a Lava ``Conv`` wraps; the other kinds keep 32."""
    return isinstance(synapse, Conv) and sum_bound(graph, synapse) >= SUM24


def input_bound(graph: Graph, synapse: Synapse) -> int:
    """No input that ``synapse`` gives to a neuron in one step exceeds this in absolute value, wrapped as it may be."""
    return SUM24 if wraps24(graph, synapse) else sum_bound(graph, synapse)


def channels_last(shape: Shape) -> np.ndarray:
    """Indices that put neurons flattened in (C, F, V) order into (F, V, C) order."""
    return np.arange(int(np.prod(shape))).reshape(shape).transpose(1, 2, 0).ravel()
