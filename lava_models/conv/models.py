"""Stock ``Conv``, event by event: only the weights of neurons that sent something are touched.

Stock Lava calls scipy for the whole convolution, once per pair of channels.
"""

from __future__ import annotations

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.conv.models import PyConvModelFixed
from lava.proc.conv.process import Conv

from mksgn.events import kernels


@implements(proc=Conv, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt", "fast")
class PyConvModelEvent(PyConvModelFixed):
    """Drop-in for ``PyConvModelFixed``: the same sums, wrapped to 24 bits."""

    a_buf: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)

    def run_spk(self) -> None:
        """Send what the last step summed up; sum up what arrives now."""
        self.a_out.send(self.a_buf)
        messages = self.s_in.recv()
        if not self.num_message_bits.item():
            messages = messages.astype(bool)
        x = np.ascontiguousarray(messages, np.int32)
        total = np.zeros(self.a_out.shape, np.int32)
        geometry = [int(value) for pair in (self.stride, self.padding, self.dilation) for value in pair]
        # Lava keeps the number of groups in 8 signed bits: from 128 on only the weights tell it.
        groups = messages.shape[2] // self.weight.shape[3]
        # (O, kX, kY, I / groups), flipped: Lava convolves, the kernels correlate.
        taps = self.weight[:, ::-1, ::-1].transpose(1, 2, 3, 0).astype(np.int16)
        if groups > 1 and groups == taps.shape[3] and taps.shape[2] == 1:
            kernels.convolve_depthwise(x, np.ascontiguousarray(taps[:, :, 0]), *geometry, total)
        else:
            kernels.convolve(x, kernels.rows_by_input(taps, groups), groups, *geometry, total)
        self.a_buf = self.clamp_precision(total)
