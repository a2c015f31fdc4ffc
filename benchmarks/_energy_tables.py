"""What energy.py prints on the terminal, and its CSV."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from rich.table import Table

MEASURED, MODELLED = "counted", "modelled"


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, box=None, header_style="bold", title_justify="left", pad_edge=False)
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left", no_wrap=number == 0)
    return table


def layers_table(record: dict[str, Any]) -> Table:
    """Rates, operations by Eq. 33 and as counted, and updates of each layer."""
    table = _table("per sample, by layer; rates, operations and updates counted, theory by Eq. 33", "layer", "neurons",
                   "rate", "Table 6", "theory, SOPs", "counted", "ratio", "active updates", "idle")
    rows: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for population in record["populations"]:
        if population["role"] == "input":
            continue
        row = rows[population["layer"]]
        for key in ("neurons", "spikes", "updates_active", "updates_idle"):
            row[key] += population[key]
        if population["table6_rate"] is not None:
            row["printed"] += population["table6_rate"]
            row["printed_count"] += 1
    for synapse in record["synapses"]:
        row = rows[synapse["layer"]]
        row["theory"] += synapse["theoretical_sops"]
        row["theory_macs"] += synapse["flops"] * record["net"]["time_steps"] if synapse["macs"] else 0
        row["counted"] += synapse["synops"]
        row["macs"] += synapse["macs"]
    for layer, row in rows.items():
        rate = row["spikes"] / (row["neurons"] * record["net"]["time_steps"])
        printed = f"{row['printed'] / row['printed_count']:.4f}" if row["printed_count"] else "-"
        theory, counted = row["theory"] + row["theory_macs"], row["counted"] + row["macs"]
        mac = " MAC" if row["macs"] else ""
        table.add_row(layer, f"{row['neurons']:,.0f}", f"{rate:.4f}", printed, f"{theory:,.0f}{mac}",
                      f"{counted:,.0f}{mac}", f"{counted / theory:.3f}" if theory else "-",
                      f"{row['updates_active']:,.0f}", f"{row['updates_idle']:,.0f}")
    return table


def totals_table(record: dict[str, Any]) -> Table:
    """Events of a sample and the two energies at the paper's prices."""
    table = _table("per sample", "", "", "how")
    totals, paper, counted = record["totals"], record["paper"], record["counted"]
    table.columns[2].justify = "left"
    rows = (
        ("spikes", f"{totals['spikes']:,.0f}", f"{MEASURED}; mean rate of hidden ones {totals['mean_rate']:.4f}"),
        ("synaptic operations", f"{totals['synops']:,.0f}", f"{MEASURED}; Eq. 33 expects {paper['sops']:,.0f}"),
        ("MACs of the graded input", f"{totals['macs']:,.0f}", MEASURED),
        ("neuron updates", f"{totals['updates_active'] + totals['updates_idle']:,.0f}",
         f"{MEASURED}; {totals['updates_idle']:,.0f} changed nothing"),
        ("messages between cores", f"{totals['messages']:,.0f}", "counted spikes on modelled cores"),
        ("energy, the paper's Eq. 34", f"{paper['energy_mj']:.6f} mJ", f"{MODELLED}, 4.6 and 0.9 pJ, 45 nm"),
        ("  first layer at every step", f"{paper['energy_all_steps_mj']:.6f} mJ", MODELLED),
        ("energy, counted events", f"{counted['energy_mj']:.6f} mJ", f"{MODELLED}, the same prices"),
    )
    for row in rows:
        table.add_row(*row)
    return table


def costs_table(record: dict[str, Any]) -> Table:
    """Energy and time by each cost model."""
    table = _table("cost models, per sample (modelled; ranges where a constant is one)", "model", "dynamic, mJ",
                   "static, mJ", "total, mJ", "latency, ms", "samples/s", "EDP, mJ ms")
    for row in record["cost_models"]:
        table.add_row(row["name"], *(span(row[key]) for key in (
            "dynamic_mj", "static_mj", "total_mj", "latency_ms", "samples_per_s", "edp_mj_ms")))
    return table


def mapping_lines(record: dict[str, Any]) -> Iterable[str]:
    """Cores, chips, traffic, the busiest core, what does not fit."""
    mapping = record["mapping"]
    cores = mapping["core_list"]
    yield (f"{mapping['board']}: {mapping['cores']} cores on {mapping['chips']} chips (modelled); mean use of neurons "
           f"{sum(c['neuron_utilisation'] for c in cores) / len(cores):.0%}, of memory "
           f"{sum(c['memory_utilisation'] for c in cores) / len(cores):.0%}")
    traffic = mapping["traffic"]
    yield (f"messages per sample: {traffic['inter_core']:,.0f} between cores, {traffic['inter_chip']:,.0f} of them "
           f"between chips, {traffic['hops']:,.0f} hops")
    yield f"busiest core: {mapping['busiest']['index']}, {mapping['busiest']['why']}"
    for problem in mapping["problems"]:
        yield f"does not fit: {problem}"


def span(value: list[float] | None) -> str:
    """A range, or one number where it is one; '-' where the model has none."""
    if value is None:
        return "-"
    low, high = (f"{bound:.3g}" if bound < 1000 else f"{bound:,.0f}" for bound in value)
    return low if low == high else f"{low} - {high}"


def as_csv(record: dict[str, Any]) -> str:
    """One row per population and synapse, and the columns of both."""
    rows = [{"kind": "population", **row, "shape": "x".join(map(str, row["shape"]))} for row in record["populations"]]
    for synapse in record["synapses"]:
        causes = {f"cause: {name}": value for name, value in synapse["causes"].items()}
        row = {**synapse, **causes, "kind": f"synapse, {synapse['kind']}", "sources": " ".join(synapse["sources"])}
        del row["causes"]
        rows.append(row)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
