"""Fused CUBA neuron kernels for the CPU (numba): affine dendrite, dynamics, spike, and their gradients.

One pass over memory forward and two backward, where separate tensor operations take about ten per
time step. Arrays are (N, T, M) with M = F V C neurons, channels fastest, the physical order of a
channels-last tensor (N T, C, F, V); spikes and inputs are float32, or bfloat16 carried as uint16.
A thread takes a tile of some hundred neurons through all steps: every loop is over consecutive
elements, which the compiler turns to vector instructions, and the states stay in the first cache.
Sums over samples go through one row per sample, so results do not depend on the number of threads.

What is per channel comes as a row of one tile, (W,) with W a multiple of C: the channels, over and over.

The equations are those of :func:`mksgn.nn.lif.leaky_integrate_and_fire`, which is also the CUDA path.
"""

# mypy: ignore-errors
# (numba compiles these functions from their values' types; annotations would say nothing)
from __future__ import annotations

import numba
import numpy as np

from mksgn.compiled import compiled
from mksgn.nn.elements import FAST, load, store

TILE = 256
"""Neurons of a tile, about: T x TILE float32 numbers, several times, fit the first cache."""


def tile_width(channels: int, neurons: int) -> int:
    """W: the neurons of a tile, a multiple of the channels."""
    return channels * max(1, min(neurons, TILE) // channels)


@compiled(parallel=True, **FAST)
def moments(x, width, total, square):
    """Per-sample, per-channel sums of x and x^2: (N, T, M) -> two (N, C) float32 arrays."""
    samples, steps, neurons = x.shape
    for n in numba.prange(samples):
        sums = np.zeros(width, np.float32)
        squares = np.zeros(width, np.float32)
        for t in range(steps):
            for start in range(0, neurons, width):
                row = x[n, t, start:min(start + width, neurons)]
                for i in range(row.size):
                    value = load(row[i])
                    sums[i] += value
                    squares[i] += value * value
        _fold(sums, total[n])
        _fold(squares, square[n])


@compiled(inline="always", **FAST)
def _fold(wide, channels):
    """Add up a tile's row (W,) per channel (C,)."""
    channels[:] = 0
    for start in range(0, wide.size, channels.size):
        for c in range(channels.size):
            channels[c] += wide[start + c]


@compiled(inline="always", **FAST)
def _dendrite(row, scale, extra, has_extra, z):
    """z = scale row + extra, of one step of a tile."""
    for i in range(row.size):
        z[i] = load(row[i]) * scale[i]
    if has_extra:
        for i in range(row.size):
            z[i] += load(extra[i])


@compiled(inline="always", **FAST)
def _integrate(z, shift, keep_u, keep_v, unit, quantized, u, v):
    """One step of both states, before the reset; ``u``, ``v`` and ``shift`` are in the precision of the states."""
    if quantized:
        for i in range(z.size):
            u[i] = np.trunc(u[i] * keep_u) + np.rint(z[i] * unit)
            v[i] = np.trunc(v[i] * keep_v) + u[i] + shift[i]
    else:
        for i in range(z.size):
            u[i] = u[i] * keep_u + z[i]
            v[i] = v[i] * keep_v + u[i] + shift[i]


@compiled(parallel=True, **FAST)
def forward(x, extra, has_extra, scale, shift, keep_u, keep_v, threshold, unit, quantized, limit, spikes, count, left):
    """Spikes of one population and their number per sample.

    ``shift`` has the precision of u and v. It is in units of the state, and whole when ``quantized``. ``left`` (N,)
    says whether a state of a sample reached ``limit``, from where on its precision may not hold whole numbers.
    """
    samples, steps, neurons = x.shape
    width = scale.size
    for n in numba.prange(samples):
        z = np.empty(width, np.float32)
        u = np.empty(width, shift.dtype)
        v = np.empty(width, shift.dtype)
        fired = 0
        beyond = False
        for start in range(0, neurons, width):
            stop = min(start + width, neurons)
            u[:] = 0
            v[:] = 0
            for t in range(steps):
                _dendrite(x[n, t, start:stop], scale, extra[n, t, start:stop], has_extra, z)
                _integrate(z[:stop - start], shift, keep_u, keep_v, unit, quantized, u, v)
                out = spikes[n, t, start:stop]
                if quantized:
                    outside = np.int32(0)
                    for i in range(out.size):
                        outside |= np.int32((abs(u[i]) >= limit) | (abs(v[i]) >= limit))
                    beyond = beyond or outside != 0
                here = np.int32(0)
                for i in range(out.size):
                    spike = v[i] > threshold
                    v[i] = 0 if spike else v[i]
                    store(out, i, np.float32(1) if spike else np.float32(0))
                    here = np.int32(here + np.int32(spike))
                fired += here
        count[n] = fired
        left[n] = beyond


@compiled(parallel=True, **FAST)
def backward(x, extra, has_extra, scale, shift, keep_u, keep_v, threshold, unit, quantized, half_width, height,
             leak_u, leak_v, grad_spikes, grad_count, grad_current, sum_current_x, sum_voltage):
    """Back-propagation through time of :func:`forward` with the rectangular surrogate.

    Writes the gradient at the synaptic current (N, T, M) and, per sample and channel (N, C), its sum
    weighted by x, and the summed gradient at the bias. ``leak_u`` and ``leak_v`` are ``keep_u`` and
    ``keep_v`` in float32, the precision of gradients. Gradients are those of the state divided by
    ``unit``; the reset is not differentiated.
    """
    samples, steps, neurons = x.shape
    width = scale.size
    for n in numba.prange(samples):
        z = np.empty(width, np.float32)
        u = np.empty(width, shift.dtype)
        v = np.empty(width, shift.dtype)
        passes = np.empty((steps, width), np.float32)
        keeps = np.empty((steps, width), np.float32)
        du = np.empty(width, np.float32)
        dv = np.empty(width, np.float32)
        weighted = np.zeros(width, np.float32)
        summed = np.zeros(width, np.float32)
        for start in range(0, neurons, width):
            stop = min(start + width, neurons)
            size = stop - start
            u[:] = 0
            v[:] = 0
            for t in range(steps):
                _dendrite(x[n, t, start:stop], scale, extra[n, t, start:stop], has_extra, z)
                _integrate(z[:size], shift, keep_u, keep_v, unit, quantized, u, v)
                window = passes[t]
                kept = keeps[t]
                for i in range(size):
                    above = v[i] - threshold
                    window[i] = height if abs(above) < half_width else np.float32(0)
                    kept[i] = np.float32(0) if above > 0 else leak_v
                    v[i] = 0 if above > 0 else v[i]
            du[:] = 0
            dv[:] = 0
            for back in range(steps):
                t = steps - 1 - back
                grad = grad_spikes[n, t, start:stop]
                row = x[n, t, start:stop]
                out = grad_current[n, t, start:stop]
                window = passes[t]
                kept = keeps[t]
                for i in range(size):
                    dv[i] = (load(grad[i]) + grad_count) * window[i] + dv[i] * kept[i]
                for i in range(size):
                    du[i] = dv[i] + du[i] * leak_u
                for i in range(size):
                    summed[i] += dv[i]
                for i in range(size):
                    weighted[i] += du[i] * load(row[i])
                for i in range(size):
                    store(out, i, du[i])
        _fold(weighted, sum_current_x[n])
        _fold(summed, sum_voltage[n])


@compiled(parallel=True, **FAST)
def affine_pair(grad_current, x, a, b, c0, grad_x):
    """grad_x = a grad_current + b x + c0 per channel: the input gradient through batch normalisation."""
    samples, steps, neurons = x.shape
    width = a.size
    for n in numba.prange(samples):
        z = np.empty(width, np.float32)  # out may be current itself: written once all is read
        for t in range(steps):
            for start in range(0, neurons, width):
                stop = min(start + width, neurons)
                current = grad_current[n, t, start:stop]
                row = x[n, t, start:stop]
                out = grad_x[n, t, start:stop]
                for i in range(row.size):
                    z[i] = a[i] * load(current[i]) + b[i] * load(row[i]) + c0[i]
                for i in range(row.size):
                    store(out, i, z[i])
