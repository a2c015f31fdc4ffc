"""The drawing of a network in pixels, lying (for wide screens) or standing (for phones).

Geometry is computed along and across the flow of spikes; a lying drawing reads (along, across) as (x, y), a
standing one as (y, x).
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

from mksgn.report.formatting import short, si
from mksgn.report.layout import TITLE, Band, Edge, Group, Node, bands, inner_name
from mksgn.report.schema import PopulationRow, SynapseRow

Point = tuple[float, float]
GROUP_TITLES = {"sgsa": "spiking attention (SG-SA)"}
"""Titles of the frames, by the prefix that mksgn.nn gives their populations."""
LANE_PITCH = 8.0
CORNER = 5.0
MARGIN = 8.0
FRAME = 7.0
FRAME_TITLE = 13.0
CHARACTER = 6.3
"""Width of a letter of a box's label, in pixels."""
WIDEST = 3.5
METER_MARGIN = 44.0
"""What a box's width leaves to the number beside the meter, and to its edges."""


@dataclass(frozen=True)
class Form:
    """Sizes of a lying or standing drawing: a box along and across the flow, and the gaps between boxes."""

    standing: bool
    box_along: float
    box_across: float
    gap_along: float
    gap_across: float

    def point(self, along: float, across: float) -> Point:
        """(x, y) of a place."""
        return (round(across, 1), round(along, 1)) if self.standing else (round(along, 1), round(across, 1))


LYING = Form(False, 92, 50, 29, 11)
STANDING = Form(True, 50, 84, 26, 7)


@dataclass(frozen=True)
class Box:
    """A population or a port; ``meter`` is the width of its rate's bar."""

    x: float
    y: float
    width: float
    height: float
    label: str
    size: str
    rate: str
    meter: float
    role: str
    title: str


@dataclass(frozen=True)
class Frame:
    """A frame around a group."""

    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True)
class Wire:
    """An edge: an SVG path."""

    path: str
    kind: str
    width: float
    skip: bool
    title: str


@dataclass(frozen=True)
class Drawing:
    """One band, drawn."""

    width: float
    height: float
    boxes: list[Box]
    frames: list[Frame]
    wires: list[Wire]


@dataclass(frozen=True)
class BandView:
    """A band with its heading and both drawings."""

    title: str
    neurons: int
    operations: float
    lying: Drawing
    standing: Drawing


def draw(populations: list[PopulationRow], synapses: list[SynapseRow]) -> list[BandView]:
    """Draw a network, one view per band; lying drawings are equally wide, so that their text is of one size."""
    placed = bands(populations, synapses)
    # The rate of an input is the share of its messages that are not 0, which would dwarf all firing rates.
    top_rate = max((row["rate"] for row in populations if row["role"] != "input"), default=0.0) or 1.0
    top_synops = max((_share(s) for s in synapses), default=0.0) or 1.0
    columns = max((band.columns for band in placed), default=1)
    views = []
    for band in placed:
        lying, standing = (_Pen(band, form, top_rate, top_synops).draw(columns) for form in (LYING, STANDING))
        inside = [node.population for node in band.nodes.values() if node.population]
        names = {row["name"] for row in inside}
        operations = sum(s["synops"] + s["macs"] for s in synapses if s["target"] in names)
        neurons = sum(row["neurons"] for row in inside if row["role"] != "input")
        views.append(BandView(TITLE.join(band.layers), neurons, operations, lying, standing))
    return views


def _share(synapse: SynapseRow) -> float:
    """A synapse's operations, divided evenly among its sources."""
    return (synapse["synops"] + synapse["macs"]) / len(synapse["sources"])


class _Pen:
    """Draws one band in one form."""

    def __init__(self, band: Band, form: Form, top_rate: float, top_synops: float) -> None:
        self.band, self.form, self.top_rate, self.top_synops = band, form, top_rate, top_synops
        above = FRAME + FRAME_TITLE  # of a frame, where its title stands
        before, beside = (above, FRAME) if form.standing else (FRAME, above)
        self.lanes_end = MARGIN + band.lanes * LANE_PITCH
        self.first_along = MARGIN + (before if any(group.columns[0] == 0 for group in band.groups) else 0.0)
        self.first_across = self.lanes_end + (4 if band.lanes else 0) + (beside if band.groups else 0.0)
        self.entries = self._entries()

    def draw(self, columns: int) -> Drawing:
        form = self.form
        used = self.band.columns if form.standing else columns
        along = self.first_along + MARGIN + used * form.box_along + (used - 1) * form.gap_along
        across = self.first_across + self.band.rows * form.box_across + (self.band.rows - 1) * form.gap_across + MARGIN
        if self.band.groups:
            across += FRAME
        width, height = form.point(along, across)
        return Drawing(width, height, [self._box(node) for node in self.band.nodes.values()],
                       [self._frame(group) for group in self.band.groups],
                       [self._wire(edge) for edge in self.band.edges])

    def _along(self, column: int) -> float:
        return self.first_along + column * (self.form.box_along + self.form.gap_along)

    def _across(self, row: float) -> float:
        return self.first_across + row * (self.form.box_across + self.form.gap_across)

    def _entries(self) -> dict[tuple[str, str], float]:
        """Where on its target's edge each wire ends, in shares of the box, so that wires do not fall on each other."""
        arriving: dict[str, list[Edge]] = defaultdict(list)
        for edge in self.band.edges:
            arriving[edge.target].append(edge)
        shares = {}
        for target, edges in arriving.items():
            edges.sort(key=lambda e: (-1 - e.lane) if e.lane is not None else self.band.nodes[e.source].row)
            for position, edge in enumerate(edges):
                shares[edge.source, target] = (position + 1) / (len(edges) + 1)
        return shares

    def _box(self, node: Node) -> Box:
        form, row = self.form, node.population
        x, y = form.point(self._along(node.column), self._across(node.row))
        width, height = (form.box_across, form.box_along) if form.standing else (form.box_along, form.box_across)
        if row is None:
            return Box(x, y, width, height, _fit(node.name, width, 5.4), "", "", 0.0, "port", f"from {node.name}")
        label = inner_name(node.name, self.band.layers)
        for group in self.band.groups:
            label = label.removeprefix(f"{group.prefix}.")
        size = "×".join(str(n) for n in row["shape"])
        title = (f"{node.name}: {size} = {row['neurons']:,} neurons, {si(row['spikes'])} spikes per sample, "
                 f"rate {short(row['rate'])}")
        meter = round((width - METER_MARGIN) * min(row["rate"] / self.top_rate, 1.0), 1)
        return Box(x, y, width, height, _fit(label, width, CHARACTER), size,
                   f"{row['rate']:.3f}" if row["rate"] else "0", meter, row["role"], title)

    def _frame(self, group: Group) -> Frame:
        form = self.form
        start = self._along(group.columns[0]) - FRAME, self._across(group.rows[0]) - FRAME
        end = (self._along(group.columns[1]) + form.box_along + FRAME,
               self._across(group.rows[1]) + form.box_across + FRAME)
        (x, y), (right, bottom) = form.point(*start), form.point(*end)
        return Frame(x, y - FRAME_TITLE, right - x, bottom - y + FRAME_TITLE,
                     GROUP_TITLES.get(group.prefix, group.prefix))

    def _wire(self, edge: Edge) -> Wire:
        form = self.form
        source, target = self.band.nodes[edge.source], self.band.nodes[edge.target]
        start = self._along(source.column) + form.box_along
        leave = self._across(source.row) + form.box_across / 2
        end = self._along(target.column)
        enter = self._across(target.row) + form.box_across * self.entries[edge.source, edge.target]
        if edge.lane is not None:
            lane = self.lanes_end - edge.lane * LANE_PITCH
            out, back = start + 7 + 4 * edge.lane, end - 9 - 4 * edge.lane
            path = self._rounded([(start, leave), (out, leave), (out, lane), (back, lane), (back, enter), (end, enter)])
        else:
            turn = end - form.gap_along
            middle = (turn + end) / 2
            path = self._path("M", (start, leave)) + self._path("L", (turn, leave)) + \
                self._path("C", (middle, leave), (middle, enter), (end, enter))
        operations = sum(_share(synapse) for synapse in edge.synapses)
        names = ", ".join(f"{s['name']} ({s['kind']})" for s in edge.synapses)
        return Wire(path, edge.synapses[0]["kind"], round(1 + (WIDEST - 1) * math.sqrt(min(operations / self.top_synops,
                    1.0)), 2), target.column - source.column > 1,
                    f"{edge.source} → {edge.target}: {names}; {si(operations)} operations per sample")

    def _path(self, command: str, *points: Point) -> str:
        return command + " ".join("{:g},{:g}".format(*self.form.point(*point)) for point in points)

    def _rounded(self, points: list[Point]) -> str:
        """A polyline along the axes with round corners."""
        path = self._path("M", points[0])
        for before, corner, after in zip(points, points[1:], points[2:]):
            radius = min(CORNER, math.dist(before, corner) / 2, math.dist(corner, after) / 2)
            path += self._path("L", _towards(corner, before, radius))
            path += self._path("Q", corner, _towards(corner, after, radius))
        return path + self._path("L", points[-1])


def _towards(start: Point, end: Point, distance: float) -> Point:
    length = math.dist(start, end) or 1.0
    return (start[0] + (end[0] - start[0]) * distance / length, start[1] + (end[1] - start[1]) * distance / length)


def _fit(text: str, width: float, character: float) -> str:
    most = int((width - 10) / character)
    return text if len(text) <= most else text[:most - 1] + "…"
