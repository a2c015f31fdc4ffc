"""Messages between a program and the process that runs Lava."""

from __future__ import annotations

import numpy as np
from written_graphs import block_graph

from mksgn.lava.wire import Frames, graph_from_message, graph_message, pack


def test_wire_carries_graphs_and_arrays_exactly():
    message = {"graph": graph_message(block_graph()), "x": np.arange(6, dtype=np.int8).reshape(2, 3),
               "n": [1, None, "a"], "empty": np.zeros((0, 3)), "scalar": np.int64(5)}
    frames, data = Frames(), pack(message) + pack({"second": True})
    for start in range(0, len(data), 1000):
        frames.feed(data[start:start + 1000])
        if start == 0:
            assert frames.next() is None
    received, second = frames.next(), frames.next()
    assert received is not None and second == {"second": True} and frames.next() is None
    np.testing.assert_array_equal(received["x"], message["x"])
    assert received["n"] == [1, None, "a"] and received["scalar"] == 5 and received["empty"].shape == (0, 3)
    graph, original = graph_from_message(received["graph"]), block_graph()
    for left, right in zip(graph.synapses, original.synapses):
        assert type(left) is type(right)
        assert (left.name, left.sources, left.target) == (right.name, right.sources, right.target)
        np.testing.assert_array_equal(left.weight, right.weight)
    assert [p.neuron for p in graph.populations] == [p.neuron for p in original.populations]
