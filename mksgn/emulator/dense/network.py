"""A graph with its weights on a device."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from mksgn.emulator.dense.neuron import Membrane
from mksgn.emulator.dense.operators import Operator, operator
from mksgn.emulator.network import Network


@dataclass
class DenseNetwork(Network):
    """A graph ready to run on a device.

    Parameters
    ----------
    graph : Graph
    device : torch.device

    Attributes
    ----------
    membranes : dict of population to Membrane
    """

    device: torch.device
    membranes: dict[str, Membrane] = field(init=False, default_factory=dict)
    _operators: dict[str, list[Operator]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.membranes = {name: Membrane(ranges, self.device) for name, ranges in self.ranges.items()}

    def operators(self, population: str) -> list[Operator]:
        """The incoming synapses of a population, made when they are first asked for."""
        if population not in self._operators:
            self._operators[population] = [operator(self.graph, s, self.device) for s in self.graph.into(population)]
        return self._operators[population]
