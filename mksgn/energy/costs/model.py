"""A cost model, and what a sample costs by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from mksgn.energy.costs.access import Access
from mksgn.energy.costs.latency import StepTime, Times, step_time
from mksgn.energy.costs.quantity import Constant, Range
from mksgn.energy.work import CoreWork
from mksgn.errors import ConfigError

_MJ_PER_PJ = 1e-9
_MS_PER_NS = 1e-6


@dataclass(frozen=True)
class Energies:
    """Energies of the events, pJ.

    Parameters
    ----------
    synop, mac : Range
        Per non-zero weight met by a spike, and by a graded message.
    update_active, update_idle : Range
        Per neuron update that changed the neuron, and that did not.
    spike : Range
        Per spike that is generated, wherever it goes.
    message_in, message_out : Range
        Per message that arrives at a core, and that leaves one.
    hop_ew, hop_ns : Range
        Per hop of a message between tiles, along either axis of the mesh.
    chip_crossing : Range
        Per message that goes to another chip.
    host_message : Range
        Per message that enters from the host.
    """

    synop: Range
    mac: Range
    update_active: Range
    update_idle: Range
    spike: Range
    message_in: Range
    message_out: Range
    hop_ew: Range
    hop_ns: Range
    chip_crossing: Range
    host_message: Range


ENERGY_UNITS = {item.name: "pJ" for item in fields(Energies)}
"""Units of the constants in a table's section ``energy``."""


@dataclass(frozen=True)
class Pace:
    """One way of running samples: back to back, or one at a time.

    Parameters
    ----------
    steps : int
        Time steps from the start of one sample to the start of the next.
    period_ms, latency_ms : Range
        Time between two answers, and from a sample's first input to its answer.
    samples_per_s : Range
    dynamic_mj : Range
        Dynamic energy of a sample; one at a time, the neurons are also updated in the steps that other samples
        would have filled.
    static_mj, total_mj : Range or None
        Static power x chips x period, and the sum; None where the model has no static power.
    edp_mj_ms : Range or None
        Energy-delay product: total energy x latency, in mJ ms (= uJ s).
    """

    steps: int
    period_ms: Range
    latency_ms: Range
    samples_per_s: Range
    dynamic_mj: Range
    static_mj: Range | None
    total_mj: Range | None
    edp_mj_ms: Range | None


@dataclass(frozen=True)
class Cost:
    """The cost of one sample by one model. Every figure is modelled, none is measured.

    Parameters
    ----------
    model : str
    terms_mj : dict of str to Range
        Dynamic energy by kind of event.
    dynamic_mj : Range
        Their sum.
    core_mj : float64 ndarray (2, cores)
        Lower and upper bound of the dynamic energy of each core (without the host's messages).
    step : StepTime or None
        None where the model has no times.
    streaming, single_shot : Pace or None
        Samples back to back, one every T steps; and one at a time, each through the whole network before the next.
    """

    model: str
    terms_mj: dict[str, Range]
    dynamic_mj: Range
    core_mj: np.ndarray
    step: StepTime | None
    streaming: Pace | None
    single_shot: Pace | None

    @property
    def static_mj(self) -> Range | None:
        """Static energy per sample with samples back to back; None where the model has none."""
        return self.streaming.static_mj if self.streaming else None

    @property
    def total_mj(self) -> Range | None:
        """Dynamic and static energy with samples back to back; None where the model has no static energy."""
        return self.streaming.total_mj if self.streaming else None

    def as_record(self) -> dict[str, Any]:
        """The cost as JSON-ready data: every range a pair ``[low, high]``, what the model lacks None."""
        return {
            "model": self.model,
            "terms_mj": {name: _pair(value) for name, value in self.terms_mj.items()},
            "dynamic_mj": _pair(self.dynamic_mj),
            "core_mj": self.core_mj.tolist(),
            "step": None if self.step is None else {
                "us": _pair(self.step.ns, 1e-3), "core": self.step.core, "kind": self.step.kind},
            "streaming": _pace_record(self.streaming),
            "single_shot": _pace_record(self.single_shot),
        }


@dataclass(frozen=True)
class CostModel:
    """Prices of events; one table of ``mksgn/energy/tables``, or a user's own.

    Parameters
    ----------
    name : str
        Short name, as on the command line.
    title, about : str
        The chip or circuit that the figures stand for, and what they leave out.
    energies : Energies
    times : Times or None
        None: the model says nothing about time.
    static_chip_mw : Range or None
        Static power of a chip, mW; None: the model has none.
    access : Access or None
        Memory accesses and addressing; None: they are contained in the energies, or left out.
    constants : dict of str to Constant
        Every constant by its name in the table, such as ``energy.synop``, with its source.
    """

    name: str
    title: str
    about: str
    energies: Energies
    times: Times | None = None
    static_chip_mw: Range | None = None
    access: Access | None = None
    constants: Mapping[str, Constant] = field(default_factory=dict, compare=False)

    def price(self, work: CoreWork) -> Cost:
        """Energy and time of one sample.

        Dynamic energy is the sum over cores and kinds of event of count x energy; :mod:`~mksgn.energy.costs.access`
        adds memory, :mod:`~mksgn.energy.costs.latency` gives the time of a step. A sample that sends no spikes
        costs what neuron updates and static power cost, and nothing else.

        Raises
        ------
        ConfigError
            When the work is of no core, or a count is negative or not finite.
        """
        _check(work)
        terms = self._terms_pj(work)
        host = self.energies.host_message.bounds * work.host_messages
        core_pj = np.sum(list(terms.values()), axis=0)
        by_term = {name: Range.of(value.sum(axis=1) * _MJ_PER_PJ) for name, value in terms.items()}
        by_term["host messages"] = Range.of(host * _MJ_PER_PJ)
        dynamic = Range.of((core_pj.sum(axis=1) + host) * _MJ_PER_PJ)
        if self.times is None:
            return Cost(self.name, by_term, dynamic, core_pj * _MJ_PER_PJ, None, None, None)
        step = step_time(self.times, work)
        return Cost(self.name, by_term, dynamic, core_pj * _MJ_PER_PJ, step,
                    self._streaming(work, step, dynamic), self._single_shot(work, step))

    def _terms_pj(self, work: CoreWork) -> dict[str, np.ndarray]:
        """Dynamic energy by kind of event and core, (2, cores)."""
        prices = self.energies
        events = {
            "synops": ((prices.synop, work.synops),),
            "macs": ((prices.mac, work.macs),),
            "active updates": ((prices.update_active, work.updates_active),),
            "idle updates": ((prices.update_idle, work.updates_idle),),
            "spikes": ((prices.spike, work.spikes),),
            "messages": ((prices.message_in, work.messages_in), (prices.message_out, work.messages_out)),
            "hops": ((prices.hop_ew, work.hops_ew), (prices.hop_ns, work.hops_ns)),
            "chip crossings": ((prices.chip_crossing, work.chip_crossings),),
        }
        terms = {name: np.asarray(sum(price.bounds[:, None] * count for price, count in parts))
                 for name, parts in events.items()}
        return terms | (self.access.terms_pj(work) if self.access else {})

    def _streaming(self, work: CoreWork, step: StepTime, dynamic: Range) -> Pace:
        period = step.ns.bounds * work.steps * _MS_PER_NS
        latency = step.ns.bounds * work.latency_steps * _MS_PER_NS
        return self._pace(work, work.steps, period, latency, dynamic)

    def _single_shot(self, work: CoreWork, step: StepTime) -> Pace:
        """One sample at a time: all neurons go on being updated while it passes through.

        Each of its latency_steps lasts a step's time at most; T of them do at least for the busiest core, and the
        others may be idle there.
        """
        waiting = work.latency_steps - work.steps
        idle = replace(work, updates_idle=work.updates_idle + work.neurons * waiting)
        energy = np.sum(list(self._terms_pj(idle).values()), axis=0).sum(axis=1)
        dynamic = Range.of((energy + self.energies.host_message.bounds * work.host_messages) * _MJ_PER_PJ)
        low = step.ns.low * work.steps + min(step.idle_ns.low, step.ns.low) * waiting
        duration = np.array([low, step.ns.high * work.latency_steps]) * _MS_PER_NS
        return self._pace(work, work.latency_steps, duration, duration, dynamic)

    def _pace(self, work: CoreWork, steps: int, period_ms: np.ndarray, latency_ms: np.ndarray, dynamic: Range) -> Pace:
        static = total = edp = None
        if self.static_chip_mw is not None:
            energy = self.static_chip_mw.bounds * work.chips * period_ms * 1e-3  # mW ms = uJ
            static, total = Range.of(energy), Range.of(energy + dynamic.bounds)
            edp = Range.of(total.bounds * latency_ms)
        rate = Range(1e3 / float(period_ms[1]), 1e3 / float(period_ms[0]))
        return Pace(steps, Range.of(period_ms), Range.of(latency_ms), rate, dynamic, static, total, edp)


def _check(work: CoreWork) -> None:
    if work.cores < 1:
        raise ConfigError("there is nothing to price: the work is of no core", fix="place the network first")
    if work.steps < 1 or work.latency_steps < work.steps:
        raise ConfigError("a sample's steps are impossible", got=f"{work.steps} steps, {work.latency_steps} to its "
                          "answer", allowed="at least 1 step, and no fewer to the answer")
    for item in fields(work):
        counts = np.asarray(getattr(work, item.name), dtype=np.float64)
        if not np.isfinite(counts).all() or (counts < 0).any():
            raise ConfigError("a count of events is negative or not finite", where=f"CoreWork.{item.name}",
                              got=str(counts.min()))


def _pair(value: Range | None, scale: float = 1.0) -> list[float] | None:
    return None if value is None else [value.low * scale, value.high * scale]


def _pace_record(pace: Pace | None) -> dict[str, Any] | None:
    if pace is None:
        return None
    record = {item.name: getattr(pace, item.name) for item in fields(pace)}
    return {name: value if name == "steps" else _pair(value) for name, value in record.items()}
