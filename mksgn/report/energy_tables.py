"""Events and energies of a run as tables for the terminal, and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from rich.table import Table

from mksgn.mapping.packing import OBJECTIVES
from mksgn.mapping.tables import traffic_line
from mksgn.report.formatting import ends
from mksgn.report.schema import CostModelRow, LayerRow, Mapping, Paper, PopulationRow, SynapseRow, Totals, Value


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, box=None, header_style="bold", title_justify="left", pad_edge=False)
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left", no_wrap=number == 0)
    return table


def layers_table(rows: list[LayerRow], of: str = "sample") -> Table:
    """Rates, operations by the paper's formula and as counted, updates of each layer; ``of`` a sample or a frame."""
    table = _table(f"per {of}, by layer; rates, operations and updates counted; expected: modelled, Eq. 33 and 34",
                   "layer", "neurons", "mean rate", "Table 6", "expected", "counted", "ratio", "active updates", "idle")
    for row in rows:
        rate, printed = ("-" if row[key] is None else f"{row[key]:.4f}" for key in ("rate", "table6_rate"))
        unit = " MACs" if row["graded"] else ""
        table.add_row(row["layer"], f"{row['neurons']:,}", rate, printed, f"{row['expected']:,.0f}{unit}",
                      f"{row['counted']:,.0f}{unit}", "-" if row["ratio"] is None else f"{row['ratio']:.3f}",
                      f"{row['updates_active']:,.0f}", f"{row['updates_idle']:,.0f}")
    return table


def totals_table(totals: Totals, paper: Paper, of: str = "sample") -> Table:
    """Events of a sample, or of a frame."""
    table = _table(f"events per {of}", "", "", "how")
    table.columns[2].justify = "left"
    rows = (
        ("spikes", totals["spikes"], f"counted; mean rate of the hidden populations {totals['mean_rate']:.4f}"),
        ("synaptic operations", totals["synops"], f"counted; Eq. 33 expects {paper['sops']:,.0f}"),
        ("MACs of the graded input", totals["macs"],
         f"counted, all T steps; Eq. 34 expects {paper['first_layer_macs']:,.0f}"),
        ("neuron updates", totals["updates_active"] + totals["updates_idle"],
         f"counted; {totals['updates_idle']:,.0f} changed nothing"),
    )
    for name, value, how in rows:
        table.add_row(name, f"{value:,.0f}", how)
    return table


def costs_table(paper: Paper, models: list[CostModelRow], of: str = "sample") -> Table:
    """Energy and time by the paper's formula and by each cost model; ``of`` a sample or a frame."""
    table = _table(f"energy and time per {of} (modelled; a range where a model has one)", "model", "dynamic, mJ",
                   "static, mJ", "total, mJ", "latency, ms", f"{of}s/s", "EDP, mJ ms")
    for name, value in (("the paper's Eq. 34", paper["energy_mj"]),
                        ("  first layer at every step", paper["energy_all_steps_mj"])):
        table.add_row(name, span([value, value]), *["-"] * (len(table.columns) - 2))
    for row in models:
        values = (row["dynamic_mj"], row["static_mj"], row["total_mj"], row["latency_ms"], row["samples_per_s"],
                  row["edp_mj_ms"])
        table.add_row(row["name"], *map(span, values))
    return table


def mapping_lines(mapping: Mapping, of: str = "sample") -> Iterable[str]:
    """Cores, chips, traffic ``of`` a sample or a frame, the busiest core, what does not fit."""
    cores = mapping["core_list"]
    yield (f"{mapping['board']}: {mapping['cores']} cores on {mapping['chips']} chips (modelled; --objective "
           f"{mapping['objective']}, {OBJECTIVES[mapping['objective']]}); mean use of neurons "
           f"{sum(c['neuron_utilisation'] for c in cores) / len(cores):.0%}, of memory "
           f"{sum(c['memory_utilisation'] for c in cores) / len(cores):.0%}")
    yield traffic_line(mapping["traffic"], of)
    if mapping["busiest"] is not None:
        yield f"busiest core: {mapping['busiest']['index']}, {mapping['busiest']['why']}"
    for problem in mapping["problems"]:
        yield f"does not fit: {problem}"


def span(value: Value | None) -> str:
    """A range, or one number where it is one; '-' where the model has none."""
    if value is None:
        return "-"
    low, high = (f"{bound:.3g}" if bound < 1000 else f"{bound:,.0f}" for bound in ends(value))
    return low if low == high else f"{low} - {high}"


def as_csv(populations: list[PopulationRow], synapses: list[SynapseRow]) -> str:
    """One row per population and synapse, and the columns of both."""
    rows = [{"kind": "population", **row, "shape": "x".join(map(str, row["shape"]))} for row in populations]
    for synapse in synapses:
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
