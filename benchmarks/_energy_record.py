"""The record of a measurement: everything that energy.py prints, writes and draws, as JSON-ready data.

Its fields are those of :mod:`mksgn.report.schema`. Numbers are means per sample, over all T steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mksgn.counts import Counts
from mksgn.energy import paper_energy_mj
from mksgn.energy.causes import ratio_causes
from mksgn.energy.costs import Cost, CostModel, Range
from mksgn.energy.printed import TABLE6_RATES, table6_name
from mksgn.energy.work import CoreWork
from mksgn.ir import Graph
from mksgn.mapping import Placement, tables
from mksgn.programs.samples import Selection
from mksgn.run.backend import RunResult

ROLES = {"input": "input", "hidden": "hidden", "readout": "output"}


def layer_of(name: str) -> str:
    """The layer, or block, of a population or synapse: what stands before the first dot."""
    return name.split(".")[0]


def populations(graph: Graph, counts: Counts) -> list[dict[str, Any]]:
    """A row per population."""
    rows = []
    for population in graph.populations:
        name = population.name
        printed = table6_name(name)
        active = counts.active.get(name, 0) / counts.samples
        rows.append({
            "name": name, "layer": layer_of(name), "shape": list(population.shape), "role": ROLES[population.role],
            "neurons": population.size, "spikes": counts.spikes[name] / counts.samples, "rate": counts.rate(name),
            "table6_rate": None if printed is None else TABLE6_RATES[printed], "table6_name": printed,
            "updates_active": active,
            "updates_idle": 0.0 if population.role == "input" else population.size * counts.steps - active,
        })
    return rows


def synapses(graph: Graph, counts: Counts) -> list[dict[str, Any]]:
    """A row per synapse: Eq. 33, what was counted, their ratio and its causes."""
    causes = ratio_causes(graph, counts)
    rows = []
    for synapse, ops in zip(graph.synapses, paper_energy_mj(graph, counts).rows):
        cause = causes[synapse.name]
        # The paper pays a graded layer's dense MACs once: what it leaves out are factors like the others.
        more = {"time steps": float(counts.steps), "zero messages": ops.rate} if ops.graded else {}
        factors = {} if cause is None else {**more, "borders": cause.borders, "zero weights": cause.zero_weights,
                                            "uneven firing": cause.uneven_firing}
        rows.append({
            "name": synapse.name, "layer": layer_of(synapse.name), "kind": type(synapse).__name__.lower(),
            "sources": list(synapse.sources), "target": synapse.target, "flops": float(ops.flops), "rate": ops.rate,
            "theoretical_sops": ops.theoretical_sops, "synops": ops.counted_synops, "macs": ops.counted_macs,
            "ratio": float(np.prod(list(factors.values()))) if factors else None, "causes": factors,
        })
    return rows


def layers(graph: Graph, populations: list[dict[str, Any]], synapses: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row per layer, from the rows of its populations and synapses; the input is no layer."""
    graded = {synapse.name for synapse in graph.synapses if graph[synapse.sources[0]].message_bits > 0}
    rows = []
    for layer in dict.fromkeys(row["layer"] for row in populations if row["role"] != "input"):
        inside = [row for row in populations if row["layer"] == layer]
        rates = [row["rate"] for row in inside if row["role"] == "hidden"]
        printed = [row["table6_rate"] for row in inside if row["table6_rate"] is not None]
        arriving = [row for row in synapses if row["layer"] == layer]
        # Eq. 34 pays the graded input's layer once, not at each of the T steps.
        expected = sum(row["flops"] if row["name"] in graded else row["theoretical_sops"] for row in arriving)
        counted = sum(row["synops"] + row["macs"] for row in arriving)
        rows.append({
            "layer": layer, "neurons": sum(row["neurons"] for row in inside), "rate": mean(rates),
            "table6_rate": mean(printed), "graded": any(row["name"] in graded for row in arriving),
            "expected": expected, "counted": counted, "ratio": counted / expected if expected else None,
            "updates_active": sum(row["updates_active"] for row in inside),
            "updates_idle": sum(row["updates_idle"] for row in inside),
        })
    return rows


def mean(values: list[float]) -> float | None:
    """Their mean; None where there are none."""
    return float(np.mean(values)) if values else None


def totals(graph: Graph, counts: Counts) -> dict[str, Any]:
    """Sums over the whole network."""
    hidden = [counts.rate(p.name) for p in graph.populations if p.role == "hidden"]
    neurons = [p.name for p in graph.populations[1:]]
    size = sum(p.size for p in graph.populations[1:])
    active = sum(counts.active[name] for name in neurons) / counts.samples
    return {
        "spikes": sum(counts.spikes[name] for name in neurons) / counts.samples,
        "synops": sum(counts.synops.values()) / counts.samples, "macs": sum(counts.macs.values()) / counts.samples,
        "updates_active": active, "updates_idle": size * counts.steps - active,
        "mean_rate": mean(hidden) or 0.0, "neurons": size,
    }


def paper(graph: Graph, counts: Counts) -> dict[str, float]:
    """Eq. 34. The counted events at the same prices are the cost model ``horowitz-fp32``."""
    theory = paper_energy_mj(graph, counts)
    return {"energy_mj": theory.energy_mj, "energy_all_steps_mj": theory.energy_all_steps_mj, "sops": theory.sops,
            "first_layer_macs": float(theory.first_layer_macs)}


def cost_row(model: CostModel, cost: Cost, shares: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """One cost model's price of a sample. ``shares``: layer to its share of every core, (cores,)."""
    return {
        "name": model.name, "title": model.title, "source": model.about,
        "breakdown_mj": {term: pair(value) for term, value in cost.terms_mj.items() if value.high},
        "by_layer_mj": {layer: (cost.core_mj @ share).tolist() for layer, share in shares.items()},
        "dynamic_mj": pair(cost.dynamic_mj), "static_mj": pair(cost.static_mj), "total_mj": pair(cost.total_mj),
        "latency_ms": pair(cost.streaming.latency_ms) if cost.streaming else None,
        "single_shot_ms": pair(cost.single_shot.latency_ms) if cost.single_shot else None,
        "samples_per_s": pair(cost.streaming.samples_per_s) if cost.streaming else None,
        "edp_mj_ms": pair(cost.streaming.edp_mj_ms) if cost.streaming else None,
    }


def pair(value: Range | None) -> list[float] | None:
    """Lower and upper bound."""
    return None if value is None else [value.low, value.high]


def layer_shares(placement: Placement, graph: Graph, counts: Counts) -> dict[str, np.ndarray]:
    """Share of each layer in the events of every core: (cores,) by layer.

    Most cores hold one population. Where several share a core, each has a part in proportion to its
    neuron updates and the operations that arrive at it, taken evenly over the population.
    """
    arriving: dict[str, float] = {p.name: 0.0 for p in graph.populations}
    for synapse in graph.synapses:
        arriving[synapse.target] += counts.synops[synapse.name] + counts.macs[synapse.name]
    density = {p.name: counts.steps + arriving[p.name] / (counts.samples * p.size) for p in graph.populations}
    shares = {layer_of(p.name): np.zeros(len(placement.cores)) for p in graph.populations[1:]}
    for core in placement.cores:
        weights = [slab.size * density[slab.population] for slab in core.slabs]
        for slab, weight in zip(core.slabs, weights):
            shares[layer_of(slab.population)][core.index] += weight / sum(weights)
    return shares


def mapping(placement: Placement, work: CoreWork) -> dict[str, Any]:
    """Cores, what they hold and do, and what does not fit."""
    board = placement.board
    causes = placement.load(work)
    load = np.sum(list(causes.values()), axis=0)
    busiest = int(np.argmax(load))
    why = max(causes, key=lambda cause: causes[cause][busiest])
    cores = [{
        "index": core.index, "chip": core.chip, "populations": sorted({slab.population for slab in core.slabs}),
        "neurons": core.neurons, "neuron_utilisation": core.neurons / board.neurons,
        "memory_utilisation": memory_share(core.usage, placement), "load": float(load[core.index]),
        "synops": float((work.synops + work.macs)[core.index]), "messages_in": float(work.messages_in[core.index]),
    } for core in placement.cores]
    names = " and ".join(sorted({slab.population for slab in placement.cores[busiest].slabs}))
    return {
        "board": board.name, "objective": placement.objective, "chips": placement.chips, "cores": len(cores),
        "limits": {"cores": board.cores, "cores_per_chip": board.cores_per_chip, "core_mesh": list(board.core_mesh),
                   "neurons": board.neurons, "synapse_words": board.synapse_words, "in_axons": board.in_axons,
                   "out_axons": board.out_axons, "sources": dict(board.sources), "assumed": dict(board.assumed)},
        "core_list": cores,
        "busiest": {"index": busiest,
                    "why": f"{names}: {causes[why][busiest] / load[busiest]:.0%} of its load are {why}"},
        "problems": [str(problem) for problem in placement.problems],
        "traffic": tables.traffic(work),
    }


def memory_share(usage: Mapping[str, int], placement: Placement) -> float:
    """How full a core's memory is: of its joint memory where neurons and synapses share one."""
    board = placement.board
    if board.core_words:
        return usage["core_words"] / board.core_words
    return usage["synapse_words"] / board.synapse_words


def samples(selection: Selection, counts: Counts, predictions: np.ndarray) -> dict[str, Any]:
    """Synaptic operations of each sample, and whether it was recognised."""
    operations = np.sum(list(counts.sample_synops.values()), axis=0)
    known = bool((selection.labels >= 0).all())
    return {"synops": operations.astype(float).tolist(),
            "correct": (predictions == selection.labels).tolist() if known else []}


def confusion(selection: Selection, predictions: np.ndarray) -> dict[str, Any] | None:
    """Samples of class i taken for class j; None without labels."""
    known = selection.labels >= 0
    if not known.any():
        return None
    size = len(selection.class_names)
    matrix = np.zeros((size, size), np.int64)
    np.add.at(matrix, (selection.labels[known], predictions[known]), 1)
    return {"labels": list(selection.class_names), "matrix": matrix.tolist()}


def example(graph: Graph, selection: Selection, number: int, result: RunResult) -> dict[str, Any] | None:
    """One sample as the network sees it, and the spikes of its run; None where the input is no skeleton.

    Parameters
    ----------
    number : int
        Of the sample in ``selection``.
    result : RunResult
        Of that sample alone, with recorded spikes.
    """
    x = selection.x[number]
    if x.shape[0] < 3 or "edges" not in graph.meta:
        return None
    names = selection.class_names
    label = int(selection.labels[number])
    return {
        "name": selection.names[number], "label": names[label] if label >= 0 else None,
        "prediction": names[int(result.predictions[0])], "sample": number,
        "edges": np.asarray(graph.meta["edges"]).reshape(-1, 2).tolist(),
        "skeleton": x[:3].transpose(1, 2, 0).astype(float).tolist(),
        "raster": {name: spikes[0].sum(axis=(2, 3), dtype=np.int64).tolist() for name, spikes in result.spikes.items()
                   if spikes.shape[2] > 1},
    }
