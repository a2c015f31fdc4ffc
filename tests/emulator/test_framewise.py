"""Frame by frame with carried messages: the same spikes, readouts and counts as clip by clip."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from random_graphs import random_messages, samples_of
from streamable import even_weights, longer_input, streamable, unpadded

from mksgn.api import load, read
from mksgn.api.recordings import chosen
from mksgn.counts import Counts
from mksgn.emulator import Emulator, FrameByFrame
from mksgn.errors import BackendError, ConfigError, DataError, GraphError
from mksgn.ir import Conv, Cuba, Dense, Graph, Population
from mksgn.ir.lattice import Lattice
from mksgn.ir.streamed_clips import as_clip
from mksgn.ir.streaming import continuous, streamed
from mksgn.run.frames import FrameResult

TABLES = ("sample_spikes", "sample_active", "sample_synops", "sample_macs")


def play(stream: Graph, x: np.ndarray, threads: int) -> tuple[dict[str, np.ndarray], list[FrameResult], Counts]:
    """Clips (N, C, F, V[, T]) back to back: spikes (N, C, 1, V, steps) in each population's own time, and results."""
    with FrameByFrame(stream, threads) as frames:
        assert frames.cycle is not None
        count, cycle, steps = len(x), frames.cycle, frames.steps
        spiking = [p for p in stream.populations[1:] if p.role != "readout"]
        last = max(map(frames.lag, (p.name for p in stream.populations)))
        found = {p.name: np.zeros((*p.shape, count * cycle * steps), np.int8) for p in spiking}
        results = []
        for now in range(count * cycle + last):
            clip, frame = divmod(now, cycle)
            enters = x[clip, :, frame:frame + 1] if clip < count and frame < x.shape[2] else None
            results.append(frames.push(enters))
            for name, train in found.items():
                own = now - frames.lag(name)
                if 0 <= own < count * cycle:
                    train[..., own * steps:(own + 1) * steps] = frames.spikes(name)
                else:
                    assert own < 0 or not frames.spikes(name).any() or own >= count * cycle
        counts = frames.counts
    return ({name: np.moveaxis(train.reshape(*train.shape[:3], count, -1), 3, 0) for name, train in found.items()},
            results, counts)


@pytest.mark.slow
def test_random_clips_back_to_back() -> None:
    compared, outputs, threaded = 0, 0, 0
    for seed in range(120):
        pair = streamable(seed)
        if pair is None:
            continue
        graph, stream = pair
        x = samples_of(graph, seed, 3)
        try:
            spikes, results, _ = play(stream, x, threads=1 + seed % 2)
        except GraphError as error:
            assert "frame by frame" in str(error)
            continue
        threaded += seed % 2
        with Emulator(graph) as emulator:
            expected = emulator.run(x, "spikes")
        for name, values in spikes.items():
            np.testing.assert_array_equal(as_clip(stream[name], values), expected.spikes[name], f"{seed} {name}")
            compared += values.size
        given = [result.output for result in results if result.output is not None]
        if graph.output.role == "readout":
            np.testing.assert_array_equal(np.array(given)[:3], expected.output, str(seed))
            outputs += len(given)
    assert compared > 50_000 and outputs > 20 and threaded > 5


def test_counts_of_random_clips() -> None:
    """Without biases: they fire in the clips of nothing that follow, while the last clip is not yet over."""
    counted_ones = 0
    for seed in range(120):
        pair = streamable(seed)
        if pair is None:
            continue
        graph = Graph(tuple(replace(p, bias=None) for p in pair[0].populations), pair[0].synapses, pair[0].time_steps)
        x = samples_of(graph, seed, 2)
        try:
            counts = play(streamed(graph), x, threads=1)[2]
        except GraphError as error:
            assert "frame by frame" in str(error)
            continue
        with Emulator(graph) as emulator:
            expected = emulator.run(x).counts
        for table in TABLES:
            for name, counted in getattr(expected, table).items():
                np.testing.assert_array_equal(getattr(counts, table)[name], counted.sum(), f"{seed} {table} {name}")
                counted_ones += int(counted.sum())
    assert counted_ones > 50_000


def test_counts_of_a_frame_add_up_to_those_of_the_clip() -> None:
    graph = unpadded(4)
    x = random_messages(graph, 1, 3)
    with Emulator(graph) as emulator:
        expected = emulator.run(x).counts
    with FrameByFrame(streamed(graph)) as frames:
        results = [frames.push(x[0, :, f:f + 1]) for f in range(x.shape[2])]
        assert results[-1].output is not None, "without padding nothing is late"
        counts = frames.counts
    for table in TABLES:
        for name, counted in getattr(expected, table).items():
            np.testing.assert_array_equal(getattr(counts, table)[name], counted, f"{table} {name}")
    for field, table in (("spikes", "sample_spikes"), ("active", "sample_active"), ("synops", "sample_synops"),
                         ("macs", "sample_macs")):
        whole = sum(int(counted.sum()) for counted in getattr(expected, table).values())
        assert sum(getattr(result, field) for result in results) == whole, field
    assert sum(expected.synops.values()) > 1000


def test_a_stream_without_ends_decides_at_every_frame_as_the_clip_before_it() -> None:
    lively = 0
    for seed in range(60):
        graph = unpadded(seed)
        length = graph.input.shape[1]
        x = random_messages(longer_input(graph, length + 13), 1, seed)[0]
        windows = np.stack([x[:, begin:begin + length] for begin in range(14)])
        with Emulator(graph) as emulator:
            expected = emulator.run(windows).output
        lively += len(np.unique(expected, axis=0)) > 3
        with FrameByFrame(continuous(graph), threads=1 + seed % 2) as frames:
            results = [frames.push(x[:, f:f + 1]) for f in range(x.shape[1])]
            assert all(result.output is None for result in results[:length - 1]), seed
            assert [result.first for result in results[length - 1:]] == list(range(14)), seed
            np.testing.assert_array_equal([result.output for result in results[length - 1:]], expected, str(seed))
            frames.reset()
            again = [frames.push(x[:, f:f + 1]).output for f in range(x.shape[1])]
            np.testing.assert_array_equal(again[length - 1:], expected, str(seed))
    assert lively > 30, "tests in which nothing happens"


def test_where_a_clip_is_padded_a_stream_without_ends_has_no_borders() -> None:
    rng = np.random.default_rng(3)
    shape = (5, 30, 3)
    graph = Graph(
        (Population("a", shape, role="input"), Population("b", shape, Cuba(60), np.arange(5)),
         Population("c", (5, 15, 3), Cuba(50), np.arange(5))),
        (Conv("s", ("a",), "b", even_weights(rng, 5, 5, 3, 1), padding=(1, 0)),
         Conv("t", ("b",), "c", even_weights(rng, 5, 5, 5, 1), (2, 1), (2, 0))), 2)
    x = random_messages(graph, 1, 1)[0]
    with Emulator(graph) as emulator:
        clip = emulator.run(x[None], "spikes").spikes
    with FrameByFrame(continuous(graph)) as frames:
        assert frames.lag("b") == 1 and frames.lag("c") == 3 and frames.cycle is None
        found = []
        for f in range(30):
            frames.push(x[:, f:f + 1])
            found.append(frames.spikes("c"))
    inside = slice(2, 13)  # frames of c whose kernels meet no border
    ours = np.concatenate([found[2 * frame + 3] for frame in range(2, 13)], axis=1)
    np.testing.assert_array_equal(ours, clip["c"][0][:, inside])
    assert ours.any()


@pytest.mark.parametrize("name", ["nw-ucla", "nw-ucla-joint"])
def test_the_shipped_nets_on_real_clips(name: str, nw_ucla_path: Path) -> None:
    graph = load(name).graph
    x = chosen(read(nw_ucla_path, samples=2), graph, Path(name)).x[:2]
    spikes, results, _ = play(streamed(graph), x, threads=2)
    with Emulator(graph) as emulator:
        expected = emulator.run(x, "spikes")
    np.testing.assert_array_equal([r.output for r in results if r.output is not None][:2], expected.output)
    stream = streamed(graph)
    for population, values in spikes.items():
        np.testing.assert_array_equal(as_clip(stream[population], values), expected.spikes[population], population)
    assert sum(int(values.sum()) for values in spikes.values()) > 500_000


def test_memory_stays_the_same() -> None:
    graph = unpadded(4)
    x = random_messages(graph, 1, 3)[0, :, :1]
    with FrameByFrame(continuous(graph)) as frames:
        for _ in range(200):
            frames.push(x)
        before = frames.memory
        tracemalloc.start()
        for _ in range(3000):
            frames.push(x)
        grown, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert frames.memory == before and grown < 50_000, grown


def test_what_cannot_enter_is_refused() -> None:
    graph = unpadded(4)
    stream = streamed(graph)
    channels, length, joints = graph.input.shape
    frame = np.ones((channels, 1, joints), np.int8)
    with pytest.raises(GraphError, match="not streamed"):
        FrameByFrame(graph)
    with pytest.raises(ConfigError, match="threads"):
        FrameByFrame(stream, threads=0)
    frames = FrameByFrame(stream)
    with pytest.raises(DataError, match="does not fit"):
        frames.push(frame[:, 0])
    with pytest.raises(DataError, match="integers"):
        frames.push(frame * 0.5)
    with pytest.raises(DataError, match="out of the message range"):
        frames.push(frame.astype(np.int32) * 1000)
    with pytest.raises(ConfigError, match="readout"):
        frames.spikes("out")
    for _ in range(length):
        frames.push(frame)
    if frames.cycle is not None and frames.cycle > length:
        with pytest.raises(DataError, match="between two clips"):
            frames.push(frame)
    frames.close()
    with pytest.raises(BackendError, match="closed"):
        frames.push(frame)
    wide = Graph((Population("a", (1, 3, 1), role="input", message_bits=24), Population("b", (1, 3, 1), Cuba(9))),
                 (Conv("s", ("a",), "b", np.full((1, 1, 1, 1), 200, np.int16)),), 1)
    with pytest.raises(GraphError, match="frame by frame"):
        FrameByFrame(streamed(wide))
    spread = Graph((Population("a", (1, 3, 1), role="input"), Population("b", (1, 1, 1), Cuba(9)),
                    Population("c", (1, 3, 1), Cuba(9))),
                   (Dense("s", ("a",), "b", np.ones((1, 3), np.int16)),
                    Conv("t", ("b",), "c", np.ones((1, 1, 1, 1), np.int16), padding=(1, 0))), 1)
    with pytest.raises(GraphError, match="several frames of one"):
        continuous(spread)
    with Emulator(continuous(graph)) as emulator, pytest.raises(DataError, match="without ends"):
        emulator.run(np.zeros((1, channels, 1, joints), np.int8))
    assert continuous(graph).input.lattice == Lattice(graph.time_steps or 0, graph.time_steps or 0, None)
