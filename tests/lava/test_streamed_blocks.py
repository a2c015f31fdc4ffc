"""Streamed graphs in Lava: our Blocks run them step by step, and the clips come out as the emulator has them."""

from __future__ import annotations

import numpy as np
import pytest
from random_graphs import samples_of
from same_counts import assert_same_counts
from streamable import streamable

from mksgn.emulator import Emulator
from mksgn.ir.streamed_clips import as_clip, clip_as_stream
from mksgn.lava.backend import LavaBackend

pytestmark = [pytest.mark.lava, pytest.mark.timeout(300), pytest.mark.usefixtures("one_host")]


@pytest.mark.parametrize("seed", [6, 13, 18, 24, 31, 59])
def test_blocks_give_the_clips_of_the_emulator(seed: int) -> None:
    pair = streamable(seed)
    assert pair is not None
    graph, stream = pair
    x = samples_of(graph, seed, 3)
    with Emulator(graph) as emulator:
        clip = emulator.run(x, "spikes")
    with LavaBackend(stream, layout="blocks") as lava:
        ours = lava.run(clip_as_stream(stream, x), "spikes")
    for population in graph.populations[1:]:
        if population.role != "readout":
            np.testing.assert_array_equal(as_clip(stream[population.name], ours.spikes[population.name]),
                                          clip.spikes[population.name], err_msg=population.name)
    if graph.output.role == "readout":
        np.testing.assert_array_equal(ours.output, clip.output)
    with Emulator(stream) as emulator:
        assert_same_counts(ours.counts, emulator.run(clip_as_stream(stream, x)).counts)
