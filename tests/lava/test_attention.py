"""Attention in Lava: our Blocks and stock Processes against the one reference, every spike and event."""

from __future__ import annotations

import numpy as np
import pytest
from attention_graphs import SHAPES, attention_graph, check, wrapping_graph
from random_graphs import random_messages, samples_of
from reference import attended, simulate, simulate_wall
from scipy.sparse import csr_matrix

from mksgn.emulator import Emulator
from mksgn.ir import Attention
from mksgn.ir.attention import Events
from mksgn.ir.streamed_clips import clip_as_stream
from mksgn.ir.streaming import streamed
from mksgn.lava.attention_matrices import MATRICES, attention_matrix
from mksgn.lava.backend import LavaBackend
from mksgn.lava.process_plan import plan_processes

pytestmark = pytest.mark.usefixtures("one_host")
LAVA = [(1, {}), (5, {"blocks": 1}), (2, {"layout": "stock"}), (10, {"layout": "stock", "delays": "relay"}),
        (4, {"layout": "layers"}),
        (7, {"models": {"lava_models.block.process:Block": "mksgn.lava.stock_block:SubBlockModel"}})]


@pytest.mark.slow
@pytest.mark.lava()
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("seed", "options"), LAVA)
def test_lava_is_the_reference(seed, options):
    """Samples back to back: what one sample left in the product neurons reaches no other."""
    graph = attention_graph(seed)
    samples = samples_of(graph, seed, 3)
    expected = simulate(graph, samples)
    with LavaBackend(graph, **options) as lava:
        if "models" in options:  # a block of stock Processes records nothing
            output = lava.run(samples).output
        else:
            result = lava.run(samples, "spikes" if "layout" in options else "states")
            assert check(graph, result, expected) > 700
            output = result.output
        np.testing.assert_array_equal(output, expected.v["readout"][..., -1].reshape(3, 3) // 64)
        if seed in (1, 2):
            x = random_messages(graph, 1, seed, 19)[0]
            check(graph, lava.run_stream(x, "spikes", 5, 3), simulate_wall(graph, x, 5, 3))


@pytest.mark.slow
@pytest.mark.lava()
@pytest.mark.timeout(300)
@pytest.mark.parametrize("options", [{}, {"layout": "stock"}])
def test_frames_as_time_steps_in_lava(options):
    clip = attention_graph(3, across_frames=False)
    stream = streamed(clip)
    samples = clip_as_stream(stream, samples_of(clip, 3, 2))
    with Emulator(stream) as emulator, LavaBackend(stream, **options) as lava:
        expected, found = emulator.run(samples, "spikes"), lava.run(samples, "spikes")
    np.testing.assert_array_equal(found.output, expected.output)
    for name, spikes in found.spikes.items():
        np.testing.assert_array_equal(spikes, expected.spikes[name], name)
    differing = found.counts.differences(expected.counts)
    assert not differing and found.counts.products == expected.counts.products


@pytest.mark.lava()
@pytest.mark.timeout(300)
def test_a_current_wraps_in_stock_lava_too():
    graph = wrapping_graph()
    samples = np.stack([np.full(graph.input.shape, value, np.int8) for value in (0, 1)])
    with LavaBackend(graph, layout="stock") as lava:
        result = lava.run(samples, "spikes")
    check(graph, result, simulate(graph, samples))
    assert not result.spikes["out"].any()


@pytest.mark.parametrize("shape", SHAPES[:6])
@pytest.mark.parametrize("together", [False, True])
def test_the_matrices_multiply(shape, together):
    """Product neurons between the matrices, as Lava has them, give the reference's sums and events."""
    rng = np.random.default_rng(3)
    for heads in [each for each in range(1, shape[0] + 1) if shape[0] % each == 0]:
        weight = (2 * rng.integers(-2, 3, shape[0])).astype(np.int16)
        synapse = Attention("s", ("q", "k", "v"), "t", weight, heads, together)
        graph_shape = (shape[2], shape[1], shape[0])  # Lava's order
        q, k, v = (rng.random((3, *graph_shape)) < 0.5).astype(np.int64)
        matrices: dict[str, csr_matrix] = {name: attention_matrix(name, synapse, shape) for name in MATRICES}
        pairs = (matrices["k"] @ k.ravel()) * (matrices["v"] @ v.ravel())
        counts = matrices["counts"] @ pairs
        products = (matrices["q"] @ q.ravel()) * (matrices["spread"] @ counts)


        a, inside = attended(synapse, *(x.transpose(2, 1, 0) for x in (q, k, v)))
        np.testing.assert_array_equal((matrices["out"] @ products).reshape(graph_shape), a.transpose(2, 1, 0))
        met = sum(int((np.diff(matrices[name].tocsc().indptr) * (sent != 0)).sum())
                  for name, sent in (("counts", pairs), ("spread", counts), ("out", products)))
        sent = int((pairs != 0).sum() + (products != 0).sum())
        assert Events(*inside) == (sent, int((counts != 0).sum()), met)


def test_the_plan_names_its_layers():
    graph = attention_graph(1)
    nodes = {node.name: node for node in plan_processes(graph).nodes}
    for name in ("pairs", "counts", "products"):
        assert nodes[f"attention0/{name}"].shape[0] == next(
            s for s in graph.synapses if s.name == "attention0").layers(graph["q0"].shape)[name]
