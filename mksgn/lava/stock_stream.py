"""A streamed graph as stock Processes run it: without rest, behind an empty clip, and what they send put right."""

from __future__ import annotations

import numpy as np

from mksgn.ir import Graph
from mksgn.ir.gates import gated
from mksgn.ir.relays import relayed
from mksgn.ir.streamed_clips import lattice_of

Arrays = dict[str, np.ndarray]


def stock_graph(graph: Graph) -> Graph:
    """A streamed graph that stock neurons and stock delays can run: with gates, clocks and relays.

    The populations of ``graph`` keep their names. At the steps of their frames their spikes, u and v are the same.
    """
    return relayed(gated(graph))


def behind_an_empty_clip(stream: np.ndarray, steps: int) -> np.ndarray:
    """A stream (V, F, C, steps N) with a silent clip in front, in which the clocks fall into step."""
    return np.concatenate([np.zeros((*stream.shape[:3], steps), stream.dtype), stream], axis=3)


def without_the_empty_clip(graph: Graph, recorded: dict[str, Arrays]) -> None:
    """Leave the first sample out of what was recorded, and let the neurons rest where those of ``graph`` do.

    Parameters
    ----------
    graph : Graph
        The streamed one.
    recorded : dict
        'spikes', 'u' and 'v', of arrays (1 + N, C, F, V, steps) by population; changed in place.
    """
    for quantity, arrays in recorded.items():
        for name, values in arrays.items():
            lattice, steps = lattice_of(graph[name]), values.shape[-1]
            works = np.array([lattice.frame(step) is not None for step in range(steps)])
            if quantity == "spikes":
                arrays[name] = values[1:] * works.astype(values.dtype)
            else:  # u and v stay as they are
                arrays[name] = values[1:, ..., np.maximum.accumulate(np.where(works, np.arange(steps), 0))]
