"""SLAYER's quantised forward against the emulator, which runs what a file says of the network."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mksgn.emulator import Emulator
from mksgn.ir import Graph
from mksgn.ir.equality import graphs_equal
from mksgn.netx import read_net, write_net
from mksgn.nn import SpikingGraphNet
from mksgn.nn.slayer_backend import SlayerReference
from mksgn.run.backend import RunResult
from mksgn.run.comparison import compare


def agree_after_a_file(net: SpikingGraphNet, samples: np.ndarray, folder: Path) -> tuple[Graph, RunResult]:
    """Assert that every spike and readout is the same, both with spikes and with states recorded.

    Returns
    -------
    Graph, RunResult
        As the file has it; and the emulator's last result.
    """
    slayer = SlayerReference(net)
    write_net(slayer.graph, folder / "mksgn.net")
    graph = read_net(folder / "mksgn.net")
    assert graphs_equal(graph, slayer.graph)
    expected = slayer.run(samples)
    for record in ("spikes", "states"):
        with Emulator(graph) as emulator:
            emulated = emulator.run(samples, record=record)
        result = compare(expected, emulated, tuple(net.names))
        assert result.equal, result.first
        assert np.array_equal(expected.output, emulated.output)
    return graph, emulated
