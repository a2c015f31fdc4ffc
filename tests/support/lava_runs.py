"""Graphs and samples that several tests of the Lava backend run, and the check of every spike, u and v."""

from __future__ import annotations

import numpy as np
from reference import simulate
from written_graphs import T, even

from mksgn.emulator import Emulator
from mksgn.ir import Conv, Cuba, Dense, Graph, Population
from mksgn.lava.backend import LavaBackend
from mksgn.run.backend import RunResult
from mksgn.run.comparison import compare


def block_samples(count: int = 3) -> np.ndarray:
    return np.random.default_rng(1).integers(-128, 128, (count, 3, 6, 4))


def check_run(graph: Graph, samples: np.ndarray, result: RunResult) -> None:
    """Every spike, u and v that ``result`` holds is what the equations give."""
    reference = simulate(graph, samples)
    spikes, u, v = reference.spikes, reference.u, reference.v
    assert set(result.spikes) == {population.name for population in graph.populations[1:]}
    for population in graph.populations[1:]:
        name = population.name
        np.testing.assert_array_equal(result.spikes[name], spikes[name], err_msg=f"spikes of {name}")
        if population.role == "hidden":
            assert 0 < spikes[name].mean() < 1, f"{name} decides nothing in this test"
        for quantity, expected in (("u", u), ("v", v)):
            if name in getattr(result, quantity):
                np.testing.assert_array_equal(getattr(result, quantity)[name], expected[name], f"{quantity} of {name}")
    if graph.output.role == "readout":
        final = v[graph.output.name][..., -1].reshape(len(samples), -1)
        np.testing.assert_array_equal(result.output, final // 64)
    else:
        np.testing.assert_array_equal(result.output, spikes[graph.output.name])


def chain_graph(length: int = 6) -> Graph:
    """Populations in a row, with a graded input: it can be cut anywhere."""
    rng = np.random.default_rng(11)
    populations = [Population("in", (3, 4, 5), role="input", message_bits=8)]
    populations += [Population(f"p{i}", (4, 4, 5), Cuba(500 if i == 0 else 30)) for i in range(length)]
    # Its v / 64 is no whole number, and is rounded down.
    populations.append(Population("out", (3, 1, 1), Cuba(131071, 2500, 1000), role="readout"))
    names = [p.name for p in populations]
    synapses = [Conv(f"s{i}", (names[i],), names[i + 1], even(rng, 4, 3 if i == 0 else 4, 3, 1), padding=(1, 0))
                for i in range(length)]
    return Graph(tuple(populations), (*synapses, Dense("fc", (names[-2],), "out", even(rng, 3, 80))), T)


def extreme_graph(steps: int | None) -> Graph:
    """Sums far beyond 16 bits, u that wraps, v that clips, weights of -256 alone, no current decay, odd weights."""
    rng = np.random.default_rng(3)
    size = (50, 2, 2)
    populations = (
        Population("in", size, role="input", message_bits=8),
        Population("wide", (6, 1, 1), Cuba(2000, 1000, 300), bias=np.array([4095, -4096, 0, 1, 2, 3])),
        Population("negative", (4, 1, 1), Cuba(3, voltage_decay=0), bias=np.array([600, 300, 260, 1000])),
        Population("keeping", (4, 1, 1), Cuba(4000, current_decay=0, voltage_decay=4096)),
        Population("out", (3, 1, 1), Cuba(300, voltage_decay=0)),
    )
    synapses = (
        Dense("big", ("in",), "wide", (2 * rng.integers(60, 128, (6, 200))).astype(np.int16)),
        Dense("inhibit", ("wide",), "negative", np.where(rng.random((4, 6)) < 0.5, -256, 0).astype(np.int16)),
        Dense("odd", ("wide",), "keeping", rng.integers(0, 255, (4, 6)).astype(np.int16) | 1),
        Dense("last", ("negative", "keeping"), "out", (2 * rng.integers(-100, 128, (3, 4))).astype(np.int16)),
        Dense("silent", ("wide",), "out", np.zeros((3, 6), np.int16)),
    )
    return Graph(populations, synapses, steps)


def delayed_graph(steps: int | None) -> Graph:
    rng = np.random.default_rng(6)
    populations = (Population("in", (2, 3, 4), role="input"), Population("conv", (3, 3, 4), Cuba(60)),
                   Population("dense", (5, 1, 1), Cuba(50, 2000, 1500)), Population("out", (4, 1, 1), Cuba(40)))
    synapses = (Conv("c", ("in",), "conv", even(rng, 3, 2, 3, 1), padding=(1, 0)),
                Dense("d", ("conv",), "dense", even(rng, 5, 36), delay=rng.integers(0, 4, (5, 36))),
                Dense("o", ("dense",), "out", even(rng, 4, 5, limit=90), delay=rng.integers(0, 3, 5)))
    return Graph(populations, synapses, steps)


def check_layout(graph: Graph, samples: np.ndarray, layout: str) -> None:
    """Lava in this layout and the emulator agree on every spike and output."""
    with Emulator(graph) as emulator:
        emulated = emulator.run(samples, record="spikes")
    with LavaBackend(graph, layout=layout) as lava:
        run = lava.run(samples, record="spikes")
    result = compare(run, emulated, tuple(p.name for p in graph.populations if p.role == "hidden"))
    assert result.equal, result.first
    np.testing.assert_array_equal(run.output, emulated.output)
