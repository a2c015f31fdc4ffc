"""Cores on chips: the same cores, never more messages between chips than in the order of the network, often fewer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_graphs import dense_graph
from written_graphs import block_graph

from mksgn.mapping import board, place
from mksgn.mapping.activity import uniform_activity
from mksgn.mapping.chips import Exchange, arranged
from mksgn.mapping.placement import packed
from mksgn.mapping.traffic import HOST, Flow

TINY = replace(board("kapoho-point"), name="tiny", neurons=9, neuron_groups=0, synapse_words=400, core_words=700,
               in_axons=300, cores_per_chip=7, chips=300, chip_mesh=(100, 3))


def flows_of(matrix: np.ndarray, parts: int, seed: int) -> list[Flow]:
    """Flows that add up to ``matrix``, in random parts, some of them negative, and some of the host."""
    rng, cores = np.random.default_rng(seed), len(matrix)
    shares = list(rng.integers(-3, 4, (parts, cores, cores)).astype(float))
    shares.append(matrix - sum(shares))
    found = [Flow(np.full(cores, HOST), np.arange(cores), np.full(cores, 5.0))]
    for values in shares:
        sender, receiver = np.nonzero(values)
        found.append(Flow(sender, receiver, values[sender, receiver]))
    return found


@settings(deadline=None, max_examples=60)
@given(cores=st.integers(1, 23), per_chip=st.integers(1, 9), seed=st.integers(0, 999))
def test_never_more_messages_between_chips_and_every_core_once(cores: int, per_chip: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.integers(0, 9, (cores, cores)) * (rng.random((cores, cores)) < 0.3).astype(float)
    exchange = Exchange.of(flows_of(matrix, 2, seed), cores)
    number = arranged(exchange, per_chip)
    assert sorted(number) == list(range(cores))
    np.testing.assert_array_equal(number, arranged(exchange, per_chip))
    crossing = [float(matrix[chip[:, None] != chip[None, :]].sum())
                for chip in (np.arange(cores) // per_chip, number // per_chip)]
    assert crossing[1] <= crossing[0]
    assert exchange.between(number // per_chip) == pytest.approx(crossing[1])
    for chip in range(-(-cores // per_chip)):  # the order within a chip is the given one
        inside = number[number // per_chip == chip]
        assert (np.diff(inside) > 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_two_chips_of_few_cores_are_divided_as_the_best_of_all_divisions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = np.triu(rng.integers(0, 9, (8, 8)), 1).astype(float)
    exchange = Exchange.of(flows_of(matrix, 1, seed), 8)
    best = min(exchange.between(np.array(chip)) for chip in _halves())
    assert exchange.between(arranged(exchange, 4) // 4) <= 1.15 * best


def _halves() -> list[tuple[int, ...]]:
    return [tuple(int(b) for b in f"{n:08b}") for n in range(256) if n.bit_count() == 4]


def test_clusters_that_the_order_tears_apart_find_together() -> None:
    rng = np.random.default_rng(0)
    cluster = rng.permutation(np.repeat(np.arange(5), 12))
    matrix = np.where(cluster[:, None] == cluster[None, :], 20.0, 0.0) + rng.random((60, 60))
    exchange = Exchange.of(flows_of(matrix, 1, 3), 60)
    number = arranged(exchange, 12)
    for chip in range(5):
        assert len(set(cluster[number // 12 == chip])) == 1


@pytest.mark.parametrize("graph", [block_graph(), dense_graph(3)], ids=["block", "dense"])
@pytest.mark.parametrize("objective", ["cores", "time", "lava"])
def test_cores_are_the_same_and_less_passes_between_chips(graph, objective) -> None:  # type: ignore[no-untyped-def]
    plain, found = packed(graph, TINY, objective=objective), place(graph, TINY, objective=objective)
    assert found.packing.cores == plain.packing.cores and found.chips == plain.chips
    was = found.packing.was
    if was is None:
        assert found.chips == 1
        return
    np.testing.assert_array_equal(found.packing.usage, plain.packing.usage[was])
    for core in found.cores:
        assert core.slabs == plain.cores[was[core.index]].slabs
        assert core.chip == core.index // TINY.cores_per_chip
    sent = uniform_activity(graph, 4)
    crossings = [p.work(sent).total("chip_crossings") for p in (plain, found)]
    assert crossings[1] <= crossings[0] * (1 + 1e-12)
    assert found.between_chips(sent) == pytest.approx(crossings[1])
    assert found.between_chips(sent, in_order=True) == pytest.approx(crossings[0])
