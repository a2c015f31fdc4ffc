"""Streamed graphs in Lava with a Process per synapse and population: clocked neurons of ours, or stock ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from random_graphs import random_messages, samples_of
from reference import simulate
from streamable import small_clip, streamable

from mksgn.emulator import Emulator
from mksgn.errors import BackendError
from mksgn.ir import Graph
from mksgn.ir.streamed_clips import as_clip, clip_as_stream
from mksgn.ir.streaming import streamed
from mksgn.lava.backend import LavaBackend

pytestmark = [pytest.mark.lava, pytest.mark.timeout(300), pytest.mark.usefixtures("one_host")]

CLOCKED = "lava_models.clocked_lif.process:ClockedLIF"
STOCK_CLOCKS = {"models": {CLOCKED: "lava_models.clocked_lif.models:SubClockedLIFModel"}}


def check(graph: Graph, x: np.ndarray, record: str = "spikes", **options: Any) -> None:
    """Compare every spike, readout and count of a streamed run in Lava with those of the clip in the emulator."""
    stream = streamed(graph)
    messages = clip_as_stream(stream, x)
    with Emulator(graph) as emulator:
        clip = emulator.run(x, "spikes")
    with LavaBackend(stream, **options) as lava:
        ours = lava.run(messages, record)
    for population in graph.populations[1:]:
        name = population.name
        if population.role != "readout":
            placed = as_clip(stream[name], ours.spikes[name])
            np.testing.assert_array_equal(placed, clip.spikes[name], err_msg=name)
            assert np.count_nonzero(ours.spikes[name]) == np.count_nonzero(placed), "nothing at other steps"
    if graph.output.role == "readout":
        np.testing.assert_array_equal(ours.output, clip.output)
    tables = ["sample_spikes", "sample_synops", "sample_macs"]
    if record == "states":
        expected = simulate(stream, messages)
        for name in clip.spikes:
            np.testing.assert_array_equal(ours.v[name], expected.v[name], f"v of {name}")
            np.testing.assert_array_equal(ours.u[name], expected.u[name], f"u of {name}")
        tables.append("sample_active")
    for table in tables:
        for name, counted in getattr(clip.counts, table).items():
            np.testing.assert_array_equal(getattr(ours.counts, table)[name], counted, f"{table} {name}")


@pytest.mark.slow
@pytest.mark.parametrize(("layout", "seed"), [("layers", 6), ("layers", 31), ("stock", 13), ("stock", 59)])
def test_single_processes_give_the_clips_of_the_emulator(layout: str, seed: int) -> None:
    pair = streamable(seed)
    assert pair is not None
    check(pair[0], samples_of(pair[0], seed, 3), layout=layout)


@pytest.mark.slow
@pytest.mark.parametrize(("steps", "options"), [
    (1, {"layout": "layers"}), (2, {"layout": "layers"}), (2, {"layout": "stock", "delays": "relay"}),
    (2, {"layout": "layers", **STOCK_CLOCKS}),
    (2, {"models": {"lava_models.block.process:Block": "mksgn.lava.stock_block:SubBlockModel"}})], ids=str)
def test_strides_borders_and_states_inside_a_frame(steps: int, options: dict[str, Any]) -> None:
    graph = small_clip(steps)
    x = random_messages(graph, 3, 1)
    if "models" in options and CLOCKED not in options["models"]:  # sub-process models of Blocks record nothing
        with Emulator(graph) as emulator, LavaBackend(streamed(graph), **options) as lava:
            ours = lava.run(clip_as_stream(streamed(graph), x))
            np.testing.assert_array_equal(ours.output, emulator.run(x).output)
        return
    check(graph, x, "spikes" if "models" in options else "states", **options)


def test_inhibition_that_would_wrap_is_refused() -> None:
    graph = streamed(small_clip(2, current_decay=0))
    x = clip_as_stream(graph, random_messages(small_clip(2), 1, 1))
    options: dict[str, Any] = {"layout": "layers", **STOCK_CLOCKS}
    with LavaBackend(graph, **options) as lava, pytest.raises(BackendError, match="wrap") as error:
        lava.run(x)
    assert "Process 'b'" in str(error.value) and "PyClockedLIFModel" in str(error.value)
