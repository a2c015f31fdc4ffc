"""The attention of one image, (F, V, C): what follows the spikes of q, k and v, added up and counted (numba, CPU)."""

# mypy: ignore-errors
# (numba compiles these functions from their values' types; annotations would say nothing)
from __future__ import annotations

import numpy as np

from mksgn.compiled import compiled

_JIT = {"nogil": True, "error_model": "numpy", "boundscheck": False}


@compiled(**_JIT)
def attend(q, k, v, weight, heads, across_frames, out, counted):
    """Add Q (K^T V), times the weights, to the sums of one step (:class:`mksgn.ir.Attention`).

    Parameters
    ----------
    q, k, v : int8 or int32 ndarray (F, V, C) of 0 and 1
    weight : int32 ndarray (C,)
    heads : int
    across_frames : bool
    out : int32 or int64 ndarray (F, V, C), added to
    counted : int64 ndarray (3,), added to
        As :class:`mksgn.ir.attention.Events`: products, counts, MACs.
    """
    frames, joints, channels = q.shape
    width = channels // heads
    span = frames if across_frames else 1
    matrix = np.zeros((channels, width), np.int32)
    sent = np.zeros(channels, np.int64)
    met = np.zeros(channels, np.int64)
    fired = np.zeros(channels, np.int32)
    total = np.zeros(width, np.int32)
    for first in range(0, frames, span):
        matrix[:] = 0
        for f in range(first, first + span):
            for n in range(joints):
                for head in range(heads):
                    base = head * width
                    count = 0
                    for j in range(width):
                        if v[f, n, base + j] != 0:
                            fired[count] = j
                            count += 1
                    if count:
                        for i in range(base, base + width):
                            if k[f, n, i] != 0:
                                for j in range(count):
                                    matrix[i, fired[j]] += 1
        for i in range(channels):
            base = i // width * width
            messages = 0
            weighed = 0
            pairs = 0
            for j in range(width):
                if matrix[i, j] != 0:
                    pairs += matrix[i, j]
                    messages += 1
                    weighed += weight[base + j] != 0
            sent[i], met[i] = messages, weighed
            counted[0] += pairs
            counted[1] += messages
            counted[2] += pairs + messages * span * joints
        for f in range(first, first + span):
            for n in range(joints):
                for head in range(heads):
                    base = head * width
                    some = False
                    for i in range(base, base + width):
                        if q[f, n, i] != 0 and sent[i] != 0:
                            if not some:
                                total[:] = 0
                                some = True
                            for j in range(width):
                                total[j] += matrix[i, j]
                            counted[0] += sent[i]
                            counted[2] += met[i]
                    if some:
                        for j in range(width):
                            out[f, n, base + j] += total[j] * weight[base + j]
