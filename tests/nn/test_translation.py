"""The feature translation module against loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from spikes_and_logits import normal

from mksgn.errors import ConfigError
from mksgn.nn.translation import FeatureTranslation


def convolved(x: np.ndarray, weight: np.ndarray, depthwise: bool = False) -> np.ndarray:
    """Same-size convolution of (N, I, F, V) by loops; weight (O, I, k, l), or (O, 1, k, l) when depth-wise."""
    samples, channels, frames, joints = x.shape
    outputs, _, height, breadth = weight.shape
    y = np.zeros((samples, outputs, frames, joints))
    for n, o, f, v in np.ndindex(*y.shape):
        for i in [o] if depthwise else range(channels):
            for k in range(height):
                for m in range(breadth):
                    a, b = f + k - height // 2, v + m - breadth // 2
                    if 0 <= a < frames and 0 <= b < joints:
                        y[n, o, f, v] += weight[o, 0 if depthwise else i, k, m] * x[n, i, a, b]
    return y


def standardised(x: np.ndarray, eps: float) -> np.ndarray:
    mean, var = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
    return (x - mean) / np.sqrt(var + eps)


def test_translation_is_eq_27_and_28():
    """Two streams of two persons: concatenation, depth-wise separable convolution, PCM, and a LIF by loops."""
    torch.manual_seed(5)
    steps, shape = 3, (4, 3, 6)
    ftm = FeatureTranslation([2, 3], shape)
    streams = [normal(4, 2, 3, 3), normal(4, 3, 3, 3, seed=1)]  # 2 samples of 2 persons, 3 joints each
    joined = np.zeros((2, 5, 3, 6))
    for n in range(2):
        for m in range(2):
            for first, stream in ((0, streams[0]), (2, streams[1])):
                channels = stream.shape[1]
                joined[n, first:first + channels, :, 3 * m:3 * m + 3] = stream[2 * n + m].numpy()
    fused = convolved(convolved(joined, ftm.depthwise.weight.detach().numpy(), depthwise=True),
                      ftm.pointwise.weight.detach().numpy())
    fused = standardised(fused, ftm.norm.eps)
    coder = ftm.coder.projections[0].weight(None).detach().numpy()
    drive = standardised(convolved(fused, coder), ftm.coder.norm.eps)
    expected = np.zeros((2, steps, *shape))
    for n, c, f, v in np.ndindex(2, *shape):
        potential = 0.0
        for t in range(steps):
            potential = 0.25 * potential + drive[n, c, f, v]
            if potential > 1:
                expected[n, t, c, f, v], potential = 1, 0.0
    got = ftm(streams, steps).detach().numpy()
    np.testing.assert_array_equal(got, expected.reshape(-1, *shape))
    assert 0.05 < got.mean() < 0.6, "a silent translation proves nothing"


def test_translation_keeps_channels_and_adapts_frames():
    ftm = FeatureTranslation([64] * 4, (64, 16, 20))
    assert ftm.pointwise.weight.shape == (256, 256, 1, 1)  # 8 C with C = 32, paper below Eq. 27
    features = [normal(2, 64, 26, 20, seed=s) for s in range(4)]  # 52 frames: what CTR-GCN's NW-UCLA recipe has
    assert ftm(features, 2).shape == (4, 64, 16, 20)
    pooled = FeatureTranslation([1], (1, 2, 1))._fit([torch.arange(4.0).reshape(1, 1, 4, 1)])
    assert pooled.flatten().tolist() == [0.5, 2.5]
    with pytest.raises(ConfigError, match="do not fit"):
        ftm(features[:3], 2)
    with pytest.raises(ConfigError, match="do not fit"):
        ftm([f[..., :7] for f in features], 2)
    with pytest.raises(ConfigError, match="no teacher"):
        FeatureTranslation([], (1, 1, 1))
