"""The first screen: what was run, and the figures that matter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from mksgn.report.formatting import energy, milliseconds, percent, short, si, spanned, whole
from mksgn.report.schema import Record, Totals

Tag = Literal["measured", "modelled", "cited"]
SECTIONS = {
    "totals": "counted totals", "populations": "firing rates and the network drawing",
    "synapses": "operations per synapse", "paper": "energy by the paper's formula",
    "counted": "energy of the counted events", "cost_models": "cost models", "mapping": "cores and chips",
    "samples": "spread over samples", "confusion": "confusion matrix", "example": "a sample to play",
}


@dataclass(frozen=True)
class Figure:
    """One number of the first screen; ``value`` None was not measured."""

    label: str
    value: str | None
    note: str
    tag: Tag


def headline(record: Record) -> list[Figure]:
    """Accuracy, events, energy, cores, latency; those that the record does not hold say so."""
    return [*_accuracies(record), *_events(record.get("totals")), *_energies(record), _cores(record), _latency(record)]


def _accuracies(record: Record) -> list[Figure]:
    run = record["run"]
    parts = [("accuracy", run["accuracy"], run["samples"])]
    parts += [(f"accuracy, {name}", part["accuracy"], part["samples"]) for name, part in run.get("subsets", {}).items()]
    return [Figure(label, None if share is None else percent(share, 2), f"{samples:,} samples", "measured")
            for label, share, samples in parts]


def _events(totals: Totals | None) -> list[Figure]:
    labels = ("spikes", "synaptic operations", "MACs", "neuron updates")
    if totals is None:
        return [Figure(label, None, "per sample", "measured") for label in labels]
    updates = totals["updates_active"] + totals["updates_idle"]
    active = percent(totals["updates_active"] / max(updates, 1), 0)
    values = (totals["spikes"], totals["synops"], totals["macs"], updates)
    notes = (f"mean rate {short(totals['mean_rate'])}", "a spike meets a weight that is not 0", "of the graded input",
             f"{active} of them active")
    return [Figure(label, si(value), f"per sample; {note}", "measured")
            for label, value, note in zip(labels, values, notes)]


def _energies(record: Record) -> list[Figure]:
    formula = counted = None
    note = "Eq. 34"
    if "paper" in record:
        formula = energy(record["paper"]["energy_mj"])
        note = f"Eq. 34; {energy(record['paper']['energy_all_steps_mj'])} with the first layer at every step"
    if "counted" in record:
        counted = energy(record["counted"]["energy_mj"])
    return [Figure("energy, the paper's formula", formula, note, "modelled"),
            Figure("energy, counted events", counted, "at the paper's 4.6 and 0.9 pJ", "modelled")]


def _cores(record: Record) -> Figure:
    if "mapping" not in record:
        return Figure("neurocores", None, "not mapped", "modelled")
    mapping = record["mapping"]
    chips = f"{mapping['chips']:,} chip{'s' if mapping['chips'] != 1 else ''}"
    return Figure("neurocores", whole(mapping["cores"]), f"{chips}, {mapping['board']}", "modelled")


def _latency(record: Record) -> Figure:
    """By the first cost model that knows times."""
    for row in record.get("cost_models", []):
        if row["latency_ms"] is not None:
            value = spanned(milliseconds)(row["latency_ms"])
            return Figure("latency", value, f"first input to answer, streaming; {row['title']}", "modelled")
    return Figure("latency", None, "no cost model gives it", "modelled")


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
    """What this run did not measure or model, in words."""
    return [title for section, title in SECTIONS.items() if not record.get(section)]
