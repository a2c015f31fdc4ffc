"""Averaging of weights over the last optimiser steps of a training in floating point (SWA)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, update_bn

from mksgn.training.averaged_tail import AveragedTail

AVERAGE = "average"
"""Name of the average in a checkpoint."""


def average_of(net: nn.Module, recipe: AveragedTail, device: torch.device) -> AveragedModel | None:
    """Where the mean of ``net``'s weights is kept, on ``device``, or None where ``recipe`` averages nothing.

    ``update_parameters`` is for after every optimiser step from epoch ``recipe.averaged_from`` on: stochastic weight
    averaging (Izmailov et al., arXiv 1803.05407), at every step rather than epoch as in Cha et al., arXiv 2102.08604,
    who use it against a shift from training to test domains, such as other cameras.
    """
    return AveragedModel(net, device) if recipe.averages else None


def take_average(net: nn.Module, average: AveragedModel, batches: Iterable[tuple[Tensor, ...]],
                 seed: int) -> None:
    """Give ``net`` the averaged weights, and the statistics that they cause in its batch norms.

    Parameters
    ----------
    batches
        Training batches (what ``net`` takes first): the statistics are means over all of them.
    seed : int
        Of what is random in evaluating them, dropout.
    """
    torch.manual_seed(seed)
    net.load_state_dict(average.module.state_dict())
    update_bn(batches, net, next(net.parameters()).device)
