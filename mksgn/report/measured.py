"""What probes on a chip measured, found in whatever nesting the backend records it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mksgn.report.formatting import THIN, significant

FIGURE_KEYS = {"value", "unit", "spread", "status"}
"""What makes a dictionary one measured figure."""


@dataclass(frozen=True)
class Reading:
    """One measured figure in words; ``runs`` it comes from."""

    name: str
    text: str
    runs: int | None


@dataclass(frozen=True)
class Measured:
    """All named figures, and what a reader of them must know."""

    readings: list[Reading]
    notes: list[str]


def measured_view(record: dict[str, Any]) -> Measured:
    """The figures of a measurement, in its order. Lists (each core, each run) are left to the JSON file."""
    return Measured(list(_readings(record, "")), [str(note) for note in record.get("notes", [])])


def _readings(value: Any, name: str) -> Iterator[Reading]:
    if not isinstance(value, dict):
        return
    if set(value) >= FIGURE_KEYS:
        number = value["value"]
        text = str(value["status"]) if number is None else \
            f"{significant(number)} ± {significant(value['spread'])}{THIN}{value['unit']}"
        yield Reading(name, text, value.get("runs"))
        return
    for key, inner in value.items():
        yield from _readings(inner, f"{name} {key}".strip().replace("_", " "))
