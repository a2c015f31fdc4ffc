"""AGCN, one stream of 2s-AGCN: adaptive graph convolution (Shi et al., CVPR 2019; arXiv 1805.07694).

2s-AGCN is two of these, for joints and bones, whose softmax scores are added.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from mksgn.errors import ConfigError
from mksgn.skeleton import Body, spatial_partitions
from mksgn.teachers.stack import LAYERS, GraphStack

EMBEDDING = 4
"""Joints are compared in a space of outputs / 4 channels, as in the published code."""


class AdaptiveMixing(nn.Module):
    """Adaptive graph convolution (paper Eq. 3-5): fixed, trained and per-sample adjacency added up.

    For every subset k, with theta_k and phi_k 1 x 1 convolutions to outputs / 4 channels::

        C_k[u, v] = softmax over v of (sum over c and f of theta_k x[c, v, f] phi_k x[c, u, f] / (outputs / 4 F))
        y = sum over k of W_k ((A_k + B_k + C_k) x)

    Parameters
    ----------
    inputs, outputs : int
    adjacency : float ndarray (K, V, V)
        A, fixed, [k, target, source].
    """

    adjacency: Tensor

    def __init__(self, inputs: int, outputs: int, adjacency: np.ndarray) -> None:
        super().__init__()
        self.subsets = len(adjacency)
        self.register_buffer("adjacency", torch.from_numpy(adjacency.astype(np.float32)))
        self.offset = nn.Parameter(torch.full(adjacency.shape, 1e-6))
        """B."""
        self.embed = nn.Conv2d(inputs, 2 * self.subsets * (outputs // EMBEDDING), 1)
        """theta of all subsets, then phi of all subsets."""
        self.value = nn.ModuleList(nn.Conv2d(inputs, outputs, 1) for _ in range(self.subsets))
        nn.init.normal_(self.embed.weight, 0, math.sqrt(2 / (outputs // EMBEDDING)))
        for conv in self.value:
            nn.init.normal_(conv.weight, 0, math.sqrt(2 / (outputs * inputs * self.subsets)))
        for conv in (self.embed, *self.value):
            nn.init.zeros_(conv.bias)

    def topology(self, x: Tensor) -> Tensor:
        """A + B + C: (N, K, target, source)."""
        source, target = (side.unflatten(1, (self.subsets, -1)).transpose(2, 3).flatten(3)
                          for side in self.embed(x).chunk(2, 1))
        likeness = torch.softmax(target @ source.transpose(2, 3) / source.shape[3], 3)
        return self.adjacency + self.offset + likeness

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, V, F) to (N, C', V, F)."""
        topology = self.topology(x).unsqueeze(2)
        parts = [conv(topology[:, k] @ x) for k, conv in enumerate(self.value)]
        return sum(parts[1:], parts[0])


class AdaptiveLayer(nn.Module):
    """Adaptive graph convolution and a 9 x 1 convolution over time, each with batch norm and residual (paper Fig. 3).

    Parameters
    ----------
    residual : bool
        Whether the layer's input is added to its output: not in the first layer.
    """

    def __init__(self, inputs: int, outputs: int, adjacency: np.ndarray, stride: int, residual: bool) -> None:
        super().__init__()
        self.mix = AdaptiveMixing(inputs, outputs, adjacency)
        self.mix_norm = nn.BatchNorm2d(outputs)
        nn.init.constant_(self.mix_norm.weight, 1e-6)
        self.mix_shortcut = shortcut(inputs, outputs, 1)
        self.temporal = nn.Conv2d(outputs, outputs, (1, 9), stride=(1, stride), padding=(0, 4))
        self.norm = nn.BatchNorm2d(outputs)
        self.shortcut = shortcut(inputs, outputs, stride) if residual else None
        nn.init.kaiming_normal_(self.temporal.weight, mode="fan_out")

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, V, F) to (N, C', V, F / stride)."""
        y = torch.relu(self.mix_norm(self.mix(x)) + self.mix_shortcut(x))
        y = self.norm(self.temporal(y))
        return torch.relu(y if self.shortcut is None else y + self.shortcut(x))


class AGCN(GraphStack):
    """AGCN for one stream. With two persons, NTU's 25 joints and 60 classes: 3.47 M parameters.

    Parameters
    ----------
    body : Body
        Joint graph of one person.
    classes : int
    channels, persons : int
        Coordinates per joint, persons per sample.
    base_channels : int
        Width of the first four layers, a multiple of 4; the others have two and four times as many.

    Raises
    ------
    ConfigError
        When ``base_channels`` is not a positive multiple of 4.
    """

    def __init__(self, body: Body, classes: int, *, channels: int = 3, persons: int = 1,
                 base_channels: int = 64) -> None:
        if base_channels < EMBEDDING or base_channels % EMBEDDING:
            raise ConfigError("AGCN cannot have this width", got=str(base_channels), allowed="4, 8, 12, ...")
        adjacency = spatial_partitions(body)
        layers, inputs = nn.ModuleList(), channels
        for number, (multiple, stride) in enumerate(LAYERS):
            outputs = multiple * base_channels
            layers.append(AdaptiveLayer(inputs, outputs, adjacency, stride, residual=number > 0))
            inputs = outputs
        super().__init__(layers, classes=classes, channels=channels, persons=persons, joints=body.num_joints,
                         norm_persons=True, width=inputs, dropout=0.0)
        nn.init.normal_(self.classifier.weight, 0, math.sqrt(2 / classes))


def shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    """Identity, or a strided 1 x 1 convolution and batch norm where the shape changes."""
    if inputs == outputs and stride == 1:
        return nn.Identity()
    conv = nn.Conv2d(inputs, outputs, 1, stride=(1, stride))
    nn.init.kaiming_normal_(conv.weight, mode="fan_out")
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))
