"""What the emulator refuses: samples, graphs, options; each is one typed error."""

from __future__ import annotations

import numpy as np
import pytest
from random_graphs import random_messages
from written_graphs import varied_graph

from mksgn.emulator import Emulator
from mksgn.errors import BackendError, ConfigError, DataError, GraphError
from mksgn.extras import present
from mksgn.ir import Cuba, Dense, Graph, Population


@pytest.mark.parametrize(("change", "match"), [
    (lambda x: x[:, :1], "do not fit"),
    (lambda x: x[0], "do not fit"),
    (lambda x: np.repeat(x[..., None], 3, axis=-1), "do not fit"),
    (lambda x: x.astype(np.float32), "takes integers"),
    (lambda x: np.where(np.arange(3)[:, None, None, None] == 1, 128, x.astype(int)), r"sample 1\n.*128 at \(0, 0, 0\)"),
    (lambda x: x.astype(int) - 300, r"-\d+\.\.127|-128\.\.127"),
])
def test_bad_samples(change, match):
    graph = varied_graph(1)
    x = random_messages(graph, 3, 1)
    with Emulator(graph) as emulator, pytest.raises(DataError, match=match):
        emulator.run(change(x))


def test_unary_input_takes_zero_and_one_only():
    graph = varied_graph(0)
    x = random_messages(graph, 2, 1)
    x[1, 1, 2, 0] = -1
    with Emulator(graph) as emulator, pytest.raises(DataError, match=r"sample 1\n.*-1 at \(1, 2, 0\)\n.*0 or 1"):
        emulator.run(x)


def test_no_samples_and_closed():
    graph = varied_graph(0)
    emulator = Emulator(graph)
    result = emulator.run(np.zeros((0, *graph.input.shape), np.int8), "spikes")
    assert result.output.shape == (0, 3)
    assert result.counts.samples == 0
    with pytest.raises(ConfigError, match="unknown kind of record"):
        emulator.run(np.zeros((1, *graph.input.shape), np.int8), "spike")
    emulator.close()
    with pytest.raises(BackendError, match="closed"):
        emulator.run(np.zeros((1, *graph.input.shape), np.int8))


def small(output: Population, bits: int = 0, **options) -> Graph:
    """One input neuron, one output neuron."""
    return Graph((Population("in", (1, 1, 1), role="input", message_bits=bits), output),
                 (Dense("s", ("in",), "out", np.array([[254]], np.int16)),), time_steps=options.get("steps", 4))


@pytest.mark.parametrize(("graph", "match"), [
    (small(Population("out", (1, 1, 1), Cuba(9), message_bits=8)), "only the input may send graded"),
    (small(Population("out", (1, 1, 1), Cuba(9)), bits=25), "too wide"),
])
def test_graphs_this_backend_refuses(graph, match):
    with pytest.raises(GraphError, match=match):
        Emulator(graph)


def test_a_readout_that_would_spike_is_an_error():
    graph = small(Population("out", (1, 1, 1), Cuba(1000, 4096, 0), role="readout"))
    with Emulator(graph) as emulator, pytest.raises(DataError, match="readout left its range"):
        emulator.run(np.ones((1, 1, 1, 1), np.int8))


def test_options_and_devices():
    graph = varied_graph(0)
    with pytest.raises(BackendError, match="unknown device"):
        Emulator(graph, device="loihi")
    with pytest.raises(BackendError, match="no such CUDA device" if present("torch") else r"extra \[torch\]"):
        Emulator(graph, device="cuda:99")
    with pytest.raises(ConfigError, match="at least 1"):
        Emulator(graph, batch_size=0)
    with Emulator(small(Population("out", (1, 1, 1), Cuba(9)), steps=None)) as emulator, \
            pytest.raises(ConfigError, match="no number of steps"):
        emulator.run(np.ones((1, 1, 1, 1), np.int8))
