"""Streamed graphs on boards: what each way takes and costs, counted by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from placed import whole_activity
from random_graphs import samples_of
from streamable import streamable_pairs
from streamed_boards import CHIP, SEEDS, tiny_board, waiting_pairs
from written_graphs import even

from mksgn.emulator import Emulator
from mksgn.energy import paper_energy_mj
from mksgn.energy.costs import Range, cost_models
from mksgn.errors import ConfigError
from mksgn.ir import Conv, Cuba, Graph, Population
from mksgn.ir.schedule import schedule
from mksgn.ir.streamed_clips import clip_as_stream
from mksgn.ir.streaming import streamed
from mksgn.mapping import place
from mksgn.mapping.both_ways import folded, priced, record, way
from mksgn.mapping.delays import STOCK, Delays, Realisation
from mksgn.mapping.price_limit import price_limit
from mksgn.mapping.step_by_step import step_works, steps_ms


def strided() -> Graph:
    """A frame of population b every two steps; what c reads waits 0, 2 and 4 steps."""
    rng = np.random.default_rng(0)
    populations = (Population("a", (2, 12, 3), role="input"), Population("b", (2, 6, 3), Cuba(9)),
                   Population("c", (4, 6, 3), Cuba(9)), Population("out", (2, 1, 1), Cuba(9), role="readout"))
    kernel = even(rng, 4, 2, 3, 1, limit=60)
    kernel.flat[:2] = 254, -256  # eight bits in every tap
    kernel[:, :, 1].flat[:2] = kernel[:, :, 2].flat[:2] = 254, -256
    synapses = (Conv("ab", ("a",), "b", even(rng, 2, 2, 1, 1), (2, 1)),
                Conv("bc", ("b",), "c", kernel, padding=(1, 0)),
                Conv("co", ("c",), "out", even(rng, 2, 4, 6, 3)))
    return Graph(populations, synapses, 1)


@pytest.mark.parametrize(("how", "relays", "words", "in_axons", "out_axons", "accumulators", "waiting"), [
    # Shared rows: 2 channels x 3 taps x (1 + ceil(4 x 8 / 64)) words; an axon per tap and place of b.
    ("axonal", 0, 12, 3, 9, 5, 15),
    # Entries of 8 + 12 + 3 bits: 6 neurons x 3 taps x ceil(4 x 23 / 64) words; an axon per neuron.
    ("lists", 0, 36, 6, 6, 5, 15),
    # Two neurons for each of b's, 2 and 4 steps behind, each behind a list of one entry that waits a step.
    ("relays", 12, 12, 3, 3, 0, 0),
    ("shift", 24, 12, 3, 3, 0, 0),
    # A frame of b every two steps: two registers.
    ("registers", 12, 12, 3, 3, 0, 0)])
def test_what_each_way_takes_is_what_counting_by_hand_gives(how: Realisation, relays: int, words: int, in_axons: int,
                                                           out_axons: int, accumulators: int, waiting: int) -> None:
    stream = streamed(strided())
    roomy = tiny_board(neurons=900, neuron_groups=1, synapse_words=9000, core_words=9000, in_axons=999, delay_steps=62)
    # What ends in "out" waits up to 10 steps; it is a matter of its own.
    placement = place(stream, roomy, objective="cores", delays=Delays(16, (how,)))
    wiring = placement.wiring
    core = {slab.population: core for core in placement.cores for slab in core.slabs}
    usage = core["c"].usage
    own = [name for name in wiring.repeats if wiring.repeats[name] == "b"]
    assert sum(wiring[name].size for name in own) == relays
    assert (usage["synapse_words"], usage["in_axons"]) == (words, in_axons)
    assert core["b"].usage["out_axons"] == out_axons if not relays else True
    assert wiring.accumulators("c") == accumulators
    assert usage["core_words"] - usage["neurons"] - usage["synapse_words"] - usage["out_axons"] == waiting
    chosen = {each.synapse: each for each in placement.made}
    assert chosen["bc"].waits == (0, 4) and chosen["bc"].relays == relays and chosen["bc"].realisation == how
    if how == "relays":
        for name in own:
            assert core[name].usage["synapse_words"] == 6 and wiring.accumulators(name) == 2
            assert core[name].usage["core_words"] == 6 + 6 + core[name].usage["out_axons"] + 3  # 6 x 2 x 16 bits
    if how == "shift":
        # Rows of one weight: 2 channels x (1 + 1) words.
        assert all(core[name].usage["synapse_words"] == 4 and not wiring.accumulators(name) for name in own)


def test_messages_operations_and_updates_of_each_way() -> None:
    stream = streamed(strided())
    activity = {p.name: np.ones(p.shape) for p in stream.populations}
    roomy = tiny_board(neurons=900, neuron_groups=1, synapse_words=9000, core_words=9000, in_axons=999, delay_steps=62)
    met = int((strided().synapses[1].weight != 0).sum()) * 3
    for how, messages, passed in (("axonal", 18, 0), ("lists", 6, 0), ("relays", 18, 12), ("shift", 18, 24)):
        placement = place(stream, roomy, activity, objective="cores", delays=Delays(16, (how,)))  # type: ignore[arg-type]
        work = placement.work(activity)
        at = {slab.population: core.index for core in placement.cores for slab in core.slabs}
        assert work.messages_in[at["c"]] == messages, how
        assert work.synops[at["c"]] == met
        own = [name for name in placement.wiring.repeats if placement.wiring.repeats[name] == "b"]
        assert sum(work.synops[at[name]] for name in own) == passed
        assert work.steps == stream.time_steps and work.neurons.sum() == sum(
            p.size for p in placement.graph.populations[1:])
        assert work.updates_active[at["c"]] == 12 * 6 and work.updates_idle[at["c"]] == 12 * (work.steps - 6)
        assert work.latency_steps == max(schedule(stream).latency + 1, work.steps)


def test_a_clock_takes_a_list_and_a_message_in_every_step_of_rest() -> None:
    stream = streamed(strided())
    activity = {p.name: np.zeros(p.shape) for p in stream.populations}
    roomy = tiny_board(neurons=900, neuron_groups=1, synapse_words=9000, core_words=9000, in_axons=999, delay_steps=62)
    with_clock, without = (place(stream, roomy, activity, objective="cores", delays=Delays(16, STOCK, clock))
                           for clock in (True, False))
    rest = stream.time_steps - 6
    for placement, messages in ((with_clock, rest), (without, 0)):
        at = {slab.population: core for core in placement.cores for slab in core.slabs}["c"]
        work = placement.work(activity)
        assert work.messages_in[at.index] == messages and work.synops[at.index] == 12 * messages
    words = [next(core for core in p.cores if core.slabs[0].population == "c").usage for p in (with_clock, without)]
    assert words[0]["synapse_words"] - words[1]["synapse_words"] == -(-12 * 20 // 64)
    assert words[0]["in_axons"] - words[1]["in_axons"] == 1


@pytest.mark.slow
def test_the_steps_of_a_sample_add_up_to_its_work() -> None:
    uneven = 0
    for ways in ("any", "stock", "registers", "lists"):
        for seed, _, stream in waiting_pairs()[:10]:
            activity = whole_activity(stream, seed)
            placement = place(stream, tiny_board(), activity, objective="cores", delays=Delays.parse(ways=ways))
            active = {p.name: 0.5 * p.size for p in stream.populations}
            works = list(step_works(placement, activity, active))
            whole = placement.work(activity, active)
            assert len(works) == stream.time_steps
            for name in ("synops", "macs", "spikes", "messages_in", "messages_out", "updates_active", "updates_idle"):
                np.testing.assert_allclose(sum(getattr(work, name) for work in works), getattr(whole, name), atol=1e-9,
                                           err_msg=name)
            model = cost_models()["loihi1"]
            mean = model.price(whole).streaming
            ours = Range.of(steps_ms(placement, activity, active, [model])["loihi1"].sum(axis=0))
            assert mean is not None and ours.high >= mean.period_ms.high * (1 - 1e-9)
            uneven += ours.high > 1.01 * mean.period_ms.high
    assert uneven > 5


def test_words_of_a_price() -> None:
    assert Delays.parse() == Delays() and Delays.parse("free").bits == 0 and Delays.parse("40").bits == 40
    assert Delays.parse(ways="stock") == Delays(None, STOCK, True)
    assert Delays.parse(ways="axonal").allowed == ("axonal",)
    assert [Delays().width(bound) for bound in (0, 32767, 32768)] == [16, 16, 24] and Delays(7).width(1 << 20) == 7
    for bad in ({"price": "dear"}, {"price": "-3"}, {"price": "1.5"}, {"ways": "magic"}):
        with pytest.raises(ConfigError, match=r"price of a delay|cannot be made"):
            Delays.parse(**bad)
    for wrong in ({"allowed": ()}, {"allowed": ("x",)}, {"bits": -1}):
        with pytest.raises(ConfigError):
            Delays(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="streamed graph have a price"):
        place(strided(), CHIP, delays=Delays())


def test_the_highest_price_that_fits_fits_and_one_bit_more_does_not() -> None:
    stream = streamed(strided())
    tight = tiny_board(neurons=40, neuron_groups=0, core_words=260, synapse_words=260, cores_per_chip=1, chips=1)
    only = Delays(None, ("axonal",))
    limit = price_limit(stream, tight, only)
    assert limit is not None and limit > 0
    cores = [place(stream, tight, objective="cores", delays=replace(only, bits=bits)).packing.cores
             for bits in (limit, limit + 1)]
    assert cores[0] == 1 < cores[1]
    assert price_limit(stream, replace(tight, cores_per_chip=6), Delays(None, ("registers",))) is None
    with pytest.raises(ConfigError, match="even where delays are free"):
        price_limit(stream, replace(tight, core_words=60, synapse_words=60), only)


def test_what_arrives_at_rest_is_what_the_emulator_does_not_count() -> None:
    rested = 0
    for seed, clip, stream in waiting_pairs()[:5]:
        x = samples_of(clip, seed, 3)
        with Emulator(clip) as emulator:
            counts = emulator.run(x).counts
        with Emulator(stream) as emulator:
            ours = emulator.run(clip_as_stream(stream, x)).counts
        activity = counts.activity()
        for name, sent in folded(activity).items():
            np.testing.assert_allclose(sent, ours.activity()[name], rtol=1e-12)
        active = {name: number / 3 for name, number in counts.active.items()}
        found = way(clip, stream, tiny_board(), activity, active, list(cost_models().values()))
        counted = (sum(ours.synops.values()) + sum(ours.macs.values())) / 3
        assert found.operations == pytest.approx(counted)
        sent = ours.activity()
        arriving = sum(float((sent[source] * part.fanout(stream[source].shape, stream[s.target].shape)).sum())
                       for s in stream.synapses for _, part in s.by_delay() for source in s.sources)
        assert found.extra.operations_at_rest == pytest.approx(arriving - counted, abs=1e-6)
        assert found.extra.updates_at_rest == sum(
            p.size * (stream.time_steps - p.lattice.frames * p.lattice.length)  # type: ignore[operator,union-attr]
            for p in stream.populations[1:])
        assert found.work.total("updates_active") == pytest.approx(
            sum(active.values()) + found.extra.relay_operations)
        rested += found.extra.operations_at_rest > 0
        at_once = way(clip, clip, tiny_board(), activity, active, [cost_models()["loihi1"]])
        assert at_once.time == "clip" and at_once.operations == found.operations
        assert at_once.extra.operations_at_rest == pytest.approx(0, abs=1e-6) and at_once.extra.updates_at_rest == 0
    assert rested > 1


def test_the_energy_of_what_is_extra_and_of_waiting_for_a_sensor() -> None:
    clip = strided()
    model = cost_models()["loihi1"]
    activity = {p.name: np.ones(p.shape) for p in clip.populations}
    placement = place(streamed(clip), tiny_board(), folded(activity), objective="cores", delays=Delays(16, ("relays",)))
    found = priced(clip, placement, activity, None, [model])
    price, extra, work = found.prices["loihi1"], found.extra, found.work
    assert extra.relay_neurons == sum(placement.wiring[name].size for name in placement.wiring.repeats) > 0
    assert extra.relay_updates == extra.relay_neurons * work.steps
    expected = 1e-9 * (52 * (extra.updates_at_rest + extra.relay_updates - extra.relay_operations)
                       + 23.6 * (extra.operations_at_rest + extra.relay_operations) + 81 * extra.relay_operations)
    assert price.extra_mj.low == pytest.approx(expected) and price.extra_mj.exact
    assert price.cost.dynamic_mj.high > price.extra_mj.high > 0
    sensor = price.sensor
    assert sensor is not None and sensor.keeps_up and sensor.period_ms == pytest.approx(12 / 30 * 1e3)
    assert sensor.static_mj is not None and sensor.static_mj.high == pytest.approx(
        104.4 * placement.chips * 0.4, rel=1e-6)
    step = price.cost.step
    assert step is not None and sensor.after_last_ms.high == pytest.approx(
        step.ns.high * (work.latency_steps - 11) * 1e-6)
    told = record(found)
    assert told["time"] == "stream" and told["delay_price"] == "16 bits" and told["prices"]["loihi1"]["sensor"]
    slow = priced(clip, placement, activity, None, [model], per_second=1e9).prices["loihi1"].sensor
    assert slow is not None and not slow.keeps_up


@pytest.mark.slow
def test_the_papers_energy_of_a_streamed_graph_is_that_of_the_clip() -> None:
    compared = dense = 0
    for seed, clip, stream in streamable_pairs(SEEDS):
        x = samples_of(clip, seed, 2)
        with Emulator(clip) as emulator:
            at_once = paper_energy_mj(clip, emulator.run(x).counts)
        with Emulator(stream) as emulator:
            assert paper_energy_mj(stream, emulator.run(clip_as_stream(stream, x)).counts) == at_once, seed
        compared += 1
        dense += any(a.kind != b.kind for a, b in zip(clip.synapses, stream.synapses))
    assert compared > 8 and dense > 2
