"""Whether two graphs mean the same network, and where they first differ.

Equality is of meaning, not of form: a bias per channel equals the same bias written per neuron, a
delay per input equals the same delay written per synapse, no delay equals delays of zero, integer
widths do not matter, and neither does the order in which synapses are listed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mksgn.ir.graph import Graph, Population
from mksgn.ir.synapses import Synapse


def graphs_equal(left: Graph, right: Graph) -> bool:
    """Whether ``left`` and ``right`` are the same network with the same names and metadata."""
    return graph_difference(left, right) == ""


def graph_difference(left: Graph, right: Graph) -> str:
    """First difference between two graphs as one sentence, or an empty string.

    Population names and order, shapes, roles, neurons, biases, message widths, synapses (matched
    by name), ``time_steps`` and ``meta`` (values and their types) are compared.
    """
    return next(_differences(left, right), "")


def _differences(left: Graph, right: Graph) -> Iterator[str]:
    names = [p.name for p in left.populations], [p.name for p in right.populations]
    if names[0] != names[1]:
        yield f"populations: {names[0]} against {names[1]}"
        return
    for a, b in zip(left.populations, right.populations):
        yield from (f"population {a.name}: {text}" for text in _population_differences(a, b))
    ours, theirs = {s.name: s for s in left.synapses}, {s.name: s for s in right.synapses}
    if sorted(ours) != sorted(theirs) or len(left.synapses) != len(right.synapses):
        yield f"synapses: {sorted(ours)} against {sorted(theirs)}"
        return
    for name, synapse in ours.items():
        yield from (f"synapse {name}: {text}" for text in _synapse_differences(synapse, theirs[name]))
    if left.time_steps != right.time_steps:
        yield f"time_steps: {left.time_steps} against {right.time_steps}"
    yield from _meta_differences(left.meta, right.meta)


def _population_differences(a: Population, b: Population) -> Iterator[str]:
    for label in ("role", "message_bits", "neuron", "lattice"):
        if getattr(a, label) != getattr(b, label):
            yield f"{label} {getattr(a, label)} against {getattr(b, label)}"
    if tuple(a.shape) != tuple(b.shape):
        yield f"shape {tuple(a.shape)} against {tuple(b.shape)}"
    elif (a.bias is None) != (b.bias is None) or not np.array_equal(_bias(a), _bias(b)):
        yield "biases differ"


def _bias(population: Population) -> np.ndarray:
    """Bias of every neuron, (C, F, V); zeros where there is none."""
    if population.bias is None:
        return np.zeros(population.shape, dtype=np.int64)
    bias = population.bias if population.bias.ndim == 3 else population.bias[:, None, None]
    return np.broadcast_to(bias, population.shape)


def _synapse_differences(a: Synapse, b: Synapse) -> Iterator[str]:
    if type(a) is not type(b):
        yield f"{type(a).__name__} against {type(b).__name__}"
        return
    ours, theirs = ({"sources": s.sources, "target": s.target, **s.geometry} for s in (a, b))
    yield from (f"{label} {value} against {theirs[label]}" for label, value in ours.items() if value != theirs[label])
    if not np.array_equal(a.weight, b.weight):
        yield "weights differ"
    for label in {**a.wiring, **b.wiring}:
        # Without delays, a synapse has no array of them.
        if label not in a.wiring or label not in b.wiring or not np.array_equal(a.wiring[label], b.wiring[label]):
            yield f"{label} differ"


def _meta_differences(left: dict[str, Any], right: dict[str, Any]) -> Iterator[str]:
    if sorted(left) != sorted(right):
        yield f"meta: {sorted(left)} against {sorted(right)}"
        return
    for key, value in left.items():
        if _typed(value) != _typed(right[key]):
            yield f"meta {key!r}: {value!r} against {right[key]!r}"


def _typed(value: Any) -> Any:
    """``value`` with its types, so that 1, 1.0 and True stay three different things."""
    if isinstance(value, (list, tuple)):
        return [type(value).__name__, *(_typed(item) for item in value)]
    return type(value).__name__, value
