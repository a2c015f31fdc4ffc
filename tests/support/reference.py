"""The one reference: a spiking graph by its equations, independent of every backend.

Connections are enumerated by the equations of mksgn/ir/synapses.py, one array axis per index, and kept as a sparse
matrix of integers per delay; neurons are stepped in 64-bit integers by the equations of mksgn/ir/graph.py. Nothing of
the library is used but the dataclasses that describe a graph, and the depths of mksgn/ir/schedule.py for wall time.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix

from mksgn.ir import Attention, Conv, Cuba, Dense, Graph, GraphConv, JointMix, Population, schedule

Arrays = dict[str, np.ndarray]
Shape = tuple[int, int, int]


def trunc(value: Any, lost: int) -> Any:
    """value (4096 - lost) / 4096, rounded toward zero: of an int or an int64 array."""
    kept = abs(value) * (4096 - lost) // 4096
    return kept - 2 * kept * (value < 0)


def step(u: Any, v: Any, a: Any, bias: Any, neuron: Cuba, spiking: bool = True) -> tuple[Any, Any, Any]:
    """One step of neurons, ints or int64 arrays: (u, v after reset, spike)."""
    u = trunc(u, neuron.current_decay) + 64 * a
    u = u - 2**24 * (u > 2**23) + 2**24 * (u <= -(2**23))
    v = trunc(v, neuron.voltage_decay) + u + 64 * bias
    limit = 2**23 - 1
    v = v - (v - limit) * (v > limit) - (v + limit) * (v < -limit)
    spike = (v > 64 * neuron.vth) & spiking
    return u, v * (1 - 1 * spike), 1 * spike


class Connections(NamedTuple):
    """Arrays (n,) of int64: where each connection starts and ends, flat in (C, F, V) order, its weight and delay."""

    source: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    delay: np.ndarray


def connections(synapse: Any, source: Shape, target: Shape) -> Connections:
    """Every connection of ``synapse`` whose weight is not 0, straight from the equations of mksgn/ir/synapses.py."""
    parts = [np.broadcast_arrays(*part) for part in _enumerated(synapse, source, target)]
    if not parts:
        return Connections(*np.zeros((4, 0), np.int64))
    to, at, weight, delay = (np.concatenate([part[i].ravel() for part in parts]).astype(np.int64) for i in range(4))
    met = weight != 0
    return Connections(at[met], to[met], weight[met], delay[met])


def _enumerated(synapse: Any, source: Shape, target: Shape) -> Iterator[tuple[Any, Any, Any, Any]]:
    """Targets, sources, weights and delays, as arrays that broadcast against each other: one axis per index."""
    (c_in, f_in, v_in), (c_out, f_out, v_out) = source, target
    weight = synapse.weight
    if isinstance(synapse, Conv):
        o, i, f, v = np.ogrid[:c_out, :weight.shape[1], :f_out, :v_out]
        channel = o // (c_out // synapse.groups) * weight.shape[1] + i
        for m, n in np.ndindex(*weight.shape[2:]):
            x = f * synapse.stride[0] + m * synapse.dilation[0] - synapse.padding[0]
            y = v * synapse.stride[1] + n * synapse.dilation[1] - synapse.padding[1]
            later = 0
            if synapse.frame_steps:  # the axis of frames is time
                x, later = 0 * f, synapse.frame_steps * (m * synapse.dilation[0] - synapse.padding[0])
            inside = (x >= 0) & (x < f_in) & (y >= 0) & (y < v_in)  # padding holds nothing
            yield ((o * f_out + f) * v_out + v, (channel * f_in + x) * v_in + y,
                   weight[:, :, m, n, None, None] * inside, -later)
    elif isinstance(synapse, Dense):
        o, j = np.ogrid[:c_out * f_out * v_out, :c_in * f_in * v_in]
        yield o, j, weight, 0 if synapse.delay is None else synapse.delay
    elif isinstance(synapse, JointMix):
        k, c, f, v, w = np.ogrid[:len(weight), :c_in, :f_in, :v_out, :v_in]
        yield ((k * c_in + c) * f_out + f) * v_out + v, (c * f_in + f) * v_in + w, weight[:, None, None], 0
    else:
        assert isinstance(synapse, GraphConv)
        o, i, f = np.ogrid[:c_out, :c_in, :f_in]
        for e, (w, v) in enumerate(synapse.edges):
            yield (o * f_out + f) * v_out + v, (i * f_in + f) * v_in + w, weight[e, :, :, None], 0


@dataclass
class Wiring:
    """A synapse as matrices (target neurons, source neurons), flat in (C, F, V) order, one per delay; its fan-out."""

    matrices: dict[int, csr_matrix]
    fan: np.ndarray
    wraps: bool

    @classmethod
    def of(cls, synapse: Any, source: Shape, target: Shape) -> Wiring:
        """Every connection whose weight is not 0; those between the same two neurons add up."""
        found = connections(synapse, source, target)
        size = int(np.prod(target)), int(np.prod(source))
        matrices = {}
        for delay in np.unique(found.delay):
            late = found.delay == delay
            ends = found.target[late], found.source[late]
            matrices[int(delay)] = coo_matrix((found.weight[late], ends), size).tocsr()
        return cls(matrices, np.bincount(found.source, minlength=size[1]), isinstance(synapse, Conv))

    def summed(self, delay: int, messages: np.ndarray) -> np.ndarray:
        """a (target neurons, N) of ``messages`` (source neurons, N); a Conv keeps 24 bits, as Lava's does."""
        a = self.matrices[delay] @ messages
        return (a + 2**23) % 2**24 - 2**23 if self.wraps else a


def synaptic_input(synapse: Any, messages: np.ndarray, target: Shape) -> np.ndarray:
    """a (C, F, V) of one synapse without delays for the messages (C, F, V) of one step; a Conv's are not wrapped."""
    wiring = Wiring.of(synapse, messages.shape, target)
    a = np.zeros(int(np.prod(target)), np.int64)
    for weights in wiring.matrices.values():
        a += weights @ messages.reshape(-1).astype(np.int64)
    return a.reshape(target)


def attended(synapse: Attention, q: np.ndarray, k: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """a (C, F, V) of spikes (C, F, V) of one step, by (Q K^T) V; and products, counts and weights met (3,).

    Every product neuron is enumerated: which two inputs it multiplies, and what its message meets.
    """
    channels, frames, _ = q.shape
    width = channels // synapse.heads
    a, inside = np.zeros(q.shape, np.int64), np.zeros(3, np.int64)
    together = [slice(None)] if synapse.across_frames else [slice(f, f + 1) for f in range(frames)]
    for head, group in itertools.product(range(synapse.heads), together):
        own = slice(head * width, (head + 1) * width)
        query, key, value = (x[own, group].reshape(width, -1).astype(np.int64) for x in (q, k, v))  # (i, tokens)
        alike = np.einsum("in,im->nm", query, key)
        weight = synapse.weight[own].astype(np.int64)
        a[own, group] = (weight[:, None] * np.einsum("nm,cm->cn", alike, value)).reshape(a[own, group].shape)
        pairs = key[:, None] * value[None]  # (i, c, m): a neuron each
        counts = pairs.sum(axis=2)
        products = query[:, None] * counts[:, :, None]  # (i, c, n): a neuron each
        sent = [int((each != 0).sum()) for each in (pairs, counts, products)]
        inside += (sent[0] + sent[2], sent[1],
                   sent[0] + sent[1] * key.shape[1] + int((products[:, weight != 0] != 0).sum()))
    return a, inside


@dataclass
class Recording:
    """Arrays (N, C, F, V, T) by population; per sample (N,): weights met by synapse, active updates by population.

    ``inside``: of each attention, int64 (N, 3): products, counts, and weights that graded messages met.
    """

    spikes: Arrays = field(default_factory=dict)
    u: Arrays = field(default_factory=dict)
    v: Arrays = field(default_factory=dict)
    events: Arrays = field(default_factory=dict)
    active: Arrays = field(default_factory=dict)
    inside: Arrays = field(default_factory=dict)


def simulate(graph: Graph, samples: np.ndarray) -> Recording:
    """Samples (N, C, F, V), the same at every step, or (N, C, F, V, T): each from rest, populations in their own time.

    A message of step t that is delayed by d counts at step t + d of the same sample, or is lost. A tap in time, which
    reads what its source sends n steps later, is a delay of -n.
    """
    steps = graph.time_steps
    assert steps is not None
    if samples.ndim == 4:
        samples = np.repeat(samples[..., None], steps, axis=-1)
    return _run(graph, samples, {name: 0 for name in (p.name for p in graph.populations)}, 0, {})


def simulate_wall(graph: Graph, x: np.ndarray, interval: int | None = None, offset: int = 0) -> Recording:
    """One stream (C, F, V, steps) in wall time, N = 1: every hop takes a step, and shorter branches wait.

    A population at depth d resets before the wall steps t = 1, 2, ... with t = offset + d modulo ``interval``.
    """
    times = schedule(graph)
    resets = {}
    if interval is not None:
        resets = {name: {t for t in range(x.shape[-1]) if (t + 1 - offset - depth) % interval == 0}
                  for name, depth in times.depth.items()}
    return _run(graph, x[None], times.wait, 1, resets)


def _run(graph: Graph, samples: np.ndarray, wait: dict[Any, int], hop: int, resets: dict[str, set[int]]) -> Recording:
    count, steps = len(samples), samples.shape[-1]
    # Flat: (neurons, N, T).
    sent = {graph.input.name: np.moveaxis(samples.reshape(count, -1, steps), 0, 1).astype(np.int64)}
    out = Recording(spikes={graph.input.name: samples.astype(np.int64)})
    for population in graph.populations[1:]:
        a = np.zeros((population.size, count, steps), np.int64)
        for synapse in graph.into(population.name):
            if isinstance(synapse, Attention):
                late = [hop + wait[synapse.name, name] if hop else 0 for name in synapse.sources]
                a += _attention(graph, population, synapse, late, sent, out)
                continue
            wiring = Wiring.of(synapse, graph[synapse.sources[0]].shape, population.shape)
            out.events[synapse.name] = sum(np.einsum("i,int->n", wiring.fan, 1 * (sent[name] != 0))
                                           for name in synapse.sources)
            arriving = np.zeros((wiring.fan.size, count, steps), np.int64)
            for name in synapse.sources:
                late = hop + wait[synapse.name, name] if hop else 0
                arriving[:, :, late:] += sent[name][:, :, :max(steps - late, 0)]
            for delay, t in itertools.product(wiring.matrices, range(steps)):
                if 0 <= t + delay < steps:
                    a[:, :, t + delay] += wiring.summed(delay, arriving[:, :, t])
        _integrate(population, a, resets.get(population.name, set()), sent, out)
    return out


def _attention(graph: Graph, population: Population, synapse: Attention, late: list[int], sent: Arrays,
               out: Recording) -> np.ndarray:
    """a (target neurons, N, T) of an attention; enters its events."""
    _, count, steps = sent[synapse.sources[0]].shape
    a = np.zeros((population.size, count, steps), np.int64)
    inside = out.inside[synapse.name] = np.zeros((count, 3), np.int64)
    spikes = sum(sent[name].sum(axis=(0, 2)) for name in synapse.sources)
    for n, t in np.ndindex(count, steps):
        read = [sent[name][:, n, t - x].reshape(population.shape) * (t >= x) for name, x in zip(synapse.sources, late)]
        sums, events = attended(synapse, *read)
        a[:, n, t] = sums.ravel()
        if _frame_at(population, t) is not None:
            inside[n] += events
    out.events[synapse.name] = population.shape[0] // synapse.heads * spikes + inside[:, 2]
    return a


def _frame_at(population: Population, t: int) -> int | None:
    """The frame on which a population works in step t of a sample, in its own time; None: it rests."""
    lattice = population.lattice
    if lattice is None:
        return 0
    at = [frame for frame in range(lattice.frames) if 0 <= t - frame * lattice.interval < lattice.length]
    return at[0] if at else None


def _integrate(population: Population, a: np.ndarray, resets: set[int], sent: Arrays, out: Recording) -> None:
    neuron, (_, count, steps) = population.neuron, a.shape
    assert neuron is not None
    bias = np.zeros(population.shape, np.int64)
    if population.bias is not None:
        bias += population.bias[:, None, None] if population.bias.ndim == 1 else population.bias
    us, vs, spikes = (np.zeros(a.shape, np.int64) for _ in range(3))
    active = np.zeros(count, np.int64)
    if neuron.carried:  # what a frame leaves, the neurons of the next frame begin with
        assert steps == 1 and population.lattice is None
        by_frame = [each.reshape(*population.shape, count).swapaxes(0, 1) for each in (a, us, vs, spikes)]
        u = v = np.zeros((population.shape[0], population.shape[2], count), np.int64)
        for frame, (a_now, u_now, v_now, spike_now) in enumerate(zip(*by_frame)):
            before = u, v
            u, v, spike = step(u, v, a_now, bias[:, frame, :, None], neuron)
            moved = (v != before[1]) | (spike > 0) | ((u != before[0]) & (neuron.current_decay < 4096))
            active += moved.sum(axis=(0, 1))
            u_now[...], v_now[...], spike_now[...] = u, v, spike
    u, v = np.zeros(a.shape[:2], np.int64), np.zeros(a.shape[:2], np.int64)
    for t in range(steps if not neuron.carried else 0):
        frame = _frame_at(population, t)
        if frame is None:  # the neurons rest
            us[:, :, t], vs[:, :, t] = u, v
            continue
        lattice = population.lattice
        begins = lattice is not None and t == frame * lattice.interval and not (lattice.carried and frame > 0)
        if t in resets or begins:
            u, v = np.zeros_like(u), np.zeros_like(v)
        before = u, v
        u, v, spike = step(u, v, a[:, :, t], bias.reshape(-1, 1), neuron, population.role != "readout")
        moved = (v != before[1]) | (spike > 0) | ((u != before[0]) & (neuron.current_decay < 4096))
        active += moved.sum(axis=0)
        us[:, :, t], vs[:, :, t], spikes[:, :, t] = u, v, spike
    sent[population.name], out.active[population.name] = spikes, active
    for store, values in ((out.u, us), (out.v, vs), (out.spikes, spikes)):
        store[population.name] = np.moveaxis(values, 1, 0).reshape(count, *population.shape, steps)
