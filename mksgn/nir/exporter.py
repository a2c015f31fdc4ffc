"""A spiking graph as a NIR graph (docs/nir.md)."""

from __future__ import annotations

import re
from itertools import pairwise

import nir
import numpy as np

from mksgn.ir import Attention, Graph, Population, Synapse
from mksgn.limits import MAX_BYTES
from mksgn.nir.budget import Budget
from mksgn.nir.errors import NirError
from mksgn.nir.manifest import encode
from mksgn.nir.neurons import neuron_nodes, place_bias
from mksgn.nir.operators import Chain, Operators
from mksgn.nir.units import DT, exponent

Types = tuple[int, ...]
_TOO_LARGE = "allow more with --max-mb (max_bytes in Python), or use the JointMix realisation of the graph convolution"


def to_nir(graph: Graph, dt: float = DT, max_bytes: int = MAX_BYTES) -> nir.NIRGraph:
    """``graph`` in NIR's nodes, with the integers that they cannot say in its metadata.

    Parameters
    ----------
    graph : Graph
    dt : float
        Seconds per algorithmic step.
    max_bytes : int
        Limit on the parameters of all nodes and the integers beside them.

    Returns
    -------
    nir.NIRGraph
        Type-checked by nir itself.

    Raises
    ------
    NirError
        Naming the population or synapse that NIR cannot hold or that would be too large, or the entry of
        ``graph.meta`` that JSON cannot hold.
    """
    if not (np.isfinite(dt) and dt > 0):
        raise NirError("a time step must be positive", where="dt", got=str(dt))
    _check(graph)
    budget = Budget(max_bytes, _TOO_LARGE)
    metadata = encode(graph, dt)
    budget.spend(sum(array.nbytes for array in metadata["arrays"].values()), "metadata")
    builder = NirBuilder(graph, dt, budget)
    try:
        builder.build()
    except MemoryError as error:
        raise NirError("the network does not fit into memory", got=str(error)[:200], fix=_TOO_LARGE) from None
    return nir.NIRGraph(builder.nodes, builder.edges, metadata=metadata)


def flat_populations(graph: Graph) -> set[str]:
    """Populations without a frame and joint axis in NIR.

    Those that have none to keep (one frame, one joint), those that a dense synapse drives, and all that
    these drive: a Linear over all neurons ends in one axis, and no NIR node makes three of it again.
    """
    flat: set[str] = set()
    for population in graph.populations:
        synapses = graph.into(population.name)
        if (population.shape[1:] == (1, 1) or any(s.flattens for s in synapses)
                or any(source in flat for s in synapses for source in s.sources)):
            flat.add(population.name)
    return flat


def _check(graph: Graph) -> None:
    """Refuse, by name, what has no meaning in NIR."""
    for synapse in graph.synapses:
        if isinstance(synapse, Attention):
            raise NirError("NIR has no node that multiplies two inputs", where=f"synapse {synapse.name!r}",
                           got="attention as printed, Q K^T V",
                           fix="train with --attention mask, or --preset spike-driven; a .net file holds it")
    for population in graph.populations:
        where = f"population {population.name!r}"
        if population.lattice is not None:
            raise NirError("NIR has no neuron that rests between the frames of a clip", where=where,
                           got="a streamed graph", fix="write the graph of the clip, in which no neuron rests")
        if population.neuron is not None and population.neuron.carried:
            raise NirError("NIR has no neurons side by side that hand their states on", where=where,
                           got="states carried from frame to frame", fix="a .net file holds them")
        if population.role == "input" and population.bias is not None:
            raise NirError("an input has no neurons that a bias could act on", where=where,
                           fix="give the bias to the populations that the input drives")
        if population.role != "input" and population.message_bits:
            raise NirError("NIR has no neuron that sends graded messages", where=where,
                           got=f"{population.message_bits} message bits", allowed="0: spikes")
        if population.role == "readout" and population is not graph.output:
            raise NirError("only the last population may be a readout: NIR's LI and I send their voltage on",
                           where=where)


class NirBuilder:
    """Collects nodes and edges, population by population; ``ends`` names the node that sends for a population."""

    def __init__(self, graph: Graph, dt: float, budget: Budget) -> None:
        self.graph, self.dt, self.budget = graph, dt, budget
        self.operators = Operators(budget, dt)
        self.flat = flat_populations(graph)
        self.nodes: dict[str, nir.NIRNode] = {}
        self.edges: list[tuple[str, str]] = []
        self.ends: dict[str, str] = {}
        self.names = {"input", "output"}

    def build(self) -> None:
        """Make everything."""
        source = self.graph.input
        self.nodes["input"] = nir.Input(np.array(self._shape(source)))
        self.ends[source.name] = "input"
        for population in self.graph.populations[1:]:
            self._population(population)
        sending = {source for synapse in self.graph.synapses for source in synapse.sources}
        for population in self.graph.populations[1:]:
            if population is self.graph.output or population.name not in sending:
                last = population is self.graph.output
                name = "output" if last else self._unique(f"output_{self.ends[population.name]}")
                self.nodes[name] = nir.Output(np.array(self._shape(population)))
                self.edges.append((self.ends[population.name], name))

    def _shape(self, population: Population) -> Types:
        return (population.size,) if population.name in self.flat else tuple(population.shape)

    def _population(self, population: Population) -> None:
        shape = self._shape(population)
        chains: list[Chain] = []
        origin: list[Synapse] = []
        assert population.neuron is not None
        shift = exponent(population.neuron)
        for synapse in self.graph.into(population.name):
            source = self.graph[synapse.sources[0]].shape
            made = (self.operators.flat(synapse, source, population.shape, shift) if population.name in self.flat
                    else [self.operators.spatial(synapse, source, population.shape, shift)])
            chains += made
            origin += [synapse] * len(made)
        chains, leak, identity = place_bias(population, chains, shape, self.budget)
        # Prefixes, because names such as "code" or "forward" break the modules that tools make of nodes.
        label = self._unique(f"n_{population.name}")
        neurons = neuron_nodes(population, shape, leak, self.dt, self.budget)
        if identity is not None:
            neurons.insert(len(neurons) - 1, ("_bias", identity))
        entry = self._chain(neurons, label, last=label)
        for synapse, chain in zip(origin, chains):
            name = self._unique(f"w_{synapse.name}" + chain[-1][0])
            head = self._chain([("", node) if suffix == chain[-1][0] else (suffix, node) for suffix, node in chain],
                               name, last=name)
            self.edges.append((name, entry))
            self._connect(synapse, head, name, population.name in self.flat)
        self.ends[population.name] = label

    def _chain(self, chain: Chain, label: str, last: str) -> str:
        """Add the nodes of ``chain`` in a row; the last is called ``last``. The name of the first is returned."""
        names = [self._unique(label + (suffix or "_")) for suffix, _ in chain[:-1]] + [last]
        for name, (_, node) in zip(names, chain):
            self.nodes[name] = node
        self.edges += list(pairwise(names))
        return names[0]

    def _connect(self, synapse: Synapse, head: str, name: str, flat: bool) -> None:
        """Edges from all sources: NIR adds up what arrives at one node, which is netx's `concat`."""
        laid_out = [source for source in synapse.sources if source not in self.flat]
        self.edges += [(self.ends[source], head) for source in synapse.sources if source in self.flat]
        if not flat:
            self.edges += [(self.ends[source], head) for source in laid_out]
        elif laid_out:
            flatten = self._unique(f"{name}_flatten")
            # NIR's types have no batch axis, so axis 0 is the channels.
            self.nodes[flatten] = nir.Flatten({"input": np.array(self.graph[laid_out[0]].shape)}, 0, -1)
            self.edges += [(self.ends[source], flatten) for source in laid_out]
            self.edges.append((flatten, head))

    def _unique(self, name: str) -> str:
        """A node name that HDF5 and generated code can hold, used by no other node."""
        plain, count = re.sub(r"[^A-Za-z0-9_]", "_", name)[:100], 1
        found = plain
        while found in self.names:
            count += 1
            found = f"{plain}_{count}"
        self.names.add(found)
        return found
