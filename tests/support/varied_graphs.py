"""A small net with a branch of each kind that MK-SGN has, whose populations have names."""

from __future__ import annotations

import numpy as np

from mksgn.ir import Conv, Cuba, Dense, Graph, GraphConv, JointMix, Population


def even(rng: np.random.Generator, shape: tuple[int, ...], zeros: float = 0.2) -> np.ndarray:
    """Random even weights, some zero."""
    return (2 * rng.integers(-90, 128, shape) * (rng.random(shape) >= zeros)).astype(np.int16)


def varied_graph(seed: int, delays: bool = True) -> Graph:
    """A small net with branches, concat, an AND gate, strides and all four synapse kinds, T = 4."""
    rng = np.random.default_rng(seed)
    graded = bool(seed % 2)
    populations = [Population("in", (2, 5, 3), role="input", message_bits=8 if graded else 0)]
    synapses: list = []

    def add(name, synapse_of, sources=None, neuron=None):
        shape = next(p.shape for p in populations if p.name == sources[0])
        made = [synapse_of(f"{name}_{i}", tuple(s if isinstance(s, tuple) else (s,)), name)
                for i, s in enumerate(sources if neuron else [tuple(sources)])]
        target = made[0].output_shape(shape, (4, 1, 1) if isinstance(made[0], Dense) else shape)
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
