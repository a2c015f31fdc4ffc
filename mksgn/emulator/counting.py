"""Counting the events of a run, sample by sample, as it goes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from mksgn.backend import Counts
from mksgn.emulator.fire import TILE
from mksgn.ir import Graph, Population
from mksgn.ir.fanout import fanout

_INT32_MAX = int(np.iinfo(np.int32).max)


@dataclass(frozen=True)
class Readers:
    """The synapses that read a population, and how many non-zero weights each neuron's message meets in them.

    Parameters
    ----------
    names : tuple of str
        K synapses.
    fan : int32 ndarray (L, M)
        Weights met, of M neurons in (F, V, C) order; many synapses have the same, which stand here once.
    row : intp ndarray (K,)
        Each synapse's row of ``fan``.
    device : torch.device
    """

    names: tuple[str, ...]
    fan: np.ndarray
    row: np.ndarray
    device: torch.device

    @classmethod
    def of(cls, graph: Graph, population: Population, device: torch.device) -> Readers:
        """The readers of ``population`` in ``graph``."""
        read = [(s, s.sources.count(population.name)) for s in graph.synapses if population.name in s.sources]
        rows: dict[bytes, int] = {}
        row = []
        for synapse, count in read:
            fan = count * fanout(synapse, population.shape, graph[synapse.target].shape)
            row.append(rows.setdefault(fan.transpose(1, 2, 0).astype(np.int32).tobytes(), len(rows)))
        fans = [np.frombuffer(line, np.int32) for line in rows]
        fan = np.stack(fans) if fans else np.zeros((0, population.size), np.int32)
        return cls(tuple(s.name for s, _ in read), fan, np.array(row, np.intp), device)

    def fits(self, steps: int) -> bool:
        """Whether :func:`mksgn.emulator.fire.fire` can add up what a tile meets in ``steps`` steps, in 32 bits."""
        return steps * TILE * max(self._most, 1) < 1 << 31

    @cached_property
    def _most(self) -> int:
        return int(self.fan.max(initial=0))

    def met(self, sent: torch.Tensor) -> np.ndarray:
        """Weights met in each row of ``fan``: int64 (N, L), for ``sent`` messages per neuron (N, F, V, C)."""
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
        self._fired: dict[str, np.ndarray] = {}
        self._room: dict[str, int] = {}

    def fired(self, name: str, steps: int) -> np.ndarray:
        """int32 (M,), (F, V, C) order: where the spikes of each neuron of ``name`` in ``steps`` more steps are added.

        Half as wide as the counts, and kept from batch to batch: nothing of the size of a population is added up anew
        for every few samples.
        """
        if name not in self._fired:
            self._fired[name] = np.zeros(self.counts.neurons[name], np.int32)
        self._room[name] = self._room.get(name, _INT32_MAX) - steps
        if self._room[name] < 0:
            self._empty(name)
            self._room[name] = _INT32_MAX - steps
        return self._fired[name]

    def _empty(self, name: str) -> None:
        channels, frames, joints = self.counts.sent[name].shape
        self.counts.sent[name] += self._fired[name].reshape(frames, joints, channels).transpose(2, 0, 1)
        self._fired[name][:] = 0

    def messages(self, name: str, rows: slice, train: torch.Tensor, repeats: int = 1) -> None:
        """Count the messages (T, N, F, V, C) of a population, each sent ``repeats`` times."""
        sent = repeats * (train != 0).sum(dim=0)
        counts = self.counts
        counts.sample_spikes[name][rows] = sent.sum(dim=(1, 2, 3), dtype=torch.int64).cpu().numpy()
        counts.sent[name] += sent.sum(dim=0, dtype=torch.int64).permute(2, 0, 1).cpu().numpy()
        self.weights_met(name, rows, self.readers[name].met(sent))

    def weights_met(self, name: str, rows: slice, met: np.ndarray) -> None:
        """Enter what a population's messages met in each row of its readers' fan, int64 (N, L)."""
        readers = self.readers[name]
        for synapse, row in zip(readers.names, readers.row):
            self._met[synapse][rows] += met[:, row]

    def result(self) -> Counts:
        """The counts, once every sample has run."""
        for name in self._fired:
            self._empty(name)
        for name, met in self._met.items():
            self.counts.place(name, self._graded[name], met)
        # In every backend's memory order: what is later summed in floating point must not depend on the backend.
        self.counts.sent = {name: np.ascontiguousarray(sent) for name, sent in self.counts.sent.items()}
        return self.counts


def _counter(population: Population) -> np.ndarray:
    """int64 zeros (C, F, V), in memory (F, V, C) as what is added to them batch by batch."""
    channels, frames, joints = population.shape
    return np.zeros((frames, joints, channels), np.int64).transpose(2, 0, 1)
