"""From weights per sample to the fixed weights of a chip (SMF, paper Eq. 23)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mksgn.data.pack import Pack
from mksgn.data.preprocess import Preprocess
from mksgn.nn import SpikingGraphNet
from mksgn.training.batches import preprocessed
from mksgn.training.evaluation import PART, answers


def sample_weights(net: SpikingGraphNet, pack: Pack, indices: np.ndarray, preprocess: Preprocess,
                   device: torch.device | None = None) -> np.ndarray:
    """Weights of the modalities of every sample, not augmented: float64 (N, M).

    In float32 and in evaluation mode, whatever mode ``net`` is in (it is put back).
    """
    def weights_of(part: Tensor) -> Tensor:
        weights = net(part.to(device or "cpu")).weights
        assert weights is not None, "a network of one modality weighs nothing"
        return weights.double()

    return answers(net, weights_of, (preprocessed(pack, indices[start:start + PART], preprocess)
                                     for start in range(0, len(indices), PART)))


def fixed_weights(weights: np.ndarray) -> tuple[float, ...]:
    """Mean of (N, M) weights over the samples, as the float32 numbers a network holds."""
    return tuple(float(weight) for weight in weights.mean(axis=0).astype(np.float32))
