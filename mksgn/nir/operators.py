"""A synapse as NIR nodes without state: Conv2d, Linear, Scale, Delay.

Frames and joints are kept where NIR can keep them. Its type rules (nir 1.0) leave these forms: a Linear whose
weight has leading axes mixes the last axis only, (C, F, V source) to (C, F, V target); a Conv2d has the type that
follows from one group and a square kernel. So a group is written out with zeros between the groups, and a kernel
that is not square stands in the middle of a square one of zeros. Nothing brings axes back: a population that a
dense synapse drives is flat, and so is all that it drives, through matrices written out in full.
"""

from __future__ import annotations

from functools import singledispatchmethod

import nir
import numpy as np

from mksgn.ir.synapses import Conv, GraphConv, JointMix, Pair, Shape, Synapse
from mksgn.nir.budget import Budget
from mksgn.nir.matrices import edge_terms, intermediate_numbers, matrix
from mksgn.nir.units import real

Chain = list[tuple[str, nir.NIRNode]]
"""Nodes one after another, each with the suffix of its name."""
FLOAT_BYTES = 4


class Operators:
    """Makes the nodes of synapses.

    Parameters
    ----------
    budget : Budget
        Charged with every matrix before it is made.
    dt : float
        Seconds per step, the unit of delays.
    """

    def __init__(self, budget: Budget, dt: float) -> None:
        self.budget, self.dt = budget, dt

    def flat(self, synapse: Synapse, source: Shape, target: Shape, shift: int) -> list[Chain]:
        """Parallel chains from a flattened source to a flat target; their outputs add up.

        A delay per input is a Delay before the matrix. Delays per synapse split the matrix: one chain per delay.
        """
        size = int(np.prod(source)) * int(np.prod(target))
        delay = synapse.delay
        if delay is not None and delay.ndim == 2 and (delay == delay[:1]).all():
            delay = delay[0]
        self._charge(synapse, size + intermediate_numbers(synapse, source, target))
        if delay is None or not delay.any():
            return [[("", nir.Linear(real(matrix(synapse, source, target), shift)))]]
        if delay.ndim == 1:
            return [[("_delay", nir.Delay(delay * self.dt)),
                     ("", nir.Linear(real(matrix(synapse, source, target), shift)))]]
        chains: list[Chain] = []
        for steps, part in synapse.by_delay():
            self._charge(synapse, size)
            wait: Chain = [("_delay", nir.Delay(np.full(delay.shape[1], steps * self.dt)))] if steps else []
            chains.append([*wait, (f"_d{steps}", nir.Linear(real(part.weight, shift)))])
        return chains

    @singledispatchmethod
    def spatial(self, synapse: Synapse, source: Shape, target: Shape, shift: int) -> Chain:
        """One chain from (C, F, V) to (C, F, V); ``synapse`` is no Dense, which always ends in one axis."""
        raise TypeError(f"no synapse between frames and joints: {synapse!r}")

    @spatial.register
    def _joint_mix(self, synapse: JointMix, source: Shape, target: Shape, shift: int) -> Chain:
        copy = self._copy(synapse, source, synapse.weight.shape[0])
        return [*copy, ("", self._joints(synapse, source, real(synapse.weight, shift)))]

    @spatial.register
    def _graph_conv(self, synapse: GraphConv, source: Shape, target: Shape, shift: int) -> Chain:
        self._charge(synapse, intermediate_numbers(synapse, source, target))
        adjacency, weight = edge_terms(synapse, source[2], target[2])
        kernel = weight.transpose(1, 0, 2).reshape(weight.shape[1], -1, 1, 1)
        return [*self._copy(synapse, source, len(adjacency)),
                ("_joints", self._joints(synapse, source, adjacency.astype(np.float32))),
                ("", self._conv2d(synapse, real(kernel, shift), target[1:]))]

    @spatial.register
    def _conv(self, synapse: Conv, source: Shape, target: Shape, shift: int) -> Chain:
        channels, _, joints = source
        outputs, _, frames_kernel, joints_kernel = synapse.weight.shape
        per_channel = synapse.groups == channels == outputs
        own_frame = frames_kernel == 1 and synapse.stride[0] == 1 and synapse.padding[0] == 0

        def read() -> np.ndarray:
            self._charge(synapse, joints_kernel * joints * target[2])
            return synapse.taps(1, source, target).astype(np.int16)

        if per_channel and source == target and own_frame and joints_kernel == 1 and synapse.padding[1] == 0:
            self._charge(synapse, int(np.prod(source)))
            scale = real(synapse.weight[:, 0], shift)
            return [("", nir.Scale(np.broadcast_to(scale, source).copy()))]
        side, middle = max(frames_kernel, joints_kernel), (frames_kernel - joints_kernel) % 2 == 0
        smaller = int(np.prod(source)) * target[2] <= outputs * channels * side * side
        if per_channel and own_frame and (smaller or not middle):
            self._charge(synapse, int(np.prod(source)) * target[2])
            mixing = np.einsum("cn,nvw->cvw", synapse.weight[:, 0, 0].astype(np.int32), read())
            spread = np.repeat(real(mixing, shift)[:, None], source[1], axis=1)
            return [("", nir.Linear(spread))]
        self._charge(synapse, outputs * channels * frames_kernel * joints_kernel)
        weight = real(synapse.ungrouped(), shift)
        if middle:
            return [("", self._conv2d(synapse, weight, source[1:], synapse.stride, synapse.padding, synapse.dilation))]
        # A kernel with one even and one odd side fits into the middle of no square. Its joint axis becomes a Linear;
        # where its frame axis is even, an empty joint and an empty column keep the rest even.
        even = 1 - frames_kernel % 2
        mixing = np.pad(read(), ((0, 0), (0, even), (0, 0)))
        self._charge(synapse, 2 * weight.size)
        kernel = weight.transpose(0, 3, 1, 2).reshape(outputs, -1, frames_kernel, 1)
        kernel = np.pad(kernel, ((0, 0), (0, 0), (0, 0), (0, even)))
        return [*self._copy(synapse, source, joints_kernel),
                ("_joints", self._joints(synapse, source, mixing.astype(np.float32))),
                ("", self._conv2d(synapse, kernel, (source[1], mixing.shape[1]), (synapse.stride[0], 1),
                                  (synapse.padding[0], 0), (synapse.dilation[0], 1)))]

    def _copy(self, synapse: Synapse, source: Shape, copies: int) -> Chain:
        """Repeat all channels ``copies`` times, by a 1x1 convolution; nothing for one copy."""
        if copies == 1:
            return []
        self._charge(synapse, copies * source[0] ** 2)
        kernel = np.tile(np.eye(source[0], dtype=np.float32), (copies, 1))[:, :, None, None]
        return [("_copy", self._conv2d(synapse, kernel, source[1:]))]

    def _joints(self, synapse: Synapse, source: Shape, mixing: np.ndarray) -> nir.Linear:
        """Mix joints by ``mixing`` (K, V target, V source), matrix k for the k-th copy of all channels."""
        self._charge(synapse, source[0] * source[1] * mixing.size)
        spread = np.repeat(mixing[:, None], source[0] * source[1], axis=1)
        return nir.Linear(spread.reshape(len(mixing) * source[0], source[1], *mixing.shape[1:]))

    def _conv2d(self, synapse: Synapse, weight: np.ndarray, size: tuple[int, ...], stride: Pair = (1, 1),
                padding: Pair = (0, 0), dilation: Pair = (1, 1)) -> nir.Conv2d:
        """The kernel in the middle of a square one; padding grows by as much as the kernel does."""
        outputs, inputs, *kernel = weight.shape
        side = max(kernel)
        before = [(side - k) // 2 for k in kernel]
        self._charge(synapse, outputs * inputs * side * side)
        square = np.zeros((outputs, inputs, side, side), np.float32)
        square[:, :, before[0]:before[0] + kernel[0], before[1]:before[1] + kernel[1]] = weight
        grown = tuple(p + b * d for p, b, d in zip(padding, before, dilation))
        return nir.Conv2d((size[0], size[1]), square, stride, grown, dilation, 1, np.zeros(outputs, np.float32))

    def _charge(self, synapse: Synapse, numbers: int) -> None:
        self.budget.spend(FLOAT_BYTES * numbers, f"synapse {synapse.name!r} ({type(synapse).__name__})")
