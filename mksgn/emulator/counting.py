"""Counting the events of a run, sample by sample, as it goes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from mksgn.backend import Counts
from mksgn.emulator.fire import TILE
from mksgn.ir import Graph, Population
from mksgn.ir.fanout import fanout


@dataclass(frozen=True)
class Readers:
    """The synapses that read a population, and how many non-zero weights each neuron's message meets in them.

    Parameters
    ----------
    names : tuple of str
        K synapses.
    fan : int32 ndarray (K, M)
        M neurons in (F, V, C) order.
    device : torch.device
    """

    names: tuple[str, ...]
    fan: np.ndarray
    device: torch.device

    @classmethod
    def of(cls, graph: Graph, population: Population, device: torch.device) -> Readers:
        """The readers of ``population`` in ``graph``."""
        read = [(s, s.sources.count(population.name)) for s in graph.synapses if population.name in s.sources]
        fans = [count * fanout(s, population.shape, graph[s.target].shape) for s, count in read]
        fan = np.zeros((len(read), population.size), np.int32)
        for row, values in zip(fan, fans):
            row[:] = values.transpose(1, 2, 0).reshape(-1)
        return cls(tuple(s.name for s, _ in read), fan, device)

    def fits(self, steps: int) -> bool:
        """Whether :func:`mksgn.emulator.fire.fire` can add up what a tile meets in ``steps`` steps, in 32 bits."""
        return steps * TILE * max(int(self.fan.max(initial=0)), 1) < 1 << 31

    def met(self, sent: torch.Tensor) -> np.ndarray:
        """Weights met: int64 (N, K), for ``sent`` messages per neuron (N, F, V, C)."""
        # Sums of whole numbers far below 2^53: exact in float64.
        fan = torch.as_tensor(self.fan, device=self.device).to(torch.float64)
        return (sent.flatten(1).to(torch.float64) @ fan.T).to("cpu", torch.int64).numpy()


class Tally:
    """Counts of a run in progress.

    Parameters
    ----------
    graph : Graph
    readers : dict of population to Readers
    samples, steps : int
    """

    def __init__(self, graph: Graph, readers: dict[str, Readers], samples: int, steps: int) -> None:
        self.readers = readers
        self._met = {s.name: np.zeros(samples, np.int64) for s in graph.synapses}
        self._graded = {s.name: graph[s.sources[0]].message_bits > 0 for s in graph.synapses}
        names = [population.name for population in graph.populations]
        self.counts = Counts(
            samples, steps, neurons={population.name: population.size for population in graph.populations},
            sample_spikes={name: np.zeros(samples, np.int64) for name in names},
            sample_active={name: np.zeros(samples, np.int64) for name in names[1:]},
            sent={population.name: _counter(population) for population in graph.populations})

    def messages(self, name: str, rows: slice, train: torch.Tensor, repeats: int = 1) -> None:
        """Count the messages (T, N, F, V, C) of a population, each sent ``repeats`` times."""
        sent = repeats * (train != 0).sum(dim=0)
        counts = self.counts
        counts.sample_spikes[name][rows] = sent.sum(dim=(1, 2, 3), dtype=torch.int64).cpu().numpy()
        counts.sent[name] += sent.sum(dim=0, dtype=torch.int64).permute(2, 0, 1).cpu().numpy()
        self.weights_met(name, rows, self.readers[name].met(sent))

    def weights_met(self, name: str, rows: slice, met: np.ndarray) -> None:
        """Enter what a population's messages met in each of its readers, int64 (N, K)."""
        for synapse, values in zip(self.readers[name].names, met.T):
            self._met[synapse][rows] += values

    def result(self) -> Counts:
        """The counts, once every sample has run."""
        for name, met in self._met.items():
            self.counts.place(name, self._graded[name], met)
        # In every backend's memory order: what is later summed in floating point must not depend on the backend.
        self.counts.sent = {name: np.ascontiguousarray(sent) for name, sent in self.counts.sent.items()}
        return self.counts


def _counter(population: Population) -> np.ndarray:
    """int64 zeros (C, F, V), in memory (F, V, C) as what is added to them batch by batch."""
    channels, frames, joints = population.shape
    return np.zeros((frames, joints, channels), np.int64).transpose(2, 0, 1)
