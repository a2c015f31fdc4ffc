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
    low = min(cost.step.idle_ns.low, cost.step.ns.low) * left
    after = Range(low * _MS_PER_NS, cost.step.ns.high * left * _MS_PER_NS)
    static = total = None
    if model.static_chip_mw is not None:
        energy = model.static_chip_mw.bounds * work.chips * period * 1e-3  # mW ms = uJ
        static, total = Range.of(energy), Range.of(energy + cost.single_shot.dynamic_mj.bounds)
    return FramePace(period, after, bool(np.all(cost.single_shot.period_ms.bounds <= period)),
                     cost.single_shot.dynamic_mj, static, total)


def at_endless_rate(model: CostModel, work: CoreWork, cost: Cost, per_second: float) -> FramePace | None:
    """The cost of a frame of a stream without ends at a frame rate; None where the model has no times.

    A frame is T steps, no more and no fewer: delays are counted in steps, so the chip cannot run ahead of the sensor. A
    decision that takes L steps from its last frame on is there so many frames later as L exceeds the T of that frame.

    Parameters
    ----------
    model : CostModel
    work : CoreWork
        Of a frame; L is ``latency_steps``.
    cost : Cost
        ``model.price(work)``.
    per_second : float
        Frame rate of the sensor.
    """
    if cost.step is None or cost.streaming is None:
        return None
    period = 1e3 / per_second
    frames, left = divmod(work.latency_steps - 1, work.steps)
    low = min(cost.step.idle_ns.low, cost.step.ns.low)
    after = Range.of(frames * period + np.array([low, cost.step.ns.high]) * (left + 1) * _MS_PER_NS)
    static = total = None
    if model.static_chip_mw is not None:
        energy = model.static_chip_mw.bounds * work.chips * period * 1e-3  # mW ms = uJ
        static, total = Range.of(energy), Range.of(energy + cost.dynamic_mj.bounds)
    return FramePace(period, after, bool(np.all(cost.streaming.period_ms.bounds <= period)), cost.dynamic_mj, static,
                     total)
