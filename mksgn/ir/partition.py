"""Cuts a graph into consecutive parts that pass each other the spikes of one population only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

from mksgn.ir.graph import Graph


@dataclass(frozen=True)
class Part:
    """A part of a graph and when its populations work: what one Lava Process of ours computes.

    Parameters
    ----------
    graph : Graph
        Its input is the population whose messages enter; its output leaves.
    wait : mapping of (synapse, source) to int
        Steps, beyond the hop itself, that a source's messages wait (:mod:`mksgn.ir.schedule`).
    reset_interval : int or None
    reset_phase : mapping of population to int
        A population resets before the steps t with t = phase modulo ``reset_interval``. Without an interval its own
        time counts from that step on.
    record : 'none', 'spikes' or 'states'
        What leaves through the ports for recording.
    samples, steps : int
        What is counted: step t (from 1) of a population at ``depth`` d is step (t - 1 - d) modulo ``steps``
        of sample (t - 1 - d) // ``steps``; other samples are not. 0 samples: nothing is counted.
    depth : mapping of population to int
        Empty for a stream in wall time.
    adds_up : bool
        All samples are counted as one, however many they become.
    """

    graph: Graph
    wait: Mapping[tuple[str, str], int]
    reset_interval: int | None = None
    reset_phase: Mapping[str, int] = field(default_factory=dict)
    record: str = "none"
    samples: int = 0
    steps: int = 1
    depth: Mapping[str, int] = field(default_factory=dict)
    adds_up: bool = False

    def sample(self, population: str, t: int) -> int | None:
        """The sample that ``population`` works on in wall step ``t``; None: none that is counted."""
        number = (t - 1 - self.depth.get(population, 0)) // self.steps
        if self.adds_up:
            return 0 if number >= 0 else None
        return number if 0 <= number < self.samples else None

    def frame(self, population: str, t: int) -> int | None:
        """The frame of its sample on which ``population`` works in step ``t``, 0 without a lattice; None: it rests."""
        lattice = self.graph[population].lattice
        return 0 if lattice is None else lattice.frame((t - 1 - self.depth.get(population, 0)) % self.steps)

    @property
    def neurons(self) -> int:
        """Neurons of all populations but the input."""
        return sum(population.size for population in self.graph.populations[1:])


def bottlenecks(graph: Graph) -> list[int]:
    """Positions i of ``graph.populations`` such that nothing after i is reached but through population i.

    The input (0) is one when nothing else is, the output always.
    """
    position = {population.name: i for i, population in enumerate(graph.populations)}
    # The last position that each population's spikes reach.
    reach = {i: i for i in range(len(graph.populations))}
    for synapse in graph.synapses:
        for source in synapse.sources:
            reach[position[source]] = max(reach[position[source]], position[synapse.target])
    cuts, furthest = [], 0
    for i in range(len(graph.populations)):
        if furthest <= i:
            cuts.append(i)
        furthest = max(furthest, reach[i])
    return cuts


def parts(graph: Graph, count: int, cost: Mapping[str, float]) -> list[Graph]:
    """At most ``count`` graphs, in order; each one's input is the last population of the one before.

    Parameters
    ----------
    graph : Graph
    count : int
        At least 1.
    cost : mapping of population to float
        What the population costs per step; the parts are balanced by it.
    """
    cuts = [i for i in bottlenecks(graph) if 0 < i < len(graph.populations) - 1]
    total = sum(cost[p.name] for p in graph.populations[1:])
    chosen = [0]
    for number in range(1, count):
        # The cut whose share of the cost is nearest to number / count, and leaves something on both sides.
        best, best_distance = None, float("inf")
        for cut in cuts:
            if cut <= chosen[-1]:
                continue
            share = sum(cost[p.name] for p in graph.populations[1:cut + 1])
            distance = abs(share - total * number / count)
            if distance < best_distance:
                best, best_distance = cut, distance
        if best is None:
            break
        chosen.append(best)
    chosen.append(len(graph.populations) - 1)
    result = []
    for first, last in pairwise(chosen):
        entry = graph.populations[first]
        inside = {p.name for p in graph.populations[first + 1:last + 1]}
        source = entry if entry.role == "input" else replace(entry, neuron=None, bias=None, role="input")
        result.append(Graph((source, *graph.populations[first + 1:last + 1]),
                            tuple(s for s in graph.synapses if s.target in inside), graph.time_steps))
    return result
