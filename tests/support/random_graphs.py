"""Random legal graphs that run: every kind of synapse, odd sizes, branches, delays, extreme biases, lasting currents.

Graphs that files have to hold, small enough for hypothesis to shrink, are in any_graphs.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from written_graphs import T, even

from mksgn.ir import Conv, Cuba, Dense, Graph, GraphConv, JointMix, Population
from mksgn.ir.messages import message_range

Shape = tuple[int, int, int]
SIZES = {"small": ((1, 2, 3, 5, 7), (1, 2, 3, 5, 7), (1, 2, 3, 5)),
         "large": ((3, 7, 8, 12, 17, 24, 40), (1, 4, 7, 11, 13), (1, 5, 7, 11))}
"""Channels, frames and joints to choose from."""
LARGEST = {"small": 2_000, "large": 30_000}
"""Weights of a Dense, at most."""
READOUT = 131071
SUM_MAX = (1 << 24) - 1
LASTING_MAX = 1 << 18
"""Largest sum of inputs behind a current that decays slowly: a larger one may leave 32 bits, which is an error."""


class Maker:
    """Adds random populations to a graph; see :func:`random_graph`."""

    def __init__(self, seed: int, size: str, delays: bool) -> None:
        self.rng = np.random.default_rng(seed)
        self.size, self.delays = size, delays
        self.steps = int(self.rng.choice([1, 2, 4, 8]))
        bits = int(self.rng.choice([0, 0, 8, 8, 3, 12]))
        channels, frames, joints = (int(self.rng.choice(values)) for values in SIZES[size])
        # An input of many graded channels is what wraps a convolution's 24 bits.
        self.populations = [Population("in", (channels, frames, joints), role="input", message_bits=bits)]
        self.synapses: list[Any] = []

    def weights(self, *shape: int) -> np.ndarray:
        """Even int16 weights, some 0, seldom all of them extreme."""
        values = self.rng.integers(-128, 128, shape)
        if self.rng.random() < 0.1:
            values = self.rng.choice([-128, 127], shape)
        return (2 * values * (self.rng.random(shape) < self.rng.choice([0.3, 0.8, 1.0]))).astype(np.int16)

    def convolution(self, sources: tuple[str, ...], source: Shape, target: str) -> Conv:
        """Any kernel that fits: strides, dilations, groups, and padding beyond what a kernel covers."""
        rng, channels = self.rng, source[0]
        kernel, stride, padding, dilation = [], [], [], []
        for size in source[1:]:
            taps, apart = int(rng.choice([1, 1, 2, 3, 5, 9])), int(rng.choice([1, 1, 1, 2]))
            if self.size == "small":
                step, pad = int(rng.choice([1, 1, 2, 3])), int(rng.choice([0, 0, 1, taps // 2, 2]))
            else:  # seldom smaller than before
                step, pad = int(rng.choice([1, 1, 1, 1, 2])), apart * (taps - 1) // 2 + int(rng.choice([0, 0, 0, 1]))
            if size + 2 * pad < apart * (taps - 1) + 1:
                taps = 1
            for values, value in ((kernel, taps), (stride, step), (padding, pad), (dilation, apart)):
                values.append(value)
        groups = int(rng.choice([g for g in range(1, channels + 1) if channels % g == 0])) if rng.random() < 0.3 else 1
        out = groups * int(rng.choice([1, 2, 3])) if groups > 1 else int(rng.choice(SIZES[self.size][0]))
        weight = self.weights(out, channels // groups, *kernel)
        a, b, c = (tuple(pair) for pair in (stride, padding, dilation))
        return Conv(self.name(), sources, target, weight, a, b, c, groups)

    def synapse(self, sources: tuple[str, ...], source: Shape, target: str) -> tuple[Any, Shape]:
        """A synapse of any kind that reads ``source``, and the shape that it makes."""
        rng, (channels, frames, joints) = self.rng, source
        kind = rng.choice(["conv", "conv", "conv", "mix", "graph", "dense"])
        if kind == "mix":
            partitions = int(rng.choice([1, 2, 3])) if channels <= 12 else 1
            made: Any = JointMix(self.name(), sources, target,
                                 self.weights(partitions, int(rng.choice([1, joints, joints + 1])), joints))
        elif kind == "graph":
            wide = int(rng.choice([joints, max(joints - 1, 1)]))
            edges = np.argwhere(rng.random((joints, wide)) < 0.5)
            edges = rng.permutation(edges if len(edges) else np.zeros((1, 2), np.int64))
            out = int(rng.choice(SIZES[self.size][0]))
            made = GraphConv(self.name(), sources, target, self.weights(len(edges), out, channels), edges=edges)
            return made, made.output_shape(source, (out, frames, wide))
        elif kind == "dense" and channels * frames * joints * 3 <= LARGEST[self.size]:
            shape = (int(rng.choice([1, 3, 7])), 1, int(rng.choice([1, 1, 2])))
            return self.dense(sources, source, target, shape), shape
        else:
            made = self.convolution(sources, source, target)
        return made, made.output_shape(source, source)

    def dense(self, sources: tuple[str, ...], source: Shape, target: str, shape: Shape) -> Dense:
        """All-to-all, half of them with delays, per input or per synapse."""
        rng, inputs, outputs = self.rng, int(np.prod(source)), int(np.prod(shape))
        delay = None
        if self.delays and rng.random() < 0.6:
            longest = int(rng.choice([1, 3, self.steps, 62]))
            delay = rng.integers(0, longest + 1, (inputs,) if rng.random() < 0.3 else (outputs, inputs))
        return Dense(self.name(), sources, target, self.weights(outputs, inputs), delay)

    def name(self) -> str:
        """The next synapse's."""
        return f"s{len(self.synapses)}_{self.rng.integers(1 << 30)}"

    def grow(self, number: int) -> None:
        """Add a population, fed by one to three synapses of one or more sources each."""
        rng, name = self.rng, f"p{number}"
        first = self.populations[int(rng.integers(max(len(self.populations) - 3, 0), len(self.populations)))]
        alike = [p.name for p in self.populations if p.shape == first.shape and p.message_bits == first.message_bits]
        count = int(rng.integers(1, min(len(alike), 3) + 1))
        chosen = tuple(sorted({first.name, *rng.choice(alike, count, replace=False)}))
        made, shape = self.synapse(chosen, first.shape, name)
        synapses = [made]
        for other in rng.permutation(np.array([p.name for p in self.populations]))[:2]:
            population = next(p for p in self.populations if p.name == other)
            (channels, frames, joints), (o, f, v) = population.shape, shape
            stride = (-(-frames // f), -(-joints // v))
            if (-(-frames // stride[0]), -(-joints // stride[1])) == (f, v) and rng.random() < 0.7:
                # A residual: strided, with one tap.
                weight = self.weights(o, channels, 1, 1)
                synapses.append(Conv(self.name() + "r", (population.name,), name, weight, stride))
            elif population.size * int(np.prod(shape)) <= LARGEST[self.size] and rng.random() < 0.5:
                synapses.append(self.dense((population.name,), population.shape, name, shape))
        if shape == first.shape and first.message_bits == 0 and rng.random() < 0.3:
            gate = (64 * np.eye(shape[0], dtype=np.int16))[:, :, None, None]
            synapses.append(Conv(self.name() + "g", (first.name,), name, gate))
        self.populations.append(self.neurons(name, shape, synapses))
        self.synapses += synapses

    def neurons(self, name: str, shape: Shape, synapses: list[Any]) -> Population:
        """Neurons whose threshold lies within reach of what they receive; weights are halved where sums overflow."""
        rng = self.rng
        bound = self.bound(synapses)
        decay = int(rng.choice([4096, 4096, 4096, 3000, 2048, 100, 0]))
        limit = LASTING_MAX if decay < 4096 else SUM_MAX
        for synapse in synapses:
            if bound > limit:
                factor = limit / bound
                synapse.weight[...] = (synapse.weight * factor).astype(np.int16) // 2 * 2
        bound = self.bound(synapses)
        if bound > limit:  # rounding toward minus infinity may add as much as the factor took away
            for synapse in synapses:
                synapse.weight[...] = synapse.weight * (rng.random(synapse.weight.shape) < limit / bound / 2)
        bound = min(self.bound(synapses), SUM_MAX)
        vth = int(min(rng.choice([0.01, 0.03, 0.1, 0.3]) * bound, READOUT))
        extreme = rng.random() < 0.15
        low, high = (-4096, 4095) if extreme else (-max(vth // 4, 2), max(vth // 3, 3))
        low, high = max(low, -4096), min(high, 4095)
        kind = rng.choice(["none", "channel", "neuron"])
        bias = {"none": None, "channel": rng.integers(low, high + 1, shape[:1]),
                "neuron": rng.integers(low, high + 1, shape)}[kind]
        if extreme and bias is not None:
            bias = rng.choice([-4096, 4095, 0], bias.shape)
        voltage = int(rng.choice([3072, 3072, 4096, 0, 1, 4095, int(rng.integers(4097))]))
        return Population(name, shape, Cuba(vth, decay, voltage), bias)

    def bound(self, synapses: list[Any]) -> int:
        """Largest absolute sum that a neuron can receive in a step."""
        bits = {p.name: p.message_bits for p in self.populations}
        return sum(s.row_bound() * max(-message_range(bits[name])[0], 1) for s in synapses for name in s.sources)

    def finish(self) -> Graph:
        """The graph, half of the time with a readout, whose sums stay within its range."""
        rng, last = self.rng, self.populations[-1]
        if rng.random() < 0.5 and last.size * 3 <= LARGEST[self.size]:
            head = Dense("head", (last.name,), "out", self.weights(3, last.size))
            largest = (READOUT - 1) // self.steps - 10
            if head.row_bound() > largest:
                head.weight[...] = (head.weight * (largest / head.row_bound() / 2)).astype(np.int16) // 2 * 2
            bias = rng.integers(-9, 10, 3) if head.row_bound() <= largest else None
            if head.row_bound() > largest:
                head.weight[...] = 0
            self.populations.append(Population("out", (3, 1, 1), Cuba(READOUT, 4096, 0), bias, role="readout"))
            self.synapses.append(head)
        return Graph(tuple(self.populations), tuple(self.synapses), self.steps)


def random_graph(seed: int, size: str = "small", delays: bool = True) -> Graph:
    """A random legal graph of 3 to 8 populations; T is 1, 2, 4 or 8.

    Parameters
    ----------
    seed : int
    size : 'small' or 'large'
        Up to about 250 or 6,000 neurons per population.
    delays : bool
        Whether ``Dense`` synapses may have functional delays.
    """
    maker = Maker(seed, size, delays)
    for number in range(int(maker.rng.integers(3, 8))):
        maker.grow(number)
    return maker.finish()


def dense_graph(seed: int) -> Graph:
    """A random graph of seven small populations and dense synapses only, for what depends on how a graph branches."""
    rng = np.random.default_rng(seed)
    shape = (2, 3, 2)
    populations = [Population("p0", shape, role="input")]
    synapses: list = []
    for number in range(1, 7):
        name = f"p{number}"
        neuron = Cuba(int(rng.integers(10, 120)), int(rng.choice([4096, 3000, 0])),
                      int(rng.choice([4096, 3072, 700, 0])))
        bias = rng.integers(-20, 40, shape) if rng.random() < 0.5 else None
        populations.append(Population(name, shape, neuron, bias))
        for branch in range(int(rng.integers(1, 3))):
            count = int(rng.integers(1, min(number, 3) + 1))
            chosen = sorted(rng.choice(number, count, replace=False))
            sources = tuple(f"p{i}" for i in chosen)
            synapses.append(Dense(f"s{number}{branch}", sources, name, even(rng, 12, 12, limit=64)))
    return Graph(tuple(populations), tuple(synapses), T)


def random_messages(graph: Graph, samples: int, seed: int, steps: int | None = None) -> np.ndarray:
    """Messages (N, C, F, V) or (N, C, F, V, steps) that the graph's input can send; each sample at its own rate."""
    rng = np.random.default_rng(seed)
    shape = (samples, *graph.input.shape) + (() if steps is None else (steps,))
    active = rng.random(shape) < rng.random((samples, *[1] * (len(shape) - 1)))
    low, high = message_range(graph.input.message_bits)
    kind = np.int8 if graph.input.message_bits <= 8 else np.int32
    return (rng.integers(low, high + 1, shape) * active).astype(kind) if low else active.astype(np.int8)


def samples_of(graph: Graph, seed: int, count: int) -> np.ndarray:
    """Messages that are the same at every step, (N, C, F, V); with an odd seed ones that change, (N, C, F, V, T)."""
    return random_messages(graph, count, seed, graph.time_steps if seed % 2 else None)
