"""Counting what the populations of a part do, step by step, into one array: a Lava Var."""

from __future__ import annotations

import numpy as np

from mksgn.counts.counts import Counts
from mksgn.events import kernels
from mksgn.ir.attention import Attention, Events
from mksgn.ir.graph import Graph
from mksgn.ir.partition import Part
from mksgn.ir.streaming import fanout_by_frame

Entry = tuple[str, str]


def entries(graph: Graph) -> tuple[Entry, ...]:
    """Columns of the array, (quantity, name): 'spikes' of every population, 'active' of the neurons, 'met' of synapses.

    Spikes include the messages of the input; 'met' are the non-zero weights that messages meet. The events inside an
    attention, those of :class:`mksgn.ir.attention.Events`, come last.
    """
    return (*(("spikes", p.name) for p in graph.populations), *(("active", p.name) for p in graph.populations[1:]),
            *(("met", s.name) for s in graph.synapses),
            *((quantity, s.name) for s in graph.synapses if isinstance(s, Attention) for quantity in Events._fields))


class StepTally:
    """Adds up the events of a part.

    Parameters
    ----------
    part : Part
        Says which wall step belongs to which sample.
    """

    def __init__(self, part: Part) -> None:
        self.part = part
        graph = part.graph
        self._column = {entry: number for number, entry in enumerate(entries(graph))}
        # Of each population: (column, weights that a message of each neuron meets by frame sent), neurons (F, V, C).
        self._read: dict[str, list[tuple[int, np.ndarray]]] = {p.name: [] for p in graph.populations}
        for synapse in graph.synapses:
            for source in synapse.sources:
                met = fanout_by_frame(graph, synapse, source)
                flat = np.ascontiguousarray(met.transpose(0, 2, 3, 1), np.int32).reshape(len(met), -1)
                self._read[source].append((self._column["met", synapse.name], flat))
        # The entry's messages are counted where they are sent, too.
        sum_of = {(quantity, p.name): number for p in graph.populations[1:]
                  for number, quantity in enumerate(("spikes", "active"))}
        sum_of |= {("met", s.name): 3 if graph[s.sources[0]].message_bits else 2 for s in graph.synapses}
        self._summed = np.zeros((len(self._column), 4), np.int64)
        for entry, number in sum_of.items():
            self._summed[self._column[entry], number] = 1

    def add(self, counted: np.ndarray, t: int, name: str, messages: np.ndarray, active: int | None = None) -> None:
        """Count step ``t`` of population ``name``.

        Parameters
        ----------
        counted : int64 ndarray (samples, len(entries))
            Added to.
        messages : int8 or int32 ndarray (F, V, C)
            What it sent.
        active : int, optional
            Neuron updates that changed something; None for the input, which has no neurons.
        """
        sample, frame = self.part.sample(name, t), self.part.frame(name, t)
        if sample is None or frame is None:
            return
        row, flat = counted[sample], messages.reshape(-1)
        row[self._column["spikes", name]] += np.count_nonzero(flat)
        if active is not None:
            row[self._column["active", name]] += active
        for column, fan in self._read[name]:
            row[column] += kernels.weights_met(flat, fan[frame])

    def sums(self, counted: np.ndarray) -> np.ndarray:
        """Spikes of the part's neurons, active updates, synaptic operations and MACs of all samples: int64 (4,)."""
        return np.asarray(counted.sum(axis=0) @ self._summed)

    def add_inside(self, counted: np.ndarray, t: int, synapse: str, target: str, inside: np.ndarray) -> None:
        """Count what happened inside an attention, int64 (3,), for step ``t`` of its ``target``."""
        sample = self.part.sample(target, t)
        if sample is not None and self.part.frame(target, t) is not None:
            first = self._column[Events._fields[0], synapse]
            counted[sample, first:first + len(inside)] += inside


def enter_counted(graph: Graph, counts: Counts, counted: dict[str, dict[str, np.ndarray]]) -> None:
    """Enter what all parts of a graph counted.

    Parameters
    ----------
    graph : Graph
        The whole graph.
    counts : Counts
        Filled; its ``sent`` needs records (:func:`mksgn.counts.recorded.sent_recorded`).
    counted : dict
        'spikes', 'active', 'met' and those of an attention -> name -> int64 (samples,): the columns of
        :func:`entries`, of every part.
    """
    counts.neurons.update({population.name: population.size for population in graph.populations})
    counts.sample_spikes.update(counted["spikes"])
    counts.sample_active.update(counted["active"])
    for synapse in graph.synapses:
        counts.place(synapse.name, graph[synapse.sources[0]].message_bits > 0, counted["met"][synapse.name])
        if isinstance(synapse, Attention):
            counts.place_inside(synapse.name, Events(*(counted[field][synapse.name] for field in Events._fields)))
