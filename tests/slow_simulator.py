"""A spiking graph in plain Python integers and nested loops: slow, obvious, the emulator's yardstick."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np

from mksgn.ir import Conv, Cuba, Dense, Graph, GraphConv, JointMix, Population, output_shape


def trunc(value: int, keep: int) -> int:
    """value keep / 4096, rounded toward zero."""
    magnitude = abs(value) * keep // 4096
    return magnitude if value >= 0 else -magnitude


def step(u: int, v: int, a: int, bias: int, neuron: Cuba, spiking: bool = True) -> tuple[int, int, int]:
    """One step of one neuron: (u, v after reset, spike)."""
    u = trunc(u, 4096 - neuron.current_decay) + 64 * a
    if u > 2**23:
        u -= 2**24
    elif u <= -(2**23):
        u += 2**24
    v = trunc(v, 4096 - neuron.voltage_decay) + u + 64 * bias
    v = max(-(2**23) + 1, min(2**23 - 1, v))
    spike = int(spiking and v > 64 * neuron.vth)
    return u, 0 if spike else v, spike


def connections(synapse, source, target):
    """Every (source neuron, target neuron, weight, delay), straight from the equations of mksgn/ir/synapses.py."""
    weight = synapse.weight
    if isinstance(synapse, Conv):
        outputs = weight.shape[0] // synapse.groups
        for o, f, v in itertools.product(*map(range, target)):
            for i, m, n in itertools.product(*map(range, weight.shape[1:])):
                x = f * synapse.stride[0] + m * synapse.dilation[0] - synapse.padding[0]
                y = v * synapse.stride[1] + n * synapse.dilation[1] - synapse.padding[1]
                if 0 <= x < source[1] and 0 <= y < source[2]:
                    yield (o // outputs * weight.shape[1] + i, x, y), (o, f, v), int(weight[o, i, m, n]), 0
    elif isinstance(synapse, Dense):
        delay = np.broadcast_to(0 if synapse.delay is None else synapse.delay, weight.shape)
        for o, to in enumerate(itertools.product(*map(range, target))):
            for j, at in enumerate(itertools.product(*map(range, source))):
                yield at, to, int(weight[o, j]), int(delay[o, j])
    elif isinstance(synapse, JointMix):
        for k, c, f, v, w in itertools.product(range(weight.shape[0]), range(source[0]), range(source[1]),
                                               range(target[2]), range(source[2])):
            yield (c, f, w), (k * source[0] + c, f, v), int(weight[k, v, w]), 0
    else:
        assert isinstance(synapse, GraphConv)
        for (e, (w, v)), f in itertools.product(enumerate(synapse.edges.tolist()), range(source[1])):
            for o, i in itertools.product(*map(range, weight.shape[1:])):
                yield (i, f, w), (o, f, v), int(weight[e, o, i]), 0


@dataclass
class Recording:
    """Arrays (C, F, V, T) by population, operations by synapse, and updates that changed something by population."""

    spikes: dict[str, np.ndarray] = field(default_factory=dict)
    u: dict[str, np.ndarray] = field(default_factory=dict)
    v: dict[str, np.ndarray] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)
    active: dict[str, int] = field(default_factory=dict)


def simulate(graph: Graph, messages: np.ndarray) -> Recording:
    """Run one sample (C, F, V, T), each population in its own time."""
    steps = messages.shape[-1]
    out = Recording(spikes={graph.input.name: messages})
    for population in graph.populations[1:]:
        a = np.zeros((*population.shape, steps), object)
        for synapse in graph.into(population.name):
            source = graph[synapse.sources[0]].shape
            out.events[synapse.name] = 0
            for at, to, weight, delay in connections(synapse, source, population.shape):
                for name in synapse.sources:
                    for t in np.flatnonzero(out.spikes[name][at]):
                        out.events[synapse.name] += weight != 0
                        if t + delay < steps:
                            a[(*to, t + delay)] += weight * int(out.spikes[name][(*at, t)])
        _integrate(population, a, out)
    return out


def _integrate(population: Population, a: np.ndarray, out: Recording) -> None:
    s, us, vs = (np.zeros(a.shape, np.int64) for _ in range(3))
    bias = np.zeros(population.shape, int) if population.bias is None else population.bias
    bias = bias[:, None, None] * np.ones(population.shape, int) if bias.ndim == 1 else bias
    out.active[population.name] = 0
    for position in itertools.product(*map(range, population.shape)):
        u = v = 0
        for t in range(a.shape[-1]):
            before = (u if population.neuron.current_decay < 4096 else None, v)
            u, v, spike = step(u, v, a[(*position, t)], int(bias[position]), population.neuron,
                               population.role != "readout")
            out.active[population.name] += bool(spike or (u if before[0] is not None else None, v) != before)
            us[(*position, t)], vs[(*position, t)], s[(*position, t)] = u, v, spike
    out.spikes[population.name], out.u[population.name], out.v[population.name] = s, us, vs


def even(rng: np.random.Generator, shape: tuple[int, ...], zeros: float = 0.2) -> np.ndarray:
    """Random even weights, some zero."""
    return (2 * rng.integers(-90, 128, shape) * (rng.random(shape) >= zeros)).astype(np.int16)


def random_graph(seed: int, delays: bool = True) -> Graph:
    """A small net with branches, concat, an AND gate, strides and all four synapse kinds, T = 4."""
    rng = np.random.default_rng(seed)
    graded = bool(seed % 2)
    populations = [Population("in", (2, 5, 3), role="input", message_bits=8 if graded else 0)]
    synapses: list = []

    def add(name, synapse_of, sources=None, neuron=None):
        shape = next(p.shape for p in populations if p.name == sources[0])
        made = [synapse_of(f"{name}_{i}", tuple(s if isinstance(s, tuple) else (s,)), name)
                for i, s in enumerate(sources if neuron else [tuple(sources)])]
        target = output_shape(made[0], shape, (4, 1, 1) if isinstance(made[0], Dense) else shape)
        bias = rng.integers(-40, 90, target if rng.random() < 0.3 else target[:1])
        decays = int(rng.choice([0, 1000, 3072, 4096])), int(rng.choice([4096, 4096, 2500]))
        populations.append(Population(name, target, neuron or Cuba(int(rng.integers(60, 250)), decays[1], decays[0]),
                                      None if neuron else bias))
        synapses.extend(made)

    scale = 1 if not graded else 20
    add("coder", lambda n, s, t: Conv(n, s, t, even(rng, (4, 2, 3, 3)) // scale // 2 * 2, padding=(1, 1)), ["in"])
    add("mix", lambda n, s, t: JointMix(n, s, t, even(rng, (1, 3, 3))), ["coder"])
    add("w1", lambda n, s, t: Conv(n, s, t, even(rng, (4, 4, 1, 1))), ["coder"])
    add("both", lambda n, s, t: Conv(n, s, t, even(rng, (4, 4, 1, 1))), ["mix", "w1"])
    identity = (64 * np.eye(4, dtype=np.int16))[:, :, None, None]
    add("gate", lambda n, s, t: Conv(n, s, t, identity), ["both", "coder"], Cuba(96, 4096, 4096))
    edges = np.array([[0, 0], [1, 1], [2, 2], [0, 1], [1, 2], [2, 1]])
    add("fused", lambda n, s, t: GraphConv(n, s, t, even(rng, (6, 4, 4)), edges=edges), ["coder", "gate"])
    add("stc", lambda n, s, t: Conv(n, s, t, even(rng, (4, 2, 3, 1)), (2, 1), (1, 0), (1, 1), 2), ["fused"])
    residual = Conv("residual", ("coder",), "stc", even(rng, (4, 4, 1, 1)), (2, 1))
    synapses.append(residual)
    delay = rng.integers(0, 5, (4, 36) if seed % 3 else (36,)) if delays else None
    add("pool", lambda n, s, t: Dense(n, s, t, even(rng, (4, 36)), delay), ["stc"])
    populations.append(Population("out", (3, 1, 1), Cuba(131071, 4096, 0), rng.integers(-9, 9, 3), role="readout"))
    synapses.append(Dense("head", ("pool",), "out", even(rng, (3, 4))))
    return Graph(tuple(populations), tuple(synapses), time_steps=4)


def random_messages(graph: Graph, samples: int, seed: int, steps: int | None = None) -> np.ndarray:
    """Messages (N, C, F, V) or (N, C, F, V, steps) that the graph's input can send."""
    rng = np.random.default_rng(seed)
    shape = (samples, *graph.input.shape) + (() if steps is None else (steps,))
    if graph.input.message_bits:
        return rng.integers(-128, 128, shape).astype(np.int8)
    return (rng.random(shape) < 0.4).astype(np.int8)
