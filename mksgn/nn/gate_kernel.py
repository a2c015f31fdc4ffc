"""Kernels of :mod:`mksgn.nn.gates` (numba, CPU): AND, OR, the number of spikes, and their gradients, in one pass each.

Spikes are 0 and 1, so a gate is a bit operation on their words, whatever their type. ``a`` is (R, P, C); ``b`` is the
same, or (R, 1, C): one train for all P positions. Each thread takes whole rows, so results do not depend on threads.
"""

# mypy: ignore-errors
# (numba compiles these functions from their values' types; annotations would say nothing)
from __future__ import annotations

import numba
import numpy as np

from mksgn.compiled import compiled
from mksgn.nn.elements import FAST, load, store


@compiled(parallel=True, **FAST)
def forward(a, b, conjunction, out, count):
    """``out`` = a AND b if ``conjunction``, else a OR b; ``count`` (R,): spikes of each row. Unsigned words."""
    rows, positions, _ = a.shape
    shared = b.shape[1] == 1
    for r in numba.prange(rows):
        fired = 0
        for p in range(positions):
            left, right, both = a[r, p], b[r, 0 if shared else p], out[r, p]
            here = np.int32(0)
            if conjunction:
                for i in range(both.size):
                    both[i] = left[i] & right[i]
                    here = np.int32(here + np.int32((left[i] & right[i]) != 0))
            else:
                for i in range(both.size):
                    both[i] = left[i] | right[i]
                    here = np.int32(here + np.int32((left[i] | right[i]) != 0))
            fired += here
        count[r] = fired


@compiled(parallel=True, **FAST)
def backward(grad, grad_count, a, b, conjunction, grad_a, grad_b):
    """Gradients of a b, or of a + b - a b; that of a shared b is summed over the positions."""
    rows, positions, channels = a.shape
    shared = b.shape[1] == 1
    for r in numba.prange(rows):
        gradient = np.empty(channels, np.float32)
        summed = np.zeros(channels, np.float32)
        for p in range(positions):
            left, right, above = a[r, p], b[r, 0 if shared else p], grad[r, p]
            to_left = grad_a[r, p]
            to_right = grad_b[r, 0 if shared else p]
            for i in range(channels):
                gradient[i] = load(above[i]) + grad_count
            for i in range(channels):
                store(to_left, i, gradient[i] if (load(right[i]) != 0) == conjunction else np.float32(0))
            if shared:
                for i in range(channels):
                    summed[i] += gradient[i] if (load(left[i]) != 0) == conjunction else np.float32(0)
            else:
                for i in range(channels):
                    store(to_right, i, gradient[i] if (load(left[i]) != 0) == conjunction else np.float32(0))
        if shared:
            total = grad_b[r, 0]
            for i in range(channels):
                store(total, i, summed[i])
