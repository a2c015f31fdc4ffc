"""The cores of a mapping as heat maps, one per chip."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mksgn.report.formatting import percent, short, si, whole
from mksgn.report.schema import Core, Mapping

MOST_CHIPS = 48
"""Chips that are drawn, the busiest ones; the table and the text speak of all."""
MOST_ROWS = 512
"""Rows of the table of cores, busiest first."""
TOP = 8
CELL = 10.0
COLUMNS = 16
NAMED = 4


@dataclass(frozen=True)
class Cell:
    """A core; ``heat`` is its load as a share of the busiest core's, None where it is not in use."""

    x: float
    y: float
    heat: float | None
    busiest: bool
    title: str


@dataclass(frozen=True)
class Chip:
    """A chip's cores, row by row as the board numbers them; ``used`` of them are, the other cells are empty."""

    number: int
    width: float
    height: float
    cells: list[Cell]
    used: int
    load: float


@dataclass(frozen=True)
class Limit:
    """A limit of the board and where it comes from."""

    name: str
    value: str
    source: str


@dataclass(frozen=True)
class CoreView:
    """All of a mapping that is drawn or listed."""

    chips: list[Chip]
    hidden_chips: int
    top: list[Core]
    rows: list[Core]
    hidden_rows: int
    columns: int
    free: bool
    limits: list[Limit]
    top_load: float
    mean_load: float
    mean_neurons: float
    mean_memory: float


def core_view(mapping: Mapping) -> CoreView:
    """Heat maps by chip and the busiest cores."""
    cores = mapping["core_list"]
    top_load = max((core["load"] for core in cores), default=0.0)
    busiest = mapping["busiest"]["index"] if mapping["busiest"] else None
    by_chip: dict[int, list[Core]] = {}
    for core in cores:
        by_chip.setdefault(core["chip"], []).append(core)
    columns = _columns(mapping["limits"])
    size = mapping["limits"].get("cores_per_chip")
    chips = [_chip(number, members, top_load, busiest, columns, size if isinstance(size, int) else None)
             for number, members in sorted(by_chip.items())]
    drawn = sorted(sorted(chips, key=lambda chip: -chip.load)[:MOST_CHIPS], key=lambda chip: chip.number)
    ordered = sorted(cores, key=lambda core: -core["load"])
    return CoreView(
        chips=drawn, hidden_chips=len(chips) - len(drawn), top=ordered[:TOP], rows=ordered[:MOST_ROWS],
        hidden_rows=max(len(ordered) - MOST_ROWS, 0), columns=columns,
        free=any(len(chip.cells) > chip.used for chip in drawn), limits=list(_limits(mapping["limits"])),
        top_load=top_load, mean_load=_mean([core["load"] for core in cores]),
        mean_neurons=_mean([core["neuron_utilisation"] for core in cores]),
        mean_memory=_mean([core["memory_utilisation"] for core in cores]))


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _columns(limits: dict[str, Any]) -> int:
    mesh = limits.get("core_mesh")
    return int(mesh[1]) if isinstance(mesh, (list, tuple)) and len(mesh) == 2 else COLUMNS


def _limits(limits: dict[str, Any]) -> Iterator[Limit]:
    sources = {name: f"{prefix}{text}" for key, prefix in (("assumed", "assumed: "), ("sources", ""))
               for name, text in (limits.get(key) or {}).items()}
    for name, value in limits.items():
        if name not in ("sources", "assumed"):
            shown = " × ".join(map(str, value)) if isinstance(value, (list, tuple)) else \
                whole(value) if isinstance(value, (int, float)) else str(value)
            yield Limit(name.replace("_", " "), shown, sources.get(name, ""))


def _chip(number: int, cores: list[Core], top_load: float, busiest: int | None, columns: int, size: int | None) -> Chip:
    places = [core["index"] - number * size for core in cores] if size else []
    if not places or min(places) < 0 or max(places) >= (size or 0):
        places = list(range(len(cores)))  # the record numbers its cores in some other way
    held = dict(zip(places, cores))
    cells = []
    for place in range(max(size or 0, max(places) + 1)):
        core = held.get(place)
        x, y = CELL * (place % columns), CELL * (place // columns)
        if core is None:
            cells.append(Cell(x, y, None, False, "not in use"))
        else:
            heat = round(core["load"] / top_load, 3) if top_load else 0.0
            cells.append(Cell(x, y, heat, core["index"] == busiest, _title(core)))
    return Chip(number, CELL * columns, CELL * math.ceil(len(cores) / columns), cells, len(cores),
                sum(core["load"] for core in cores))


def _title(core: Core) -> str:
    return (f"core {core['index']}: {named(core)}; load {short(core['load'])}, {core['neurons']:,} neurons "
            f"({percent(core['neuron_utilisation'], 0)}), memory {percent(core['memory_utilisation'], 0)}, "
            f"{si(core['synops'])} synops")


def named(core: Core) -> str:
    """The populations of a core, the first few by name."""
    names = core["populations"]
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
