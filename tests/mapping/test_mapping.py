"""Placing nets on boards, against loops over single neurons and synapses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lava_dl_wheel import wheel_file
from random_graphs import dense_graph
from written_graphs import block_graph, even

from mksgn.energy.work import CoreWork
from mksgn.errors import ConfigError
from mksgn.ir import Conv, Cuba, Dense, Graph, GraphConv, JointMix, Population, Synapse
from mksgn.mapping import Board, Placement, board, boards, place
from mksgn.mapping.arrivals import arrivals
from mksgn.mapping.boards import NO_SOURCE
from mksgn.mapping.grid import Grid, balanced_edges, even_edges
from mksgn.mapping.links import positions
from mksgn.mapping.memory import fan_in, stored_taps, synapse_words, weight_bits
from mksgn.mapping.problems import larger_board, least_cores
from mksgn.mapping.shrink import with_frames, with_width
from mksgn.netx import read_net

ROOT = Path(__file__).resolve().parent.parent.parent
SHIPPED = ROOT / "models" / "nw-ucla-joint" / "mksgn.net"
KAPOHO, LOIHI1 = board("kapoho-point"), board("loihi-1")
Connection = tuple[tuple[int, int, int], tuple[int, int, int], bool]


def small_board(kind: Board = KAPOHO, **limits: int) -> Board:
    """A board of tiny cores, as many as anyone wants."""
    given = {"neurons": 24, "neuron_groups": 3, "synapse_words": 400, "core_words": 700 if kind.core_words else 0,
             "in_axons": 100, "out_axons": 1500, "cores_per_chip": 6, **limits}
    made = replace(kind, name="small", **given, router_mesh=(2, 3), router_cores=1)  # type: ignore[arg-type]
    return enlarged(made, given.get("chips", 400))


def enlarged(where: Board, chips: int) -> Board:
    """The same board with ``chips`` chips, in rows of as many chips as there."""
    columns = where.chip_mesh[1]
    return replace(where, chips=chips, chip_mesh=(max(where.chip_mesh[0], -(-chips // columns)), columns))


def connections(synapse: Synapse, source: tuple[int, int, int], target: tuple[int, int, int]) -> Iterator[Connection]:
    """(source neuron, target neuron, whether the weight is not zero) for everything that a target neuron reads."""
    weight = np.asarray(synapse.weight)
    for o, f, v in np.ndindex(*target):
        if isinstance(synapse, Dense):
            row = np.ravel_multi_index((o, f, v), target)
            for number, at in enumerate(np.ndindex(*source)):
                yield at, (o, f, v), bool(weight[row, number])
        elif isinstance(synapse, Conv):
            outputs, inputs = weight.shape[0] // synapse.groups, weight.shape[1]
            for i, m, n in np.ndindex(*weight.shape[1:]):
                frame = f * synapse.stride[0] + m * synapse.dilation[0] - synapse.padding[0]
                joint = v * synapse.stride[1] + n * synapse.dilation[1] - synapse.padding[1]
                if 0 <= frame < source[1] and 0 <= joint < source[2]:
                    yield (o // outputs * inputs + i, frame, joint), (o, f, v), bool(weight[o, i, m, n])
        elif isinstance(synapse, JointMix):
            k, c = divmod(o, source[0])
            for w in np.flatnonzero(weight[k, v]):
                yield (c, f, int(w)), (o, f, v), True
        else:
            for (w, to), matrix in zip(synapse.edges, weight):
                if to == v and matrix.any():
                    for i in range(source[0]):
                        yield (i, f, int(w)), (o, f, v), bool(matrix[o, i])


def whole_activity(graph: Graph, seed: int) -> dict[str, np.ndarray]:
    """0 to 4 messages of each neuron."""
    rng = np.random.default_rng(seed)
    return {p.name: rng.integers(0, 5, p.shape).astype(np.float64) for p in graph.populations}


def core_of(placement: Placement) -> dict[str, np.ndarray]:
    """Core of every neuron, by population (C, F, V); fails where a neuron has none or two."""
    found = {p.name: np.full(p.size, -1) for p in placement.graph.populations[1:]}
    for core in placement.cores:
        for slab in core.slabs:
            assert slab.size == len(slab.ids) > 0
            assert (found[slab.population][slab.ids] == -1).all(), "placed twice"
            found[slab.population][slab.ids] = core.index
    for p in placement.graph.populations[1:]:
        assert (found[p.name] >= 0).all(), "lost"
    return {name: where.reshape(placement.graph[name].shape) for name, where in found.items()}


def check_against_loops(placement: Placement, seed: int = 0) -> None:
    """Neurons, operations, messages, hops: nothing lost, nothing twice, and every sum as nested loops have it."""
    graph, where = placement.graph, core_of(placement)
    activity = whole_activity(graph, seed)
    work = placement.work(activity)
    synops, macs = np.zeros(work.cores), np.zeros(work.cores)
    reached: dict[tuple[str, tuple[int, int, int]], set[int]] = {}
    for synapse in graph.synapses:
        # As in Counts: a synapse that reads the graded input multiplies.
        count = macs if graph[synapse.sources[0]].message_bits else synops
        for name in synapse.sources:
            for at, to, weighted in connections(synapse, graph[name].shape, graph[synapse.target].shape):
                core = int(where[synapse.target][to])
                count[core] += activity[name][at] * weighted
                reached.setdefault((name, at), set()).add(core)
    row, column = positions(placement.board, work.cores)
    names = ("messages_in", "messages_out", "hops_ew", "hops_ns", "chip_crossings")
    expected = {name: np.zeros(work.cores) for name in names}
    for (name, at), cores in reached.items():
        sent = activity[name][at]
        for core in cores:
            expected["messages_in"][core] += sent
            if name != graph.input.name:
                sender = int(where[name][at])
                expected["messages_out"][sender] += sent
                expected["hops_ew"][sender] += sent * abs(column[sender] - column[core])
                expected["hops_ns"][sender] += sent * abs(row[sender] - row[core])
                expected["chip_crossings"][sender] += sent * (placement.chip[sender] != placement.chip[core])
    np.testing.assert_array_equal(work.synops, synops)
    np.testing.assert_array_equal(work.macs, macs)
    for name in names:
        np.testing.assert_array_equal(getattr(work, name), expected[name], err_msg=name)
    for name, own in where.items():
        for core in range(work.cores):
            assert (own == core).sum() == sum(s.size for s in placement.cores[core].slabs if s.population == name)
    assert work.total("neurons") == sum(p.size for p in graph.populations[1:])
    assert work.total("spikes") == sum(activity[p.name].sum() for p in graph.populations[1:])
    assert work.host_messages == activity[graph.input.name].sum()


def slab_at(placement: Placement, core: int, population: str, at: tuple[int, int, int]) -> int:
    """Which slab of a core holds a neuron."""
    return next(number for number, slab in enumerate(placement.cores[core].slabs) if slab.population == population
                and all(low <= x < high for x, (low, high) in zip(at, (slab.channels, slab.frames, slab.joints))))


def axons_by_loops(placement: Placement) -> tuple[np.ndarray, np.ndarray]:
    """In-axons and out-axons of every core, from every connection of the net."""
    graph, axons, where = placement.graph, placement.board.conv_axons, core_of(placement)
    arriving: set[tuple] = set()
    leaving: set[tuple] = set()
    for synapse in graph.synapses:
        conv = isinstance(synapse, Conv)
        for at, to, _ in connections(synapse, graph[synapse.sources[0]].shape, graph[synapse.target].shape):
            core = int(where[synapse.target][to])
            box = (core, slab_at(placement, core, synapse.target, to))
            for name in synapse.sources:
                unit: tuple = {"population": (), "position": at[1:]}.get(axons, at) if conv else at
                arriving.add((core, synapse.name, name, box, unit))
                if name != graph.input.name:
                    sender = int(where[name][at])
                    unit = (slab_at(placement, sender, name, at), *at[1:]) if conv and axons == "population" else at
                    leaving.add((sender, synapse.name, name, box, unit))
    cores = range(placement.packing.cores)
    return tuple(np.array([sum(1 for axon in found if axon[0] == core) for core in cores])
                 for found in (arriving, leaving))  # type: ignore[return-value]


def check_limits(placement: Placement) -> None:
    """No limit is exceeded; neurons and axons are counted again from neurons and connections."""
    limits = placement.board
    assert placement.packing.cores <= limits.cores and placement.chips <= limits.chips
    arriving, leaving = axons_by_loops(placement)
    for core in placement.cores:
        assert sum(slab.size for slab in core.slabs) == core.neurons <= limits.neurons
        assert len(core.slabs) == core.usage["neuron_groups"]
        assert limits.neuron_groups == 0 or len(core.slabs) <= limits.neuron_groups
        assert core.usage["in_axons"] == arriving[core.index] <= limits.in_axons
        assert core.usage["out_axons"] == leaving[core.index] <= limits.out_axons
        assert core.usage["synapse_words"] <= limits.synapse_words
        assert limits.core_words == 0 or core.usage["core_words"] <= limits.core_words


# ------------------------------------------------------------------------------------------ random small nets
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


@pytest.mark.parametrize("synapse", block_graph().synapses, ids=lambda synapse: synapse.name)
def test_arrivals_are_the_fanout_seen_from_the_target(synapse: Synapse) -> None:
    graph = block_graph()
    source, target = graph[synapse.sources[0]].shape, graph[synapse.target].shape
    activity = whole_activity(graph, 5)[synapse.sources[0]]
    expected = np.zeros(target)
    for at, to, weighted in connections(synapse, source, target):
        expected[to] += activity[at] * weighted
    found = arrivals(synapse, activity, target)
    np.testing.assert_array_equal(found, expected)
    assert found.sum() == (activity * synapse.fanout(source, target)).sum()
    most = max(np.bincount([np.ravel_multi_index(to, target) for _, to, _ in connections(synapse, source, target)]))
    alone = Graph((replace(graph.input, name="s", shape=source), Population("t", target, Cuba(1))),
                  (replace(synapse, sources=("s",), target="t"),))
    assert fan_in(alone, "t") >= most


# ------------------------------------------------------------------------------------------ memory
@given(st.lists(st.integers(-256, 254), min_size=1, max_size=6))
def test_weight_bits_hold_all_weights_and_no_fewer_do(values: list[int]) -> None:
    bits = weight_bits(np.array(values))

    def holds(width: int) -> bool:
        for shift in range(9):
            low, high = (-(1 << (width - 1)), (1 << (width - 1)) - 1) if min(values) < 0 else (0, (1 << width) - 1)
            if all(v % (1 << shift) == 0 and low <= v >> shift <= high for v in values):
                return True
        return False

    assert holds(bits)
    assert bits == 1 or not holds(bits - 1)


def test_a_kernel_is_stored_once_once_per_border_or_for_every_synapse() -> None:
    weight = even(np.random.default_rng(0), 4, 2, 3, 1, limit=60)
    weight.flat[:2] = 100, -100
    shape, bits = (4, 10, 1), weight_bits(weight)
    synapse = Conv("s", ("a",), "b", weight, padding=(1, 0))
    row = 1 + -(-4 * bits // 64)
    for kept, taps, words in (("core", 3, row), ("pattern", 2 + 3 + 2, row), ("none", 28, -(-4 * (bits + 12) // 64))):
        where = replace(KAPOHO, conv_weights=kept)
        assert synapse_words(synapse, (2, 10, 1), shape, Grid.even(shape, (1, 1, 1)), where) == 2 * taps * words
    # An inner range of frames reads positions at its own borders with fewer taps.
    tap = np.array([[[abs(p - q - m + 1) == 0 for p in range(10)] for q in range(10)] for m in range(3)])
    assert stored_taps(tap, (0, 5, 10), True) == [1 + 2 + 2 + 3, 1 + 2 + 2 + 3]


# ------------------------------------------------------------------------------------------ cutting and balance
@given(st.lists(st.floats(0, 100), min_size=1, max_size=30), st.data())
def test_ranges_cover_everything_and_none_is_empty(weight: list[float], data: st.DataObject) -> None:
    count = data.draw(st.integers(1, len(weight)))
    for edges in (even_edges(len(weight), count), balanced_edges(np.array(weight), count)):
        assert edges[0] == 0 and edges[-1] == len(weight) and len(edges) == count + 1
        assert all(low < high for low, high in pairwise(edges))
    sizes = np.diff(even_edges(len(weight), count))
    assert sizes.max() - sizes.min() <= 1


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


# ------------------------------------------------------------------------------------------ what does not fit
def test_chips_frames_and_channels_that_would_fit_do_fit_and_one_more_does_not() -> None:
    rng = np.random.default_rng(1)
    shape = (8, 40, 4)
    graph = Graph((Population("in", shape, role="input"), Population("a", shape, Cuba(9), np.zeros(8, np.int64)),
                   Population("b", (8, 1, 1), Cuba(9)), Population("out", (3, 1, 1), Cuba(9), role="readout")),
                  (Conv("s", ("in",), "a", even(rng, 8, 8, 3, 1, limit=60), padding=(1, 0)),
                   Conv("p", ("a",), "b", np.full((8, 1, 40, 4), 2, np.int16), groups=8),
                   Dense("d", ("b",), "out", even(rng, 3, 8))), 4)
    where = small_board(neurons=64, synapse_words=400, core_words=0, neuron_groups=0, chips=2)
    problem, = place(graph, where, objective="cores").problems
    assert problem.limit == "chips" and problem.allowed == 2 and problem.used > 2
    assert not place(graph, enlarged(where, problem.used), objective="cores").problems
    assert place(graph, enlarged(where, problem.used - 1), objective="cores").problems
    frames = int(problem.change.split(" instead of 40 frames")[0].split()[-1])
    for number, fits in ((frames, True), (frames + 1, False)):
        smaller = with_frames(graph, number)
        assert smaller is not None and smaller["a"].shape == (8, number, 4)
        assert (place(smaller, where, objective="cores").packing.cores <= where.cores) == fits
    share = int(problem.change.split("/16 of the channels")[0].split()[-1]) / 16
    narrow = with_width(graph, share)
    assert narrow is not None and narrow["out"].shape == (3, 1, 1) and narrow["a"].shape[0] == round(8 * share)
    assert place(narrow, where, objective="cores").packing.cores <= where.cores
    wider = with_width(graph, share + 1 / 16)
    assert wider is not None and place(wider, where, objective="cores").packing.cores > where.cores


@pytest.mark.parametrize("graph", [block_graph(), read_net(SHIPPED)], ids=["block", "shipped"])
def test_smaller_nets_are_valid_nets(graph: Graph) -> None:
    for frames in (graph.input.shape[1] // 2, 2):
        smaller = with_frames(graph, frames)
        # block_graph's frame kernels and its dense shortcut leave no other way than cropping.
        assert smaller is not None and smaller.input.shape[1] == frames
        assert smaller.output.shape == graph.output.shape
    assert with_frames(graph, graph.input.shape[1]) is not None
    half = with_width(graph, 0.5)
    if half is not None:
        assert half.populations[1].shape[0] == graph.populations[1].shape[0] // 2
        assert half.output.shape == graph.output.shape


def test_every_exceeded_limit_is_a_problem_that_names_its_place() -> None:
    graph = Graph((Population("in", (40, 1, 1), role="input", message_bits=13), Population("a", (2, 1, 1), Cuba(9))),
                  (Dense("s", ("in",), "a", np.full((2, 40), 253, np.int16) - np.eye(2, 40, dtype=np.int16),
                         delay=np.array([62] + [0] * 39)),), 4)
    where = small_board(synapse_words=30, core_words=0, in_axons=25, weight_bits=7, message_bits=8, delay_steps=60,
                        chips=2)
    found = {problem.limit: problem for problem in place(graph, where).problems}
    assert set(found) == {"synapse_words", "in_axons", "weight_bits", "message_bits", "delay_steps"}
    assert found["in_axons"].used == 40 and "25 synapses instead of 40" in found["in_axons"].change
    assert "divide them among 2 populations" in found["in_axons"].change
    assert found["message_bits"].where == "population 'in'" and "kapoho-point" in found["message_bits"].change
    assert found["delay_steps"].used == 62 and "1 relay population" in found["delay_steps"].change
    assert found["weight_bits"].used == 8 and found["weight_bits"].where == "synapse 's'"
    check_against_loops(place(graph, where))


def test_larger_boards_are_of_the_same_generation() -> None:
    assert larger_board(board("oheo-gulch"), 121) == boards()["kapoho-point"]
    assert larger_board(board("loihi-1"), 5000) == boards()["pohoiki-springs"]
    assert larger_board(board("oheo-gulch"), 140_545) is None
    assert least_cores(block_graph(), small_board()) == -(-sum(p.size for p in block_graph().populations[1:]) // 24)


# ------------------------------------------------------------------------------------------ boards
def test_every_value_of_our_boards_has_a_source_or_is_called_an_assumption() -> None:
    assert {b.generation for b in boards().values()} == {"Loihi 1", "Loihi 2"}
    for known in boards().values():
        for name in known.assumed.keys() | known.sources.keys():
            assert getattr(known, name) is not None
        assert NO_SOURCE not in known.assumed.values()
    assert boards()["hala-point"].cores == 140_544
    assert boards()["kapoho-point"].chips == 8 and boards()["oheo-gulch"].chips == 1


def test_a_board_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[mine]\nbase = "kapoho-point"\nchips = 3\nneurons = 8192\n[mine.sources]\nchips = "our lab"\n')
    mine = board(path)
    assert (mine.name, mine.chips, mine.neurons, mine.synapse_words) == ("mine", 3, 8192, KAPOHO.synapse_words)
    assert mine.assumed["neurons"] == NO_SOURCE and "neurons" not in mine.sources
    assert mine.sources["chips"] == "our lab"


@pytest.mark.parametrize(("text", "message"), [
    ("neurons = 5", "outside every board"), ("[a]\nneurons = 5", "fields missing"),
    ('[a]\nbase = "kapoho-point"\nneurones = 5', "unknown field"),
    ('[a]\nbase = "kapoho-point"\nneurons = -5', "neurons must be a whole number of at least 1"),
    ('[a]\nbase = "kapoho-point"\nneurons = 0', "neurons must be a whole number of at least 1"),
    ('[a]\nbase = "kapoho-point"\nneurons = 1.5', "neurons must be a whole number"),
    ('[a]\nbase = "kapoho-point"\nneurons = true', "neurons must be a whole number"),
    ('[a]\nbase = "kapoho-point"\nsynop_ns = -1.0', "synop_ns must be a number of at least 0"),
    ('[a]\nbase = "kapoho-point"\nsynop_ns = nan', "synop_ns must be a number of at least 0"),
    ('[a]\nbase = "kapoho-point"\nrouter_mesh = [8]', "must be .rows, columns."),
    ('[a]\nbase = "kapoho-point"\nchips = 9', "chip_mesh has too few places"),
    ('[a]\nbase = "kapoho-point"\nconv_axons = "shared"', "conv_axons is unknown"),
    ('[a]\nbase = "kapoho-point"\ngeneration = 2', "generation must be a text"),
    ('[a]\nbase = "kapoho-point"\nsources = {neurones = "x"}', "names an unknown field"),
    ('[a]\nbase = "moon"', "based on one that does not exist"), ("", "describes no board"), ("[a", "not TOML")])
def test_a_bad_board_file_is_one_clear_error(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        board(path)
    assert str(path) in caught.value.where


def test_unknown_boards_and_absent_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such board") as caught:
        board("kapoho")
    assert "kapoho-point" in caught.value.allowed
    with pytest.raises(ConfigError, match="cannot be read"):
        board(tmp_path / "none.toml")


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


# ------------------------------------------------------------------------------------------ real nets
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
