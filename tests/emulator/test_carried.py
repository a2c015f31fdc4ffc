"""States carried from frame to frame: the equations, all kernels, streams of clips and streams without ends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from carrying import carrying_clip, carrying_graph, carrying_stream
from random_graphs import random_messages, samples_of
from reference import simulate
from same_counts import assert_same_counts

from mksgn.emulator import Emulator, FrameByFrame
from mksgn.emulator.frames_run import run_frames
from mksgn.errors import GraphError
from mksgn.ir import Conv, Cuba, Graph, Population
from mksgn.ir.endless import frames_to_decide, spaced
from mksgn.ir.streamed_clips import as_clip, clip_as_stream
from mksgn.ir.streaming import continuous, streamed
from mksgn.mapping.boards import board
from mksgn.mapping.placement import place
from mksgn.nir import NirError, write_nir

ONE = Cuba(10, 4096, 1024, carried=True)


def one_neuron(frames: int, carried: bool = True, **given: object) -> Graph:
    """An input of one value per frame, times 2, into one neuron that keeps three quarters of v."""
    weight = np.full((1, 1, 1, 1), 2, np.int16)
    return Graph((Population("in", (1, frames, 1), role="input", message_bits=8),
                  Population("p", (1, frames, 1), replace(ONE, carried=carried), **given)),
                 (Conv("s", ("in",), "p", weight),), 1)


def test_by_hand() -> None:
    """v = 6; 4.5 + 6 = 10.5, which fires; 0 + 6; 4.5 + 0; 3.375 + 8 = 11.375, which fires."""
    x = np.array([3, 3, 3, 0, 4], np.int8).reshape(1, 1, 5, 1)
    with Emulator(one_neuron(5)) as emulator:
        assert emulator.run(x, "spikes").spikes["p"].ravel().tolist() == [0, 1, 0, 0, 1]
        states = emulator.run(x, "states")
    assert states.spikes["p"].ravel().tolist() == [0, 1, 0, 0, 1]
    assert states.v["p"].ravel().tolist() == [384, 0, 384, 288, 0]
    with Emulator(one_neuron(5, carried=False)) as emulator:
        assert not emulator.run(x, "spikes").spikes["p"].any()


@pytest.mark.parametrize("seeds", [range(0, 40), range(40, 80)])
def test_every_kernel_is_the_reference(seeds: range) -> None:
    fired, changed = 0, 0
    for seed in seeds:
        graph = carrying_graph(seed)
        x = samples_of(graph, seed, 3)
        slow = simulate(graph, x)
        results = []
        for kernel, record in (("auto", "spikes"), ("auto", "states"), ("dense", "spikes"), ("dense", "states")):
            with Emulator(graph, batch_size=2, kernel=kernel) as emulator:
                results.append(emulator.run(x, record))
        for result in results:
            for population in graph.populations[1:]:
                name = population.name
                for quantity in ("spikes", "u", "v"):
                    found = getattr(result, quantity)
                    if name in found:
                        np.testing.assert_array_equal(found[name], getattr(slow, quantity)[name],
                                                      f"{seed} {quantity} {name}")
                np.testing.assert_array_equal(result.counts.sample_active[name], slow.active[name], f"{seed} {name}")
            assert_same_counts(result.counts, results[0].counts)
        fired += sum(int(values.sum()) for values in slow.spikes.values())
        rests = simulate(Graph(tuple(replace(p, neuron=p.neuron and replace(p.neuron, carried=False))
                                     for p in graph.populations), graph.synapses, 1), x)
        changed += any((rests.spikes[name] != slow.spikes[name]).any() for name in slow.spikes)
    assert fired > 10_000 and changed > len(seeds) // 3, "what is carried changes spikes"


def test_a_streamed_clip_is_the_clip() -> None:
    """In one call for all frames, and frame by frame, clip after clip."""
    compared, framewise = 0, 0
    for seed in range(120):
        graph = carrying_clip(seed)
        try:
            stream = streamed(graph)
        except GraphError:
            continue
        x = samples_of(graph, seed, 3)
        slow = simulate(graph, x)
        with Emulator(stream) as emulator:
            result = emulator.run(clip_as_stream(stream, x), "spikes")
        for name, values in result.spikes.items():
            np.testing.assert_array_equal(as_clip(stream[name], values), slow.spikes[name], f"{seed} {name}")
            compared += values.size
        wall = simulate(stream, clip_as_stream(stream, x))
        for name, values in result.spikes.items():
            np.testing.assert_array_equal(values, wall.spikes[name], f"{seed} {name}")
        try:
            frames = FrameByFrame(stream)
        except GraphError as error:
            assert "frame by frame" in str(error)
            continue
        with frames:
            for clip in range(2):  # the second begins at 0 again
                found: dict[str, list[np.ndarray]] = {p.name: [] for p in graph.populations[1:] if p.role == "hidden"}
                frames.reset()
                assert frames.cycle is not None
                for now in range(frames.cycle + max(frames.lag(name) for name in found or ["in"])):
                    frames.push(x[clip, :, now:now + 1] if now < x.shape[2] else None)
                    for name, values_of in found.items():
                        own = now - frames.lag(name)
                        lattice = stream[name].lattice
                        assert lattice is not None
                        if 0 <= own < frames.cycle and lattice.frame(own) is not None:
                            values_of.append(frames.spikes(name))
                for name, each in found.items():
                    np.testing.assert_array_equal(np.concatenate(each, axis=1), slow.spikes[name][clip],
                                                  f"{seed} {name}")
                    framewise += each[0].size * len(each)
    assert compared > 10_000 and framewise > 2_000


def test_a_stream_without_ends_is_a_long_clip() -> None:
    """Frame by frame = clip by clip: every population's frames are those of one clip as long as the recording.

    A clip of the network's own length is the stream's first decision.
    """
    compared, decided, carried = 0, 0, 0
    for seed in range(40):
        graph = carrying_stream(seed)
        own = sum(p.neuron is not None and p.neuron.carried for p in graph.populations)
        if not own:
            continue
        carried += own
        stream = continuous(graph)
        first, more = frames_to_decide(stream), 7
        x = random_messages(replace_input(graph, first + more), 1, seed)[0]
        result = run_frames(stream, x, "spikes")
        with Emulator(graph) as emulator:
            expected = emulator.run(x[None, :, :first], "spikes")
        np.testing.assert_array_equal(result.output[0], expected.output[0], str(seed))
        apart = run_frames(spaced(stream, stream.time_steps + 2), x, "spikes")
        np.testing.assert_array_equal(apart.output, result.output, str(seed))
        long = lengthened(graph, more)
        slow = simulate(long, x[None])
        for population in long.populations[1:]:
            if population.role == "hidden" and population.neuron is not None and population.neuron.carried:
                frames = min(len(result.output), population.shape[1])
                sent = np.moveaxis(result.spikes[population.name][:frames, :, 0], 0, 1)
                np.testing.assert_array_equal(sent, slow.spikes[population.name][0][:, :frames], f"{seed} {population}")
                compared += sent.size
        decided += len(result.output)
    assert compared > 2_000 and decided > 100 and carried > 10


def test_a_stream_begins_anew_after_a_reset() -> None:
    stream = continuous(one_neuron(1))
    stream = replace(stream, populations=(stream.populations[0], replace(
        stream.populations[1], lattice=replace(stream.populations[1].lattice, carried=True))))
    frame = np.full((1, 1, 1), 3, np.int8)
    with FrameByFrame(stream) as frames:
        for _ in range(2):
            assert [frames.push(frame).output.ravel().tolist() for _ in range(4)] == [[0], [1], [0], [1]]
            frames.reset()


def test_a_population_behind_a_stride_carries_nothing_in_a_stream_without_ends() -> None:
    weight = np.full((1, 1, 2, 1), 2, np.int16)
    graph = Graph((Population("in", (1, 8, 1), role="input"), Population("p", (1, 4, 1), ONE)),
                  (Conv("s", ("in",), "p", weight, (2, 1)),), 1)
    streamed(graph)
    with pytest.raises(GraphError, match="behind a stride"):
        continuous(graph)


@pytest.mark.parametrize(("steps", "role", "message"), [(2, "hidden", "one step per frame"),
                                                       (1, "readout", "carries nothing")])
def test_what_cannot_be_carried_is_refused(steps: int, role: str, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        graph = one_neuron(3, role=role)
        Graph(graph.populations, graph.synapses, steps)


def test_a_clip_that_carries_states_has_no_wall_time() -> None:
    with Emulator(one_neuron(3)) as emulator, pytest.raises(GraphError, match="carry their states"):
        emulator.run_stream(np.zeros((1, 3, 1, 4), np.int8))


def test_a_clip_that_carries_states_is_placed_as_a_stream() -> None:
    """No neuron takes over the state of another one: on cores there is one for all frames, as without states."""
    graph, chip = one_neuron(6), board("oheo-gulch")
    with pytest.raises(GraphError, match="--time stream"):
        place(graph, chip)
    cores = [place(streamed(each), chip).packing.cores for each in (graph, one_neuron(6, carried=False))]
    assert cores[0] == cores[1]


def test_nir_has_no_such_neurons(tmp_path: Path) -> None:
    with pytest.raises(NirError, match="hand their states on"):
        write_nir(one_neuron(3), tmp_path / "c.nir")


def replace_input(graph: Graph, frames: int) -> Graph:
    """Only an input of so many frames, for messages."""
    channels, _, joints = graph.input.shape
    shape = (channels, frames, joints)
    return Graph((replace(graph.input, shape=shape), Population("p", shape, ONE)),
                 (Conv("s", ("in",), "p", np.zeros((channels, channels, 1, 1), np.int16)),), 1)


def lengthened(graph: Graph, more: int) -> Graph:
    """The same network on a clip of so many more frames, up to the populations before its readout."""
    shapes, synapses = {}, [s for s in graph.synapses if s.target != graph.output.name]
    channels, frames, joints = graph.input.shape
    shapes[graph.input.name] = (channels, frames + more, joints)
    populations = [replace(graph.input, shape=shapes[graph.input.name])]
    for population in graph.populations[1:-1]:
        synapse = next(s for s in synapses if s.target == population.name)
        shapes[population.name] = synapse.output_shape(shapes[synapse.sources[0]], population.shape)
        populations.append(replace(population, shape=shapes[population.name]))
    return Graph(tuple(populations), tuple(synapses), 1)
