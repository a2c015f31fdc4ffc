"""Streamed graphs on the code path to Loihi 2: gates, clocks and relays, on a fake of Intel's extension.

Nothing here runs on a chip or shows that a chip would agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from carrying import carrying_clip, carrying_stream
from loihi_fake import fake_in_reach
from random_graphs import random_messages, samples_of
from reference import simulate
from streamable import longer_input, small_clip, streamable_pairs, unpadded

from mksgn.api import load
from mksgn.emulator import Emulator, run_frames
from mksgn.errors import BackendError, GraphError
from mksgn.ir import Graph
from mksgn.ir.endless import spaced
from mksgn.ir.streamed_clips import as_clip, carried_side_by_side, clip_as_stream
from mksgn.ir.streaming import continuous, streamed
from mksgn.lava.stock_stream import stock_graph
from mksgn.loihi import Loihi2Backend, measure
from mksgn.loihi.checks import as_on_chip, check_graph, with_chip_cycle
from mksgn.run.registry import open_backend


@pytest.fixture()
def fake_extension(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    with fake_in_reach(monkeypatch, tmp_path) as calls:
        yield calls


def held(graph: Graph) -> Graph:
    """``graph`` with the decays that the chip holds."""
    return as_on_chip(graph)


def test_with_the_numbers_of_a_chip_gates_clocks_and_relays_give_the_same_clip() -> None:
    """Decays of at most 4095, clips a power of two apart: by the equations, against the clip with the same decays."""
    compared = built = 0
    for seed, graph, stream in streamable_pairs(120):
        ours = with_chip_cycle(stream)
        assert ours.time_steps is not None and stream.time_steps is not None
        assert ours.time_steps >= stream.time_steps > ours.time_steps // 2
        try:
            check_graph(ours)
        except (BackendError, GraphError):
            continue  # an interval or a clip that no power of two divides
        on_chip = held(stock_graph(ours))
        x = samples_of(graph, seed, 2)
        clip, found = simulate(held(graph), x), simulate(on_chip, clip_as_stream(ours, x))
        for population in graph.populations:
            placed = as_clip(ours[population.name], found.spikes[population.name])
            np.testing.assert_array_equal(placed, clip.spikes[population.name], f"{seed} {population.name}")
            compared += placed.size
        built += len(on_chip.populations) > len(graph.populations)
    assert compared > 4_500 and built > 4


def test_states_are_carried_with_the_numbers_of_a_chip() -> None:
    compared = 0
    for seed in range(120):
        graph = carrying_clip(seed)
        if carried_side_by_side(graph) is None:
            continue
        with pytest.raises(GraphError, match="run on Loihi 2"):
            check_graph(graph)
        try:
            ours = with_chip_cycle(streamed(graph))
            check_graph(ours)
        except (BackendError, GraphError):
            continue
        x = samples_of(graph, seed, 2)
        clip = simulate(held(graph), x)
        found = simulate(held(stock_graph(ours)), clip_as_stream(ours, x))
        for population in graph.populations[1:]:
            placed = as_clip(ours[population.name], found.spikes[population.name])
            np.testing.assert_array_equal(placed, clip.spikes[population.name], f"{seed} {population.name}")
            compared += placed.size
    assert compared > 1_000


def test_the_shipped_nets_are_refused_for_nothing_but_a_board(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, steps in (("nw-ucla-joint", 128), ("nw-ucla", 64)):
        stream = with_chip_cycle(streamed(load(name).graph))
        assert stream.time_steps == steps
        check_graph(stream)
    with pytest.raises(BackendError, match="cannot be used from here"):
        open_backend("loihi2", small_clip(2), time="stream", partition="any")


def test_what_does_not_fit_is_refused() -> None:
    three = replace(unpadded(0), time_steps=3)
    for graph in (with_chip_cycle(streamed(small_clip(3))), continuous(three)):
        with pytest.raises((BackendError, GraphError), match=r"power of two|whole intervals"):
            check_graph(graph)
    check_graph(continuous(replace(three, time_steps=2)))
    assert with_chip_cycle(continuous(three)).time_steps == 3 and with_chip_cycle(three) is three
    check_graph(spaced(continuous(three), 64))
    with pytest.raises(BackendError, match="power of two") as found:
        check_graph(spaced(continuous(three), 48))
    assert found.value.where == "steps per frame" and "spaced" in found.value.fix


def test_a_streamed_clip_cannot_be_held_on_the_chip(fake_extension: Path) -> None:
    stream = with_chip_cycle(streamed(small_clip(1)))
    with pytest.raises(GraphError, match="held on the chip"):
        measure(stream, np.zeros((1, *stream.input.shape), np.int8), board="fakeboard")


@pytest.mark.slow
@pytest.mark.lava()
@pytest.mark.timeout(240)
def test_the_hardware_path_runs_streamed_clips_on_the_fake(fake_extension: Path) -> None:
    graph = held(small_clip(2))
    x = random_messages(graph, 2, 1)
    with open_backend("loihi2", graph, time="stream", partition="fakepartition") as chip:
        assert chip.name == "streamed loihi2"
        ours = chip.run(x, "spikes")
    with Emulator(graph) as emulator:
        clip = emulator.run(x, "spikes")
    for name, spikes in clip.spikes.items():
        if graph[name].role != "readout":
            np.testing.assert_array_equal(ours.spikes[name], spikes, name)
    np.testing.assert_array_equal(ours.output, clip.output)
    assert sum(int(spikes.sum()) for spikes in clip.spikes.values()) > 50


@pytest.mark.lava()
@pytest.mark.timeout(240)
@pytest.mark.parametrize(("graph", "steps"), [(unpadded(22), 8), (carrying_stream(33), 1)], ids=["reset", "carried"])
def test_the_hardware_path_runs_a_stream_without_ends_on_the_fake(fake_extension: Path, graph: Graph,
                                                                  steps: int) -> None:
    graph = held(graph)
    x = random_messages(longer_input(graph, graph.input.shape[1] + 4), 1, 22)[0]
    stream = continuous(graph)
    expected = run_frames(stream, x, "spikes")
    with Loihi2Backend(spaced(stream, steps), partition="fakepartition") as chip:
        ours = chip.run_frames(x, "spikes")
    np.testing.assert_array_equal(ours.output, expected.output)
    for name, spikes in expected.spikes.items():
        np.testing.assert_array_equal(ours.spikes[name], spikes, name)
    assert len(np.unique(expected.output, axis=0)) > 1
