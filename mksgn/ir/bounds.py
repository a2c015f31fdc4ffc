"""How large a sum of synaptic input can become, and the widths that decide what happens to it."""

from __future__ import annotations

import numpy as np

from mksgn.ir.graph import Graph
from mksgn.ir.messages import message_range
from mksgn.ir.synapses import Attention, Shape, Synapse

SUM24 = 1 << 23
"""A Lava ``Conv`` keeps its sum in 24 signed bits: values from here on wrap."""
INPUT_LIMIT = 1 << 24
"""Summed synaptic input must stay below this: 64 times more overflows Lava's 32-bit arithmetic."""


def sum_bound(graph: Graph, synapse: Synapse) -> int:
    """No sum of ``synapse`` over all that its sources can send in one step exceeds this in absolute value."""
    if isinstance(synapse, Attention):
        return synapse.row_bound() * synapse.tokens(graph[synapse.sources[0]].shape)
    largest = sum(max(-message_range(graph[source].message_bits)[0], 1) for source in synapse.sources)
    return synapse.row_bound() * largest


def wraps24(graph: Graph, synapse: Synapse) -> bool:
    """Whether a sum of ``synapse`` can leave 24 bits, which a Lava ``Conv`` wraps; the other kinds keep 32."""
    return synapse.sums_in_24_bits and sum_bound(graph, synapse) >= SUM24


def input_bound(graph: Graph, synapse: Synapse) -> int:
    """No input that ``synapse`` gives to a neuron in one step exceeds this in absolute value, wrapped as it may be."""
    return SUM24 if wraps24(graph, synapse) else sum_bound(graph, synapse)


def channels_last(shape: Shape) -> np.ndarray:
    """Indices that put neurons flattened in (C, F, V) order into (F, V, C) order."""
    return np.arange(int(np.prod(shape))).reshape(shape).transpose(1, 2, 0).ravel()
