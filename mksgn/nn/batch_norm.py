"""Batch norms of populations: how a batch enters the running statistics, and the affine map that these make."""

from __future__ import annotations

import torch
from torch import Tensor, nn


@torch.no_grad()
def update_running_moments(norm: nn.BatchNorm2d, mean: Tensor, var: Tensor) -> None:
    """Enter a batch's moments (C,) into the running ones as torch does: by ``momentum``; where it is None, as means."""
    count = norm.get_buffer("num_batches_tracked").add_(1)
    weight = 1 / count.item() if norm.momentum is None else norm.momentum
    for buffer, value in (("running_mean", mean), ("running_var", var)):
        norm.get_buffer(buffer).lerp_(value, weight)


def scale_and_shift(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Scale and shift per channel of a batch norm by its running statistics."""
    scale = norm.weight * (norm.get_buffer("running_var") + norm.eps).rsqrt()
    return scale, norm.bias - norm.get_buffer("running_mean") * scale
