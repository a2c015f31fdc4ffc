"""Spike-driven Transformer (Yao et al., NeurIPS 2023) on skeletons, paper Table 7: attention by masks and additions.

Its residual path ("membrane shortcut") adds synaptic currents, not spikes: with U_0 the coder's spikes,

.. math::
    U_{2l-1} = U_{2l-2} + BN(W^{proj}_l\\, a_l), \\qquad U_{2l} = U_{2l-1} + BN(W^{fc2}_l\\, h_l)

and whatever follows reads LIF(U). A sum of currents is what a dendrite computes, so LIF(U_n) is one population that
*every* earlier branch projects into, with the same integer weights for all who read it. What that costs, and why U_0
is spikes: docs/decisions/0006-spiking-transformers.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from mksgn.nn.blocks import SpikingBlock, affine, remember
from mksgn.nn.cuba import fused_cuba
from mksgn.nn.gates import GateBlock
from mksgn.nn.projections import ConvProjection, IdentityProjection, Projection, Spikes
from mksgn.nn.tokens import (
    MLP_RATIO,
    NeuronParameters,
    TokenBroadcast,
    TokenSumBlock,
    append,
    linear,
    neuron_parameters,
)

if TYPE_CHECKING:
    from mksgn.nn.network import SpikingGraphNet


class ShortcutBlock(SpikingBlock):
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
    earlier : str or ShortcutBlock
        The population whose spikes are U_0, or the block before in the chain.
    gain : float
        Batch norm's first scale of this branch, in thresholds.
    neuron : NeuronParameters
    """

    def __init__(self, name: str, shape: tuple[int, int, int], branch: ConvProjection, earlier: str | ShortcutBlock,
                 gain: float, neuron: NeuronParameters) -> None:
        first = [IdentityProjection((earlier,), shape[0])] if isinstance(earlier, str) else []
        super().__init__(shape, [branch, *first], **neuron)
        assert self.norm is not None
        nn.init.constant_(self.norm.weight, gain)
        self.current_key, self.bias_key = f"{name}.U", f"{name}.U.bias"
        before = () if isinstance(earlier, str) else (*earlier.chain, earlier)
        # In a tuple, so that torch does not take them for this block's own parts.
        self.chain: tuple[ShortcutBlock, ...] = before

    def incoming(self) -> list[Projection]:
        """Every branch so far, the newest last."""
        return [projection for block in (*self.chain, self) for projection in reversed(list(block.projections))]

    def lateness(self) -> float:
        """As every block's, once per chain, whose biases add up."""
        return 0.0 if self.chain else super().lateness()

    def incoming_bias(self) -> Tensor:
        """Sum of the branches' biases."""
        return torch.stack([block.bias for block in (*self.chain, self)]).sum(0)

    def forward(self, spikes: Spikes, steps: int) -> tuple[Tensor, Tensor]:
        """Spikes of LIF(U_n) and their number; leaves U_n, current and bias, in ``spikes`` for the next block."""
        current, bias = self._branch(spikes, steps)
        for block in self.chain[-1:]:
            current, bias = current + spikes[block.current_key], bias + spikes[block.bias_key]
        spikes[self.current_key], spikes[self.bias_key] = current, bias
        if self.quantized:
            bias = self._quantized_bias(bias)
        dtype = spikes[self.projections[0].sources[0]].dtype
        return fused_cuba(current, None, torch.ones_like(bias), bias, self.neuron, steps, quantized=self.quantized,
                          dtype=dtype)

    def _branch(self, spikes: Spikes, steps: int) -> tuple[Tensor, Tensor]:
        """Current and bias (C,) that this block adds to U."""
        hook = self.neuron.quantize_8bit if self.quantized else None
        branch, *first = list(self.projections)
        current = branch.drive(spikes, hook)
        bias: Tensor = self.bias
        if self.norm is not None:
            if self.observe is not None:
                self.observe(current, steps)
            scale, bias = self._moments(self.norm, current) if self.training else affine(self.norm)
            current = current * scale.to(current.dtype).reshape(1, -1, 1, 1)
        for projection in first:
            current = current + projection.drive(spikes, hook)
        return current, bias

    @staticmethod
    def _moments(norm: nn.BatchNorm2d, current: Tensor) -> tuple[Tensor, Tensor]:
        """Scale and shift of a batch norm by this batch's statistics, which it also remembers."""
        var, mean = torch.var_mean(current.float(), dim=(0, 2, 3), unbiased=False)
        remember(norm, mean, var)
        scale = norm.weight * (var + norm.eps).rsqrt()
        return scale, norm.bias - mean * scale

    def quantize(self) -> None:
        """As every block's; the last of the chain, which sees all branches, sets the scale for all."""
        super().quantize()
        for block in self.chain:
            block.neuron.rescale(self.neuron.w_scale)


def spike_driven_body(net: SpikingGraphNet, source: str) -> tuple[str, ...]:
    """Append the blocks of the Spike-driven Transformer to ``net``; returns the population that the head pools."""
    shape = net.blocks[net.names.index(source)].shape
    count = len(net.config.widths)
    x, shortcut = source, None
    for number in range(1, count + 1):
        attended = _attention(net, f"block{number}.sdsa", x, shape)
        x, shortcut = _add_branch(net, f"block{number}.mlp.x", attended, shortcut or source)
        hidden = linear(net, f"block{number}.mlp.h", (x,), MLP_RATIO * shape[0])
        follower = f"block{number + 1}.x" if number < count else "head.x"
        x, shortcut = _add_branch(net, follower, hidden, shortcut)
    return (x,)


def _add_branch(net: SpikingGraphNet, name: str, branch: str,
                earlier: str | ShortcutBlock) -> tuple[str, ShortcutBlock]:
    """Append LIF(U + BN(W branch)), U being the shortcut up to ``earlier``."""
    channels, frames, joints = net.blocks[net.names.index(branch)].shape
    width = net.config.widths[0]
    # All branches together begin with the variance of one: U then stays where the surrogate passes gradients.
    gain = (2 * len(net.config.widths)) ** -0.5
    block = ShortcutBlock(name, (width, frames, joints), ConvProjection((branch,), channels, width), earlier, gain,
                          neuron_parameters(net.config))
    return append(net, name, block), block


def _attention(net: SpikingGraphNet, name: str, x: str, shape: tuple[int, int, int]) -> str:
    """SDSA: q AND LIF(sum over tokens of k AND v), all channels alike (heads do not matter to a sum per channel)."""
    width = shape[0]
    q, k, v = (linear(net, f"{name}.{letter}", (x,), width) for letter in "qkv")
    both = append(net, f"{name}.k_and_v",
                  GateBlock("and", shape, [IdentityProjection((side,), width) for side in (k, v)]))
    kv = append(net, f"{name}.kv", TokenSumBlock(both, shape, neuron_parameters(net.config)))
    return append(net, f"{name}.out",
                  GateBlock("and", shape, [IdentityProjection((q,), width), TokenBroadcast((kv,), shape)]))
