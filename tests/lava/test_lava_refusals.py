"""What the Lava backend refuses, with or without starting Lava."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from lava_runs import block_samples, extreme_graph
from written_graphs import block_graph

from mksgn.errors import BackendError, ConfigError, DataError
from mksgn.lava import limits
from mksgn.lava.backend import LavaBackend


def test_too_many_processes_and_too_little_memory(monkeypatch):
    with (LavaBackend(block_graph(), max_processes=20, layout="layers") as lava,
          pytest.raises(BackendError, match="more OS processes") as caught):
        lava.run(block_samples())
    assert "--max-processes" in caught.value.fix
    assert caught.value.got.startswith("34 ")

    class Full:
        f_bavail, f_frsize = 1, 1024

    monkeypatch.setattr(limits.os, "statvfs", lambda path: Full)
    with LavaBackend(block_graph(), layout="stock") as lava, pytest.raises(BackendError, match="shared memory"):
        lava.run(block_samples())
    monkeypatch.setattr("mksgn.lava.process_plan.NONZERO_LIMIT", 100)
    with pytest.raises(BackendError, match="do not fit into memory"):
        LavaBackend(block_graph(), layout="stock")


def test_bad_input_and_options():
    graph = block_graph()
    with LavaBackend(graph) as lava:
        for samples, message in ((np.zeros((1, 3, 6, 5), int), "do not fit"),
                                 (np.zeros((0, 3, 6, 4), int), "no samples"),
                                 (np.zeros((1, 3, 6, 4)), "integers"), (np.full((1, 3, 6, 4), 128), "message range"),
                                 (np.zeros((1, 3, 6, 4, 3), int), "do not fit")):
            with pytest.raises(DataError, match=message):
                lava.run(samples)
        with pytest.raises(ConfigError, match="record"):
            lava.run(block_samples(), record="all")
        with pytest.raises(ConfigError, match="offset has no effect"):
            lava.run_stream(np.zeros((3, 6, 4, 2), int), reset_offset=1)
    with pytest.raises(BackendError, match="closed"):
        lava.run(block_samples())
    with pytest.raises(ConfigError, match="delays"):
        LavaBackend(graph, layout="layers", delays="magic")
    with pytest.raises(ConfigError, match="unknown layout"):
        LavaBackend(graph, layout="magic")
    for options in ({"delays": "relay"}, {"unroll_limit": 0}, {"layout": "stock", "blocks": 2}):
        with pytest.raises(ConfigError, match="no effect in this layout"):
            LavaBackend(graph, **options)
    with pytest.raises(ConfigError, match="at least one block"):
        LavaBackend(graph, blocks=-1)
    with pytest.raises(ConfigError, match="steps per sample"):
        LavaBackend(replace(graph, time_steps=None)).run(block_samples())


@pytest.mark.lava()
def test_weights_that_lava_would_truncate_are_refused():
    graph = extreme_graph(2)
    mixed = replace(graph.synapses[2], weight=np.array([[1, -1, 3, 5, 7, 9]] * 4, np.int16))
    graph = replace(graph, synapses=(*graph.synapses[:2], mixed, *graph.synapses[3:]))
    with (LavaBackend(graph, layout="layers") as lava,
          pytest.raises(BackendError, match="odd weights of both signs")):
        lava.run(np.zeros((1, 50, 2, 2), int))
