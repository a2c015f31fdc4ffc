"""What several teacher streams say together, paper Eq. 25: as soft labels of a training, and as one prediction."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mksgn.errors import ConfigError


def fused_soft_labels(logits: Tensor, alpha: Sequence[float] = (), temperature: float = 1.0) -> Tensor:
    r"""Soft labels of several streams together, the weighted sum of their softmax outputs (Eq. 25): (N, J).

    .. math:: \hat y = \sum_m \alpha_m y_m

    Parameters
    ----------
    logits : float Tensor (N, S, J)
        N samples, S streams, J classes. Half-precision logits are computed with as float32.
    alpha : sequence of float
        One weight per stream, divided by their sum so that a row sums to 1; empty: equal.
    temperature : float
        Logits are divided by it first; the paper has none (1).

    Raises
    ------
    ConfigError
        When the weights are not one per stream, or one is negative or not finite, or all are zero.
    """
    streams = logits.shape[1]
    weights = logits.new_tensor(tuple(alpha) or (1.0,) * streams)
    if len(weights) != streams or not weights.isfinite().all() or (weights < 0).any() or not weights.sum() > 0:
        raise ConfigError("the weights of the teachers are impossible", "--alpha", str(tuple(alpha)),
                          f"{streams} numbers, none negative, not all zero")
    exact = logits if logits.dtype == torch.float64 else logits.float()
    return ((exact / temperature).softmax(2) * (weights / weights.sum())[:, None]).sum(1)
