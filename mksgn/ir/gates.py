r"""A streamed graph whose neurons never rest, as those of a chip and of stock Lava do not.

Between its frames a population that works at every step sends what its biases, and messages of other steps, make it
send. That harms in one place only: where a temporal kernel reads beyond the border of a clip, at which zero padding
means that no neuron exists. (Between the frames of a clip nobody reads: all taps wait for whole intervals.) There the
reader gets a *gate* in between, a neuron for each neuron, which spikes when the neuron does and a clock allows it:

.. math:: s_{gate} = s \wedge s_{clock}, \qquad s_{clock}[t] = (t < L)

with L the steps of a clip in the population's own time. The clock is two neurons. ``count`` has a bias of 2, keeps its
voltage, and spikes at step L for the first time. ``open`` spikes at every step on its bias, until that spike's current,
which it all but keeps, holds it down. Both start anew with each clip. A gate costs a hop.

Neurons reset at every interval of their lattice, so that each frame begins at rest, as it does where they rest.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mksgn.errors import GraphError
from mksgn.ir.graph import Cuba, Graph, Population
from mksgn.ir.lattice import Lattice
from mksgn.ir.relays import UNIT, passing
from mksgn.ir.schedule import schedule
from mksgn.ir.streaming import lattice_of
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
        Streamed (:func:`mksgn.ir.streaming.streamed`).

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
    depth = schedule(graph).depth
    shut = {synapse.name: [name for name in synapse.sources if _reads_beyond(graph, synapse, name)]
            for synapse in graph.synapses}
    needed = {name for names in shut.values() for name in names}
    clocks: dict[str, tuple[Population, ...]] = {}
    populations: list[Population] = [graph.input]
    synapses = [replace(synapse, sources=tuple(gate_name(name) if name in shut[synapse.name] else name
                                               for name in synapse.sources)) for synapse in graph.synapses]
    for population in graph.populations[1:]:
        populations.append(replace(population, lattice=_restless(population, steps)))
        if population.name not in needed:
            continue
        driver = _driver(graph, population, depth)
        window = lattice_of(population).end
        clock = f"clock {driver.name} {window}"
        if clock not in clocks:
            clocks[clock] = _clock(clock, window, steps)
            populations += clocks[clock]
            synapses += _clock_synapses(clock, driver)
        gate = gate_name(population.name)
        populations.append(Population(gate, population.shape, BOTH, lattice=Lattice(steps, steps, 1)))
        synapses += [passing(f"{gate}/spikes", population.name, gate, population.shape[0]),
                     Dense(f"{gate}/clock", (f"{clock}/open",), gate, np.full((population.size, 1), UNIT, np.int16))]
    return Graph(tuple(populations), tuple(synapses), steps, dict(graph.meta))


def gate_name(population: str) -> str:
    """The name of a population's gate."""
    return f"{population}/gate"


def _reads_beyond(graph: Graph, synapse: Synapse, source: str) -> bool:
    """Whether ``synapse`` reads ``source`` where it has no frame. The host answers for the input: it sends nothing."""
    if graph[source].role == "input":
        return False
    own, target = lattice_of(graph[source]), lattice_of(graph[synapse.target])
    return any(own.frame(frame * target.interval - delay) is None
               for delay, _ in synapse.by_delay() for frame in range(target.frames))


def _restless(population: Population, steps: int) -> Lattice:
    lattice = lattice_of(population)
    interval = steps if lattice.frames == 1 else lattice.interval
    if steps % interval:
        raise GraphError("neurons that reset at every interval need clips of whole intervals",
                         where=f"population {population.name!r}", got=f"{steps} steps, interval {interval}",
                         fix="stream the graph of the clip with mksgn.ir.streaming.streamed")
    return Lattice(interval, interval, steps // interval)


def _driver(graph: Graph, population: Population, depth: dict[str, int]) -> Population:
    """Where a clock hangs: the last population, two hops before ``population`` or more, that it depends on.

    No weight connects them. But a population's synapses say when it sees its clip, and the clock's spikes should not
    have to wait.
    """
    before = {population.name}
    for each in reversed(graph.populations):
        if each.name in before:
            before.update(source for synapse in graph.into(each.name) for source in synapse.sources)
    early = [p for p in graph.populations if p.name in before and depth[p.name] <= depth[population.name] - 2]
    return max(early, key=lambda p: depth[p.name], default=graph.input)


def _clock(name: str, window: int, steps: int) -> tuple[Population, ...]:
    always, two = Lattice(steps, steps, 1), np.array([2])
    return (Population(f"{name}/count", (1, 1, 1), Cuba(2 * window, 4096, 0), two, lattice=always),
            Population(f"{name}/open", (1, 1, 1), _OPEN, two, lattice=always))


def _clock_synapses(name: str, driver: Population) -> list[Synapse]:
    nothing = np.zeros((1, 1, driver.shape[0]), np.int16)
    return [GraphConv(f"{name}/start", (driver.name,), f"{name}/count", nothing, edges=np.zeros((1, 2), np.int64)),
            Dense(f"{name}/shut", (f"{name}/count",), f"{name}/open", np.array([[_SHUT]], np.int16))]
