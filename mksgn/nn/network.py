"""The spiking networks of paper Table 7: Base-SGN (10 layers), MK-SGN (6 layers) and two spiking transformers (6).

A network is an ordered set of named populations; the order is topological and the names follow the
paper's Table 6 (``block2.sgsa.q`` is its SG-SA2_lifq). It holds spike-driven operations only, so
that :func:`mksgn.nn.lowering.to_graph` can write every one of them as integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor, nn

from mksgn.errors import ConfigError
from mksgn.nn.blocks import ReadoutBlock, SpikingBlock
from mksgn.nn.config import NetConfig
from mksgn.nn.cuba import Surrogate
from mksgn.nn.fusion import Fusion
from mksgn.nn.gates import GateBlock
from mksgn.nn.modalities import FUSED, FusedProjection, ModalityCoder, coder_name
from mksgn.nn.projections import (
    ConvProjection,
    GraphConvProjection,
    IdentityProjection,
    JointMixProjection,
    PoolProjection,
    Projection,
    Spikes,
)
from mksgn.nn.spike_driven import spike_driven_body
from mksgn.nn.spikformer import spikformer_body
from mksgn.skeleton import spatial_partitions

INPUT = "input"
SCALE_MAX = 1 << 30
"""Most weight units per 1.0; a network's own are far below."""
INPUT_SCALE = 1.0 / 64
"""Int8 coordinates enter the float network times this (exact in bfloat16); quantisation folds it into the weights."""
MIX_GAIN = 2.2
"""Threshold units per row of a joint-mixing partition: one of two neighbours fires the neuron, of three two must."""
MIX_SURROGATE = Surrogate(width=4.0, height=0.5)
"""A mixing neuron sits far from its threshold, where the paper's window passes no gradient."""
TRANSFORMERS = {"spikformer": spikformer_body, "spike-driven": spike_driven_body}
"""Bodies of ``NetConfig.transformer``: each appends its populations and returns those that the head pools."""


@dataclass
class NetOutput:
    """Logits (N, classes), and differentiable mean firing rates of all populations, the gates' apart.

    A gate's rate follows from those of the populations that drive it, which are regularised themselves. Where
    modalities are fused there are also their weights (N, M) and, with an estimator, the sum of its lower bounds of
    mutual information (0-dim), which its training maximises.
    """

    logits: Tensor
    rates: dict[str, Tensor] = field(default_factory=dict)
    gate_rates: dict[str, Tensor] = field(default_factory=dict)
    weights: Tensor | None = None
    information: Tensor | None = None

    @property
    def rate(self) -> Tensor:
        """Mean over populations of the firing rate, without gates."""
        return torch.stack(list(self.rates.values())).mean()


class SpikingGraphNet(nn.Module):
    """A network of spiking blocks.

    ``forward`` takes int8-valued coordinates (N, C, F, V), the same at each of the T steps (PCM).
    ``steps`` is T; early training may lower it for a while, everything else runs at ``config.time_steps``.
    """

    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        self.config = config
        self.quantized = False
        joints = config.body.num_joints * config.persons
        self.steps = config.time_steps
        self.input_shape = (config.channels_in * len(config.modalities), config.frames, joints)
        self.blocks = nn.ModuleList()
        self.names: list[str] = []
        self._mixing = spatial_partitions(config.body.repeat(config.persons))
        self.coders: tuple[str, ...] = ()
        self.fusion: Fusion | None = None
        source = self._code(config, joints)
        features = (TRANSFORMERS[config.transformer] if config.transformer else _graph_body)(self, source)
        channels, frames, joints = self._shape(features[0])
        parts = config.segments
        if frames % parts:
            raise ConfigError("segments must divide the frames that are left before the head", "--segments", str(parts),
                              f"divisors of {frames}", "give other --segments or --frames")
        pooled = self._add("head.gap", (channels, parts, 1),
                           [PoolProjection(features, channels, (frames // parts, joints), windows=parts)])
        self.dropout = nn.Dropout(config.dropout)
        self.readout = ReadoutBlock(pooled, channels * parts, config.classes, config.time_steps)

    def _code(self, config: NetConfig, joints: int) -> str:
        """The spike coders; returns what the first layer reads."""
        shape = (config.coder_width or config.widths[0], config.frames, joints)
        if len(config.modalities) == 1:
            coder = ConvProjection((INPUT,), config.channels_in, shape[0], (3, 3), padding=(1, 1))
            self.coders = (self._add("sc", shape, [coder], joint_bias=True),)
            return "sc"
        for index, modality in enumerate(config.modalities):
            reads = ModalityCoder(INPUT, self.input_shape[0], index * config.channels_in, config.channels_in, shape[0])
            self.coders += (self._add(coder_name(modality), shape, [reads], joint_bias=True),)
        self.fusion = Fusion(len(self.coders), shape[0], config.fusion, config.fusion_weights)
        return FUSED

    def _add(self, name: str, shape: tuple[int, int, int], projections: Sequence[Projection], *, norm: bool = True,
             surrogate: Surrogate | None = None, joint_bias: bool = False) -> str:
        config = self.config
        weights = (1.0,) * len(self.coders) if config.fusion == "sum" else config.fusion_weights
        reading = [FusedProjection(self.coders, p, weights) if p.sources == (FUSED,) else p for p in projections]
        self.blocks.append(SpikingBlock(
            shape, reading, norm=norm, joint_bias=joint_bias,
            surrogate=surrogate or config.surrogate,
            current_decay=config.current_decay, voltage_decay=config.voltage_decay))
        self.names.append(name)
        return name

    def _gate(self, name: str, kind: str, shape: tuple[int, int, int], projections: Sequence[Projection]) -> str:
        self.blocks.append(GateBlock(kind, shape, list(projections)))
        self.names.append(name)
        return name

    def _shape(self, name: str) -> tuple[int, int, int]:
        return self.blocks[self.names.index(self.coders[0] if name == FUSED else name)].shape

    def populations(self) -> list[tuple[str, SpikingBlock]]:
        """Named spiking populations in topological order, without the readout."""
        return list(zip(self.names, self.blocks))

    def forward(self, x: Tensor, *, dtype: torch.dtype = torch.float32) -> NetOutput:
        """Logits and rates by the fused path.

        ``dtype`` is float32, or bfloat16 for training: of spikes, gradients, and the currents of a floating-point
        network. Those of a quantised one are float32, so that its spikes are exact whatever ``dtype`` is.
        """
        return self.forward_spikes(x, dtype=dtype)[0]

    def forward_spikes(self, x: Tensor, *, dtype: torch.dtype = torch.float32) -> tuple[NetOutput, Spikes]:
        """As :meth:`forward`, and the spikes (N T, C, F, V) of every population."""
        steps = self.steps
        x = x.to(dtype) * (1.0 if self.quantized else INPUT_SCALE)
        x = x.contiguous(memory_format=torch.channels_last)
        spikes = Spikes({INPUT: x})
        rates: dict[str, Tensor] = {}
        gates: dict[str, Tensor] = {}
        weights: Tensor | None = None
        information: Tensor | None = None
        for name, block in self.populations():
            if name in self.coders:
                spikes[name], count = block.code(x, steps)
            else:
                spikes[name], count = block(spikes, steps)
            (gates if isinstance(block, GateBlock) else rates)[name] = count / spikes[name].numel()
            if name == self.coders[-1] and self.fusion is not None and not self.quantized:
                spikes[FUSED], weights, information = self.fusion([spikes[coder] for coder in self.coders], steps)
        spikes["head.gap"] = self.dropout(spikes["head.gap"])
        return NetOutput(self.readout.logits(spikes, steps), rates, gates, weights, information), spikes

    @torch.no_grad()
    def forward_slayer(self, x: Tensor) -> tuple[Tensor, Spikes]:
        """Integer logits (N, classes) and all spikes (N, C, F, V, T) by stock SLAYER synapses and neurons."""
        inputs = x.float().unsqueeze(-1).expand(*x.shape, self.config.time_steps).contiguous()
        spikes = Spikes({INPUT: inputs})
        for name, block in self.populations():
            spikes[name] = block.forward_slayer(spikes)
        return self.readout.logits_slayer(spikes), spikes

    def quantize(self) -> None:
        """Fold every batch norm and round weights, biases and states to the chip's integers from here on.

        What was folded becomes a bias, raised by the block's :meth:`~mksgn.nn.blocks.SpikingBlock.lateness`: without
        it, rounding lowers firing rates.
        """
        if self.quantized:
            raise ConfigError("the network is quantised already")
        if self.config.fusion == "smf":
            raise ConfigError("weights that depend on the sample have no integers", got="fusion smf",
                              fix="call fix_fusion first, with their means over the training set")
        folded = [block for block in self.blocks if block.norm is not None]
        for name, block in self.populations():
            block.quantize()
            if name in self.coders:
                block.projections[0].fold(torch.full((block.shape[0],), INPUT_SCALE))
                block.quantize()
        with torch.no_grad():
            for block in folded:  # scales are settled: a shortcut's last block sets that of all
                block.bias.add_(block.lateness())
        self.readout.quantize()
        self.quantized = True

    def fix_fusion(self, weights: Sequence[float]) -> None:
        """Weigh the modalities of every sample by ``weights`` from here on, and drop the estimator.

        Raises
        ------
        ConfigError
            When there is nothing to fuse, the network is quantised, or the weights do not fit.
        """
        if self.fusion is None or self.quantized:
            raise ConfigError("only a floating-point network of several modalities has weights to fix")
        self.config = replace(self.config, fusion="fixed", fusion_weights=tuple(float(w) for w in weights))
        self.fusion.fix(weights)
        for module in self.modules():
            if isinstance(module, FusedProjection):
                module.weights = self.config.fusion_weights

    def obstacles(self) -> dict[str, str]:
        """What keeps this network from being exported: population -> the operation that is not ours."""
        return {name: block.obstacle for name, block in self.populations() if block.obstacle}

    def scales(self) -> list[int]:
        """Weight units per 1.0 of every population, the readout last."""
        return [block.neuron.w_scale for block in [*self.blocks, self.readout]]

    def set_scales(self, scales: list[int]) -> None:
        """Set what :meth:`scales` returned (they are not part of the state dict).

        Raises
        ------
        ConfigError
            When they are not one positive whole number per population.
        """
        blocks = [*self.blocks, self.readout]
        if type(scales) is not list or len(scales) != len(blocks) or any(
                type(scale) is not int or not 0 < scale <= SCALE_MAX for scale in scales):
            raise ConfigError("scales do not fit the network", got=f"{scales!r:.100}",
                              allowed=f"{len(blocks)} whole numbers in 1..{SCALE_MAX}")
        for block, scale in zip(blocks, scales):
            block.neuron.rescale(scale)


def _graph_body(net: SpikingGraphNet, source: str) -> tuple[str, ...]:
    layer = _sgn_layer if net.config.attention else _st_gcn_layer
    for index, (width, stride) in enumerate(zip(net.config.widths, net.config.strides), start=1):
        source = layer(net, f"block{index}", source, width, stride)
    return (source,)


def _graph_conv(net: SpikingGraphNet, name: str, source: str, width: int) -> str:
    """SN(H W) with H = S P (Eq. 6-7): BN(graph convolution) -> LIF."""
    channels, frames, joints = net._shape(source)
    mixing = net._mixing
    if net.config.graph_conv == "fused":
        projections: list[Projection] = [GraphConvProjection((source,), channels, width, mixing)]
    else:
        neighbours = mixing[1:]  # partition 0 is the joint itself: it needs no mixing
        learned = net.config.graph_conv == "learned"
        mixed = net._add(f"{name}.mix", (channels * len(neighbours), frames, joints),
                         [JointMixProjection((source,), neighbours * MIX_GAIN, trained=learned)], norm=False,
                         surrogate=MIX_SURROGATE)
        net.blocks[-1].bias.requires_grad_(learned)
        projections = [ConvProjection((source,), channels, width),
                       ConvProjection((mixed,), channels * len(neighbours), width)]
    return net._add(f"{name}.lif2", (width, frames, joints), projections)


def _temporal(net: SpikingGraphNet, sources: tuple[str, ...], width: int, stride: int) -> ConvProjection:
    kernel = net.config.temporal_kernel
    return ConvProjection(sources, net._shape(sources[0])[0], width, (kernel, 1), (stride, 1), (kernel // 2, 0))


def _residual(net: SpikingGraphNet, sources: tuple[str, ...], width: int) -> IdentityProjection:
    return IdentityProjection(sources, width, parallel=net.config.residual_synapses)


def _st_gcn_layer(net: SpikingGraphNet, name: str, source: str, width: int, stride: int) -> str:
    """Base-SGN: ST-GCN's layer with LIF for ReLU; residual identity, or 1 x 1 convolution where the shape changes."""
    channels, frames, joints = net._shape(source)
    mixed = _graph_conv(net, name, source, width)
    projections: list[Projection] = [_temporal(net, (mixed,), width, stride)]
    if channels == width and stride == 1 and source != FUSED:
        projections.append(_residual(net, (source,), width))
    else:
        projections.append(ConvProjection((source,), channels, width, stride=(stride, 1)))
    return net._add(f"{name}.stc", (width, (frames - 1) // stride + 1, joints), projections)


def _sgn_layer(net: SpikingGraphNet, name: str, source: str, width: int, stride: int) -> str:
    """MK-SGN: SA-SGC (Eq. 5-10) and STC (Eq. 11-13).

    lif1 = SN(P) is P itself where the width stays (a spike train through a unit LIF is that train), a 1 x 1
    convolution otherwise, and where P is fused from several modalities and so no spike train. The residual of
    STC is H_SA, through a strided LIF where F shrinks.
    """
    channels, frames, joints = net._shape(source)
    shape = (width, frames, joints)
    lif1 = source
    if channels != width or source == FUSED:
        lif1 = net._add(f"{name}.lif1", shape, [ConvProjection((source,), channels, width)])
    lif2 = _graph_conv(net, name, source, width)
    attended = _attention(net, f"{name}.sgsa", (lif1, lif2), shape)
    features = (lif1, lif2, attended)
    projections: list[Projection] = [_temporal(net, features, width, stride)]
    if stride == 1:
        projections.append(_residual(net, features, width))
    else:
        shape = (width, (frames - 1) // stride + 1, joints)
        residual = net._add(f"{name}.res", shape, [ConvProjection(features, width, width, stride=(stride, 1))])
        projections.append(_residual(net, (residual,), width))
    return net._add(f"{name}.stc", shape, projections)


def _attention(net: SpikingGraphNet, name: str, sources: tuple[str, str], shape: tuple[int, int, int]) -> str:
    """SG-SA in its spike-driven form (Eq. 8-10): out = q AND LIF(sum over joints of k AND v)."""
    width, frames, joints = shape
    x = net._gate(f"{name}.x", "or", shape, [IdentityProjection(sources, width)])
    q, k, v = (net._add(f"{name}.{letter}", shape, [ConvProjection((x,), width, width)]) for letter in "qkv")
    both = net._gate(f"{name}.k_and_v", "and", shape, [IdentityProjection((side,), width) for side in (k, v)])
    kv = net._add(f"{name}.kv", (width, frames, 1), [PoolProjection((both,), width, (1, joints))])
    broadcast = JointMixProjection((kv,), np.ones((1, joints, 1), np.float32))
    return net._gate(f"{name}.out", "and", shape, [IdentityProjection((q,), width), broadcast])
