"""The scale of a population: how many of the chip's weight units its threshold of 1.0 is.

A weight is a whole even number of units, and so is not what training found: a scale rounds some weights up and others
down, and clips those beyond its range. Both errors depend on the scale. On the chip a threshold is any integer of 17
bits, so that a scale is any integer, too (docs/decisions/0017-integer-scales.md).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from mksgn.ir.graph import BIAS_MAX, VTH_MAX

if TYPE_CHECKING:
    from mksgn.nn.population import SpikingPopulation

Scales = Literal["power-of-two", "integer"]
"""Which numbers the scales of a network may be."""
WEIGHT_LIMIT = 254
"""Largest weight magnitude written: even, and symmetric so that every sign mode of a Loihi synapse holds it."""
LARGEST_EXPONENT = 16
PARTS = 64
"""Integer scales are tried in steps of 1, or of the best power of two over this."""


def choose_scale(population: SpikingPopulation, scales: Scales) -> int:
    """The scale at which the weights of a population have the smallest squared error of rounding and clipping.

    Bias (13 bits), threshold (17 bits), the state where the population bounds it, and fixed weights have hard limits. A
    trained weight may be clipped.

    Parameters
    ----------
    population : SpikingPopulation
        Without batch norm.
    scales : 'power-of-two' or 'integer'
        With 'integer' all fixed weights are rounded at least as well as at the best power of two: a residual of the
        whole threshold stays the whole threshold. Where no integer is better, the power of two stays.

    Returns
    -------
    int
        Weight units per 1.0.
    """
    errors = _Errors(population)
    best = _power_of_two(errors)
    return best if scales == "power-of-two" else _integer(errors, best)


class _Errors:
    """What rounding to a scale does to the weights of a population."""

    def __init__(self, population: SpikingPopulation) -> None:
        incoming = population.incoming()
        self.population = population
        self.trained = _flat([p.weight(None).detach() for p in incoming if p.scalable])
        self.fixed = _flat([p.weight(None).detach() for p in incoming if not p.scalable])
        self.largest_fixed = float(self.fixed.abs().max()) if len(self.fixed) else 0.0
        self.largest_bias = float(population.total_bias().abs().max())

    def fits(self, scale: int) -> bool:
        """Whether bias, threshold, fixed weights and state are within their widths."""
        return (self.largest_fixed * scale <= WEIGHT_LIMIT and self.largest_bias * scale <= BIAS_MAX
                and self.population.neuron.base_threshold * scale <= VTH_MAX and not self.population.overflows(scale))

    def of_trained(self, scale: int) -> float:
        """Squared error of the weights that may be clipped."""
        return _squared_error(self.trained, scale)

    def of_fixed(self, scale: int) -> float:
        """Squared error of the weights that may not."""
        return _squared_error(self.fixed, scale)


def _flat(weights: list[Tensor]) -> Tensor:
    return torch.cat([weight.flatten() for weight in weights]) if weights else torch.zeros(0)


def _squared_error(weights: Tensor, scale: int) -> float:
    """Sum of the squared differences, in units of the threshold."""
    rounded = (weights * scale / 2).round().clamp(-WEIGHT_LIMIT / 2, WEIGHT_LIMIT / 2) * 2 / scale
    return float((rounded - weights).square().sum())


def _power_of_two(errors: _Errors) -> int:
    """The best; the largest that fits, where no weight was trained."""
    best, best_error = 1, math.inf
    for exponent in range(1, LARGEST_EXPONENT + 1):
        scale = 1 << exponent
        if not errors.fits(scale):
            break
        error = errors.of_trained(scale)
        if error < best_error or not len(errors.trained):
            best, best_error = scale, error
    return best


def _integer(errors: _Errors, power: int) -> int:
    """The best between half and twice the best power of two, which stays where none is better."""
    allowed = errors.of_fixed(power)
    best, best_error = power, allowed + errors.of_trained(power)
    for scale in range(max(2, power // 2), 2 * power + 1, max(1, power // PARTS)):
        if errors.of_fixed(scale) > allowed or not errors.fits(scale):
            continue
        error = errors.of_fixed(scale) + errors.of_trained(scale)
        if error < best_error:
            best, best_error = scale, error
    return best
