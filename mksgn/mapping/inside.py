"""What an attention is made of on cores: two layers of product neurons and one that counts, as populations.

A placement needs populations and plain synapses. The three layers of :class:`mksgn.ir.Attention` become populations
here, and the weights between them grouped convolutions. They are for placing and pricing only: a CUBA neuron stands
where a product neuron multiplies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mksgn.ir import Attention, Conv, Cuba, Graph, Population, Synapse
from mksgn.ir.streamed_clips import lattice_of

ASSUMED = ("a product neuron takes what a neuron takes, and an update of one what an update takes (on a chip it is a "
           "program of its own); spikes of q, k and v are independent of each other; weights of 1 lie in shared "
           "convolutions with their zeros")
"""What placing an attention assumes."""


def has_attention(graph: Graph) -> bool:
    """Whether any synapse of ``graph`` is an attention."""
    return any(isinstance(synapse, Attention) for synapse in graph.synapses)


def layer_names(synapse: Attention) -> tuple[str, str, str]:
    """Names of the populations of pairs, counts and products."""
    return f"{synapse.name}/pairs", f"{synapse.name}/counts", f"{synapse.name}/products"


def expanded(graph: Graph) -> Graph:
    """``graph`` with three populations in the place of each attention, for placing only; itself where it has none."""
    if not has_attention(graph):
        return graph
    populations: list[Population] = []
    synapses: list[Synapse] = []
    for population in graph.populations:
        for synapse in graph.into(population.name):
            if not isinstance(synapse, Attention):
                synapses.append(synapse)
                continue
            populations += _populations(graph, synapse)
            synapses += _synapses(graph, synapse)
        populations.append(population)
    return Graph(tuple(populations), tuple(synapses), graph.time_steps, dict(graph.meta))


def _populations(graph: Graph, synapse: Attention) -> list[Population]:
    target = graph[synapse.target]
    channels, frames, joints = target.shape
    bits = synapse.tokens(target.shape).bit_length() + 1
    pairs = Population(layer_names(synapse)[0], (channels * synapse.head_width, frames, joints), Cuba(1),
                       message_bits=bits, lattice=target.lattice)
    counts = replace(pairs, name=layer_names(synapse)[1],
                     shape=(pairs.shape[0], 1 if synapse.across_frames else frames, 1))
    return [pairs, counts, replace(pairs, name=layer_names(synapse)[2])]


def _synapses(graph: Graph, synapse: Attention) -> list[Conv]:
    (q, k, v), (pairs, counts, products) = synapse.sources, layer_names(synapse)
    channels, frames, joints = graph[q].shape
    heads, width = synapse.heads, synapse.head_width
    window = (frames if synapse.across_frames else 1, joints)
    ones = np.ones((channels * width, 1, 1, 1), np.int16)
    # Neuron (head, i, j) of a layer reads channel j of its head from v, and gives to channel j of its head.
    of_v = np.tile(np.eye(width, dtype=np.int16), (channels, 1))[:, :, None, None]
    weighed = np.zeros((heads, width, width, width), np.int16)  # (head, j, i, j)
    weighed[:, np.arange(width), :, np.arange(width)] = synapse.weight.reshape(heads, width).T[:, :, None]
    all_tokens = np.ones((channels * width, 1, *window), np.int16)
    name = synapse.name
    return [Conv(f"{name}/k", (k,), pairs, ones, groups=channels), Conv(f"{name}/v", (v,), pairs, of_v, groups=heads),
            Conv(f"{name}/counts", (pairs,), counts, all_tokens, groups=channels * width),
            Conv(f"{name}/q", (q,), products, ones, groups=channels),
            Conv(f"{name}/spread", (counts,), products, all_tokens, padding=(window[0] - 1, window[1] - 1),
                 groups=channels * width),
            Conv(name, (products,), synapse.target, weighed.reshape(channels, width * width, 1, 1), groups=heads)]


def activity_inside(graph: Graph, activity: Mapping[str, np.ndarray], steps: int) -> dict[str, np.ndarray]:
    """Messages per neuron and sample of the populations that :func:`expanded` adds, from those of ``graph``.

    Parameters
    ----------
    graph : Graph
        With attention.
    activity : mapping of population to float64 ndarray (C, F, V)
    steps : int
        Per sample; of a streamed graph only those at which a population works count.
    """
    found: dict[str, np.ndarray] = {}
    for synapse in graph.synapses:
        if not isinstance(synapse, Attention):
            continue
        target = graph[synapse.target]
        at_work = steps if target.lattice is None else lattice_of(target).steps_at_work
        q, k, v = (np.minimum(np.asarray(activity[name], np.float64) / at_work, 1.0) for name in synapse.sources)
        channels, frames, joints = q.shape
        heads, width = synapse.heads, synapse.head_width
        shape = (channels * width, frames, joints)
        other = v.reshape(heads, 1, width, frames, joints)
        pairs = (k.reshape(heads, width, 1, frames, joints) * other).reshape(shape)
        together = (1, 2) if synapse.across_frames else (2,)
        counts = 1 - np.prod(1 - pairs, axis=together, keepdims=True)
        products = np.broadcast_to(np.repeat(q, width, axis=0) * counts, shape)
        found |= dict(zip(layer_names(synapse), (at_work * pairs, at_work * counts, at_work * products)))
    return found
