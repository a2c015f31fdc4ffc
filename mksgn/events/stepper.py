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
from mksgn.events.synapses import Apply, compiled
from mksgn.ir import Conv, Graph, Population
from mksgn.ir.bounds import INPUT_LIMIT, SUM24, row_bound
from mksgn.ir.graph import DECAY_UNITY, STATE_MAX, STATE_SHIFT
from mksgn.ir.messages import message_range

SILENT = 1 << 23
"""Threshold (in state units) of a readout, which v, clipped to 2^23 - 1, never exceeds."""


@dataclass
class _Neurons:
    population: Population
    inputs: list[tuple[str, int, bool, Apply]]
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
        A population resets before the steps t with t = phase modulo the interval.
    store_u : bool
        Keep u even of neurons whose u is only their input.

    Raises
    ------
    ValueError
        When a ``Dense`` synapse has functional delays.
    """

    graph: Graph
    wait: Mapping[tuple[str, str], int]
    reset_interval: int | None = None
    reset_phase: Mapping[str, int] = field(default_factory=dict)
    store_u: bool = False

    def __post_init__(self) -> None:
        longest = {p.name: 0 for p in self.graph.populations}
        for (_, source), steps in self.wait.items():
            longest[source] = max(longest[source], steps)
        self._sent: dict[str, np.ndarray] = {}
        for population in self.graph.populations:
            channels, frames, joints = population.shape
            # Messages of the last 2 + wait steps; step t in slot t modulo their number.
            kind = np.int32 if population.message_bits else np.int8
            self._sent[population.name] = np.zeros((longest[population.name] + 2, frames, joints, channels), kind)
        self._neurons = [self._make(population) for population in self.graph.populations[1:]]

    def _make(self, population: Population) -> _Neurons:
        assert population.neuron is not None
        inputs, bound = [], 0
        for synapse in self.graph.into(population.name):
            for source in synapse.sources:
                largest = max(-message_range(self.graph[source].message_bits)[0], 1)
                one = row_bound(synapse) * largest
                # A Lava Conv keeps its sum in 24 bits; the other synapses do not.
                wraps = isinstance(synapse, Conv) and one >= SUM24
                bound += SUM24 if wraps else one
                inputs.append((source, self.wait[synapse.name, source], wraps,
                               compiled(synapse, self.graph[source].shape, population.shape)))
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
            population, inputs, keep_u, (DECAY_UNITY - neuron.voltage_decay) / DECAY_UNITY,
            SILENT if population.role == "readout" else neuron.vth << STATE_SHIFT, not memoryless, bound >= INPUT_LIMIT,
            np.zeros(shape, np.int32), np.ascontiguousarray(bias.transpose(1, 2, 0)).ravel() << STATE_SHIFT,
            np.zeros(0 if memoryless else population.size, np.int32), np.zeros(population.size, np.int32),
            self.reset_phase.get(population.name) if self.reset_interval is not None else None)

    def step(self, t: int) -> dict[str, int]:
        """Compute step ``t`` of every population, from what was sent before it.

        Returns the neuron updates of each that changed something (:class:`mksgn.backend.Counts`).
        """
        active = {}
        for n in self._neurons:
            if n.phase is not None and self.reset_interval is not None and t % self.reset_interval == n.phase:
                n.u.fill(0)
                n.v.fill(0)
            n.a.fill(0)
            for source, waits, wraps, apply in n.inputs:
                x = self._slot(source, t - 1 - waits)[None]
                if not wraps:
                    apply(x, n.a)
                    continue
                part = np.zeros_like(n.a)
                apply(x, part)
                n.a += (part + SUM24) % (2 * SUM24) - SUM24
            if n.limited and int(np.abs(n.a.astype(np.int64)).max()) >= INPUT_LIMIT:
                raise DataError("synaptic input overflows", where=f"population {n.population.name!r}, step {t}",
                                got=str(int(np.abs(n.a.astype(np.int64)).max())), allowed=f"below {INPUT_LIMIT}")
            spikes = self._slot(n.population.name, t).ravel()
            if n.keeps_u:
                changed = kernels.step_neurons(n.a.ravel(), n.bias, n.u, n.v, n.keep_u, n.keep_v, n.threshold, spikes)
            else:
                changed = kernels.step_memoryless(n.a.ravel(), n.bias, n.v, n.keep_v, n.threshold, spikes)
            active[n.population.name] = changed
        return active

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
