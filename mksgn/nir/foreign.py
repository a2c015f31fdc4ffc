"""NIR graphs of others as spiking graphs of ours, where our integers hold them exactly (docs/nir.md)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mksgn.ir import Conv, Dense, Graph, Population, Synapse
from mksgn.ir.graph import DECAY_UNITY
from mksgn.ir.synapses import Shape
from mksgn.nir.budget import Budget
from mksgn.nir.chip_integers import SILENT, SPIKING, Neuron, chip_integers, numbers, read_neuron
from mksgn.nir.connections import WEIGHTED, Connection, connection
from mksgn.nir.errors import NirError
from mksgn.nir.units import DT

Nodes = dict[str, dict[str, Any]]
PASSING = ("Flatten", "Delay", *WEIGHTED)
CHAIN_MAX, SYNAPSES_MAX = 6, 4096
_FIX = {"SumPool2d": "export pooling as a Conv2d with constant weights, with neurons behind it",
        "AvgPool2d": "export pooling as a Conv2d with constant weights, with neurons behind it",
        "NIRGraph": "write the subgraph's nodes into the graph itself",
        "Threshold": "export the threshold as part of a LIF or IF"}


@dataclass(frozen=True)
class Assumptions:
    """What a NIR file does not say.

    Parameters
    ----------
    dt : float
        Seconds per algorithmic step.
    time_steps : int or None
        Steps per sample, after which neurons reset; None: never.
    message_bits : int
        Width of the input's signed values; 0: spikes.
    """

    dt: float = DT
    time_steps: int | None = None
    message_bits: int = 0


def from_foreign(nodes: Nodes, edges: list[tuple[str, str]], assumptions: Assumptions, budget: Budget,
                 where: str) -> Graph:
    """The graph of nodes and edges that were read from a file.

    Raises
    ------
    NirError
        Naming the node that has no exact counterpart, and why.
    GraphError
        When the nodes make an impossible network.
    """
    if not (np.isfinite(assumptions.dt) and assumptions.dt > 0):
        raise NirError("a time step must be positive", where="dt", got=str(assumptions.dt))
    reader = _Foreign(nodes, edges, assumptions, budget, where)
    reader.read()
    meta = {"origin": "nir", "dt": float(assumptions.dt)}
    return Graph(tuple(reader.populations.values()), tuple(reader.synapses), assumptions.time_steps, meta)


@dataclass
class _Foreign:
    """Walks the nodes in topological order and makes a population of every neuron."""

    nodes: Nodes
    edges: list[tuple[str, str]]
    assumptions: Assumptions
    budget: Budget
    where: str
    populations: dict[str, Population] = field(default_factory=dict)
    synapses: list[Synapse] = field(default_factory=list)
    before: dict[str, list[str]] = field(default_factory=dict)
    after: dict[str, list[str]] = field(default_factory=dict)

    def read(self) -> None:
        """Fill ``populations`` and ``synapses``."""
        for name, node in self.nodes.items():
            if node["type"] not in ("Input", "Output", *SPIKING, *SILENT, *PASSING):
                raise NirError("a node type has no counterpart on the chip", where=self._at(name), got=node["type"],
                               allowed=", ".join((*SPIKING, *SILENT, *PASSING)), fix=_FIX.get(node["type"], ""))
            self.before[name], self.after[name] = [], []
        for source, target in self.edges:
            self.before[target].append(source)
            self.after[source].append(target)
        order, last = self._order(), self._output()
        for name in [n for n in order if n != last] + [last]:
            kind = self.nodes[name]["type"]
            if kind == "Input":
                stored = numbers(self.nodes[name], "shape", self._at(name))
                if stored.ndim != 1 or (stored != np.rint(stored)).any():
                    raise NirError("a shape is no list of whole numbers", where=f"{self._at(name)}, shape",
                                   got=str(stored.tolist())[:60])
                shape = self._shape([int(n) for n in stored], name)
                self.populations[name] = Population(name, shape, role="input",
                                                    message_bits=self.assumptions.message_bits)
            elif kind in SPIKING + SILENT:
                self._neurons(name, last)

    def _at(self, name: str) -> str:
        return f"{self.where}: node {name!r}"

    def _output(self) -> str:
        """The neuron whose spikes or voltage are the result."""
        found = [name for name, node in self.nodes.items() if node["type"] == "Output"]
        inputs = [name for name, node in self.nodes.items() if node["type"] == "Input"]
        if len(found) != 1 or len(inputs) != 1:
            raise NirError("a graph needs one Input and one Output", where=self.where,
                           got=f"inputs {', '.join(inputs) or 'none'}; outputs {', '.join(found) or 'none'}")
        if len(self.before[found[0]]) != 1 or self.nodes[self.before[found[0]][0]]["type"] not in SPIKING + SILENT:
            raise NirError("the output must be one node of neurons", where=self._at(found[0]),
                           got=", ".join(self.before[found[0]]) or "nothing", allowed=", ".join(SPIKING + SILENT))
        last = self.before[found[0]][0]
        if len(self.after[last]) != 1:
            raise NirError("the output's neurons drive others", where=self._at(last), got=", ".join(self.after[last]))
        return last

    def _order(self) -> list[str]:
        """All nodes, sources before targets."""
        waiting = {name: len(before) for name, before in self.before.items()}
        ready = [name for name, count in waiting.items() if not count]
        order: list[str] = []
        while ready:
            order.append(ready.pop())
            for target in self.after[order[-1]]:
                waiting[target] -= 1
                if not waiting[target]:
                    ready.append(target)
        circle = sorted(set(self.nodes) - set(order))
        if circle:
            raise NirError("recurrent connections are not supported", where=self.where,
                           got=f"in or behind a circle: {', '.join(circle)[:200]}")
        return order

    def _shape(self, shape: list[int] | tuple[int, ...], name: str) -> Shape:
        """(N,) as (N, 1, 1), (C, N) as (C, N, 1)."""
        if not 1 <= len(shape) <= 3 or min(shape) < 1:
            raise NirError("a shape has no counterpart", where=self._at(name), got=str(tuple(shape)),
                           allowed="1 to 3 axes: (N,), (C, N) or (C, F, V)")
        channels, frames, joints = (*(int(n) for n in shape), 1, 1)[:3]
        self.budget.spend(8 * channels * frames * joints, self._at(name))
        return channels, frames, joints

    def _neurons(self, name: str, last: str) -> None:
        node, where = self.nodes[name], self._at(name)
        if node["type"] in SILENT and name != last:
            raise NirError("neurons that send their voltage on have no counterpart on the chip", where=where,
                           got=node["type"], allowed=f"{', '.join(SILENT)} at the output only")
        neuron = read_neuron(node, self.assumptions.dt, where)
        found = [connection(self.nodes, chain, sources, self._source(sources, name), self.assumptions.dt, self._at,
                            self.budget) for chain, sources in self._paths(name)]
        if not found:
            raise NirError("neurons receive no input", where=where)
        shape = self._shape(neuron.shape, name) if neuron.shape else self._inferred(found[0], name)
        bias = self._bias(neuron, found, shape, where)
        cuba, whole, mantissas = chip_integers(neuron, [(c.node, c.weight) for c in found], bias, where)
        per_neuron = np.broadcast_to(mantissas, shape) if mantissas.any() else None
        role = "readout" if neuron.threshold is None else "hidden"
        self.populations[name] = Population(name, shape, cuba, per_neuron, role)
        for weight, c in zip(whole, found):
            self.synapses.append(c.synapse(f"{c.node}_{len(self.synapses)}", name, weight))

    def _paths(self, name: str) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
        """Chains of nodes without state that end at ``name``, first node first, with the populations they read.

        Populations that enter a chain at the same node share its weights; one that enters later is a path of its own.
        """
        found: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
        open_chains: list[tuple[str, ...]] = [()]
        while open_chains:
            chain = open_chains.pop()
            before = self.before[chain[0] if chain else name]
            sources = tuple(n for n in before if n in self.populations)
            if chain and sources:
                found.append((chain, sources))
            elif sources:
                found += [((), (source,)) for source in sources]
            rest = [n for n in before if n not in self.populations]
            if len(chain) + bool(rest) > CHAIN_MAX or len(found) + len(open_chains) + len(rest) > SYNAPSES_MAX:
                raise NirError("too many nodes without neurons before these neurons", where=self._at(name),
                               allowed=f"{CHAIN_MAX} in a row, {SYNAPSES_MAX} ways")
            open_chains += [(n, *chain) for n in rest]
        return found

    def _source(self, sources: tuple[str, ...], name: str) -> Shape:
        shapes = {self.populations[source].shape for source in sources}
        if len(shapes) != 1:
            raise NirError("sources of one node differ in shape", where=self._at(name), got=str(sorted(shapes)))
        return shapes.pop()

    def _inferred(self, c: Connection, name: str) -> Shape:
        """Shape of neurons whose parameters are single numbers: what their first connection gives."""
        if c.kind is Dense:
            return self._shape((c.weight.shape[0],), name)
        made = c.synapse("", "", np.zeros(c.weight.shape, np.int16))
        source = self.populations[c.sources[0]].shape
        try:
            return self._shape(made.output_shape(source, source), name)
        except ValueError as error:
            raise NirError("a node does not fit its source", where=self._at(c.node), got=str(error)) from None

    def _bias(self, neuron: Neuron, found: list[Connection], shape: Shape, where: str) -> np.ndarray:
        """What enters the voltage at every step: leak, and biases before neurons without synaptic memory."""
        total = np.zeros(shape)
        try:
            total += neuron.leak.reshape(shape) if neuron.leak.size > 1 else neuron.leak
            for c in found:
                if c.bias is None or not c.bias.any():
                    continue
                if neuron.current_decay != DECAY_UNITY:
                    raise NirError("a bias enters through a synapse with memory: its effect grows over the steps",
                                   where=self._at(c.node), fix="export it as v_leak of the neurons")
                per_channel = c.kind is Conv and c.bias.ndim == 1
                total += neuron.gain * (c.bias[:, None, None] if per_channel else c.bias.reshape(shape))
        except ValueError:
            raise NirError("a bias does not fit its neurons", where=where, allowed=str(shape)) from None
        return total
