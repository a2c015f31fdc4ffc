"""What a training consists of: its stages, the loss of a step, and the means of what the steps of an epoch measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Stage:
    """Epochs that are trained with the same optimisers.

    Parameters
    ----------
    name : str
        Empty where a training has one stage only; its log and its checkpoints then name none.
    epochs : int
    label : str
        What stands before its epochs on the screen.
    """

    name: str
    epochs: int
    label: str

    def entry(self, epoch: int) -> dict[str, Any]:
        """How log and checkpoint name an epoch, counted from 0."""
        return {**({"stage": self.name} if self.name else {}), "epoch": epoch}


class StepLoss(nn.Module):
    """Network and loss in one module, so that distributed training sees tensors only.

    Attributes
    ----------
    names : sequence of str
        Figures of a step; the first is the loss, and ``accuracy`` is among them.
    per_step : Tensor
        What one step counts for in the mean of each, see :class:`EpochMeans`.
    """

    names: list[str]
    per_step: Tensor


class EpochMeans:
    """Means of the figures that every step of an epoch measures.

    Parameters
    ----------
    names : sequence of str
    per_step : Tensor (len(names),)
        What one step counts for in each mean: 1, or the samples of a batch where the figure counts samples. Its type
        is that of the sums.
    """

    def __init__(self, names: Sequence[str], per_step: Tensor) -> None:
        self.names, self.per_step = tuple(names), per_step
        self.total, self.steps = torch.zeros_like(per_step), 0

    def add(self, figures: Tensor) -> None:
        """The figures of one step, (len(names),)."""
        self.total += figures.cpu()
        self.steps += 1

    def tensor(self) -> Tensor:
        """The means so far, (len(names),)."""
        return self.total / (self.steps * self.per_step)

    def named(self) -> dict[str, float]:
        """The means so far, by name."""
        return dict(zip(self.names, self.tensor().tolist()))
