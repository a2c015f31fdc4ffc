"""What is placed: the populations and plain synapses that a graph becomes once its delays are made of something.

A graph without lattices is placed as it is. A streamed one (:mod:`mksgn.ir.streaming`) has synapses whose messages
wait. Such a synapse becomes *strands*: plain synapses, one for each delay, between the populations themselves or behind
relay populations that make the delay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from mksgn.ir.endless import steps_to_answer
from mksgn.ir.graph import Graph, Population
from mksgn.ir.schedule import schedule
from mksgn.ir.streamed_clips import is_endless
from mksgn.ir.synapses import Shape, Synapse
from mksgn.mapping.boards import Board
from mksgn.mapping.delays import Delays

Activity = Mapping[str, np.ndarray]
_GATE_BITS = 8
"""Of the weight by which a clock holds a neuron down."""


@dataclass(frozen=True)
class Strand:
    """How the messages of a placed synapse are delayed.

    Parameters
    ----------
    synapse : str
        Of the streamed graph; '' for one that leads to a relay.
    realisation : str
        Of :data:`mksgn.mapping.delays.REALISATIONS`, or 'host'; '' where nothing waits.
    waits : tuple of int
        Steps beyond the hop that messages of each source wait, once they have passed all relays.
    held : int
        Longest time, in steps, that a message of any strand of the list, or of this strand alone, waits in the
        accumulators of the neuron that it reaches.
    listed : bool
        No weights are shared.
    leads : bool
        It has axons of its own. The other strands of a list hang on those of the first.
    """

    synapse: str
    realisation: str
    waits: tuple[int, ...]
    held: int = 0
    listed: bool = False
    leads: bool = True

    def axon(self, source: int) -> int:
        """Steps that the axon of a source holds a message back: a message of its own for each delay."""
        return 0 if self.listed or not self.synapse else self.waits[source]

    def rules(self, board: Board) -> Board:
        """The rules of ``board`` for this synapse: what is stored once, and the bits of an entry."""
        if not self.listed:
            return board
        return replace(board, conv_weights="none", conv_axons="neuron",
                       synapse_overhead_bits=board.synapse_overhead_bits + self.held.bit_length())


@dataclass(frozen=True, eq=False)
class Wiring:
    """Populations and plain synapses to be placed, and how their delays are made.

    Parameters
    ----------
    stream : Graph
        What they are made of.
    populations : tuple of Population
        Without lattices; the first is the input. Relays stand behind the population that they repeat.
    synapses : tuple of Synapse
        Without delays.
    strands : dict of synapse to Strand
        Empty for a graph without lattices.
    repeats : dict of relay to population
    behind : dict of relay to int
        Steps by which it repeats it later.
    delays : Delays or None
    bounds : dict of population to int
        No input of a neuron in one step exceeds this: by population of the streamed graph.
    """

    stream: Graph
    populations: tuple[Population, ...]
    synapses: tuple[Synapse, ...]
    strands: Mapping[str, Strand] = field(default_factory=dict)
    repeats: Mapping[str, str] = field(default_factory=dict)
    behind: Mapping[str, int] = field(default_factory=dict)
    delays: Delays | None = None
    bounds: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def plain(cls, graph: Graph) -> Wiring:
        """A graph as it is: waits take nothing."""
        return cls(graph, graph.populations, graph.synapses)

    @cached_property
    def graph(self) -> Graph:
        """Populations and synapses as a graph, without steps of its own where delays have been made of something."""
        return Graph(self.populations, self.synapses, self.stream.time_steps) if self.strands else self.stream

    @cached_property
    def _into(self) -> dict[str, list[Synapse]]:
        found: dict[str, list[Synapse]] = {}
        for synapse in self.synapses:
            found.setdefault(synapse.target, []).append(synapse)
        return found

    @cached_property
    def _by_name(self) -> dict[str, Population]:
        return {population.name: population for population in self.populations}

    def __getitem__(self, name: str) -> Population:
        return self._by_name[name]

    def into(self, population: str) -> list[Synapse]:
        """Synapses that end at ``population``."""
        return self._into.get(population, [])

    def source(self, synapse: Synapse) -> Population:
        """The first of the sources of ``synapse``, which are alike."""
        return self._by_name[synapse.sources[0]]

    def shape(self, synapse: Synapse) -> Shape:
        """Of the sources of ``synapse``."""
        return self.source(synapse).shape

    def rules(self, synapse: str, board: Board) -> Board:
        """The rules of ``board`` for a synapse."""
        return self.strands[synapse].rules(board) if synapse in self.strands else board

    def leads(self, synapse: str) -> bool:
        """Whether a synapse has axons of its own."""
        return synapse not in self.strands or self.strands[synapse].leads

    def axon_delays(self, population: str) -> dict[int, list[Synapse]]:
        """Synapses that read ``population``, by the steps that its messages to them are held back."""
        found: dict[int, list[Synapse]] = {}
        for synapse in self.synapses:
            if population in synapse.sources:
                strand = self.strands.get(synapse.name)
                delay = strand.axon(synapse.sources.index(population)) if strand else 0
                found.setdefault(delay, []).append(synapse)
        return found

    # -------------------------------------------------------------------------------------- memory beside the synapses
    def accumulators(self, population: str) -> int:
        """Accumulators of a neuron of ``population`` for messages that wait in it; 0 where none waits."""
        held = max((self.strands[s.name].held for s in self.into(population) if s.name in self.strands), default=0)
        return held + 1 if held else 0

    def accumulator_words(self, population: str, sizes: np.ndarray, board: Board) -> np.ndarray:
        """Words that the accumulators of ``sizes`` neurons take: int64, in the shape of ``sizes``."""
        count = self.accumulators(population)
        if not count or self.delays is None:
            return np.zeros_like(sizes)
        return -(-sizes * count * self.width(population) // board.word_bits)

    def width(self, population: str) -> int:
        """Bits of an accumulator of ``population``."""
        assert self.delays is not None
        return self.delays.width(1 if population in self.repeats else self.bounds[population])

    def gate_words(self, population: str, sizes: np.ndarray, board: Board) -> np.ndarray:
        """Words of the list by which a clock reaches ``sizes`` neurons: int64, in the shape of ``sizes``."""
        if not self.rest_messages(population):
            return np.zeros_like(sizes)
        return -(-sizes * (_GATE_BITS + board.synapse_overhead_bits) // board.word_bits)

    def rest_messages(self, population: str) -> int:
        """Messages per sample by which a clock holds ``population`` down; 0 where its program counts steps."""
        if self.delays is None or not self.delays.clock or population in self.repeats:
            return 0
        return self.rest_steps(population)

    def rest_steps(self, population: str) -> int:
        """Steps of a sample at which the neurons of ``population`` rest; none for a relay."""
        lattice = None if population in self.repeats else self.stream[population].lattice
        if lattice is None or self.stream.time_steps is None:
            return 0
        return self.stream.time_steps - lattice.steps_at_work

    # -------------------------------------------------------------------------------------- what is sent
    def activity(self, activity: Activity) -> dict[str, np.ndarray]:
        """Messages of every population, relays included: they send what they repeat."""
        return {population.name: activity[self.repeats.get(population.name, population.name)]
                for population in self.populations}

    @property
    def latency_steps(self) -> int | None:
        """Steps from the first input of a sample to its answer, for a streamed graph; of a frame, where it is endless.

        The answer is there when the output has worked on its last frame.
        """
        lattice = self.stream.output.lattice
        if lattice is None:
            return None
        if is_endless(self.stream):
            return steps_to_answer(self.stream)
        assert self.stream.time_steps is not None
        return max(schedule(self.stream).latency + lattice.end, self.stream.time_steps)
