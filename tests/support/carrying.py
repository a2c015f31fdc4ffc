"""Random graphs of one time step whose populations carry their states from frame to frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from random_graphs import random_graph
from streamable import alike_in_frames, unpadded

from mksgn.ir import Graph, Population


def carrying(graph: Graph, seed: int) -> Graph:
    """``graph`` with one time step, in which most populations of several frames, but readouts, carry their states."""
    rng = np.random.default_rng(seed)
    return Graph(tuple(_carried(population, rng) for population in graph.populations), graph.synapses, 1)


def carrying_graph(seed: int, size: str = "small") -> Graph:
    """A random graph of any legal form that carries states."""
    return carrying(random_graph(seed, size, delays=False), seed)


def carrying_clip(seed: int) -> Graph:
    """One that can be streamed, perhaps: the biases of all frames are alike."""
    graph = carrying_graph(seed)
    return Graph(tuple(map(alike_in_frames, graph.populations)), graph.synapses, 1)


def carrying_stream(seed: int) -> Graph:
    """One without padding whose populations carry up to the first stride."""
    graph = unpadded(seed)
    found: dict[str, Population] = {}
    for population in graph.populations:
        into = graph.into(population.name)
        strides = [getattr(synapse, "stride", (1, 1))[0] for synapse in into]
        free = all(source == graph.input.name or found[source].neuron.carried for synapse in into
                   for source in synapse.sources)
        neuron = population.neuron
        if neuron is not None and population.role == "hidden":
            neuron = replace(neuron, carried=free and max(strides) == 1)
        found[population.name] = replace(population, neuron=neuron)
    return Graph(tuple(found.values()), graph.synapses, 1)


def _carried(population: Population, rng: np.random.Generator) -> Population:
    if population.neuron is None or population.role == "readout" or rng.random() < 0.2:
        return population
    return replace(population, neuron=replace(population.neuron, carried=True))
