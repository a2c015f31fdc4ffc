"""Parameters of foreign NIR neurons and weights as the chip's integers, exactly or not at all.

NIR's neurons are differential equations in seconds; one algorithmic step is forward Euler with step ``dt``
(:mod:`mksgn.nir.units`). A decay must be a multiple of 1/4096 per step, and all that enters a population, its
weights, biases and threshold, must be integers in range times one power of two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mksgn.ir.graph import BIAS_MAX, BIAS_MIN, DECAY_UNITY, VTH_MAX, WEIGHT_MAX, WEIGHT_MIN, Cuba
from mksgn.nir.errors import NirError

SPIKING = ("LIF", "IF", "CubaLIF")
SILENT = ("LI", "I", "CubaLI")
DECAY_TOLERANCE = 2.0 ** -10
"""In 1/4096 per step: what float32 makes of a time constant."""
TOLERANCE = 2.0 ** -20
"""Relative to a number, and to 1 below 1: what float32 makes of a product of weight and gain."""
SHIFT_MAX = 17


@dataclass(frozen=True)
class Neuron:
    """A foreign neuron node in steps instead of seconds.

    Parameters
    ----------
    current_decay, voltage_decay : int
        In 1/4096 per step.
    gain : float
        What an input of 1 adds to the voltage at once.
    leak : float64 ndarray
        What the leak adds to the voltage per step, one for all or of ``shape``.
    threshold : float or None
        None: never spikes.
    shape : tuple of int
        Of the node's parameters; () where they are single numbers.
    """

    current_decay: int
    voltage_decay: int
    gain: float
    leak: np.ndarray
    threshold: float | None
    shape: tuple[int, ...]


def numbers(node: Mapping[str, Any], field: str, where: str) -> np.ndarray:
    """Finite numbers of a node's ``field`` as float64."""
    value = node.get(field)
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iufb" or value.size == 0:
        raise NirError("a parameter is missing or no number", where=f"{where}, {field}", got=str(value)[:60])
    if not np.isfinite(value).all():
        raise NirError("a parameter is not finite", where=f"{where}, {field}")
    return value.astype(np.float64)


def read_neuron(node: Mapping[str, Any], dt: float, where: str) -> Neuron:
    """A LIF, IF, CubaLIF, LI, I or CubaLI node; :class:`NirError` when its neurons differ or have no integers."""
    kind = str(node["type"])
    fields = {"LIF": ("tau", "r"), "LI": ("tau", "r"), "IF": ("r",), "I": ("r",),
              "CubaLIF": ("tau_mem", "tau_syn", "r"), "CubaLI": ("tau_mem", "tau_syn", "r")}[kind]
    one = {field: _uniform(node, field, where) for field in fields}
    shape = next((node[f].shape for f in (*fields, "v_threshold", "v_leak")
                  if isinstance(node.get(f), np.ndarray) and node[f].size > 1), ())
    leak, current, w_in = np.zeros(()), DECAY_UNITY, 1.0
    if "tau" in one or "tau_mem" in one:
        tau = one.get("tau", one.get("tau_mem", 0.0))
        voltage = _decay(tau, dt, f"{where}, tau")
        gain = one["r"] * dt / tau
        if "v_leak" in node:
            leak = numbers(node, "v_leak", where) * (dt / tau)
            leak = leak.reshape(()) if leak.size == 1 else leak
    else:
        voltage = 0
        # By the equation r is 1 / dt; many tools mean one step and write 1.
        gain = next((1.0 for unit in (1 / dt, 1.0) if abs(one["r"] / unit - 1) < TOLERANCE), 0.0)
        if not gain:
            raise NirError("the input of an integrator is scaled", where=f"{where}, r", got=f"{one['r']:g}",
                           allowed=f"{1 / dt:g} (1 / dt), or 1", fix="fold r into the weights, or give the file's dt")
    if "tau_syn" in one:
        current = _decay(one["tau_syn"], dt, f"{where}, tau_syn")
        w_in = _uniform(node, "w_in", where) if "w_in" in node else 1.0
        gain *= w_in * dt / one["tau_syn"]
    threshold = None
    if kind in SPIKING:
        threshold = _uniform(node, "v_threshold", where)
        if "v_reset" in node and numbers(node, "v_reset", where).any():
            raise NirError("a neuron resets to another voltage than 0", where=f"{where}, v_reset",
                           got=f"{numbers(node, 'v_reset', where).max():g}", allowed="0")
    return Neuron(current, voltage, gain, leak, threshold, tuple(shape))


def _uniform(node: Mapping[str, Any], field: str, where: str) -> float:
    values = numbers(node, field, where)
    first = float(values.reshape(-1)[0])
    if not np.allclose(values, first, rtol=TOLERANCE, atol=0):
        raise NirError("a parameter differs between the neurons of one node", where=f"{where}, {field}",
                       got=f"{values.min():g}..{values.max():g}", allowed="one value for all")
    return first


def _decay(tau: float, dt: float, where: str) -> int:
    lost = DECAY_UNITY * dt / tau if tau > 0 else -1.0
    decay = round(lost) if lost <= DECAY_UNITY + 1 else 0
    if abs(lost - decay) > DECAY_TOLERANCE or not 1 <= decay <= DECAY_UNITY:
        raise NirError("a decay is no multiple of 1/4096 per step", where=where, got=f"{tau:g} s, {lost:g} / 4096",
                       allowed=f"1..{DECAY_UNITY} / 4096 for steps of {dt:g} s",
                       fix="choose another time constant, or give the file's dt")
    return decay


def chip_integers(neuron: Neuron, weights: Sequence[tuple[str, np.ndarray]], bias: np.ndarray, where: str
             ) -> tuple[Cuba, list[np.ndarray], np.ndarray]:
    """All that enters a population, times its largest possible power of two.

    The largest, because u and v then have the finest steps and their rounding differs least from real numbers.

    Parameters
    ----------
    neuron : Neuron
    weights : sequence of (node name, float64 ndarray)
        As in the file; the neuron's gain is applied here.
    bias : float64 ndarray
        Per step, gain and leak included.
    where : str
        The neuron's node, for messages.

    Returns
    -------
    Cuba
    list of int16 ndarray
        In the order of ``weights``.
    int32 ndarray
        Bias mantissas.
    """
    limits = [(weight * neuron.gain, WEIGHT_MIN, WEIGHT_MAX) for _, weight in weights]
    limits.append((bias, BIAS_MIN, BIAS_MAX))
    if neuron.threshold is not None:
        limits.append((np.asarray(neuron.threshold), 0, VTH_MAX))
        if neuron.threshold < 0:
            raise NirError("a threshold is negative", where=f"{where}, v_threshold", got=f"{neuron.threshold:g}",
                           allowed="0 or more")
    shift = next((e for e in range(SHIFT_MAX, -SHIFT_MAX - 1, -1)
                  if all(np.ldexp(x.max(), e) < high + 0.5 and np.ldexp(x.min(), e) > low - 0.5
                         for x, low, high in limits)), None)
    if shift is None:
        raise NirError("weights, biases and threshold of one population are too large", where=where)
    whole = [_whole(weight * neuron.gain, shift, f"{where}: weights of {name!r}").astype(np.int16)
             for name, weight in weights]
    vth = VTH_MAX if neuron.threshold is None else int(_whole(np.asarray(neuron.threshold), shift,
                                                              f"{where}, v_threshold"))
    mantissas = _whole(bias, shift, f"{where}: bias").astype(np.int32)
    return Cuba(vth, neuron.current_decay, neuron.voltage_decay), whole, mantissas


def _whole(values: np.ndarray, shift: int, where: str) -> np.ndarray:
    scaled = np.ldexp(values, shift)
    rounded = np.rint(scaled)
    odd = np.abs(scaled - rounded) > TOLERANCE * np.maximum(1.0, np.abs(scaled))
    if odd.any():
        raise NirError("a value is no integer times the population's power of two", where=where,
                       got=f"{np.asarray(values)[odd].reshape(-1)[0]:.9g}",
                       allowed=f"multiples of 2^{-shift}: weights, biases and threshold share one scale",
                       fix="quantise the network to 8 bits with a power-of-two scale per population before export")
    return rounded.astype(np.int64)
