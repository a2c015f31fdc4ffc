"""The emulator on whole graphs: states, spikes and counts are the reference's, however a run is divided."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from random_graphs import random_messages
from reference import simulate
from same_counts import assert_same_counts
from written_graphs import sparse_even, varied_graph

from mksgn.emulator import Emulator
from mksgn.emulator.emulator import KERNELS
from mksgn.errors import DataError
from mksgn.ir import Conv, Cuba, Dense, Graph, Population
from mksgn.ir.graph import VTH_MAX
from mksgn.processor import threads_here
from mksgn.run.comparison import compare


@pytest.mark.parametrize("seed", range(6))
def test_a_varied_graph_is_the_reference(seed):
    graph = varied_graph(seed)
    x = random_messages(graph, 3, seed, steps=None if seed < 4 else 4)
    with Emulator(graph, batch_size=2) as emulator:
        result = emulator.run(x, "states")
    counts = result.counts
    slow = simulate(graph, x)
    for population in graph.populations[1:]:
        for quantity in ("u", "v", "spikes"):
            np.testing.assert_array_equal(getattr(result, quantity)[population.name],
                                          getattr(slow, quantity)[population.name], f"{quantity} {population.name}")
    np.testing.assert_array_equal(result.output * 64, slow.v["out"][:, :, 0, 0, -1])
    for name, events in slow.events.items():
        np.testing.assert_array_equal(counts.sample_synops[name] + counts.sample_macs[name], events, name)
    for name, active in slow.active.items():
        np.testing.assert_array_equal(counts.sample_active[name], active, name)
    for name, spikes in counts.sample_spikes.items():
        np.testing.assert_array_equal(spikes, np.count_nonzero(slow.spikes[name], axis=(1, 2, 3, 4)), name)
    assert set(counts.sample_active) == {population.name for population in graph.populations[1:]}
    assert (counts.samples, counts.steps) == (3, 4)
    for name, spikes in result.spikes.items():
        assert counts.spikes[name] == spikes.sum()
        assert counts.neuron_steps[name] == spikes.size
        np.testing.assert_array_equal(counts.sent[name], spikes.sum(axis=(0, 4), dtype=np.int64))
    # All others have a bias, which moves v in nearly every step.
    assert 0 < counts.active["gate"] < counts.neuron_steps["gate"]
    assert counts.spikes["in"] == np.count_nonzero(x) * (1 if x.ndim == 5 else 4)
    assert all(counts.spikes[name] for name in ("coder", "mix", "both", "fused", "stc")), "a silent test net"


def test_spikes_of_a_neuron_beyond_16_bits_are_moved_in_time(monkeypatch):
    """The narrow counters are emptied into the wide ones before they could overflow."""
    graph = varied_graph(1)
    x = random_messages(graph, 6, 2)
    with Emulator(graph, batch_size=2) as emulator:
        expected = emulator.run(x).counts
        # One sample fills them: 4 steps.
        monkeypatch.setattr("mksgn.emulator.event_run.SENT_MAX", 4)
        counts = emulator.run(x).counts
    assert_same_counts(counts, expected)
    assert all(np.array_equal(counts.sent[name], expected.sent[name]) for name in expected.sent)


def test_memory_bounds_the_samples_at_once(monkeypatch):
    graph = varied_graph(1)
    x = random_messages(graph, 6, 2)
    done: list[int] = []
    with Emulator(graph, threads=1, progress=done.append) as emulator:
        expected = emulator.run(x)
        monkeypatch.setattr("mksgn.emulator.event_run.MEMORY", 1)
        result = emulator.run(x)
    assert done == [6, *range(1, 7)]
    np.testing.assert_array_equal(result.output, expected.output)
    assert_same_counts(result.counts, expected.counts)


def test_a_run_after_an_error_counts_from_zero():
    shape = (3, 1, 1)
    populations = (Population("a", shape, role="input", message_bits=8), Population("b", shape, Cuba(9, 4096, 4096)),
                   Population("c", (1, 1, 1), Cuba(300, 4096, 0), role="readout"))
    copy = Conv("r", ("a",), "b", np.full((3, 1, 1, 1), 2, np.int16), groups=3)
    graph = Graph(populations, (copy, Dense("s", ("b",), "c", np.full((1, 3), 200, np.int16))), 1)
    good = np.array([9, 0, 0], np.int8).reshape(1, *shape)
    with Emulator(graph) as emulator:
        assert emulator.compiled
        expected = emulator.run(good)
        assert expected.counts.sent["b"].sum() == 1
        with pytest.raises(DataError, match="a readout left its range"):
            emulator.run(np.full((4, *shape), 9, np.int8))
        again = emulator.run(good)
    assert_same_counts(again.counts, expected.counts)
    for name, sent in expected.counts.sent.items():
        np.testing.assert_array_equal(again.counts.sent[name], sent)


@pytest.mark.parametrize("channels", [65536, 65537])
def test_more_channels_than_a_list_can_name(channels):
    """The last channel that 16 bits name, and one more, whose net takes the other way."""
    rng = np.random.default_rng(1)
    weight = sparse_even(rng, 3, channels)
    weight[:, 40:-40] = 0  # the sums stay small
    shape = (channels, 1, 1)
    populations = (Population("a", shape, role="input"), Population("b", shape, Cuba(1, 4096, 4096)),
                   Population("c", (3, 1, 1), Cuba(VTH_MAX, 4096, 0), role="readout"))
    copy = Conv("r", ("a",), "b", np.full((channels, 1, 1, 1), 2, np.int16), groups=channels)
    graph = Graph(populations, (copy, Dense("s", ("b",), "c", weight)), 1)
    x = (rng.random((2, channels, 1, 1)) < 0.5).astype(np.int8)
    with Emulator(graph) as emulator:
        assert emulator.compiled == (channels <= 65536)
        np.testing.assert_array_equal(emulator.run(x).output, x[:, :, 0, 0].astype(int) @ weight.T.astype(int))


def test_some_gate_really_gates():
    graph = varied_graph(0)
    with Emulator(graph) as emulator:
        spikes = emulator.run(random_messages(graph, 3, 0), "spikes").spikes
    np.testing.assert_array_equal(spikes["gate"], spikes["both"] & spikes["coder"])
    assert 0 < spikes["gate"].sum() < spikes["both"].sum()


@pytest.mark.parametrize("seed", [0, 1])
def test_batch_size_record_and_repetition_change_nothing(seed):
    graph = varied_graph(seed)
    x = random_messages(graph, 5, 3)
    done: list[int] = []
    with Emulator(graph, batch_size=2, progress=done.append) as emulator:
        first = emulator.run(x, "states")
        plain = emulator.run(x)
        spikes = emulator.run(np.repeat(x[..., None], 4, axis=-1), "spikes")
    assert done == [2, 4, 5] * 3
    with Emulator(graph, batch_size=32, threads=2) as emulator:
        large = emulator.run(x, "states")
    order = tuple(p.name for p in graph.populations[1:])
    assert compare(first, large, order).equal
    assert compare(first, large, order).states_compared == 2 * sum(a.size for a in first.u.values())
    assert compare(first, spikes, order).equal
    assert not plain.spikes
    assert not spikes.u
    for other in (plain, spikes, large):
        np.testing.assert_array_equal(first.output, other.output)
        assert_same_counts(other.counts, first.counts)
    assert threads_here() == 1, "the caller's thread count comes back"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("seed", range(6))
def test_kernels_agree(seed, kernel):
    """Every way to compute a synapse against float32 GEMMs and torch neurons, which the reference confirms.

    Several batches, so that a measured choice is used.
    """
    graph = varied_graph(seed)
    pytest.importorskip("torch", reason="needs torch: extra torch")
    samples = random_messages(graph, 5, seed)
    with Emulator(graph, batch_size=2, kernel=kernel) as emulator:
        result = emulator.run(samples, record="spikes")
        assert emulator.compiled == (kernel != "dense"), "the graph should take the compiled loop"
    with Emulator(graph, kernel="dense") as emulator:
        reference = emulator.run(samples, record="states")
    for name, spikes in result.spikes.items():
        np.testing.assert_array_equal(spikes, reference.spikes[name], err_msg=name)
    np.testing.assert_array_equal(result.output, reference.output)
    assert_same_counts(result.counts, reference.counts)


@pytest.mark.parametrize(("current_decay", "voltage_decay"), [(0, 4096), (4096, 4096), (0, 0), (2500, 0), (100, 1000)])
def test_a_readout_may_decay_and_is_rounded_down(current_decay, voltage_decay):
    graph = varied_graph(3)
    neuron = Cuba(131071, current_decay, voltage_decay)
    graph = replace(graph, populations=(*graph.populations[:-1], replace(graph.output, neuron=neuron)))
    x = random_messages(graph, 3, 3, steps=4)
    with Emulator(graph) as emulator:
        result = emulator.run(x, "states")
        stream = emulator.run_stream(np.concatenate(x, axis=-1), "states")
    out = simulate(graph, x).v["out"]
    np.testing.assert_array_equal(result.v["out"], out)
    np.testing.assert_array_equal(result.output, out[..., -1].reshape(3, -1) // 64)
    np.testing.assert_array_equal(stream.output[0], stream.v["out"][0, ..., -1].ravel() // 64)
    assert (result.output < 0).any()
    whole = voltage_decay in (0, 4096) and current_decay in (0, 4096)
    assert whole == (not (result.v["out"] % 64).any())


@pytest.mark.parametrize("seed", range(4))
def test_states_and_wall_time_are_those_of_torch(seed):
    """The kernels of our Blocks against float tensors: every spike, state and count, for samples and for a stream."""
    pytest.importorskip("torch", reason="needs torch: extra torch")
    graph = varied_graph(seed)
    samples = random_messages(graph, 5, seed, steps=None if seed % 2 else 4)
    stream = np.concatenate(random_messages(graph, 5, seed, steps=4), axis=-1)
    order = tuple(population.name for population in graph.populations[1:])
    with Emulator(graph, batch_size=3, threads=2) as step, Emulator(graph, kernel="dense") as dense:
        pairs = [(step.run(samples, "states"), dense.run(samples, "states"))]
        for interval, offset, direct in ((None, 0, False), (4, 1, False), (3, 2, True)):
            pairs.append(tuple(each.run_stream(stream, "states", interval, offset, direct) for each in (step, dense)))
    for ours, torchs in pairs:
        compared = compare(ours, torchs, order)
        assert compared.equal and compared.states_compared == 2 * sum(a.size for a in torchs.u.values()), compared.first
        assert_same_counts(ours.counts, torchs.counts)
