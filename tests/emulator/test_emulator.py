"""The emulator against plain Python: primitive, synapses, whole graphs, counts, bad input."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_graphs import random_messages
from reference import simulate, step
from same_counts import assert_same_counts
from varied_graphs import even, varied_graph

from mksgn.emulator import Emulator
from mksgn.emulator.emulator import KERNELS
from mksgn.emulator.exact import exact_arithmetic
from mksgn.emulator.neuron import Membrane
from mksgn.errors import BackendError, ConfigError, DataError, GraphError
from mksgn.ir import Conv, Cuba, Dense, Graph, GraphConv, JointMix, Population
from mksgn.ir.graph import VTH_MAX
from mksgn.run.comparison import compare

CPU = torch.device("cpu")
DECAYS = st.sampled_from([0, 1, 819, 1024, 2048, 3072, 4095, 4096]) | st.integers(0, 4096)
INPUTS = st.one_of(
    st.integers(-300, 300),
    st.builds(lambda k, d: k * 2**17 + d, st.integers(-3, 3), st.integers(-3, 3)),  # wrap: 64 x 2^17 = 2^23
    st.integers(-(2**24) + 1, 2**24 - 1),
)
SMALL_INPUTS = st.integers(-40, 40)


def membrane_trace(neuron, bias, inputs):
    """u, v, spikes of one neuron from the emulator, as lists of ints."""
    population = Population("p", (1, 1, 1), neuron, np.array([bias]))
    membrane = Membrane(population, max(abs(a) for a in inputs), CPU)
    a = torch.tensor(inputs, dtype=membrane.dtype).reshape(-1, 1, 1, 1, 1)
    trace = membrane.run(a, len(inputs), states=True)
    # Without states the neuron takes a shorter way, and in the compiled loop another: they must spike the same.
    assert torch.equal(membrane.run(a, len(inputs), states=False).spikes, trace.spikes)
    bits = max(2, max(abs(a) for a in inputs).bit_length() + 1)
    if bits <= 24:
        source = Population("a", (1, 1, 1), role="input", message_bits=bits)
        after = Population("b", (7, 1, 1), Cuba(1))
        synapses = (Conv("s", ("a",), "p", np.ones((1, 1, 1, 1), np.int16)),
                    Conv("t", ("p",), "b", np.full((7, 1, 1, 1), 2, np.int16)))
        graph = Graph((source, population, after), synapses, len(inputs))
        with Emulator(graph) as emulator:
            if emulator._program is not None:
                result = emulator.run(np.array(inputs).reshape(1, 1, 1, 1, -1), "spikes")
                fired = trace.spikes.flatten().to(torch.int64).tolist()
                assert result.spikes["p"].ravel().tolist() == fired
                assert result.counts.sent["p"].item() == sum(fired) == result.counts.spikes["p"]
                assert result.counts.active["p"] == int(trace.active)
                assert result.counts.synops["t"] == 7 * sum(fired)
    return [t.flatten().to(torch.int64).tolist() for t in (trace.u, trace.v, trace.spikes)], int(trace.active)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(INPUTS, min_size=1, max_size=8) | st.lists(SMALL_INPUTS, min_size=1, max_size=12), DECAYS, DECAYS,
       st.integers(-4096, 4095), st.integers(0, 300) | st.integers(0, 131071))
def test_neuron_is_python_integers(inputs, current_decay, voltage_decay, bias, vth):
    neuron = Cuba(vth, current_decay, voltage_decay)
    u = v = active = 0
    expected = []
    for a in inputs:
        before = u, v
        u, v, spike = step(u, v, a, bias, neuron)
        expected.append((u, v, spike))
        active += bool(spike or v != before[1] or (current_decay < 4096 and u != before[0]))
    if any(abs(u) >= 1 << 31 for u, _, _ in expected):
        with pytest.raises(DataError, match="overflows Lava's 32 bits"):
            membrane_trace(neuron, bias, inputs)
        return
    traced, counted = membrane_trace(neuron, bias, inputs)
    assert list(zip(*traced)) == expected
    assert counted == active


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.integers(-(2**23), 2**23), st.integers(1 - 2**23, 2**23 - 1), INPUTS, DECAYS.filter(bool), DECAYS,
       st.integers(-4096, 4095), st.integers(0, 131071))
def test_the_yardstick_is_lava_s_own_arithmetic(u, v, a, current_decay, voltage_decay, bias, vth):
    models = pytest.importorskip("lava.proc.lif.models")
    model = models.PyLifModelBitAcc({})
    model.u, model.v = np.array([u], np.int32), np.array([v], np.int32)
    model.du, model.dv, model.vth = np.array([current_decay - 1]), np.array([voltage_decay]), np.array([vth])
    model.bias_mant, model.bias_exp = np.array([bias], np.int16), np.array([6], np.int16)
    model.scale_bias()
    model.scale_threshold()
    model.subthr_dynamics(np.array([a], np.int32))
    spike = model.spiking_activation()
    model.reset_voltage(spike)
    ours = step(u, v, a, bias, Cuba(vth, current_decay, voltage_decay))
    assert (int(model.u[0]), int(model.v[0]), int(spike[0])) == ours


def test_a_current_beyond_32_bits_is_an_error():
    # 2^30 - 64 each step, less 2^24 by the one wrap: the third step leaves 32 bits.
    with pytest.raises(DataError, match="step 2"):
        membrane_trace(Cuba(0, 0, 0), 0, [786434, 2**24 - 1, 2**24 - 1])
    assert membrane_trace(Cuba(0, 0, 0), 0, [2**24 - 1])[0][0] == [2**30 - 64 - 2**24]


def test_u_wraps_once_and_v_clips():
    # 2^17 x 64 = 2^23 stays; one more wraps to -2^23 + 64; 2^19 x 64 = 2^25 loses 2^24 only once.
    (u, v, s), _ = membrane_trace(Cuba(131071, 4096, 4096), 0, [2**17, 2**17 + 1, -(2**17), 2**19])
    assert u == [2**23, -(2**23) + 64, 2**23, 2**24]
    assert s == [1, 0, 1, 1]
    assert v == [0, -(2**23) + 64, 0, 0]
    assert membrane_trace(Cuba(131071, 4096, 0), -1, [-100000] * 3)[0][1][-1] == 1 - 2**23


def test_equality_with_the_threshold_does_not_spike():
    assert membrane_trace(Cuba(96, 4096, 4096), 0, [96, 97])[0][2] == [0, 1]
    assert membrane_trace(Cuba(96, 4096, 4096), 6, [90, 91])[0][2] == [0, 1]


def test_decay_rounds_toward_zero():
    # 64 -> 64 x 1024 / 4096 = 16 -> 4 -> 1 -> 0, and the same below zero (a shift would stop at -1).
    assert membrane_trace(Cuba(131071, 4096, 3072), 0, [1, 0, 0, 0, 0])[0][1] == [64, 16, 4, 1, 0]
    assert membrane_trace(Cuba(131071, 4096, 3072), 0, [-1, 0, 0, 0, 0])[0][1] == [-64, -16, -4, -1, 0]


def test_float_types_are_chosen_by_need():
    def dtype(neuron, bound):
        return Membrane(Population("p", (1, 1, 1), neuron), bound, CPU).dtype

    assert dtype(Cuba(100), 40000) is torch.float32
    assert dtype(Cuba(100, 4096, 1), 40000) is torch.float64
    assert dtype(Cuba(100, 2048, 3072), 2**16 - 1) is torch.float32
    assert dtype(Cuba(100, 2048, 3072), 2**16) is torch.float64  # u may reach 2^23 and wrap


SYNAPSES = {
    "conv": lambda rng: Conv("s", ("a",), "b", even(rng, (6, 2, 3, 2)), (2, 1), (2, 0), (1, 2), 2),
    "conv 1x1": lambda rng: Conv("s", ("a",), "b", even(rng, (5, 4, 1, 1))),
    "conv 1x1 strided": lambda rng: Conv("s", ("a",), "b", even(rng, (5, 4, 1, 1)), (2, 3)),
    "conv 3x3": lambda rng: Conv("s", ("a",), "b", even(rng, (5, 4, 3, 3)), (1, 1), (1, 1)),
    "conv 9x1": lambda rng: Conv("s", ("a",), "b", even(rng, (5, 4, 9, 1)), (2, 1), (4, 0)),
    "depthwise": lambda rng: Conv("s", ("a",), "b", even(rng, (4, 1, 7, 5)), groups=4),
    "dense": lambda rng: Dense("s", ("a",), "b", even(rng, (5, 140))),
    "dense, delay per input": lambda rng: Dense("s", ("a",), "b", even(rng, (5, 140)), rng.integers(0, 7, 140)),
    "dense, delay per synapse": lambda rng: Dense("s", ("a",), "b", even(rng, (5, 140)), rng.integers(0, 63, (5, 140))),
    "joint mix": lambda rng: JointMix("s", ("a",), "b", even(rng, (3, 6, 5))),
    "graph conv": lambda rng: GraphConv("s", ("a",), "b", even(rng, (4, 3, 4)),
                                        edges=np.array([[0, 0], [4, 0], [2, 3], [2, 3]])),
}


@pytest.mark.parametrize("graded", [False, True])
@pytest.mark.parametrize("kind", SYNAPSES)
def test_synapse_is_its_equation(kind, graded):
    rng = np.random.default_rng(7)
    synapse = SYNAPSES[kind](rng)
    source = Population("a", (4, 7, 5), role="input", message_bits=8 if graded else 0)
    target = synapse.output_shape(source.shape, (5, 1, 1)) if not isinstance(synapse, GraphConv) else (3, 7, 5)
    graph = Graph((source, Population("b", target, Cuba(131071, 0, 0))), (synapse,), time_steps=5)
    x = random_messages(graph, 2, 8, steps=5)
    with Emulator(graph) as emulator:
        result = emulator.run(x, "states")
    slow = simulate(graph, x)
    events = slow.events["s"].sum()
    np.testing.assert_array_equal(result.u["b"], slow.u["b"])
    assert result.u["b"].any()
    assert (result.counts.macs if graded else result.counts.synops)["s"] == events
    assert (result.counts.synops if graded else result.counts.macs)["s"] == 0


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
        monkeypatch.setattr("mksgn.emulator.event_run._SENT_MAX", 4)
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
        assert emulator._program is not None
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
    weight = even(rng, (3, channels))
    weight[:, 40:-40] = 0  # the sums stay small
    shape = (channels, 1, 1)
    populations = (Population("a", shape, role="input"), Population("b", shape, Cuba(1, 4096, 4096)),
                   Population("c", (3, 1, 1), Cuba(VTH_MAX, 4096, 0), role="readout"))
    copy = Conv("r", ("a",), "b", np.full((channels, 1, 1, 1), 2, np.int16), groups=channels)
    graph = Graph(populations, (copy, Dense("s", ("b",), "c", weight)), 1)
    x = (rng.random((2, channels, 1, 1)) < 0.5).astype(np.int8)
    with Emulator(graph) as emulator:
        assert (emulator._program is None) == (channels > 65536)
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
    assert torch.get_num_threads() == 1, "the caller's thread count comes back"


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("seed", range(6))
def test_kernels_agree(seed, kernel):
    """Every way to compute a synapse against float32 GEMMs and torch neurons, which the reference confirms.

    Several batches, so that a measured choice is used.
    """
    graph = varied_graph(seed)
    samples = random_messages(graph, 5, seed)
    with Emulator(graph, batch_size=2, kernel=kernel) as emulator:
        result = emulator.run(samples, record="spikes")
        assert (emulator._program is None) == (kernel == "dense"), "the graph should take the compiled loop"
    with Emulator(graph, kernel="dense") as emulator:
        reference = emulator.run(samples, record="states")
    for name, spikes in result.spikes.items():
        np.testing.assert_array_equal(spikes, reference.spikes[name], err_msg=name)
    np.testing.assert_array_equal(result.output, reference.output)
    assert_same_counts(result.counts, reference.counts)


def test_lava_conv_wraps_each_source_at_24_bits():
    # 300 inputs of -128 through weights of -256: 9 830 400 > 2^23, and wraps to -6 946 816; 64 times that is u.
    weight = np.full((1, 300, 1, 1), -256, np.int16)
    graph = Graph((Population("in", (300, 1, 1), role="input", message_bits=8),
                   Population("out", (1, 1, 1), Cuba(131071, 4096, 4096))),
                  (Conv("s", ("in",), "out", weight),), time_steps=1)
    x = np.full((1, 300, 1, 1), -128, np.int8)
    with Emulator(graph) as emulator:
        assert int(emulator.run(x, "states").u["out"].item()) == (300 * 128 * 256 - 2**24) * 64 + 2**24
    dense = Graph(graph.populations, (Dense("s", ("in",), "out", weight[:, :, 0, 0]),), time_steps=1)
    with Emulator(dense) as emulator:  # a Dense does not wrap its sum
        assert int(emulator.run(x, "states").u["out"].item()) == 300 * 128 * 256 * 64 - 2**24


def test_sums_beyond_float32_are_exact():
    # 24-bit messages: products reach 2^31, odd sums need more than float32's 24 bits.
    weight = np.array([[254, -254, 3]], np.int16)
    graph = Graph((Population("in", (3, 1, 1), role="input", message_bits=24),
                   Population("out", (1, 1, 1), Cuba(131071, 4096, 4096))),
                  (Dense("s", ("in",), "out", weight),), time_steps=1)
    x = np.array([8388607, 8388606, 4999999]).reshape(1, 3, 1, 1)
    with Emulator(graph) as emulator:
        a = 254 + 3 * 4999999
        assert int(emulator.run(x, "states").u["out"].item()) == a * 64 - 2**24
        with pytest.raises(DataError, match="overflows"):
            emulator.run(np.full((1, 3, 1, 1), 8388607), "none")


@pytest.mark.parametrize("kernel", [(3, 3), (1, 1)])
def test_exactness_survives_the_caller_s_settings(kernel):
    # 12-bit messages: bf16, which autocast and "medium" precision allow, could not hold them.
    rng = np.random.default_rng(5)
    weight = even(rng, (64, 32, *kernel), zeros=0) // 16 * 2
    padding = (kernel[0] // 2, kernel[1] // 2)
    graph = Graph((Population("in", (32, 8, 8), role="input", message_bits=12),
                   Population("out", (64, 8, 8), Cuba(131071, 4096, 4096))),
                  (Conv("s", ("in",), "out", weight, padding=padding),), time_steps=1)
    x = rng.integers(-2048, 2048, (20, 32, 8, 8))
    exact = torch.float64
    a = torch.nn.functional.conv2d(torch.tensor(x, dtype=exact), torch.tensor(weight, dtype=exact), padding=padding)
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        with torch.autocast("cpu", torch.bfloat16), Emulator(graph, batch_size=20) as emulator:
            u = emulator.run(x, "states").u["out"][..., 0]
            spikes = emulator.run(x, "spikes").spikes["out"][..., 0]
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)
    u_exact = 64 * a.numpy()
    wrapped = np.where(u_exact > 2**23, u_exact - 2**24, np.where(u_exact <= -(2**23), u_exact + 2**24, u_exact))
    np.testing.assert_array_equal(u, wrapped)
    np.testing.assert_array_equal(spikes, wrapped > 64 * 131071)


def test_settings_come_back_after_an_error():
    torch.set_num_threads(1)
    with pytest.raises(RuntimeError), exact_arithmetic(CPU, 2):
        raise RuntimeError
    assert torch.get_num_threads() == 1
    assert not torch.is_inference_mode_enabled()


@pytest.mark.parametrize(("change", "match"), [
    (lambda x: x[:, :1], "do not fit"),
    (lambda x: x[0], "do not fit"),
    (lambda x: np.repeat(x[..., None], 3, axis=-1), "do not fit"),
    (lambda x: x.astype(np.float32), "takes integers"),
    (lambda x: np.where(np.arange(3)[:, None, None, None] == 1, 128, x.astype(int)), r"sample 1\n.*128 at \(0, 0, 0\)"),
    (lambda x: x.astype(int) - 300, r"-\d+\.\.127|-128\.\.127"),
])
def test_bad_samples(change, match):
    graph = varied_graph(1)
    x = random_messages(graph, 3, 1)
    with Emulator(graph) as emulator, pytest.raises(DataError, match=match):
        emulator.run(change(x))


def test_unary_input_takes_zero_and_one_only():
    graph = varied_graph(0)
    x = random_messages(graph, 2, 1)
    x[1, 1, 2, 0] = -1
    with Emulator(graph) as emulator, pytest.raises(DataError, match=r"sample 1\n.*-1 at \(1, 2, 0\)\n.*0 or 1"):
        emulator.run(x)


def test_no_samples_and_closed():
    graph = varied_graph(0)
    emulator = Emulator(graph)
    result = emulator.run(np.zeros((0, *graph.input.shape), np.int8), "spikes")
    assert result.output.shape == (0, 3)
    assert result.counts.samples == 0
    with pytest.raises(ConfigError, match="unknown kind of record"):
        emulator.run(np.zeros((1, *graph.input.shape), np.int8), "spike")
    emulator.close()
    with pytest.raises(BackendError, match="closed"):
        emulator.run(np.zeros((1, *graph.input.shape), np.int8))


def small(output: Population, bits: int = 0, **options) -> Graph:
    """One input neuron, one output neuron."""
    return Graph((Population("in", (1, 1, 1), role="input", message_bits=bits), output),
                 (Dense("s", ("in",), "out", np.array([[254]], np.int16)),), time_steps=options.get("steps", 4))


@pytest.mark.parametrize(("graph", "match"), [
    (small(Population("out", (1, 1, 1), Cuba(9), message_bits=8)), "only the input may send graded"),
    (small(Population("out", (1, 1, 1), Cuba(9)), bits=25), "too wide"),
])
def test_graphs_this_backend_refuses(graph, match):
    with pytest.raises(GraphError, match=match):
        Emulator(graph)


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


def test_a_readout_that_would_spike_is_an_error():
    graph = small(Population("out", (1, 1, 1), Cuba(1000, 4096, 0), role="readout"))
    with Emulator(graph) as emulator, pytest.raises(DataError, match="readout left its range"):
        emulator.run(np.ones((1, 1, 1, 1), np.int8))


def test_options_and_devices():
    graph = varied_graph(0)
    with pytest.raises(BackendError, match="unknown device"):
        Emulator(graph, device="loihi")
    if not torch.cuda.is_available():
        with pytest.raises(BackendError, match="no such CUDA device"):
            Emulator(graph, device="cuda")
    with pytest.raises(ConfigError, match="at least 1"):
        Emulator(graph, batch_size=0)
    with Emulator(small(Population("out", (1, 1, 1), Cuba(9)), steps=None)) as emulator, \
            pytest.raises(ConfigError, match="no number of steps"):
        emulator.run(np.ones((1, 1, 1, 1), np.int8))
