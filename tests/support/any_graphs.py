"""Tiny graphs that hypothesis draws and shrinks: whatever a file must hold, whether or not anything fires.

Graphs to run, with thresholds within reach, are in random_graphs.py.
"""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from written_graphs import full_even

from mksgn.ir import Conv, Cuba, Dense, Graph, GraphConv, JointMix, Population, Synapse

Shape = tuple[int, int, int]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Small random graphs: any synapse kind, branches, sums over sources, biases, delays, an optional readout."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = st.integers(1, 3)
    populations = [Population("p0", (draw(size), draw(st.integers(1, 4)), draw(size)), role="input",
                              message_bits=draw(st.sampled_from([0, 8])))]
    synapses: list[Synapse] = []
    count = draw(st.integers(1, 4))
    for number in range(1, count + 1):
        name = f"p{number}"
        first = _any_synapse(draw, rng, f"s{number}", populations, name)
        shape = _target_shape(draw, first, populations)
        if isinstance(first, Dense):
            first = Dense(*_ends(first), full_even(rng, int(np.prod(shape)), _fan_in(first, populations)), first.delay)
        synapses.append(first)
        if draw(st.booleans()):
            source = draw(st.sampled_from(populations))
            ends = int(np.prod(shape)), source.size
            delay = rng.integers(0, 63, ends) if draw(st.booleans()) else None
            synapses.append(Dense(f"t{number}", (source.name,), name, full_even(rng, *ends), delay))
        biased = draw(st.sampled_from([None, (shape[0],), shape]))
        bias = None if biased is None else rng.integers(-4096, 4096, biased)
        role = "readout" if number == count and draw(st.booleans()) else "hidden"
        neuron = Cuba(int(rng.integers(0, 1 << 17)), int(rng.integers(0, 4097)), int(rng.integers(0, 4097)))
        populations.append(Population(name, shape, neuron, bias, role))
    return Graph(tuple(populations), tuple(synapses), draw(st.sampled_from([None, 1, 4])),
                 draw(st.dictionaries(st.text("abc", min_size=1), st.one_of(
                     st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0")), st.booleans(),
                     st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False),
                     st.lists(st.text("xyzäß"), max_size=3), st.lists(st.integers(-9, 9), max_size=3)), max_size=2)))


def _ends(synapse: Synapse) -> tuple[str, tuple[str, ...], str]:
    return synapse.name, synapse.sources, synapse.target


def _source_shape(synapse: Synapse, populations: list[Population]) -> Shape:
    return next(p.shape for p in populations if p.name == synapse.sources[0])


def _fan_in(synapse: Synapse, populations: list[Population]) -> int:
    return int(np.prod(_source_shape(synapse, populations)))


def _any_synapse(draw: st.DrawFn, rng: np.random.Generator, name: str, populations: list[Population],
                 target: str) -> Synapse:
    source = draw(st.sampled_from(populations))
    alike = [p.name for p in populations if p.shape == source.shape and p is not source]
    ends = (name, (source.name, *(alike[:1] if draw(st.booleans()) else [])), target)
    channels, frames, joints = source.shape
    kind = draw(st.sampled_from([Conv, Dense, JointMix, GraphConv]))
    if kind is Conv:
        groups = channels if draw(st.booleans()) else 1
        kernel = draw(st.integers(1, frames)), draw(st.integers(1, joints))
        stride, padding = draw(st.sampled_from([(1, 1), (2, 1), (1, 3)])), draw(st.sampled_from([(0, 0), (2, 1)]))
        return Conv(*ends, full_even(rng, 2 * groups, channels // groups, *kernel), stride, padding, groups=groups)
    if kind is Dense:
        return Dense(*ends, np.zeros((1, source.size), np.int16), rng.integers(0, 63, source.size))
    if kind is JointMix:
        return JointMix(*ends, full_even(rng, draw(st.integers(1, 2)), draw(st.integers(1, 4)), joints))
    edges = np.array([(int(rng.integers(joints)), v) for v in range(joints)])
    return GraphConv(*ends, full_even(rng, joints, 2, channels), edges)


def _target_shape(draw: st.DrawFn, synapse: Synapse, populations: list[Population]) -> Shape:
    source = _source_shape(synapse, populations)
    if isinstance(synapse, Dense):
        size = st.integers(1, 3)
        return draw(size), draw(size), draw(size)
    return synapse.output_shape(source, source)
