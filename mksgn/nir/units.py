r"""Between the integers of :mod:`mksgn.ir` and the real units of NIR.

A population's weights, biases and threshold are divided by :math:`2^e`, where :math:`2^e` is the largest power
of two not above its threshold mantissa, so that its threshold lies in [1, 2). Division by a power of two is
exact in float32. Membrane and current are the integer states divided by :math:`64 \cdot 2^e`.

NIR's neurons are differential equations. One algorithmic step is forward Euler with step ``dt``:

.. math:: v \leftarrow v + \frac{dt}{\tau} (v_{leak} - v + R I) \qquad\Rightarrow\qquad
    \frac{dt}{\tau} = \frac{decay}{4096}, \quad R = \frac{\tau}{dt}, \quad v_{leak} = bias \frac{4096}{decay}
"""

from __future__ import annotations

import numpy as np

from mksgn.ir.graph import DECAY_UNITY, Cuba, Population

DT = 1e-4
"""Seconds per algorithmic step: the step that snnTorch and others assume when they read NIR."""


def exponent(neuron: Cuba) -> int:
    """The e of a population's scale :math:`2^e`; 0 for a threshold of 0."""
    return max(neuron.vth, 1).bit_length() - 1


def real(values: np.ndarray, shift: int) -> np.ndarray:
    """Integers in weight units as float32 real units, exactly (they have at most 24 significant bits)."""
    return np.ldexp(values.astype(np.float32), -shift)


def time_constant(decay: int, dt: float) -> float:
    """Time constant in seconds of a decay of ``decay`` / 4096 per step; ``decay`` must not be 0."""
    return dt * DECAY_UNITY / decay


def bias_per_neuron(population: Population) -> np.ndarray | None:
    """Bias mantissas (C, F, V), or None where there is none or all are 0."""
    if population.bias is None or not population.bias.any():
        return None
    bias = population.bias if population.bias.ndim == 3 else population.bias[:, None, None]
    return np.broadcast_to(bias, population.shape)
