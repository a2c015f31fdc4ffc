"""The objective ``lava``: cuts as Lava's compiler printed them, and no core that two populations share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_graphs import random_graph
from streamable import streamable_pairs
from written_graphs import even

from mksgn.ir import Conv, Cuba, Dense, Graph, Population
from mksgn.mapping import Board, board, place
from mksgn.mapping.lava_split import boxes
from mksgn.mapping.packing import limits_of

CHIP = board("oheo-gulch-2024")
TIGHT = replace(CHIP, name="tight", neurons=20, synapse_words=300, core_words=420, in_axons=200, out_axons=600)


def alone(shape: tuple[int, int, int], synapse: Conv | Dense, source: tuple[int, int, int]) -> Graph:
    return Graph((Population("in", source, role="input"), Population("a", shape, Cuba(40))), (synapse,), 4)


def dense(neurons: int, inputs: int, bits: int) -> Graph:
    most = (1 << (bits - 1)) - 1
    weight = np.full((neurons, inputs), 2 * most, np.int16)
    weight[0, 0] = -2 * most
    return alone((neurons, 1, 1), Dense("s", ("in",), "a", weight), (inputs, 1, 1))


def slices(graph: Graph, where: Board) -> list[int]:
    return place(graph, where, objective="lava").packing.grids["a"].lengths[0].tolist()


@pytest.mark.parametrize(("neurons", "inputs", "bits", "name", "expected"), [
    (128, 784, 8, "oheo-gulch-2024", [50, 50, 28]), (64, 128, 8, "oheo-gulch-2024", [64]),
    (200, 256, 8, "oheo-gulch-2022", [102, 98]), (256, 200, 8, "oheo-gulch-2022", [102, 102, 52])])
def test_rows_of_dense_slices_fill_powers_of_two(neurons: int, inputs: int, bits: int, name: str,
                                                 expected: list[int]) -> None:
    assert slices(dense(neurons, inputs, bits), board(name)) == expected


@settings(deadline=None, max_examples=60)
@given(neurons=st.integers(1, 90), inputs=st.integers(1, 60), bits=st.integers(2, 8), words=st.integers(40, 400))
def test_no_larger_power_of_two_would_fit(neurons: int, inputs: int, bits: int, words: int) -> None:
    where = replace(CHIP, synapse_words=words)
    found = slices(dense(neurons, inputs, bits), where)
    each = bits + where.synapse_overhead_bits
    row = [-(-(n * each + where.list_header_bits) // 64) for n in found]
    if inputs > words:
        return  # not even one neuron fits
    assert sum(found) == neurons and max(row) * inputs <= words
    if len(found) == 1:
        return
    assert set(found[:-1]) == {found[0]} and found[-1] <= found[0]
    power = 1 << (row[0] - 1).bit_length()
    held = (power * 64 - where.list_header_bits) // each
    assert found[0] == held  # as many as the power of two holds
    wider = (2 * power * 64 - where.list_header_bits) // each
    assert -(-(min(wider, neurons) * each + where.list_header_bits) // 64) * inputs > words


def conv(shape: tuple[int, int, int], inputs: int, bits: int) -> Graph:
    weight = even(np.random.default_rng(0), shape[0], inputs, 1, 1, limit=(1 << (bits - 1)) - 1)
    weight.flat[:2] = 2 * ((1 << (bits - 1)) - 1), -2 * ((1 << (bits - 1)) - 1)
    return alone(shape, Conv("s", ("in",), "a", weight), (inputs, *shape[1:]))


@pytest.mark.parametrize(("shape", "expected"), [
    ((16, 224, 224), (16, 28, 8)), ((32, 112, 112), (32, 14, 8)), ((64, 56, 56), (64, 14, 4)),
    ((128, 28, 28), (128, 7, 4)), ((256, 14, 14), (256, 7, 2)), ((48, 14, 14), (48, 14, 4)),
    ((36, 15, 49), (36, 15, 4)), ((48, 7, 24), (48, 7, 8)), ((64, 2, 20), (64, 2, 16)), ((4, 3, 5), (4, 3, 5))])
def test_columns_and_rows_are_halved_as_in_the_logs(shape: tuple[int, int, int], expected: tuple[int, ...]) -> None:
    grid = place(conv(shape, 1, 5), CHIP, objective="lava").packing.grids["a"]
    assert tuple(int(lengths.max()) for lengths in grid.lengths) == expected


@pytest.mark.parametrize(("shape", "neurons", "expected"), [
    ((24, 32, 99), 4095, (24, 32, 4)), ((3, 66, 200), 4095, (3, 66, 16)), ((2, 9, 6), 7, (2, 3, 1))])
def test_the_compiler_of_2022_halved_columns_alone(shape: tuple[int, int, int], neurons: int,
                                                   expected: tuple[int, ...]) -> None:
    where = replace(board("oheo-gulch-2022"), neurons=neurons)
    grid = place(conv(shape, 1, 5), where, objective="lava").packing.grids["a"]
    assert tuple(int(lengths.max()) for lengths in grid.lengths) == expected


def test_channels_are_halved_while_synapses_do_not_fit() -> None:
    weight = np.full((256, 2304, 1, 1), 2, np.int16)  # as many rows as 256 channels and 3 x 3 taps have
    weight[0, 0] = -2
    graph = alone((256, 7, 4), Conv("s", ("in",), "a", weight), (2304, 7, 4))
    grid = place(graph, replace(CHIP, synapse_words=2304 * 3), objective="lava").packing.grids["a"]
    assert grid.lengths[0].tolist() == [64] * 4 and grid.parts[1:] == (1, 1)


@pytest.mark.slow
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 9999), kind=st.sampled_from([TIGHT, replace(TIGHT, in_axon_words=0, list_header_bits=0)]))
def test_no_core_is_shared_and_limits_hold(seed: int, kind: Board) -> None:
    graph = random_graph(seed, delays=False)
    placement = place(graph, kind, objective="lava", steps=None if graph.time_steps else 4)
    assert placement.packing.cores == sum(grid.cells for grid in placement.packing.grids.values())
    assert all(len(core.slabs) == 1 for core in placement.cores)
    fewest = place(graph, kind, objective="cores", steps=None if graph.time_steps else 4)
    over = {p.limit for p in placement.problems} & set(limits_of(kind))
    assert not over or {p.limit for p in fewest.problems} & set(limits_of(kind))
    for core in placement.cores:
        usage = core.usage
        assert usage["core_words"] == (usage["neurons"] + usage["synapse_words"] + usage["out_axons"]
                                       + kind.in_axon_words * usage["in_axons"] + usage["neuron_groups"])
        assert over or all(usage[name] <= limit for name, limit in limits_of(kind).items())


def test_streams_are_split_too_and_placing_is_deterministic() -> None:
    roomy = replace(TIGHT, neurons=200, synapse_words=4000, core_words=6000, in_axons=900, out_axons=9000)
    pairs = streamable_pairs(12)
    assert pairs
    for _, _, stream in pairs[:3]:
        first, second = (place(stream, roomy, objective="lava") for _ in "ab")
        assert first.cores == second.cores
        assert all(len(core.slabs) == 1 for core in first.cores)


def test_boxes_cover_everything_and_the_last_takes_what_is_left() -> None:
    grid = boxes((7, 10, 3), (3, 4, 4))
    assert grid.edges == ((0, 3, 6, 7), (0, 4, 8, 10), (0, 3))
