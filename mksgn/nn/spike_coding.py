"""Spike coding (paper Eq. 3-4): PCM presents the coordinates at every time step, SC turns them into spikes.

.. math::
    P_0 &= PCM(X) \\qquad (3) \\\\
    P &= SN(BN(Conv2d(P_0))) \\qquad (4)

Several modalities have a coder each (Table 6: SC1 to SC4); :mod:`mksgn.nn.fusion` weighs what they say.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mksgn import ir
from mksgn.nn.config import CODER_FRAMES
from mksgn.nn.population import SpikingPopulation
from mksgn.nn.projections import ConvProjection, Projection
from mksgn.nn.spikes import Hook

KERNEL = (CODER_FRAMES, 3)
"""Frames and joints of Eq. 4's convolution (paper, below Eq. 4)."""
PADDING = (1, 1)


def coder_name(modality: str) -> str:
    """Population name of a modality's spike coder: ``sc.joint_motion``."""
    return "sc." + modality.replace("-", "_")


class SpikeCoder(SpikingPopulation):
    """SC: a population that reads the graded coordinates (Table 6: SC_lif).

    Parameters
    ----------
    shape, projections, and others
        See :class:`~mksgn.nn.population.SpikingPopulation`; there is one projection.
    joint_bias : bool
        A trainable bias per channel *and joint*, as ST-GCN's data batch norm has: it tells joints apart.
    """

    def __init__(self, shape: tuple[int, int, int], projections: list[Projection], *, joint_bias: bool = True,
                 **neuron: Any) -> None:
        super().__init__(shape, projections, **neuron)
        if joint_bias:
            self.joint_bias = nn.Parameter(torch.zeros(shape[0], shape[2]))

    def encode(self, x: Tensor, steps: int) -> tuple[Tensor, Tensor]:
        """Spikes (N T, C, F, V) of coordinates (N, C, F, V), and their number.

        PCM (Eq. 3) is the same input at each of the T steps, so the convolution of Eq. 4 is computed once.
        """
        (projection,) = self.projections
        drive = projection.current(x, self.neuron.quantize_8bit if self.quantized else None)
        if self.joint_bias is None:
            return self.fire(drive.repeat_interleave(steps, 0), None, steps, x.dtype)
        extra = self.quantized_joint_bias(self.joint_bias).to(drive.dtype)[None, :, None, :].expand_as(drive)
        return self.fire(drive.repeat_interleave(steps, 0), extra.repeat_interleave(steps, 0), steps, x.dtype)


class ModalityProjection(ConvProjection):
    """3 x 3 convolution (Eq. 4) over the input channels of one modality.

    On the chip it is a convolution over all channels of the input whose other weights are 0: no synapse, and
    counted by nobody.

    Parameters
    ----------
    source : str
        The input.
    total, first, channels : int
        Channels of the input; the modality's are ``first`` to ``first + channels - 1``.
    out : int
    padding : (F, V)
    """

    def __init__(self, source: str, total: int, first: int, channels: int, out: int,
                 padding: tuple[int, int] = PADDING) -> None:
        super().__init__((source,), channels, out, KERNEL, padding=padding)
        self.total = total
        self.own = slice(first, first + channels)

    def current(self, x: Tensor, hook: Hook) -> Tensor:
        return super().current(x[:, self.own].contiguous(memory_format=torch.channels_last), hook)

    def current_slayer(self, x: Tensor, hook: Hook) -> Tensor:
        return super().current_slayer(x[:, self.own], hook)

    def to_ir(self, name: str, target: str, weight_int: np.ndarray) -> ir.Synapse:
        whole = np.zeros((len(weight_int), self.total, *weight_int.shape[2:]), weight_int.dtype)
        whole[:, self.own] = weight_int
        return super().to_ir(name, target, whole)
