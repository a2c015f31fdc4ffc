"""Untrained networks that fire, and samples that look like skeletons in motion."""

from __future__ import annotations

import numpy as np
import torch

from mksgn.nn import SpikingGraphNet
from mksgn.nn.slayer_backend import calibrate


def samples_for(net: SpikingGraphNet, count: int = 3) -> np.ndarray:
    """Samples int8 (count, C, F, V) that move smoothly over the frames."""
    smooth = np.random.default_rng(0).normal(size=(count, *net.input_shape)).cumsum(axis=2)
    return np.clip(smooth * 30, -127, 127).astype(np.int8)


def lively(net: SpikingGraphNet, samples: np.ndarray) -> SpikingGraphNet:
    """Batch-norm statistics of the samples, and biases at which everything fires."""
    calibrate(net, samples)
    with torch.no_grad():
        for population in net.populations:
            if population.norm is not None:
                population.norm.bias.add_(0.4)
    calibrate(net, samples)
    return net
