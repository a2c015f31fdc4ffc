"""Chooses how the delays of each synapse of a streamed graph are made: for the fewest cores, or the least time.

What a realisation takes depends on the others: a neuron has accumulators for the longest wait of all its synapses, and
readers share the relays behind a population. So the choice begins with the realisation that is best for all synapses
alike, and changes one synapse after the other while that makes the sum of all populations smaller. The candidates that
are left are packed, and the best packing counts. Placing for time, which packs again and again, has two candidates:
what the search finds for time, and what it finds for cores.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from mksgn.ir.graph import Graph
from mksgn.ir.synapses import Synapse
from mksgn.mapping.boards import Board
from mksgn.mapping.delays import Delays, Realisation
from mksgn.mapping.layer import Layer
from mksgn.mapping.packing import Known, Objective, Packing, cuts_of, limits_of, pack, repacked
from mksgn.mapping.strands import Choice, Timing, wire
from mksgn.mapping.wiring import Activity, Wiring

_SWEEPS = 4
"""Times that every synapse is looked at again, at most."""
_CLOSE = 1.25
"""A realisation for all synapses alike is packed where its estimate is at most so many times the best one."""
_TIE = 1e-9
"""A choice that is better by a smaller share is no better."""


@dataclass(frozen=True)
class Chosen:
    """How the delays of a synapse are made.

    Parameters
    ----------
    synapse, target : str
    sources : tuple of str
    waits : (shortest, longest)
        Steps beyond the hop.
    taps : int
        Parts with a wait of their own.
    realisation : Realisation
    accumulators : int
        Of each neuron of the target, for all its synapses; 0: none beside its state.
    relays : int
        Relay neurons behind the sources that this synapse reads; readers share them.
    takes : dict of Realisation to float
        What each allowed realisation would take, everything else being as it is: ``unit``.
    unit : 'cores' or 'ms'
        Shares of cores; or, when placing for time, milliseconds of work over all cores and a sample.
    """

    synapse: str
    target: str
    sources: tuple[str, ...]
    waits: tuple[int, int]
    taps: int
    realisation: Realisation
    accumulators: int
    relays: int
    takes: dict[str, float]
    unit: str


Placed = tuple[Wiring, Packing, tuple[Chosen, ...]]


def choose(stream: Graph, board: Board, activity: Activity, objective: Objective, delays: Delays) -> Placed:
    """A streamed graph on a board: its wiring, its packing, and what was chosen for each synapse that waits.

    Parameters
    ----------
    stream : Graph
    board : Board
    activity : mapping of population to float64 ndarray (C, 1, V)
    objective : 'cores', 'time' or 'lava'
        With 'lava' delays are made as for the fewest cores.
    delays : Delays
    """
    found = _Choosing(Timing(stream), board, activity, objective, delays).best()
    if delays.bits == 0 and objective == "cores":
        # What fits where delays take memory fits where they take none; a search alone need not find it.
        wiring, packing, made = _Choosing(Timing(stream), board, activity, objective, replace(delays, bits=None)).best()
        if packing.cores < found[1].cores:
            free = replace(wiring, delays=delays)
            assert stream.time_steps is not None
            return free, repacked(free, board, free.activity(activity), stream.time_steps, packing), made
    return found


class _Choosing:
    """The search for one graph, board, objective and price."""

    def __init__(self, timing: Timing, board: Board, activity: Activity, objective: Objective, delays: Delays):
        self.timing, self.board, self.activity = timing, board, activity
        self.objective, self.delays = objective, delays
        self.aim = "time" if objective == "time" else "cores"
        assert timing.stream.time_steps is not None
        self.steps = timing.stream.time_steps
        self.synapses = {s.name: s for s in timing.stream.synapses if s.name in timing.late}
        self.known: Known = {}
        self.taken: dict[tuple, tuple[float, float]] = {}

    def best(self) -> Placed:
        """The best of all candidates."""
        packed = [(choice, wiring, pack(wiring, self.board, wiring.activity(self.activity), self.steps, self.objective,
                                        self.known)) for choice, wiring in self._candidates()]
        choice, wiring, packing = min(packed, key=lambda each: self._merit(each[2]))
        return wiring, packing, tuple(self._chosen(choice, wiring, synapse) for synapse in self.synapses.values())

    def _merit(self, packing: Packing) -> tuple[float, ...]:
        if self.aim == "cores":
            return (packing.cores, packing.busiest)
        return (max(packing.cores - self.board.cores, 0), packing.busiest, packing.cores)

    def _candidates(self) -> Iterator[tuple[Choice, Wiring]]:
        alike = [dict.fromkeys(self.synapses, how) for how in self.delays.allowed]
        seen: list[Choice] = []
        for objective in ("cores",) if self.aim == "cores" else ("time", "cores"):
            totals = [self._total(choice, objective) for choice in alike]
            start = alike[int(np.argmin(totals))]
            least = min(totals) * _CLOSE
            near = [choice for choice, total in zip(alike, totals) if total <= least and self.aim == "cores"]
            for choice in (self._descend(start, objective), *near):
                if choice not in seen:
                    seen.append(choice)
                    yield choice, self._wire(choice)

    def _wire(self, choice: Choice, only: str | None = None) -> Wiring:
        return wire(self.timing, choice, self.delays, self.board.delay_steps, only)

    # -------------------------------------------------------------------------------------- one after the other
    def _descend(self, start: Choice, objective: str) -> Choice:
        choice = dict(start)
        for _ in range(_SWEEPS):
            before = dict(choice)
            for name, synapse in self.synapses.items():
                takes = self._takes(choice, synapse, objective)
                best = min(takes, key=lambda how: takes[how])
                if takes[best] < takes[choice[name]] * (1 - _TIE):
                    choice[name] = best
            if choice == before:
                break
        return choice

    def _takes(self, choice: Choice, synapse: Synapse, objective: str) -> dict[Realisation, float]:
        """What the target of a synapse and the relays behind its sources take together, for each realisation."""
        return {how: self._total({**choice, synapse.name: how}, objective, synapse.target)
                for how in self.delays.allowed}

    def _total(self, choice: Choice, objective: str, only: str | None = None) -> float:
        wiring = self._wire(choice, only)
        sent = wiring.activity(self.activity)
        column = 0 if objective == "cores" else 1
        return sum(self._take(Layer(wiring, population, self.board, sent, self.steps))[column]
                   for population in wiring.populations if wiring.into(population.name))

    def _take(self, layer: Layer) -> tuple[float, float]:
        """Share of cores, and nanoseconds of work per sample, of a population cut into its fewest boxes.

        Its share has the axons that its sources need for it. Its work leaves out synaptic operations and the neurons of
        the graph, which are the same in every way.
        """
        if layer.key not in self.taken:
            cut = cuts_of(layer, np.inf, self.known).fewest_first[0]
            usage, limits = layer.usage(cut.grid), limits_of(self.board)
            axons = cut.cells * sum(layer.source(s)[2] if layer.rules(s).conv_axons == "population"
                                    else int(np.prod(layer.source(s))) for s in layer.leading)
            words = limits.get("core_words", limits.get("out_axons", 1))
            shares = np.max([usage[name] / limit for name, limit in limits.items() if name in usage], axis=0)
            relay = layer.population.size * (layer.population.name in layer.wiring.repeats)
            work = self.board.update_ns * self.steps * relay + self.board.message_ns * layer.messages(cut.grid).sum()
            self.taken[layer.key] = float(shares.sum()) + axons / words, float(work)
        return self.taken[layer.key]

    # -------------------------------------------------------------------------------------- what is told
    def _chosen(self, choice: Choice, wiring: Wiring, synapse: Synapse) -> Chosen:
        waits = [wait for tap in self.timing.taps[synapse.name] for wait in tap.waits]
        takes = self._takes(choice, synapse, self.aim)
        scale, unit = (1.0, "cores") if self.aim == "cores" else (1e-6, "ms")
        relays = self._wire(choice, synapse.target)
        own = {name for s in relays.synapses if relays.strands[s.name].synapse == synapse.name for name in s.sources}
        behind: set[str] = set()
        for name in own & relays.repeats.keys():
            while name in relays.repeats:
                behind.add(name)
                name = relays.into(name)[0].sources[0]
        return Chosen(synapse.name, synapse.target, synapse.sources, (min(waits), max(waits)),
                      len(self.timing.taps[synapse.name]), choice[synapse.name], wiring.accumulators(synapse.target),
                      sum(relays[name].size for name in behind), {how: takes[how] * scale for how in takes}, unit)
