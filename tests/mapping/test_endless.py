"""Streams without ends on boards: what a frame makes every core do, when its decision is there, and what it costs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from random_graphs import random_messages
from streamable import longer_input, unpadded

from mksgn.counts import Counts
from mksgn.emulator import run_frames
from mksgn.energy import paper_energy_mj
from mksgn.energy.costs import Range, cost_models, step_time
from mksgn.ir import Graph
from mksgn.ir.endless import steps_to_answer
from mksgn.ir.streaming import continuous
from mksgn.mapping import board, place
from mksgn.mapping.both_ways import endless_way, per_frame, record
from mksgn.mapping.delays import Delays
from mksgn.mapping.step_by_step import step_works
from mksgn.mapping.ways_table import priced_rows

CHIP = board("oheo-gulch")
TINY = replace(CHIP, name="tiny", neurons=24, neuron_groups=3, synapse_words=400, core_words=700, in_axons=150,
               out_axons=1500, cores_per_chip=6, chips=4000, delay_steps=5, router_mesh=(2, 3), router_cores=1,
               chip_mesh=(4000, 1))
MODELS = list(cost_models().values())


def counted(seed: int) -> tuple[Graph, Counts]:
    graph = unpadded(seed)
    x = random_messages(longer_input(graph, graph.input.shape[1] + 11), 1, seed)[0]
    stream = continuous(graph)
    return stream, run_frames(stream, x).counts


@pytest.mark.slow
@pytest.mark.parametrize("ways", ["any", "stock"])
def test_the_work_of_a_frame_is_what_was_counted(ways: str) -> None:
    events = relays = 0
    for seed in range(12):
        stream, counts = counted(seed)
        active = {name: number / counts.samples for name, number in counts.active.items()}
        placement = place(stream, TINY, counts.activity(), objective="cores", delays=Delays.parse(ways=ways))
        way = endless_way(placement, counts.activity(), active, MODELS)
        met = (sum(counts.synops.values()) + sum(counts.macs.values())) / counts.samples
        assert way.time == "endless" and way.work.steps == stream.time_steps
        assert way.operations == pytest.approx(met)
        assert way.extra.updates_at_rest == 0 == way.extra.clock_operations, "nothing rests, so nothing is held down"
        assert way.extra.operations_at_rest == pytest.approx(0, abs=1e-6)
        assert way.work.total("synops") + way.work.total("macs") == pytest.approx(met + way.extra.relay_operations)
        assert way.work.total("updates_active") == pytest.approx(sum(active.values()) + way.extra.relay_operations)
        assert way.work.latency_steps == steps_to_answer(stream)
        steps = list(step_works(placement, counts.activity(), active))
        assert len(steps) == stream.time_steps
        for name in ("synops", "macs", "spikes", "messages_in", "messages_out", "updates_active"):
            np.testing.assert_allclose(sum(getattr(step, name) for step in steps), getattr(way.work, name), atol=1e-9)
        events += met > 50
        relays += way.extra.relay_neurons > 0
    assert events > 6 and (ways == "any" or relays > 3)


def test_time_and_energy_of_a_frame_in_a_burst_and_at_a_sensors_pace() -> None:
    stream, counts = counted(10)
    placement = place(stream, TINY, counts.activity(), objective="cores")
    way = endless_way(placement, counts.activity(), None, MODELS)
    model, price = cost_models()["loihi1"], way.prices["loihi1"]
    step, sensor = step_time(model.times, way.work), price.sensor  # type: ignore[arg-type]
    steps = stream.time_steps
    assert sensor is not None and sensor.keeps_up and price.period_ms is not None and steps is not None
    assert sensor.period_ms == pytest.approx(1e3 / 30)
    assert price.period_ms.high == pytest.approx(step.ns.high * steps * 1e-6, rel=1e-6), "all steps are alike"
    assert price.cost.streaming is not None
    assert price.cost.streaming.latency_ms.high == pytest.approx(step.ns.high * steps_to_answer(stream) * 1e-6)
    # The chip makes so many steps when a frame comes, and no more: later frames bring the rest.
    frames = -(-steps_to_answer(stream) // steps) - 1
    left = steps_to_answer(stream) - frames * steps
    assert 1 <= left <= steps and frames > 0
    assert sensor.after_last_ms.high == pytest.approx(frames * 1e3 / 30 + left * step.ns.high * 1e-6)
    assert sensor.dynamic_mj == price.cost.dynamic_mj
    assert sensor.static_mj is not None and price.static_mj is not None
    assert sensor.static_mj.high == pytest.approx(104.4 * placement.chips / 30, rel=1e-6)
    row = next(row for row in priced_rows([way]) if row[2] == "loihi1")
    assert row[5] == Range.of(price.cost.dynamic_mj.bounds * 1e6).text(3), "nJ"
    assert row[4] == Range.of(price.cost.streaming.latency_ms.bounds * 1e3).text(3), "µs"
    assert row[9] == sensor.after_last_ms.text(3), "ms"
    assert record(way)["latency_steps"] == steps_to_answer(stream) and record(way)["time"] == "endless"


def test_messages_of_clips_are_those_of_frames() -> None:
    graph = unpadded(10)
    rng = np.random.default_rng(0)
    clip = {p.name: rng.random(p.shape) for p in graph.populations}
    for name, values in per_frame(clip).items():
        np.testing.assert_allclose(values[:, 0] * clip[name].shape[1], clip[name].sum(axis=1))
        assert values.shape == tuple(continuous(graph)[name].shape)


def test_the_papers_energy_of_a_frame() -> None:
    """Eq. 33 and 34 by hand: every weight of a frame once, at the rate of what it reads."""
    compared = 0
    for seed in range(8):
        stream, counts = counted(seed)
        found = paper_energy_mj(stream, counts)
        sops = first = 0.0
        for synapse in stream.synapses:
            shape, weight = stream[synapse.target].shape, synapse.weight
            flops = weight.size * shape[1] * shape[2] if synapse.name.startswith(("s.", "r.")) else weight.size
            unread = int((~weight.any(axis=(0, 2, 3))).sum()) * weight[:, 0].size * shape[2] \
                if weight.ndim == 4 and weight.any() and not synapse.name.startswith("head") else 0
            source, = synapse.sources
            rate = counts.spikes[source] / (counts.samples * stream[source].size)  # of all T steps
            if stream[source].message_bits:
                first += flops - unread
            else:
                sops += rate * (flops - unread)
        assert found.first_layer_macs == first
        assert found.sops == pytest.approx(sops)
        assert found.energy_mj == pytest.approx((4.6 * first + 0.9 * sops) * 1e-9)
        compared += sops > 100
    assert compared > 4


def test_a_frame_of_uniform_activity() -> None:
    stream = continuous(unpadded(10))
    placement = place(stream, TINY, objective="cores")
    way = endless_way(placement, None, None, MODELS)
    assert placement.uniform and way.work.updates_idle.sum() == 0
    assert way.work.host_messages >= stream.input.size * (stream.time_steps or 0)
