"""Logits and spikes for the tests of distillation."""

from __future__ import annotations

import numpy as np
import torch


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(0, 1.5, shape).astype(np.float32))


def spikes(*shape: int, seed: int = 0, rate: float = 0.3) -> torch.Tensor:
    return torch.from_numpy((np.random.default_rng(seed).random(shape) < rate).astype(np.float32))
