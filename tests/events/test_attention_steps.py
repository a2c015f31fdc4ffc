"""Attention step by step, as a Lava Block computes it: every spike and event of random graphs, without Lava."""

from __future__ import annotations

import numpy as np
import pytest
from attention_graphs import attention_graph
from random_graphs import random_messages
from reference import simulate

from mksgn.counts.step_tally import StepTally, entries
from mksgn.events.stepper import Stepper
from mksgn.ir import schedule
from mksgn.ir.attention import Events
from mksgn.ir.partition import Part


@pytest.mark.parametrize("seed", range(7))
def test_samples_back_to_back(seed):
    graph, samples = attention_graph(seed), 3
    steps, times = graph.time_steps, schedule(graph)
    x = random_messages(graph, samples, seed, steps)
    phase = {name: (depth + 1) % steps for name, depth in times.depth.items()}
    part = Part(graph, times.wait, steps, phase, samples=samples, steps=steps, depth=times.depth)
    stepper, tally = Stepper(graph, times.wait, steps, phase, per_sample=True), StepTally(part)
    counted = np.zeros((samples, len(entries(graph))), np.int64)
    found = {p.name: np.zeros((samples, *p.shape, steps), np.int64) for p in graph.populations[1:]}
    stream = np.moveaxis(x, 0, -2).reshape(*graph.input.shape, -1)
    for t in range(1, samples * steps + times.latency + 1):
        stepper.step(t)
        for name, trains in found.items():
            at = t - 1 - times.depth[name]
            if 0 <= at < samples * steps:
                trains[at // steps, ..., at % steps] = stepper.spikes(name, t).transpose(2, 0, 1)
        for synapse in graph.synapses:
            if synapse.name in stepper.inside:
                tally.add_inside(counted, t, synapse.name, synapse.target, stepper.inside[synapse.name])
        silent = np.zeros(graph.input.shape, np.int32)
        message = stream[..., t - 1] if t <= stream.shape[-1] else silent
        stepper.receive(t, message.transpose(1, 2, 0))
    expected = simulate(graph, x)
    for name, trains in found.items():
        np.testing.assert_array_equal(trains, expected.spikes[name], name)
    column = {entry: number for number, entry in enumerate(entries(graph))}
    for name, inside in expected.inside.items():
        got = np.stack([counted[:, column[field, name]] for field in Events._fields], axis=1)
        np.testing.assert_array_equal(got, inside, name)
