"""The plain LIF neuron of a whole batch in one pass over memory (numba, CPU).

For neurons whose u is only their input and whose numbers are exact in float32
(:class:`mksgn.emulator.neuron.Membrane` decides); all others take Membrane's own torch operations.
"""

# mypy: ignore-errors
# (numba compiles this function from its values' types; annotations would say nothing)
from __future__ import annotations

import numba
import numpy as np

from mksgn.compiled import compiled
from mksgn.ir.graph import STATE_MAX, STATE_SHIFT

UNIT = np.float32(1 << STATE_SHIFT)
"""States lie so many times above weights."""
STATE = np.float32(STATE_MAX)
"""u wraps here."""
LIMIT = np.float32(STATE_MAX - 1)
"""v is clipped to +- this."""
TILE = 2048
"""Neurons that a thread steps together: long vector loops, and states that stay in its first cache."""


@compiled(inline="always", nogil=True, error_model="numpy")
def _repeated(values, start, out):
    """``out`` = ``values`` over and over, from place ``start`` on, without a division per neuron."""
    at = start % values.size
    for i in range(out.size):
        out[i] = values[at]
        at += 1
        if at == values.size:
            at = 0


@compiled(parallel=True, nogil=True, error_model="numpy")
def fire(acc, driven, first, first_weight, second, second_weight, terms, wraps, bias, keep_v, threshold, fan, spikes,
         sent, counted):
    """Integrate all steps of every neuron. M neurons, channels fastest.

    acc : float32 or int32 (T or 1, N, M)
        Summed synaptic input, read only when ``driven``.
    first, second : int8 (T, N, M); first_weight, second_weight : float32 (C,)
        Inputs through one-to-one weights (residuals and gates), of which the first ``terms`` are read.
    wraps : bool
        Whether u can leave 24 bits, where it is wrapped, once.
    bias : float32 (M or C,), shifted
    keep_v : float32, (4096 - decay) / 4096; threshold : float32, shifted
    fan : int32 (L, M)
        Weights that a spike of each neuron meets in a synapse, for L kinds of synapses (:class:`Readers
        <mksgn.emulator.counting.Readers>`); T x TILE of them fit 32 bits.
    spikes : int8 (T, N, M), out
    sent : int32 (M,), added to: spikes of each neuron
    counted : int64 (tiles, N, 2 + L), out
        Spikes, active updates (:class:`mksgn.backend.Counts`) and weights met, of each tile's neurons.
    """
    steps, samples, neurons = spikes.shape
    constant = acc.shape[0] == 1
    for tile in numba.prange((neurons + TILE - 1) // TILE):
        start = tile * TILE
        size = min(TILE, neurons - start)
        v = np.empty(size, np.float32)
        u = np.empty(size, np.float32)
        shift = np.empty(size, np.float32)
        one = np.empty(size, np.float32)
        two = np.empty(size, np.float32)
        _repeated(bias, start, shift)
        _repeated(first_weight, start, one)
        _repeated(second_weight, start, two)
        total = sent[start:start + size]
        own = np.empty(size, np.int32)
        for n in range(samples):
            fired = np.int32(0)
            active = np.int32(0)
            for t in range(steps):
                if driven:
                    row = acc[0 if constant else t, n, start:start + size]
                    for i in range(size):
                        u[i] = np.float32(row[i]) * UNIT
                else:
                    u[:] = 0
                if terms > 0:
                    term = first[t, n, start:start + size]
                    for i in range(size):
                        u[i] += np.float32(term[i]) * one[i] * UNIT
                if terms > 1:
                    other = second[t, n, start:start + size]
                    for i in range(size):
                        u[i] += np.float32(other[i]) * two[i] * UNIT
                if wraps:
                    for i in range(size):
                        turns = np.float32(u[i] > STATE) - np.float32(u[i] <= -STATE)
                        u[i] -= turns * (STATE + STATE)
                out = spikes[t, n, start:start + size]
                if t == 0:  # from rest
                    for i in range(size):
                        volts = min(max(u[i] + shift[i], -LIMIT), LIMIT)
                        spike = np.int32(volts > threshold)
                        active = np.int32(active + (spike | np.int32(volts != 0)))
                        fired = np.int32(fired + spike)
                        own[i] = spike
                        out[i] = np.int8(spike)
                        v[i] = np.float32(0) if volts > threshold else volts
                else:
                    for i in range(size):
                        volts = min(max(np.trunc(v[i] * keep_v) + u[i] + shift[i], -LIMIT), LIMIT)
                        spike = np.int32(volts > threshold)
                        active = np.int32(active + (spike | np.int32(volts != v[i])))
                        fired = np.int32(fired + spike)
                        own[i] += spike
                        out[i] = np.int8(spike)
                        v[i] = np.float32(0) if volts > threshold else volts
            for i in range(size):
                total[i] += own[i]
            line = counted[tile, n]
            line[0] = fired
            line[1] = active
            for k in range(fan.shape[0]):
                met = np.int32(0)
                weights = fan[k, start:start + size]
                for i in range(size):
                    met = np.int32(met + np.int32(own[i] * weights[i]))
                line[2 + k] = met
