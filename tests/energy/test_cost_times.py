"""Cost models: how long a step takes, and what streaming and single samples take."""

from __future__ import annotations

import numpy as np
import pytest
from core_work import PJ, work

from mksgn.energy.costs import Range, cost_models
from mksgn.energy.costs.slowest import Slowest, parts
from mksgn.energy.work import CoreWork


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
