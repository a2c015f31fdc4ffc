"""Placing nets on boards, against loops over single neurons and synapses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lava_dl_wheel import wheel_file
from placed import KAPOHO, LOIHI1, check_against_loops, check_limits, small_board, whole_activity
from random_graphs import dense_graph
from written_graphs import block_graph, even

from mksgn.energy.work import CoreWork
from mksgn.errors import ConfigError
from mksgn.ir import Conv, Cuba, Dense, Graph, GraphConv, JointMix, Population, Synapse
from mksgn.mapping import Board, Placement, board, place
from mksgn.netx import read_net

ROOT = Path(__file__).resolve().parent.parent.parent
SHIPPED = ROOT / "models" / "nw-ucla-joint" / "mksgn.net"


@st.composite
def small_nets(draw: st.DrawFn) -> Graph:
    """Conv of every stride, padding, dilation and grouping, joint mixing, graph convolution, dense, concat."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    channels, frames, joints = (draw(st.integers(1, n)) for n in (4, 6, 4))
    shape = (channels, frames, joints)
    populations = [Population("in", shape, role="input", message_bits=draw(st.sampled_from([0, 8])))]
    synapses: list[Synapse] = []
    for number in range(draw(st.integers(1, 4))):
        name, last = f"p{number}", populations[-1]
        same = [p.name for p in populations if p.shape == last.shape]
        sources = tuple(same[-draw(st.integers(1, 2)):])
        kind = draw(st.sampled_from(["conv", "mix", "graph", "dense"]))
        (c, f, v), drops = last.shape, rng.random() < 0.7
        if kind == "conv":
            groups = draw(st.sampled_from([g for g in (1, 2, c) if c % g == 0]))
            size = tuple(min(n, draw(st.integers(1, 3))) for n in (f, v))
            weight = even(rng, groups * draw(st.integers(1, 2)), c // groups, *size, limit=8)
            stride, pad = ((draw(st.integers(1, 2)), draw(st.integers(1, 2))), tuple(s // 2 for s in size))
            target = (len(weight), *((n + 2 * p - k) // s + 1 for n, p, k, s in zip((f, v), pad, size, stride)))
            made: Synapse = Conv(name, sources, name, weight, stride=stride, padding=pad, groups=groups)
        elif kind == "mix":
            weight = even(rng, draw(st.integers(1, 3)), draw(st.integers(1, 4)), v, limit=2)
            target, made = (len(weight) * c, f, weight.shape[1]), JointMix(name, sources, name, weight)
        elif kind == "graph":
            edges = rng.integers(0, v, (draw(st.integers(1, 5)), 2))
            target = (draw(st.integers(1, 4)), f, v)
            made = GraphConv(name, sources, name, even(rng, len(edges), target[0], c, limit=2), edges=edges)
        else:
            target = (draw(st.integers(1, 5)), 1, 1)
            made = Dense(name, sources, name, even(rng, target[0], c * f * v))
        if not np.any(made.weight) or (drops and isinstance(made, Dense)):
            made.weight.flat[0] = 2
        populations.append(Population(name, target, Cuba(40)))
        synapses.append(made)
    return Graph(tuple(populations), tuple(synapses), 4)


kinds = st.sampled_from([
    small_board(), small_board(LOIHI1, neurons=16, in_axons=60, out_axons=400),
    small_board(conv_axons="neuron", conv_weights="none", neuron_groups=0),  # type: ignore[arg-type]
    small_board(neurons=200, synapse_words=4000, core_words=6000, in_axons=900, out_axons=9000, neuron_groups=4)])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(graph=small_nets(), kind=kinds, objective=st.sampled_from(["time", "cores"]), seed=st.integers(0, 9))
def test_nothing_is_lost_or_twice_and_no_limit_exceeded(graph: Graph, kind: Board, objective: str, seed: int) -> None:
    placement = place(graph, kind, whole_activity(graph, seed), objective=objective)  # type: ignore[arg-type]
    check_against_loops(placement, seed)
    if not [problem for problem in placement.problems if problem.limit != "message_bits"]:
        check_limits(placement)


@pytest.mark.parametrize("objective", ["time", "cores"])
@pytest.mark.parametrize("kind", [small_board(in_axons=300), small_board(LOIHI1, in_axons=300)], ids=["two", "one"])
def test_a_block_as_mksgn_has_it(kind: Board, objective: str) -> None:
    placement = place(block_graph(), kind, objective=objective)  # type: ignore[arg-type]
    assert not [problem for problem in placement.problems if problem.limit != "message_bits"]
    check_against_loops(placement)
    check_limits(placement)


def test_cores_that_hold_several_populations_get_one_message_per_spike() -> None:
    roomy = small_board(neurons=2000, neuron_groups=0, synapse_words=9000, core_words=0, in_axons=9000)
    placement = place(dense_graph(3), roomy, objective="cores")
    assert placement.packing.cores == 1 and len(placement.cores[0].slabs) == 6
    check_against_loops(placement)
    work = placement.work(whole_activity(placement.graph, 0))
    read = {name for synapse in placement.graph.synapses for name in synapse.sources}
    assert max(sum(name in s.sources for s in placement.graph.synapses) for name in read) > 1
    assert work.total("messages_in") == sum(whole_activity(placement.graph, 0)[name].sum() for name in read)


def loads(placement: Placement, work: CoreWork) -> np.ndarray:
    return np.sum(list(placement.load(work).values()), axis=0)


def test_measured_activity_moves_the_cuts_and_lowers_the_busiest_core() -> None:
    rng = np.random.default_rng(0)
    shape = (4, 32, 4)
    graph = Graph((Population("in", shape, role="input"), Population("a", shape, Cuba(9))),
                  (Conv("s", ("in",), "a", even(rng, 4, 4, 3, 1, limit=60), padding=(1, 0)),), 4)
    activity = {"in": np.zeros(shape), "a": np.ones(shape)}
    activity["in"][:, :6] = 50.0
    where = small_board(neurons=512, synapse_words=4000, core_words=0, in_axons=999, out_axons=9999, chips=1,
                        neuron_groups=0)
    blind, seeing = place(graph, where), place(graph, where, activity)
    assert blind.uniform and not seeing.uniform
    busiest = [loads(p, p.work(activity)).max() for p in (blind, seeing)]
    assert busiest[1] < 0.7 * busiest[0]
    fewest = place(graph, where, activity, objective="cores")
    assert fewest.packing.cores == 1 < seeing.packing.cores <= where.cores
    assert busiest[1] < loads(fewest, fewest.work(activity)).max()


def test_placing_is_deterministic() -> None:
    first, second = (place(block_graph(), small_board(in_axons=300), whole_activity(block_graph(), 2)) for _ in "ab")
    assert first.cores == second.cores


def test_active_updates_steps_and_latency() -> None:
    graph = block_graph()
    placement = place(graph, small_board(in_axons=300))
    activity = whole_activity(graph, 0)
    everything = placement.work(activity)
    assert everything.total("updates_idle") == 0 and everything.steps == 4
    assert everything.latency_steps == 4 + 8  # in, coder, mixed, late, body, gate, strided, pooled, out
    each = {p.name: np.full(p.shape, 0.5) for p in graph.populations[1:]}
    sums = {p.name: 0.5 * p.size for p in graph.populations[1:]}
    for active in (each, sums):
        work = placement.work(activity, active)
        np.testing.assert_allclose(work.updates_active, 0.5 * work.neurons)
        np.testing.assert_allclose(work.updates_active + work.updates_idle, 4 * work.neurons)
    with pytest.raises(ConfigError, match="active updates of a population are missing"):
        placement.work(activity, {"body": 1.0})


@pytest.mark.parametrize(("change", "message"), [
    ({"nobody": np.zeros(3)}, "populations that the net has not"),
    ({"body": None}, "activity of a population is missing"), ({"body": np.zeros((1, 2, 3))}, "does not fit"),
    ({"body": np.full((6, 6, 4), -1.0)}, "at least 0"), ({"body": np.full((6, 6, 4), np.nan)}, "finite")])
def test_bad_activity_is_one_clear_error(change: dict[str, np.ndarray | None], message: str) -> None:
    given = {**whole_activity(block_graph(), 0), **change}
    with pytest.raises(ConfigError, match=message):
        place(block_graph(), small_board(), {k: v for k, v in given.items() if v is not None})


def test_a_net_without_steps_needs_some() -> None:
    graph = replace(dense_graph(0), time_steps=None)
    with pytest.raises(ConfigError, match="no number of steps"):
        place(graph, KAPOHO)
    assert place(graph, KAPOHO, steps=16).work(whole_activity(graph, 0)).steps == 16
    with pytest.raises(ConfigError, match="steps per sample of its own"):
        place(dense_graph(0), KAPOHO, steps=3)


def test_silent_nets_are_placed_and_do_nothing() -> None:
    graph = block_graph()
    silent = {p.name: np.zeros(p.shape) for p in graph.populations}
    work = place(graph, small_board(in_axons=300), silent).work(silent, dict.fromkeys(silent, 0.0))
    for name in ("synops", "macs", "spikes", "messages_in", "messages_out", "hops_ew", "updates_active"):
        assert work.total(name) == 0


def test_the_shipped_net_fits_on_kapoho_point() -> None:
    graph = read_net(SHIPPED)
    for objective in ("cores", "time"):
        placement = place(graph, KAPOHO, objective=objective)  # type: ignore[arg-type]
        assert not placement.problems
        usage = placement.packing.usage.max(axis=0)
        assert usage[0] <= KAPOHO.neurons and usage[2] <= KAPOHO.synapse_words and usage[5] <= KAPOHO.core_words
        activity = whole_activity(graph, 0)
        work = placement.work(activity)
        for name, synapses in (("macs", graph.synapses[:1]), ("synops", graph.synapses[1:])):
            met = sum((activity[source] * s.fanout(graph[source].shape, graph[s.target].shape)).sum()
                      for s in synapses for source in s.sources)
            assert work.total(name) == met
        assert sum(s.size for core in placement.cores for s in core.slabs) == sum(
            p.size for p in graph.populations[1:])


def test_pilotnet_fits_on_one_chip() -> None:
    placement = place(read_net(wheel_file("gts/pilotnet_lif/network.net")), board("oheo-gulch"), steps=16)
    assert not placement.problems and placement.chips == 1
    check = {slab.population for core in placement.cores for slab in core.slabs}
    assert check == {p.name for p in placement.graph.populations[1:]}
