"""The loops of one image, (F, V, C), channels contiguous.

``x`` holds int8 messages: 0 or 1 for spikes, small counts where the spikes of several sources are
summed, any value where the source is graded. ``out`` is int32 and is added to, so that several
synapses can share it. Integer sums: the same in any order, exact while they fit 32 bits.

Every kernel takes one image, in one thread: numba's threads do not survive in a forked Lava process.

Each convolution makes a list of the channels that sent something at a position, once, and adds their
weight rows into the target positions, four rows at a time: one load and one store of the sums per four events.
"""

# mypy: ignore-errors
# (numba compiles these functions from their values' types; annotations would say nothing)
from __future__ import annotations

import numpy as np

from mksgn.compiled import compiled
from mksgn.events.attention import attend

_JIT = {"nogil": True, "error_model": "numpy", "boundscheck": False}
SMALL = 3
"""Counts up to this are repeated events; larger messages are multiplied."""


@compiled(inline="always", **_JIT)
def _listed(row, first, last, events, factors):
    """Channels of ``row[first:last]`` that sent, repeated as often as they did; -(number) when they must be multiplied.

    Returns how many. ``factors`` is filled where the number is negative.
    """
    count = 0
    plain = True
    for c in range(first, last):
        value = row[c]
        if value != 0:
            if value < 0 or value > SMALL:
                plain = False
                break
            for _ in range(value):
                events[count] = c
                count += 1
    if plain:
        return count
    count = 0
    for c in range(first, last):
        if row[c] != 0:
            events[count] = c
            factors[count] = row[c]
            count += 1
    return -count


@compiled(inline="always", **_JIT)
def _add_rows(weight, events, factors, count, total, width):
    """total[:width] += sum of weight[events[i]]."""
    if count < 0:
        for i in range(-count):
            row = weight[events[i]]
            factor = factors[i]
            for o in range(width):
                total[o] += np.int32(row[o]) * factor
        return
    i = 0
    while i + 4 <= count:
        a, b, c, d = weight[events[i]], weight[events[i + 1]], weight[events[i + 2]], weight[events[i + 3]]
        for o in range(width):
            total[o] += np.int32(a[o]) + np.int32(b[o]) + np.int32(c[o]) + np.int32(d[o])
        i += 4
    while i < count:
        a = weight[events[i]]
        for o in range(width):
            total[o] += np.int32(a[o])
        i += 1


@compiled(**_JIT)
def convolve(x, weight, groups, stride_f, stride_v, padding_f, padding_v, dilation_f, dilation_v, out):
    """Convolution over (F, V); ``weight`` is int16 (kF, kV, I, O / groups), its row for input channel i."""
    frames, joints, channels = x.shape
    kernel_f, kernel_v, _, width = weight.shape
    out_frames, out_joints = out.shape[0], out.shape[1]
    per_group = channels // groups
    events = np.empty(per_group * SMALL, np.int32)
    factors = np.empty(per_group * SMALL, np.int32)
    for f in range(frames):
        for v in range(joints):
            row = x[f, v]
            for g in range(groups):
                count = _listed(row, g * per_group, (g + 1) * per_group, events, factors)
                if count == 0:
                    continue
                for m in range(kernel_f):
                    at_f = f + padding_f - m * dilation_f
                    if at_f < 0 or at_f % stride_f != 0 or at_f // stride_f >= out_frames:
                        continue
                    for n in range(kernel_v):
                        at_v = v + padding_v - n * dilation_v
                        if at_v < 0 or at_v % stride_v != 0 or at_v // stride_v >= out_joints:
                            continue
                        total = out[at_f // stride_f, at_v // stride_v, g * width:(g + 1) * width]
                        _add_rows(weight[m, n], events, factors, count, total, width)


@compiled(**_JIT)
def convolve_depthwise(x, weight, stride_f, stride_v, padding_f, padding_v, dilation_f, dilation_v, out):
    """One input channel per output channel: all channels at once, silent or not. ``weight`` is int16 (kF, kV, C)."""
    frames, joints, channels = x.shape
    kernel_f, kernel_v, _ = weight.shape
    for f in range(out.shape[0]):
        for v in range(out.shape[1]):
            total = out[f, v]
            for m in range(kernel_f):
                from_f = f * stride_f - padding_f + m * dilation_f
                if from_f < 0 or from_f >= frames:
                    continue
                for n in range(kernel_v):
                    from_v = v * stride_v - padding_v + n * dilation_v
                    if from_v < 0 or from_v >= joints:
                        continue
                    row = x[from_f, from_v]
                    taps = weight[m, n]
                    for c in range(channels):
                        total[c] += np.int32(row[c]) * np.int32(taps[c])


@compiled(**_JIT)
def mix_joints(x, partition, target, source, weight, out):
    """Joint mixing: entry e adds weight[e] x[.., source[e], :] to channels partition[e] C .. of joint target[e]."""
    frames, _, channels = x.shape
    for f in range(frames):
        for e in range(weight.size):
            row = x[f, source[e]]
            first = partition[e] * channels
            total = out[f, target[e], first:first + channels]
            factor = np.int32(weight[e])
            for c in range(channels):
                total[c] += np.int32(row[c]) * factor


@compiled(**_JIT)
def convolve_graph(x, first_edge, target, weight, out):
    """Graph convolution: edges sorted by source joint, ``first_edge[w]``..``first_edge[w + 1]``; weight (E, I, O)."""
    frames, joints, channels = x.shape
    width = weight.shape[2]
    events = np.empty(channels * SMALL, np.int32)
    factors = np.empty(channels * SMALL, np.int32)
    for f in range(frames):
        for w in range(joints):
            count = _listed(x[f, w], 0, channels, events, factors)
            if count == 0:
                continue
            for e in range(first_edge[w], first_edge[w + 1]):
                _add_rows(weight[e], events, factors, count, out[f, target[e]], width)


@compiled(**_JIT)
def multiply(x, weight, out):
    """All-to-all: x (inputs,), weight int16 (inputs, outputs), out (outputs,)."""
    events = np.empty(x.size * SMALL, np.int32)
    factors = np.empty(x.size * SMALL, np.int32)
    count = _listed(x, 0, x.size, events, factors)
    _add_rows(weight, events, factors, count, out, weight.shape[1])


@compiled(**_JIT)
def add_columns(x, first, row, weight, out):
    """out += M x of a matrix in compressed columns: column j holds entries first[j]..first[j + 1]."""
    for j in range(x.size):
        factor = x[j]
        if factor != 0:
            for e in range(first[j], first[j + 1]):
                out[row[e]] += weight[e] * factor


def rows_by_input(taps: np.ndarray, groups: int) -> np.ndarray:
    """Weights (kF, kV, I / groups, O) as :func:`convolve` reads them: int16 (kF, kV, I, O / groups)."""
    kernel_f, kernel_v, per_group, out_channels = taps.shape
    width = out_channels // groups
    split = taps.reshape(kernel_f, kernel_v, per_group, groups, width).transpose(0, 1, 3, 2, 4)
    return np.ascontiguousarray(split.reshape(kernel_f, kernel_v, groups * per_group, width))


STATE_MAX = 1 << 23


@compiled(**_JIT)
def step_neurons(a, bias, u, v, keep_u, keep_v, threshold, spikes):
    """One step of Loihi's CUBA neuron (:mod:`mksgn.ir.graph`), as Lava's ``fixed_pt`` LIF does it. All arrays flat.

    a, bias (shifted), u, v : int32; keep_u, keep_v : float64, (4096 - decay) / 4096; threshold shifted;
    spikes : int8 out. Products with a 12-bit decay are exact in float64. u wraps once, v saturates.

    Returns the updates that changed something (:class:`mksgn.counts.Counts`).
    """
    active = 0
    for i in range(a.size):
        current = np.int32(np.trunc(np.float64(u[i]) * keep_u)) + (a[i] << np.int32(6))
        if current > STATE_MAX:
            current -= np.int32(2 * STATE_MAX)
        elif current <= -STATE_MAX:
            current += np.int32(2 * STATE_MAX)
        volts = np.int32(np.trunc(np.float64(v[i]) * keep_v)) + current + bias[i]
        volts = min(max(volts, np.int32(1 - STATE_MAX)), np.int32(STATE_MAX - 1))
        fired = volts > threshold
        active += np.int64(fired or volts != v[i] or (keep_u > 0 and current != u[i]))
        u[i] = current
        v[i] = np.int32(0) if fired else volts
        spikes[i] = np.int8(1) if fired else np.int8(0)
    return active


@compiled(**_JIT)
def step_memoryless(a, bias, v, keep_v, threshold, spikes):
    """:func:`step_neurons` of LIF neurons (u keeps nothing, and is not stored), no sum wide enough to wrap."""
    active = 0
    for i in range(a.size):
        volts = np.int32(np.trunc(np.float64(v[i]) * keep_v)) + (a[i] << np.int32(6)) + bias[i]
        volts = min(max(volts, np.int32(1 - STATE_MAX)), np.int32(STATE_MAX - 1))
        fired = volts > threshold
        active += np.int64(fired or volts != v[i])
        v[i] = np.int32(0) if fired else volts
        spikes[i] = np.int8(1) if fired else np.int8(0)
    return active


@compiled(**_JIT)
def weights_met(messages, fan):
    """Non-zero weights met by the messages that are not zero: ``messages`` int8 or int32, ``fan`` int32, both flat."""
    met = np.int64(0)
    for i in range(messages.size):
        met += np.int64(fan[i]) * np.int64(messages[i] != 0)
    return met


def warm() -> None:
    """Compile the kernels, or load them from numba's cache, so that forked processes inherit them."""
    out = np.zeros((1, 1, 1, 1), np.int32)
    tap, pair, index = np.ones((1, 1, 1, 1), np.int16), np.zeros(2, np.int32), np.zeros(1, np.int32)
    for kind in (np.int8, np.int32):
        x = np.ones((1, 1, 1, 1), kind)
        convolve(x[0], tap, 1, 1, 1, 0, 0, 1, 1, out[0])
        convolve_depthwise(x[0], tap[0], 1, 1, 0, 0, 1, 1, out[0])
        mix_joints(x[0], index, index, index, index, out[0])
        convolve_graph(x[0], pair, index, tap[0], out[0])
        multiply(x.reshape(1), tap[0, 0], out.reshape(1))
        weights_met(x.reshape(1), index)
    for kind in (np.int8, np.int32):
        x = np.ones((1, 1, 1), kind)
        attend(x, x, x, index, 1, False, out[0], np.zeros(3, np.int64))
    add_columns(index, pair, index, index, pair.copy())
    flat, spikes = np.zeros(1, np.int32), np.zeros(1, np.int8)
    step_neurons(flat, flat, flat.copy(), flat.copy(), 0.0, 0.25, 64, spikes)
    step_memoryless(flat, flat, flat.copy(), 0.25, 64, spikes)
