"""A graph, and everything that every way to run it needs beside it."""

from __future__ import annotations

from dataclasses import dataclass, field

from mksgn.emulator.ranges import Ranges, ranges_of
from mksgn.ir import Graph, Schedule, schedule


@dataclass
class Network:
    """A graph that is to run population by population.

    Parameters
    ----------
    graph : Graph

    Attributes
    ----------
    schedule : Schedule
    ranges : dict of population to Ranges
    last_use : dict of population to population
        After which population a spike train is needed no more.
    """

    graph: Graph
    schedule: Schedule = field(init=False)
    ranges: dict[str, Ranges] = field(init=False)
    last_use: dict[str, str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.schedule, self.ranges = schedule(self.graph), ranges_of(self.graph)
        for population in self.graph.populations[1:]:
            for synapse in self.graph.into(population.name):
                self.last_use.update(dict.fromkeys(synapse.sources, population.name))

    def interruptions(self, name: str, resets: frozenset[int], steps: int) -> tuple[frozenset[int], frozenset[int]]:
        """Steps before which the neurons of a population are reset, and steps at which they rest.

        ``resets`` are those that the run asks for; a lattice (:mod:`mksgn.ir.lattice`) has its own.
        """
        lattice = self.graph[name].lattice
        if lattice is None:
            return resets, frozenset()
        return resets | lattice.beginnings(steps), lattice.rests(steps)

    def shift(self, synapse: str, source: str, hop: int, direct: bool) -> int:
        """Steps that messages of ``source`` take to the neurons that read them through ``synapse``, without its delays.

        Parameters
        ----------
        hop : int
            Steps that a synapse takes: 0 where each population has its own time, 1 in wall time.
        direct : bool
            The input reaches its targets without a hop.
        """
        hops = 1 + self.schedule.wait[synapse, source]
        return hop * (hops - (direct and source == self.graph.input.name))
