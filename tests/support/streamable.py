"""Random graphs whose frames can come one after the other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from random_graphs import random_graph

from mksgn.errors import GraphError
from mksgn.ir import Graph, Population
from mksgn.ir.streaming import streamed


def streamable(seed: int) -> tuple[Graph, Graph] | None:
    """A random clip graph whose biases are the same in every frame, and the same streamed; None where it cannot be."""
    graph = random_graph(seed, "small", delays=False)
    graph = Graph(tuple(map(_alike, graph.populations)), graph.synapses, graph.time_steps)
    try:
        return graph, streamed(graph)
    except GraphError:
        return None


def streamable_pairs(count: int) -> list[tuple[int, Graph, Graph]]:
    """Of the first ``count`` seeds those whose graphs can be streamed, with both graphs."""
    found = [(seed, streamable(seed)) for seed in range(count)]
    return [(seed, *pair) for seed, pair in found if pair is not None]


def _alike(population: Population) -> Population:
    if population.bias is None or population.bias.ndim == 1:
        return population
    return replace(population, bias=np.ascontiguousarray(np.broadcast_to(population.bias[:, :1], population.shape)))
