"""Where the energy of a sample goes under each cost model, and how long a sample takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mksgn.report.axes import Axis, log_axis
from mksgn.report.formatting import ends, energy, middle, spanned
from mksgn.report.headline import total_energy
from mksgn.report.schema import CostModelRow, Paper, Record, Value

LAST = 7
"""Number of the last colour, which all further terms share; the table tells them apart."""
CHARACTER, PADDING = 6.8, 12.0
"""Room that a label takes: per letter and around it, in pixels."""
BAR_WIDE, BAR_NARROW = 640.0, 270.0
"""Width of a bar on a desktop and on a phone, in pixels."""


@dataclass(frozen=True)
class Segment:
    """A part of a stacked bar, in per cent; a range counts with its middle."""

    name: str
    value_mj: Value
    x: float
    width: float
    colour: int

    @property
    def labelled(self) -> str:
        """Where the name fits into the segment: ``always``, on ``wide`` screens only, or nowhere (empty)."""
        needed = len(self.name) * CHARACTER + PADDING
        return "always" if self.width / 100 * BAR_NARROW >= needed else \
            "wide" if self.width / 100 * BAR_WIDE >= needed else ""


@dataclass(frozen=True)
class Total:
    """A sample's energy by one model; ``low`` and ``high`` are its ends, in per cent of the axis."""

    title: str
    note: str
    energy_mj: Value
    low: float
    high: float


@dataclass(frozen=True)
class TotalsChart:
    """The paper's formula and all cost models on one logarithmic axis: they are decades apart."""

    axis: Axis
    rows: list[Total]


@dataclass(frozen=True)
class Model:
    """What one cost model's energy is made of."""

    row: CostModelRow
    terms: list[Segment]
    layers: list[Segment]


@dataclass(frozen=True)
class EnergyChart:
    """All cost models. ``terms`` and ``layers`` are the legends, name to colour; ``others`` share the last colour."""

    models: list[Model]
    terms: dict[str, int]
    others: list[str]
    layers: dict[str, int]


def totals_chart(record: Record) -> TotalsChart | None:
    """The energies of all models; None where the record has none."""
    found: list[tuple[str, str, Value]] = []
    if "paper" in record:
        found.append(_formula(record["paper"]))
    found += [(row["title"], _parts(row), total_energy(row)) for row in record.get("cost_models", [])]
    if not found:
        return None
    axis = log_axis([end for _, _, value in found for end in ends(value)], most_ticks=3)
    return TotalsChart(axis, [Total(title, note, value, *(axis(end) for end in ends(value)))
                              for title, note, value in found])


def _formula(paper: Paper) -> tuple[str, str, Value]:
    return ("The paper's formula, Eq. 34", "operations alone, at the rates of this run; "
            f"{energy(paper['energy_all_steps_mj'])} with the first layer at every step", paper["energy_mj"])


def _parts(row: CostModelRow) -> str:
    """What the total of a model holds."""
    if row["static_mj"] is None:
        return "dynamic energy; the model has no static energy"
    best = row.get("middle", {}).get("total_mj")
    about = "" if best is None else f"{energy(best)} at best estimate: "
    return f"{about}{spanned(energy)(row['dynamic_mj'])} dynamic, {spanned(energy)(row['static_mj'])} static"


def energy_chart(models: list[CostModelRow]) -> EnergyChart:
    """Every dynamic energy as a bar of 100 %."""
    terms = _colours([row["breakdown_mj"] for row in models], largest_first=True)
    layers = _colours([row["by_layer_mj"] for row in models], largest_first=False)
    shown = [Model(row, _stack(row["breakdown_mj"], terms, LAST), _stack(row["by_layer_mj"], layers, None))
             for row in models]
    others = [name for name, number in terms.items() if number >= LAST]
    return EnergyChart(shown, terms, others, layers)


def _colours(parts: list[dict[str, Value]], largest_first: bool) -> dict[str, int]:
    """A number per name over all models: one name has one colour everywhere."""
    share: dict[str, float] = {}
    for part in parts:
        total = sum(map(middle, part.values())) or 1.0
        for name, value in part.items():
            share[name] = max(share.get(name, 0.0), middle(value) / total)
    names = sorted(share, key=lambda name: -share[name]) if largest_first else list(share)
    return {name: number for number, name in enumerate(names)}


def _stack(parts: Mapping[str, Value], colours: dict[str, int], last: int | None) -> list[Segment]:
    total = sum(map(middle, parts.values()))
    segments = []
    x = 0.0
    for name in sorted(parts, key=lambda name: colours[name]):
        width = 100 * middle(parts[name]) / total if total else 0.0
        colour = colours[name] if last is None else min(colours[name], last)
        if width > 0:
            segments.append(Segment(name, parts[name], round(x, 3), round(width, 3), colour))
        x += width
    return segments
