"""ST-GCN: spatial temporal graph convolution (Yan, Xiong and Lin, AAAI 2018; arXiv 1801.07455)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from mksgn.errors import ConfigError
from mksgn.skeleton import Body, spatial_partitions
from mksgn.teachers.stack import LAYERS, GraphStack


class STLayer(nn.Module):
    """Graph convolution over K partitions, then a 9 x 1 convolution over time (paper Eq. 9-10).

    ``y[f, v] = sum over k and w of (A_k * importance_k)[v, w] (W_k x)[f, w]``; then batch norm, ReLU, temporal
    convolution, batch norm, dropout, plus the residual, ReLU.

    Parameters
    ----------
    inputs, outputs, stride : int
    adjacency : float ndarray (K, V, V)
        Fixed, [k, target, source].
    residual : bool
        Where the shape changes the input goes through a strided 1 x 1 convolution and a batch norm.
    dropout : float
    """

    adjacency: Tensor

    def __init__(self, inputs: int, outputs: int, adjacency: np.ndarray, stride: int, residual: bool,
                 dropout: float) -> None:
        super().__init__()
        self.register_buffer("adjacency", torch.from_numpy(adjacency.astype(np.float32)))
        self.importance = nn.Parameter(torch.ones(self.adjacency.shape))
        self.mix = nn.Conv2d(inputs, len(adjacency) * outputs, 1)
        """W: output channel c of partition k is number c K + k."""
        self.mix_norm = nn.BatchNorm2d(outputs)
        self.temporal = nn.Conv2d(outputs, outputs, (1, 9), stride=(1, stride), padding=(0, 4))
        self.norm = nn.BatchNorm2d(outputs)
        self.dropout = nn.Dropout(dropout)
        self.shortcut: nn.Module | None = None
        if residual:
            same = inputs == outputs and stride == 1
            self.shortcut = nn.Identity() if same else nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=(1, stride)), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, V, F) to (N, C', V, F / stride)."""
        supports = self.adjacency * self.importance
        # Sum over partitions and sources in one product: (V, K V) x (N, C', K V, F).
        mixed = self.mix(x).unflatten(1, (-1, len(supports))).flatten(2, 3)
        y = supports.transpose(0, 1).flatten(1).to(mixed.dtype) @ mixed
        y = self.dropout(self.norm(self.temporal(torch.relu(self.mix_norm(y)))))
        return torch.relu(y if self.shortcut is None else y + self.shortcut(x))


class STGCN(GraphStack):
    """ST-GCN for one stream. With the defaults and NTU's 25 joints, 60 classes: 3.1 M parameters.

    Parameters
    ----------
    body : Body
        Joint graph of one person.
    classes : int
    channels, persons : int
        Coordinates per joint, persons per sample.
    base_channels : int
        Width of the first four layers; the others have two and four times as many.
    dropout : float
        After each temporal convolution but the first layer's, 0.5 in the paper (section 4.2).

    Raises
    ------
    ConfigError
        When ``base_channels`` is not positive.
    """

    def __init__(self, body: Body, classes: int, *, channels: int = 3, persons: int = 1, base_channels: int = 64,
                 dropout: float = 0.0) -> None:
        if base_channels < 1:
            raise ConfigError("ST-GCN cannot have this width", got=str(base_channels), allowed="1 or more")
        adjacency = jointly_normalised(spatial_partitions(body))
        layers, inputs = nn.ModuleList(), channels
        for number, (multiple, stride) in enumerate(LAYERS):
            outputs = multiple * base_channels
            layers.append(STLayer(inputs, outputs, adjacency, stride, number > 0, dropout if number else 0.0))
            inputs = outputs
        super().__init__(layers, classes=classes, channels=channels, persons=persons, joints=body.num_joints,
                         norm_persons=False, width=inputs, dropout=0.0)


def jointly_normalised(partitions: np.ndarray) -> np.ndarray:
    """Each target's sources weighted by 1 / their number over all partitions together (paper section 3.2).

    :func:`mksgn.skeleton.spatial_partitions` divides each partition by its own number of sources.
    """
    linked = (partitions > 0).astype(np.float32)
    return linked / linked.sum(axis=(0, 2))[None, :, None]
