"""What a library's convolution is given: no geometry that it gets wrong.

oneDNN, which computes torch's convolutions on a CPU, has faults with channels last (found with torch 2.3.1):

- before a strided convolution with a 1 x 1 kernel it gathers the positions that are read, each thread in its own part
  of one buffer. On AVX2 the last 8-bit channels of a position are copied as 16 bytes, whatever their number, so a
  thread writes into its neighbour's part: wrong sums, at random, where the channels modulo 16 are not 0. With fewer
  than eight 32-bit channels it damages memory;
- on AVX-512 a strided convolution that makes a single position on an axis sums up wrong ones, 8 bits or 32;
- a target position of a strided convolution that meets nothing but padding ends the process (SIGSEGV).

So on an axis with a stride the library sees no padding, nothing beyond what is read, and no stride where one tap or one
target makes it needless; the borders are really there, as zeros. The sums are the same. tests/emulator/test_kernels.py
holds every kernel against plain integers on random geometries.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

from mksgn.ir import Conv
from mksgn.ir.synapses import Pair, Shape


@dataclass(frozen=True)
class _Axis:
    """Zeros put before and after (less than 0: positions cut off), every so many kept; what the library still does."""

    before: int
    after: int
    step: int
    stride: int
    padding: int


@dataclass(frozen=True)
class Window:
    """How the source of a convolution is padded, cut and thinned out before the library sees it.

    Parameters
    ----------
    frames, joints : how the two axes are prepared
    """

    frames: _Axis
    joints: _Axis

    @classmethod
    def of(cls, synapse: Conv, source: Shape) -> Window:
        """The window of ``synapse`` on a source of shape (C, F, V)."""
        return cls(_axis(synapse, 0, source[1]), _axis(synapse, 1, source[2]))

    @property
    def stride(self) -> Pair:
        """(F, V) stride that is left for the library."""
        return self.frames.stride, self.joints.stride

    @property
    def padding(self) -> Pair:
        """(F, V) padding that is left for the library."""
        return self.frames.padding, self.joints.padding

    def take(self, x_bfvc: torch.Tensor) -> torch.Tensor:
        """``x`` (B, F, V, C) as the library is to read it, contiguous."""
        f, v = self.frames, self.joints
        if f.before or f.after or v.before or v.after:
            x_bfvc = functional.pad(x_bfvc, (0, 0, v.before, v.after, f.before, f.after))
        return x_bfvc[:, ::f.step, ::v.step].contiguous()


def _axis(synapse: Conv, axis: int, size: int) -> _Axis:
    """One axis (0: F, 1: V) of ``size`` positions."""
    taps, stride = synapse.weight.shape[axis + 2], synapse.stride[axis]
    padding, dilation = synapse.padding[axis], synapse.dilation[axis]
    covered = dilation * (taps - 1) + 1
    targets = (size + 2 * padding - covered) // stride + 1
    # A target that reads no real position; with one tap, any padding makes one.
    read = synapse.read_positions(axis, targets)
    alone = not bool(((read >= 0) & (read < size)).any(axis=0).all())
    if stride == 1 and not alone:
        return _Axis(0, 0, 1, 1, padding)
    after = (targets - 1) * stride + covered - padding - size
    if taps == 1:
        return _Axis(padding, after, stride, 1, 0)
    return _Axis(padding, after, 1, stride if targets > 1 else 1, 0)
