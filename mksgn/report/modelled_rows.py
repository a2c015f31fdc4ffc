"""What is modelled of a run: the price that each cost model puts on a sample, and the cores that hold the network.

The fields are those of :mod:`mksgn.report.schema`.
"""

from __future__ import annotations

import collections.abc
from typing import cast

import numpy as np

from mksgn.counts import Counts
from mksgn.energy.costs import Cost, CostModel, Range
from mksgn.energy.work import CoreWork
from mksgn.ir import Graph
from mksgn.mapping import Placement, tables
from mksgn.mapping.packing import Objective
from mksgn.report.counted_rows import layer_of
from mksgn.report.schema import Core, CostModelRow, Mapping


def cost_row(model: CostModel, cost: Cost, shares: collections.abc.Mapping[str, np.ndarray]) -> CostModelRow:
    """One cost model's price of a sample. ``shares``: layer to its share of every core, (cores,)."""
    return {
        "name": model.name, "title": model.title, "source": model.about,
        "breakdown_mj": {term: _bounds(value) for term, value in cost.terms_mj.items() if value.high},
        "by_layer_mj": {layer: (cost.core_mj @ share).tolist() for layer, share in shares.items()},
        "dynamic_mj": _bounds(cost.dynamic_mj), "static_mj": _pair(cost.static_mj), "total_mj": _pair(cost.total_mj),
        "latency_ms": _pair(cost.streaming.latency_ms) if cost.streaming else None,
        "single_shot_ms": _pair(cost.single_shot.latency_ms) if cost.single_shot else None,
        "samples_per_s": _pair(cost.streaming.samples_per_s) if cost.streaming else None,
        "edp_mj_ms": _pair(cost.streaming.edp_mj_ms) if cost.streaming else None,
    }


def layer_shares(placement: Placement, graph: Graph, counts: Counts) -> dict[str, np.ndarray]:
    """Share of each layer in the events of every core: (cores,) by layer.

    Most cores hold one population. Where several share a core, each has a part in proportion to its
    neuron updates and the operations that arrive at it, taken evenly over the population.
    """
    arriving: dict[str, float] = {p.name: 0.0 for p in graph.populations}
    for synapse in graph.synapses:
        arriving[synapse.target] += counts.synops[synapse.name] + counts.macs[synapse.name]
    density = {p.name: counts.steps + arriving[p.name] / (counts.samples * p.size) for p in graph.populations}
    for relay, source in placement.wiring.repeats.items():  # one operation for each message that it repeats
        density[relay] = counts.steps + counts.spikes[source] / (counts.samples * graph[source].size)
    shares = {layer_of(p.name): np.zeros(len(placement.cores)) for p in graph.populations[1:]}
    for core in placement.cores:
        weights = [slab.size * density[slab.population] for slab in core.slabs]
        for slab, weight in zip(core.slabs, weights):
            shares[layer_of(slab.population)][core.index] += weight / sum(weights)
    return shares


def mapping_section(placement: Placement, work: CoreWork) -> Mapping:
    """Cores, what they hold and do, and what does not fit."""
    board = placement.board
    causes = placement.load(work)
    load = np.sum(list(causes.values()), axis=0)
    busiest = int(np.argmax(load))
    why = max(causes, key=lambda cause: causes[cause][busiest])
    cores: list[Core] = [{
        "index": core.index, "chip": core.chip, "populations": sorted({slab.population for slab in core.slabs}),
        "neurons": core.neurons, "neuron_utilisation": core.neurons / board.neurons,
        "memory_utilisation": _memory_share(core.usage, placement), "load": float(load[core.index]),
        "synops": float((work.synops + work.macs)[core.index]), "messages_in": float(work.messages_in[core.index]),
    } for core in placement.cores]
    names = " and ".join(sorted({slab.population for slab in placement.cores[busiest].slabs}))
    return {
        "board": board.name, "objective": cast(Objective, placement.objective), "chips": placement.chips,
        "cores": len(cores),
        "limits": {"cores": board.cores, "cores_per_chip": board.cores_per_chip, "core_mesh": list(board.core_mesh),
                   "neurons": board.neurons, "synapse_words": board.synapse_words, "in_axons": board.in_axons,
                   "out_axons": board.out_axons, "sources": dict(board.sources), "assumed": dict(board.assumed)},
        "core_list": cores,
        "busiest": {"index": busiest,
                    "why": f"{names}: {causes[why][busiest] / load[busiest]:.0%} of its load are {why}"},
        "problems": [str(problem) for problem in placement.problems],
        "traffic": tables.traffic(work),
    }


def _memory_share(usage: dict[str, int], placement: Placement) -> float:
    """How full a core's memory is: of its joint memory where neurons and synapses share one."""
    board = placement.board
    if board.core_words:
        return usage["core_words"] / board.core_words
    return usage["synapse_words"] / board.synapse_words


def _bounds(value: Range) -> list[float]:
    """Lower and upper bound."""
    return [value.low, value.high]


def _pair(value: Range | None) -> list[float] | None:
    """Lower and upper bound, where there are any."""
    return None if value is None else _bounds(value)
