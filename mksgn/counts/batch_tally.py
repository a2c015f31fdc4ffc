"""Counting while samples run side by side in the emulator: what each neuron sent, times the weights it meets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mksgn.counts.counts import Counts
from mksgn.ir import Attention, Graph, Population
from mksgn.ir.attention import Events
from mksgn.ir.streaming import fanout_by_frame


@dataclass(frozen=True)
class Readers:
    """The synapses that read a population, and how many non-zero weights each neuron's message meets in them.

    Parameters
    ----------
    names : tuple of str
        K synapses.
    fan : float64 ndarray (L, M)
        Weights met, of M neurons in (frame sent, F, V, C) order; many synapses have the same, which stand here once. A
        population without a lattice (:mod:`mksgn.ir.streaming`) sends in one frame.
    row : tuple of int
        Each synapse's row of ``fan``.
    """

    names: tuple[str, ...]
    fan: np.ndarray
    row: tuple[int, ...]

    @classmethod
    def of(cls, graph: Graph, population: Population) -> Readers:
        """The readers of ``population`` in ``graph``."""
        read = [(s, s.sources.count(population.name)) for s in graph.synapses if population.name in s.sources]
        rows: dict[bytes, int] = {}
        row = []
        for synapse, count in read:
            fan = count * fanout_by_frame(graph, synapse, population.name)
            row.append(rows.setdefault(fan.transpose(0, 2, 3, 1).astype(np.float64).tobytes(), len(rows)))
        frames = 1 if population.lattice is None else population.lattice.frames_apart
        size = frames * population.size
        table = np.array([np.frombuffer(line, np.float64) for line in rows]).reshape(len(rows), size)
        return cls(tuple(s.name for s, _ in read), table, tuple(row))

    def met(self, sent: np.ndarray) -> np.ndarray:
        """Weights met in each row of ``fan``: int64 (N, L), for ``sent`` messages, int64 (N, frames, F, V, C)."""
        # Sums of whole numbers far below 2^53: exact in float64.
        return (sent.reshape(len(sent), -1).astype(np.float64) @ self.fan.T).astype(np.int64)


class BatchTally:
    """Counts of a run in progress, whose samples run side by side.

    Parameters
    ----------
    graph : Graph
    samples, steps : int

    Attributes
    ----------
    counts : Counts
    met : dict of synapse to int64 ndarray (samples,)
        Weights that its messages met.
    inside : dict of synapse to int64 ndarray (samples, 3)
        Events inside each attention, as :class:`mksgn.ir.attention.Events` has them.
    """

    def __init__(self, graph: Graph, samples: int, steps: int) -> None:
        self.graph = graph
        self.met = {s.name: np.zeros(samples, np.int64) for s in graph.synapses}
        self.inside = {s.name: np.zeros((samples, len(Events._fields)), np.int64) for s in graph.synapses
                       if isinstance(s, Attention)}
        names = [population.name for population in graph.populations]
        self.counts = Counts(
            samples, steps, neurons={population.name: population.size for population in graph.populations},
            sample_spikes={name: np.zeros(samples, np.int64) for name in names},
            sample_active={name: np.zeros(samples, np.int64) for name in names[1:]})
        self._readers: dict[str, Readers] = {}

    def messages(self, name: str, rows: slice, sent: np.ndarray) -> None:
        """Count how many messages each neuron of a population sent: int64 (N, frames, F, V, C).

        ``frames`` are those of its lattice, in each of which it sends for some steps; 1 without one.
        """
        if name not in self._readers:
            self._readers[name] = Readers.of(self.graph, self.graph[name])
        readers = self._readers[name]
        self.counts.sample_spikes[name][rows] = sent.sum(axis=(1, 2, 3, 4))
        self.add_sent(name, sent.sum(axis=0).transpose(0, 3, 1, 2))
        met = readers.met(sent)
        for synapse, row in zip(readers.names, readers.row):
            self.met[synapse][rows] += met[:, row]

    def add_sent(self, name: str, by_frame: np.ndarray) -> None:
        """Add messages of each neuron of a population, int64 (frames, C, F, V), to those of earlier samples."""
        counted = [(self.counts.sent, by_frame.sum(axis=0))]
        if self.graph[name].lattice is not None:
            counted.append((self.counts.sent_by_frame, by_frame))
        for whole, part in counted:
            whole[name] = whole[name] + part if name in whole else part

    def result(self) -> Counts:
        """The counts, once every sample has run."""
        for synapse in self.graph.synapses:
            self.counts.place(synapse.name, self.graph[synapse.sources[0]].message_bits > 0, self.met[synapse.name])
        for name, inside in self.inside.items():
            self.counts.place_inside(name, Events(*inside.T.copy()))
        # In every backend's memory order: what is later summed in floating point must not depend on the backend.
        for population in self.graph.populations:
            if population.name not in self.counts.sent:
                frames = 1 if population.lattice is None else population.lattice.frames_apart
                self.add_sent(population.name, np.zeros((frames, *population.shape), np.int64))
        self.counts.sent = self._ordered(self.counts.sent)
        self.counts.sent_by_frame = self._ordered(self.counts.sent_by_frame)
        return self.counts

    def _ordered(self, sent: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {p.name: np.ascontiguousarray(sent[p.name]) for p in self.graph.populations if p.name in sent}
