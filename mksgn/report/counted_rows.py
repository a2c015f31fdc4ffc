"""What was counted in a run, as rows: a population, a synapse and a layer each; and the paper's formula beside them.

Numbers are means per sample, over all T steps. The fields are those of :mod:`mksgn.report.schema`.
"""

from __future__ import annotations

from typing import Literal, cast

import numpy as np

from mksgn.counts import Counts
from mksgn.energy import paper_energy_mj
from mksgn.energy.causes import ratio_causes
from mksgn.energy.printed import TABLE6_RATES, table6_name
from mksgn.ir import Graph
from mksgn.report.schema import Kind, LayerRow, Paper, PopulationRow, SynapseRow, Totals

ROLES: dict[str, Literal["input", "hidden", "output"]] = {"input": "input", "hidden": "hidden", "readout": "output"}


def layer_of(name: str) -> str:
    """The layer, or block, of a population or synapse: what stands before the first dot."""
    return name.split(".")[0]


def population_rows(graph: Graph, counts: Counts) -> list[PopulationRow]:
    """A row per population, means per sample."""
    rows: list[PopulationRow] = []
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


def synapse_rows(graph: Graph, counts: Counts) -> list[SynapseRow]:
    """A row per synapse: Eq. 33, what was counted, their ratio and its causes."""
    causes = ratio_causes(graph, counts)
    rows: list[SynapseRow] = []
    for synapse, ops in zip(graph.synapses, paper_energy_mj(graph, counts).rows):
        cause = causes[synapse.name]
        # The paper pays a graded layer's dense MACs once: what it leaves out are factors like the others.
        more = {"time steps": float(counts.steps), "zero messages": ops.rate} if ops.graded else {}
        factors = {} if cause is None else {**more, "borders": cause.borders, "zero weights": cause.zero_weights,
                                            "uneven firing": cause.uneven_firing}
        rows.append({
            "name": synapse.name, "layer": layer_of(synapse.name), "kind": cast(Kind, type(synapse).__name__.lower()),
            "sources": list(synapse.sources), "target": synapse.target, "flops": float(ops.flops), "rate": ops.rate,
            "theoretical_sops": ops.theoretical_sops, "synops": ops.counted_synops, "macs": ops.counted_macs,
            "ratio": float(np.prod(list(factors.values()))) if factors else None, "causes": factors,
        })
    return rows


def layer_rows(graph: Graph, populations: list[PopulationRow], synapses: list[SynapseRow]) -> list[LayerRow]:
    """A row per layer, from the rows of its populations and synapses; the input is no layer."""
    graded = {synapse.name for synapse in graph.synapses if graph[synapse.sources[0]].message_bits > 0}
    rows: list[LayerRow] = []
    for layer in dict.fromkeys(row["layer"] for row in populations if row["role"] != "input"):
        inside = [row for row in populations if row["layer"] == layer]
        rates = [row["rate"] for row in inside if row["role"] == "hidden"]
        printed = [row["table6_rate"] for row in inside if row["table6_rate"] is not None]
        arriving = [row for row in synapses if row["layer"] == layer]
        # Eq. 34 pays the graded input's layer once, not at each of the T steps.
        expected = sum(row["flops"] if row["name"] in graded else row["theoretical_sops"] for row in arriving)
        counted = sum(row["synops"] + row["macs"] for row in arriving)
        rows.append({
            "layer": layer, "neurons": sum(row["neurons"] for row in inside), "rate": _mean(rates),
            "table6_rate": _mean(printed), "graded": any(row["name"] in graded for row in arriving),
            "expected": expected, "counted": counted, "ratio": counted / expected if expected else None,
            "updates_active": sum(row["updates_active"] for row in inside),
            "updates_idle": sum(row["updates_idle"] for row in inside),
        })
    return rows


def totals(graph: Graph, counts: Counts) -> Totals:
    """Sums over the whole network."""
    hidden = [counts.rate(p.name) for p in graph.populations if p.role == "hidden"]
    neurons = [p.name for p in graph.populations[1:]]
    size = sum(p.size for p in graph.populations[1:])
    active = sum(counts.active[name] for name in neurons) / counts.samples
    return {
        "spikes": sum(counts.spikes[name] for name in neurons) / counts.samples,
        "synops": sum(counts.synops.values()) / counts.samples, "macs": sum(counts.macs.values()) / counts.samples,
        "updates_active": active, "updates_idle": size * counts.steps - active,
        "mean_rate": _mean(hidden) or 0.0, "neurons": size,
    }


def paper(graph: Graph, counts: Counts) -> Paper:
    """Eq. 34. The counted events at the same prices are the cost model ``horowitz-fp32``."""
    theory = paper_energy_mj(graph, counts)
    return {"energy_mj": theory.energy_mj, "energy_all_steps_mj": theory.energy_all_steps_mj, "sops": theory.sops,
            "first_layer_macs": float(theory.first_layer_macs)}


def _mean(values: list[float]) -> float | None:
    """Their mean; None where there are none."""
    return float(np.mean(values)) if values else None
