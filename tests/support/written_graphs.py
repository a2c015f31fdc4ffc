"""Graphs written out, whose populations have names; random ones are in random_graphs.py and any_graphs.py."""

from __future__ import annotations

import numpy as np

from mksgn.ir import Conv, Cuba, Dense, Graph, GraphConv, JointMix, Population, Synapse
from mksgn.ir.streaming import streamed

T = 4
LIF = "lava.proc.lif.process:LIFReset"
"""The Lava Process of a population of :func:`small_graph`, by which tests put another model in its place."""
META = {"preset": "demo", "accuracy": 0.1 + 0.2, "epochs": 2**53 + 1, "clean": True,
        "labels": ["wave", "Händeklatschen", ""], "mean": [0.5, -1e-300], "window": [0, 52],
        "flags": [True, False], "empty": [], "note": ""}


def even(rng: np.random.Generator, *shape: int, limit: int = 40) -> np.ndarray:
    """Even int16 weights in +-2 ``limit``."""
    return (2 * rng.integers(-limit, limit + 1, shape)).astype(np.int16)


def sparse_even(rng: np.random.Generator, *shape: int, zeros: float = 0.2) -> np.ndarray:
    """Even int16 weights from -180 to 254, a share ``zeros`` of them 0."""
    return (2 * rng.integers(-90, 128, shape) * (rng.random(shape) >= zeros)).astype(np.int16)


def full_even(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Even int16 weights over the whole range, -256 to 254."""
    return 2 * rng.integers(-128, 128, size=shape).astype(np.int16)


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
    add("coder", lambda n, s, t: Conv(n, s, t, sparse_even(rng, 4, 2, 3, 3) // scale // 2 * 2, padding=(1, 1)), ["in"])
    add("mix", lambda n, s, t: JointMix(n, s, t, sparse_even(rng, 1, 3, 3)), ["coder"])
    add("w1", lambda n, s, t: Conv(n, s, t, sparse_even(rng, 4, 4, 1, 1)), ["coder"])
    add("both", lambda n, s, t: Conv(n, s, t, sparse_even(rng, 4, 4, 1, 1)), ["mix", "w1"])
    identity = (64 * np.eye(4, dtype=np.int16))[:, :, None, None]
    add("gate", lambda n, s, t: Conv(n, s, t, identity), ["both", "coder"], Cuba(96, 4096, 4096))
    edges = np.array([[0, 0], [1, 1], [2, 2], [0, 1], [1, 2], [2, 1]])
    add("fused", lambda n, s, t: GraphConv(n, s, t, sparse_even(rng, 6, 4, 4), edges=edges), ["coder", "gate"])
    add("stc", lambda n, s, t: Conv(n, s, t, sparse_even(rng, 4, 2, 3, 1), (2, 1), (1, 0), (1, 1), 2), ["fused"])
    residual = Conv("residual", ("coder",), "stc", sparse_even(rng, 4, 4, 1, 1), (2, 1))
    synapses.append(residual)
    delay = rng.integers(0, 5, (4, 36) if seed % 3 else (36,)) if delays else None
    add("pool", lambda n, s, t: Dense(n, s, t, sparse_even(rng, 4, 36), delay), ["stc"])
    populations.append(Population("out", (3, 1, 1), Cuba(131071, 4096, 0), rng.integers(-9, 9, 3), role="readout"))
    synapses.append(Dense("head", ("pool",), "out", sparse_even(rng, 3, 4)))
    return Graph(tuple(populations), tuple(synapses), time_steps=4)


def bias_behind_a_delay() -> Graph:
    """``a`` fires on its bias alone before the sample arrives; a delay carries that spike into the sample of ``b``."""
    def one(value: int) -> np.ndarray:
        return np.full((1, 1), value, np.int16)

    populations = (Population("x", (1, 1, 1), role="input"), Population("a", (1, 1, 1), Cuba(0), np.array([1])),
                   Population("b", (1, 1, 1), Cuba(1, 4096, 4096)))
    synapses = (Dense("xa", ("x",), "a", one(2)), Dense("ab", ("a",), "b", one(2), np.array([1])))
    return Graph(populations, synapses, 4)


def small_graph() -> Graph:
    """Two populations, for tests of how Lava starts and ends."""
    rng = np.random.default_rng(0)
    populations = (Population("in", (2, 2, 2), role="input"), Population("first", (2, 2, 2), Cuba(40)),
                   Population("second", (3, 1, 1), Cuba(30)))
    synapses = (Dense("a", ("in",), "first", even(rng, 8, 8)), Dense("b", ("first",), "second", even(rng, 3, 8)))
    return Graph(populations, synapses, T)


def small_samples(count: int) -> np.ndarray:
    """Samples (N, C, F, V) for :func:`small_graph`."""
    return np.random.default_rng(1).integers(0, 2, (count, 2, 2, 2))


def layered_graph() -> Graph:
    """One layer of every kind, a concat, biases, delays, a readout: small enough to damage every node of its file.

    In a .net file the conv is layer 2, the jointmix layer 4, the graphconv layer 6 and the dense layer 9.
    """
    edges = np.array([[0, 0], [1, 1], [0, 1]])
    return Graph((
        Population("x", (2, 3, 2), role="input", message_bits=4),
        Population("a", (2, 3, 2), Cuba(3), bias=np.array([1, 2])), Population("b", (2, 3, 2), Cuba(3)),
        Population("c", (1, 3, 2), Cuba(3, 2048), bias=np.arange(6).reshape(1, 3, 2)),
        Population("d", (2, 1, 1), Cuba(3), role="readout")), (
        Conv("s", ("x",), "a", np.full((2, 2, 1, 1), 2, np.int16)),
        JointMix("m", ("a",), "b", np.full((1, 2, 2), 4, np.int16)),
        GraphConv("g", ("a", "b"), "c", np.full((3, 1, 2), 6, np.int16), edges),
        Dense("h", ("c",), "d", np.full((2, 6), 8, np.int16), delay=np.full(6, 3)),
    ), 4, {"labels": ["one", "two"], "accuracy": 0.5, "seed": 3, "taught": True})


def streamed_graph() -> Graph:
    """A streamed chain of conv, jointmix and conv: T = 2, a stride, a kernel over frames, biases, a readout.

    In a .net file the convs are layers 2 and 6, and the jointmix is layer 4.
    """
    return streamed(Graph((
        Population("x", (2, 6, 2), role="input", message_bits=4),
        Population("a", (2, 3, 2), Cuba(3), bias=np.array([1, 2])),
        Population("b", (2, 3, 2), Cuba(3, 2048), bias=np.broadcast_to(np.array([[1, 2]]), (2, 3, 2)).copy()),
        Population("c", (3, 1, 1), Cuba(131071, 4096, 0), role="readout")), (
        Conv("s", ("x",), "a", np.full((2, 2, 3, 1), 2, np.int16), (2, 1), (1, 0)),
        JointMix("m", ("a",), "b", np.full((1, 2, 2), 4, np.int16)),
        Conv("h", ("b",), "c", np.full((3, 2, 3, 2), 8, np.int16)),
    ), 2, {"labels": ["one", "two", "three"], "seed": 3}))


def branched_graph() -> Graph:
    """Two branches, a shared-weight sum, all four synapse kinds, both forms of bias, delays, a readout."""
    rng = np.random.default_rng(5)
    edges = np.array([[0, 0], [1, 1], [2, 2], [0, 1], [2, 1]])
    populations = (
        Population("coordinates", (2, 4, 3), role="input", message_bits=8),
        Population("code", (4, 4, 3), Cuba(60), bias=rng.integers(-4096, 4096, 4)),
        Population("mixed", (12, 4, 3), Cuba(131071, 1024, 0)),
        Population("fused", (4, 4, 3), Cuba(0, 0, 4096), bias=rng.integers(-9, 9, (4, 4, 3))),
        Population("block/out", (4, 2, 3), Cuba(80)),
        Population("scores é", (5, 1, 1), Cuba(77, 4096, 0), bias=np.arange(5), role="readout"),
    )
    synapses: tuple[Synapse, ...] = (
        Conv("encode", ("coordinates",), "code", full_even(rng, 4, 2, 3, 3), padding=(1, 1)),
        JointMix("mix", ("code",), "mixed", full_even(rng, 3, 3, 3)),
        GraphConv("fuse", ("code",), "fused", full_even(rng, 5, 4, 4), edges),
        Conv("temporal", ("fused", "code"), "block/out", full_even(rng, 4, 2, 3, 1), (2, 1), (1, 0), groups=2),
        Conv("residual", ("mixed",), "block/out", full_even(rng, 4, 12, 1, 1), stride=(2, 1)),
        Dense("head", ("block/out",), "scores é", full_even(rng, 5, 24), delay=rng.integers(0, 63, 24)),
        Dense("skip", ("mixed",), "scores é", full_even(rng, 5, 144), delay=rng.integers(0, 63, (5, 144))),
    )
    return Graph(populations, synapses, time_steps=4, meta=META)


def chain_graph() -> Graph:
    """A chain of stock types."""
    rng = np.random.default_rng(6)
    return Graph(
        (Population("input", (2, 5, 4), role="input"), Population("a", (3, 3, 4), Cuba(50), bias=np.array([1, -2, 3])),
         Population("b", (6, 1, 1), Cuba(70, 2048, 128)), Population("c", (2, 1, 1), Cuba(99), role="readout")),
        (Conv("s0", ("input",), "a", full_even(rng, 3, 2, 3, 1)), Dense("s1", ("a",), "b", full_even(rng, 6, 36)),
         Dense("s2", ("b",), "c", full_even(rng, 2, 6))), time_steps=4)
