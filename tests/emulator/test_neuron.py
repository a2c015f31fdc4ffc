"""The neurons of the emulator against plain Python integers, and those against Lava's own arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import step

from mksgn.emulator import Emulator
from mksgn.emulator.dense.neuron import Membrane
from mksgn.emulator.ranges import Ranges
from mksgn.errors import DataError
from mksgn.ir import Conv, Cuba, Graph, Population

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
    membrane = Membrane(Ranges(population, max(abs(a) for a in inputs)), CPU)
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
            states = emulator.run(np.array(inputs).reshape(1, 1, 1, 1, -1), "states")
            for quantity in ("u", "v", "spikes"):
                expected = getattr(trace, quantity).flatten().to(torch.int64).tolist()
                assert getattr(states, quantity)["p"].ravel().tolist() == expected, quantity
            assert states.counts.active["p"] == int(trace.active)
            if emulator.compiled:
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
        return Membrane(Ranges(Population("p", (1, 1, 1), neuron), bound), CPU).dtype

    assert dtype(Cuba(100), 40000) is torch.float32
    assert dtype(Cuba(100, 4096, 1), 40000) is torch.float64
    assert dtype(Cuba(100, 2048, 3072), 2**16 - 1) is torch.float32
    assert dtype(Cuba(100, 2048, 3072), 2**16) is torch.float64  # u may reach 2^23 and wrap
