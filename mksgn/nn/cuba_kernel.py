"""Fused CUBA neuron kernels for the CPU (numba): affine dendrite, dynamics, spike, and their gradients.

One pass over memory forward and two backward, where separate tensor operations take about ten per
time step. Arrays are (N, T, P, C) with P = F V, the physical order of a channels-last tensor
(N T, C, F, V); spikes and inputs are float32, or bfloat16 carried as uint16. Sums over samples go
through one row per sample, so results do not depend on the number of threads.

The equations are those of :func:`mksgn.nn.cuba.cuba_reference`, which is also the CUDA path.
"""

# mypy: ignore-errors
# (numba compiles these functions from their values' types; annotations would say nothing)
from __future__ import annotations

import numba
import numpy as np
from llvmlite import ir as llvm
from numba import types
from numba.extending import intrinsic, overload

from mksgn.compiled import compiled

_JIT = {"nogil": True, "error_model": "numpy", "fastmath": {"nsz", "arcp", "contract"}}
# "contract" may fuse v * keep + z into one rounding: harmless for floats, and exact integers stay exact.


@intrinsic
def _bits_to_float(typingctx, bits):
    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], llvm.FloatType())

    return types.float32(types.uint32), codegen


@intrinsic
def _float_to_bits(typingctx, value):
    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], llvm.IntType(32))

    return types.uint32(types.float32), codegen


def _load(element):
    raise NotImplementedError("compiled code only")


@overload(_load, inline="always")
def _load_overload(element):
    if element == types.uint16:
        return lambda element: _bits_to_float(np.uint32(np.uint32(element) << np.uint32(16)))
    return lambda element: np.float32(element)


def _store(array, i, j, k, m, value):
    raise NotImplementedError("compiled code only")


@overload(_store, inline="always")
def _store_overload(array, i, j, k, m, value):
    if array.dtype == types.uint16:

        def to_bfloat16(array, i, j, k, m, value):
            bits = _float_to_bits(np.float32(value))
            # Round to nearest, ties to even, as hardware does.
            tie = (bits >> np.uint32(16)) & np.uint32(1)
            array[i, j, k, m] = np.uint16((bits + np.uint32(0x7FFF) + tie) >> np.uint32(16))

        return to_bfloat16

    def to_float32(array, i, j, k, m, value):
        array[i, j, k, m] = value

    return to_float32


@compiled(parallel=True, **_JIT)
def moments(x, total, square):
    """Per-sample, per-channel sums of x and x^2: (N, T, P, C) -> two (N, C) float32 arrays."""
    samples, steps, positions, channels = x.shape
    for n in numba.prange(samples):
        for c in range(channels):
            total[n, c] = 0
            square[n, c] = 0
        for t in range(steps):
            for p in range(positions):
                for c in range(channels):
                    value = _load(x[n, t, p, c])
                    total[n, c] += value
                    square[n, c] += value * value


@compiled(parallel=True, **_JIT)
def forward(x, extra, has_extra, scale, shift, keep_u, keep_v, threshold, unit, quantized, state, spikes, count):
    """Spikes of one population and their number per sample.

    ``state`` is a (N, 2, C) scratch array whose dtype is the precision of u and v: float64 when
    ``quantized``, so that decays of 24-bit states are exact.
    """
    samples, steps, positions, channels = x.shape
    for n in numba.prange(samples):
        fired = 0.0
        for p in range(positions):
            for c in range(channels):
                state[n, 0, c] = 0
                state[n, 1, c] = 0
            for t in range(steps):
                for c in range(channels):
                    z = _load(x[n, t, p, c]) * scale[c]
                    if has_extra:
                        z += _load(extra[n, t, p, c])
                    if quantized:
                        u = np.trunc(state[n, 0, c] * keep_u) + np.rint(z * unit)
                        v = np.trunc(state[n, 1, c] * keep_v) + u + np.rint(shift[c] * unit)
                    else:
                        u = state[n, 0, c] * keep_u + z
                        v = state[n, 1, c] * keep_v + u + shift[c]
                    spike = np.float32(1.0) if v > threshold else np.float32(0.0)
                    state[n, 0, c] = u
                    state[n, 1, c] = 0 if v > threshold else v
                    fired += spike
                    _store(spikes, n, t, p, c, spike)
        count[n] = fired


@compiled(parallel=True, **_JIT)
def backward(x, extra, has_extra, scale, shift, keep_u, keep_v, threshold, unit, quantized, half_width, height,
             grad_spikes, grad_count, state, grad_current, sum_current_x, sum_current, sum_voltage):
    """Back-propagation through time of :func:`forward` with the rectangular surrogate.

    Writes the gradient at the synaptic current (N, T, P, C) and, per sample and channel, its sum,
    its sum weighted by x, and the summed gradient at the bias. ``state`` is (N, 2 T + 2, C).
    Gradients are those of the state divided by ``unit``; the reset is not differentiated.
    """
    samples, steps, positions, channels = x.shape
    for n in numba.prange(samples):
        for c in range(channels):
            sum_current_x[n, c] = 0
            sum_current[n, c] = 0
            sum_voltage[n, c] = 0
        for p in range(positions):
            for c in range(channels):
                state[n, 2 * steps, c] = 0
                state[n, 2 * steps + 1, c] = 0
            for t in range(steps):
                for c in range(channels):
                    z = _load(x[n, t, p, c]) * scale[c]
                    if has_extra:
                        z += _load(extra[n, t, p, c])
                    if quantized:
                        u = np.trunc(state[n, 2 * steps, c] * keep_u) + np.rint(z * unit)
                        v = np.trunc(state[n, 2 * steps + 1, c] * keep_v) + u + np.rint(shift[c] * unit)
                    else:
                        u = state[n, 2 * steps, c] * keep_u + z
                        v = state[n, 2 * steps + 1, c] * keep_v + u + shift[c]
                    fired = v > threshold
                    state[n, 2 * steps, c] = u
                    state[n, 2 * steps + 1, c] = 0 if fired else v
                    state[n, t, c] = height if abs(v - threshold) < half_width else 0
                    state[n, steps + t, c] = 0 if fired else keep_v
            for c in range(channels):
                state[n, 2 * steps, c] = 0
                state[n, 2 * steps + 1, c] = 0
            for back in range(steps):
                t = steps - 1 - back
                for c in range(channels):
                    above = _load(grad_spikes[n, t, p, c]) + grad_count
                    dv = above * state[n, t, c] + state[n, 2 * steps + 1, c] * state[n, steps + t, c]
                    du = dv + state[n, 2 * steps, c] * keep_u
                    state[n, 2 * steps, c] = du
                    state[n, 2 * steps + 1, c] = dv
                    sum_current_x[n, c] += du * _load(x[n, t, p, c])
                    sum_current[n, c] += du
                    sum_voltage[n, c] += dv
                    _store(grad_current, n, t, p, c, du)


@compiled(parallel=True, **_JIT)
def affine_pair(grad_current, x, a, b, c0, grad_x):
    """grad_x = a grad_current + b x + c0 per channel: the input gradient through batch normalisation."""
    samples, steps, positions, channels = x.shape
    for n in numba.prange(samples):
        for t in range(steps):
            for p in range(positions):
                for c in range(channels):
                    value = a[c] * _load(grad_current[n, t, p, c]) + b[c] * _load(x[n, t, p, c]) + c0[c]
                    _store(grad_x, n, t, p, c, value)
