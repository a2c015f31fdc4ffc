"""What the two spiking transformers share: every joint of every frame is a token, and nothing is pooled but at the end.

A population of tokens has shape (C, F, V), so a linear layer over channels is a 1 x 1 convolution.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
import torch
from torch import Tensor

from mksgn import ir
from mksgn.errors import ConfigError
from mksgn.ir.graph import VTH_MAX
from mksgn.nn.blocks import WEIGHT_LIMIT, SpikingBlock
from mksgn.nn.cuba import Surrogate
from mksgn.nn.lava_dl import slayer
from mksgn.nn.projections import ConvProjection, Hook, PoolProjection, Projection

if TYPE_CHECKING:
    from mksgn.nn.config import NetConfig
    from mksgn.nn.network import SpikingGraphNet

TRANSFORMERS = ("spikformer", "spike-driven")
"""Names of the networks."""
MLP_RATIO = 4
"""Hidden channels of an MLP over its inputs, in both published networks."""


def check_transformer(config: NetConfig) -> None:
    """Raise :class:`ConfigError` unless ``config`` describes one of ``TRANSFORMERS``."""
    if config.transformer not in TRANSFORMERS:
        raise ConfigError("unknown transformer", got=config.transformer, allowed=", ".join(TRANSFORMERS))
    if len(set(config.widths)) != 1 or set(config.strides) != {1}:
        raise ConfigError("a transformer's blocks have one width and stride 1",
                          got=f"widths {config.widths}, strides {config.strides}", fix="give equal --widths")
    if config.graph_conv != "layer":
        raise ConfigError("a transformer has no graph convolution", got=f"graph_conv {config.graph_conv}",
                          fix="leave out --graph-conv, or give --graph-conv layer")
    if len(config.modalities) > 1:
        raise ConfigError("a transformer reads one modality: its shortcuts begin with the spikes of one coder",
                          got=", ".join(config.modalities), fix="name one --modality")
    if config.coder_width not in (None, config.widths[0]):
        raise ConfigError("a transformer's coder is as wide as its blocks", where="--coder-width",
                          got=str(config.coder_width), allowed=str(config.widths[0]), fix="leave out --coder-width")
    if config.transformer == "spikformer" and (config.heads < 1 or config.widths[0] % config.heads):
        raise ConfigError("heads must divide the width", "--widths", f"{config.heads} heads, width {config.widths[0]}",
                          f"multiples of {config.heads}", "give other --widths")


class NeuronParameters(TypedDict):
    """The neuron parameters that every population of a network shares."""

    current_decay: float
    voltage_decay: float
    surrogate: Surrogate


def neuron_parameters(config: NetConfig) -> NeuronParameters:
    """Those of ``config``."""
    return {"current_decay": config.current_decay, "voltage_decay": config.voltage_decay,
            "surrogate": config.surrogate}


def append(net: SpikingGraphNet, name: str, block: SpikingBlock) -> str:
    """Make ``block`` the next population of ``net``; returns its name."""
    net.blocks.append(block)
    net.names.append(name)
    return name


def linear(net: SpikingGraphNet, name: str, sources: tuple[str, ...], width: int) -> str:
    """LIF(BN(W x)) at every token, x the sum of ``sources``' spikes; returns its name."""
    channels, frames, joints = net.blocks[net.names.index(sources[0])].shape
    projection = ConvProjection(sources, channels, width)
    return append(net, name, SpikingBlock((width, frames, joints), [projection], **neuron_parameters(net.config)))


class TokenSumBlock(SpikingBlock):
    """LIF(BN(sum of a channel over all tokens)): one neuron per channel.

    Up to thousands of spikes may meet one neuron here, so the scale is also bounded by what its current holds: u is
    24 bits wide, 6 of them below one weight unit, and wraps where SLAYER's does not.
    """

    def __init__(self, source: str, shape: tuple[int, int, int], neuron: NeuronParameters) -> None:
        channels, frames, joints = shape
        super().__init__((channels, 1, 1), [PoolProjection((source,), channels, (frames, joints))], **neuron)
        self.tokens = frames * joints

    def _overflows(self, scale: int) -> bool:
        largest = float(self.projections[0].weight(None).detach().abs().max()) * scale
        reach = min(largest, WEIGHT_LIMIT) * self.tokens
        # v keeps a part of what it was, so that it exceeds u by up to 1 / voltage_decay, and u its input likewise.
        return reach > VTH_MAX * (1 - self.neuron.keep_u) * (1 - self.neuron.keep_v)


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
