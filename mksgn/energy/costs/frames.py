"""What a sample costs when its frames come at the pace of a sensor; and what a frame of a stream without ends does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mksgn.energy.costs.model import Cost, CostModel
from mksgn.energy.costs.quantity import Range
from mksgn.energy.work import CoreWork

_MS_PER_NS = 1e-6


@dataclass(frozen=True)
class FramePace:
    """One sample at a time, whose frames come at the pace of a sensor; or a frame of a stream without ends.

    Parameters
    ----------
    period_ms : float
        From the first frame of a sample to that of the next; from one frame of an endless stream to the next.
    after_last_ms : Range
        From the last frame to the answer; from a frame of an endless stream to the decision that it completes.
    keeps_up : bool
        The chip is done with a sample (a frame) before the next one begins. Where it is not, its figures are of no use.
    dynamic_mj : Range
        Of a sample, every neuron being updated in every step until the answer is there; or of a frame.
    static_mj, total_mj : Range or None
        Static power x chips x period, and the sum; None where the model has no static power.
    """

    period_ms: float
    after_last_ms: Range
    keeps_up: bool
    dynamic_mj: Range
    static_mj: Range | None
    total_mj: Range | None


def at_frame_rate(model: CostModel, work: CoreWork, cost: Cost, frames: int, per_second: float,
                  steps_before_last: int) -> FramePace | None:
    """The cost of a sample at a frame rate; None where the model has no times.

    The chip steps when there is something to do, and waits at the barrier for the next frame. Only static power counts
    while it waits.

    Parameters
    ----------
    model : CostModel
    work : CoreWork
    cost : Cost
        ``model.price(work)``.
    frames : int
        Of a sample.
    per_second : float
        Frame rate of the sensor.
    steps_before_last : int
        Steps that are done when the last frame enters: 0 where all frames enter at once.
    """
    if cost.step is None or cost.single_shot is None:
        return None
    period = 1e3 * frames / per_second
    left = work.latency_steps - steps_before_last
    after = Range.of(cost.step.any_ns.values * left * _MS_PER_NS)
    static = total = None
    power = model.static_mw(work)
    if power is not None:
        energy = power.values * period * 1e-3  # mW ms = uJ
        static, total = Range.of(energy), Range.of(energy + cost.single_shot.dynamic_mj.values)
    return FramePace(period, after, bool(np.all(cost.single_shot.period_ms.bounds <= period)),
                     cost.single_shot.dynamic_mj, static, total)


def at_endless_rate(model: CostModel, work: CoreWork, cost: Cost, per_second: float,
                    steps_ms: np.ndarray | None) -> FramePace | None:
    """The cost of a frame of a stream without ends at a frame rate; None where the model has no times.

    A frame is so many steps, no more and no fewer: delays are counted in steps, so the chip cannot run ahead of the
    sensor. A decision that takes L steps from its last frame on is there so many frames later as L exceeds the steps of
    that frame.

    Parameters
    ----------
    model : CostModel
    work : CoreWork
        Of a frame; L is ``latency_steps``.
    cost : Cost
        ``model.price(work)``.
    per_second : float
        Frame rate of the sensor.
    steps_ms : float64 ndarray (steps, 3) or None
        What each step of a frame takes: low, best and high.
    """
    if steps_ms is None:
        return None
    period = 1e3 / per_second
    frames, left = divmod(work.latency_steps - 1, work.steps)
    after = Range.of(frames * period + steps_ms[:left + 1].sum(axis=0))
    static = total = None
    power = model.static_mw(work)
    if power is not None:
        energy = power.values * period * 1e-3  # mW ms = uJ
        static, total = Range.of(energy), Range.of(energy + cost.dynamic_mj.values)
    return FramePace(period, after, bool(np.all(steps_ms.sum(axis=0) <= period)), cost.dynamic_mj, static, total)
