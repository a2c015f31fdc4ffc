"""Where the populations of a network stand in its drawing: bands of layers, columns of depth, rows, lanes.

A layered drawing after Sugiyama et al. (1981) with one simplification: an edge that skips columns does not
wind between the boxes but runs straight where the way is free, and else in a lane beside them, as a residual
branch is drawn by hand.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from mksgn.report.schema import PopulationRow, SynapseRow

SMALL_LAYER = 2
"""Neighbouring layers of at most this many populations share a band ..."""
BAND_POPULATIONS = 6
"""... of at most this many."""
CLEARANCE = 0.9
"""Rows that a straight edge keeps from a box, centre to centre; boxes are one row apart."""
TITLE = " · "
"""Between the names of layers that stand together."""
GROUP_MEMBERS = 3
"""Populations of one name prefix that are framed together."""
Row = TypeVar("Row", PopulationRow, SynapseRow)


@dataclass
class Node:
    """A population, or (``population`` None) a port: where another band's population comes in."""

    name: str
    population: PopulationRow | None
    column: int = 0
    row: float = 0.0


@dataclass
class Edge:
    """All synapses from one population to another. ``lane``: None if it runs between the boxes."""

    source: str
    target: str
    synapses: list[SynapseRow] = field(default_factory=list)
    lane: int | None = None


@dataclass(frozen=True)
class Group:
    """A frame around populations of one prefix, in columns and rows."""

    prefix: str
    columns: tuple[int, int]
    rows: tuple[float, float]


@dataclass
class Band:
    """One or more layers. Rows run from 0 to ``rows`` - 1."""

    layers: list[str]
    nodes: dict[str, Node]
    edges: list[Edge]
    groups: list[Group] = field(default_factory=list)
    columns: int = 1
    rows: float = 1.0
    lanes: int = 0


def bands(populations: list[PopulationRow], synapses: list[SynapseRow]) -> list[Band]:
    """Lay out a network: a band per layer, small neighbouring layers together; every edge ends in its target's band."""
    placed = []
    for members in by_layers(populations):
        inside = {row["name"] for row in members}
        incoming = [synapse for synapse in synapses if synapse["target"] in inside]
        outside = [name for synapse in incoming for name in synapse["sources"] if name not in inside]
        ports = {name: Node(name, None) for name in dict.fromkeys(outside)}
        nodes = {**ports, **{row["name"]: Node(row["name"], row) for row in members}}
        band = Band(layers_of(members), nodes, _edges(incoming))
        _columns(band, len(ports))
        _rows(band)
        _lanes(band)
        band.groups = list(_groups(band))
        placed.append(band)
    return placed


def by_layers(rows: Iterable[Row]) -> list[list[Row]]:
    """The rows of each layer; small neighbouring layers together."""
    layers: dict[str, list[Row]] = {}
    for row in rows:
        layers.setdefault(row["layer"], []).append(row)
    parts: list[list[Row]] = []
    open_band = False
    for members in layers.values():
        small = len(members) <= SMALL_LAYER
        if open_band and small and len(parts[-1]) + len(members) <= BAND_POPULATIONS:
            parts[-1] += members
        else:
            parts.append(list(members))
        open_band = small
    return parts


def layers_of(rows: Iterable[PopulationRow | SynapseRow]) -> list[str]:
    """Their layers, each once, in order."""
    return list(dict.fromkeys(row["layer"] for row in rows))


def _edges(synapses: list[SynapseRow]) -> list[Edge]:
    edges: dict[tuple[str, str], Edge] = {}
    for synapse in synapses:
        for source in synapse["sources"]:
            key = (source, synapse["target"])
            edges.setdefault(key, Edge(*key)).synapses.append(synapse)
    return list(edges.values())


def _columns(band: Band, ports: int) -> None:
    """Longest path from the ports; populations come in topological order."""
    for node in band.nodes.values():
        if node.population is not None:
            before = [band.nodes[edge.source].column + 1 for edge in band.edges if edge.target == node.name]
            node.column = max(before, default=1 if ports else 0)
    band.columns = 1 + max(node.column for node in band.nodes.values())


def _rows(band: Band) -> None:
    """Each box near the mean of what feeds it, boxes of a column one row apart; then all rows from 0."""
    columns: dict[int, list[Node]] = defaultdict(list)
    for node in band.nodes.values():
        columns[node.column].append(node)
    for column in range(band.columns):
        wish = {}
        for node in columns[column]:
            rows = [band.nodes[edge.source].row for edge in band.edges if edge.target == node.name]
            wish[node.name] = sum(rows) / len(rows) if rows else 0.0
        order = sorted(columns[column], key=lambda node: wish[node.name])
        centre = sum(wish.values()) / len(wish)
        for position, node in enumerate(order):
            node.row = round(2 * (centre + position - (len(order) - 1) / 2)) / 2
    top = min(node.row for node in band.nodes.values())
    for node in band.nodes.values():
        node.row -= top
    band.rows = 1 + max(node.row for node in band.nodes.values())


def _lanes(band: Band) -> None:
    """A lane for every source whose edges cannot all run straight; short ones next to the boxes."""
    blocked: dict[str, list[Edge]] = defaultdict(list)
    for edge in band.edges:
        source, target = band.nodes[edge.source], band.nodes[edge.target]
        if target.column - source.column > 1:
            blocked[edge.source].append(edge)
    taken: list[list[tuple[int, int]]] = []
    spans = {name: (band.nodes[name].column, max(band.nodes[e.target].column for e in edges))
             for name, edges in blocked.items()}
    for name, (start, end) in sorted(spans.items(), key=lambda item: item[1][1] - item[1][0]):
        if _free(band, band.nodes[name], end):
            continue
        lane = next((i for i, uses in enumerate(taken) if all(end <= a or b <= start for a, b in uses)), len(taken))
        if lane == len(taken):
            taken.append([])
        taken[lane].append((start, end))
        for edge in blocked[name]:
            edge.lane = lane
    band.lanes = len(taken)


def _free(band: Band, source: Node, end: int) -> bool:
    return all(abs(node.row - source.row) >= CLEARANCE for node in band.nodes.values()
               if source.column < node.column < end)


def _groups(band: Band) -> Iterable[Group]:
    members: dict[str, list[Node]] = defaultdict(list)
    for node in band.nodes.values():
        prefix, dot, _ = inner_name(node.name, band.layers).partition(".")
        if node.population is not None and dot:
            members[prefix].append(node)
    for prefix, nodes in members.items():
        columns = (min(n.column for n in nodes), max(n.column for n in nodes))
        rows = (min(n.row for n in nodes), max(n.row for n in nodes))
        strangers = [n for n in band.nodes.values() if n not in nodes and columns[0] <= n.column <= columns[1]
                     and rows[0] - CLEARANCE < n.row < rows[1] + CLEARANCE]
        if len(nodes) >= GROUP_MEMBERS and not strangers:
            yield Group(prefix, columns, rows)


def inner_name(name: str, layers: list[str]) -> str:
    """``name`` without the name of its layer: block1.sgsa.q is sgsa.q in block1."""
    for layer in layers:
        if name.startswith(f"{layer}."):
            return name[len(layer) + 1:]
    return name
