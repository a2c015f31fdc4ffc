"""Counting the events of a run, sample by sample, as it goes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from mksgn.backend import Counts
from mksgn.ir import Graph, Population
from mksgn.ir.fanout import fanout


@dataclass(frozen=True)
class Readers:
    """The synapses that read a population, and how many non-zero weights each neuron's message meets in them.

    Parameters
    ----------
    names : tuple of str
        K synapses.
    fan : float64 tensor (L, M)
        Weights met, of M neurons in (F, V, C) order; many synapses have the same, which stand here once.
    row : tuple of int
        Each synapse's row of ``fan``.
    """

    names: tuple[str, ...]
    fan: torch.Tensor
    row: tuple[int, ...]

    @classmethod
    def of(cls, graph: Graph, population: Population, device: torch.device) -> Readers:
        """The readers of ``population`` in ``graph``."""
        read = [(s, s.sources.count(population.name)) for s in graph.synapses if population.name in s.sources]
        rows: dict[bytes, int] = {}
        row = []
        for synapse, count in read:
            fan = count * fanout(synapse, population.shape, graph[synapse.target].shape)
            row.append(rows.setdefault(fan.transpose(1, 2, 0).astype(np.float64).tobytes(), len(rows)))
        table = np.array([np.frombuffer(line, np.float64) for line in rows]).reshape(len(rows), population.size)
        return cls(tuple(s.name for s, _ in read), torch.as_tensor(table, device=device), tuple(row))

    def met(self, sent: torch.Tensor) -> np.ndarray:
        """Weights met in each row of ``fan``: int64 (N, L), for ``sent`` messages per neuron (N, F, V, C)."""
        # Sums of whole numbers far below 2^53: exact in float64.
        return (sent.flatten(1).to(torch.float64) @ self.fan.T).to("cpu", torch.int64).numpy()


class Tally:
    """Counts of a run in progress.

    Parameters
    ----------
    graph : Graph
    samples, steps : int
    device : torch.device
        Where the messages are.

    Attributes
    ----------
    counts : Counts
    met : dict of synapse to int64 ndarray (samples,)
        Weights that its messages met.
    """

    def __init__(self, graph: Graph, samples: int, steps: int, device: torch.device) -> None:
        self.graph, self.device = graph, device
        self.met = {s.name: np.zeros(samples, np.int64) for s in graph.synapses}
        names = [population.name for population in graph.populations]
        self.counts = Counts(
            samples, steps, neurons={population.name: population.size for population in graph.populations},
            sample_spikes={name: np.zeros(samples, np.int64) for name in names},
            sample_active={name: np.zeros(samples, np.int64) for name in names[1:]})
        self._readers: dict[str, Readers] = {}

    def messages(self, name: str, rows: slice, train: torch.Tensor, repeats: int = 1) -> None:
        """Count the messages (T, N, F, V, C) of a population, each sent ``repeats`` times."""
        if name not in self._readers:
            self._readers[name] = Readers.of(self.graph, self.graph[name], self.device)
        readers = self._readers[name]
        sent = repeats * (train != 0).sum(dim=0)
        self.counts.sample_spikes[name][rows] = sent.sum(dim=(1, 2, 3), dtype=torch.int64).cpu().numpy()
        each = sent.sum(dim=0, dtype=torch.int64).permute(2, 0, 1).cpu().numpy()
        self.counts.sent[name] = self.counts.sent[name] + each if name in self.counts.sent else each
        met = readers.met(sent)
        for synapse, row in zip(readers.names, readers.row):
            self.met[synapse][rows] += met[:, row]

    def result(self) -> Counts:
        """The counts, once every sample has run."""
        for synapse in self.graph.synapses:
            self.counts.place(synapse.name, self.graph[synapse.sources[0]].message_bits > 0, self.met[synapse.name])
        # In every backend's memory order: what is later summed in floating point must not depend on the backend.
        silent = {population.name: np.zeros(population.shape, np.int64) for population in self.graph.populations}
        self.counts.sent = {name: np.ascontiguousarray(sent) for name, sent in (silent | self.counts.sent).items()}
        return self.counts

