"""A cost model, and what a sample costs by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from mksgn.energy.costs.access import Access
from mksgn.energy.costs.latency import StepTime, Times, step_time
from mksgn.energy.costs.quantity import Constant, Range
from mksgn.energy.costs.slowest import Slowest
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
    chip_step : Range
        Per chip in use and step, whatever happens in it.
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
    chip_step: Range


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
        Lower and upper bound of the dynamic energy of each core, with its share of its chip's (without the host's
        messages).
    step : StepTime or None
        None where the model has no times.
    streaming, single_shot : Pace or None
        Samples back to back, one every T steps; and one at a time, each through the whole network before the next.
    best_estimate : bool
        The middle of each range is a best estimate (:attr:`CostModel.best_estimate`).
    """

    model: str
    terms_mj: dict[str, Range]
    dynamic_mj: Range
    core_mj: np.ndarray
    step: StepTime | None
    streaming: Pace | None
    single_shot: Pace | None
    best_estimate: bool = False

    @property
    def static_mj(self) -> Range | None:
        """Static energy per sample with samples back to back; None where the model has none."""
        return self.streaming.static_mj if self.streaming else None

    @property
    def total_mj(self) -> Range | None:
        """Dynamic and static energy with samples back to back; None where the model has no static energy."""
        return self.streaming.total_mj if self.streaming else None

    def as_record(self) -> dict[str, Any]:
        """The cost as JSON-ready data: every range a pair ``[low, high]``, what the model lacks None.

        ``middle`` holds the best estimates, where the model has them.
        """
        return {
            "model": self.model,
            **({"middle": self.middle()} if self.best_estimate else {}),
            "terms_mj": {name: _pair(value) for name, value in self.terms_mj.items()},
            "dynamic_mj": _pair(self.dynamic_mj),
            "core_mj": self.core_mj.tolist(),
            "step": None if self.step is None else {
                "us": _pair(self.step.ns, 1e-3), "core": self.step.core, "kind": self.step.kind},
            "streaming": _pace_record(self.streaming),
            "single_shot": _pace_record(self.single_shot),
        }

    def middle(self) -> dict[str, float | None]:
        """The middle of the figures of a sample, back to back."""
        pace = self.streaming
        found = {"dynamic_mj": self.dynamic_mj, "static_mj": self.static_mj, "total_mj": self.total_mj,
                 "latency_ms": pace.latency_ms if pace else None,
                 "single_shot_ms": self.single_shot.latency_ms if self.single_shot else None,
                 "samples_per_s": pace.samples_per_s if pace else None, "edp_mj_ms": pace.edp_mj_ms if pace else None}
        return {name: None if value is None else value.middle for name, value in found.items()}


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
    times : Times, Slowest or None
        None: the model says nothing about time.
    static_chip_mw, static_core_mw : Range or None
        Static power of a chip in use, and what each core in use adds, mW; None: the model has none.
    access : Access or None
        Memory accesses and addressing; None: they are contained in the energies, or left out.
    constants : dict of str to Constant
        Every constant by its name in the table, such as ``energy.synop``, with its source.
    """

    name: str
    title: str
    about: str
    energies: Energies
    times: Times | Slowest | None = None
    static_chip_mw: Range | None = None
    static_core_mw: Range | None = None
    access: Access | None = None
    constants: Mapping[str, Constant] = field(default_factory=dict, compare=False)

    @property
    def best_estimate(self) -> bool:
        """Whether its constants have best estimates between their bounds."""
        return any(constant.best_estimate for constant in self.constants.values())

    def static_mw(self, work: CoreWork) -> Range | None:
        """Static power of the chips and cores in use; None where the model has none."""
        if self.static_chip_mw is None or self.static_core_mw is None:
            return None
        return Range.of(self.static_chip_mw.values * work.chips + self.static_core_mw.values * work.cores)

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
        terms = self._terms_pj(work, work.steps)
        host = self.energies.host_message.values * work.host_messages
        core_pj = np.sum(list(terms.values()), axis=0)
        by_term = {name: Range.of(value.sum(axis=1) * _MJ_PER_PJ) for name, value in terms.items()}
        by_term["host messages"] = Range.of(host * _MJ_PER_PJ)
        dynamic = Range.of((core_pj.sum(axis=1) + host) * _MJ_PER_PJ)
        core_mj = core_pj[[0, -1]] * _MJ_PER_PJ
        if self.times is None:
            return Cost(self.name, by_term, dynamic, core_mj, None, None, None, self.best_estimate)
        step = step_time(self.times, work)
        return Cost(self.name, by_term, dynamic, core_mj, step, self._streaming(work, step, dynamic),
                    self._single_shot(work, step), self.best_estimate)

    def _terms_pj(self, work: CoreWork, steps: int) -> dict[str, np.ndarray]:
        """Dynamic energy by kind of event and core, (3, cores), of a sample that takes ``steps`` steps."""
        prices = self.energies
        share = 1 / np.bincount(work.chip)[work.chip]
        events = {
            "synops": ((prices.synop, work.synops),),
            "macs": ((prices.mac, work.macs),),
            "active updates": ((prices.update_active, work.updates_active),),
            "idle updates": ((prices.update_idle, work.updates_idle),),
            "spikes": ((prices.spike, work.spikes),),
            "messages": ((prices.message_in, work.messages_in), (prices.message_out, work.messages_out)),
            "hops": ((prices.hop_ew, work.hops_ew), (prices.hop_ns, work.hops_ns)),
            "chip crossings": ((prices.chip_crossing, work.chip_crossings),),
            "steps of a chip": ((prices.chip_step, steps * share),),
        }
        terms = {name: np.asarray(sum(price.values[:, None] * count for price, count in parts))
                 for name, parts in events.items()}
        return terms | (self.access.terms_pj(work) if self.access else {})

    def _streaming(self, work: CoreWork, step: StepTime, dynamic: Range) -> Pace:
        period = step.ns.values * work.steps * _MS_PER_NS
        latency = step.ns.values * work.latency_steps * _MS_PER_NS
        return self._pace(work, work.steps, period, latency, dynamic)

    def _single_shot(self, work: CoreWork, step: StepTime) -> Pace:
        """One sample at a time: all neurons go on being updated while it passes through.

        Each of its latency_steps lasts a step's time at most; T of them do at least for the busiest core, and the
        others may be idle there. A frame of a stream without ends may be decided before its steps are over.
        """
        waiting = max(work.latency_steps - work.steps, 0)
        idle = replace(work, updates_idle=work.updates_idle + work.neurons * waiting)
        energy = np.sum(list(self._terms_pj(idle, work.steps + waiting).values()), axis=0).sum(axis=1)
        dynamic = Range.of((energy + self.energies.host_message.values * work.host_messages) * _MJ_PER_PJ)
        worked = min(work.steps, work.latency_steps)
        duration = (step.ns.values * worked + step.any_ns.values * waiting) * _MS_PER_NS
        return self._pace(work, work.latency_steps, duration, duration, dynamic)

    def _pace(self, work: CoreWork, steps: int, period_ms: np.ndarray, latency_ms: np.ndarray, dynamic: Range) -> Pace:
        static = total = edp = None
        power = self.static_mw(work)
        if power is not None:
            energy = power.values * period_ms * 1e-3  # mW ms = uJ
            static, total = Range.of(energy), Range.of(energy + dynamic.values)
            edp = Range.of(total.values * latency_ms)
        period = Range.of(period_ms)
        return Pace(steps, period, Range.of(latency_ms), period.per(1e3), dynamic, static, total, edp)


def _check(work: CoreWork) -> None:
    if work.cores < 1:
        raise ConfigError("there is nothing to price: the work is of no core", fix="place the network first")
    if min(work.steps, work.latency_steps) < 1:
        raise ConfigError("a sample's steps are impossible", got=f"{work.steps} steps, {work.latency_steps} to its "
                          "answer", allowed="at least 1 of each")
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
