"""Boards of tiny cores, and placements checked by loops over single neurons and synapses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from mksgn.ir import Conv, Dense, Graph, JointMix, Synapse
from mksgn.mapping import Board, Placement, board
from mksgn.mapping.links import positions

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
