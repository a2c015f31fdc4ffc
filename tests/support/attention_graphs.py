"""Random legal graphs with attention: one joint, prime channels, heads, frames apart or together, sums that wrap."""

from __future__ import annotations

from typing import Any

import numpy as np
from reference import Recording
from written_graphs import even

from mksgn.ir import Attention, Conv, Cuba, Dense, Graph, Population
from mksgn.run.backend import RunResult

SHAPES = ((1, 1, 1), (2, 3, 5), (6, 2, 1), (7, 3, 4), (12, 1, 5), (8, 5, 2), (13, 1, 50))
"""(C, F, V). The last is large enough for a u that wraps: :func:`wrapping_graph`."""


def attention_graph(seed: int, across_frames: bool | None = None) -> Graph:
    """A random graph of two attentions, the second of which reads the first; T is 1, 2, 4 or 5.

    Parameters
    ----------
    seed : int
    across_frames : bool, optional
        None: of each attention by chance.
    """
    rng = np.random.default_rng(seed)
    channels, frames, joints = shape = SHAPES[seed % len(SHAPES)]
    bits = int(rng.choice([0, 8]))
    populations = [Population("in", (3, frames, joints), role="input", message_bits=bits)]
    synapses: list[Any] = []
    sources: tuple[str, ...] = ("in",)
    for block in range(2):
        for letter in "qkv":
            name = f"{letter}{block}"
            weight = even(rng, channels, 3 if block == 0 else channels, 1, 1, limit=60)
            synapses.append(Conv(f"s {name}", sources, name, weight))
            populations.append(_neurons(rng, name, shape, 1500 if bits and block == 0 else 60))
        heads = int(rng.choice([each for each in range(1, channels + 1) if channels % each == 0]))
        together = bool(rng.random() < 0.5) if across_frames is None else across_frames
        name, weight = f"out{block}", even(rng, channels, limit=20)
        synapses.append(Attention(f"attention{block}", (f"q{block}", f"k{block}", f"v{block}"), name, weight, heads,
                                  together))
        if block == 0 and rng.random() < 0.5:  # a second one beside it, and a residual
            other = Attention("other", ("v0", "q0", "k0"), name, even(rng, channels, limit=9), 1, not together
                              if across_frames is None else across_frames)
            residual = Conv("residual", ("q0",), name, even(rng, channels, channels, 1, 1, limit=20))
            synapses += [other, residual]
        populations.append(_neurons(rng, name, shape, 40))
        sources = ("q0", name) if block == 0 else (name,)
    synapses.append(Dense("head", sources, "readout", even(rng, 3, int(np.prod(shape)), limit=5)))
    populations.append(Population("readout", (3, 1, 1), Cuba(131071, 4096, 0), role="readout"))
    return Graph(tuple(populations), tuple(synapses), int(rng.choice([1, 2, 4, 5])))


def wrapping_graph() -> Graph:
    """An attention whose neurons all receive 13 x 50 x 254, so that 64 times it leaves u's 24 bits, or nothing."""
    shape = SHAPES[-1]
    channels = shape[0]
    populations = [Population("in", shape, role="input")]
    synapses: list[Any] = []
    for letter in "qkv":
        one = np.full((channels, 1, 1, 1), 64, np.int16)
        synapses.append(Conv(f"s {letter}", ("in",), letter, one, groups=channels))
        populations.append(Population(letter, shape, Cuba(32, 4096, 4096)))
    weight = np.full(channels, 254, np.int16)
    synapses.append(Attention("attention", ("q", "k", "v"), "out", weight))
    return Graph((*populations, Population("out", shape, Cuba(100, 4096, 4096))), tuple(synapses), 2)


def _neurons(rng: np.random.Generator, name: str, shape: tuple[int, int, int], threshold: int) -> Population:
    bias = rng.integers(-threshold // 4 - 1, threshold // 3 + 2, shape[:1]) if rng.random() < 0.7 else None
    decays = int(rng.choice([4096, 4096, 3000])), int(rng.choice([3072, 4096, 0]))
    return Population(name, shape, Cuba(int(rng.integers(1, threshold)), *decays), bias)


def check(graph: Graph, result: RunResult, expected: Recording) -> int:
    """Compare all that ``result`` holds; returns how many spikes that are."""
    compared = 0
    for population in graph.populations[1:]:
        for quantity in ("spikes", "u", "v"):
            got = getattr(result, quantity)
            if population.name in got:
                np.testing.assert_array_equal(got[population.name], getattr(expected, quantity)[population.name],
                                              f"{quantity} of {population.name}")
        compared += result.spikes[population.name].size
    for synapse in graph.synapses:
        met = result.counts.sample_synops[synapse.name] + result.counts.sample_macs[synapse.name]
        np.testing.assert_array_equal(met, expected.events[synapse.name], synapse.name)
    assert result.counts.sample_products.keys() == result.counts.sample_counts.keys() == expected.inside.keys()
    for name, inside in expected.inside.items():
        got = (result.counts.sample_products[name], result.counts.sample_counts[name], result.counts.sample_macs[name])
        np.testing.assert_array_equal(np.stack(got, axis=1), inside, name)
    return compared
