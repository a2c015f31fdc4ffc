"""Which Lava Processes a graph becomes, decided before anything starts.

A plan is plain data: it can be counted, bounded and tested without Lava. One node becomes one
Lava Process, and on the CPU simulator one OS process. There are three layouts:

- ``blocks``: a few :class:`lava_models.block.process.Block`, consecutive parts of the graph;
- ``layers``: a stock Process for every synapse and population, run by ProcessModels of ours;
- ``stock``: the same, run by Lava's own.

A convolution with several taps in time is a Process for each tap, and its source waits for each as long as it must.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mksgn.errors import BackendError, ConfigError
from mksgn.ir import Attention, Conv, Graph, Schedule, schedule
from mksgn.ir.bounds import wraps24
from mksgn.ir.graph import DELAY_MAX
from mksgn.ir.partition import parts
from mksgn.ir.relays import is_relay
from mksgn.ir.synapses import Shape, Synapse
from mksgn.lava.attention_matrices import MATRICES

LAYOUTS = ("blocks", "layers", "stock")
DELAYS = ("process", "relay")
UNROLL_LIMIT = 5_000_000
"""Non-zero weights (8 bytes each) up to which a convolution is unrolled into a sparse matrix.

Stock ``Conv`` calls scipy once per pair of channels; on 52 x 20 frames x joints a 64 -> 64 1x1
convolution took 59 ms a step as ``Conv`` and 4 ms as ``Sparse`` (4.3 million non-zeros).
"""
NONZERO_LIMIT = 250_000_000
"""Non-zero weights of all sparse synapses together: about 8 GB while the models clip their copies."""
CONV_PARAMETER_MAX = 127
"""Largest groups, stride, padding and dilation of a stock ``Conv``; beyond, a convolution is unrolled."""
MAX_PROCESSES = 600
OVERHEAD = 4
"""OS processes beside the Lava Processes: host, runtime service, shared-memory server and its tracker."""
OWN_DESCRIPTORS = 32
"""File descriptors beside those of channels and Processes: 18 to stay, and pipes that are open while a child starts."""
PAGE = 4096
"""Bytes of a page of memory, in which shared memory is given out."""
CHANNEL_SLOTS = 4
"""Messages a channel between two Processes holds. One is in flight per step; Lava's own default of 64 costs memory."""


@dataclass(frozen=True)
class ProcessNode:
    """One Lava Process.

    Parameters
    ----------
    name : str
        Also the Process's name, so that errors can say what died.
    kind : str
        'source', 'entry', 'block', 'conv', 'sparse', 'delayed', 'delay', 'relay_synapse', 'relay', 'neuron' or 'sink';
        of an attention 'matrix', 'product_neurons' and 'counting_neurons'.
    population : str
        Whose spikes leave this node, or, for a sink, enter it; for a synapse, its target.
    shape : (C, F, V)
        Of what leaves it.
    synapse : str
        The synapse it implements; empty for other kinds.
    tap : int or None
        Where several nodes implement one synapse, the delay (``by_delay``) of the part that this one does.
    steps : int
        Steps by which a source, delay or relay is late, or a relay's spikes wait in its synapse.
    nonzeros : int
        Weights held in a sparse matrix.
    part : Graph, optional
        What a block computes.
    port : str
        Of a block's sink: the port it listens to, 'bits', 'u_all' or 'v_all'.
    matrix : str
        Of an attention's matrix: which of :data:`mksgn.lava.attention_matrices.MATRICES`.
    """

    name: str
    kind: str
    population: str
    shape: Shape
    synapse: str = ""
    tap: int | None = None
    steps: int = 0
    nonzeros: int = 0
    part: Graph | None = None
    port: str = ""
    matrix: str = ""


@dataclass(frozen=True)
class ProcessPlan:
    """Nodes in an order in which sources come first, and (from, to) pairs of node names."""

    nodes: tuple[ProcessNode, ...]
    edges: tuple[tuple[str, str], ...]
    schedule: Schedule
    segment: int

    @property
    def os_processes(self) -> int:
        """OS processes that a run on the CPU simulator starts."""
        return len(self.nodes) + OVERHEAD

    @property
    def channels(self) -> int:
        """Channels that carry data: one per edge, and one from every sink to the host."""
        return len(self.edges) + sum(node.kind == "sink" for node in self.nodes)

    @property
    def shared_bytes(self) -> int:
        """Shared memory of a run: int32 between Processes, float64 from sinks to the host, and semaphores.

        Everything takes whole pages: two semaphores per channel; per Process two channels to the runtime service and
        the three semaphores of the queue through which it reports exceptions.
        """
        sizes = {node.name: int(np.prod(node.shape)) for node in self.nodes}
        data = [sizes[left] * 4 * CHANNEL_SLOTS for left, _ in self.edges]
        data += [sizes[node.name] * 8 * self.segment for node in self.nodes if node.kind == "sink"]
        pages = sum(-(-size // PAGE) for size in data) + 2 * self.channels + 9 * (len(self.nodes) + 1) + 6
        return pages * PAGE

    @property
    def descriptors(self) -> int:
        """File descriptors that the process with the most of them holds: the Lava Process that is forked last.

        A block of shared memory takes two (its own, and mmap's copy). Per Process there are two blocks, for the
        channels to the runtime service, a pipe, a queue, and two descriptors that tell the end of its OS process.
        """
        return 10 * len(self.nodes) + 2 * self.channels + OWN_DESCRIPTORS


class _Planner:
    def __init__(self, graph: Graph, delays: str, unroll_limit: int, entry: bool) -> None:
        self.graph, self.delays, self.unroll_limit, self.entry = graph, delays, unroll_limit, entry
        self.schedule = schedule(graph)
        self.nodes: dict[str, ProcessNode] = {}
        self.edges: list[tuple[str, str]] = []

    def add(self, node: ProcessNode, inputs: tuple[str, ...] = ()) -> str:
        if node.name not in self.nodes:
            self.nodes[node.name] = node
            self.edges.extend((name, node.name) for name in inputs)
        return node.name

    def delayed_source(self, source: str, steps: int) -> str:
        """Name of the node that sends ``source``'s messages ``steps`` steps late; shared by all its consumers."""
        population = self.graph[source]
        if self.entry and population.role == "input" and steps == 0:
            return self.add(ProcessNode(source, "entry", source, population.shape))
        if population.role == "input" and not self.entry:
            # The host knows the input: a second, later source costs one Process and carries graded messages.
            name = source if steps == 0 else f"{source}+{steps}"
            return self.add(ProcessNode(name, "source", source, population.shape, steps=steps))
        if steps == 0:
            return source
        if self.entry and population.role == "input":
            self.delayed_source(source, 0)
        if self.delays == "process":
            return self.add(ProcessNode(f"{source}+{steps}", "delay", source, population.shape, steps=steps), (source,))
        # A relay takes one step for the hop and up to DELAY_MAX in its synapse; longer waits take several.
        reach = DELAY_MAX + 1
        before = source if steps <= reach else self.delayed_source(source, steps - reach)
        synapse = self.add(ProcessNode(f"{source}+{steps}/synapse", "relay_synapse", source, population.shape,
                                steps=min(steps, reach), nonzeros=population.size), (before,))
        return self.add(ProcessNode(f"{source}+{steps}", "relay", source, population.shape, steps=steps), (synapse,))

    def _stays_conv(self, synapse: Conv, count: int) -> bool:
        """Whether a convolution is a Lava ``Conv``; else it is unrolled into a ``Sparse`` of ``count`` weights."""
        fits, wraps = _fits_stock_conv(synapse), wraps24(self.graph, synapse)
        if wraps and not fits:
            raise BackendError("a sum of this convolution can leave 24 bits, which Lava's Conv wraps and its Sparse "
                               "does not, and Conv cannot hold its geometry", where=f"synapse {synapse.name!r}",
                               got=f"groups {synapse.groups}, stride {synapse.stride}, padding {synapse.padding}, "
                                   f"dilation {synapse.dilation}",
                               allowed=f"each at most {CONV_PARAMETER_MAX}",
                               fix="run the layout 'blocks' or the emulator, or scale the input or the weights down")
        return wraps or (count > self.unroll_limit and fits)

    def _synapse(self, synapse: Synapse) -> list[str]:
        """Names of the nodes that implement ``synapse``: one, or one for each of several taps in time."""
        if isinstance(synapse, Attention):
            return [self._attention(synapse)]
        if not isinstance(synapse, Conv):
            return [self._node(synapse, f"{synapse.name}/synapse", None, 0)]
        parts = synapse.by_delay()
        several = len(parts) > 1
        return [self._node(part, f"{synapse.name}/tap{delay:+d}" if several else f"{synapse.name}/synapse",
                           delay if synapse.delayed else None, delay) for delay, part in parts]

    def _attention(self, synapse: Attention) -> str:
        """Name of the last of the nodes that implement an attention: two layers of product neurons, one that counts."""
        source, sizes = self.graph[synapse.sources[0]].shape, synapse.layers(self.graph[synapse.sources[0]].shape)
        spare = synapse.hops - 1  # steps of the way that the layers themselves take; q comes in at the last but one
        late = {letter: self.schedule.wait[synapse.name, name] - spare + (2 if letter == "q" else 0)
                for letter, name in zip("qkv", synapse.sources)}
        senders = {letter: self.delayed_source(name, late[letter]) for letter, name in zip("qkv", synapse.sources)}

        def matrix(name: str, before: str) -> str:
            after, neurons = MATRICES[name][1], source[0] * source[1] * source[2]
            size = sizes.get(after, neurons)
            return self.add(ProcessNode(f"{synapse.name}/{name}/synapse", "matrix", synapse.target, (size, 1, 1),
                                        synapse.name, nonzeros=max(size, sizes["pairs"]), matrix=name), (before,))

        def layer(name: str, kind: str, *before: str) -> str:
            return self.add(ProcessNode(f"{synapse.name}/{name}", kind, synapse.target, (sizes[name], 1, 1),
                                        synapse.name), before)

        pairs = layer("pairs", "product_neurons", matrix("k", senders["k"]), matrix("v", senders["v"]))
        counts = layer("counts", "counting_neurons", matrix("counts", pairs))
        products = layer("products", "product_neurons", matrix("q", senders["q"]), matrix("spread", counts))
        return matrix("out", products)

    def _node(self, synapse: Synapse, name: str, tap: int | None, delay: int) -> str:
        """A node for ``synapse``, whose messages take ``delay`` steps more than branches have to wait anyway."""
        target = self.graph[synapse.target]
        late = {source: self.schedule.wait[synapse.name, source] + delay for source in synapse.sources}
        count = synapse.connections(self.graph[synapse.sources[0]].shape, target.shape)
        kind, steps = "sparse", 0
        if synapse.delayed:
            kind = "delayed"
        elif self._waits_in_synapse(synapse, late):
            kind, steps = "delayed", late[synapse.sources[0]]
            late = dict.fromkeys(late, 0)
        elif isinstance(synapse, Conv) and self._stays_conv(synapse, count):
            kind, count = "conv", 0
        return self.add(ProcessNode(name, kind, target.name, target.shape, synapse.name, tap, steps, nonzeros=count),
                        tuple(self.delayed_source(source, steps) for source, steps in late.items()))

    def _waits_in_synapse(self, synapse: Synapse, late: dict[str, int]) -> bool:
        """Whether ``synapse`` leads to relays of a streamed graph, a weight for each, whose spikes can wait there."""
        source = self.graph[synapse.sources[0]]
        return (source.lattice is not None and source.role != "input" and is_relay(synapse)
                and 0 < late[source.name] <= DELAY_MAX)

    def build(self, recorded: tuple[str, ...], segment: int) -> ProcessPlan:
        for population in self.graph.populations[1:]:
            ends = [end for synapse in self.graph.into(population.name) for end in self._synapse(synapse)]
            self.add(ProcessNode(population.name, "neuron", population.name, population.shape), tuple(ends))
        for name in recorded:
            self.add(ProcessNode(f"{name}/sink", "sink", name, self.graph[name].shape), (name,))
        return ProcessPlan(tuple(self.nodes.values()), tuple(self.edges), self.schedule, segment)


def _fits_stock_conv(synapse: Conv) -> bool:
    """Lava keeps these in 8 signed bits; with 128 groups its Conv computes nothing, and says nothing."""
    return max(synapse.groups, *synapse.stride, *synapse.padding, *synapse.dilation) <= CONV_PARAMETER_MAX


def plan_processes(graph: Graph, recorded: tuple[str, ...] = (), segment: int = 1, delays: str = "process",
         unroll_limit: int = UNROLL_LIMIT, entry: bool = False) -> ProcessPlan:
    """Lay ``graph`` out as one Lava Process per synapse and population.

    Parameters
    ----------
    graph : Graph
    recorded : tuple of str
        Neuron populations whose spikes are sent to the host.
    segment : int
        Most steps that run before the host collects recorded spikes.
    delays : 'process' or 'relay'
        How spikes wait where branches of different depth meet: one Process of ours
        (:class:`lava_models.delay.process.Delay`), or two stock ones (``DelaySparse`` and ``LIF``).
    unroll_limit : int
        See :data:`UNROLL_LIMIT`.
    entry : bool
        The input's messages come in through a port, not from the host: an ``entry`` node, which is no Process.

    Raises
    ------
    ConfigError
        When an option is unknown.
    BackendError
        When two sources of one synapse send messages of different width, or weights exceed memory.
    """
    if delays not in DELAYS:
        raise ConfigError("unknown way to delay spikes", where="delays", got=repr(delays), allowed=", ".join(DELAYS))
    if unroll_limit < 0:
        raise ConfigError("the unroll limit must not be negative", where="unroll_limit", got=str(unroll_limit))
    _check_messages(graph)
    result = _Planner(graph, delays, unroll_limit, entry).build(recorded, segment)
    total = sum(node.nonzeros for node in result.nodes)
    if total > NONZERO_LIMIT:
        largest = max(result.nodes, key=lambda node: node.nonzeros)
        raise BackendError("the network's sparse synapses do not fit into memory", where=largest.name,
                           got=f"{total} non-zero weights, {largest.nonzeros} of them in this synapse",
                           allowed=f"{NONZERO_LIMIT}",
                           fix="choose --layout blocks or --backend emulator")
    return result


def plan_blocks(graph: Graph, count: int, record: str = "none", segment: int = 1) -> ProcessPlan:
    """Lay ``graph`` out as at most ``count`` consecutive blocks, balanced by their synapses.

    Parameters
    ----------
    graph : Graph
    count : int
        At least 1. Fewer where the graph has too few places at which a single population passes everything on.
    record : 'none', 'spikes' or 'states'
    segment : int
        Most steps that run before the host collects what is recorded.

    Raises
    ------
    ConfigError
        When ``count`` is below 1.
    BackendError
        When a population that is not the input sends graded messages.
    """
    if count < 1:
        raise ConfigError("at least one block is needed", where="blocks", got=str(count))
    _check_messages(graph)
    cost = {population.name: float(population.size) for population in graph.populations}
    for synapse in graph.synapses:
        source = graph[synapse.sources[0]]
        cost[synapse.target] += len(synapse.sources) * synapse.connections(source.shape, graph[synapse.target].shape)
    before = graph.input
    nodes = [ProcessNode(before.name, "source", before.name, before.shape)]
    edges = []
    for part in parts(graph, count, cost):
        last = part.output
        name = f"{part.populations[1].name} .. {last.name}" if len(part.populations) > 2 else last.name
        nodes.append(ProcessNode(name, "block", last.name, last.shape, part=part))
        edges.append((nodes[-2].name, name))
    for block in tuple(nodes[1:]):
        assert block.part is not None
        neurons = sum(population.size for population in block.part.populations[1:])
        ports = {"none": {}, "spikes": {"bits": (neurons + 7) // 8},
                 "states": {"bits": (neurons + 7) // 8, "u_all": neurons, "v_all": neurons}}[record]
        for port, size in ports.items():
            name = f"{block.name}/{port}"
            nodes.append(ProcessNode(name, "sink", block.name, (size, 1, 1), part=block.part, port=port))
            edges.append((block.name, name))
    return ProcessPlan(tuple(nodes), tuple(edges), schedule(graph), segment)


def _check_messages(graph: Graph) -> None:
    for population in graph.populations[1:]:
        if population.message_bits:
            raise BackendError("only the input may send graded messages", where=f"population {population.name!r}",
                               got=f"{population.message_bits} message bits", allowed="0")
