"""Random graphs whose frames can come one after the other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from random_graphs import random_graph
from written_graphs import even

from mksgn.errors import GraphError
from mksgn.ir import Conv, Cuba, Dense, Graph, Population
from mksgn.ir.streaming import streamed


def streamable(seed: int) -> tuple[Graph, Graph] | None:
    """A random clip graph whose biases are the same in every frame, and the same streamed; None where it cannot be."""
    graph = random_graph(seed, "small", delays=False)
    graph = Graph(tuple(map(alike_in_frames, graph.populations)), graph.synapses, graph.time_steps)
    try:
        return graph, streamed(graph)
    except GraphError:
        return None


def streamable_pairs(count: int) -> list[tuple[int, Graph, Graph]]:
    """Of the first ``count`` seeds those whose graphs can be streamed, with both graphs."""
    found = [(seed, streamable(seed)) for seed in range(count)]
    return [(seed, *pair) for seed, pair in found if pair is not None]


def alike_in_frames(population: Population) -> Population:
    """A population whose biases are the same in every frame."""
    if population.bias is None or population.bias.ndim == 1:
        return population
    return replace(population, bias=np.ascontiguousarray(np.broadcast_to(population.bias[:, :1], population.shape)))


def unpadded(seed: int) -> Graph:
    """A random clip graph without padding along the frames: branches of strided and dilated kernels, and a readout.

    Its clips are just as long as what the readout reads.
    """
    rng = np.random.default_rng(seed)
    channels, joints, steps = (int(rng.choice(values)) for values in ((1, 3, 5), (1, 2, 5), (1, 1, 2, 3)))
    branches = int(rng.integers(1, 3))
    taps = [(int(rng.choice([1, 2, 3, 4])), int(rng.choice([1, 1, 2])), int(rng.choice([1, 1, 2, 3])))
            for _ in range(int(rng.integers(1, 4)))]  # kernel, dilation, stride
    head = int(rng.integers(1, 4))
    frames = head
    for kernel, dilation, stride in reversed(taps):
        frames = (frames - 1) * stride + (kernel - 1) * dilation + 1
    populations = [Population("in", (channels, frames, joints), role="input", message_bits=int(rng.choice([0, 8])))]
    synapses: list[Conv | Dense] = []
    ends = []
    for branch in range(branches):
        source, shape = "in", populations[0].shape
        for depth, (kernel, dilation, stride) in enumerate(taps):
            made, name = int(rng.choice([2, 3, 7, 18])), f"b{branch}.{depth}"
            weight = even_weights(rng, made, shape[0], kernel, 1)
            synapses.append(Conv(f"s.{name}", (source,), name, weight, (stride, 1), dilation=(dilation, 1)))
            crop = np.zeros_like(weight)
            crop[:, :, -1] = even_weights(rng, made, shape[0], 1)  # a residual: the newest frame alone
            synapses.append(Conv(f"r.{name}", (source,), name, crop, (stride, 1), dilation=(dilation, 1)))
            shape = synapses[-1].output_shape(shape, shape)
            bound = sum(s.row_bound() for s in synapses[-2:]) * (128 if source == "in" else 1)
            vth = max(bound // int(rng.choice([30, 60])), 1)
            neuron = Cuba(vth, int(rng.choice([4096, 4096, 3000])), int(rng.choice([3072, 4096, 100])))
            half = min(vth // 2 + 1, 4000)
            populations.append(Population(name, shape, neuron, rng.integers(-half, half, made)))
            source = name
        ends.append((source, shape))
    for source, shape in ends:
        synapses.append(Dense(f"head.{source}", (source,), "out", even_weights(rng, 3, int(np.prod(shape)))))
    populations.append(Population("out", (3, 1, 1), Cuba(131071, 4096, 0), rng.integers(-9, 10, 3), role="readout"))
    return Graph(tuple(populations), tuple(synapses), steps)


def small_clip(steps: int, current_decay: int = 2048) -> Graph:
    """Temporal kernels with strides and borders, biases that fire alone, a residual, currents that last, a readout."""
    rng = np.random.default_rng(steps)
    slow = Cuba(90, current_decay, 3000)
    populations = (
        Population("in", (3, 7, 5), role="input", message_bits=4),
        Population("a", (4, 7, 5), slow, np.array([0, 60, 9, 1])),
        Population("b", (5, 4, 5), slow, np.array([70, 0, -9, 30, 100])),
        Population("c", (5, 4, 3), Cuba(70), np.full(5, 40)),
        Population("out", (3, 1, 1), Cuba(131071, 4096, 0), np.array([3, -5, 0]), role="readout"))
    synapses = (
        Conv("ab", ("in",), "a", even(rng, 4, 3, 3, 1, limit=8), padding=(1, 0)),
        Conv("bc", ("a",), "b", even(rng, 5, 4, 3, 3), (2, 1), (1, 1)),
        Conv("res", ("in",), "b", even(rng, 5, 3, 1, 1, limit=5), (2, 1)),
        Conv("cd", ("b",), "c", even(rng, 5, 5, 3, 3), padding=(1, 0)),
        Dense("head", ("c",), "out", even(rng, 3, 60)))
    return Graph(populations, synapses, steps)


def longer_input(graph: Graph, frames: int) -> Graph:
    """A graph of the same input, of so many frames."""
    channels, _, joints = graph.input.shape
    longer = replace(graph.input, shape=(channels, frames, joints))
    size = longer.size
    return Graph((longer, Population("all", (1, 1, 1), Cuba(1))),
                 (Dense("s", (longer.name,), "all", np.zeros((1, size), np.int16)),), graph.time_steps)


def even_weights(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Even int16 weights, a third of them 0."""
    return (2 * rng.integers(-32, 32, shape) * (rng.random(shape) < 0.67)).astype(np.int16)
