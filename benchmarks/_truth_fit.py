"""Fits the constants of the table loihi2-fitted to published runs, and predicts each run by the others.

A constant is not free: published figures bound it from below and above. Its logarithm is taken to be spread normally
between both, with half their distance as its deviation. The fit minimises

    sum over runs ((ln modelled - ln measured) / s)^2 w + sum over constants ((ln c - ln centre) / d)^2

with s = ln 1.25 where we know the events of a run and s = ln 2 where they are assumptions, and w so that all runs of
one work weigh as much as one. The range of a constant is where this sum, over the best choice of all others, stays
within 1 of its least.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from _published_runs import MEASURED, Measured
from _rebuilt_runs import MIDDLE, Rebuilt

from mksgn.energy.costs import Range
from mksgn.energy.costs.slowest import parts

Features = np.ndarray
"""float64 (parts of a sample, constants) of a time; (1, constants) of an energy or a power."""


@dataclass(frozen=True)
class Bounds:
    """What is published of a constant: a lower and an upper figure, and which."""

    low: float
    high: float
    why: str


_HALA = "Intel, 17 April 2024, Hala Point"
TIME = {
    "synop": Bounds(0.370, 3.5, f"{_HALA}: 380e12 synapses a second on 140,544 cores; Loihi 1, Davies et al. 2018"),
    "update": Bounds(0.586, 8.4, f"{_HALA}: 240e12 neuron operations a second; Loihi 1, Davies et al. 2018"),
    "read": Bounds(0.0703, 3.5, f"{_HALA}: 16 PB/s of memory, 8 bytes a word; a word per operation of Loihi 1"),
    "link": Bounds(0.274, 6.5, f"{_HALA}: 3.5 PB/s between cores, 104 links a chip, 8 bytes a message; Loihi 1's hop "
                   "by SANA-FE"),
    "barrier": Bounds(113, 1800, "Loihi 1: Davies et al. 2018, one tile; SANA-FE, 29 tiles"),
}
"""Constants of a step's time, ns."""
ENERGY = {
    "synop": Bounds(6.8, 35.5, f"{_HALA}: 2,600 W at 380e12 synapses a second; Loihi 1, SANA-FE's dense synapse"),
    "update": Bounds(10.8, 81, f"{_HALA}: 2,600 W at 240e12 neuron operations a second; Loihi 1, Davies et al. 2018"),
    "message_out": Bounds(1.7, 180.3, "Loihi 1: Davies et al. 2018, within a tile; SANA-FE, a spike and its message"),
    "chip_step": Bounds(1e4, 1e7, "nothing is published: three decades"),
}
"""Constants of dynamic energy, pJ."""
STATIC = {"chip": Bounds(30, 300, "nothing is published for a chip without its processors: a decade"),
          "core": Bounds(0.2, 5, "nothing is published: a factor of 25")}
"""Constants of static power, mW."""


@dataclass(frozen=True, eq=False)
class Row:
    """One figure of a run: what was measured, in the unit of its constants, and what it is made of."""

    run: Measured
    measured: float
    features: tuple[Features, Features, Features]


@dataclass(frozen=True)
class Fit:
    """Constants by name, with their ranges."""

    constants: dict[str, Range]
    misfit: float


@dataclass(frozen=True)
class Prediction:
    """A figure of a run by the fit to all runs, and by the fit to those of all other works."""

    run: Measured
    measured: float
    fitted: Range
    held_out: Range

    @property
    def factor(self) -> float:
        """Modelled over measured, held out."""
        return self.held_out.middle / self.measured


Model = Callable[[np.ndarray, Features], np.ndarray]
"""The figure by each of several sets of constants (sets, constants): float64 (sets,)."""
Misfit = Callable[[np.ndarray], np.ndarray]


def slowest(constants: np.ndarray, features: Features) -> np.ndarray:
    """A time: the slowest part of each step, over all steps."""
    return np.asarray((constants[:, None] * features).max(axis=2).sum(axis=1))


def summed(constants: np.ndarray, features: Features) -> np.ndarray:
    """An energy or a power: a sum."""
    return constants @ features.sum(axis=0)


# ------------------------------------------------------------------------------------------------ what runs are made of
def time_rows(runs: Mapping[str, Sequence[Rebuilt]]) -> list[Row]:
    """Times of samples, ns."""
    def features(work: Rebuilt) -> Features:
        return np.array([[part.steps * parts(part)[name] for name in TIME] for part in work])
    return [Row(run, run.sample_us * 1e3, _at_all_ends(features, runs[run.name]))
            for run in MEASURED if run.sample_us is not None and run.name in runs]


def energy_rows(runs: Mapping[str, Sequence[Rebuilt]], static: Fit) -> list[Row]:
    """Dynamic energies of samples, pJ; of a run whose total power alone is known, what static power leaves of it."""
    def features(work: Rebuilt) -> Features:
        return np.array([[sum(part.total("synops") + part.total("macs") for part in work),
                          sum(part.total("neurons") * part.steps for part in work),
                          sum(part.total("messages_out") for part in work),
                          sum(part.chips * part.steps for part in work)]])
    found = []
    for run in MEASURED:
        measured = None if run.dynamic_mj is None else run.dynamic_mj * 1e9
        if run.total_w is not None and run.sample_us is not None:
            assert run.cores is not None
            left = run.total_w - 1e-3 * (static.constants["chip"].middle + run.cores * static.constants["core"].middle)
            measured = left * run.sample_us * 1e6  # W us = uJ = 1e6 pJ
        if measured is not None and run.name in runs:
            found.append(Row(run, measured, _at_all_ends(features, runs[run.name])))
    return found


def static_rows(runs: Mapping[str, Sequence[Rebuilt]]) -> list[Row]:
    """Static powers, mW, of one chip."""
    found = []
    for run in MEASURED:
        if run.static_w is not None:
            cores = [run.cores] * 3 if run.cores is not None else [work[0].cores for work in runs[run.name]]
            low, middle, high = (np.array([[1.0, float(number)]]) for number in cores)
            found.append(Row(run, run.static_w * 1e3, (low, middle, high)))
    return found


def _at_all_ends(features: Callable[[Rebuilt], Features],
                 runs: Sequence[Rebuilt]) -> tuple[Features, Features, Features]:
    low, middle, high = (features(work) for work in runs)
    return low, middle, high


# ------------------------------------------------------------------------------------------------ the fit
def fit(rows: Sequence[Row], bounds: Mapping[str, Bounds], model: Model) -> Fit:
    """Constants that fit ``rows`` best, and how far each may move."""
    misfit = _misfit(rows, bounds, model)
    centre = np.array([math.log(each.low * each.high) / 2 for each in bounds.values()])
    best, least = _search(misfit, centre, np.ones(len(centre), bool))
    constants = {}
    for number, name in enumerate(bounds):
        ends = [_edge(misfit, best, least, number, direction) for direction in (-1.0, 1.0)]
        constants[name] = Range(math.exp(ends[0]), math.exp(ends[1]), math.exp(best[number]))
    return Fit(constants, least)


def predict(rows: Sequence[Row], bounds: Mapping[str, Bounds], model: Model) -> tuple[Fit, list[Prediction]]:
    """The fit to all rows; and each row by it, and by the rows of all other works."""
    everything = fit(rows, bounds, model)
    others = {group: fit([row for row in rows if row.run.group != group], bounds, model)
              for group in dict.fromkeys(row.run.group for row in rows)}
    return everything, [Prediction(row.run, row.measured, _priced(everything, row, model),
                                   _priced(others[row.run.group], row, model)) for row in rows]


def scaled(predictions: Sequence[Prediction], factor: float) -> list[Prediction]:
    """The same in another unit."""
    return [replace(each, measured=each.measured * factor, fitted=Range.of(each.fitted.values * factor),
                    held_out=Range.of(each.held_out.values * factor)) for each in predictions]


def _priced(found: Fit, row: Row, model: Model) -> Range:
    """By the low constants at the low end of what is assumed, and so on."""
    values = np.stack([value.values for value in found.constants.values()], axis=1)
    return Range.of(np.concatenate([model(constants[None], features)
                                    for constants, features in zip(values, row.features)]))


def _misfit(rows: Sequence[Row], bounds: Mapping[str, Bounds], model: Model) -> Misfit:
    centre = np.array([math.log(each.low * each.high) / 2 for each in bounds.values()])
    width = np.array([math.log(each.high / each.low) / 2 for each in bounds.values()])
    in_group = {row.run.group: sum(other.run.group == row.run.group for other in rows) for row in rows}

    def misfit(logs: np.ndarray) -> np.ndarray:
        constants, total = np.exp(logs), (((logs - centre) / width) ** 2).sum(axis=1)
        for row in rows:
            spread = math.log(1.25 if row.run.exact else 2.0)
            error = np.log(model(constants, row.features[MIDDLE]) / row.measured) / spread
            total += error * error / in_group[row.run.group]
        return total
    return misfit


def _search(misfit: Misfit, start: np.ndarray, free: np.ndarray) -> tuple[np.ndarray, float]:
    """The least of ``misfit``, by steps along single axes and along pairs that become smaller: deterministic."""
    axes = np.eye(len(start))[free]
    pairs = [a + sign * b for i, a in enumerate(axes) for b in axes[i + 1:] for sign in (1.0, -1.0)]
    moves = np.array([*axes, *pairs])
    moves = np.concatenate([moves, -moves])
    best, least, step = start, float(misfit(start[None])[0]), 1.0
    while free.any() and step > 1e-3:
        tried = best + step * moves
        values = misfit(tried)
        number = int(np.argmin(values))
        if values[number] < least - 1e-12:
            best, least = tried[number], float(values[number])
        else:
            step /= 2
    return best, least


def _edge(misfit: Misfit, best: np.ndarray, least: float, number: int, direction: float) -> float:
    """How far the logarithm of one constant may go until the best misfit is 1 above the least: by bisection."""
    free = np.arange(len(best)) != number

    def rise(away: float) -> float:
        start = best.copy()
        start[number] += direction * away
        return _search(misfit, start, free)[1] - least
    near, far = 0.0, 6.0
    for _ in range(8):
        middle = (near + far) / 2
        near, far = (middle, far) if rise(middle) < 1 else (near, middle)
    return float(best[number] + direction * near)
