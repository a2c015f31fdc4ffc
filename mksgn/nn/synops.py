"""Synaptic operations that a network is expected to perform, differentiable: what regularisation can lower.

One sample costs, over T steps and all populations p that send spikes,

.. math:: S = T \\sum_p r_p \\; N_p \\; \\bar f_p

with r_p the firing rate, N_p the neurons and f_p the mean fan-out in weights that exist: borders, strides and absent
edges of the joint graph are left out, as the counters do. What the counters find beyond that is uneven firing, and
weights that rounding made 0. The graded input's multiply-accumulates do not depend on spikes and are not in S.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mksgn.nn.builder import INPUT
from mksgn.nn.fused_projection import FusedProjection
from mksgn.nn.network import NetOutput, SpikingGraphNet


def synops_per_rate(net: SpikingGraphNet) -> dict[str, float]:
    """T N_p f_p of every population: synaptic operations per sample when each neuron spikes at every step.

    Of an attention's products, they are those of its spikes; its graded messages are left out.
    """
    shapes = {name: population.shape for name, population in net.named_populations()}
    reach = dict.fromkeys(shapes, 0.0)
    for population in [*net.populations, net.readout]:
        for projection in population.incoming():
            if INPUT in projection.sources:
                continue
            inner, met = projection, [1.0] * len(projection.sources)
            if isinstance(projection, FusedProjection):
                inner, met = projection.inner, [float(weight != 0) for weight in projection.weights or met]
            exists = np.asarray(inner.weight(None).detach().cpu() != 0)
            if inner.synapse.weight.requires_grad:  # zero today, and trained
                exists = np.ones_like(exists)
            exists = exists.astype(np.int16)
            synapse = inner.to_ir("synapse", "target", exists)
            spread = synapse.fanout(shapes[projection.sources[0]], population.shape).sum() * inner.parallel
            for source, factor in zip(projection.sources, met):
                reach[source] += factor * float(spread)
    return {name: net.config.time_steps * value for name, value in reach.items()}


def expected_synops(per_rate: dict[str, float], out: NetOutput) -> Tensor:
    """S of a batch, float32 0-dim, from its firing rates and :func:`synops_per_rate`."""
    rates = {**out.rates, **out.gate_rates}
    return torch.stack([factor * rates[name] for name, factor in per_rate.items()]).sum()
