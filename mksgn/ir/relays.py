r"""Delays as chains of relay neurons: what a machine without delays in front of shared weights needs.

A tap in time reads its source some steps late. Here the source's spikes pass through a chain of relays, a neuron for
each neuron and each stage, and every tap becomes a convolution of its own, of one tap, that reads the stage at which
the spikes are as late as it needs them. Taps that need the same lateness share a stage. From one stage to the next the
spikes wait in a synapse, for at most ``reach`` steps beyond the hop; longer ways take more stages.

Stage i, w_i steps behind its source in wall time, has a depth of i beyond it: in its own time it is w_i - i steps late.
"""

from __future__ import annotations

from dataclasses import replace

from mksgn.ir.gates import UNIT, passing
from mksgn.ir.graph import DELAY_MAX, Cuba, Graph, Population
from mksgn.ir.lattice import Lattice
from mksgn.ir.synapses import Conv, Synapse

RELAY = Cuba(UNIT // 2, 4096, 4096)
"""Spikes exactly when its one input does, and forgets all in each step."""


def relayed(graph: Graph, reach: int = DELAY_MAX) -> Graph:
    """``graph``, with relays in place of taps in time.

    Parameters
    ----------
    graph : Graph
        Streamed. Taps of the input stay as they are: the host can send a message as late as it is needed.
    reach : int
        Most steps, beyond the hop, that spikes wait in a synapse from stage to stage: 0 for plain shift registers.

    Returns
    -------
    Graph
        The populations of ``graph`` as they are, their depths included, and relays.
    """
    stages = _stages(graph, reach)
    steps = graph.time_steps
    assert steps is not None
    populations: list[Population] = []
    synapses: list[Synapse] = []
    for population in graph.populations:
        populations.append(population)
        before, late = population.name, 0
        for stage in stages.get(population.name, [])[1:]:
            relay, wait = f"{population.name}+{stage}", stage - late - 1
            populations.append(Population(relay, population.shape, RELAY, lattice=Lattice(steps, steps, 1)))
            synapses.append(_late(passing(f"{relay}/relay", before, relay, population.shape[0]), wait))
            before, late = relay, stage
    for synapse in graph.synapses:
        synapses += _taps(graph, synapse, stages)
    return Graph(tuple(populations), tuple(synapses), steps, dict(graph.meta))


def is_relay(synapse: Synapse) -> bool:
    """Whether ``synapse`` only passes each neuron's spikes on to its counterpart."""
    return isinstance(synapse, Conv) and len(synapse.sources) == 1 and synapse.groups == len(synapse.weight) \
        and synapse.weight.shape[1:] == (1, 1, 1) and bool((synapse.weight == UNIT).all())


def _read_by_stages(graph: Graph, synapse: Synapse) -> list[str]:
    """Sources that ``synapse`` reads through relays."""
    if not isinstance(synapse, Conv) or not synapse.delayed:
        return []
    return [name for name in synapse.sources if graph[name].role != "input"]


def _stages(graph: Graph, reach: int) -> dict[str, list[int]]:
    """How many steps late the stages of each source are; 0, the source itself, comes first."""
    wanted: dict[str, set[int]] = {}
    for synapse in graph.synapses:
        for name in _read_by_stages(graph, synapse):
            wanted.setdefault(name, {0}).update(synapse.reads_ahead + delay for delay, _ in synapse.by_delay())
    found = {}
    for name, late in wanted.items():
        found[name] = [0]
        for each in sorted(late - {0}):
            found[name] += [*range(found[name][-1] + reach + 1, each, reach + 1), each]
    return found


def _taps(graph: Graph, synapse: Synapse, stages: dict[str, list[int]]) -> list[Synapse]:
    """``synapse`` as convolutions of one tap, each of which reads one stage of one source."""
    relayed_sources = _read_by_stages(graph, synapse)
    if not isinstance(synapse, Conv) or not relayed_sources:
        return [synapse]
    left = tuple(name for name in synapse.sources if name not in relayed_sources)
    found: list[Synapse] = [replace(synapse, sources=left)] if left else []
    for delay, tap in synapse.by_delay():
        late = synapse.reads_ahead + delay
        for name in relayed_sources:
            stage = stages[name].index(late)
            read = replace(tap, name=f"{synapse.name}/{name}+{late}", sources=(f"{name}+{late}" if late else name,))
            found.append(_late(read, stage - synapse.reads_ahead))
    return found


def _late(synapse: Conv, delay: int) -> Conv:
    """``synapse``, of one tap along the frames, with a delay in the populations' own time, which may be below 0."""
    return replace(synapse, padding=(delay, synapse.padding[1]), frame_steps=1) if delay else synapse
