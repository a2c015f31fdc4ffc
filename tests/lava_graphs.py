"""Small spiking graphs, and the equations of mksgn/ir/graph.py written out once more, in plain numpy."""

from __future__ import annotations

import numpy as np

from mksgn.ir import Conv, Cuba, Dense, Graph, GraphConv, JointMix, Population, schedule

T = 4


def even(rng: np.random.Generator, *shape: int, limit: int = 40) -> np.ndarray:
    """Even int16 weights in +-2 ``limit``."""
    return (2 * rng.integers(-limit, limit + 1, shape)).astype(np.int16)


def block_graph(seed: int = 0) -> Graph:
    """A block as MK-SGN has it: graded input, joint mixing, fused graph convolution, concatenated sources of
    different depth, a gate, a strided convolution, depth-wise pooling and a readout."""
    rng = np.random.default_rng(seed)
    edges = np.array([(0, 0), (1, 1), (2, 2), (3, 3), (0, 1), (1, 0), (1, 2), (3, 2)])
    populations = [
        Population("in", (3, 6, 4), role="input", message_bits=8),
        Population("coder", (4, 6, 4), Cuba(600), bias=rng.integers(-50, 200, 4)),
        Population("mixed", (8, 6, 4), Cuba(40)),
        Population("partner", (8, 6, 4), Cuba(60, voltage_decay=1024), bias=rng.integers(-20, 60, (8, 6, 4))),
        Population("late", (8, 6, 4), Cuba(30, current_decay=2048)),
        Population("body", (6, 6, 4), Cuba(50)),
        Population("gate", (6, 6, 4), Cuba(96, voltage_decay=4096)),
        Population("strided", (5, 3, 4), Cuba(70)),
        Population("pooled", (5, 1, 1), Cuba(20)),
        Population("out", (7, 1, 1), Cuba(131071, voltage_decay=0), role="readout"),
    ]
    pool = np.full((5, 1, 3, 4), 8, np.int16)
    identity = 64 * np.eye(6, dtype=np.int16)[:, :, None, None]
    synapses = [
        Conv("code", ("in",), "coder", even(rng, 4, 3, 3, 3), padding=(1, 1)),
        JointMix("mix", ("coder",), "mixed", even(rng, 2, 4, 4)),
        GraphConv("fuse", ("coder",), "partner", even(rng, 8, 8, 4), edges=edges),
        Conv("deepen", ("mixed",), "late", even(rng, 8, 4, 3, 1, limit=60), padding=(1, 0), groups=2),
        # Three sources, of depths 2, 2 and 3: two of them wait one step.
        Conv("project", ("mixed", "partner", "late"), "body", even(rng, 6, 8, 1, 1)),
        Conv("early", ("coder",), "body", even(rng, 6, 4, 1, 1)),
        Conv("and_a", ("body",), "gate", identity),
        GraphConv("and_b", ("coder",), "gate", even(rng, 8, 6, 4), edges=edges),
        Conv("stride", ("gate", "body"), "strided", even(rng, 5, 6, 3, 1, limit=100), stride=(2, 1), padding=(1, 0)),
        Conv("direct", ("coder",), "strided", even(rng, 5, 4, 2, 2, limit=100), stride=(2, 1), padding=(1, 1),
             dilation=(2, 2)),
        Conv("pool", ("strided",), "pooled", pool, groups=5),
        Dense("classify", ("pooled",), "out", even(rng, 7, 5)),
        Dense("shortcut", ("in",), "out", even(rng, 7, 72, limit=10)),
    ]
    return Graph(tuple(populations), tuple(synapses), T)


def random_graph(seed: int) -> Graph:
    """A random directed acyclic graph of unary populations, some with several sources and synapses."""
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


def synaptic_input(synapse: object, spikes: np.ndarray, target: tuple[int, int, int]) -> np.ndarray:
    """a (C, F, V) of one synapse for one step, by the equations of mksgn/ir/synapses.py, term by term."""
    weight = synapse.weight.astype(np.int64)  # type: ignore[attr-defined]
    a = np.zeros(target, np.int64)
    channels, frames, joints = spikes.shape
    if isinstance(synapse, Dense):
        return (weight @ spikes.reshape(-1)).reshape(target)
    if isinstance(synapse, JointMix):
        for k in range(len(weight)):
            a[k * channels:(k + 1) * channels] = np.einsum("vw,cfw->cfv", weight[k], spikes)
        return a
    if isinstance(synapse, GraphConv):
        for (w, v), matrix in zip(synapse.edges, weight):
            a[:, :, v] += matrix @ spikes[:, :, w]
        return a
    assert isinstance(synapse, Conv)
    per_group = weight.shape[0] // synapse.groups
    for o, f, v in np.ndindex(*target):
        for i, m, n in np.ndindex(*weight.shape[1:]):
            frame = f * synapse.stride[0] + m * synapse.dilation[0] - synapse.padding[0]
            joint = v * synapse.stride[1] + n * synapse.dilation[1] - synapse.padding[1]
            if 0 <= frame < frames and 0 <= joint < joints:
                a[o, f, v] += weight[o, i, m, n] * spikes[o // per_group * weight.shape[1] + i, frame, joint]
    return a


def trunc_decay(state: np.ndarray, decay: int) -> np.ndarray:
    """trunc(state (4096 - decay) / 4096), toward zero."""
    product = state * (4096 - decay)
    return np.sign(product) * (np.abs(product) // 4096)


def step_neuron(population: Population, u: np.ndarray, v: np.ndarray, a: np.ndarray) -> tuple[np.ndarray, ...]:
    """One step of the neuron of mksgn/ir/graph.py: (u, v, spikes)."""
    assert population.neuron is not None
    u = trunc_decay(u, population.neuron.current_decay) + 64 * a
    u = np.where(u > 1 << 23, u - (1 << 24), np.where(u <= -(1 << 23), u + (1 << 24), u))
    bias = np.zeros(1, np.int64) if population.bias is None else population.bias.astype(np.int64)
    bias = bias[:, None, None] if bias.ndim == 1 else bias
    v = trunc_decay(v, population.neuron.voltage_decay) + u + 64 * bias
    v = np.clip(v, 1 - (1 << 23), (1 << 23) - 1)
    spikes = v > 64 * population.neuron.vth
    if population.role == "readout":
        spikes = np.zeros_like(spikes)
    return u, np.where(spikes, 0, v), spikes.astype(np.int64)


Arrays = dict[str, np.ndarray]


def simulate(graph: Graph, samples: np.ndarray) -> tuple[Arrays, Arrays, Arrays]:
    """(spikes, u, v), each population -> (N, C, F, V, T), every sample from rest, in each population's own time.

    A functional delay of d steps carries a spike of step t to step t + d of the same sample.
    """
    steps = graph.time_steps
    assert steps is not None
    spikes: Arrays = {graph.input.name: np.repeat(samples[..., None], steps, -1) if samples.ndim == 4 else samples}
    us: Arrays = {}
    vs: Arrays = {}
    for population in graph.populations[1:]:
        shape = (len(samples), *population.shape, steps)
        for store in (spikes, us, vs):
            store[population.name] = np.zeros(shape, np.int64)
        for n in range(len(samples)):
            u = v = np.zeros(population.shape, np.int64)
            for t in range(steps):
                a = sum((_delayed(s, spikes[name][n].astype(np.int64), t, population.shape)
                         for s in graph.into(population.name) for name in s.sources),
                        start=np.zeros(population.shape, np.int64))
                u, v, sent = step_neuron(population, u, v, a)
                for store, value in ((spikes, sent), (us, u), (vs, v)):
                    store[population.name][n, ..., t] = value
    return spikes, us, vs


def simulate_wall(graph: Graph, x: np.ndarray, interval: int | None = None, offset: int = 0) -> tuple[Arrays, Arrays]:
    """(spikes, v), each population -> (C, F, V, steps) in wall time, as Lava steps all populations at once."""
    timing = schedule(graph)
    steps = x.shape[3]
    spikes: Arrays = {graph.input.name: x.astype(np.int64)}
    vs: Arrays = {}
    for population in graph.populations[1:]:
        spikes[population.name] = np.zeros((*population.shape, steps), np.int64)
        vs[population.name] = np.zeros((*population.shape, steps), np.int64)
        u = v = np.zeros(population.shape, np.int64)
        for t in range(steps):
            if interval is not None and (t + 1 - offset - timing.depth[population.name]) % interval == 0:
                u, v = np.zeros_like(u), np.zeros_like(v)
            a = np.zeros(population.shape, np.int64)
            for synapse in graph.into(population.name):
                for name in synapse.sources:
                    a += _delayed(synapse, spikes[name], t - 1 - timing.wait[synapse.name, name], population.shape)
            u, v, sent = step_neuron(population, u, v, a)
            spikes[population.name][..., t], vs[population.name][..., t] = sent, v
    return spikes, vs


def _delayed(synapse: object, train: np.ndarray, step: int, target: tuple[int, int, int]) -> np.ndarray:
    """Synaptic input of what was sent at ``step``, or at step - d through weights with a functional delay d."""
    delay = getattr(synapse, "delay", None)
    if delay is None:
        return synaptic_input(synapse, train[..., step], target) if step >= 0 else np.zeros(target, np.int64)
    a = np.zeros(int(np.prod(target)), np.int64)
    full = np.broadcast_to(delay, synapse.weight.shape)  # type: ignore[attr-defined]
    for (o, i), weight in np.ndenumerate(synapse.weight):  # type: ignore[attr-defined]
        if step - full[o, i] >= 0:
            a[o] += int(weight) * train.reshape(-1, train.shape[-1])[i, step - full[o, i]]
    return a.reshape(target)
