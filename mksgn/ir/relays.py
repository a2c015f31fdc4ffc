r"""Delays as chains of relay neurons: what a machine without delays in front of shared weights needs.

A tap in time reads its source some steps late. Here the source's spikes pass through a chain of relays, a neuron for
each neuron and each stage, and every tap becomes a convolution of its own, of one tap, that reads the stage at which
the spikes are as late as it needs them. Taps that need the same lateness share a stage. From one stage to the next the
spikes wait in a synapse, for at most ``reach`` steps beyond the hop; longer ways take more stages.

A stage that is w steps behind its source in wall time, after i hops, is w - i steps late in its own time. A population
cannot work before its sources do. So a chain has no more hops than its readers read ahead; the later stages hang side
by side at the last of them.

Spikes of such a graph are exact, its counts are not (:func:`mksgn.ir.streaming.fanout_by_frame`): over random graphs
the operations come out 3 % too low. Counts of a run are those of the graph without relays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mksgn.ir.graph import DELAY_MAX, Cuba, Graph, Population
from mksgn.ir.lattice import Lattice
from mksgn.ir.streamed_clips import is_endless
from mksgn.ir.synapses import Conv, Synapse

UNIT = 64
"""Weight of a synapse that passes spikes on."""
RELAY = Cuba(UNIT // 2, 4096, 4096)
"""Spikes exactly when its one input does, and forgets all in each step."""


@dataclass(frozen=True)
class _Stage:
    """Spikes of a source, ``late`` steps late after ``hops`` hops. They come from the stage that is ``before`` late."""

    late: int
    hops: int
    before: int


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
    always = Lattice(steps, steps, None if is_endless(graph) else 1)
    populations: list[Population] = []
    synapses: list[Synapse] = []
    for population in graph.populations:
        populations.append(population)
        for stage in stages.get(population.name, {}).values():
            if stage.late:
                before, relay = (_stage_name(population.name, late) for late in (stage.before, stage.late))
                passed = passing(f"{relay}/relay", before, relay, population.shape[0])
                populations.append(Population(relay, population.shape, RELAY, lattice=always))
                synapses.append(_late(passed, stage.late - stage.before - 1))
    for synapse in graph.synapses:
        synapses += _taps(graph, synapse, stages)
    return Graph(tuple(populations), tuple(synapses), steps, dict(graph.meta))


def passing(name: str, source: str, target: str, channels: int) -> Conv:
    """A synapse from each neuron to its counterpart."""
    return Conv(name, (source,), target, np.full((channels, 1, 1, 1), UNIT, np.int16), groups=channels)


def is_relay(synapse: Synapse) -> bool:
    """Whether ``synapse`` only passes each neuron's spikes on to its counterpart."""
    return isinstance(synapse, Conv) and len(synapse.sources) == 1 and synapse.groups == len(synapse.weight) \
        and synapse.weight.shape[1:] == (1, 1, 1) and bool((synapse.weight == UNIT).all())


def _stage_name(source: str, late: int) -> str:
    return f"{source}+{late}" if late else source


def _read_by_stages(graph: Graph, synapse: Synapse) -> list[str]:
    """Sources that ``synapse`` reads through relays."""
    if not isinstance(synapse, Conv) or not synapse.delayed:
        return []
    return [name for name in synapse.sources if graph[name].role != "input"]


def _stages(graph: Graph, reach: int) -> dict[str, dict[int, _Stage]]:
    """The stages of each source that is read through relays, by how late they are; the source itself comes first."""
    wanted: dict[str, set[int]] = {}
    ahead: dict[str, int] = {}
    for synapse in graph.synapses:
        for name in _read_by_stages(graph, synapse):
            wanted.setdefault(name, set()).update(synapse.reads_ahead + delay for delay, _ in synapse.by_delay())
            ahead[name] = min(ahead.get(name, synapse.reads_ahead), synapse.reads_ahead)
    return {name: _chain(sorted(late - {0}), reach, max(ahead[name], 1)) for name, late in wanted.items()}


def _chain(wanted: list[int], reach: int, most_hops: int) -> dict[int, _Stage]:
    found = {0: _Stage(0, 0, 0)}
    for late in wanted:
        while late not in found:
            last = max(found)
            near = [stage for stage in found.values() if late - stage.late <= reach + 1]
            if not near:
                found[last + reach + 1] = _Stage(last + reach + 1, found[last].hops + 1, last)
                continue
            before = max(near, key=lambda stage: (-max(stage.hops + 1, most_hops), stage.late))
            found[late] = _Stage(late, before.hops + 1, before.late)
    return found


def _taps(graph: Graph, synapse: Synapse, stages: dict[str, dict[int, _Stage]]) -> list[Synapse]:
    """``synapse`` as convolutions of one tap, each of which reads one stage of one source."""
    relayed_sources = _read_by_stages(graph, synapse)
    if not isinstance(synapse, Conv) or not relayed_sources:
        return [synapse]
    left = tuple(name for name in synapse.sources if name not in relayed_sources)
    found: list[Synapse] = [replace(synapse, sources=left)] if left else []
    for delay, tap in synapse.by_delay():
        late = synapse.reads_ahead + delay
        for name in relayed_sources:
            read = replace(tap, name=f"{synapse.name}/{name}+{late}", sources=(_stage_name(name, late),))
            found.append(_late(read, stages[name][late].hops - synapse.reads_ahead))
    return found


def _late(synapse: Conv, delay: int) -> Conv:
    """``synapse``, of one tap along the frames, with a delay in the populations' own time, which may be below 0."""
    return replace(synapse, padding=(delay, synapse.padding[1]), frame_steps=1) if delay else synapse
