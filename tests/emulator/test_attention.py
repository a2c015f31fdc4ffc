"""Attention in the emulator: every spike, state and event of random graphs against the one reference."""

from __future__ import annotations

import numpy as np
import pytest
from attention_graphs import attention_graph, wrapping_graph
from random_graphs import random_messages, samples_of
from reference import Recording, simulate, simulate_wall

from mksgn.emulator import Emulator
from mksgn.ir import Graph
from mksgn.run.backend import RunResult

SEEDS = range(28)


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


@pytest.mark.parametrize("kernel", ["auto", "dense"])
def test_attention_is_its_equation(kernel):
    compared = 0
    for seed in SEEDS:
        graph = attention_graph(seed)
        samples = samples_of(graph, seed, 3)
        expected = simulate(graph, samples)
        with Emulator(graph, batch_size=2, kernel=kernel) as emulator:
            for record in ("states", "spikes"):
                compared += check(graph, emulator.run(samples, record), expected)
            np.testing.assert_array_equal(emulator.run(samples).output,
                                          expected.v["readout"][..., -1].reshape(3, 3) // 64)
    assert compared > 100_000


@pytest.mark.parametrize("kernel", ["auto", "dense"])
@pytest.mark.parametrize("seed", [1, 3, 4, 5])
def test_in_wall_time_messages_take_four_hops(kernel, seed):
    graph = attention_graph(seed)
    x = random_messages(graph, 1, seed, 23)[0]
    interval, offset = [(None, 0), (graph.time_steps, 1), (7, 3)][seed % 3]
    with Emulator(graph, kernel=kernel) as emulator:
        result = emulator.run_stream(x, "states", interval, offset)
    check(graph, result, simulate_wall(graph, x, interval, offset))


@pytest.mark.parametrize("kernel", ["auto", "dense"])
def test_a_current_wraps_at_24_bits(kernel):
    graph = wrapping_graph()
    samples = np.stack([np.full(graph.input.shape, value, np.int8) for value in (0, 1)])
    with Emulator(graph, kernel=kernel) as emulator:
        result = emulator.run(samples, "states")
    check(graph, result, simulate(graph, samples))
    assert (result.u["out"][1] == 64 * 254 * 13 * 50 - 2**24).all() and not result.spikes["out"].any()


def test_the_random_graphs_hold_what_they_should():
    """Heads, both kinds of tokens, and attentions that say something and do not always."""
    graphs = [attention_graph(seed) for seed in SEEDS]
    attentions = [s for graph in graphs for s in graph.synapses if s.kind == "attention"]
    assert {s.across_frames for s in attentions} == {False, True}
    assert {1, 2, 3, 7} <= {s.heads for s in attentions}
    fired = []
    for seed, graph in zip(SEEDS, graphs):
        expected = simulate(graph, samples_of(graph, seed, 3))
        fired += [expected.spikes[name].mean() for name in ("out0", "out1")]
    assert sum(0 < rate < 1 for rate in fired) > len(fired) / 2
