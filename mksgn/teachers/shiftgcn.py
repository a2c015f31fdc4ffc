"""Shift-GCN: shift graph convolution (Cheng et al., CVPR 2020)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from mksgn.errors import ConfigError
from mksgn.skeleton import Body
from mksgn.teachers.agcn import shortcut
from mksgn.teachers.stack import LAYERS, GraphStack


class JointShift(nn.Module):
    """Non-local spatial shift: channel c of joint v comes from joint v + direction c, modulo V.

    Parameters
    ----------
    channels, joints : int
    direction : 1 or -1
        Before and after the point-wise convolution.
    """

    index: Tensor

    def __init__(self, channels: int, joints: int, direction: int) -> None:
        super().__init__()
        index = (torch.arange(joints)[None, :] + direction * torch.arange(channels)[:, None]) % joints
        self.register_buffer("index", index[None, :, :, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, V, F), permuted over V channel by channel."""
        return x.gather(2, self.index.expand_as(x))


class ShiftMixing(nn.Module):
    """Spatial shift graph convolution: shift, mask, point-wise convolution, shift back, batch norm.

    ``mask`` re-weights every channel of every joint by tanh(mask) + 1.
    """

    def __init__(self, inputs: int, outputs: int, joints: int) -> None:
        super().__init__()
        self.shift_in, self.shift_out = JointShift(inputs, joints, 1), JointShift(outputs, joints, -1)
        self.mask = nn.Parameter(torch.zeros(inputs, joints, 1))
        self.point = nn.Conv2d(inputs, outputs, 1)
        self.norm = nn.BatchNorm1d(outputs * joints)
        """Statistics per channel and joint."""
        nn.init.normal_(self.point.weight, 0, math.sqrt(1 / outputs))
        nn.init.zeros_(self.point.bias)  # type: ignore[arg-type]  # a convolution's bias is typed optional

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, V, F) to (N, C', V, F)."""
        y = self.shift_out(self.point(self.shift_in(x) * (torch.tanh(self.mask) + 1)))
        return self.norm(y.flatten(1, 2)).view_as(y)


class FrameShift(nn.Module):
    """Adaptive temporal shift: every channel reads frame ``f stride + offset``, interpolated.

    Frames outside the sequence are zero. With a stride the offset is half a frame later (as in the published code),
    which also trains a shift along the joints there but pins it to zero: it is left out here.
    """

    def __init__(self, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.offset = nn.Parameter(torch.empty(channels).uniform_(-1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, V, F) to (N, C, V, F / stride)."""
        samples, _, joints, frames = x.shape
        offset = self.offset + (0.5 if self.stride > 1 else 0.0)
        below = offset.detach().floor()
        part = (offset - below)[:, None, None]
        start = torch.arange(0, frames, self.stride, device=x.device) + below.long()[:, None]  # (C, F')

        def read(frame: Tensor) -> Tensor:
            index = frame.clamp(0, frames - 1)[None, :, None, :].expand(samples, -1, joints, -1)
            inside = (frame >= 0) & (frame < frames)
            return x.gather(3, index) * inside[:, None, :]

        return read(start) * (1 - part) + read(start + 1) * part


class ShiftLayer(nn.Module):
    """Spatial shift graph convolution, then shift, point-wise convolution and shift over time."""

    def __init__(self, inputs: int, outputs: int, joints: int, stride: int, residual: bool) -> None:
        super().__init__()
        self.mix = ShiftMixing(inputs, outputs, joints)
        self.mix_shortcut = shortcut(inputs, outputs, 1)
        self.norm_in = nn.BatchNorm2d(outputs)
        self.shift_in, self.shift_out = FrameShift(outputs), FrameShift(outputs, stride)
        self.point = nn.Conv2d(outputs, outputs, 1)
        self.norm_out = nn.BatchNorm2d(outputs)
        self.shortcut = shortcut(inputs, outputs, stride) if residual else None
        nn.init.kaiming_normal_(self.point.weight, mode="fan_out")

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, V, F) to (N, C', V, F / stride)."""
        y = torch.relu(self.mix(x) + self.mix_shortcut(x))
        y = torch.relu(self.point(self.shift_in(self.norm_in(y))))
        y = self.norm_out(self.shift_out(y))
        return torch.relu(y if self.shortcut is None else y + self.shortcut(x))


class ShiftGCN(GraphStack):
    """Shift-GCN for one stream.

    Parameters
    ----------
    body : Body
        Joint graph of one person; only its number of joints matters, the shift relates all joints.
    classes : int
    channels, persons : int
        Coordinates per joint, persons per sample.
    base_channels : int
        Width of the first four layers; the others have two and four times as many.

    Raises
    ------
    ConfigError
        When ``base_channels`` is not positive.
    """

    def __init__(self, body: Body, classes: int, *, channels: int = 3, persons: int = 1,
                 base_channels: int = 64) -> None:
        if base_channels < 1:
            raise ConfigError("Shift-GCN cannot have this width", got=str(base_channels), allowed="1 or more")
        layers, inputs = nn.ModuleList(), channels
        for number, (multiple, stride) in enumerate(LAYERS):
            outputs = multiple * base_channels
            layers.append(ShiftLayer(inputs, outputs, body.num_joints, stride, residual=number > 0))
            inputs = outputs
        super().__init__(layers, classes=classes, channels=channels, persons=persons, joints=body.num_joints,
                         norm_persons=True, width=inputs, dropout=0.0)
        nn.init.normal_(self.classifier.weight, 0, math.sqrt(2 / classes))
