"""What each kind of synapse says of itself, against its equation walked number by number."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from mksgn.errors import GraphError
from mksgn.ir import KINDS, Conv, Cuba, Dense, Graph, GraphConv, JointMix, Population, Synapse, graph_difference
from mksgn.ir.synapses import Shape

SEEDS = range(25)
Case = tuple[Synapse, Shape, Shape]
Meeting = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
"""Index of a target neuron, of a source neuron, and of the weight between them."""


def sparse_weights(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Even weights of which about a third are zero."""
    return (2 * rng.integers(-128, 128, shape) * (rng.random(shape) < 0.67)).astype(np.int16)


def random_conv(rng: np.random.Generator) -> Case:
    groups = int(rng.choice([1, 1, 2, 3]))
    channels, outputs = groups * int(rng.integers(1, 4)), groups * int(rng.integers(1, 4))
    kernel, stride, dilation, padding = (rng.integers(low, high, 2).tolist() for low, high in ((1, 4), (1, 4), (1, 3),
                                                                                              (0, 4)))
    size = [int(rng.integers(d * (k - 1) + 1, d * (k - 1) + 7)) for k, d in zip(kernel, dilation)]
    synapse = Conv("s", ("a",), "b", sparse_weights(rng, (outputs, channels // groups, *kernel)), tuple(stride),
                   tuple(padding), tuple(dilation), groups)
    # The last position whose taps still lie inside the padded source.
    target = [len([q for q in range(99) if q * s + d * (k - 1) < n + 2 * p])
              for n, k, s, d, p in zip(size, kernel, stride, dilation, padding)]
    return synapse, (channels, size[0], size[1]), (outputs, target[0], target[1])


def random_dense(rng: np.random.Generator) -> Case:
    source, target = (tuple(int(n) for n in rng.integers(1, 5, 3)) for _ in range(2))
    weight = sparse_weights(rng, (int(np.prod(target)), int(np.prod(source))))
    shape = [None, weight.shape[1:], weight.shape][int(rng.integers(3))]
    delay = None if shape is None else rng.integers(0, 4, shape)
    return Dense("s", ("a",), "b", weight, delay), source, target  # type: ignore[return-value]


def random_joint_mix(rng: np.random.Generator) -> Case:
    channels, frames, read, partitions, made = (int(n) for n in rng.integers(1, 6, 5))
    synapse = JointMix("s", ("a",), "b", sparse_weights(rng, (partitions, made, read)))
    return synapse, (channels, frames, read), (partitions * channels, frames, made)


def random_graph_conv(rng: np.random.Generator) -> Case:
    channels, frames, read, outputs, made, edges = (int(n) for n in rng.integers(1, 6, 6))
    ends = np.stack([rng.integers(0, read, edges), rng.integers(0, made, edges)], axis=1)  # some of them twice
    synapse = GraphConv("s", ("a",), "b", sparse_weights(rng, (edges, outputs, channels)), edges=ends)
    return synapse, (channels, frames, read), (outputs, frames, made)


def meet_conv(synapse: Conv, source: Shape, target: Shape) -> Iterator[Meeting]:
    outputs, per_group, *kernel = synapse.weight.shape
    for o, q_f, q_v in itertools.product(*map(range, target)):
        for i, m, n in itertools.product(range(per_group), *map(range, kernel)):
            f = q_f * synapse.stride[0] + m * synapse.dilation[0] - synapse.padding[0]
            v = q_v * synapse.stride[1] + n * synapse.dilation[1] - synapse.padding[1]
            if 0 <= f < source[1] and 0 <= v < source[2]:
                yield (o, q_f, q_v), (o // (outputs // synapse.groups) * per_group + i, f, v), (o, i, m, n)


def meet_dense(synapse: Dense, source: Shape, target: Shape) -> Iterator[Meeting]:
    for o, made in enumerate(itertools.product(*map(range, target))):
        for j, read in enumerate(itertools.product(*map(range, source))):
            yield made, read, (o, j)


def meet_joint_mix(synapse: JointMix, source: Shape, target: Shape) -> Iterator[Meeting]:
    for k, v, w in np.ndindex(*synapse.weight.shape):
        for c, f in itertools.product(range(source[0]), range(source[1])):
            yield (k * source[0] + c, f, v), (c, f, w), (k, v, w)


def meet_graph_conv(synapse: GraphConv, source: Shape, target: Shape) -> Iterator[Meeting]:
    for e, o, i in np.ndindex(*synapse.weight.shape):
        w, v = synapse.edges[e].tolist()
        for f in range(source[1]):
            yield (o, f, v), (i, f, w), (e, o, i)


MAKE = {"conv": random_conv, "dense": random_dense, "jointmix": random_joint_mix, "graphconv": random_graph_conv}
MEET = {"conv": meet_conv, "dense": meet_dense, "jointmix": meet_joint_mix, "graphconv": meet_graph_conv}
CASES = [pytest.param(*make(np.random.default_rng(seed)), id=f"{kind}-{seed}")
         for kind, make in MAKE.items() for seed in SEEDS]


def meetings(synapse: Synapse, source: Shape, target: Shape) -> list[Meeting]:
    """Every pair of neurons that the synapse joins, and the weight between them, zero or not."""
    return list(MEET[synapse.kind](synapse, source, target))  # type: ignore[arg-type]


@pytest.mark.parametrize("synapse,source,target", CASES)
def test_a_kind_agrees_with_its_equation(synapse: Synapse, source: Shape, target: Shape) -> None:
    assert synapse.output_shape(source, target) == target
    fanout, bound, stored = np.zeros(source, np.int64), np.zeros(target, np.int64), np.zeros(target, np.int64)
    for made, read, at in meetings(synapse, source, target):
        weight = int(synapse.weight[at])
        fanout[read] += weight != 0
        bound[made] += abs(weight)
        stored[made] += synapse.stores_zeros or weight != 0
    found = synapse.fanout(source, target)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, fanout)
    assert synapse.connections(source, target) == fanout.sum()
    # Taps of a convolution may never all meet a position at once: the bounds then are no more than bounds.
    exact = synapse.kind != "conv" or synapse.padding == (0, 0)
    for answer, most in ((synapse.row_bound(), bound.max()), (synapse.fan_in(), stored.max())):
        assert answer == most if exact else answer >= most


@pytest.mark.parametrize("synapse,source,target", CASES)
def test_dense_macs_count_what_lies_beyond_the_borders_too(synapse: Synapse, source: Shape, target: Shape) -> None:
    ones = replace(synapse, weight=np.ones_like(synapse.weight))
    assert (ones.dense_mask() == 1).all()
    if synapse.kind == "conv":
        expected = int(np.prod(target)) * int(np.prod(synapse.weight.shape[1:]))
        assert ones.connections(source, target) <= expected
    else:
        expected = len(meetings(synapse, source, target))
    assert ones.dense_macs(source, target) == expected


def test_channels_that_no_weight_reads_are_not_in_the_dense_operation() -> None:
    weight = np.full((4, 3, 1, 2), 2, np.int16)
    weight[:, 1] = 0
    synapse = Conv("s", ("a",), "b", weight)
    assert synapse.dense_mask().sum(axis=(0, 2, 3)).tolist() == [8, 0, 8]
    assert synapse.dense_macs((3, 5, 7), (4, 5, 6)) == 4 * 5 * 6 * 2 * 2
    assert replace(synapse, weight=0 * weight).dense_macs((3, 5, 7), (4, 5, 6)) == 4 * 5 * 6 * 3 * 2


def test_fanout_of_a_padded_3x3_by_hand() -> None:
    synapse = Conv("s", ("a",), "b", np.ones((1, 1, 3, 3), np.int16), padding=(1, 1))
    np.testing.assert_array_equal(synapse.fanout((1, 3, 3), (1, 3, 3))[0], [[4, 6, 4], [6, 9, 6], [4, 6, 4]])


def test_dense_macs_by_hand() -> None:
    conv = Conv("s", ("a",), "b", np.zeros((8, 2, 3, 1), np.int16), (2, 1), (1, 0), (1, 1), 2)
    assert conv.dense_macs((4, 6, 5), (8, 3, 5)) == 8 * 3 * 5 * 2 * 3
    assert Dense("s", ("a",), "b", np.zeros((10, 24), np.int16)).dense_macs((2, 3, 4), (10, 1, 1)) == 240
    assert JointMix("s", ("a",), "b", np.zeros((3, 5, 4), np.int16)).dense_macs((2, 3, 4), (6, 3, 5)) == 60 * 2 * 3
    edges = np.zeros((6, 2), int)
    assert GraphConv("s", ("a",), "b", np.zeros((6, 5, 3), np.int16), edges).dense_macs((3, 2, 4), (5, 2, 4)) == 90 * 2


@pytest.mark.parametrize("synapse,source,target", [case for case in CASES if case.id.startswith("conv")])  # type: ignore[union-attr]
def test_a_convolution_says_what_its_taps_read(synapse: Conv, source: Shape, target: Shape) -> None:
    for axis in (0, 1):
        taps = synapse.taps(axis, source, target)
        read = synapse.read_positions(axis, target[axis + 1])
        assert taps.shape == (synapse.weight.shape[axis + 2], target[axis + 1], source[axis + 1])
        for m, q in np.ndindex(*taps.shape[:2]):
            position = q * synapse.stride[axis] + m * synapse.dilation[axis] - synapse.padding[axis]
            assert read[m, q] == position
            assert np.flatnonzero(taps[m, q]).tolist() == ([position] if 0 <= position < source[axis + 1] else [])
    one = replace(synapse, weight=synapse.ungrouped(), groups=1)
    np.testing.assert_array_equal(one.fanout(source, target), synapse.fanout(source, target))
    assert one.row_bound() == synapse.row_bound()


@pytest.mark.parametrize("shape,groups,depthwise", [((4, 1, 3, 1), 4, True), ((1, 1, 3, 1), 1, True),
                                                    ((8, 1, 1, 1), 4, False), ((4, 2, 1, 1), 2, False)])
def test_a_depthwise_convolution_mixes_no_channels(shape: tuple[int, ...], groups: int, depthwise: bool) -> None:
    synapse = Conv("s", ("a",), "b", np.ones(shape, np.int16), groups=groups)
    assert synapse.depthwise is depthwise and synapse.mixes_channels is not depthwise


@pytest.mark.parametrize("synapse,source,target", CASES)
def test_the_parts_of_a_synapse_by_delay_are_the_synapse(synapse: Synapse, source: Shape, target: Shape) -> None:
    parts = synapse.by_delay()
    steps = [delay for delay, _ in parts]
    assert steps == sorted(set(steps)) and not any(part.delayed for _, part in parts)
    np.testing.assert_array_equal(sum(part.weight for _, part in parts), synapse.weight)
    assert synapse.delayed is (synapse.longest_delay > 0)
    if synapse.delay is None:
        assert steps == [0] and synapse.longest_delay == 0
        return
    assert isinstance(synapse, Dense) and synapse.longest_delay == synapse.delay.max()
    each = np.broadcast_to(synapse.delay, synapse.weight.shape)
    np.testing.assert_array_equal(synapse.delay_of_each, each)
    for delay, part in parts:
        assert (each[part.weight != 0] == delay).all()


def test_delays_without_weights_leave_one_part() -> None:
    synapse = Dense("s", ("a",), "b", np.zeros((2, 3), np.int16), np.array([1, 2, 3]))
    (delay, part), = synapse.by_delay()
    assert synapse.delayed and delay == 0 and not part.weight.any()


@pytest.mark.parametrize("synapse,source,target,words", [
    (Conv("s", ("a",), "b", np.ones((2, 3, 1), np.int16)), (3, 1, 1), (2, 1, 1), "should have 4 axes"),
    (Conv("s", ("a",), "b", np.ones((2, 3, 1, 1), np.int16)), (4, 1, 1), (2, 1, 1), "reads 3 channels"),
    (Conv("s", ("a",), "b", np.ones((2, 3, 2, 1), np.int16)), (3, 1, 5), (2, 1, 5), "does not fit into 1 frames"),
    (Conv("s", ("a",), "b", np.ones((2, 3, 1, 1), np.int16), (0, 1)), (3, 1, 5), (2, 1, 5), "must be positive"),
    (Dense("s", ("a",), "b", np.ones((2, 3), np.int16)), (4, 1, 1), (2, 1, 1), "reads 3 inputs"),
    (Dense("s", ("a",), "b", np.ones((2, 3), np.int16)), (3, 1, 1), (3, 1, 1), "drives 2 neurons"),
    (JointMix("s", ("a",), "b", np.ones((1, 5, 4), np.int16)), (2, 3, 5), (2, 3, 5), "reads 4 joints"),
    (GraphConv("s", ("a",), "b", np.ones((1, 5, 4), np.int16), np.zeros((1, 2), int)), (3, 1, 1), (5, 1, 1),
     "reads 4 channels"),
    (GraphConv("s", ("a",), "b", np.ones((1, 5, 4), np.int16)), (4, 1, 1), (5, 1, 1), "do not pair"),
    (GraphConv("s", ("a",), "b", np.ones((1, 5, 4), np.int16), np.array([[0, 2]])), (4, 1, 1), (5, 1, 2),
     "outside 1 -> 2"),
])
def test_a_source_that_cannot_feed_a_synapse(synapse: Synapse, source: Shape, target: Shape, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        synapse.output_shape(source, target)


def dense_graph(delay: np.ndarray | None) -> Graph:
    """Three inputs into two neurons, through ``delay``."""
    return Graph((Population("a", (3, 1, 1), role="input"), Population("b", (2, 1, 1), Cuba(9))),
                 (Dense("s", ("a",), "b", np.ones((2, 3), np.int16), delay),))


def test_delays_per_input_per_synapse_and_none_are_one_meaning() -> None:
    row = np.array([0, 2, 1])
    assert graph_difference(dense_graph(row), dense_graph(np.stack([row, row]))) == ""
    assert graph_difference(dense_graph(None), dense_graph(0 * row)) == ""
    for other in (None, row + 1, np.stack([row, row + 1])):
        assert graph_difference(dense_graph(row), dense_graph(other)) == "synapse s: delays differ"
        assert graph_difference(dense_graph(other), dense_graph(row)) == "synapse s: delays differ"


@pytest.mark.parametrize("delay,words", [
    (np.array([0, 1]), "per input or per synapse"), (np.array([0, -1, 0]), "delays out of range"),
    (np.array([0, 63, 0]), "delays out of range"), (np.array([0.0, 1.0, 0.0]), "delays must be integers"),
])
def test_impossible_delays(delay: np.ndarray, words: str) -> None:
    with pytest.raises(GraphError, match=words):
        dense_graph(delay)


def test_every_kind_has_a_word_of_its_own() -> None:
    assert list(KINDS) == [*MAKE, "attention"] == [kind.__name__.lower() for kind in KINDS.values()]
