"""MK-SGN of any size without training, for programs that measure what a size costs."""

from __future__ import annotations

import numpy as np
import torch

from mksgn.energy.printed import TABLE7
from mksgn.ir import Graph
from mksgn.networks import DataShape, MkSgnConfig
from mksgn.nn import SpikingGraphNet
from mksgn.nn.lowering import to_graph
from mksgn.nn.slayer_backend import calibrate
from mksgn.skeleton import NTU25

CLASSES = 60


def paper_size() -> Graph:
    """MK-SGN as large as the paper's (Table 7): 64 frames x 25 joints, T = 4."""
    return untrained(64, TABLE7["MK-SGN"]["widths"], TABLE7["MK-SGN"]["strides"])


def untrained(frames: int, widths: tuple[int, ...], strides: tuple[int, ...], time_steps: int = 4) -> Graph:
    """An untrained MK-SGN for 25 joints whose neurons fire as trained ones do: calibrated on noise walks.

    Parameters
    ----------
    frames : int
        Video frames of a sample.
    widths, strides : tuple of int
        Channels, and strides over frames, of the layers.
    time_steps : int
        T.
    """
    torch.manual_seed(0)
    net = SpikingGraphNet(MkSgnConfig(widths=widths, strides=strides, time_steps=time_steps),
                          DataShape(body=NTU25, classes=CLASSES, frames=frames))
    calibrate(net, noise(net.input_shape, 8))
    net.quantize()
    return to_graph(net)


def noise(shape: tuple[int, int, int], count: int) -> np.ndarray:
    """``count`` int8 samples (N, C, F, V) of ``shape`` (C, F, V) that move smoothly, as bodies do; always the same."""
    rng = np.random.default_rng(0)
    walk = rng.normal(0, 1, (count, *shape)).cumsum(axis=2)
    return np.clip(np.rint(walk * (60 / np.abs(walk).max())), -127, 127).astype(np.int8)
