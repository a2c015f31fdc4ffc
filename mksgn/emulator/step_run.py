"""One pass of samples through the populations with event-driven kernels, step by step: any graph, on a CPU.

It records states, runs streams in wall time, and holds the sums that the compiled loop cannot: slower than it, and as
exact. The kernels are those of our Lava Processes (:mod:`mksgn.events`).
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from mksgn.emulator.network import Network
from mksgn.emulator.ranges import INT32
from mksgn.emulator.recording import PopulationRun
from mksgn.events import kernels
from mksgn.events.synapses import Apply, Attend, by_delay
from mksgn.ir import Attention, Population, Synapse
from mksgn.ir.bounds import INPUT_LIMIT, SUM24, wraps24
from mksgn.ir.graph import DECAY_UNITY, STATE_MAX, STATE_SHIFT
from mksgn.ir.streamed_clips import frame_spans

SILENT = 1 << 23
"""Threshold of a readout, which v, clipped below it, never exceeds."""


class Operator(NamedTuple):
    """A synapse, whether its sum wraps at 24 bits, and what applies its weights of each delay.

    An attention has no parts, but an operator of its own.
    """

    synapse: Synapse
    wraps: bool
    parts: list[tuple[int, Apply]]
    attend: Attend | None = None


@dataclass
class StepNetwork(Network):
    """A graph ready to run step by step."""

    _operators: dict[str, list[Operator]] = field(init=False, default_factory=dict)

    def operators(self, population: str) -> list[Operator]:
        """The incoming synapses of a population, made when they are first asked for."""
        if population not in self._operators:
            shapes = {p.name: p.shape for p in self.graph.populations}
            self._operators[population] = [
                Operator(s, False, [], Attend(s)) if isinstance(s, Attention) else
                Operator(s, wraps24(self.graph, s), by_delay(s, shapes[s.sources[0]], shapes[population]))
                for s in self.graph.into(population)]
        return self._operators[population]


@dataclass
class Trace:
    """What the neurons of a population did in a sample.

    Parameters
    ----------
    spikes : int8 (T, F, V, C)
    u, v : int32 (T, F, V, C)
        After each step; empty where they are not recorded.
    final_v : int32 (F, V, C)
        After the last step.
    active : int
        Updates that changed something (:class:`mksgn.counts.Counts`).
    """

    spikes: np.ndarray
    u: np.ndarray
    v: np.ndarray
    final_v: np.ndarray
    active: int = 0


class StepRun(PopulationRun[StepNetwork]):
    """One run in progress, with event-driven kernels.

    Parameters
    ----------
    network, samples, steps, record, hop, direct, resets
        As :class:`~mksgn.emulator.recording.PopulationRun` has them.
    threads : int
    """

    def __init__(self, network: StepNetwork, samples: int, steps: int, record: str, threads: int, hop: int = 0,
                 direct: bool = False, resets: dict[str, frozenset[int]] | None = None) -> None:
        super().__init__(network, samples, steps, record, hop, direct, resets)
        self.threads = threads

    def batch(self, x: np.ndarray, start: int) -> bool:
        """Run samples (N, C, F, V, T), or T = 1 for the same at every step, as rows ``start`` on; returns True.

        Raises
        ------
        DataError
            When synaptic input or a current overflows Lava's 32-bit arithmetic, or a readout reaches its threshold.
        """
        graph, tally, rows = self.graph, self.recording.tally, slice(start, start + len(x))
        messages = np.ascontiguousarray(x.transpose(0, 4, 2, 3, 1), np.int32)
        trains = {graph.input.name: messages}
        tally.messages(graph.input.name, rows, self.steps // x.shape[4] * _sent(graph.input, messages))
        with ThreadPoolExecutor(self.threads) as pool:
            for population in graph.populations[1:]:
                name = population.name
                traces = self._traces(population, trains, rows, pool)
                tally.counts.sample_active[name][rows] = [trace.active for trace in traces]
                spikes = np.stack([trace.spikes for trace in traces])
                if population.role == "readout":
                    self.recording.read_out(rows, np.stack([trace.final_v for trace in traces]))
                else:
                    trains[name] = spikes
                    tally.messages(name, rows, _sent(population, spikes))
                    self.recording.keep("spikes", name, rows, spikes.transpose(0, 4, 2, 3, 1))
                if self.record == "states":
                    for quantity in ("u", "v"):
                        values = np.stack([getattr(trace, quantity) for trace in traces])
                        self.recording.keep(quantity, name, rows, values.transpose(0, 4, 2, 3, 1))
                for source in [each for each in trains if self.network.last_use.get(each, name) == name]:
                    del trains[source]
        return True

    def _traces(self, population: Population, trains: Mapping[str, np.ndarray], rows: slice,
                pool: ThreadPoolExecutor) -> list[Trace]:
        """What the neurons of a population do in the samples ``rows``; ``trains`` are messages (N, T, F, V, C)."""
        samples = rows.stop - rows.start
        threads = pool if samples == 1 else None  # which share the steps of the one

        def run(number: int) -> Trace:
            return self._fire(population, self._drive(population, trains, number, rows.start + number, threads))

        return [run(0)] if samples == 1 else list(pool.map(run, range(samples)))

    def _drive(self, population: Population, trains: Mapping[str, np.ndarray], number: int, sample: int,
               pool: ThreadPoolExecutor | None) -> np.ndarray:
        """Summed synaptic input of a sample: (T, F, V, C), int64 where it might leave 32 bits.

        The sample is number ``number`` of the ``trains``, and ``sample`` of the run.
        """
        channels, frames, joints = population.shape
        wide = self.network.ranges[population.name].bound >= INT32
        total: np.ndarray = np.zeros((self.steps, frames, joints, channels), np.int64 if wide else np.int32)
        for operator in self.network.operators(population.name):
            if operator.attend is not None:
                self._attend(operator.attend, trains, number, sample, total)
                continue
            # What arrives in one step is wrapped as one sum, however long it waited.
            into = np.zeros_like(total) if operator.wraps else total
            for source in operator.synapse.sources:
                shift = self.shift(operator.synapse.name, source)
                for delay, apply in operator.parts:
                    self._add(apply, trains[source][number], shift + delay, into, pool)
            if operator.wraps:
                total += (into + SUM24) % (2 * SUM24) - SUM24
        return total

    def _attend(self, attend: Attend, trains: Mapping[str, np.ndarray], number: int, sample: int,
                into: np.ndarray) -> None:
        """Add the sums of an attention, and count what happens inside."""
        synapse = attend.synapse
        late = [self.shift(synapse.name, source) for source in synapse.sources]
        read = [trains[source][number] for source in synapse.sources]
        nothing = np.zeros_like(read[0][0])
        for step in range(self.steps):
            q, k, v = (nothing if step < each else x[min(step - each, len(x) - 1)] for each, x in zip(late, read))
            attend(q, k, v, into[step], self.recording.tally.inside[synapse.name][sample])

    def _add(self, apply: Apply, x: np.ndarray, late: int, into: np.ndarray, pool: ThreadPoolExecutor | None) -> None:
        """Add what messages ``x`` (T, F, V, C), which arrive so many steps late, give through some weights.

        ``x`` of one step is the same at every step.
        """
        if len(x) == 1 and self.steps > 1:
            once = np.zeros_like(into[:1])
            apply(x, once)
            into[late:] += once
        elif -self.steps < late < self.steps:
            sent, target = (x[:self.steps - late], into[late:]) if late >= 0 else (x[-late:], into[:late])
            if pool is None:
                apply(sent, target)
                return
            edges = np.linspace(0, len(sent), min(self.threads, len(sent)) + 1).astype(int)
            list(pool.map(lambda begin, end: apply(sent[begin:end], target[begin:end]), edges, edges[1:]))

    def _fire(self, population: Population, a: np.ndarray) -> Trace:
        """Integrate the input of all steps, from rest."""
        ranges = self.network.ranges[population.name]
        if ranges.bound >= INPUT_LIMIT:
            ranges.check_input(int(np.abs(a).max()))
        a = a.astype(np.int32, copy=False)
        if population.neuron is not None and population.neuron.carried:
            return self._fire_frames(population, a)
        return self._integrate(population, a, _bias(population)[None], *self.interruptions(population.name))

    def _fire_frames(self, population: Population, a: np.ndarray) -> Trace:
        """:meth:`_fire` where states are carried from frame to frame: one step (1, F, V, C), as F steps of a frame."""
        _, frames, joints, channels = a.shape
        trace = self._integrate(population, a.reshape(frames, 1, joints, channels),
                                _bias(population).reshape(frames, -1), frozenset(), frozenset())
        spikes, u, v = (each.reshape(a.shape) if each.size else each for each in (trace.spikes, trace.u, trace.v))
        return Trace(spikes, u, v, trace.final_v, trace.active)

    def _integrate(self, population: Population, a: np.ndarray, bias: np.ndarray, resets: frozenset[int],
                   rests: frozenset[int]) -> Trace:
        """States of all steps of ``a`` (T, F, V, C), from 0; ``bias`` (T, F V C), or one for all steps (1, F V C)."""
        ranges, states = self.network.ranges[population.name], self.record == "states"
        u, v, size = np.zeros(a[0].size, np.int32), np.zeros(a[0].size, np.int32), a.shape
        kept = size if states else (0,)
        trace = Trace(np.zeros(size, np.int8), np.zeros(kept, np.int32), np.zeros(kept, np.int32), v.reshape(size[1:]))
        keep_u, keep_v = ranges.keep_u / DECAY_UNITY, ranges.keep_v / DECAY_UNITY
        threshold = SILENT if ranges.readout else ranges.threshold
        for step in range(len(a)):
            if step in resets:
                u.fill(0)
                v.fill(0)
            if step not in rests:
                spikes = trace.spikes[step].reshape(-1)
                if ranges.overflows:
                    ranges.check_current(step, _largest_current(u, keep_u, a[step].reshape(-1)))
                if states or ranges.keep_u or ranges.wraps:
                    trace.active += kernels.step_neurons(a[step].reshape(-1), bias[step % len(bias)], u, v, keep_u,
                                                         keep_v, threshold, spikes)
                else:
                    trace.active += kernels.step_memoryless(a[step].reshape(-1), bias[step % len(bias)], v, keep_v,
                                                            threshold, spikes)
                if ranges.readout:
                    ranges.check_readout(step, int(v.max()), int(v.min()))
            if states:
                trace.u[step], trace.v[step] = u.reshape(size[1:]), v.reshape(size[1:])
        return trace


def _bias(population: Population) -> np.ndarray:
    """In the units of v: int32, flat, in (F, V, C) order."""
    channels, frames, joints = population.shape
    bias = np.zeros((frames, joints, channels), np.int32)
    if population.bias is not None:
        bias[:] = population.bias if population.bias.ndim == 1 else population.bias.transpose(1, 2, 0)
    return bias.ravel() << STATE_SHIFT


def _largest_current(u: np.ndarray, keep_u: float, a: np.ndarray) -> int:
    """The largest absolute current after this step."""
    current = np.trunc(u * keep_u).astype(np.int64) + (a.astype(np.int64) << STATE_SHIFT)
    current -= 2 * STATE_MAX * ((current > STATE_MAX).astype(np.int64) - (current <= -STATE_MAX))
    return int(np.abs(current).max())


def _sent(population: Population, messages: np.ndarray) -> np.ndarray:
    """Messages (N, T, F, V, C) to how many each neuron sent in each frame of its lattice: int64 (N, L, F, V, C)."""
    return np.stack([np.count_nonzero(messages[:, span], axis=1) for span in frame_spans(population)], axis=1)
