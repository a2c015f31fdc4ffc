"""CTR-GCN: channel-wise topology refinement graph convolution (Chen et al., ICCV 2021; arXiv 2107.12213).

One module holds what the published implementation spreads over several: convolutions that read the same tensor are
stacked into one, and batch norms of neighbouring channels likewise. The function computed, the number of parameters
and the gradients are the same (:mod:`mksgn.teachers.checkpoints` converts weights both ways); layers hold their data
as (N, C, V, F), frames last, so that the products over joints need no copies.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from mksgn.errors import ConfigError
from mksgn.skeleton import Body, spatial_partitions
from mksgn.teachers.stack import LAYERS, GraphStack

REDUCTION = 8
"""Width of the space in which two joints are compared: channels / 8 (r in the paper, section 4.2)."""
FIRST_RELATION = 8
"""Its width in the first layer, whose inputs are a few coordinates and not a multiple of 8."""
BRANCHES = 4
"""Branches of the temporal module: dilation 1, dilation 2, maximum, 1 x 1."""


class TopologyRefinement(nn.Module):
    """CTR-GC (paper Eq. 3-8): K graph convolutions with a topology of their own for every sample and channel.

    With ``pooled`` the mean of x over frames, for every subset k::

        relation_k[r, u, v] = tanh((W1_k pooled)[r, u] - (W2_k pooled)[r, v])
        topology_k[c, u, v] = A_k[u, v] + alpha (W4_k relation_k)[c, u, v]
        y[c, f, u] = sum over k and v of topology_k[c, u, v] (W3_k x)[c, f, v]

    The published code takes the mean after W1 and W2. Both are linear, so that is the same function for 1/F of
    the operations.

    Parameters
    ----------
    inputs, outputs : int
        Channels.
    adjacency : float ndarray (K, V, V)
        First value of the trained topologies A, [k, target, source].
    """

    def __init__(self, inputs: int, outputs: int, adjacency: np.ndarray) -> None:
        super().__init__()
        self.subsets, self.outputs = len(adjacency), outputs
        self.relations = FIRST_RELATION if inputs % REDUCTION else inputs // REDUCTION
        stacked = self.subsets * self.relations
        self.compare = nn.Conv1d(inputs, 2 * stacked, 1)
        """W1 of all subsets, then W2 of all subsets."""
        self.expand = nn.Conv2d(stacked, self.subsets * outputs, 1, groups=self.subsets)
        """W4 of each subset."""
        self.value = nn.Conv2d(inputs, self.subsets * outputs, 1)
        """W3: output channel c of subset k is number c K + k."""
        self.adjacency = nn.Parameter(torch.from_numpy(adjacency.astype(np.float32)))
        self.alpha = nn.Parameter(torch.zeros(1))
        for conv, fan_out in ((self.compare, self.relations), (self.expand, outputs), (self.value, outputs)):
            _initialise(conv, fan_out)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, V, F) to (N, C', V, F)."""
        samples, _, joints, frames = x.shape
        target, source = self.compare(x.mean(3)).chunk(2, 1)
        relation = torch.tanh(target.unsqueeze(2) - source.unsqueeze(3))  # (N, K R, source, target)
        topology = self._topology(relation.view(samples, self.subsets, -1, joints * joints))
        # Sum over subsets and sources in one product: (N C', V, K V) x (N C', K V, F).
        topology = topology.transpose(1, 2).reshape(samples * self.outputs, -1, joints)
        value = self.value(x).view(samples * self.outputs, -1, frames)
        return torch.bmm(topology.transpose(1, 2).to(value.dtype), value).view(samples, self.outputs, joints, frames)

    def _topology(self, relation: Tensor) -> Tensor:
        """(N, K, R, V V) to (N, K, C', V V) as one product per subset.

        A and W4's bias are two more inputs of it, and alpha is in the weights: all gradients then come out of
        products, where adding A to the result would need a sum over N and C' for its gradient.
        """
        assert self.expand.bias is not None
        weight = self.alpha * self.expand.weight.view(self.subsets, self.outputs, -1)
        bias = self.alpha * self.expand.bias.view(self.subsets, self.outputs, 1)
        weight = torch.cat([weight, bias, torch.ones_like(bias)], 2)
        adjacency = self.adjacency.transpose(1, 2).reshape(self.subsets, 1, -1)
        constant = torch.cat([torch.ones_like(adjacency), adjacency], 1).to(relation.dtype)
        return weight @ torch.cat([relation, constant.expand(len(relation), -1, -1, -1)], 2)


class MultiScaleTemporal(nn.Module):
    """Four temporal branches of a quarter of the channels each, concatenated (paper section 4.3, Fig. 3b).

    1 x 1 -> 5 frames; 1 x 1 -> 5 frames with dilation 2; 1 x 1 -> maximum over 3 frames; 1 x 1. Batch norm and ReLU
    follow the 1 x 1 of the first three, and every branch ends in a batch norm.

    Parameters
    ----------
    channels : int
        A multiple of 4.
    stride : int
        Over frames.
    """

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        part = channels // BRANCHES
        self.stride = stride
        self.reduce = nn.Conv2d(channels, 3 * part, 1)
        """The 1 x 1 of the first three branches."""
        self.reduce_norm = nn.BatchNorm2d(3 * part)
        self.dilated = nn.ModuleList(
            nn.Conv2d(part, part, (1, 5), stride=(1, stride), padding=(0, 2 * dilation), dilation=(1, dilation))
            for dilation in (1, 2))
        self.pool = nn.MaxPool2d((1, 3), (1, stride), (0, 1))
        self.point = nn.Conv2d(channels, part, 1, stride=(1, stride))
        self.norm = nn.BatchNorm2d(channels)
        """The last norm of all four branches."""
        for conv, fan_out in ((self.reduce, part), (self.point, part), *((c, 5 * part) for c in self.dilated)):
            _initialise(conv, fan_out)
        for norm in (self.reduce_norm, self.norm):
            nn.init.normal_(norm.weight, 1.0, 0.02)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, V, F) to (N, C, V, F / stride)."""
        near, far, peak = torch.relu(self.reduce_norm(self.reduce(x))).chunk(3, 1)
        return self.norm(torch.cat([self.dilated[0](near), self.dilated[1](far), self.pool(peak), self.point(x)], 1))


class CTRLayer(nn.Module):
    """Topology refinement, then multi-scale temporal convolution, each with batch norm, residual and ReLU.

    Parameters
    ----------
    residual : bool
        Whether the layer's input is added to its output (not in the first layer). Where the shape changes it goes
        through a strided 1 x 1 convolution and a batch norm. The residual around the graph convolution is always
        there.
    """

    def __init__(self, inputs: int, outputs: int, adjacency: np.ndarray, stride: int, residual: bool) -> None:
        super().__init__()
        self.mix = TopologyRefinement(inputs, outputs, adjacency)
        self.mix_norm = nn.BatchNorm2d(outputs)
        # The layer starts as its shortcut, and graph mixing fades in (as in the published code).
        nn.init.constant_(self.mix_norm.weight, 1e-6)
        self.mix_shortcut = _shortcut(inputs, outputs, 1)
        self.temporal = MultiScaleTemporal(outputs, stride)
        self.shortcut = _shortcut(inputs, outputs, stride) if residual else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, V, F) to (N, C', V, F / stride)."""
        y = torch.relu(self.mix_norm(self.mix(x)) + self.mix_shortcut(x))
        y = self.temporal(y)
        return torch.relu(y if self.shortcut is None else y + self.shortcut(x))


class CTRGCN(GraphStack):
    """CTR-GCN for one stream. With the defaults and NTU's 25 joints: 1.46 M parameters for 120 classes, 1.45 M for 60.

    Parameters
    ----------
    body : Body
        Joint graph of one person.
    classes : int
    channels, persons : int
        Coordinates per joint, persons per sample.
    base_channels : int
        Width of the first four layers, a multiple of 8; the others have two and four times as many.
    dropout : float
        Before the classifier.

    Raises
    ------
    ConfigError
        When ``base_channels`` is not a positive multiple of 8.
    """

    def __init__(self, body: Body, classes: int, *, channels: int = 3, persons: int = 1, base_channels: int = 64,
                 dropout: float = 0.0) -> None:
        if base_channels < REDUCTION or base_channels % REDUCTION:
            raise ConfigError("CTR-GCN cannot have this width", "--base-channels", str(base_channels), "8, 16, 24, ...",
                              "give a multiple of 8")
        # Published: A[target, source] divided by the column sums. Our partitions divide by the row sums.
        adjacency = spatial_partitions(body).transpose(0, 2, 1)
        layers, inputs = nn.ModuleList(), channels
        for number, (multiple, stride) in enumerate(LAYERS):
            outputs = multiple * base_channels
            layers.append(CTRLayer(inputs, outputs, adjacency, stride, residual=number > 0))
            inputs = outputs
        super().__init__(layers, classes=classes, channels=channels, persons=persons, joints=body.num_joints,
                         norm_persons=True, width=inputs, dropout=dropout)
        nn.init.normal_(self.classifier.weight, 0, math.sqrt(2 / classes))


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    if inputs == outputs and stride == 1:
        return nn.Identity()
    conv = nn.Conv2d(inputs, outputs, 1, stride=(1, stride))
    _initialise(conv, outputs)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


def _initialise(conv: nn.Module, fan_out: int) -> None:
    """He initialisation over the fan-out of the single convolution that a stacked one stands for."""
    assert isinstance(conv, (nn.Conv1d, nn.Conv2d)) and conv.bias is not None
    nn.init.normal_(conv.weight, 0, math.sqrt(2 / fan_out))
    nn.init.zeros_(conv.bias)
