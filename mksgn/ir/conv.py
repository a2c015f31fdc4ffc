"""Convolution over frames and joints."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from mksgn.ir.kind import Pair, Shape, SynapseKind


@dataclass(frozen=True, eq=False)
class Conv(SynapseKind):
    r"""2-D convolution over (F, V), as torch's ``conv2d`` (a correlation).

    .. math:: a[o,f,v] = \sum_{i,m,n} w[o,i,m,n]\; s[i,\; f s_F + m d_F - p_F,\; v s_V + n d_V - p_V]

    Parameters
    ----------
    weight : int16 ndarray (O, I / groups, kF, kV)
        Even integers in [-256, 254].
    stride, padding, dilation : (F, V) pairs of int
    groups : int
    frame_steps : int
        0: the taps along F read frames that lie side by side. Above 0, where frames come one after the other
        (:mod:`mksgn.ir.streaming`): source and target hold one frame each, s_F is 1, and tap m reads what the source
        sends ``frame_steps`` (m d_F - p_F) steps later, in its own time. p_F may then be below 0.
    """

    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    frame_steps: int = 0

    kind = "conv"
    weight_axes = 4
    stores_zeros = True
    sums_in_24_bits = True

    @property
    def geometry(self) -> dict[str, Any]:
        numbers = {"stride": self.stride, "padding": self.padding, "dilation": self.dilation, "groups": self.groups}
        return numbers | ({"frame_steps": self.frame_steps} if self.frame_steps else {})

    @property
    def tap_offsets(self) -> tuple[int, ...]:
        """Steps of its own time by which each tap along F reads a source ahead; all 0 where frames lie side by side."""
        return tuple(self.frame_steps * (tap * self.dilation[0] - self.padding[0])
                     for tap in range(self.weight.shape[2]))

    @property
    def longest_delay(self) -> int:
        return max(0, -min(self.tap_offsets))

    @property
    def delayed(self) -> bool:
        return any(self.tap_offsets)

    @property
    def reads_ahead(self) -> int:
        return max(0, max(self.tap_offsets))

    def by_delay(self) -> list[tuple[int, Conv]]:
        if not self.frame_steps:
            return [(0, self)]
        taps = [replace(self, weight=self.weight[:, :, tap:tap + 1], padding=(0, self.padding[1]),
                        dilation=(1, self.dilation[1]), frame_steps=0) for tap in range(self.weight.shape[2])]
        pairs = [(-offset, tap) for offset, tap in zip(self.tap_offsets, taps)]
        return [(delay, tap) for delay, tap in pairs if tap.weight.any()] or pairs[-1:]

    @property
    def depthwise(self) -> bool:
        """Whether every channel is convolved with itself alone."""
        return self.groups == len(self.weight) and self.weight.shape[1] == 1

    @property
    def mixes_channels(self) -> bool:
        return not self.depthwise

    def _output_shape(self, source: Shape, target: Shape) -> Shape:
        channels, *size = source
        padding = self.padding[1:] if self.frame_steps else self.padding
        if min(*self.stride, *self.dilation, self.groups) < 1 or min(padding) < 0:
            raise ValueError(f"stride {self.stride}, padding {self.padding}, dilation {self.dilation}, "
                             f"groups {self.groups} must be positive (padding may be 0)")
        out, per_group, *kernel = self.weight.shape
        if per_group * self.groups != channels or out % self.groups:
            raise ValueError(f"weight {self.weight.shape} with {self.groups} groups reads "
                             f"{per_group * self.groups} channels")
        if self.frame_steps:
            if size[0] != 1 or self.stride[0] != 1:
                raise ValueError(f"taps in time read one frame with a stride of 1, not {size[0]} with {self.stride[0]}")
            size[0], kernel[0] = 1 - 2 * self.padding[0], 1  # one frame in, one frame out
        frames, joints = (
            (n + 2 * p - d * (k - 1) - 1) // s + 1
            for n, p, d, k, s in zip(size, self.padding, self.dilation, kernel, self.stride)
        )
        if min(frames, joints) < 1:
            raise ValueError(f"kernel {tuple(kernel)} does not fit into {size[0]} frames x {size[1]} joints")
        return (out, frames, joints)

    def read_positions(self, axis: int, targets: int) -> np.ndarray:
        """The source position that each tap of each target position reads: q stride + m dilation - padding.

        Parameters
        ----------
        axis : 0 for frames, 1 for joints
        targets : int
            Positions of the target along the axis.

        Returns
        -------
        int64 ndarray (kernel, targets)
            Those outside the source are padding. Taps in time all read the one frame that the source holds.
        """
        if axis == 0 and self.frame_steps:
            return np.zeros((self.weight.shape[2], targets), np.int64)
        tap = np.arange(self.weight.shape[axis + 2])[:, None] * self.dilation[axis]
        return np.arange(targets)[None, :] * self.stride[axis] + tap - self.padding[axis]

    def taps(self, axis: int, source: Shape, target: Shape) -> np.ndarray:
        """Read-only bool (kernel, target, source) along ``axis`` (0: F, 1: V): tap m of target q reads source p."""
        in_time = axis == 0 and self.frame_steps > 0
        return _taps(source[axis + 1], target[axis + 1], self.weight.shape[axis + 2], self.stride[axis],
                     0 if in_time else self.padding[axis], 0 if in_time else self.dilation[axis])

    def ungrouped(self) -> np.ndarray:
        """Weights (O, I, kF, kV) of the same convolution with one group: zeros between groups."""
        if self.groups == 1:
            return self.weight
        outputs, per_group, *kernel = self.weight.shape
        full = np.zeros((outputs, per_group * self.groups, *kernel), self.weight.dtype)
        for group in range(self.groups):
            rows = slice(group * outputs // self.groups, (group + 1) * outputs // self.groups)
            full[rows, group * per_group:(group + 1) * per_group] = self.weight[rows]
        return full

    def fanout(self, source: Shape, target: Shape) -> np.ndarray:
        nonzero = np.asarray(self.weight) != 0
        # (G, O/G, I/G, kF, kV) -> non-zero weights of each input channel and kernel tap.
        grouped = nonzero.reshape(self.groups, len(nonzero) // self.groups, *nonzero.shape[1:])
        of_tap = grouped.sum(axis=1, dtype=np.int64).reshape(source[0], *nonzero.shape[2:])
        return np.einsum("imn,mf,nv->ifv", of_tap, *(self._read(axis, source, target) for axis in (0, 1)))

    def connections(self, source: Shape, target: Shape) -> int:
        # Tap by tap: a kernel as large as its source has too many taps to look at every position through each.
        frames, joints = (self._read(axis, source, target).sum(axis=1) for axis in (0, 1))
        of_tap = (np.asarray(self.weight) != 0).sum(axis=(0, 1), dtype=np.int64)
        return int(frames @ of_tap @ joints)

    def _read(self, axis: int, source: Shape, target: Shape) -> np.ndarray:
        """int64 (kernel, source): 1 where some target position reads the source position with this tap."""
        positions = self.read_positions(axis, target[axis + 1])
        tap, target_position = np.nonzero((positions >= 0) & (positions < source[axis + 1]))
        read = np.zeros((len(positions), source[axis + 1]), np.int64)
        read[tap, positions[tap, target_position]] = 1
        return read

    def dense_mask(self) -> np.ndarray:
        """Without the channels that no weight reads, unless all weights are 0.

        The spike coder of one of several modalities is a convolution over its own coordinates
        (paper Eq. 35: n_m times the first layer); the other coordinates are not its.
        """
        read = np.asarray(self.weight).any(axis=(0, 2, 3))
        mask = super().dense_mask()
        return mask * read[:, None, None] if read.any() else mask

    def _uses(self, source: Shape, target: Shape) -> int:
        return target[1] * target[2]

    def _into_one(self, values: np.ndarray) -> np.ndarray:
        return values.sum(axis=(1, 2, 3))


@lru_cache(maxsize=512)
def _taps(source: int, target: int, kernel: int, stride: int, padding: int, dilation: int) -> np.ndarray:
    # Ranges, not weights, decide; mappers ask for the same few again and again.
    at = np.arange(target)[None, :] * stride + np.arange(kernel)[:, None] * dilation - padding
    found = at[:, :, None] == np.arange(source)[None, None, :]
    found.setflags(write=False)
    return found
