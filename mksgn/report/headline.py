"""The first screen: what was run, and the figures that matter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mksgn.energy.tags import Tag
from mksgn.report.formatting import ends, energy, milliseconds, percent, short, si, spanned, whole
from mksgn.report.measured import measured_view
from mksgn.report.schema import CostModelRow, Record, Totals, Value

SECTIONS = {
    "totals": "counted totals", "populations": "firing rates and the network drawing",
    "synapses": "operations per synapse", "paper": "energy by the paper's formula",
    "layers": "operations per layer", "cost_models": "cost models", "mapping": "cores and chips",
    "samples": "spread over samples", "confusion": "confusion matrix", "example": "a sample to play",
}


@dataclass(frozen=True)
class Figure:
    """One number of the first screen; ``value`` None: the record does not hold it."""

    label: str
    value: str | None
    note: str
    tag: Tag


def headline(record: Record) -> list[Figure]:
    """Accuracy, events, energy, cores, latency; those that the record does not hold say so."""
    return [*_accuracies(record), *_events(record.get("totals")), _energy(record), *_measured(record), _cores(record),
            _latency(record)]


def _accuracies(record: Record) -> list[Figure]:
    run = record["run"]
    parts = [("accuracy", run["accuracy"], run["samples"])]
    parts += [(f"accuracy, {name}", part["accuracy"], part["samples"]) for name, part in run.get("subsets", {}).items()]
    return [Figure(label, None if share is None else percent(share, 2), f"{samples:,} samples", "counted")
            for label, share, samples in parts]


def _events(totals: Totals | None) -> list[Figure]:
    labels = ("spikes", "synaptic operations", "MACs", "neuron updates")
    if totals is None:
        return [Figure(label, None, "per sample", "counted") for label in labels]
    updates = totals["updates_active"] + totals["updates_idle"]
    active = percent(totals["updates_active"] / max(updates, 1), 0)
    values = (totals["spikes"], totals["synops"], totals["macs"], updates)
    notes = (f"mean rate {short(totals['mean_rate'])}", "a spike meets a weight that is not 0", "of the graded input",
             f"{active} of them active")
    return [Figure(label, si(value), f"per sample; {note}", "counted")
            for label, value, note in zip(labels, values, notes)]


def total_energy(row: CostModelRow) -> Value:
    """What a sample takes by one cost model: with static energy where the model has it."""
    return row["dynamic_mj"] if row["total_mj"] is None else row["total_mj"]


def _energy(record: Record) -> Figure:
    """From the lowest to the highest of all models: a single one of them would say less than it seems to."""
    values = [total_energy(row) for row in record.get("cost_models", [])]
    values += [record["paper"]["energy_mj"]] if "paper" in record else []
    if not values:
        return Figure("energy", None, "no formula and no cost model", "modelled")
    return Figure("energy", spanned(energy)(_span(values)),
                  f"lowest to highest of {len(values)} models, each of them below" if len(values) > 1 else
                  "by one model, below", "modelled")


def _measured(record: Record) -> list[Figure]:
    """Energy by a chip's probes, where it was measured."""
    readings = measured_view(record.get("measured", {})).readings
    return [Figure("energy, on the chip", reading.text, "per sample", "measured") for reading in readings
            if reading.name == "energy total"]


def _cores(record: Record) -> Figure:
    if "mapping" not in record:
        return Figure("neurocores", None, "not mapped", "modelled")
    mapping = record["mapping"]
    chips = f"{mapping['chips']:,} chip{'s' if mapping['chips'] != 1 else ''}"
    return Figure("neurocores", whole(mapping["cores"]), f"{chips}, {mapping['board']}", "modelled")


def _latency(record: Record) -> Figure:
    """From the lowest to the highest of the cost models that know times."""
    models = record.get("cost_models", [])
    values = [row["latency_ms"] for row in models if row["latency_ms"] is not None]
    if not values:
        return Figure("latency", None, "no cost model gives it", "modelled")
    return Figure("latency", spanned(milliseconds)(_span(values)),
                  f"first input to answer, streaming; {len(values)} of {len(models)} cost models give it", "modelled")


def _span(values: list[Value]) -> list[float]:
    """The lowest and the highest end of all."""
    pairs = [ends(value) for value in values]
    return [min(low for low, _ in pairs), max(high for _, high in pairs)]


def provenance(record: Record) -> list[tuple[str, str]]:
    """What, on what, where, when, with which versions; without the fields that are empty."""
    net, run = record["net"], record["run"]
    rows: list[tuple[str, Any]] = [
        ("preset", net["preset"]),
        ("data", " ".join(part for part in (run["data"], f"({run['split']})" if run["split"] else None) if part)),
        ("samples", f"{run['samples']:,}"),
        ("time steps", f"T = {net['time_steps']}"),
        ("parameters", None if net["parameters"] is None else f"{net['parameters']:,}"),
        ("neurons", f"{record['totals']['neurons']:,}" if "totals" in record else None),
        ("backend", run["backend"]),
        ("took", None if run["seconds"] is None else f"{short(run['seconds'])} s"),
        ("date", run["date"]),
        ("hardware", _flat(run["hardware"])),
        ("versions", ", ".join(f"{name} {version}" for name, version in run["versions"].items())),
        ("commit", net["commit"]),
    ]
    return [(label, value) for label, value in rows if value]


def _flat(value: str | dict[str, Any]) -> str:
    return value if isinstance(value, str) else ", ".join(f"{key} {inner}" for key, inner in value.items())


def missing(record: Record) -> list[str]:
    """What this run did not count or model, in words."""
    return [title for section, title in SECTIONS.items() if not record.get(section)]
