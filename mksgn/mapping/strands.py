"""From a streamed graph to plain synapses: each delay made in the way that was chosen for its synapse.

A message of source q waits ``wait + delay`` steps for a tap (:mod:`mksgn.ir.schedule`, ``by_delay``). A relay that
stands n steps behind q takes n of them: the hop to it is one step, and a message may wait ``delay_steps`` more in its
accumulators. Nothing runs in this form; the mapper alone reads it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from mksgn.ir.bounds import input_bound
from mksgn.ir.graph import Graph, Population
from mksgn.ir.relays import RELAY, passing
from mksgn.ir.schedule import schedule
from mksgn.ir.synapses import Synapse
from mksgn.mapping.delays import HOST, Delays, Realisation
from mksgn.mapping.wiring import Strand, Wiring

Choice = Mapping[str, Realisation]
"""How the delays of each synapse that has some are made, by name."""


@dataclass(frozen=True, eq=False)
class Tap:
    """A part of a synapse: plain, and what its messages wait for.

    Parameters
    ----------
    synapse : Synapse
        Without delays.
    waits : tuple of int
        Steps beyond the hop, for each of its sources.
    """

    synapse: Synapse
    waits: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Timing:
    """What waits for how long in a streamed graph.

    Parameters
    ----------
    stream : Graph
    """

    stream: Graph

    @cached_property
    def taps(self) -> dict[str, list[Tap]]:
        """The parts of every synapse, those with the shortest waits first."""
        wait = schedule(self.stream).wait
        found = {}
        for synapse in self.stream.synapses:
            parts = [Tap(part, tuple(wait[synapse.name, source] + delay for source in synapse.sources))
                     for delay, part in synapse.by_delay()]
            found[synapse.name] = sorted(parts, key=lambda tap: tap.waits)
        return found

    @cached_property
    def plain(self) -> dict[str, Population]:
        """The populations without lattices, by name."""
        return {population.name: replace(population, lattice=None) for population in self.stream.populations}

    @cached_property
    def late(self) -> tuple[str, ...]:
        """Synapses with something that waits on the chip. What the input sends waits in the host."""
        def waits(tap: Tap) -> bool:
            return any(wait for name, wait in zip(tap.synapse.sources, tap.waits) if name != self.stream.input.name)
        return tuple(s.name for s in self.stream.synapses if any(map(waits, self.taps[s.name])))

    @cached_property
    def bounds(self) -> dict[str, int]:
        """No input that a neuron gets in one step exceeds this in absolute value: by population."""
        found = {population.name: 0 for population in self.stream.populations}
        for synapse in self.stream.synapses:
            found[synapse.target] += input_bound(self.stream, synapse)
        return found

    @cached_property
    def readers(self) -> dict[str, tuple[str, ...]]:
        """The late synapses that read each population."""
        found: dict[str, tuple[str, ...]] = {}
        for synapse in self.stream.synapses:
            if synapse.name in self.late:
                found |= {source: (*found.get(source, ()), synapse.name) for source in synapse.sources}
        return found


def wire(timing: Timing, choice: Choice, delays: Delays, reach: int, only: str | None = None) -> Wiring:
    """The populations and plain synapses that make all delays.

    Parameters
    ----------
    timing : Timing
    choice : mapping of synapse to Realisation
        For all of ``timing.late``.
    delays : Delays
    reach : int
        Longest wait in the accumulators of a neuron: ``delay_steps`` of a board.
    only : str, optional
        A population: leave out all synapses but those into it, and all relays that these do not read.
    """
    stream = timing.stream
    wanted = stream.synapses if only is None else stream.into(only)
    sources = {source for synapse in wanted for source in synapse.sources}
    chains = {source: _chains(timing, choice, reach, source) for source in timing.readers if source in sources}
    populations: list[Population] = []
    synapses: list[Synapse] = []
    strands: dict[str, Strand] = {}
    repeats: dict[str, str] = {}
    behind: dict[str, int] = {}
    for population in stream.populations:
        populations.append(timing.plain[population.name])
        for chain in chains.get(population.name, ()):
            for relay, synapse, strand, steps in chain.relays(population):
                populations.append(relay)
                behind[relay.name] = steps
                synapses.append(synapse)
                strands[synapse.name] = strand
                repeats[relay.name] = population.name
    for synapse in wanted:
        for number, (part, strand) in enumerate(_strands(timing, synapse, choice.get(synapse.name), reach)):
            name = synapse.name if number == 0 else f"{synapse.name}#{number}"
            synapses.append(replace(part, name=name))
            strands[name] = strand
    return Wiring(stream, tuple(populations), tuple(synapses), strands, repeats, behind, delays, timing.bounds)


# ------------------------------------------------------------------------------------------ relays
@dataclass(frozen=True)
class _Chain:
    """Relays behind a population, one after the other.

    Parameters
    ----------
    way : str
        What they are for; two chains of a population differ in it.
    stops : tuple of int
        Where relays stand, in steps behind the population; or, of registers, 1, 2, ...
    waits : bool
        A message may wait in the accumulators of a relay; else every relay is a step, or a clock lets it go.
    """

    way: str
    stops: tuple[int, ...]
    waits: bool

    def relays(self, source: Population) -> Iterator[tuple[Population, Synapse, Strand, int]]:
        """Each relay, with the synapse that leads to it, and the steps by which it is behind the source."""
        before, last = source.name, 0
        channels = source.shape[0]
        for stop in self.stops:
            name = _relay(source.name, self.way, stop)
            held = stop - last - 1 if self.waits else 0
            yield (Population(name, source.shape, RELAY), passing(name, before, name, channels),
                   Strand("", "", (held,), held, held > 0),
                   _clocked(source, int(self.way[1:-1]), stop) if self.way.startswith("@") else stop)
            before, last = name, stop


def _clocked(source: Population, phase: int, register: int) -> int:
    """Steps by which a register is behind its source: the first ones by up to a phase, then a frame after the other."""
    interval, length = (source.lattice.interval, source.lattice.length) if source.lattice else (1, 1)
    frames, within = divmod(register - min(phase, length), length)
    return register if frames < 0 else frames * interval + phase + within


def _relay(source: str, way: str, stop: int) -> str:
    return f"{source}{way}{stop}"


def _chains(timing: Timing, choice: Choice, reach: int, source: str) -> list[_Chain]:
    """The chains behind a population that its readers need; all readers share them."""
    stops: dict[str, set[int]] = {}
    for synapse in timing.readers.get(source, ()):
        for tap in timing.taps[synapse]:
            wait = tap.waits[tap.synapse.sources.index(source)]
            way, stop, _ = _stop(timing.stream[source], choice[synapse], wait, reach)
            if stop:
                stops.setdefault(way, set()).add(stop)
    return [_Chain(way, tuple(_filled(sorted(wanted), reach + 1)), True) if way in ("+", "&")
            else _Chain(way, tuple(range(1, max(wanted) + 1)), False) for way, wanted in sorted(stops.items())]


def _filled(stops: list[int], most: int) -> Iterator[int]:
    """``stops`` and, where two lie more than ``most`` steps apart, stops between them."""
    last = 0
    for stop in stops:
        while stop - last > most:
            last += most
            yield last
        yield stop
        last = stop


def _stop(source: Population, how: Realisation, wait: int, reach: int) -> tuple[str, int, int]:
    """Which chain of ``source`` a message passes, at which stop it leaves it (0: no chain), and what it waits then."""
    if wait == 0 or source.role == "input":  # the host sends an input when it is due
        return "", 0, wait
    if how == "relays":
        return "+", wait, 0
    if how == "shift":
        return ">", wait, 0
    if how == "registers":
        interval, length = (source.lattice.interval, source.lattice.length) if source.lattice else (1, 1)
        frames, rest = divmod(wait, interval)
        return f"@{rest}.", frames * length + min(rest, length), 0
    # In place. What is longer than a neuron can hold passes relays that hold it as long as they can.
    hops, rest = divmod(wait, reach + 1)
    return "&", hops * (reach + 1), rest


# ------------------------------------------------------------------------------------------ synapses
def _strands(timing: Timing, synapse: Synapse, how: Realisation | None,
             reach: int) -> Iterator[tuple[Synapse, Strand]]:
    """The plain synapses that a synapse becomes; those of a list hang on one message."""
    taps = timing.taps[synapse.name]
    if how is None:  # nothing waits, or the host sends it again
        for tap in taps:
            yield tap.synapse, Strand(synapse.name, HOST if any(tap.waits) else "", tap.waits)
        return
    found = []
    for tap in taps:
        stops = [_stop(timing.stream[name], how, wait, reach) for name, wait in zip(tap.synapse.sources, tap.waits)]
        sources = tuple(_relay(name, way, stop) if stop else name
                        for name, (way, stop, _) in zip(tap.synapse.sources, stops))
        found.append((replace(tap.synapse, sources=sources), tuple(rest for *_, rest in stops)))
    if how == "lists":
        yield from _lists(synapse.name, found, timing.stream.input.name)
        return
    for part, rests in found:
        held = max((rest for name, rest in zip(part.sources, rests) if name != timing.stream.input.name), default=0)
        yield part, Strand(synapse.name, how, rests, held)


def _lists(name: str, parts: list[tuple[Synapse, tuple[int, ...]]],
           host: str) -> Iterator[tuple[Synapse, Strand]]:
    """Entries with delays: sources share a list where they wait alike, and taps hang on one message."""
    groups: dict[tuple[str, ...], list[tuple[Synapse, int]]] = {}
    for part, rests in parts:
        for wait, from_host in sorted({(rest, source == host) for source, rest in zip(part.sources, rests)}):
            sources = tuple(source for source, rest in zip(part.sources, rests)
                            if (rest, source == host) == (wait, from_host))
            groups.setdefault(sources, []).append((replace(part, sources=sources), wait))
    for sources, taps in groups.items():
        longest = max(wait for _, wait in taps)
        for number, (part, wait) in enumerate(taps):
            if host in sources:
                yield part, Strand(name, HOST, (wait,))
            else:
                yield part, Strand(name, "lists", (wait,) * len(sources), longest, True, number == 0)
