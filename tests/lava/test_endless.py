"""Streams without ends on Lava: every decision, spike, state and count of every frame is the emulator's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from random_graphs import random_messages
from same_counts import assert_same_counts
from streamable import even_weights, longer_input, unpadded

from mksgn.emulator import run_frames
from mksgn.errors import BackendError, ConfigError, DataError, GraphError
from mksgn.ir import Conv, Cuba, Graph, Population
from mksgn.ir.endless import prompt_steps, spaced
from mksgn.ir.streaming import continuous, streamed
from mksgn.lava.backend import LavaBackend
from mksgn.run.backend import RunResult

pytestmark = [pytest.mark.lava, pytest.mark.timeout(300), pytest.mark.usefixtures("one_host")]
LIVELY = [0, 10, 18, 22]
"""Seeds of graphs whose decisions change from frame to frame; of strides 1, 2 and 3."""
SUB = {"models": {"lava_models.block.process:Block": "mksgn.lava.stock_block:SubBlockModel"}}


def check(graph: Graph, frames: int, seed: int, record: str = "spikes", steps: int | None = None,
          **options: Any) -> RunResult:
    """Run in Lava with so many steps per frame, and compare with the emulator; None: those of the neurons."""
    stream = continuous(graph)
    x = random_messages(longer_input(graph, frames), 1, seed)[0]
    expected = run_frames(stream, x, "spikes")
    with LavaBackend(stream if steps is None else spaced(stream, steps), **options) as lava:
        ours = lava.run_frames(x, record)
    np.testing.assert_array_equal(ours.output, expected.output)
    for population in graph.populations[1:] if record != "none" else ():
        if population.role != "readout":
            np.testing.assert_array_equal(ours.spikes[population.name], expected.spikes[population.name],
                                          population.name)
    if options.get("layout", "blocks") == "blocks":
        if "models" not in options:
            assert_same_counts(ours.counts, expected.counts)
    elif record != "none":
        assert not ours.counts.differences(expected.counts)
        assert ours.counts.sample_synops.keys() == expected.counts.sample_synops.keys()
    return ours


@pytest.mark.parametrize("seed", LIVELY)
def test_blocks(seed: int) -> None:
    ours = check(unpadded(seed), unpadded(seed).input.shape[1] + 9, seed, blocks=2)
    assert len(np.unique(ours.output, axis=0)) > 1, "a test in which nothing happens"


@pytest.mark.parametrize(("seed", "options"), [
    (7, {"layout": "layers"}), (16, {"layout": "layers"}), (10, {"layout": "stock"}), (22, {"layout": "stock"}),
    (7, {"layout": "stock", "delays": "relay"})], ids=str)
def test_a_process_for_each_population(seed: int, options: dict[str, Any]) -> None:
    graph = unpadded(seed)
    check(graph, graph.input.shape[1] + 5, seed, "states", **options)


def test_blocks_of_stock_processes() -> None:
    graph = unpadded(10)
    check(graph, graph.input.shape[1] + 5, 10, "none", **SUB)


@pytest.mark.parametrize(("seed", "steps", "options"), [
    (0, None, {"blocks": 2}), (22, 41, {}), (10, None, {"layout": "layers"}), (7, 70, {"layout": "layers"}),
    (10, None, {"layout": "stock"}), (22, 65, {"layout": "stock", "delays": "relay"})], ids=str)
def test_frames_further_apart(seed: int, steps: int | None, options: dict[str, Any]) -> None:
    """A decision before the next frame; or any distance, also one with which waits exceed what a synapse can hold."""
    graph = unpadded(seed)
    record = "states" if options.get("layout") == "layers" and steps is None else "spikes"  # states pause at every step
    steps = steps or prompt_steps(continuous(graph))
    assert steps > (graph.time_steps or 0)
    check(graph, graph.input.shape[1] + 2, seed, record, steps, **options)


def test_blocks_of_stock_processes_with_frames_further_apart() -> None:
    graph = unpadded(10)
    check(graph, graph.input.shape[1] + 4, 10, "none", prompt_steps(continuous(graph)), **SUB)


def test_before_the_first_frame_nothing_was_sent_with_frames_further_apart() -> None:
    assert check(padded(), 12, 1, "states", 9).output.any()


def padded() -> Graph:
    """Kernels that look back beyond the first frame at neurons that fire on their bias."""
    rng = np.random.default_rng(3)
    shape = (5, 9, 3)
    return Graph(
        (Population("a", shape, role="input"), Population("b", shape, Cuba(60), np.full(5, 70)),
         Population("c", (5, 5, 3), Cuba(50), np.arange(5))),
        (Conv("s", ("a",), "b", even_weights(rng, 5, 5, 3, 1), padding=(1, 0)),
         Conv("t", ("b",), "c", even_weights(rng, 5, 5, 5, 1), (2, 1), (2, 0))), 2)


def test_before_the_first_frame_nothing_was_sent() -> None:
    graph = padded()
    ours = check(graph, 14, 1, "states")
    assert ours.output.shape == (11, 5, 1, 3, 2) and ours.spikes["b"][0].any() and ours.output[0].any()
    for layout in ("layers", "stock"):
        with LavaBackend(continuous(graph), layout=layout) as lava, pytest.raises(BackendError, match="first frame"):
            lava.run_frames(np.zeros((5, 14, 3), np.int8))


def test_what_cannot_run_is_refused() -> None:
    graph = unpadded(4)
    x = random_messages(graph, 1, 0)[0]
    with LavaBackend(streamed(graph)) as lava, pytest.raises(GraphError, match="without ends"):
        lava.run_frames(x)
    with LavaBackend(continuous(graph)) as lava:
        with pytest.raises(DataError, match="too few frames"):
            lava.run_frames(x[:, 1:])
        with pytest.raises(DataError, match="has no samples"):
            lava.run(x[None])
        with pytest.raises(ConfigError, match="kind of record"):
            lava.run_frames(x, "all")
