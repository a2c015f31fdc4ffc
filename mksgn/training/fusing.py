"""From weights per sample to the fixed weights of a chip (SMF, paper Eq. 23)."""

from __future__ import annotations

import numpy as np
import torch

from mksgn.data.pack import Pack
from mksgn.data.preprocess import Preprocess
from mksgn.nn import SpikingGraphNet
from mksgn.training.batches import preprocessed

CHUNK = 64
"""Samples computed together."""


@torch.no_grad()
def sample_weights(net: SpikingGraphNet, pack: Pack, indices: np.ndarray, preprocess: Preprocess,
                   device: torch.device | None = None) -> np.ndarray:
    """Weights of the modalities of every sample, not augmented: float64 (N, M).

    In float32 and in evaluation mode, whatever mode ``net`` is in (it is put back).
    """
    training = net.training
    net.eval()
    found = []
    for start in range(0, len(indices), CHUNK):
        part = preprocessed(pack, indices[start:start + CHUNK], preprocess)
        weights = net(torch.from_numpy(part).to(device or "cpu")).weights
        assert weights is not None, "a network of one modality weighs nothing"
        found.append(weights.double().cpu().numpy())
    net.train(training)
    return np.concatenate(found)


def fixed_weights(weights: np.ndarray) -> tuple[float, ...]:
    """Mean of (N, M) weights over the samples, as the float32 numbers a network holds."""
    return tuple(float(weight) for weight in weights.mean(axis=0).astype(np.float32))
