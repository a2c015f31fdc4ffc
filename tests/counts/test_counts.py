"""Counts: how parts of a run add up, and that the three ways of counting give the same numbers."""

from __future__ import annotations

import numpy as np
import pytest
from lava_runs import block_samples, chain_graph
from same_counts import assert_same_counts
from written_graphs import block_graph

from mksgn.counts import Counts
from mksgn.counts.recorded import count_recorded
from mksgn.counts.step_tally import StepTally, enter_counted, entries
from mksgn.emulator import Emulator
from mksgn.events.stepper import Stepper
from mksgn.ir import Graph, schedule
from mksgn.ir.partition import Part


def stepped(graph: Graph, samples: np.ndarray) -> Counts:
    """Counts of samples (N, C, F, V), stepped back to back as a Lava Process of the whole graph steps them."""
    times, steps = schedule(graph), graph.time_steps
    assert steps is not None
    phase = {p.name: (1 + times.depth[p.name]) % steps for p in graph.populations[1:]}
    part = Part(graph, times.wait, steps, phase, "none", len(samples), steps, dict(times.depth))
    tally, stepper = StepTally(part), Stepper(graph, times.wait, steps, phase, per_sample=True)
    counted = np.zeros((len(samples), len(entries(graph))), np.int64)
    silence = np.zeros(graph.input.shape, np.int32)
    for t in range(1, len(samples) * steps + max(times.depth.values()) + 1):
        for name, active in stepper.step(t).items():
            tally.add(counted, t, name, stepper.spikes(name, t), active)
        number = (t - 1) // steps
        messages = samples[number].astype(np.int32) if number < len(samples) else silence
        messages = np.ascontiguousarray(messages.transpose(1, 2, 0))
        stepper.receive(t, messages)
        tally.add(counted, t, graph.input.name, messages)
    found: dict[str, dict[str, np.ndarray]] = {}
    for (quantity, name), values in zip(entries(graph), counted.T):
        found.setdefault(quantity, {})[name] = values
    counts = Counts(len(samples), steps)
    enter_counted(graph, counts, found)
    return counts


@pytest.mark.parametrize("make", [block_graph, chain_graph])
def test_three_ways_of_counting_agree(make) -> None:
    """While samples run side by side, step by step, and afterwards from what was recorded."""
    graph = make()
    samples = block_samples() if make is block_graph else np.random.default_rng(3).integers(-128, 128, (3, 3, 4, 5))
    steps = graph.time_steps
    with Emulator(graph) as emulator:
        ran = emulator.run(samples, "states")
    assert all(number > 0 for name, number in ran.counts.spikes.items() if name != "out")
    stream = np.repeat(samples.transpose(3, 2, 1, 0)[..., None], steps, axis=-1)
    recorded = Counts(len(samples), steps)
    count_recorded(graph, recorded, stream.reshape(*stream.shape[:3], -1), ran.spikes, ran.u, ran.v, {})
    assert_same_counts(recorded, ran.counts)
    assert_same_counts(stepped(graph, samples), ran.counts, lacking=("sent",))


def test_parts_add_up_and_differences_are_named() -> None:
    graph = chain_graph()
    samples = np.random.default_rng(4).integers(-128, 128, (4, 3, 4, 5))
    with Emulator(graph) as emulator:
        whole = emulator.run(samples).counts
        parts = Counts()
        for start in (0, 3):
            parts.add(emulator.run(samples[start:start + 3]).counts)
    assert_same_counts(parts, whole)
    assert not parts.differences(whole) and parts.shared(whole) > 4 * len(graph.synapses)
    assert whole.rate("p0") == whole.spikes["p0"] / whole.neuron_steps["p0"]
    parts.sample_synops["fc"] = parts.sample_synops["fc"] + np.array([0, 1, 0, 1])
    assert parts.differences(whole) == {"synops fc": 2}
