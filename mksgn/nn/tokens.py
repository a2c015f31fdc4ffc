"""Sums over tokens, and back: in the spiking transformers every joint of every frame is a token.

A population of tokens has shape (C, F, V), so a linear layer over channels is a 1 x 1 convolution.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from mksgn import ir
from mksgn.nn.lava_dl import slayer
from mksgn.nn.population import NeuronParameters, SpikingPopulation, current_overflows
from mksgn.nn.projections import ConvProjection, PoolProjection, Projection
from mksgn.nn.spikes import Hook


class TokenSumPopulation(SpikingPopulation):
    """LIF(BN(sum of a channel over all tokens)): one neuron per channel.

    Up to thousands of spikes may meet one neuron here, so the scale is also bounded by what its current holds: u is
    24 bits wide, 6 of them below one weight unit, and wraps where SLAYER's does not.
    """

    def __init__(self, source: str, shape: tuple[int, int, int], neuron: NeuronParameters) -> None:
        channels, frames, joints = shape
        super().__init__((channels, 1, 1), [PoolProjection((source,), channels, (frames, joints))], **neuron)
        self.tokens = frames * joints

    def overflows(self, scale: int) -> bool:
        return current_overflows(self, scale, self.tokens)


class TokenBroadcast(Projection):
    """Unit weights from each neuron of (C, 1, 1) to its channel's neurons at all tokens: ``slayer.synapse.Conv``.

    A depthwise convolution whose kernel is as large as its target, over one padded position: every tap reaches one
    token, so a spike meets F V weights.
    """

    def __init__(self, sources: tuple[str, ...], shape: tuple[int, int, int]) -> None:
        channels, frames, joints = shape
        synapse: Any = slayer.synapse.Conv(channels, channels, (frames, joints), (1, 1), (frames - 1, joints - 1),
                                           groups=channels)
        with torch.no_grad():
            synapse.weight.fill_(1.0)
        synapse.weight.requires_grad_(False)
        super().__init__(sources, synapse, normed=False)
        self.tokens = (frames, joints)

    def weight(self, hook: Hook) -> Tensor:
        weight = self.synapse.weight[..., 0]
        return hook(weight) if hook else weight

    current_slayer = ConvProjection.current_slayer

    def to_ir(self, name: str, target: str, weight_int: np.ndarray) -> ir.Synapse:
        frames, joints = self.tokens
        return ir.Conv(name, self.sources, target, weight_int, padding=(frames - 1, joints - 1),
                       groups=weight_int.shape[0])
