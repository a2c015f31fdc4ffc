"""Sums are exact integers: each synapse is its equation, sums wrap as Lava's, and no setting of the caller rounds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from random_graphs import random_messages
from reference import simulate
from written_graphs import sparse_even

from mksgn.emulator import Emulator
from mksgn.emulator.dense.exact import exact_arithmetic
from mksgn.errors import DataError
from mksgn.ir import Conv, Cuba, Dense, Graph, GraphConv, JointMix, Population

SYNAPSES = {
    "conv": lambda rng: Conv("s", ("a",), "b", sparse_even(rng, 6, 2, 3, 2), (2, 1), (2, 0), (1, 2), 2),
    "conv 1x1": lambda rng: Conv("s", ("a",), "b", sparse_even(rng, 5, 4, 1, 1)),
    "conv 1x1 strided": lambda rng: Conv("s", ("a",), "b", sparse_even(rng, 5, 4, 1, 1), (2, 3)),
    "conv 3x3": lambda rng: Conv("s", ("a",), "b", sparse_even(rng, 5, 4, 3, 3), (1, 1), (1, 1)),
    "conv 9x1": lambda rng: Conv("s", ("a",), "b", sparse_even(rng, 5, 4, 9, 1), (2, 1), (4, 0)),
    "depthwise": lambda rng: Conv("s", ("a",), "b", sparse_even(rng, 4, 1, 7, 5), groups=4),
    "dense": lambda rng: Dense("s", ("a",), "b", sparse_even(rng, 5, 140)),
    "dense, delay per input": lambda rng: Dense("s", ("a",), "b", sparse_even(rng, 5, 140), rng.integers(0, 7, 140)),
    "dense, delay per synapse": lambda rng: Dense("s", ("a",), "b", sparse_even(rng, 5, 140),
                                                  rng.integers(0, 63, (5, 140))),
    "joint mix": lambda rng: JointMix("s", ("a",), "b", sparse_even(rng, 3, 6, 5)),
    "graph conv": lambda rng: GraphConv("s", ("a",), "b", sparse_even(rng, 4, 3, 4),
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
    weight = sparse_even(rng, 64, 32, *kernel, zeros=0) // 16 * 2
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
    with pytest.raises(RuntimeError), exact_arithmetic(torch.device("cpu"), 2):
        raise RuntimeError
    assert torch.get_num_threads() == 1
    assert not torch.is_inference_mode_enabled()
