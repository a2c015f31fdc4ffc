r"""A streamed graph whose neurons never rest, as those of a chip and of stock Lava do not.

Between its frames a population that works at every step sends what its biases, and messages of other steps, make it
send. That harms in one place only: where a temporal kernel reads beyond the border of a clip, at which zero padding
means that no neuron exists. (Between the frames of a clip nobody reads: all taps wait for whole intervals.) There the
reader gets a *gate* in between, a neuron for each neuron, which spikes when the neuron does and a clock allows it:

.. math:: s_{gate} = s \wedge s_{clock}, \qquad s_{clock}[t] = (t < L)

with L the steps of a clip in the population's own time. The clock is two neurons. ``count`` has a bias of 2, keeps its
voltage, and spikes at step L for the first time. ``open`` spikes at every step on its bias, until that spike's current,
which it all but keeps, holds it down. Both start anew with each clip. A gate costs a hop.

Neurons reset at every interval of their lattice, so that each frame begins at rest, as it does where they rest. Those
that carry their states reset with each clip.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mksgn.errors import GraphError
from mksgn.ir.graph import Cuba, Graph, Population
from mksgn.ir.lattice import Lattice
from mksgn.ir.relays import UNIT, passing
from mksgn.ir.schedule import Schedule, schedule
from mksgn.ir.streamed_clips import is_endless, lattice_of
from mksgn.ir.synapses import Dense, GraphConv, Synapse

BOTH = Cuba(UNIT + UNIT // 2, 4096, 4096)
"""Spikes when two inputs of weight :data:`~mksgn.ir.relays.UNIT` do, and forgets all in each step."""
_OPEN = Cuba(1, 1, 4096)
_SHUT = -254


def gated(graph: Graph) -> Graph:
    """``graph``, with gates and clocks, and without rest: its populations work at every step.

    Parameters
    ----------
    graph : Graph
        Streamed (:func:`mksgn.ir.streaming.streamed`). A stream without ends has no borders, and needs no gates.

    Returns
    -------
    Graph
        The populations of ``graph`` have their names and shapes; at the steps of their frames their spikes, u and v are
        the same. At other steps they are not. The input still sends nothing there.

    Raises
    ------
    GraphError
        When the graph is not streamed, or the steps of a clip are no multiple of a population's interval.
    """
    steps = graph.time_steps
    assert steps is not None
    if is_endless(graph):
        return replace(graph, populations=tuple(p if p.role == "input" else replace(p, lattice=_always(p, steps))
                                                for p in graph.populations))
    shut = {synapse.name: [name for name in synapse.sources if _reads_beyond(graph, synapse, name)]
            for synapse in graph.synapses}
    times = schedule(graph)
    populations: dict[str, Population] = {}
    synapses: dict[str, Synapse] = {
        synapse.name: replace(synapse, sources=tuple(gate_name(name) if name in shut[synapse.name] else name
                                                     for name in synapse.sources)) for synapse in graph.synapses}
    for population in graph.populations:
        # A gate comes as late as its first reader allows: there its source has waited.
        for source in [name for synapse in graph.into(population.name) for name in shut[synapse.name]]:
            if gate_name(source) not in populations:
                readers = [synapse for synapse in graph.synapses if source in shut[synapse.name]]
                own, between = _gate(graph, times, source, readers, population.name)
                populations |= {each.name: each for each in own}
                synapses |= {each.name: each for each in between}
        populations[population.name] = population if population.role == "input" else replace(
            population, lattice=_restless(population, steps))
    return Graph(tuple(populations.values()), tuple(synapses.values()), steps, dict(graph.meta))


def gate_name(population: str) -> str:
    """The name of a population's gate."""
    return f"{population}/gate"


def _reads_beyond(graph: Graph, synapse: Synapse, source: str) -> bool:
    """Whether ``synapse`` reads ``source`` where it has no frame. The host answers for the input: it sends nothing."""
    if graph[source].role == "input":
        return False
    own, target = lattice_of(graph[source]), lattice_of(graph[synapse.target])
    return any(own.frame(frame * target.interval - delay) is None
               for delay, _ in synapse.by_delay() for frame in range(target.sample_frames))


def _always(population: Population, steps: int) -> Lattice:
    """The lattice of a population of a stream without ends that works at every step."""
    carried = _carries_without_rest(population)
    return Lattice(steps, steps, None, carried)


def _carries_without_rest(population: Population) -> bool:
    """Whether states are carried, with nothing in between that neurons without rest would do to them."""
    lattice = lattice_of(population)
    if lattice.carried and lattice.frames != 1 and lattice.length < lattice.interval:
        raise GraphError("neurons that never rest cannot keep their states between two frames",
                         where=f"population {population.name!r}",
                         got=f"frames of {lattice.length} steps every {lattice.interval}",
                         allowed="frames that follow each other without rest",
                         fix="run it in Lava's layouts 'blocks' or 'layers', or in the emulator")
    return lattice.carried


def _restless(population: Population, steps: int) -> Lattice:
    lattice = lattice_of(population)
    interval = steps if lattice.frames == 1 or _carries_without_rest(population) else lattice.interval
    if steps % interval:
        raise GraphError("neurons that reset at every interval need clips of whole intervals",
                         where=f"population {population.name!r}", got=f"{steps} steps, interval {interval}",
                         fix="stream the graph of the clip with mksgn.ir.streaming.streamed")
    return Lattice(interval, interval, steps // interval)


def _gate(graph: Graph, times: Schedule, source: str, readers: list[Synapse],
          first: str) -> tuple[list[Population], list[Synapse]]:
    """The gate of ``source`` and its clock, which others may share, and the synapses into them.

    ``first`` is the population that needs them first.
    """
    population, steps = graph[source], graph.time_steps
    assert steps is not None
    slack = min(times.wait[synapse.name, source] - synapse.reads_ahead for synapse in readers)
    driver = _driver(graph, times.depth, first, times.depth[source] + slack - 2)
    window = lattice_of(population).end
    clock, gate = f"clock {driver.name} {window}", gate_name(source)
    both = Population(gate, population.shape, BOTH, lattice=Lattice(steps, steps, 1))
    spikes = passing(f"{gate}/spikes", source, gate, population.shape[0])
    allowed = Dense(f"{gate}/clock", (f"{clock}/open",), gate, np.full((population.size, 1), UNIT, np.int16))
    return [*_clock(clock, window, steps), both], [*_clock_synapses(clock, driver), spikes, allowed]


def _driver(graph: Graph, depth: dict[str, int], target: str, latest: int) -> Population:
    """Where a clock hangs: the last population that ``target`` depends on, no later than ``latest``; else the first.

    No weight connects them. But a population's synapses say when it sees its clip, and the clock's spikes should not
    have to wait. It does not hang on the input: a chip takes messages in for convolutions or for other synapses.
    """
    before = {target}
    for each in reversed(graph.populations):
        if each.name in before:
            before.update(source for synapse in graph.into(each.name) for source in synapse.sources)
    found = [p for p in graph.populations[1:] if p.name in before - {target}]
    early = [p for p in found if depth[p.name] <= latest]
    return max(early or [min(found, key=lambda p: depth[p.name])], key=lambda p: depth[p.name])


def _clock(name: str, window: int, steps: int) -> tuple[Population, ...]:
    always, two = Lattice(steps, steps, 1), np.array([2])
    return (Population(f"{name}/count", (1, 1, 1), Cuba(2 * window, 4096, 0), two, lattice=always),
            Population(f"{name}/open", (1, 1, 1), _OPEN, two, lattice=always))


def _clock_synapses(name: str, driver: Population) -> list[Synapse]:
    nothing = np.zeros((1, 1, driver.shape[0]), np.int16)
    return [GraphConv(f"{name}/start", (driver.name,), f"{name}/count", nothing, edges=np.zeros((1, 2), np.int64)),
            Dense(f"{name}/shut", (f"{name}/count",), f"{name}/open", np.array([[_SHUT]], np.int16))]
