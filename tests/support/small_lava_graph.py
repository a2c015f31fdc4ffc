"""A graph of two populations, for tests of how Lava starts and ends."""

from __future__ import annotations

import numpy as np
from lava_graphs import T, even

from mksgn.ir import Cuba, Dense, Graph, Population

LIF = "lava.proc.lif.process:LIFReset"


def small_graph() -> Graph:
    rng = np.random.default_rng(0)
    populations = (Population("in", (2, 2, 2), role="input"), Population("first", (2, 2, 2), Cuba(40)),
                   Population("second", (3, 1, 1), Cuba(30)))
    synapses = (Dense("a", ("in",), "first", even(rng, 8, 8)), Dense("b", ("first",), "second", even(rng, 3, 8)))
    return Graph(populations, synapses, T)


def small_samples(count: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 2, (count, 2, 2, 2))
