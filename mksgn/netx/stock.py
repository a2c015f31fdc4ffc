"""What stock ``lava.lib.dl.netx.hdf5.Network`` (lava-dl 0.6.0) would make of a graph.

Stock netx builds a strict chain of conv and dense layers. It silently drops layers of unknown type,
rescales dense weights, and raises NotImplementedError at a `concat`. A file therefore holds no `concat`
only when stock netx means the same network by it; :func:`obstacles` lists what stands against that.
"""

from __future__ import annotations

from functools import singledispatch

import numpy as np

from mksgn.ir import Conv, Dense, Graph, Synapse

INT8_MAX = 127


def loaded_dense_weight(weight: np.ndarray) -> np.ndarray | None:
    """Effective dense weights that stock netx and Lava's ``fixed_pt`` Dense compute with.

    netx (`optimize_weight_bits`) shifts the matrix left until it fills 8 bits and counts the bits
    that are used; Lava clips and truncates to these bits by its own idea of the sign mode, and shifts
    the sum back. The two disagree where a matrix touches the ends of its range.

    Parameters
    ----------
    weight : int ndarray (O, I)

    Returns
    -------
    int64 ndarray (O, I), or None where nothing sensible comes out: all weights zero (division by
    zero), or odd weights with both 0 and the lower end of the range.
    """
    low, high = int(weight.min()), int(weight.max())
    if low == high == 0:
        return None
    mixed = low < 0 <= high
    if mixed:
        scale = min(127 / high if high > 0 else np.inf, -128 / low)
    else:
        scale = 255 / high if high > 0 else -256 / low
    shift = int(np.floor(np.log2(scale))) + mixed
    zeros = next((n for n in range(8, 0, -1) if not np.any(weight % (1 << n))), 0)
    bits = 8 - shift - (zeros - mixed)
    shifted = weight.astype(np.int64) << shift
    # From here on as Lava: excitatory at min >= 0, inhibitory at max <= 0, else mixed.
    signed = int(low < 0 < high)
    flip = -1 if high <= 0 else 1
    clipped = np.clip(flip * shifted, -256 * signed, 255)
    cut = 8 - bits + signed
    if cut < 0:
        return None  # numpy's shift by a negative number is undefined
    return (flip * ((clipped >> cut) << cut)) >> shift


def obstacles(graph: Graph) -> list[str]:
    """Why stock netx could not run ``graph`` as the same network; empty when it can.

    Returns
    -------
    list of str
        One sentence per obstacle, naming the synapse or population.
    """
    found: list[str] = []
    if graph.input.lattice is not None:
        found.append("the graph is streamed: stock netx knows no neurons that rest between frames")
    flat: set[str] = set()
    for before, population in zip(graph.populations, graph.populations[1:]):
        if population.neuron is not None and population.neuron.carried:
            found.append(f"population {population.name!r} carries its states from frame to frame: "
                         "stock netx begins all at 0")
        synapses = graph.into(population.name)
        if len(synapses) != 1 or synapses[0].sources != (before.name,):
            found.append(f"population {population.name!r} does not simply follow {before.name!r}: "
                         "stock netx knows chains only")
        for synapse in synapses:
            found += _synapse_obstacles(synapse, flat)
            if synapse.flattens:
                flat.add(population.name)
    return found


@singledispatch
def _synapse_obstacles(synapse: Synapse, flat: set[str]) -> list[str]:
    """One sentence per obstacle; ``flat`` names the populations whose shape stock netx flattens."""
    return [f"synapse {synapse.name!r}: type {synapse.kind} is not a stock type"]


@_synapse_obstacles.register
def _conv_obstacles(synapse: Conv, flat: set[str]) -> list[str]:
    where, found = f"synapse {synapse.name!r}", []
    if synapse.frame_steps:
        found.append(f"{where}: taps that read other steps; stock netx drops the delays of a conv")
    if flat.intersection(synapse.sources):
        found.append(f"{where}: a conv after a dense layer, whose shape stock netx flattens")
    numbers = (*synapse.weight.shape[2:], *synapse.stride, *synapse.padding, *synapse.dilation, synapse.groups)
    if max(numbers) > INT8_MAX:
        found.append(f"{where}: {max(numbers)} does not fit the 8 bits of Lava's conv parameters")
    return found


@_synapse_obstacles.register
def _dense_obstacles(synapse: Dense, flat: set[str]) -> list[str]:
    where, loaded = f"synapse {synapse.name!r}", loaded_dense_weight(synapse.weight)
    if loaded is None:
        return [f"{where}: stock netx fails on this weight matrix ({_range(synapse.weight)})"]
    changed = int((loaded != synapse.weight).sum())
    return [f"{where}: stock netx changes {changed} weights ({_range(synapse.weight)})"] if changed else []


def _range(weight: np.ndarray) -> str:
    return f"{weight.min()}..{weight.max()}"
