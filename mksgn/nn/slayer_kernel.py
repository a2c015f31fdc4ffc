"""Kernels of :mod:`mksgn.nn.slayer_neuron` (numba, CPU): SLAYER's integer CUBA loop in one pass over memory.

Arrays are flat (M T): M neurons of all samples, time contiguous, as SLAYER's (N, C, ..., T) tensors are in
memory. A tile of neurons is turned to (T, tile) in a scratch array that stays in cache, where every
step is one vector instruction over the neurons. No fast-math: each rounding is SLAYER's own.

Decays: ``keep`` are integers 4096 - decay; one for all neurons, or one each.
"""

# mypy: ignore-errors
# (numba compiles these functions from their values' types; annotations would say nothing)
from __future__ import annotations

import numba
import numpy as np

from mksgn.compiled import compiled

TILE = 256
_JIT = {"nogil": True, "error_model": "numpy"}
_KEEP_ALL = 4096.0


@compiled(inline="always", **_JIT)
def _decayed(state, keep):
    # An integer times 12 bits, shifted right by 12 toward zero. Exact in float64 while |state| < 2^41.
    return np.trunc(state * keep * (1.0 / _KEEP_ALL))


@compiled(inline="always", **_JIT)
def _load_tile(source, first, count, tile):
    steps = tile.shape[0]
    part = source[first * steps:(first + count) * steps]
    if steps == 4:  # the paper's T: with a stride known to the compiler this is a few shuffles
        a, b, c, d = tile[0], tile[1], tile[2], tile[3]
        for i in range(count):
            a[i] = part[4 * i]
            b[i] = part[4 * i + 1]
            c[i] = part[4 * i + 2]
            d[i] = part[4 * i + 3]
    else:
        for i in range(count):
            for t in range(steps):
                tile[t, i] = part[i * steps + t]


@compiled(inline="always", **_JIT)
def _store_tile(tile, first, count, target):
    steps = tile.shape[0]
    part = target[first * steps:(first + count) * steps]
    if steps == 4:
        a, b, c, d = tile[0], tile[1], tile[2], tile[3]
        for i in range(count):
            part[4 * i] = a[i]
            part[4 * i + 1] = b[i]
            part[4 * i + 2] = c[i]
            part[4 * i + 3] = d[i]
    else:
        for i in range(count):
            for t in range(steps):
                part[i * steps + t] = tile[t, i]


@compiled(parallel=True, **_JIT)
def integrate(x, steps, keep, state, threshold, scale, out):
    """``_li_dynamics_fwd``: ``out`` = the state after each step, before its reset; no reset when threshold < 0."""
    neurons = x.size // steps
    tiles = (neurons + TILE - 1) // TILE
    for tile in numba.prange(tiles):
        first = tile * TILE
        count = min(TILE, neurons - first)
        drive = np.empty((steps, TILE), np.float32)
        _load_tile(x, first, count, drive)
        y = np.empty(TILE)
        kept = np.empty(TILE)
        for i in range(count):
            y[i] = np.trunc(np.float64(state[first + i] * scale))
            kept[i] = keep[(first + i) % keep.size]
        for t in range(steps):
            for i in range(count):
                new = _decayed(y[i], kept[i]) + np.trunc(np.float64(scale * drive[t, i]))
                drive[t, i] = np.float32(new) / scale
                fired = threshold > 0 and np.float32(new) >= threshold
                y[i] = 0.0 if fired else new
        _store_tile(drive, first, count, out)


@compiled(parallel=True, **_JIT)
def integrate_backward(grad_out, steps, decay, grad_in):
    """``_li_dynamics_bwd``: g[t] = decay g[t + 1] + grad[t]; the reset is not differentiated."""
    neurons = grad_out.size // steps
    tiles = (neurons + TILE - 1) // TILE
    for tile in numba.prange(tiles):
        first = tile * TILE
        count = min(TILE, neurons - first)
        grad = np.empty((steps, TILE), np.float32)
        _load_tile(grad_out, first, count, grad)
        kept = np.empty(TILE, np.float32)
        for i in range(count):
            kept[i] = decay[(first + i) % decay.size]
        for back in range(1, steps):
            t = steps - 1 - back
            for i in range(count):
                grad[t, i] = kept[i] * grad[t + 1, i] + grad[t, i]
        _store_tile(grad, first, count, grad_in)


@compiled(parallel=True, **_JIT)
def respond(x, steps, keep_u, keep_v, state_u, state_v, threshold_int, threshold, tau, scale, spikes, exponent, last_u,
            last_v):
    """Both integrators and the spike of ``slayer.neuron.cuba.Neuron``.

    ``exponent`` is -|v - threshold| / tau of the surrogate, v before the reset; ``last_u`` and ``last_v`` are the
    states after the last step, v after its reset. The current passes from one integrator to the other as the
    float32 it is in SLAYER.
    """
    neurons = x.size // steps
    # Dividing by a power of two is multiplying by its inverse, to the bit, and far faster.
    inverse = np.float32(1.0) / scale
    exact = inverse * scale == np.float32(1.0) and np.log2(scale) == np.rint(np.log2(scale))
    tiles = (neurons + TILE - 1) // TILE
    for tile in numba.prange(tiles):
        first = tile * TILE
        count = min(TILE, neurons - first)
        drive = np.empty((steps, TILE), np.float32)
        fired = np.empty((steps, TILE), np.float32)
        _load_tile(x, first, count, drive)
        u = np.empty(TILE)
        v = np.empty(TILE)
        for i in range(count):
            u[i] = np.trunc(np.float64(state_u[first + i] * scale))
            v[i] = np.trunc(np.float64(state_v[first + i] * scale))
        for t in range(steps):
            for i in range(count):
                u[i] = _decayed(u[i], keep_u) + np.trunc(np.float64(scale * drive[t, i]))
                current = np.float32(u[i]) * inverse if exact else np.float32(u[i]) / scale
                new = _decayed(v[i], keep_v) + np.trunc(np.float64(scale * current))
                volts = np.float32(new) * inverse if exact else np.float32(new) / scale
                drive[t, i] = -abs(volts - threshold) / tau
                fired[t, i] = np.float32(1.0) if volts >= threshold else np.float32(0.0)
                v[i] = 0.0 if np.float32(new) >= threshold_int else new
        for i in range(count):
            last_u[first + i] = np.float32(u[i]) / scale
            last_v[first + i] = np.float32(v[i]) / scale
        _store_tile(drive, first, count, exponent)
        _store_tile(fired, first, count, spikes)


@compiled(parallel=True, **_JIT)
def respond_backward(grad_spikes, steps, slope, height, decay_u, decay_v, grad_in):
    """Gradient at the input of :func:`respond`; ``slope`` x ``height`` is the surrogate's derivative."""
    neurons = slope.size // steps
    tiles = (neurons + TILE - 1) // TILE
    for tile in numba.prange(tiles):
        first = tile * TILE
        count = min(TILE, neurons - first)
        grad = np.empty((steps, TILE), np.float32)
        bump = np.empty((steps, TILE), np.float32)
        _load_tile(grad_spikes, first, count, grad)
        _load_tile(slope, first, count, bump)
        at_u = np.zeros(TILE, np.float32)
        at_v = np.zeros(TILE, np.float32)
        for back in range(steps):
            t = steps - 1 - back
            for i in range(count):
                above = (height * bump[t, i]) * grad[t, i]
                if back == 0:
                    at_v[i] = above
                    at_u[i] = above
                else:
                    at_v[i] = decay_v * at_v[i] + above
                    at_u[i] = decay_u * at_u[i] + at_v[i]
                grad[t, i] = at_u[i]
        _store_tile(grad, first, count, grad_in)
