"""MS-G3D: multi-scale and unified spatial-temporal graph convolution (Liu et al., CVPR 2020; arXiv 2003.14111)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from mksgn.errors import ConfigError
from mksgn.skeleton import Body
from mksgn.teachers.stack import GraphStack

SCALES, WINDOW_SCALES = 13, 6
"""Hop distances told apart by the spatial path and by the windows (NTU settings of the published code)."""
WINDOWS = (3, 5)
"""Frames of the two G3D paths."""
DILATIONS = (1, 2, 3, 4)
BRANCHES = len(DILATIONS) + 2
"""Branches of the temporal module: four dilated convolutions, maximum, 1 x 1."""


def scales(body: Body, count: int, window: int = 1) -> np.ndarray:
    """Normalised k-adjacencies of a body repeated over a window of frames (disentangled aggregation).

    Joints of a window are one graph: everything a hop or less apart is linked across all its frames. Scale k links
    what is exactly k hops apart, and every joint to itself; rows and columns are divided by the roots of the degrees.

    Returns
    -------
    float32 ndarray (count, window V, window V)
    """
    links = np.tile(body.adjacency() | np.eye(body.num_joints, dtype=bool), (window, window))
    own = np.eye(len(links), dtype=bool)
    reached, matrices = own, [own.astype(np.float64)]
    for _ in range(1, count):
        further = (reached.astype(np.int64) @ links.astype(np.int64)) > 0
        matrices.append(((further & ~reached) | own).astype(np.float64))
        reached = further
    roots = [1 / np.sqrt(matrix.sum(1)) for matrix in matrices]
    return np.stack([r[:, None] * m * r[None, :] for r, m in zip(roots, matrices)]).astype(np.float32)


class ScaleMixing(nn.Module):
    """Multi-scale graph convolution: every scale mixes the joints, one 1 x 1 convolution sums them up.

    ``y = ReLU(BN(W [(A_k + B_k) x for all k]))``, A fixed and B trained.
    """

    adjacency: Tensor

    def __init__(self, inputs: int, outputs: int, adjacency: np.ndarray) -> None:
        super().__init__()
        self.register_buffer("adjacency", torch.from_numpy(adjacency))
        self.offset = nn.Parameter(torch.empty(adjacency.shape).uniform_(-1e-6, 1e-6))
        self.point = nn.Conv2d(inputs * len(adjacency), outputs, 1)
        """Input channel c of scale k is number k C + c."""
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, V, F) to (N, C', V, F)."""
        topology = (self.adjacency + self.offset).flatten(0, 1)
        mixed = (topology @ x).unflatten(2, (len(self.adjacency), -1)).transpose(1, 2).flatten(1, 2)
        return torch.relu(self.norm(self.point(mixed)))


class WindowPath(nn.Module):
    """G3D: graph convolution over sliding windows of frames, then the window collapses to a frame.

    Parameters
    ----------
    inputs, hidden, outputs : int
        Channels before and after the graph convolution, and after the collapse.
    """

    def __init__(self, inputs: int, hidden: int, outputs: int, body: Body, window: int, stride: int,
                 count: int) -> None:
        super().__init__()
        self.window, self.stride = window, stride
        self.mix = ScaleMixing(inputs, hidden, scales(body, count, window))
        self.collapse = nn.Conv3d(hidden, outputs, (window, 1, 1))
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, V, F) to (N, C', V, F / stride)."""
        reach = self.window // 2
        windows = nn.functional.pad(x, (reach, reach)).unfold(3, self.window, self.stride)  # (N, C, V, F', window)
        y = self.mix(windows.permute(0, 1, 4, 2, 3).flatten(2, 3))
        return self.norm(self.collapse(y.unflatten(2, (self.window, -1))).squeeze(2))


class ScaleTemporal(nn.Module):
    """Six temporal branches of a sixth of the channels each, concatenated, plus the residual."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, last: bool = True) -> None:
        super().__init__()
        part = outputs // BRANCHES
        self.last = last
        """Whether ReLU follows."""
        self.reduce = nn.Conv2d(inputs, (BRANCHES - 1) * part, 1)
        """The 1 x 1 of all branches but the last."""
        self.reduce_norm = nn.BatchNorm2d((BRANCHES - 1) * part)
        self.dilated = nn.ModuleList(
            nn.Conv2d(part, part, (1, 3), stride=(1, stride), padding=(0, dilation), dilation=(1, dilation))
            for dilation in DILATIONS)
        self.pool = nn.MaxPool2d((1, 3), (1, stride), (0, 1))
        self.point = nn.Conv2d(inputs, part, 1, stride=(1, stride))
        self.norm = nn.BatchNorm2d(outputs)
        """The last norm of all branches."""
        self.shortcut: nn.Module = nn.Identity()
        if inputs != outputs or stride > 1:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=(1, stride)), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, V, F) to (N, C', V, F / stride)."""
        *inner, peak = torch.relu(self.reduce_norm(self.reduce(x))).chunk(BRANCHES - 1, 1)
        branches = [conv(part) for conv, part in zip(self.dilated, inner)] + [self.pool(peak), self.point(x)]
        y = self.norm(torch.cat(branches, 1)) + self.shortcut(x)
        return torch.relu(y) if self.last else y


class MSG3DLayer(nn.Module):
    """Spatial path and two window paths, summed; then a temporal module."""

    def __init__(self, inputs: int, outputs: int, body: Body, stride: int, first: bool) -> None:
        super().__init__()
        # The first layer widens in its graph convolutions, which have only the coordinates; the others after them.
        hidden = outputs if first else inputs
        self.windows = nn.ModuleList(WindowPath(inputs, hidden, outputs, body, window, stride, WINDOW_SCALES)
                                     for window in WINDOWS)
        self.spatial = nn.Sequential(
            ScaleMixing(inputs, hidden, scales(body, SCALES)),
            ScaleTemporal(hidden, outputs, stride), ScaleTemporal(outputs, outputs, last=False))
        self.temporal = ScaleTemporal(outputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, V, F) to (N, C', V, F / stride)."""
        y = self.spatial(x)
        for path in self.windows:
            y = y + path(x)
        return self.temporal(torch.relu(y))


class MSG3D(GraphStack):
    """MS-G3D for one stream. With two persons, NTU's 25 joints and 60 classes: 3.2 M parameters.

    Parameters
    ----------
    body : Body
        Joint graph of one person.
    classes : int
    channels, persons : int
        Coordinates per joint, persons per sample.
    base_channels : int
        Width of the first of three layers, a multiple of 6; the others have two and four times as many.

    Raises
    ------
    ConfigError
        When ``base_channels`` is not a positive multiple of 6.
    """

    def __init__(self, body: Body, classes: int, *, channels: int = 3, persons: int = 1,
                 base_channels: int = 96) -> None:
        if base_channels < BRANCHES or base_channels % BRANCHES:
            raise ConfigError("MS-G3D cannot have this width", got=str(base_channels), allowed="6, 12, 18, ...")
        widths = (channels, base_channels, 2 * base_channels, 4 * base_channels)
        layers = nn.ModuleList(MSG3DLayer(widths[i], widths[i + 1], body, 1 if i == 0 else 2, first=i == 0)
                               for i in range(3))
        super().__init__(layers, classes=classes, channels=channels, persons=persons, joints=body.num_joints,
                         norm_persons=True, width=widths[-1], dropout=0.0)
