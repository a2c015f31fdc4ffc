"""Attention as a synapse: what it refuses, what it costs, when its target works, and streaming."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from attention_graphs import attention_graph
from reference import attended

from mksgn.errors import GraphError
from mksgn.ir import Attention, Conv, Cuba, Graph, Population, graph_difference, schedule
from mksgn.ir.attention import events
from mksgn.ir.bounds import sum_bound, wraps24
from mksgn.ir.streaming import streamed

SHAPE = (6, 2, 5)


def graph_of(shape=SHAPE, bits=0, **options) -> Graph:
    """A graph of nothing but an attention whose q is the input."""
    synapse = Attention("attention", options.pop("sources", ("q", "k", "v")), "out",
                        options.pop("weight", np.full(shape[0], 254, np.int16)), **options)
    spiking, pass_on = Cuba(1), np.full((shape[0], 1, 1, 1), 2, np.int16)
    inputs = [Conv(f"s {name}", ("q",), name, pass_on, groups=shape[0]) for name in "kv"]
    return Graph((Population("q", shape, role="input", message_bits=bits), Population("k", shape, spiking),
                  Population("v", shape, spiking), Population("out", shape, spiking)), (*inputs, synapse), 2)


@pytest.mark.parametrize(("options", "message"), [
    ({"heads": 4}, "4 heads do not share 6 channels"),
    ({"heads": 0}, "0 heads do not share 6 channels"),
    ({"weight": np.zeros(5, np.int16)}, "do not share 6 channels"),
    ({"weight": np.zeros((6, 1), np.int16)}, "should have 1 axes"),
    ({"weight": np.full(6, 256, np.int16)}, "weights out of range"),
    ({"sources": ("q", "k")}, "q, k and v, not 2"),
    ({"bits": 8}, "only spikes can be multiplied"),
    ({"shape": (1, 4096, 2049), "across_frames": True}, "do not fit a graded message of 24 bits"),
    ({"shape": (64, 64, 32), "across_frames": True, "heads": 1}, "leave the 16777215 of Lava's arithmetic"),
])
def test_what_does_not_fit_is_refused_by_name(options, message):
    with pytest.raises(GraphError, match=message) as error:
        graph_of(**options)
    assert "attention" in str(error.value)


def test_messages_take_four_hops():
    times = schedule(graph_of())
    assert times.depth == {"q": 0, "k": 1, "v": 1, "out": 5}
    assert [times.wait["attention", name] for name in "qkv"] == [4, 3, 3]


def test_equality_sees_heads_and_tokens():
    graph = graph_of()
    for change in ({"heads": 2}, {"across_frames": True}, {"weight": np.full(6, 2, np.int16)}):
        other = Graph(graph.populations, (*graph.synapses[:2], replace(graph.synapses[2], **change)), 2)
        assert next(iter(change)).split("_")[0] in graph_difference(graph, other)


def test_bounds_neurons_and_formula():
    graph = graph_of(heads=3)
    synapse = graph.synapses[2]
    assert sum_bound(graph, synapse) == 254 * 2 * 5 and not wraps24(graph, synapse)
    assert synapse.layers(SHAPE) == {"pairs": 6 * 2 * 2 * 5, "counts": 6 * 2 * 2, "products": 6 * 2 * 2 * 5}
    assert replace(synapse, across_frames=True).layers(SHAPE)["counts"] == 6 * 2
    assert synapse.dense_macs(SHAPE, SHAPE) == 6 * 2 * (2 * 5) == synapse.fanout(SHAPE, SHAPE).sum()


def test_events_are_those_of_every_neuron():
    rng = np.random.default_rng(3)
    for heads, together in ((1, True), (2, False), (3, True), (6, False)):
        weight = (2 * rng.integers(-1, 2, 6)).astype(np.int16)
        synapse = Attention("s", ("q", "k", "v"), "out", weight, heads, together)
        q, k, v = (rng.random((4, *SHAPE)) < 0.4 for _ in range(3))
        found = np.stack(events(synapse, q, k, v), axis=1)
        np.testing.assert_array_equal(found, [attended(synapse, *each)[1] for each in zip(q, k, v)])


def test_frames_of_their_own_can_be_streamed_and_all_together_cannot():
    graph = attention_graph(3, across_frames=False)
    assert {s.kind for s in streamed(graph).synapses} >= {"attention"}
    with pytest.raises(GraphError, match="across all frames needs them at once"):
        streamed(attention_graph(3, across_frames=True))
