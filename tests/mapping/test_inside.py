"""Attention on cores: its layers as populations, which compute what an attention does, and what they take."""

from __future__ import annotations

import numpy as np
import pytest
from attention_graphs import SHAPES, attention_graph
from random_graphs import samples_of
from reference import attended, synaptic_input

from mksgn.emulator import Emulator
from mksgn.energy import counted_energy_mj, paper_energy_mj
from mksgn.energy.costs import cost_models
from mksgn.ir import Attention, Conv, Cuba, Graph, Population
from mksgn.ir.streaming import streamed
from mksgn.mapping import board, both_ways, place, tables
from mksgn.mapping.activity import uniform_activity
from mksgn.mapping.inside import ASSUMED, activity_inside, expanded, layer_names
from mksgn.mapping.problems import least_cores


def through(graph: Graph, name: str, messages: np.ndarray) -> np.ndarray:
    """What a synapse makes of messages (C, F, V)."""
    synapse = next(each for each in graph.synapses if each.name == name)
    return synaptic_input(synapse, messages, graph[synapse.target].shape)


@pytest.mark.parametrize("shape", SHAPES[:6])
@pytest.mark.parametrize("together", [False, True])
def test_the_layers_compute_what_an_attention_does(shape, together):
    rng = np.random.default_rng(5)
    for heads in [each for each in range(1, shape[0] + 1) if shape[0] % each == 0]:
        synapse = Attention("s", ("q", "k", "v"), "t", (2 * rng.integers(-2, 3, shape[0])).astype(np.int16), heads,
                            together)
        shapes = {name: Population(name, shape, None if name == "in" else Cuba(1), role="input" if name == "in" else
                                   "hidden") for name in ("in", "q", "k", "v", "t")}
        ways = tuple(Conv(f"to {x}", ("in",), x, np.ones((shape[0], 1, 1, 1), np.int16), groups=shape[0])
                     for x in "qkv")
        placed = expanded(Graph(tuple(shapes.values()), (*ways, synapse), 1))
        q, k, v = (rng.random((3, *shape)) < 0.5).astype(np.int64)
        pairs = through(placed, "s/k", k) * through(placed, "s/v", v)
        counts = through(placed, "s/counts", pairs)
        products = through(placed, "s/q", q) * through(placed, "s/spread", counts)
        np.testing.assert_array_equal(through(placed, "s", products), attended(synapse, q, k, v)[0])
        for name, neurons in synapse.layers(shape).items():
            assert placed[f"s/{name}"].size == neurons


def test_the_messages_inside_are_right_where_spikes_do_not_vary():
    """Neurons that always or never fire are independent: the estimate is what is counted."""
    graph = attention_graph(1)
    synapse = next(s for s in graph.synapses if isinstance(s, Attention))
    rng = np.random.default_rng(2)
    always = {p.name: (rng.random(p.shape) < 0.6) * float(graph.time_steps) for p in graph.populations}
    inside = activity_inside(graph, always, graph.time_steps)
    _, counted = attended(synapse, *(always[name] > 0 for name in synapse.sources))
    pairs, counts, products = (inside[name].sum() / graph.time_steps for name in layer_names(synapse))
    assert (pairs + products, counts) == (counted[0], counted[1])


@pytest.mark.parametrize("time", ["clip", "stream"])
def test_an_attention_is_placed_and_priced(time):
    clip = attention_graph(3, across_frames=False)
    graph = streamed(clip) if time == "stream" else clip
    placement = place(graph, board("oheo-gulch"), objective="cores")
    names = {slab.population for core in placement.cores for slab in core.slabs}
    synapse = next(s for s in graph.synapses if isinstance(s, Attention))
    assert names >= set(layer_names(synapse)) and not placement.problems
    neurons = sum(p.size for p in graph.populations[1:]) + sum(
        sum(s.layers(graph[s.target].shape).values()) for s in graph.synapses if isinstance(s, Attention))
    assert sum(core.neurons for core in placement.cores) >= neurons and least_cores(graph, board("oheo-gulch")) == 1
    work = placement.work(uniform_activity(graph, graph.time_steps))
    assert work.total("macs") > 0
    assert tables.record(placement, work)["assumed"]["attention"] == ASSUMED
    for model in cost_models().values():
        assert model.price(work).dynamic_mj.high > 0
    if time == "stream":
        for way in both_ways.compare(clip, placement, None, None):
            assert way.operations > 0


def test_energy_of_what_was_counted_holds_the_products():
    graph = attention_graph(2)
    with Emulator(graph) as emulator:
        counts = emulator.run(samples_of(graph, 2, 3)).counts
    found = counted_energy_mj(counts)
    assert found.products == sum(counts.products.values()) / 3 > 0
    assert found.energy_mj == pytest.approx(1e-9 * (4.6 * found.macs + 0.9 * found.synops + 3.7 * found.products))
    row = next(row for row in paper_energy_mj(graph, counts).rows if row.name == "attention0")
    assert row.theoretical_sops == pytest.approx(row.counted_synops), "no border, no zero weight: Eq. 33 is exact"
    work = place(graph, board("oheo-gulch"), counts.activity(), objective="cores").work(counts.activity())
    assert work.total("synops") == pytest.approx(sum(counts.synops.values()) / 3)
