"""Small spiking graphs whose populations have names."""

from __future__ import annotations

import numpy as np

from mksgn.ir import Conv, Cuba, Dense, Graph, GraphConv, JointMix, Population

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


def dense_graph(seed: int) -> Graph:
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


def bias_behind_a_delay() -> Graph:
    """``a`` fires on its bias alone before the sample arrives; a delay carries that spike into the sample of ``b``."""
    def one(value: int) -> np.ndarray:
        return np.full((1, 1), value, np.int16)

    populations = (Population("x", (1, 1, 1), role="input"), Population("a", (1, 1, 1), Cuba(0), np.array([1])),
                   Population("b", (1, 1, 1), Cuba(1, 4096, 4096)))
    synapses = (Dense("xa", ("x",), "a", one(2)), Dense("ab", ("a",), "b", one(2), np.array([1])))
    return Graph(populations, synapses, 4)
