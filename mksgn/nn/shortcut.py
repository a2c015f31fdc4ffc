"""The membrane shortcut of the Spike-driven Transformer (Yao et al., NeurIPS 2023): residuals that add currents.

With U_0 the coder's spikes,

.. math::
    U_{2l-1} = U_{2l-2} + BN(W^{proj}_l\\, a_l), \\qquad U_{2l} = U_{2l-1} + BN(W^{fc2}_l\\, h_l)

and whatever follows reads LIF(U). A sum of currents is what a dendrite computes, so LIF(U_n) is one population that
*every* earlier branch projects into, with the same integer weights for all who read it. What that costs, and why U_0
is spikes: docs/decisions/0006-spiking-transformers.md.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mksgn.nn.batch_norm import scale_and_shift, update_running_moments
from mksgn.nn.cuba import fused_cuba
from mksgn.nn.population import NeuronParameters, SpikingPopulation
from mksgn.nn.projections import ConvProjection, IdentityProjection, Projection
from mksgn.nn.scales import Scales
from mksgn.nn.spikes import Shortcut, Spikes


class ShortcutPopulation(SpikingPopulation):
    """LIF(U_n): a population driven by all branches of the shortcut so far.

    It owns the newest branch and refers to the populations that own the earlier ones. In training U is added up once,
    along the chain; the integer graph has every synapse into every population. All have one scale, chosen over all
    branches, so that a branch is the same integers wherever it goes.

    Parameters
    ----------
    name : str
    shape : (C, F, V)
    branch : ConvProjection
        The newest.
    earlier : str or ShortcutPopulation
        The population whose spikes are U_0, or the one before in the chain.
    gain : float
        Batch norm's first scale of this branch, in thresholds.
    neuron : NeuronParameters
    """

    def __init__(self, name: str, shape: tuple[int, int, int], branch: ConvProjection,
                 earlier: str | ShortcutPopulation, gain: float, neuron: NeuronParameters) -> None:
        first = [IdentityProjection((earlier,), shape[0])] if isinstance(earlier, str) else []
        super().__init__(shape, [branch, *first], **neuron)
        assert self.norm is not None
        nn.init.constant_(self.norm.weight, gain)
        self.name = name
        before = () if isinstance(earlier, str) else (*earlier.chain, earlier)
        # In a tuple, so that torch does not take them for this population's own parts.
        self.chain: tuple[ShortcutPopulation, ...] = before

    def incoming(self) -> list[Projection]:
        """Every branch so far, the newest last."""
        return [projection for each in (*self.chain, self) for projection in reversed(list(each.projections))]

    def mean_overshoot(self) -> float:
        """As every population's, once per chain, whose biases add up."""
        return 0.0 if self.chain else super().mean_overshoot()

    def incoming_bias(self) -> Tensor:
        """Sum of the branches' biases."""
        return torch.stack([each.bias for each in (*self.chain, self)]).sum(0)

    def forward(self, spikes: Spikes, steps: int) -> tuple[Tensor, Tensor]:
        """Spikes of LIF(U_n) and their number; leaves U_n in ``spikes.shortcuts`` for the next one."""
        current, bias = self._branch(spikes, steps)
        if self.chain:
            before = spikes.shortcuts[self.chain[-1].name]
            current, bias = current + before.current, bias + before.bias
        spikes.shortcuts[self.name] = Shortcut(current, bias)
        if self.quantized:
            bias = self.quantized_bias(bias)
        dtype = spikes[self.projections[0].sources[0]].dtype
        return fused_cuba(current, None, torch.ones_like(bias), bias, self.neuron, steps, quantized=self.quantized,
                          dtype=dtype)

    def _branch(self, spikes: Spikes, steps: int) -> tuple[Tensor, Tensor]:
        """Current and bias (C,) that this population adds to U."""
        hook = self.neuron.quantize_8bit if self.quantized else None
        branch, *first = list(self.projections)
        current = branch.drive(spikes, hook)
        bias: Tensor = self.bias
        if self.norm is not None:
            if self.norm_observer is not None:
                self.norm_observer(current, steps)
            scale, bias = self._moments(self.norm, current) if self.training else scale_and_shift(self.norm)
            current = current * scale.to(current.dtype).reshape(1, -1, 1, 1)
        for projection in first:
            current = current + projection.drive(spikes, hook)
        return current, bias

    @staticmethod
    def _moments(norm: nn.BatchNorm2d, current: Tensor) -> tuple[Tensor, Tensor]:
        """Scale and shift of a batch norm by this batch's statistics, which it also remembers."""
        var, mean = torch.var_mean(current.float(), dim=(0, 2, 3), unbiased=False)
        update_running_moments(norm, mean, var)
        scale = norm.weight * (var + norm.eps).rsqrt()
        return scale, norm.bias - mean * scale

    def quantize(self, scales: Scales = "power-of-two") -> None:
        """As every population's; the last of the chain, which sees all branches, sets the scale for all."""
        super().quantize(scales)
        for each in self.chain:
            each.neuron.rescale(self.neuron.units)
