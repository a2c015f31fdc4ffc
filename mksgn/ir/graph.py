"""The spiking graph: populations of Loihi neurons and integer synapses, a directed acyclic graph.

This is the one description that the file format, the emulator, the Lava builder, the mapper and
the counters share. It holds integers only and knows nothing of torch, SLAYER or Lava.

Neuron (the contract that every backend and SLAYER's training keep), at every algorithmic step::

    u = wrap24( trunc(u (4096 - current_decay) / 4096) + 64 a )          a: summed synaptic input
    v = clip24( trunc(v (4096 - voltage_decay) / 4096) + u + 64 bias )
    s = v > 64 vth;  v = 0 where s

trunc rounds toward zero; wrap24 wraps at +-2^23 as Lava's ``fixed_pt`` LIF does; clip24 clips to
+-(2^23 - 1). u and v start each sample at 0. Frames of a clip lie side by side, and each has neurons of its own. A
population whose states are carried (``Cuba.carried``) has one step a frame, and a frame's neurons go on from what those
of the frame before left, as if frames were steps.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mksgn.errors import GraphError
from mksgn.ir.lattice import Lattice
from mksgn.ir.synapses import Shape, Synapse

STATE_SHIFT = 6
"""Synaptic input, bias and threshold are shifted left by this into the units of u and v."""
WEIGHT_MIN, WEIGHT_MAX = -256, 254
VTH_MAX = (1 << 17) - 1
BIAS_MIN, BIAS_MAX = -(1 << 12), (1 << 12) - 1
DECAY_UNITY = 1 << 12
DELAY_MAX = 62
STATE_MAX = 1 << 23
ROLES = ("input", "hidden", "readout")
LOGIT_SCALE = "logit_scale"
"""Entry of ``meta``: what of a readout (v / 64, a sum over the T steps) makes one logit of the trained network."""


@dataclass(frozen=True)
class Cuba:
    """Loihi CUBA neuron; a LIF neuron has ``current_decay`` 4096.

    Parameters
    ----------
    vth : int
        Threshold mantissa, 0..131071 (`vThMant`, Lava's `vth`), in weight units.
    current_decay, voltage_decay : int
        Decay *lost* per step in 1/4096, 0..4096 (`iDecay` = Lava's `du` + 1; `vDecay` = Lava's `dv`).
    carried : bool
        u and v of a frame begin with what the frame before left, and not at 0. Only where frames lie side by side, and
        a sample has one step; in a streamed graph the lattice says it.
    """

    vth: int
    current_decay: int = 4096
    voltage_decay: int = 3072
    carried: bool = False


@dataclass(frozen=True, eq=False)
class Population:
    """A named group of neurons of shape (C, F, V).

    Parameters
    ----------
    name : str
    shape : (C, F, V)
    neuron : Cuba or None
        None for an input.
    bias : int ndarray (C,) or (C, F, V), or None
        13-bit mantissa, in weight units (exponent 6), added to v every step.
    role : 'input', 'hidden' or 'readout'
        A readout never spikes: its result is v / 64 at the sample's last step, rounded down.
    message_bits : int
        0: unary spikes. >= 1: signed graded values, as an input may send.
    lattice : Lattice or None
        When the neurons work, where frames come one after the other (:mod:`mksgn.ir.streaming`); None: at every step.
    """

    name: str
    shape: Shape
    neuron: Cuba | None = None
    bias: np.ndarray | None = None
    role: str = "hidden"
    message_bits: int = 0
    lattice: Lattice | None = None

    @property
    def size(self) -> int:
        """Number of neurons."""
        return int(np.prod(self.shape))


@dataclass(frozen=True, eq=False)
class Graph:
    """Populations in topological order and the synapses between them.

    Parameters
    ----------
    populations : tuple of Population
        Sources before targets; exactly one input (first) and one output (last).
    synapses : tuple of Synapse
    time_steps : int or None
        Algorithmic steps T per sample. None: a stock net that runs without reset.
    meta : dict of str to str, int, float or list of str
        What the file's attributes carry: preset, preprocessing, label names, accuracy, ...

    Raises
    ------
    GraphError
        Naming both ends of the synapse, when shapes, widths or order are impossible.
    """

    populations: tuple[Population, ...]
    synapses: tuple[Synapse, ...]
    time_steps: int | None = None
    meta: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        check(self)

    def __getitem__(self, name: str) -> Population:
        for population in self.populations:
            if population.name == name:
                return population
        raise KeyError(name)

    def into(self, name: str) -> tuple[Synapse, ...]:
        """Synapses that end at population ``name``."""
        return tuple(s for s in self.synapses if s.target == name)

    @property
    def input(self) -> Population:
        """The population that receives the sample."""
        return self.populations[0]

    @property
    def output(self) -> Population:
        """The population whose spikes (or, for a readout, state) are the result."""
        return self.populations[-1]


def check(graph: Graph) -> None:
    """Raise :class:`GraphError` unless ``graph`` can exist on the chip, number by number."""
    index: dict[str, int] = {}
    for position, population in enumerate(graph.populations):
        _check_population(population)
        if population.name in index:
            raise GraphError("two populations have one name", where=population.name, fix="name each population once")
        if (population.role == "input") != (position == 0):
            raise GraphError("the first population, and no other, must be the input", where=population.name,
                             got=f"role {population.role!r} at position {position}")
        index[population.name] = position
    if len(graph.populations) < 2:
        raise GraphError("a graph needs an input and at least one population of neurons",
                         got=str(len(graph.populations)))
    driven = set()
    if len({synapse.name for synapse in graph.synapses}) != len(graph.synapses):
        raise GraphError("two synapses have one name", got=", ".join(synapse.name for synapse in graph.synapses),
                         fix="name each synapse once")
    for synapse in graph.synapses:
        _check_synapse(graph, synapse, index)
        driven.add(synapse.target)
    for population in graph.populations[1:]:
        if population.name not in driven:
            raise GraphError("a population receives no synapse", where=population.name)
    resting = [population.name for population in graph.populations if population.lattice is not None]
    if resting and (len(resting) < len(graph.populations) or graph.time_steps is None):
        raise GraphError("all populations have a lattice, or none, and then a sample has a number of steps",
                         where=f"population {resting[0]!r}", got=f"{len(resting)} of {len(graph.populations)} with one",
                         fix="make such a graph with mksgn.ir.streaming.streamed")
    if graph.time_steps is not None and graph.time_steps < 1:
        raise GraphError("time_steps must be at least 1", got=str(graph.time_steps))
    for population in graph.populations:
        _check_lattice(population, graph.time_steps)
        _check_carried(population, graph.time_steps)


def _integers(values: np.ndarray, low: int, high: int, what: str, where: str) -> None:
    if not np.issubdtype(values.dtype, np.integer):
        raise GraphError(f"{what} must be integers", where=where, got=str(values.dtype))
    if values.size and (values.min() < low or values.max() > high):
        raise GraphError(f"{what} out of range", where=where, got=f"{values.min()}..{values.max()}",
                         allowed=f"{low}..{high}", fix="quantise with a smaller scale, or fine-tune before export")


def _check_population(population: Population) -> None:
    where = f"population {population.name!r}"
    if len(population.shape) != 3 or min(population.shape) < 1:
        raise GraphError("a population's shape must be (C, F, V), each at least 1", where=where,
                         got=str(population.shape))
    if population.role not in ROLES:
        raise GraphError("unknown role", where=where, got=population.role, allowed=", ".join(ROLES))
    if (population.neuron is None) != (population.role == "input"):
        raise GraphError("neurons are missing or misplaced", where=where, got=f"neuron {population.neuron}",
                         allowed="a neuron everywhere but in the input")
    if population.neuron is not None:
        for label, high in (("vth", VTH_MAX), ("current_decay", DECAY_UNITY), ("voltage_decay", DECAY_UNITY)):
            value = getattr(population.neuron, label)
            if not 0 <= value <= high:
                raise GraphError(f"{label} out of range", where=where, got=str(value), allowed=f"0..{high}")
    if population.bias is not None:
        if population.bias.shape not in ((population.shape[0],), tuple(population.shape)):
            raise GraphError("bias must be per channel or per neuron", where=where, got=str(population.bias.shape),
                             allowed=f"({population.shape[0]},) or {population.shape}")
        _integers(population.bias, BIAS_MIN, BIAS_MAX, "bias mantissas", where)


def _check_lattice(population: Population, steps: int | None) -> None:
    lattice = population.lattice
    if lattice is None or steps is None:
        return
    last = 0 if lattice.frames is None else lattice.end
    if population.shape[1] != 1 or last > steps:
        raise GraphError("a population with a lattice holds one frame at a time, within the steps of a sample",
                         where=f"population {population.name!r}", got=f"{population.shape[1]} frames, {last} steps",
                         allowed=f"1 frame, {steps} steps", fix="make such a graph with mksgn.ir.streaming.streamed")


def _check_carried(population: Population, steps: int | None) -> None:
    if population.neuron is None or not population.neuron.carried:
        return
    where = f"population {population.name!r}"
    if population.lattice is not None:
        raise GraphError("the lattice of a streamed population says whether its states are carried", where=where,
                         fix="make such a graph with mksgn.ir.streaming.streamed")
    if population.role == "readout":
        raise GraphError("a readout is read after its last step, and carries nothing", where=where)
    if steps != 1:
        raise GraphError("states are carried from frame to frame at one step per frame only", where=where,
                         got=f"{steps} steps", allowed="1",
                         fix="train with --time-steps 1, or without --frame-state carried")


def _check_synapse(graph: Graph, synapse: Synapse, index: dict[str, int]) -> None:
    where = f"synapse {synapse.name!r}: {' + '.join(synapse.sources)} -> {synapse.target}"
    for name in (*synapse.sources, synapse.target):
        if name not in index:
            raise GraphError("a synapse names a population that does not exist", where=where, got=name,
                             allowed=", ".join(index))
    target = graph[synapse.target]
    shapes = {graph[source].shape for source in synapse.sources}
    if len(shapes) != 1 or len(set(synapse.sources)) != len(synapse.sources):
        raise GraphError("concatenated sources must be distinct and of one shape", where=where, got=str(sorted(shapes)))
    if not synapse.adds_sources and any(graph[source].message_bits for source in synapse.sources):
        raise GraphError("only spikes can be multiplied", where=where, got="sources of graded messages",
                         allowed="sources that send spikes", fix="put a population of neurons between them")
    if max(index[source] for source in synapse.sources) >= index[synapse.target]:
        raise GraphError("a synapse must run forward", where=where, fix="recurrent synapses are not supported")
    source_shape = shapes.pop()
    try:
        shape = synapse.output_shape(source_shape, target.shape)
    except ValueError as error:
        raise GraphError(f"a synapse does not fit its ends: {error}", where=where,
                         got=f"{source_shape} -> {target.shape}") from None
    if tuple(shape) != tuple(target.shape):
        raise GraphError("a synapse does not fit its ends", where=where,
                         got=f"{source_shape} gives {tuple(shape)}, the target has {tuple(target.shape)}")
    _integers(synapse.weight, WEIGHT_MIN, WEIGHT_MAX, "weights", where)
    if synapse.delay is not None:
        if synapse.delay.shape not in ((synapse.weight.shape[1],), synapse.weight.shape):
            raise GraphError("delays must be per input or per synapse", where=where, got=str(synapse.delay.shape))
        _integers(synapse.delay, 0, DELAY_MAX, "delays", where)
