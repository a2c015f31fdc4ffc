"""Populations that count spikes. At one time step rounding need not move the count at which they fire.

The gate of spiking attention and the head average: each channel c has one weight w for every synapse, so that n spikes
fire it where w n + b > V_th. n is a whole number. The neuron therefore only knows between which two counts its boundary
lies, and any integers with the same boundary decide the same:

.. math::
    w' = \\pm 2 h, \\qquad b' = V_{th} - w' (m - \\tfrac12)

fires at m spikes or more, or, where w' is negative, at fewer than m. A scale that suits all channels rounds small
weights to 0 beside large ones (docs/decisions/0017-integer-scales.md). With several time steps a neuron remembers, and
the threshold that it shares with other channels fixes its weight.
"""

from __future__ import annotations

import torch

from mksgn.ir.graph import BIAS_MAX
from mksgn.nn.population import SpikingPopulation
from mksgn.nn.projections import PoolProjection
from mksgn.nn.scales import WEIGHT_LIMIT


def counts_spikes(population: SpikingPopulation) -> bool:
    """Whether its only input is a sum over a window, in which a channel has one weight, and it remembers nothing."""
    incoming = population.incoming()
    return (len(incoming) == 1 and isinstance(incoming[0], PoolProjection) and population.joint_bias is None
            and not population.neuron.carried)


@torch.no_grad()
def keep_boundaries(population: SpikingPopulation) -> None:
    """Give a population that counts the integers, at its scale, that fire at the counts its weights in float fire at.

    Parameters
    ----------
    population : SpikingPopulation
        One that :func:`counts_spikes`, of a network of one time step; its batch norm is folded and its scale chosen.
        Weights keep their sign, and their size where the limits of weights (8 bits) and biases (13 bits) allow. A
        channel whose boundary no such pair holds is rounded as every other population.
    """
    (projection,) = population.incoming()
    assert isinstance(projection, PoolProjection)
    scale, threshold = population.neuron.units, population.neuron.v_th_mant
    most = len(projection.sources) * projection.window[0] * projection.window[1]
    weight = projection.weight(None)[:, 0, 0, 0].double()
    distance = population.neuron.base_threshold - population.bias.double()
    ratio = distance / torch.where(weight == 0, 1.0, weight)
    first = torch.where(weight > 0, ratio.floor() + 1, ratio.ceil())
    first = torch.where(weight == 0, torch.where(distance < 0, 0.0, most + 1.0), first).clamp(0, most + 1)
    sign = torch.where(weight < 0, -1.0, 1.0)
    edge = sign * (2 * first - 1)  # b' = V_th - h edge, which is odd
    far = threshold + torch.where(edge > 0, BIAS_MAX, -BIAS_MAX)
    near = threshold - torch.where(edge > 0, BIAS_MAX, -BIAS_MAX)
    most_half = (far / edge).floor().clamp(max=WEIGHT_LIMIT // 2)
    least_half = (near / edge).ceil().clamp(min=1)
    half = (weight.abs() * scale / 2).round().minimum(most_half).maximum(least_half)
    holds = least_half <= most_half  # else the boundary is beyond what a weight and a bias can say together
    kept = torch.where(holds, sign * 2 * half / scale, weight).to(projection.synapse.weight.dtype)
    projection.synapse.weight.copy_(kept.reshape(-1, 1, 1, 1, 1).expand_as(projection.synapse.weight))
    population.bias.copy_(torch.where(holds, (threshold - half * edge) / scale,
                                      population.bias.double() + population.mean_overshoot()))
