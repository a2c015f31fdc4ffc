"""Clips run as streams come back as clips: every spike, state, output and count is where a clip's run has it."""

from __future__ import annotations

import numpy as np
import pytest
from random_graphs import random_messages, samples_of
from same_counts import assert_same_counts
from streamable import streamable
from written_graphs import small_graph

from mksgn.errors import ConfigError, DataError, GraphError
from mksgn.ir import Graph
from mksgn.ir.streamed_clips import clip_as_stream
from mksgn.run.backend import Backend
from mksgn.run.clips_as_streams import ClipsAsStreams
from mksgn.run.execution import execute, part_size, recorded_bytes
from mksgn.run.registry import open_backend

SEEDS = [seed for seed in range(120) if streamable(seed) is not None]


def clip_graph(seed: int) -> Graph:
    pair = streamable(seed)
    assert pair is not None
    return pair[0]


def compared(graph: Graph, x: np.ndarray, stream: Backend, record: str, lacking: tuple[str, ...] = ()) -> int:
    """Run clips both ways, in parts of two samples; the number of spikes, all of them equal."""
    with stream, open_backend("emulator", graph) as clip:
        done = execute(stream, clip, x, record, 2)
        whole = clip.run(x)
    assert done.comparison is not None and done.comparison.equal, done.comparison.first
    assert done.comparison.names == (stream.name, "emulator")
    assert_same_counts(done.counts, whole.counts, lacking)
    np.testing.assert_array_equal(done.output, whole.output)
    np.testing.assert_array_equal(done.predictions, whole.predictions)
    spikes = done.comparison.spikes_compared
    assert spikes == len(x) * recorded_bytes(graph, "spikes")
    if record == "states":
        readouts = [p for p in graph.populations if p.role == "readout"]
        assert done.comparison.states_compared == 2 * spikes and len(readouts) < 2
    return spikes


@pytest.mark.parametrize(("kernel", "record"), [("event", "spikes"), ("event", "states"), ("dense", "states")])
def test_the_emulator_gives_a_clip_back(kernel: str, record: str) -> None:
    if kernel == "dense":
        pytest.importorskip("torch", reason="the dense kernel needs the extra torch")
    kinds, frames, steps, spiking = set(), set(), set(), 0
    for seed in SEEDS if record == "spikes" else SEEDS[::2]:
        graph = clip_graph(seed)
        x = samples_of(graph, seed, 3)
        compared(graph, x, open_backend("emulator", graph, "stream", kernel=kernel), record)
        kinds |= {synapse.kind for synapse in graph.synapses}
        frames |= {population.shape[1] for population in graph.populations}
        steps.add(graph.time_steps)
        spiking += graph.output.role != "readout"
    assert kinds == {"conv", "dense", "jointmix", "graphconv"} and {1, 2, 3, 5, 7} <= frames and {1, 2, 4} <= steps
    assert spiking > 2


@pytest.mark.parametrize("seed", [next(s for s in SEEDS[start:] if len(clip_graph(s).populations) > 4
                                       and clip_graph(s).input.shape[1] > 2) for start in (0, len(SEEDS) // 2)])
@pytest.mark.parametrize("record", ["spikes", "states"])
@pytest.mark.lava
def test_lava_gives_a_clip_back(seed: int, record: str) -> None:
    graph = clip_graph(seed)
    x = random_messages(graph, 3, seed, graph.time_steps)
    assert compared(graph, x, open_backend("lava", graph, "stream", blocks=2), record) > 100


def test_counts_need_no_records() -> None:
    graph = next(clip_graph(seed) for seed in SEEDS if clip_graph(seed).input.shape[1] > 2)
    x = samples_of(graph, 2, 2)
    with open_backend("emulator", graph, "stream") as stream, open_backend("emulator", graph) as clip:
        assert isinstance(stream, ClipsAsStreams) and stream.counts_alone and stream.graph is graph
        ran = stream.run(x)
        assert not ran.spikes
        assert_same_counts(ran.counts, clip.run(x).counts)
        inner = stream.backend.run(x_of(stream, x)).counts
        assert not ran.counts.sent_by_frame
        for name, by_frame in inner.sent_by_frame.items():
            np.testing.assert_array_equal(by_frame.sum(axis=0), inner.sent[name])
            assert by_frame.shape[0] == graph[name].shape[1]
        both = recorded_bytes(graph, "spikes") + recorded_bytes(stream.backend.graph, "spikes")
        assert part_size([stream], "spikes", budget=3 * both) == 3
        assert part_size([clip], "spikes", budget=3 * both) > 3


def x_of(stream: ClipsAsStreams, x: np.ndarray) -> np.ndarray:
    return clip_as_stream(stream.backend.graph, x)


def test_what_cannot_be_run_as_a_stream_is_refused() -> None:
    graph = clip_graph(SEEDS[0])
    with pytest.raises(ConfigError, match="unknown time mode"):
        open_backend("emulator", graph, "frames")  # type: ignore[arg-type]
    small = small_graph()
    with pytest.raises(GraphError, match="without steps per sample"):
        open_backend("emulator", Graph(small.populations, small.synapses), "stream")
    with open_backend("emulator", graph, "stream") as stream:
        with pytest.raises(DataError, match="samples do not fit the net's input") as error:
            stream.run(np.zeros((1, *graph.input.shape[:2], 99), np.int8))
        assert str(graph.input.shape[1]) in str(error.value.allowed)
