"""States that are carried from frame to frame, in Lava: clips and streams without ends, in every layout."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from carrying import carrying_clip, carrying_stream
from random_graphs import random_messages, samples_of
from streamable import longer_input

from mksgn.emulator import Emulator, FrameByFrame, run_frames
from mksgn.errors import BackendError, GraphError
from mksgn.ir.endless import prompt_steps, spaced
from mksgn.ir.streamed_clips import as_clip, clip_as_stream
from mksgn.ir.streaming import continuous, streamed
from mksgn.lava.backend import LavaBackend
from mksgn.lava.framewise import LavaFrames

pytestmark = [pytest.mark.lava, pytest.mark.timeout(300), pytest.mark.usefixtures("one_host")]
CLOCKED = "lava_models.clocked_lif.process:ClockedLIF"
STOCK_CLOCKS = {"models": {CLOCKED: "lava_models.clocked_lif.models:SubClockedLIFModel"}}


def check_clips(seed: int, **options: Any) -> None:
    """Clips back to back, as stream in Lava and side by side in the emulator."""
    graph = carrying_clip(seed)
    stream, x = streamed(graph), samples_of(graph, seed, 3)
    with Emulator(graph) as emulator:
        clip = emulator.run(x, "spikes")
    with LavaBackend(stream, **options) as lava:
        ours = lava.run(clip_as_stream(stream, x), "spikes")
    for name, spikes in clip.spikes.items():
        if graph[name].role == "hidden":
            np.testing.assert_array_equal(as_clip(stream[name], ours.spikes[name]), spikes, name)
    if graph.output.role == "readout":
        np.testing.assert_array_equal(ours.output, clip.output)
    for name, counted in clip.counts.sample_synops.items():
        np.testing.assert_array_equal(ours.counts.sample_synops[name], counted, name)


@pytest.mark.parametrize("seed", [12, 13, 18, 63, 98])
def test_clips_in_blocks(seed: int) -> None:
    check_clips(seed, layout="blocks", blocks=2)


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "options"), [
    (12, {"layout": "layers"}), (13, {"layout": "layers"}), (63, {"layout": "layers"}), (12, {"layout": "stock"}),
    (13, {"layout": "stock"}), (13, {"layout": "stock", "delays": "relay"}),
    (12, {"layout": "layers", **STOCK_CLOCKS})],
    ids=str)
def test_clips_in_single_processes(seed: int, options: dict[str, Any]) -> None:
    check_clips(seed, **options)


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "apart", "options"), [
    (0, False, {"blocks": 2}), (10, True, {}), (7, True, {"layout": "layers"}), (10, False, {"layout": "layers"}),
    (33, False, {"layout": "stock"}), (10, False, {"layout": "stock", "delays": "relay"})], ids=str)
def test_streams_without_ends(seed: int, apart: bool, options: dict[str, Any]) -> None:
    graph = carrying_stream(seed)
    stream = continuous(graph)
    x = random_messages(longer_input(graph, graph.input.shape[1] + 9), 1, seed)[0]
    expected = run_frames(stream, x, "spikes")
    at_zero = replace(stream, populations=tuple(
        replace(p, lattice=p.lattice and replace(p.lattice, carried=False)) for p in stream.populations))
    assert (run_frames(at_zero, x).output != expected.output).any(), "what is carried changes decisions"
    with LavaBackend(spaced(stream, prompt_steps(stream)) if apart else stream, **options) as lava:
        ours = lava.run_frames(x, "spikes")
    np.testing.assert_array_equal(ours.output, expected.output)
    for population in graph.populations[1:-1]:
        np.testing.assert_array_equal(ours.spikes[population.name], expected.spikes[population.name], population.name)


def test_frames_pushed_one_by_one_and_anew() -> None:
    graph = carrying_stream(10)
    stream = continuous(graph)
    x = random_messages(longer_input(graph, graph.input.shape[1] + 5), 1, 3)[0]
    with FrameByFrame(stream) as ours, LavaFrames(stream, blocks=2) as lava:
        for _ in range(2):
            for frame in np.split(x, x.shape[1], axis=1):
                expected, found = ours.push(frame), lava.push(frame)
                np.testing.assert_equal(found.output, expected.output)
                assert (found.spikes, found.synops) == (expected.spikes, expected.synops)
            ours.reset()
            lava.reset()


def test_what_no_neuron_can_do_is_refused() -> None:
    """A clip side by side; stock neurons that would have to keep states while they rest."""
    graph = carrying_stream(10)
    with pytest.raises(GraphError, match="--time stream"):
        LavaBackend(graph)
    apart = spaced(continuous(graph), 9)
    with pytest.raises(GraphError, match="never rest"):
        LavaBackend(apart, layout="stock")
    x = random_messages(longer_input(graph, graph.input.shape[1] + 5), 1, 3)[0]
    stock: dict[str, Any] = {"layout": "layers", **STOCK_CLOCKS}
    with LavaBackend(apart, **stock) as lava, pytest.raises(BackendError, match="steps of rest"):
        lava.run_frames(x)
