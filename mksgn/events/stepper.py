"""A spiking graph one wall step at a time, event-driven: what a Lava process of ours does in a step.

As in Lava, a synapse delivers at step t what was sent at t - 1 (or earlier, where it has to wait), so
within a step the populations do not depend on each other, nor on what arrives in that step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from mksgn.errors import DataError
from mksgn.events import kernels
from mksgn.events.synapses import Apply, by_delay
from mksgn.ir import Graph, Population
from mksgn.ir.bounds import INPUT_LIMIT, SUM24, input_bound, wraps24
from mksgn.ir.graph import DECAY_UNITY, STATE_MAX, STATE_SHIFT

SILENT = 1 << 23
"""Threshold (in state units) of a readout, which v, clipped to 2^23 - 1, never exceeds."""


@dataclass
class _Input:
    """Messages of ``source`` through the weights of one functional delay; ``waits`` steps in all, beyond the hop."""

    source: str
    waits: int
    delay: int
    apply: Apply


@dataclass
class _Neurons:
    population: Population
    inputs: list[_Input]
    wrapped: list[list[_Input]]
    keep_u: float
    keep_v: float
    threshold: int
    keeps_u: bool
    limited: bool
    a: np.ndarray
    bias: np.ndarray
    u: np.ndarray
    v: np.ndarray
    phase: int | None


@dataclass
class Stepper:
    """The populations of a graph and their states.

    Parameters
    ----------
    graph : Graph
        Its input sends what :meth:`receive` is given.
    wait : mapping of (synapse, source) to int
        Steps, beyond the hop itself, that a source's messages wait (:mod:`mksgn.ir.schedule`).
    reset_interval : int or None
        Steps between resets; None: never.
    reset_phase : mapping of population to int
        A population resets before the steps t with t = phase modulo the interval. Without an interval it is the step
        from which its own time counts, as for a stream without ends.
    store_u : bool
        Keep u even of neurons whose u is only their input.
    per_sample : bool
        A message counts only for the sample (the steps between two resets) in which it was sent: one that a functional
        delay carries past its sample's last step is lost. False: a stream, in which it arrives whenever it is due.
    """

    graph: Graph
    wait: Mapping[tuple[str, str], int]
    reset_interval: int | None = None
    reset_phase: Mapping[str, int] = field(default_factory=dict)
    store_u: bool = False
    per_sample: bool = False

    def __post_init__(self) -> None:
        self._neurons = [self._make(population) for population in self.graph.populations[1:]]
        longest = {p.name: 0 for p in self.graph.populations}
        for neurons in self._neurons:
            for read in neurons.inputs:
                longest[read.source] = max(longest[read.source], read.waits)
        self._sent: dict[str, np.ndarray] = {}
        for population in self.graph.populations:
            channels, frames, joints = population.shape
            # Messages of the last 2 + wait steps; step t in slot t modulo their number.
            kind = np.int32 if population.message_bits else np.int8
            self._sent[population.name] = np.zeros((longest[population.name] + 2, frames, joints, channels), kind)

    def _make(self, population: Population) -> _Neurons:
        assert population.neuron is not None
        inputs: list[_Input] = []
        wrapped: list[list[_Input]] = []
        bound = 0
        for synapse in self.graph.into(population.name):
            operators = by_delay(synapse, self.graph[synapse.sources[0]].shape, population.shape)
            read = [_Input(source, self.wait[synapse.name, source] + delay, delay, apply)
                    for source in synapse.sources for delay, apply in operators
                    if not self.per_sample or self.reset_interval is None or delay < self.reset_interval]
            if wraps24(self.graph, synapse):
                wrapped.append(read)
            else:
                inputs += read
            bound += input_bound(self.graph, synapse)
        channels, frames, joints = population.shape
        shape = (1, frames, joints, channels)
        bias = np.zeros((channels, frames, joints), np.int32)
        if population.bias is not None:
            bias[:] = population.bias.reshape(-1, 1, 1) if population.bias.ndim == 1 else population.bias
        neuron = population.neuron
        keep_u = (DECAY_UNITY - neuron.current_decay) / DECAY_UNITY
        steady = bound << STATE_SHIFT
        memoryless = keep_u == 0 and steady < STATE_MAX and not self.store_u
        return _Neurons(
            population, inputs, wrapped, keep_u, (DECAY_UNITY - neuron.voltage_decay) / DECAY_UNITY,
            SILENT if population.role == "readout" else neuron.vth << STATE_SHIFT, not memoryless, bound >= INPUT_LIMIT,
            np.zeros(shape, np.int32), np.ascontiguousarray(bias.transpose(1, 2, 0)).ravel() << STATE_SHIFT,
            np.zeros(0 if memoryless else population.size, np.int32), np.zeros(population.size, np.int32),
            self.reset_phase.get(population.name))

    def step(self, t: int) -> dict[str, int]:
        """Compute step ``t`` of every population, from what was sent before it.

        Returns the neuron updates of each that changed something (:class:`mksgn.counts.Counts`).
        """
        active = {}
        for n in self._neurons:
            if n.phase is not None and self.reset_interval is not None and t % self.reset_interval == n.phase:
                n.u.fill(0)
                n.v.fill(0)
            n.a.fill(0)
            own = t if n.phase is None else t - n.phase
            if n.phase is not None and self.reset_interval is not None:
                own %= self.reset_interval
            spikes, lattice = self._slot(n.population.name, t).ravel(), n.population.lattice
            if lattice is not None:
                if lattice.begins(own):
                    n.u.fill(0)
                    n.v.fill(0)
                elif lattice.frame(own) is None:
                    spikes.fill(0)
                    active[n.population.name] = 0
                    continue
            for read in n.inputs:
                if not self.per_sample or self._in_sample(own - read.delay):
                    read.apply(self._slot(read.source, t - 1 - read.waits)[None], n.a)
            for synapse in n.wrapped:
                part = np.zeros_like(n.a)
                for read in synapse:
                    read.apply(self._slot(read.source, t - 1 - read.waits)[None], part)
                n.a += (part + SUM24) % (2 * SUM24) - SUM24
            if n.limited and int(np.abs(n.a.astype(np.int64)).max()) >= INPUT_LIMIT:
                raise DataError("synaptic input overflows", where=f"population {n.population.name!r}, step {t}",
                                got=str(int(np.abs(n.a.astype(np.int64)).max())), allowed=f"below {INPUT_LIMIT}")
            if n.keeps_u:
                changed = kernels.step_neurons(n.a.ravel(), n.bias, n.u, n.v, n.keep_u, n.keep_v, n.threshold, spikes)
            else:
                changed = kernels.step_memoryless(n.a.ravel(), n.bias, n.v, n.keep_v, n.threshold, spikes)
            active[n.population.name] = changed
        return active

    def _in_sample(self, own: int) -> bool:
        """Whether a sample has a step of this number, from 0."""
        return own >= 0 and (self.reset_interval is None or own < self.reset_interval)

    def receive(self, t: int, messages: np.ndarray) -> None:
        """What the input sends at step ``t``: (F, V, C)."""
        self._slot(self.graph.input.name, t)[:] = messages

    def spikes(self, name: str, t: int) -> np.ndarray:
        """Spikes of a population at the current step ``t``: int8 (F, V, C), overwritten later."""
        return self._slot(name, t)

    def states(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """u (empty where it is not kept) and v after the last step: int32 flat, in (F, V, C) order."""
        neurons = next(n for n in self._neurons if n.population.name == name)
        return neurons.u, neurons.v

    def _slot(self, name: str, t: int) -> np.ndarray:
        ring = self._sent[name]
        return ring[t % len(ring)]
