"""Cost models: what events cost, and that energy adds up over cores and events."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from core_work import PJ, silent, work
from hypothesis import given, settings
from hypothesis import strategies as st

from mksgn.energy import E_AC_PJ, E_MAC_PJ
from mksgn.energy.costs import Cost, Range, cost_models
from mksgn.energy.work import CoreWork
from mksgn.errors import ConfigError


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


@pytest.mark.parametrize("given", [
    {"synops": np.array([1.0, -1.0, 0.0])}, {"macs": np.array([1.0, np.nan, 0.0])}, {"host_messages": np.inf},
    {"steps": 0}, {"latency_steps": 3},
])
def test_impossible_work_is_refused(given: dict) -> None:
    with pytest.raises(ConfigError):
        cost_models()["loihi1"].price(work(**given))


def test_no_cores_are_refused() -> None:
    empty = np.zeros(0)
    with pytest.raises(ConfigError, match="of no core"):
        cost_models()["loihi1"].price(CoreWork(4, 4, np.zeros(0, np.int64), *(empty,) * 11, 0.0, empty, 0.0,
                                                0.0))
