"""What arrives at neurons, what their weights take, and ranges that cut populations."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from placed import KAPOHO, connections, whole_activity
from written_graphs import block_graph, even

from mksgn.ir import Conv, Cuba, Graph, Population, Synapse
from mksgn.mapping.arrivals import arrivals
from mksgn.mapping.grid import Grid, balanced_edges, even_edges
from mksgn.mapping.memory import fan_in, stored_taps, synapse_words, weight_bits


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


@given(st.lists(st.floats(0, 100), min_size=1, max_size=30), st.data())
def test_ranges_cover_everything_and_none_is_empty(weight: list[float], data: st.DataObject) -> None:
    count = data.draw(st.integers(1, len(weight)))
    for edges in (even_edges(len(weight), count), balanced_edges(np.array(weight), count)):
        assert edges[0] == 0 and edges[-1] == len(weight) and len(edges) == count + 1
        assert all(low < high for low, high in pairwise(edges))
    sizes = np.diff(even_edges(len(weight), count))
    assert sizes.max() - sizes.min() <= 1
