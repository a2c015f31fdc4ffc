"""Events counted from recorded spikes."""

from __future__ import annotations

import numpy as np

from mksgn.backend import Counts
from mksgn.energy.fanout import fanout
from mksgn.ir import Graph


def count_recorded(graph: Graph, counts: Counts, stream: np.ndarray, spikes: dict[str, np.ndarray]) -> None:
    """Fill ``counts`` from everything that was sent.

    Parameters
    ----------
    graph : Graph
    counts : Counts
        Its ``samples`` and ``steps`` are set.
    stream : int ndarray (V, F, C, steps)
        The input's messages.
    spikes : dict of population to int8 ndarray (N, C, F, V, T)
    """
    # Messages per neuron (C, F, V), summed over samples and steps.
    sent = {graph.input.name: np.count_nonzero(stream, axis=3).transpose(2, 1, 0)}
    for name, values in spikes.items():
        sent[name] = values.sum(axis=(0, 4), dtype=np.int64)
    for population in graph.populations:
        counts.spikes[population.name] = int(sent[population.name].sum())
        counts.neuron_steps[population.name] = population.size * counts.steps * counts.samples
    for synapse in graph.synapses:
        source = graph[synapse.sources[0]]
        met = sum(int((sent[name] * fanout(synapse, source.shape, graph[synapse.target].shape)).sum())
                  for name in synapse.sources)
        graded = source.message_bits > 0
        counts.synops[synapse.name], counts.macs[synapse.name] = (0, met) if graded else (met, 0)
