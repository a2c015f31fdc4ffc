"""When each population sees its sample: depths, and the delays that balance branches.

Each synapse hop takes one time step (docs/architecture.md), and an attention is four hops. So a population at depth d
works on algorithmic step t of a sample at wall step t + d. Where branches of different depth meet, the shorter one
waits.
"""

from __future__ import annotations

from dataclasses import dataclass

from mksgn.ir.graph import Graph


@dataclass(frozen=True)
class Schedule:
    """Depths and balancing delays of a graph.

    Parameters
    ----------
    depth : dict of population name to int
        Wall steps between the sample entering the input (depth 0) and the population seeing it.
    wait : dict of (synapse name, source name) to int
        Extra steps, beyond the hop itself, that the source's spikes wait before this synapse; with its delays
        (``by_delay``, which may be below 0) never less than 0.
    latency : int
        Depth of the output.
    """

    depth: dict[str, int]
    wait: dict[tuple[str, str], int]
    latency: int


def has_delays(graph: Graph) -> bool:
    """Whether any synapse of ``graph`` has functional delays."""
    return any(synapse.delayed for synapse in graph.synapses)


def schedule(graph: Graph, hop: int = 1) -> Schedule:
    """Earliest balanced schedule: every population as early as its latest source allows.

    Parameters
    ----------
    graph : Graph
    hop : int
        Steps that a synapse takes: 1 on a chip and in Lava; 0 where a step computes one population after the other.
    """
    depth = {graph.input.name: 0}
    wait: dict[tuple[str, str], int] = {}
    for population in graph.populations[1:]:
        synapses = graph.into(population.name)
        depth[population.name] = max(depth[source] + s.hops * hop + s.reads_ahead
                                     for s in synapses for source in s.sources)
        for synapse in synapses:
            for source in synapse.sources:
                wait[synapse.name, source] = depth[population.name] - hop - depth[source]
    return Schedule(depth, wait, depth[graph.output.name])


def reset_steps(times: Schedule, interval: int | None, offset: int, steps: int) -> dict[str, frozenset[int]]:
    """Steps, from 0, before which each population resets in a stream of ``steps`` wall steps.

    As in ``lava.lib.dl.netx.hdf5.Network``: a population at depth d, the first being 1, resets before
    the wall steps t = 1, 2, ... with t = offset + d modulo interval. Empty without an interval.
    """
    if interval is None:
        return {}
    return {name: frozenset(range((offset + depth - 1) % interval, steps, interval))
            for name, depth in times.depth.items()}
