r"""From probe readings to figures: warm-up left out, static and dynamic apart, noise told from signal.

For S samples of R runs each, with total power P, R static readings p after idle runs, and t the mean time per step:

.. math:: P_{dyn} = \bar P - \bar p, \qquad E = P \, T \, t

.. math:: floor = \max\left(t_{0.975, \nu} \sqrt{\frac{s_P^2}{S R} + \frac{s_p^2}{R}},\; q\right),
          \qquad \nu = \min(S (R - 1), R - 1)

with s the standard deviation between repeated runs (pooled over samples), the quantile of Student's t for a two-sided
95 % interval and the smaller of the two degrees of freedom (never too narrow), and q the resolution of the sensor.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.special import stdtrit

from mksgn.errors import BackendError
from mksgn.ir import Graph
from mksgn.loihi.checks import Procedure
from mksgn.loihi.result import BELOW, CoreReading, Figure, RunReading

MIN_READINGS = 10
"""Power readings of a run after its warm-up; a mean of fewer says little."""
_QUANTILE = 0.975
_EVENTS = ("spikes_in", "synops", "neuron_updates", "spikes_out")


def run_reading(kind: str, sample: int | None, message: dict[str, Any], procedure: Procedure,
                graph: Graph) -> RunReading:
    """Means of one run under the power and time probes, its warm-up left out.

    Raises
    ------
    BackendError
        When a probe returned too little.
    """
    power = message["probes"]["power"]
    total = procedure.total(graph)
    means: dict[str, float] = {}
    left = 0
    for name, values in power.items():
        if name.startswith("static"):
            means[name] = float(values.mean())
            continue
        # Readings are evenly spread over the run, steps nearly so.
        kept = values[math.ceil(len(values) * procedure.warmup / total):]
        left = len(kept)
        if left < MIN_READINGS:
            raise BackendError("too few power readings for a mean", where=f"{name} power, {kind} run",
                               got=f"{left} after the warm-up", allowed=f"at least {MIN_READINGS}",
                               fix="measure more steps")
        means[name] = float(kept.mean())
    times = {name: _steady(name, values, procedure) for name, values in message["probes"]["time"].items()}
    step = times.pop("step")
    return RunReading(
        kind, sample, means, left,
        {"mean": float(step.mean()), "sd": float(step.std(ddof=1)), "median": float(np.median(step)),
         "slowest": float(step.max()), "first": float(message["probes"]["time"]["step"][0])},
        {name: float(values.mean()) for name, values in times.items()}, float(message["seconds"]))


def _steady(name: str, values: np.ndarray, procedure: Procedure) -> np.ndarray:
    end = procedure.warmup + procedure.steps
    if len(values) < end:
        raise BackendError("the time probe lost steps", where=f"{name} time", got=f"{len(values)} steps",
                           allowed=f"at least {end}", fix="change time_buffer")
    return values[procedure.warmup:end]


def resolution(readings: list[np.ndarray]) -> float:
    """Smallest difference between two power readings of any runs, W.

    Raises
    ------
    BackendError
        When all readings are the same: a sensor that never moves measures nothing.
    """
    levels = np.unique(np.concatenate(readings))
    if len(levels) < 2:
        raise BackendError("the power sensor never changed its reading", where="total power",
                           got=f"{levels[0]:g} W, {sum(map(len, readings))} times",
                           fix="use a board with power sensors")
    return float(np.diff(levels).min())


def figure(values: np.ndarray, unit: str) -> Figure:
    """Mean over samples and runs of ``values``, (S, R), and the spread between repeated runs."""
    return Figure(float(values.mean()), unit, math.sqrt(_variance(values)), values.size)


def noise_floor(total: np.ndarray, static: np.ndarray, quantum: float) -> Figure:
    """Smallest dynamic power that these runs can tell from nothing; the equation at the head of this module.

    Parameters
    ----------
    total : float64 ndarray (S, R)
    static : float64 ndarray (R,)
    quantum : float
        Resolution of the power readings.
    """
    variance = _variance(total) / total.size + _variance(static[None]) / static.size
    freedom = min(total.shape[0] * (total.shape[1] - 1), static.size - 1)
    floor = max(float(stdtrit(freedom, _QUANTILE)) * math.sqrt(variance), quantum)
    return Figure(floor, "W", math.sqrt(variance), total.size + static.size)


def above(measured: Figure, power: Figure, floor: Figure) -> Figure:
    """``measured``, or no number where the dynamic ``power`` it rests on does not exceed the noise floor."""
    assert power.value is not None and floor.value is not None
    if power.value > floor.value:
        return measured
    return Figure(None, measured.unit, measured.spread, measured.runs, BELOW)


def core_readings(messages: list[dict[str, Any]], samples_run: float) -> tuple[CoreReading, ...]:
    """Counters and memory of every core, mean over ``messages``, one per sample, of runs of ``samples_run`` samples."""
    events: dict[tuple[int, int], np.ndarray] = {}
    memory: dict[tuple[int, int], float] = {}
    for message in messages:
        activity, used = message["probes"]["activity"], message["probes"]["memory"]
        rows = np.stack([activity[name] for name in _EVENTS], axis=1) / (samples_run * len(messages))
        for place, row in zip(_places(activity), rows):
            events[place] = events.get(place, np.zeros(len(_EVENTS))) + row
        memory.update(zip(_places(used), used["used"].tolist()))
    return tuple(CoreReading(chip, core, memory.get((chip, core)),
                             *(events.get((chip, core), np.zeros(len(_EVENTS))).tolist()))
                 for chip, core in sorted({*events, *memory}))


def _places(readings: dict[str, np.ndarray]) -> list[tuple[int, int]]:
    """(chip, core) of every row; an extension without chip numbers has one chip."""
    cores = readings["core"].astype(int)
    chips = readings.get("chip", np.zeros(len(cores))).astype(int)
    return list(zip(chips.tolist(), cores.tolist()))


def _variance(values: np.ndarray) -> float:
    """Variance between repeated runs, along the last axis, pooled over samples."""
    return float(values.var(axis=1, ddof=1).mean())
