"""Samples run part by part, and the comparison of two runs that is added up over the parts."""

from __future__ import annotations

import numpy as np
from programs import graph_for
from same_counts import assert_same_counts

from mksgn.counts import Counts
from mksgn.data.synthetic import synthetic_pack
from mksgn.emulator import Emulator
from mksgn.run.backend import RunResult
from mksgn.run.comparison import Comparison
from mksgn.run.execution import execute, part_size


def test_many_samples_run_in_parts() -> None:
    """What is recorded stays within memory, and the parts add up to one run."""
    graph = graph_for(synthetic_pack(12), "synthetic")
    x = np.random.default_rng(1).integers(-127, 128, (5, *graph.input.shape)).astype(np.int8)
    size = sum(population.size for population in graph.populations[1:]) * 4
    starts: list[tuple[str, int]] = []
    with Emulator(graph) as one, Emulator(graph) as two:
        assert part_size([one, two], "spikes", budget=5 * size) == 2 and part_size([one], "none") == 0
        assert part_size([one], "states", budget=1) == 1
        whole = execute(one, None, x, "none", 0)
        parts = execute(one, two, x, "spikes", 2, lambda backend, start: starts.append((backend.name, start)))
    assert [start for _, start in starts] == [0, 0, 2, 2, 4, 4]
    assert_same_counts(parts.counts, whole.counts)
    assert np.array_equal(parts.output, whole.output)
    assert parts.comparison is not None and parts.comparison.equal and parts.comparison.spikes_compared == 5 * size


def test_a_difference_of_the_output_alone_counts() -> None:
    left, right = (RunResult(np.array([[1, 2], [3, value]]), Counts()) for value in (4, 5))
    comparison = Comparison(("a", "b"))
    none = RunResult(left.output, left.counts, {"p": np.zeros((2, 1, 1, 1, 1))})
    other = RunResult(right.output, right.counts, {"p": np.zeros((2, 1, 1, 1, 1))})
    comparison.add(none, other, ("p",), 10)
    assert not comparison.equal and comparison.differing == {"output p": 1}
    assert "sample 11: 4 against 5 (a against b)" in str(comparison.first)
