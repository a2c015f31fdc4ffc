"""A population as NIR neuron nodes, and which node holds its bias.

| current decay | voltage decay > 0          | voltage decay = 0 (no leak) |
|---------------|----------------------------|-----------------------------|
| 4096          | LIF (readout: LI)          | IF (readout: I)             |
| 1..4095       | CubaLIF (readout: CubaLI)  | LI, then IF (I)             |
| 0             | I, then LIF (LI)           | I, then IF (I)              |

An infinite time constant has no place in LIF and CubaLIF; an integrator before the neuron is the same equation.
"""

from __future__ import annotations

from collections.abc import Callable

import nir
import numpy as np

from mksgn.ir.graph import DECAY_UNITY, Population
from mksgn.nir.budget import Budget
from mksgn.nir.operators import FLOAT_BYTES, Chain
from mksgn.nir.units import bias_per_neuron, exponent, real, time_constant

NEURON_BYTES = 8
"""Parameters of neurons are float64: in float32, a decay of 3072 / 4096 would come out as 0.75000004."""


def neuron_nodes(population: Population, shape: tuple[int, ...], leak: np.ndarray | None, dt: float,
                 budget: Budget) -> Chain:
    """Nodes of ``population``, the last of which carries its name.

    Parameters
    ----------
    population : Population
        Not an input.
    shape : tuple of int
        (C, F, V), or (N,) where it is flat.
    leak : ndarray (C, F, V), optional
        Bias mantissas to be held as leak voltage.
    dt : float
        Seconds per step.
    budget : Budget
    """
    neuron = population.neuron
    assert neuron is not None
    cuba = 0 < neuron.current_decay < DECAY_UNITY
    numbers = (3 if neuron.voltage_decay else 1) + 2 * (population.role != "readout")
    numbers += 2 if cuba and neuron.voltage_decay else 3 if cuba else int(neuron.current_decay == 0)
    budget.spend(numbers * NEURON_BYTES * population.size, f"population {population.name!r}")
    shift = exponent(neuron)

    def full(value: float) -> np.ndarray:
        return np.full(shape, value)

    silent = population.role == "readout"
    threshold = {} if silent else {"v_threshold": full(float(np.ldexp(neuron.vth, -shift))), "v_reset": full(0.0)}
    if neuron.voltage_decay == 0:
        integrator = nir.I(full(1 / dt)) if silent else nir.IF(full(1 / dt), **threshold)
        return [*_current(neuron.current_decay, full, dt), ("", integrator)]
    tau = time_constant(neuron.voltage_decay, dt)
    rest = np.zeros(shape)
    if leak is not None:
        rest = np.ldexp(leak.reshape(shape) * (DECAY_UNITY / neuron.voltage_decay), -shift)
    membrane = {"r": full(tau / dt), "v_leak": rest, **threshold}
    if cuba:
        tau_syn = time_constant(neuron.current_decay, dt)
        kind = nir.CubaLI if silent else nir.CubaLIF
        return [("", kind(tau_syn=full(tau_syn), tau_mem=full(tau), w_in=full(tau_syn / dt), **membrane))]
    leaky = nir.LI if silent else nir.LIF
    return [*_current(neuron.current_decay, full, dt), ("", leaky(tau=full(tau), **membrane))]


def _current(decay: int, full: Callable[[float], np.ndarray], dt: float) -> Chain:
    """The synaptic current as a node of its own, where the membrane's node has none."""
    if decay == DECAY_UNITY:
        return []
    if decay == 0:
        return [("_current", nir.I(full(1 / dt)))]
    tau = time_constant(decay, dt)
    return [("_current", nir.LI(tau=full(tau), r=full(tau / dt), v_leak=full(0.0)))]


def place_bias(population: Population, chains: list[Chain], shape: tuple[int, ...], budget: Budget
               ) -> tuple[list[Chain], np.ndarray | None, nir.Affine | None]:
    """Put the bias of ``population`` where NIR has room for it.

    A neuron without synaptic memory takes it with its input: as the bias of its first Linear (then an Affine) or,
    when it is one number per channel, of its first Conv2d. Any other holds it as leak voltage. Where there is no
    leak, an Affine of identity stands before the membrane: with V numbers per neuron, or N when it is flat.

    Parameters
    ----------
    population : Population
    chains : list of Chain
        All that ends at it.
    shape : tuple of int
        (C, F, V), or (N,) where it is flat.
    budget : Budget

    Returns
    -------
    chains : list of Chain
    leak : ndarray (C, F, V) or None
    identity : nir.Affine or None
    """
    bias = bias_per_neuron(population)
    neuron = population.neuron
    assert neuron is not None
    if bias is None:
        return chains, None, None
    values = real(bias, exponent(neuron))
    if neuron.current_decay == DECAY_UNITY:
        for number, chain in enumerate(chains):
            biased = _with_bias(chain[-1][1], values, shape)
            if biased is not None:
                return [*chains[:number], [*chain[:-1], (chain[-1][0], biased)], *chains[number + 1:]], None, None
    if neuron.voltage_decay:
        return chains, bias, None
    side = shape[-1]
    budget.spend(FLOAT_BYTES * population.size * side, f"bias of population {population.name!r}")
    identity = np.broadcast_to(np.eye(side, dtype=np.float32), (*shape[:-1], side, side)).copy()
    return chains, None, nir.Affine(identity, values.reshape(shape))


def _with_bias(node: nir.NIRNode, values: np.ndarray, shape: tuple[int, ...]) -> nir.NIRNode | None:
    if isinstance(node, nir.Linear):
        return nir.Affine(node.weight, values.reshape(shape))
    if isinstance(node, nir.Conv2d) and (values == values[:, :1, :1]).all():
        return nir.Conv2d(node.input_shape, node.weight, node.stride, node.padding, node.dilation, node.groups,
                          values[:, 0, 0].copy())
    return None
