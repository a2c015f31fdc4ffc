"""A graph with its weights on a device, and everything else that a run needs beside them."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from mksgn.emulator.neuron import Membrane
from mksgn.emulator.operators import Operator, operator
from mksgn.ir import Graph, Schedule, schedule
from mksgn.ir.bounds import input_bound


@dataclass
class Network:
    """A graph ready to run on a device.

    Parameters
    ----------
    graph : Graph
    device : torch.device

    Attributes
    ----------
    schedule : Schedule
    membranes : dict of population to Membrane
    last_use : dict of population to population
        After which population a spike train is needed no more.
    """

    graph: Graph
    device: torch.device
    schedule: Schedule = field(init=False)
    membranes: dict[str, Membrane] = field(init=False, default_factory=dict)
    last_use: dict[str, str] = field(init=False, default_factory=dict)
    _operators: dict[str, list[Operator]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.schedule = schedule(self.graph)
        for population in self.graph.populations[1:]:
            synapses = self.graph.into(population.name)
            self.last_use.update({source: population.name for synapse in synapses for source in synapse.sources})
            bound = sum(input_bound(self.graph, synapse) for synapse in synapses)
            self.membranes[population.name] = Membrane(population, bound, self.device)

    def operators(self, population: str) -> list[Operator]:
        """The incoming synapses of a population, made when they are first asked for."""
        if population not in self._operators:
            self._operators[population] = [operator(self.graph, s, self.device) for s in self.graph.into(population)]
        return self._operators[population]
