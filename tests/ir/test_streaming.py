"""Frames as time steps: a streamed graph is the clip's graph, spike by spike, in every way of running it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from random_graphs import samples_of
from reference import simulate
from streamable import streamable_pairs

from mksgn.counts import Counts
from mksgn.emulator import Emulator
from mksgn.energy.causes import ratio_causes
from mksgn.errors import DataError, GraphError
from mksgn.events.stepper import Stepper
from mksgn.ir import Conv, Cuba, Dense, Graph, Population, graph_difference, schedule
from mksgn.ir.lattice import Lattice
from mksgn.ir.streamed_clips import as_clip, clip_as_stream
from mksgn.ir.streaming import streamed
from mksgn.lava.backend import LavaBackend
from mksgn.lava.wire import graph_from_message, graph_message

SEEDS = 240


def test_the_equations_give_the_same_clip() -> None:
    compared, strided, deep = 0, 0, 0
    for seed, graph, stream in streamable_pairs(SEEDS):
        x = samples_of(graph, seed, 2)
        clip, ours = simulate(graph, x), simulate(stream, clip_as_stream(stream, x))
        for population in graph.populations:
            placed = as_clip(stream[population.name], ours.spikes[population.name])
            np.testing.assert_array_equal(placed, clip.spikes[population.name], err_msg=f"{seed} {population.name}")
            assert np.count_nonzero(ours.spikes[population.name]) == np.count_nonzero(placed), "none at other steps"
            compared += placed.size
        if graph.output.role == "readout":
            np.testing.assert_array_equal(ours.v["out"][..., -1], clip.v["out"][..., -1])
        strided += any(p.lattice is not None and p.lattice.frames > 1 and p.lattice.interval > p.lattice.length
                       for p in stream.populations)
        deep += graph.time_steps > 1
    assert compared > 50_000 and strided > 5 and deep > 20


@pytest.mark.parametrize("kernel", ["dense", "event"])
def test_the_emulator_gives_the_same_clip_and_counts(kernel: str) -> None:
    for seed, graph, stream in streamable_pairs(SEEDS):
        x = samples_of(graph, seed, 3)
        with Emulator(graph) as emulator:
            clip = emulator.run(x, "spikes")
        with Emulator(stream, kernel=kernel) as emulator:
            ours = emulator.run(clip_as_stream(stream, x), "spikes")
        for population in graph.populations[1:]:
            np.testing.assert_array_equal(as_clip(stream[population.name], ours.spikes[population.name]),
                                          clip.spikes[population.name], err_msg=f"{seed} {population.name}")
        if graph.output.role == "readout":
            np.testing.assert_array_equal(ours.output, clip.output)
        for table in ("sample_spikes", "sample_active", "sample_synops", "sample_macs"):
            for name, counted in getattr(clip.counts, table).items():
                np.testing.assert_array_equal(getattr(ours.counts, table)[name], counted, f"{seed} {table} {name}")


def test_steps_with_carried_state_give_the_same_clips() -> None:
    """Three clips back to back, one wall step at a time: what a Lava Process of ours does."""
    for seed, graph, stream in streamable_pairs(SEEDS)[:25]:
        x = clip_as_stream(stream, samples_of(graph, seed, 3))
        with Emulator(stream) as emulator:
            expected = emulator.run(x, "spikes")
        times, cycle = schedule(stream), stream.time_steps
        assert cycle is not None
        phases = {name: (depth + 1) % cycle for name, depth in times.depth.items()}
        stepper = Stepper(stream, times.wait, cycle, phases, per_sample=True)
        found = {p.name: np.zeros((3 * cycle, *p.shape), np.int8) for p in stream.populations[1:]}
        for t in range(1, 3 * cycle + times.latency + 1):
            stepper.step(t)
            for name, trains in found.items():
                own = t - 1 - times.depth[name]
                if 0 <= own < len(trains):
                    trains[own] = stepper.spikes(name, t).transpose(2, 0, 1)
            sample, own = divmod(t - 1, cycle)
            message = x[sample, ..., own] if sample < 3 else np.zeros_like(x[0, ..., 0])
            stepper.receive(t, message.transpose(1, 2, 0))
        for name, trains in found.items():
            if stream[name].role != "readout":
                both = trains.reshape(3, cycle, *trains.shape[1:]).transpose(0, 2, 3, 4, 1)
                np.testing.assert_array_equal(both, expected.spikes[name], err_msg=f"{seed} {name}")


def chain(*synapses: Conv | Dense, frames: int = 6) -> Graph:
    """Populations a (the input), b, c, ... that ``synapses`` connect one to the next."""
    shape = (1, frames, 1)
    populations = [Population("a", shape, role="input")]
    for number, synapse in enumerate(synapses):
        shape = synapse.output_shape(shape, (len(synapse.weight), 1, 1))
        populations.append(Population("bcdef"[number], shape, Cuba(1)))
    return Graph(tuple(populations), synapses, 1)


def ones(*shape: int) -> np.ndarray:
    return np.full(shape, 2, np.int16)


def test_a_temporal_kernel_becomes_delays() -> None:
    graph = streamed(chain(Conv("s", ("a",), "b", ones(1, 1, 3, 1), (2, 1), (1, 0)),
                           Conv("t", ("b",), "c", ones(1, 1, 3, 1), padding=(1, 0))))
    first, second = graph.synapses
    assert isinstance(first, Conv) and isinstance(second, Conv)
    assert (first.frame_steps, second.frame_steps) == (1, 2) and first.tap_offsets == (-1, 0, 1)
    assert graph["b"].shape == (1, 1, 1) and graph["c"].lattice == Lattice(2, 1, 3)
    times = schedule(graph)
    assert times.depth == {"a": 0, "b": 2, "c": 5}
    # Every tap waits for what it reads; the latest does not wait at all beyond the hop.
    for synapse in graph.synapses:
        waits = [times.wait[synapse.name, synapse.sources[0]] + delay for delay, _ in synapse.by_delay()]
        assert min(waits) == 0


def test_what_cannot_be_streamed_is_refused() -> None:
    plain = chain(Conv("s", ("a",), "b", ones(1, 1, 1, 1)))
    with pytest.raises(GraphError, match="without steps per sample"):
        streamed(Graph(plain.populations, plain.synapses, None))
    with pytest.raises(GraphError, match="streamed already"):
        streamed(streamed(plain))
    uneven = replace(plain.populations[1], bias=np.arange(6).reshape(1, 6, 1))
    with pytest.raises(GraphError, match="differ from frame to frame"):
        streamed(Graph((plain.populations[0], uneven), plain.synapses, 1))
    delayed = Dense("d", ("a",), "b", ones(1, 6), np.arange(6))
    with pytest.raises(GraphError, match="functional delays"):
        streamed(chain(delayed))
    late = Graph((plain.input, replace(plain.populations[1], role="readout", neuron=Cuba(131071, 4096, 0))),
                 plain.synapses, 1)
    with pytest.raises(GraphError, match="readout of several frames"):
        streamed(late)
    for source, target, allowed in (((1, 1, 1), (1, 2, 1), "1 frame"), ((1, 2, 1), (1, 2, 1), "1 and 1"),
                                    ((1, 2, 1), (1, 1, 2), "1 and 1")):
        spread = Dense("d", ("a",), "b", ones(int(np.prod(target)), int(np.prod(source))))
        with pytest.raises(GraphError, match="dense synapse can make one frame") as error:
            streamed(Graph((Population("a", source, role="input"), Population("b", target, Cuba(1))), (spread,), 1))
        assert error.value.allowed == allowed
    branches = (Conv("s", ("a",), "b", ones(1, 1, 1, 1), (3, 1)), Conv("t", ("a",), "c", ones(1, 1, 5, 1)),
                Conv("u", ("b",), "d", ones(1, 1, 1, 1)), Conv("v", ("c",), "d", ones(1, 1, 1, 1)))
    shapes = {"a": 6, "b": 2, "c": 2, "d": 2}
    meeting = Graph(tuple(Population(name, (1, frames, 1), None if name == "a" else Cuba(1),
                                     role="input" if name == "a" else "hidden")
                          for name, frames in shapes.items()), branches, 1)
    with pytest.raises(GraphError, match="different intervals") as error:
        streamed(meeting)
    assert "'b'" in str(error.value) and "'c'" in str(error.value)


def test_a_lattice_knows_its_steps() -> None:
    lattice = Lattice(6, 2, 3)
    assert [lattice.frame(step) for step in range(-1, 15)] == [None, 0, 0, *[None] * 4, 1, 1, *[None] * 4, 2, 2, None]
    assert [step for step in range(15) if lattice.begins(step)] == [0, 6, 12]
    assert lattice.rests(4) == {2, 3} and lattice.beginnings(7) == {0, 6}
    for impossible in ((0, 1, 1), (1, 2, 2), (1, 1, 0)):
        with pytest.raises(GraphError, match="lattice"):
            Lattice(*impossible)


def test_what_does_not_hold_a_streamed_graph_says_so() -> None:
    """Nothing is left out in silence."""
    graph = streamed(chain(Conv("s", ("a",), "b", ones(1, 1, 3, 1), padding=(1, 0))))
    for refused in (lambda: ratio_causes(graph, Counts()),
                    lambda: Emulator(graph).run_stream(np.zeros((1, 1, 1, 9), np.int8)),
                    lambda: LavaBackend(graph).run_stream(np.zeros((1, 1, 1, 9), np.int8))):
        with pytest.raises(GraphError, match="streamed graph cannot be"):
            refused()
    back = graph_from_message(graph_message(graph))
    assert graph_difference(graph, back) == "" and back.populations[1].lattice == graph.populations[1].lattice
    with pytest.raises(GraphError, match="have a lattice, or none"):
        Graph((graph.populations[0], replace(graph.populations[1], lattice=None)), graph.synapses, graph.time_steps)
    slower = replace(graph.populations[1], lattice=Lattice(2, 1, 6))
    assert "lattice" in graph_difference(graph, Graph((graph.populations[0], slower), graph.synapses, 12))
    with pytest.raises(GraphError, match="within the steps of a sample"):
        Graph((graph.populations[0], slower), graph.synapses, 10)
    with pytest.raises(GraphError, match="one frame at a time"):
        plain = streamed(chain(Conv("s", ("a",), "b", ones(1, 1, 1, 1))))
        Graph(tuple(replace(p, shape=(1, 2, 1)) for p in plain.populations), plain.synapses, plain.time_steps)


def test_messages_between_frames_are_refused() -> None:
    clip = chain(Conv("s", ("a",), "b", ones(1, 1, 3, 1), padding=(1, 0)))
    graph = streamed(clip)
    x = clip_as_stream(graph, np.ones((1, 1, 6, 1), np.int8))
    assert x.shape == (1, 1, 1, 1, 7) and x.sum() == 6
    with Emulator(graph) as emulator:
        for backend in (emulator, LavaBackend(graph)):
            with pytest.raises(DataError, match="no frame"):
                backend.run(np.ones_like(x))
            with pytest.raises(DataError, match="a frame at a time"):
                backend.run(x[..., 0])
    with pytest.raises(DataError, match="not those of the clip"):
        clip_as_stream(graph, np.ones((1, 1, 5, 1), np.int8))
    with pytest.raises(GraphError, match="not streamed"):
        as_clip(clip.input, x)
