"""Random legal graphs against the one reference: every spike and state of every backend, and every count."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from random_graphs import random_graph, random_messages, samples_of
from reference import Recording, simulate, simulate_wall
from written_graphs import bias_behind_a_delay

from mksgn.emulator import Emulator
from mksgn.emulator.emulator import KERNELS
from mksgn.ir import Conv, Cuba, Graph, Population, schedule
from mksgn.ir.bounds import wraps24
from mksgn.ir.schedule import has_delays
from mksgn.lava.backend import LavaBackend
from mksgn.run.backend import RunResult

pytestmark = pytest.mark.usefixtures("one_host")


def check(graph: Graph, result: RunResult, expected: Recording, active: bool = True) -> int:
    """Compare all that ``result`` holds; returns the number of spikes compared."""
    compared = 0
    for population in graph.populations[1:]:
        name = population.name
        for quantity in ("spikes", "u", "v"):
            got = getattr(result, quantity)
            if name in got:
                np.testing.assert_array_equal(got[name], getattr(expected, quantity)[name], f"{quantity} of {name}")
        compared += result.spikes[name].size
        if active:
            np.testing.assert_array_equal(result.counts.sample_active[name], expected.active[name], name)
    for synapse in graph.synapses:
        met = result.counts.sample_synops[synapse.name] + result.counts.sample_macs[synapse.name]
        np.testing.assert_array_equal(met, expected.events[synapse.name], synapse.name)
    if graph.output.role == "readout":
        final = expected.v[graph.output.name][..., -1].reshape(len(result.output), -1)
        np.testing.assert_array_equal(result.output, final // 64)
    return compared


@pytest.mark.timeout(300)
@pytest.mark.parametrize("first", [0, 20, 40])
def test_the_emulator_is_the_reference(first):
    compared = 0
    for seed in range(first, first + 20):
        graph = random_graph(seed)
        samples = samples_of(graph, seed, 4)
        expected = simulate(graph, samples)
        for kernel in KERNELS:
            with Emulator(graph, batch_size=3, kernel=kernel) as emulator:
                compared += check(graph, emulator.run(samples, "states" if kernel == "dense" else "spikes"), expected)
    assert compared > 75_000


@pytest.mark.timeout(300)
def test_the_emulator_is_the_reference_on_larger_graphs():
    compared = 0
    for seed in (28, 50):
        graph = random_graph(seed, "large")
        samples = samples_of(graph, seed, 8)
        expected = simulate(graph, samples)
        for kernel in ("auto", "dense"):
            with Emulator(graph, batch_size=5, kernel=kernel) as emulator:
                compared += check(graph, emulator.run(samples, "spikes"), expected)
    assert compared > 1_000_000


@pytest.mark.parametrize("seed", range(6))
def test_a_stream_in_the_emulator_is_the_reference(seed):
    graph = random_graph(seed)
    x = random_messages(graph, 1, seed, 19)[0]
    interval, offset = [(None, 0), (graph.time_steps, 1), (5, 3)][seed % 3]
    with Emulator(graph) as emulator:
        result = emulator.run_stream(x, "states", interval, offset)
    check(graph, result, simulate_wall(graph, x, interval, offset))


def test_the_random_graphs_hold_what_they_should():
    """Each kind, delays, every T, lasting currents, extreme biases, sums beyond 24 bits; half of what runs fires."""
    graphs = [random_graph(seed) for seed in range(60)]
    kinds = {type(s).__name__ for graph in graphs for s in graph.synapses}
    assert kinds == {"Conv", "Dense", "JointMix", "GraphConv"}
    assert {graph.time_steps for graph in graphs} == {1, 2, 4, 8}
    assert 10 < sum(map(has_delays, graphs)) < 60
    neurons = [p for graph in graphs for p in graph.populations[1:]]
    assert any(p.neuron.current_decay < 4096 for p in neurons)
    assert any(p.bias is not None and abs(p.bias).max() >= 4095 for p in neurons)
    assert any(len(s.sources) > 1 for graph in graphs for s in graph.synapses)
    rates = [simulate(graph, random_messages(graph, 2, 1)).spikes[p.name].mean()
             for graph in graphs[:20] for p in graph.populations[1:] if p.role != "readout"]
    assert sum(0 < rate < 1 for rate in rates) > len(rates) / 2


# ---- with Lava --------------------------------------------------------------------------------------------------


LAVA = [(19, {}), (1, {"blocks": 1}), (7, {}), (8, {}), (3, {"layout": "layers"}), (10, {"layout": "layers"}),
        (2, {"layout": "stock"}), (4, {"layout": "stock", "delays": "relay"}),
        (6, {"layout": "stock", "models": {"lava_models.delay.process:Delay":
                                           "lava_models.delay.models:SubDelayModel"}})]


@pytest.mark.lava()
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("seed", "options"), LAVA)
def test_lava_is_the_reference(seed, options):
    """Samples back to back, with functional delays and biases: what one sample left behind reaches no other."""
    graph = random_graph(seed)
    assert has_delays(graph)
    samples = samples_of(graph, seed, 3)
    blocks = "layout" not in options
    with LavaBackend(graph, **options) as lava:
        result = lava.run(samples, "states" if blocks else "spikes")
        check(graph, result, simulate(graph, samples), active=blocks)
        if seed in (19, 2, 3):
            x = random_messages(graph, 1, seed, 19)[0]
            check(graph, lava.run_stream(x, "spikes", 5, 3), simulate_wall(graph, x, 5, 3), active=blocks)


@pytest.mark.lava()
@pytest.mark.timeout(300)
def test_delayed_synapses_without_weights():
    graph = bias_behind_a_delay()
    silent = replace(graph.synapses[1], weight=np.zeros((1, 1), np.int16))
    graph = replace(graph, synapses=(graph.synapses[0], silent))
    with LavaBackend(graph, layout="layers") as lava:
        assert not lava.run(np.ones((2, 1, 1, 1), np.int8)).output.any()


@pytest.mark.lava()
@pytest.mark.timeout(300)
@pytest.mark.parametrize("layout", ["blocks", "layers"])
def test_a_spike_from_before_the_sample_does_not_count(layout):
    graph = bias_behind_a_delay()
    samples = np.zeros((3, 1, 1, 1), np.int8)
    expected = simulate(graph, samples)
    assert expected.spikes["b"][0, 0, 0, 0].tolist() == [0, 1, 1, 1]
    with LavaBackend(graph, layout=layout) as lava:
        check(graph, lava.run(samples, "spikes"), expected, active=False)
        # A stream is as Lava has it: the spike that a sent before its first message counts.
        x = np.zeros((1, 1, 1, 6), np.int8)
        check(graph, lava.run_stream(x, "spikes"), simulate_wall(graph, x), active=False)


@pytest.mark.lava()
@pytest.mark.timeout(300)
@pytest.mark.parametrize("layout", ["blocks", "layers", "stock"])
def test_a_convolution_wraps_the_sum_of_all_its_sources_once(layout):
    """Unrolled into a Sparse it would not wrap; with two sources that arrive together it wraps their sum."""
    source = Population("in", (40, 1, 2), role="input", message_bits=16)
    weight = np.full((1, 40, 1, 1), 254, np.int16)
    graph = Graph((source, Population("out", (1, 1, 2), Cuba(60_000, 4096, 4096))),
                  (Conv("c", ("in",), "out", weight),), 2)
    assert wraps24(graph, graph.synapses[0])
    samples = np.random.default_rng(0).integers(-(1 << 15), 1 << 15, (6, 40, 1, 2))
    samples[0] = 30_000
    with LavaBackend(graph, layout=layout) as lava:
        check(graph, lava.run(samples, "states"), simulate(graph, samples))


def test_sources_of_different_depth_wrap_as_one_sum():
    """Each source's own sum stays within 24 bits, both together do not: in wall time they arrive in one step."""
    size = 17_000
    populations = (Population("x", (size, 1, 1), role="input"), Population("y", (size, 1, 1), Cuba(1, 4096, 4096)),
                   Population("z", (1, 1, 1), Cuba(131071, 4096, 4096)))
    identity = np.full((size, 1, 1, 1), 2, np.int16)
    graph = Graph(populations, (Conv("xy", ("x",), "y", identity, groups=size),
                                Conv("xyz", ("x", "y"), "z", np.full((1, size, 1, 1), 254, np.int16))), 2)
    x = np.ones((size, 1, 1, 6), np.int8)
    assert wraps24(graph, graph.synapses[1]) and schedule(graph).wait["xyz", "x"] == 1
    with Emulator(graph) as emulator:
        for got, expected in ((emulator.run(x[None, ..., 0], "states"), simulate(graph, x[None, ..., 0])),
                              (emulator.run_stream(x, "states"), simulate_wall(graph, x))):
            for quantity in ("u", "v"):
                np.testing.assert_array_equal(getattr(got, quantity)["z"], getattr(expected, quantity)["z"])
            assert expected.u["z"].max() != 64 * 2 * 254 * size
