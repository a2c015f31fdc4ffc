"""The event-driven kernels and the stepper against the equations in plain numpy, and the cuts of a graph."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from random_graphs import random_graph, random_messages
from reference import simulate_wall, synaptic_input
from written_graphs import T, block_graph, even

from mksgn.errors import DataError
from mksgn.events.stepper import Stepper
from mksgn.events.synapses import compiled
from mksgn.ir import Conv, Cuba, Dense, Graph, GraphConv, JointMix, Population, schedule
from mksgn.ir.partition import bottlenecks, parts

RNG = np.random.default_rng(0)
CASES = [
    (Conv("s", ("a",), "b", even(RNG, 4, 3, 3, 2), stride=(2, 1), padding=(1, 1), dilation=(1, 2), groups=2),
     (6, 7, 5), (4, 4, 5)),
    (Conv("s", ("a",), "b", even(RNG, 5, 9, 3, 1), padding=(1, 0)), (9, 6, 4), (5, 6, 4)),
    (Conv("s", ("a",), "b", even(RNG, 6, 1, 2, 3), stride=(1, 2), padding=(0, 1), groups=6), (6, 5, 7), (6, 4, 4)),
    (Conv("s", ("a",), "b", even(RNG, 6, 1, 1, 1), groups=3), (3, 4, 2), (6, 4, 2)),
    (Dense("s", ("a",), "b", even(RNG, 8, 24)), (2, 3, 4), (2, 2, 2)),
    (JointMix("s", ("a",), "b", even(RNG, 3, 5, 4)), (2, 3, 4), (6, 3, 5)),
    (GraphConv("s", ("a",), "b", even(RNG, 3, 5, 2), edges=np.array([(3, 1), (0, 0), (2, 1)])), (2, 3, 4), (5, 3, 2)),
]


def step_all(graph: Graph, x: np.ndarray, interval: int | None = None, offset: int = 0,
             store_u: bool = False) -> tuple[dict, dict]:
    """What the stepper gives for a stream (C, F, V, steps): spikes and v, as simulate_wall has them."""
    timing = schedule(graph)
    phases = {name: (offset + depth) % interval for name, depth in timing.depth.items()} if interval else {}
    stepper = Stepper(graph, timing.wait, interval, phases, store_u)
    steps = x.shape[3]
    spikes = {p.name: np.zeros((*p.shape, steps), np.int64) for p in graph.populations[1:]}
    vs = {name: np.zeros_like(array) for name, array in spikes.items()}
    for t in range(1, steps + 1):
        stepper.step(t)
        stepper.receive(t, x[..., t - 1].transpose(1, 2, 0))
        for population in graph.populations[1:]:
            channels, frames, joints = population.shape
            spikes[population.name][..., t - 1] = stepper.spikes(population.name, t).transpose(2, 0, 1)
            v = stepper.states(population.name)[1]
            vs[population.name][..., t - 1] = v.reshape(frames, joints, channels).transpose(2, 0, 1)
    return spikes, vs


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("synapse", "source", "target"), CASES, ids=lambda x: getattr(type(x), "__name__", ""))
@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 3), (-128, 127)], ids=["spikes", "counts", "graded"])
def test_synapse_is_the_equation(synapse, source, target, low, high):
    rng = np.random.default_rng(5)
    apply = compiled(synapse, source, target)
    for kind in (np.int8, np.int32):
        x = rng.integers(low, high + 1, (3, *source))
        out = np.full((3, target[1], target[2], target[0]), 7, np.int32)  # it adds
        apply(np.ascontiguousarray(x.transpose(0, 2, 3, 1)).astype(kind), out)
        for image, got in zip(x, out):
            np.testing.assert_array_equal(got.transpose(2, 0, 1) - 7, synaptic_input(synapse, image, target))
            assert np.abs(got - 7).max() <= synapse.row_bound() * max(-low, high)


@pytest.mark.parametrize("reset", [(None, 0), (4, 1), (5, 3)])
def test_stepper_is_the_equations_on_a_block(reset):
    graph = block_graph()
    x = np.random.default_rng(2).integers(-128, 128, (*graph.input.shape, 23))
    expected = simulate_wall(graph, x, *reset)
    for got, wanted in zip(step_all(graph, x, *reset), (expected.spikes, expected.v)):
        for name, values in got.items():
            np.testing.assert_array_equal(values, wanted[name][0], err_msg=name)


@pytest.mark.parametrize("seed", range(12))
def test_stepper_is_the_equations_on_random_graphs(seed):
    graph = random_graph(seed)
    x = random_messages(graph, 1, seed, 17)[0]
    interval, offset = [(None, 0), (graph.time_steps, 1), (5, 3)][seed % 3]
    got = step_all(graph, x, interval, offset, store_u=bool(seed % 2))
    expected = simulate_wall(graph, x, interval, offset)
    for name, values in got[0].items():
        np.testing.assert_array_equal(values, expected.spikes[name][0], err_msg=name)
        np.testing.assert_array_equal(got[1][name], expected.v[name][0], err_msg=name)


def test_extreme_numbers():
    """Sums wide enough to wrap u, to clip v, and to wrap a convolution's 24 bits."""
    populations = (
        Population("in", (64, 1, 1), role="input", message_bits=16),
        Population("wide", (4, 1, 1), Cuba(131071, current_decay=100, voltage_decay=10)),
        Population("out", (2, 1, 1), Cuba(5)),
    )
    rng = np.random.default_rng(3)
    graph = Graph(populations, (Conv("c", ("in",), "wide", even(rng, 4, 64, 1, 1, limit=127)),
                                Dense("d", ("wide",), "out", even(rng, 2, 4))), 4)
    x = rng.integers(-2048, 2048, (64, 1, 1, 30))
    expected = simulate_wall(graph, x)
    assert (np.abs(expected.v["wide"]) == (1 << 23) - 1).any()
    got, got_v = step_all(graph, x)
    np.testing.assert_array_equal(got["wide"], expected.spikes["wide"][0])
    np.testing.assert_array_equal(got_v["wide"], expected.v["wide"][0])


def test_a_convolutions_sum_wraps_at_24_bits_and_a_dense_one_may_not_overflow():
    source = Population("in", (64, 1, 1), role="input", message_bits=16)
    out = Population("out", (1, 1, 1), Cuba(131071, voltage_decay=4096))
    x = np.full((64, 1, 1, 2), 32767)
    weight = np.full((1, 64), 254, np.int16)
    graph = Graph((source, out), (Conv("c", ("in",), "out", weight[..., None, None]),), 2)
    total = (32767 * 254 * 64 + (1 << 23)) % (1 << 24) - (1 << 23)
    u = 64 * total
    u = u - (1 << 24) if u > 1 << 23 else u + (1 << 24) if u <= -(1 << 23) else u
    _, v = step_all(graph, x)
    assert v["out"][..., 1].item() == int(np.clip(u, 1 - (1 << 23), (1 << 23) - 1))
    graph = Graph((source, out), (Dense("d", ("in",), "out", weight),), 2)
    with pytest.raises(DataError, match="overflows"):
        step_all(graph, x)


def test_functional_delays_are_refused():
    with pytest.raises(ValueError, match="functional delays"):
        compiled(Dense("s", ("a",), "b", even(RNG, 2, 3), delay=np.array([1, 2, 3])), (3, 1, 1), (2, 1, 1))


def _bottlenecks_by_removal(graph: Graph) -> list[int]:
    """Without population i nothing after it may be fed from before it."""
    position = {p.name: i for i, p in enumerate(graph.populations)}
    edges = [(position[source], position[s.target]) for s in graph.synapses for source in s.sources]
    return [i for i in range(len(graph.populations)) if not any(a < i < b for a, b in edges)]


@pytest.mark.parametrize("seed", range(8))
def test_bottlenecks(seed):
    for graph in (random_graph(seed), block_graph(seed)):
        assert bottlenecks(graph) == _bottlenecks_by_removal(graph)


def _chain(length: int) -> Graph:
    rng = np.random.default_rng(1)
    populations = [Population("p0", (2, 3, 2), role="input")]
    populations += [Population(f"p{i}", (2, 3, 2), Cuba(20)) for i in range(1, length)]
    synapses = [Conv(f"s{i}", (f"p{i - 1}",), f"p{i}", even(rng, 2, 2, 1, 1)) for i in range(1, length)]
    # A branch around p3: p2 and p3 are no place to cut.
    synapses.append(Conv("around", ("p2",), "p4", even(rng, 2, 2, 1, 1)))
    return Graph(tuple(populations), tuple(synapses), T)


@pytest.mark.parametrize("count", [1, 2, 3, 20])
def test_parts_hold_everything_once_and_pass_one_population(count):
    graph = _chain(9)
    cost = {p.name: 1.0 for p in graph.populations}
    cost["p1"] = 5.0
    pieces = parts(graph, count, cost)
    assert len(pieces) == min(count, 7)
    assert [p.name for piece in pieces for p in piece.populations[1:]] == [p.name for p in graph.populations[1:]]
    assert sorted(s.name for piece in pieces for s in piece.synapses) == sorted(s.name for s in graph.synapses)
    for before, after in pairwise(pieces):
        assert after.input.name == before.output.name
    if count == 2:
        assert [len(piece.populations) - 1 for piece in pieces] == [2, 6]


def test_a_part_of_a_graph_with_a_shortcut_from_the_input_is_all_of_it():
    graph = block_graph()
    assert len(parts(graph, 4, {p.name: 1.0 for p in graph.populations})) == 1
