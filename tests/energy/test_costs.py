"""Cost models: what events cost, how long a step takes, and tables that are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mksgn.energy import E_AC_PJ, E_MAC_PJ
from mksgn.energy.costs import Cost, CostModel, Range, cost_models, load_cost_model
from mksgn.energy.costs.slowest import Slowest, parts
from mksgn.energy.work import CoreWork
from mksgn.errors import ConfigError

PJ = 1e-9
"""mJ."""


def work(**given: object) -> CoreWork:
    """Three cores on two chips, with counts that are all different; T = 4, ten steps to the answer."""
    counts = {
        "neurons": [10, 20, 5], "updates_active": [30, 50, 7], "updates_idle": [10, 30, 13],
        "synops": [1000, 300, 40], "macs": [0, 70, 0], "spikes": [11, 23, 3], "messages_in": [40, 60, 9],
        "messages_out": [12, 31, 3], "hops_ew": [5, 17, 0], "hops_ns": [2, 3, 1], "chip_crossings": [0, 4, 3],
        "reads": [70, 210, 15],
    }
    arrays = {name: np.array(values, dtype=np.float64) for name, values in counts.items()}
    content: dict = {"steps": 4, "latency_steps": 10, "chip": np.array([0, 0, 1]), "host_messages": 6.0,
                     "link_messages": 25.0, "chip_link_messages": 4.0, **arrays}
    return CoreWork(**{**content, **given})


def silent() -> CoreWork:
    zero = np.zeros(3)
    return work(updates_active=zero, updates_idle=work().neurons * 4, synops=zero, macs=zero, spikes=zero,
                messages_in=zero, messages_out=zero, hops_ew=zero, hops_ns=zero, chip_crossings=zero, host_messages=0.0,
                reads=zero, link_messages=0.0, chip_link_messages=0.0)


# Energy ------------------------------------------------------------------------------------------


def test_loihi1_prices_every_event_as_published() -> None:
    events = work()
    expected = {"synops": 0.0, "macs": 0.0, "active updates": 0.0, "idle updates": 0.0, "messages": 0.0, "hops": 0.0}
    for core in range(3):
        expected["synops"] += 23.6 * events.synops[core]
        expected["macs"] += 23.6 * events.macs[core]
        expected["active updates"] += 81 * events.updates_active[core]
        expected["idle updates"] += 52 * events.updates_idle[core]
        expected["messages"] += 1.7 * events.messages_out[core]
        expected["hops"] += 3.0 * events.hops_ew[core] + 4.0 * events.hops_ns[core]
    cost = cost_models()["loihi1"].price(events)
    for term, energy_pj in expected.items():
        assert cost.terms_mj[term].low == cost.terms_mj[term].high == pytest.approx(energy_pj * PJ), term
    assert cost.dynamic_mj.low == pytest.approx(sum(expected.values()) * PJ)
    second = 23.6 * 370 + 81 * 50 + 52 * 30 + 1.7 * 31 + 3 * 17 + 4 * 3
    assert cost.core_mj[0, 1] == pytest.approx(second * PJ)


def test_fitted_loihi_is_a_range_where_its_source_has_several_figures() -> None:
    cost = cost_models()["loihi1-fitted"].price(work())
    fixed = 72.8 * 87 + 51.2 * 53 + 69.3 * 37 + 111 * 46 + 3.0 * 22 + 4.2 * 6
    assert cost.dynamic_mj.low == pytest.approx((fixed + 24.0 * 1410) * PJ)
    assert cost.dynamic_mj.high == pytest.approx((fixed + 35.5 * 1410) * PJ)


def test_the_papers_energy_at_two_prices() -> None:
    """0.614 mJ are 682 M additions; the same operations at Loihi 1's price are 16.1 mJ."""
    one = np.ones(1)
    acs = 0.614 / (0.9 * PJ)
    assert acs == pytest.approx(682e6, rel=1e-3)
    events = CoreWork(4, 4, np.zeros(1, np.int64), one, 4 * one, 0 * one, acs * one, 0 * one, 0 * one, 0 * one, 0 * one,
                      0 * one, 0 * one, 0 * one, 0.0, 0 * one, 0.0, 0.0)
    models = cost_models()
    assert models["horowitz-fp32"].price(events).dynamic_mj.low == pytest.approx(0.614)
    assert models["loihi1"].price(events).terms_mj["synops"].low == pytest.approx(16.1, rel=2e-3)
    assert models["horowitz-int8"].price(events).dynamic_mj.low == pytest.approx(0.614 / 30)


def test_horowitz_is_the_papers_model() -> None:
    prices = cost_models()["horowitz-fp32"].energies
    assert (prices.synop.low, prices.mac.low) == (E_AC_PJ, E_MAC_PJ)
    assert cost_models()["horowitz-fp32"].price(work()).dynamic_mj.low == pytest.approx((0.9 * 1340 + 4.6 * 70) * PJ)


def lemaire_dense_pj(spikes_in: int, inputs: int, outputs: int, steps: int, spikes_out: int) -> dict[str, float]:
    """Lemaire et al. 2022 for one dense layer, as printed: loops over what is read, written and computed."""
    add, multiply, weight, small = 0.1, 3.1, 20 + 80 * (131072 - 32768) / (1048576 - 32768), 10.0
    energy = dict.fromkeys(("operations", "weights", "bias", "reads", "writes", "queues", "addressing"), 0.0)
    for _ in range(spikes_in):
        energy["queues"] += small
        energy["addressing"] += 2 * (multiply + add)
        for _ in range(outputs):
            energy["weights"] += weight
            energy["reads"] += small
            energy["writes"] += small
            energy["operations"] += add
            energy["addressing"] += add
    for _ in range(steps):
        for _ in range(outputs):
            energy["bias"] += small
            energy["reads"] += small
            energy["writes"] += small
            energy["operations"] += multiply + add + add
    energy["operations"] += add * spikes_out
    energy["queues"] += small * spikes_out
    return energy


def test_lemaire_counts_accesses_as_the_publication_does() -> None:
    spikes_in, inputs, outputs, steps, spikes_out = 13, 20, 7, 4, 9
    expected = lemaire_dense_pj(spikes_in, inputs, outputs, steps, spikes_out)
    one = np.ones(1)
    events = CoreWork(steps, 5, np.zeros(1, np.int64), outputs * one, 20 * one, (outputs * steps - 20) * one,
                      spikes_in * outputs * one, 0 * one, spikes_out * one, spikes_in * one, 0 * one, 0 * one,
                      0 * one, 0 * one, 0.0, 0 * one, 0.0, 0.0)
    cost = cost_models()["lemaire"].price(events)
    got = {name: value.low / PJ for name, value in cost.terms_mj.items()}
    assert got["weight reads"] == pytest.approx(expected["weights"])
    assert got["bias reads"] == pytest.approx(expected["bias"])
    assert got["state reads"] == pytest.approx(expected["reads"])
    assert got["state writes"] == pytest.approx(expected["writes"])
    assert got["queue reads"] + got["queue writes"] == pytest.approx(expected["queues"])
    assert got["addressing"] == pytest.approx(expected["addressing"])
    operations = got["synops"] + got["active updates"] + got["idle updates"] + got["spikes"]
    assert operations == pytest.approx(expected["operations"])
    assert cost.dynamic_mj.low == pytest.approx(sum(expected.values()) * PJ)
    assert cost.streaming is None and cost.total_mj is None


def test_a_larger_memory_costs_more_per_access() -> None:
    access = cost_models()["lemaire"].access
    assert access is not None
    sizes = np.array([1, 8192, 20480, 32768, 1 << 20, (1 << 20) + (32768 - 8192)], dtype=float)
    low, high = access.access_pj(np.stack([sizes, sizes]))
    assert low[:5].tolist() == [10, 10, 15, 20, 100] and (low == high).all()
    assert low[5] == pytest.approx(100 + 80 * 24576 / (1048576 - 32768))


def test_no_spikes_cost_no_events() -> None:
    for name, model in cost_models().items():
        cost = model.price(silent())
        for term, energy in cost.terms_mj.items():
            if term not in ("idle updates", "bias reads", "state reads", "state writes", "steps of a chip"):
                assert energy == Range(0, 0), (name, term)
    updates = 35 * 4
    assert cost_models()["loihi1"].price(silent()).dynamic_mj.low == pytest.approx(52 * updates * PJ)
    assert cost_models()["horowitz-fp32"].price(silent()).dynamic_mj == Range(0, 0)
    static = cost_models()["loihi1"].price(silent()).static_mj
    assert static is not None and static.low > 0


# Time --------------------------------------------------------------------------------------------


def test_a_step_is_as_long_as_its_busiest_core() -> None:
    events = work()
    per_core = []
    for core in range(3):
        synapses = 3.5 * (events.synops[core] + events.macs[core]) / 4
        neurons = (8.4 * events.updates_active[core] + 5.3 * events.updates_idle[core]) / 4
        messages = 2.1 * (events.messages_in[core] + events.messages_out[core]) / 4
        per_core.append((synapses, neurons, messages))
    cost = cost_models()["loihi1"].price(events)
    assert cost.step is not None
    # Two chips: one step between them, whichever way they stand.
    assert cost.step.ns.low == pytest.approx(max(map(max, per_core)) + 113 + 210)
    assert cost.step.ns.high == pytest.approx(max(map(sum, per_core)) + 465 + 213)
    assert (cost.step.core, cost.step.kind) == (0, "synapses")
    assert cost.step.idle_ns.low == pytest.approx(5.3 * 20 + 113 + 210)


@pytest.mark.parametrize(("chips", "steps"), [
    (1, (0, 0)), (2, (1, 1)), (4, (2, 3)), (8, (4, 4)), (9, (4, 5)), (10, (5, 5)), (256, (30, 66))])
def test_the_barrier_grows_with_the_board(chips: int, steps: tuple[int, int]) -> None:
    zero = np.zeros(chips)
    events = CoreWork(1, 1, np.arange(chips), *(zero,) * 11, 0.0, zero, 0.0, 0.0)
    step = cost_models()["loihi1"].price(events).step
    assert step is not None
    assert step.ns == Range(113 + 210 * steps[0], 465 + 213 * steps[1])


def test_streaming_and_single_shot() -> None:
    events = work()
    cost = cost_models()["loihi1"].price(events)
    assert cost.step is not None and cost.streaming is not None and cost.single_shot is not None
    streaming, single = cost.streaming, cost.single_shot
    step_ms = cost.step.ns.bounds * 1e-6
    assert (streaming.steps, single.steps) == (4, 10)
    np.testing.assert_allclose(streaming.period_ms.bounds, 4 * step_ms)
    np.testing.assert_allclose(streaming.latency_ms.bounds, 10 * step_ms)
    np.testing.assert_allclose(streaming.samples_per_s.bounds, 1e3 / (4 * step_ms[::-1]))
    # One at a time: T busy steps at least; all of them busy at most.
    assert single.latency_ms.high == pytest.approx(10 * step_ms[1])
    assert single.latency_ms.low == pytest.approx(4 * step_ms[0] + 6 * cost.step.idle_ns.low * 1e-6)
    assert single.period_ms == single.latency_ms
    assert single.dynamic_mj.low == pytest.approx(cost.dynamic_mj.low + 52 * 35 * 6 * PJ)
    for pace in (streaming, single):
        assert pace.static_mj is not None and pace.total_mj is not None and pace.edp_mj_ms is not None
        np.testing.assert_allclose(pace.static_mj.bounds, np.array([104.3, 104.4]) * 2 * pace.period_ms.bounds * 1e-3)
        np.testing.assert_allclose(pace.total_mj.bounds, pace.static_mj.bounds + pace.dynamic_mj.bounds)
        np.testing.assert_allclose(pace.edp_mj_ms.bounds, pace.total_mj.bounds * pace.latency_ms.bounds)
    assert cost.static_mj == streaming.static_mj and cost.total_mj == streaming.total_mj


def test_one_step_networks_and_no_waiting() -> None:
    cost = cost_models()["loihi1"].price(work(latency_steps=4))
    assert cost.streaming is not None and cost.single_shot is not None
    assert cost.single_shot.latency_ms == cost.streaming.latency_ms
    assert cost.single_shot.dynamic_mj == cost.streaming.dynamic_mj


def test_a_step_takes_as_long_as_its_slowest_part() -> None:
    model = cost_models()["loihi2-fitted"]
    times = model.times
    assert isinstance(times, Slowest)

    def parts_of(events: CoreWork) -> dict[str, np.ndarray]:
        return {"synapses": times.synop.values * (events.synops + events.macs).max() / 4,
                "neurons": times.update.values * events.neurons.max(),
                "synaptic memory": times.read.values * events.reads.max() / 4,
                "links": times.link.values * events.link_messages / 4,
                "links between chips": times.chip_link.values * events.chip_link_messages / 4,
                "barrier": times.barrier.values + times.barrier_chip.values}
    for kind, events in {"barrier": work(), "synapses": work(synops=np.array([9.0, 9e4, 9.0])),
                         "neurons": work(neurons=np.array([3.0, 9e4, 0.0])), "links": work(link_messages=9e5),
                         "synaptic memory": work(reads=np.array([0.0, 0.0, 9e6])),
                         "links between chips": work(chip_link_messages=9e4)}.items():
        step = model.price(events).step
        assert step is not None and step.kind == kind
        np.testing.assert_allclose(step.ns.values, np.max(list(parts_of(events).values()), axis=0))
    assert parts(work()) == {"synop": 1000 / 4, "update": 20, "read": 210 / 4, "link": 25 / 4, "chip_link": 1,
                             "barrier": 1}


def test_the_best_estimate_lies_in_every_range() -> None:
    cost = cost_models()["loihi2-fitted"].price(work())
    assert cost.best_estimate and cost.streaming is not None and cost.single_shot is not None
    found = [cost.dynamic_mj, cost.step.ns if cost.step else None, *cost.terms_mj.values()]
    for pace in (cost.streaming, cost.single_shot):
        found += [pace.period_ms, pace.samples_per_s, pace.dynamic_mj, pace.static_mj, pace.total_mj, pace.edp_mj_ms]
    for value in found:
        assert value is not None and value.low <= value.middle <= value.high
    rate, period = cost.streaming.samples_per_s, cost.streaming.period_ms
    assert rate.middle == pytest.approx(1e3 / period.middle) and rate.low == pytest.approx(1e3 / period.high)
    assert cost.middle()["total_mj"] == cost.streaming.total_mj.middle  # type: ignore[union-attr]
    chip, core = cost_models()["loihi2-fitted"].constants["static.chip"], cost_models()["loihi2-fitted"].static_core_mw
    assert core is not None and cost.streaming.static_mj is not None
    assert cost.streaming.static_mj.middle == pytest.approx(
        (2 * chip.value.middle + 3 * core.middle) * period.middle * 1e-3)


# Properties --------------------------------------------------------------------------------------

EVENTS = ("updates_active", "updates_idle", "synops", "macs", "spikes", "messages_in", "messages_out", "hops_ew",
          "hops_ns", "chip_crossings")
COUNTS = st.lists(st.floats(0, 1e7), min_size=12, max_size=12)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.lists(COUNTS, min_size=1, max_size=5), st.floats(0.5, 8), st.sampled_from(sorted(cost_models())))
def test_energy_is_additive_over_cores_and_linear_in_events(rows: list[list[float]], factor: float, name: str) -> None:
    columns = np.array(rows)
    model = cost_models()[name]

    def price(columns: np.ndarray) -> Cost:
        chip = columns[:, 11].astype(np.int64) % 3
        # The size of the state memory depends on the neurons, which stay; everything else is a count.
        counts: dict[str, Any] = dict(zip(EVENTS, columns[:, 1:11].T))
        return model.price(work(chip=chip, neurons=columns[:, 0], host_messages=0.0, reads=columns[:, 3], **counts))

    whole = price(columns)
    assert whole.dynamic_mj.low <= whole.dynamic_mj.high
    np.testing.assert_allclose(whole.core_mj.sum(axis=1), whole.dynamic_mj.bounds)
    # What a chip takes to step does not depend on what its cores do; they share it.
    per_chip = model.energies.chip_step.bounds * 4 * PJ
    chips = columns[:, 11].astype(np.int64) % 3
    on_chip = np.bincount(chips)[chips]
    fixed = per_chip * len(np.unique(chips))
    np.testing.assert_allclose(np.sum([term.bounds for term in whole.terms_mj.values()], axis=0),
                               whole.dynamic_mj.bounds)
    for core in range(len(columns)):
        alone = price(columns[core:core + 1]).dynamic_mj.bounds - per_chip
        np.testing.assert_allclose(alone, whole.core_mj[:, core] - per_chip / on_chip[core], rtol=1e-6, atol=1e-12)
    scaled = columns.copy()
    scaled[:, 1:11] *= factor
    np.testing.assert_allclose(price(scaled).dynamic_mj.bounds - fixed, factor * (whole.dynamic_mj.bounds - fixed),
                               rtol=1e-6, atol=1e-12)
    if whole.streaming is not None and whole.single_shot is not None:
        assert whole.streaming.samples_per_s.low <= whole.streaming.samples_per_s.high
        assert whole.single_shot.latency_ms.low <= whole.streaming.latency_ms.low * (1 + 1e-12)
        assert whole.single_shot.dynamic_mj.low >= whole.streaming.dynamic_mj.low


# Tables ------------------------------------------------------------------------------------------


def test_every_constant_has_a_source_and_loihi_2_is_named_by_its_own_table_alone() -> None:
    assert set(cost_models()) == {"horowitz-fp32", "horowitz-int8", "lemaire", "loihi1", "loihi1-fitted",
                                  "loihi1-intel-factors", "loihi2-fitted"}
    for name, model in cost_models().items():
        assert ("loihi2" in name) == model.title.startswith("Loihi 2") == model.best_estimate
        assert len(model.constants) >= 11 and model.about
        for key, constant in model.constants.items():
            if constant.source.startswith("none"):
                assert constant.basis in ("assumed", "not modelled"), f"{name}: {key}"
            if constant.basis == "assumed":
                assert constant.note or not constant.source.startswith("none"), f"{name}: {key}"


def test_derived_tables_agree_with_what_they_derive_from() -> None:
    base, divided = cost_models()["loihi1"], cost_models()["loihi1-intel-factors"]
    assert base.times is not None and divided.times is not None
    assert divided.energies == base.energies and divided.static_chip_mw == base.static_chip_mw
    for name, factor in (("synop", 5), ("mac", 5), ("update_active", 2), ("update_idle", 2), ("message_in", 10),
                         ("message_out", 10)):
        np.testing.assert_allclose(getattr(divided.times, name).bounds, getattr(base.times, name).bounds / factor)
    # Frady et al.: the barrier of 4 x 64 and of 12 x 64 chips, from corner to corner.
    for way, microseconds in ((3 + 63, 14.3), (11 + 63, 16.2)):
        low = 465 + way * base.times.barrier_chip.low
        high = 465 + way * base.times.barrier_chip.high
        assert low <= microseconds * 1e3 + 50 and high >= microseconds * 1e3 - 50


def test_a_record_is_plain_data() -> None:
    for model in cost_models().values():
        record = json.loads(json.dumps(model.price(work()).as_record(), allow_nan=False))
        assert record["model"] == model.name and len(record["core_mj"]) == 2
        assert (record["streaming"] is None) == (model.times is None)
        assert ("middle" in record) == (model.name == "loihi2-fitted")


def constant(value: str = "value = 1", unit: str = "pJ", rest: str = "") -> str:
    return f'{value}\nunit = "{unit}"\nsource = "a datasheet"\nbasis = "measured"\n{rest}\n'


HEAD = 'title = "mine"\nabout = "a chip of mine"\n'


def save(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return path


def test_a_users_table_changes_a_built_in_one(tmp_path: Path) -> None:
    path = save(tmp_path, HEAD + 'base = "loihi1"\n[energy.synop]\n' + constant("low = 5\nhigh = 7"))
    model = load_cost_model(path)
    assert (model.name, model.title) == ("mine", "mine")
    assert model.energies == replace(cost_models()["loihi1"].energies, synop=Range(5, 7))
    assert model.times == cost_models()["loihi1"].times
    np.testing.assert_allclose(model.price(work()).terms_mj["synops"].bounds, np.array([5, 7]) * 1340 * PJ)
    assert model.constants["energy.synop"].basis == "measured"


def test_a_table_of_a_users_own(tmp_path: Path) -> None:
    whole: dict[str, Any] = {"energy": cost_models()["loihi1"].energies, "time": cost_models()["loihi1"].times}
    text = HEAD
    for section, values in whole.items():
        for name in vars(values):
            text += f"[{section}.{name}]\n" + constant("value = 2", "ns" if section == "time" else "pJ")
    text += "[static.chip]\n" + constant("value = 50", "mW") + "[static.core]\n" + constant("value = 2", "mW")
    model = load_cost_model(save(tmp_path, text))
    cost = model.price(work())
    assert cost.step is not None and cost.streaming is not None and cost.streaming.static_mj is not None
    assert cost.terms_mj["host messages"].low == pytest.approx(12 * PJ)
    assert cost.streaming.static_mj.low == pytest.approx((50 * 2 + 2 * 3) * 1e-3 * cost.streaming.period_ms.low)


def replaced(old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)
    return change


SYNOP = HEAD + 'base = "loihi1"\n[energy.synop]\n' + constant()


@pytest.mark.parametrize(("change", "message"), [
    (replaced("value = 1", "value = -1"), ("negative", "energy.synop", "-1")),
    (replaced("value = 1", "value = nan"), ("not finite", "energy.synop", "nan")),
    (replaced("value = 1", "value = inf"), ("not finite", "energy.synop", "inf")),
    (replaced("value = 1", "value = 1" + "0" * 400), ("not finite", "energy.synop")),
    (replaced("value = 1", "value = true"), ("must be a number", "energy.synop", "True")),
    (replaced("value = 1", 'value = "1"'), ("must be a number", "energy.synop")),
    (replaced("value = 1", "low = 1"), ("a low and a high", "energy.synop", "low")),
    (replaced("value = 1", "value = 1\nlow = 1\nhigh = 2"), ("a low and a high", "value, low, high")),
    (replaced("value = 1", "low = 2\nhigh = 1"), ("wrong order", "energy.synop")),
    (replaced("value = 1", "low = 1\nmiddle = 3\nhigh = 2"), ("wrong order", "1.0 to 3.0 to 2.0")),
    (replaced("value = 1", "low = 1\nmiddle = 3"), ("a low and a high", "low, middle")),
    (replaced("[energy.synop]", "[slowest.synop]"), ("wrong unit", "slowest.synop", "ns")),
    (replaced("value = 1", ""), ("a low and a high", "none")),
    (replaced('unit = "pJ"', 'unit = "nJ"'), ("wrong unit", "energy.synop", "nJ", "pJ")),
    (replaced('unit = "pJ"', ""), ("no unit", "energy.synop")),
    (replaced('source = "a datasheet"', ""), ("no source", "energy.synop")),
    (replaced('source = "a datasheet"', 'source = " "'), ("no source", "energy.synop")),
    (replaced('"measured"', '"heard"'), ("unknown basis", "heard", "published")),
    (replaced('"measured"', '"not modelled"'), ("not modelled has a value", "energy.synop")),
    (replaced('basis = "measured"', 'basis = "measured"\nnote = 3'), ("note must be text", "energy.synop")),
    (replaced('basis = "measured"', 'basis = "measured"\nsorce = "x"'), ("unknown key", "sorce", "source")),
    (replaced("[energy.synop]", "[energy.synops]"), ("unknown constant", "synops", "did you mean synop?")),
    (replaced("[energy.synop]", "[energies.synop]"), ("unknown entry", "energies")),
    (replaced("[energy.synop]", "[energy]\nsynop = 3\n[access.sram_8kib]"), ("value, a unit and a source",)),
    (replaced("[energy.synop]", "[time.synop]"), ("wrong unit", "time.synop", "ns")),
    (replaced('base = "loihi1"', 'base = "loihi2"'), ("does not exist", "loihi2", "loihi1")),
    (replaced('base = "loihi1"', ""), ("lacks constants", "[energy]", "mac", "update_idle")),
    (replaced('base = "loihi1"', 'base = "horowitz-fp32"\n[static.chip]\n' + constant(unit="mW")),
     ("static power without times", "[static]")),
    (replaced('base = "loihi1"', 'base = "loihi1"\n[access.queue_memory]\n' + constant(unit="B")),
     ("lacks constants", "[access]", "sram_8kib")),
    (replaced('title = "mine"', ""), ("lacks an entry", "title")),
    (replaced('title = "mine"', "title = 3"), ("must be text", "title")),
    (replaced('title = "mine"', "title = "), ("not valid TOML",)),
    (replaced("[energy.synop]", "energy = 3\n[x]"), ("unknown entry", "x")),
    (lambda text: HEAD + "energy = 3", ("must hold constants", "energy")),
    (lambda text: HEAD, ("lacks a section", "[energy]")),
    (lambda text: "", ("lacks an entry", "title")),
    (lambda text: "a = " + "[" * 5000, ("not valid TOML",)),
])
def test_a_bad_table_gives_one_clear_error(tmp_path: Path, change: Callable[[str], str],
                                           message: tuple[str, ...]) -> None:
    path = save(tmp_path, change(SYNOP))
    with pytest.raises(ConfigError) as caught:
        load_cost_model(path)
    text = str(caught.value)
    assert str(path) in text
    for part in message:
        assert part in text


def test_a_table_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_cost_model(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_cost_model(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b'title = "\xe9"')
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_cost_model(tmp_path / "latin.toml")


@pytest.mark.parametrize("given", [
    {"synops": np.array([1.0, -1.0, 0.0])}, {"macs": np.array([1.0, np.nan, 0.0])}, {"host_messages": np.inf},
    {"steps": 0}, {"latency_steps": 0},
])
def test_impossible_work_is_refused(given: dict) -> None:
    with pytest.raises(ConfigError):
        cost_models()["loihi1"].price(work(**given))


def test_no_cores_are_refused() -> None:
    empty = np.zeros(0)
    with pytest.raises(ConfigError, match="of no core"):
        cost_models()["loihi1"].price(CoreWork(4, 4, np.zeros(0, np.int64), *(empty,) * 11, 0.0, empty, 0.0,
                                                0.0))


def test_built_in_models_cannot_be_replaced() -> None:
    model: CostModel = cost_models()["loihi1"]
    with pytest.raises(TypeError):
        cost_models()["other"] = model  # type: ignore[index]


@pytest.mark.parametrize(("low", "high", "text"), [
    (0, 0, "0"), (1.2345, 1.2345, "1.23"), (1.2345, 45.67, "1.23–45.7"), (99.96, 99.96, "100"),
    (12345.6, 12345.6, "12,300"), (4e-7, 4e-7, "4.00e-07"), (0.00123, 0.00123, "0.00123"), (1.2341, 1.2342, "1.23"),
])
def test_ranges_are_printed_with_three_digits(low: float, high: float, text: str) -> None:
    assert str(Range(low, high)) == text


@pytest.mark.parametrize(("given", "text"), [
    (Range(1, 4, 2), "2.00 (1.00–4.00)"), (Range(1, 4), "2.50 (1.00–4.00)"), (Range(3, 3), "3.00")])
def test_a_best_estimate_stands_before_its_range(given: Range, text: str) -> None:
    assert given.best_text() == text and Range.of(given.values) == given and Range.of(given.bounds) == given
