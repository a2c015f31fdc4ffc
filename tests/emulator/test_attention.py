"""Attention in the emulator: every spike, state and event of random graphs against the one reference."""

from __future__ import annotations

import numpy as np
import pytest
from attention_graphs import attention_graph, check, wrapping_graph
from random_graphs import random_messages, samples_of
from reference import simulate, simulate_wall

from mksgn.emulator import Emulator, FrameByFrame
from mksgn.errors import GraphError
from mksgn.ir.streamed_clips import as_clip, clip_as_stream
from mksgn.ir.streaming import continuous, streamed

SEEDS = range(28)


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


@pytest.mark.parametrize("seed", [1, 3, 5, 8])
def test_frames_as_time_steps_give_the_same(seed):
    graph = attention_graph(seed, across_frames=False)
    samples = samples_of(graph, seed, 3)
    stream = streamed(graph)
    with Emulator(graph) as clips, Emulator(stream) as frames:
        expected, found = clips.run(samples, "spikes"), frames.run(clip_as_stream(stream, samples), "spikes")
    np.testing.assert_array_equal(found.output, expected.output)
    for population in stream.populations[1:-1]:
        np.testing.assert_array_equal(as_clip(population, found.spikes[population.name]),
                                      expected.spikes[population.name], population.name)
    assert found.counts.differences(expected.counts).keys() <= {
        f"sent {population.name}" for population in graph.populations}, "neurons of a clip stand for a frame each"
    assert sum(found.counts.products.values()) > 0


def test_what_cannot_run_is_refused_by_name():
    with pytest.raises(GraphError, match="frame by frame") as error:
        FrameByFrame(continuous(attention_graph(1, across_frames=False)))
    assert "'attention0'" in str(error.value) and "mksgn run" in str(error.value)
