"""The report's charts: numbers and axes, sums and shares by hand, and a drawing in which nothing overlaps."""

from __future__ import annotations

import math
from itertools import combinations, pairwise
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_record import SAMPLES, shipped_record

from mksgn.report import axes
from mksgn.report.activity import causes_of_ratio, histogram
from mksgn.report.classes import class_view
from mksgn.report.cores import core_view
from mksgn.report.drawing import draw
from mksgn.report.energy_view import energy_chart
from mksgn.report.formatting import THIN, energy, milliseconds, si, significant, spanned
from mksgn.report.layout import CLEARANCE, bands

Row = dict[str, Any]


@pytest.fixture(scope="module")
def shipped() -> Row:
    return shipped_record()


# Numbers


@given(st.floats(1e-12, 1e14))
def test_a_shown_count_is_the_count_to_three_digits(value: float) -> None:
    number, _, prefix = si(value).partition(THIN)
    shown = float(number) * {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}[prefix]
    assert math.isclose(shown, value, rel_tol=0.0051)
    assert "e" not in number
    assert float(number) < 1000 or prefix == "T"


@given(st.floats(1e-12, 1e6))
def test_a_shown_energy_is_the_energy(value_mj: float) -> None:
    number, unit = energy(value_mj).split(THIN)
    shown = float(number) * {"J": 1e3, "mJ": 1.0, "µJ": 1e-3, "nJ": 1e-6, "pJ": 1e-9}[unit]
    assert math.isclose(shown, value_mj, rel_tol=0.0051)


@pytest.mark.parametrize(("text", "shown"), [
    (significant(0), "0"), (significant(0.154996), "0.155"), (significant(12.345), "12.3"), (significant(7.0), "7"),
    (si(999_600), f"1.00{THIN}M"), (si(999.9), f"1.00{THIN}k"), (si(1_060_121), f"1.06{THIN}M"),
    (energy(0), f"0{THIN}mJ"), (energy(0.0055), f"5.50{THIN}µJ"), (milliseconds(0.002), f"2{THIN}µs"),
    (spanned(energy)([1.2, 3.4]), f"1.20–3.40{THIN}mJ"), (spanned(energy)([2.5, 2.5]), f"2.50{THIN}mJ"),
    (spanned(si)([500.0, 2000.0]), f"500 – 2{THIN}k"), (spanned(si)(None), "–"),
])
def test_numbers_as_a_reader_wants_them(text: str, shown: str) -> None:
    assert text == shown


@given(st.lists(st.floats(1e-9, 1e12), min_size=1, max_size=9))
def test_axes_hold_their_values_in_order(values: list[float]) -> None:
    values.sort()
    for axis in (axes.log_axis(values), axes.linear_axis(values[-1]), axes.ratio_axis(values),
                 axes.span_axis(values[0], values[-1])):
        at = [axis(value) for value in values]
        assert at == sorted(at) and at[0] >= 0 and at[-1] <= 100
        ticks = [tick.at for tick in axis.ticks]
        assert ticks == sorted(set(ticks)) and all(0 <= tick <= 100 for tick in ticks)
        assert len([tick for tick in axis.ticks if tick.label]) <= 6


def test_ticks_stand_where_they_say() -> None:
    axis = axes.log_axis([0.004, 0.3])
    assert [(tick.at, tick.label) for tick in axis.ticks] == [(0, "0.001"), (33.33, "0.01"), (66.67, "0.1"), (100, "1")]
    assert axis(0.01) == 33.33 and axis(0) == 0
    assert [tick.label for tick in axes.linear_axis(55).ticks] == ["0", "20", "40", "60"]
    assert [tick.label for tick in axes.ratio_axis([0.05, 3.0]).ticks] == ["×1/32", "×1", "×4"]


def test_causes_multiply_to_the_ratio_of_the_totals() -> None:
    """100 and 300 operations in theory; 100 x 0.5 x 1 and 300 x 1 x 1.2 counted."""
    rows = [{"theoretical_sops": 100.0, "synops": 50.0, "causes": {"zero weights": 0.5, "uneven firing": 1.0}},
            {"theoretical_sops": 300.0, "synops": 360.0, "causes": {"zero weights": 1.0, "uneven firing": 1.2}},
            {"theoretical_sops": 0.0, "synops": 0.0, "causes": {}}]
    steps = causes_of_ratio(cast(Any, rows))
    assert [(step.cause, step.sops) for step in steps] == [
        ("Eq. 33", 400.0), ("zero weights", 350.0), ("uneven firing", 410.0), ("counted", 410.0)]
    assert [step.factor for step in steps] == [None, 350 / 400, 410 / 350, 410 / 400]
    assert [step.gain for step in steps] == [False, False, True, False]
    assert steps[2].kept + steps[2].changed == pytest.approx(steps[2].width, abs=0.02)


def test_the_histogram_counts_every_sample_once(shipped: Row) -> None:
    spread = histogram(shipped["samples"])
    assert spread is not None
    assert sum(b.right for b in spread.bins) == sum(shipped["samples"]["correct"])
    assert sum(b.right + b.wrong for b in spread.bins) == SAMPLES
    assert histogram({"synops": [], "correct": []}) is None
    same = histogram({"synops": [5.0, 5.0], "correct": []})
    assert same is not None and sum(b.right for b in same.bins) == 2 and not same.labelled


def test_recall_and_precision_by_hand() -> None:
    view = class_view({"labels": ["a", "b", "c"], "matrix": [[3, 1, 0], [2, 2, 0], [0, 0, 0]]})
    assert view.recall == [0.75, 0.5, None]
    assert view.precision == [3 / 5, 2 / 3, None]
    assert [(cell.row, cell.column, cell.count) for cell in view.worst] == [(1, 0, 2), (0, 1, 1)]


def test_shares_of_energy_fill_the_bar(shipped: Row) -> None:
    chart = energy_chart(shipped["cost_models"])
    for model in chart.models:
        for bar in (model.terms, model.layers):
            assert sum(segment.width for segment in bar) == pytest.approx(100, abs=0.05)
            for left, right in pairwise(bar):
                assert left.x + left.width == pytest.approx(right.x, abs=0.01)
    assert len({number for number in chart.terms.values()}) == len(chart.terms)


def test_cores_stand_where_the_board_has_them() -> None:
    def core(index: int, chip: int, load: float) -> Row:
        return {"index": index, "chip": chip, "populations": [f"p{i}" for i in range(6)], "neurons": 5, "load": load,
                "neuron_utilisation": 0.5, "memory_utilisation": 0.25, "synops": 1.0, "messages_in": 1.0}

    mapping: Any = {
        "board": "b", "chips": 2, "cores": 3, "core_list": [core(0, 0, 1.0), core(3, 0, 4.0), core(5, 1, 2.0)],
        "limits": {"cores_per_chip": 4, "core_mesh": [2, 2], "sources": {"cores_per_chip": "a page"}},
        "busiest": {"index": 3, "why": "work"}, "problems": [],
        "objective": "time", "traffic": {}}
    view = core_view(mapping)
    assert [[cell.heat for cell in chip.cells] for chip in view.chips] == [
        [0.25, None, None, 1.0], [None, 0.5, None, None]]
    assert [(cell.x, cell.y) for cell in view.chips[0].cells] == [(0, 0), (10, 0), (0, 10), (10, 10)]
    assert [cell.busiest for cell in view.chips[0].cells] == [False, False, False, True]
    assert view.top[0]["index"] == 3 and view.mean_neurons == 0.5
    assert [(limit.name, limit.value, limit.source) for limit in view.limits] == [
        ("cores per chip", "4", "a page"), ("core mesh", "2 × 2", "")]
    assert "p3 and 2 more" in view.chips[0].cells[0].title


# The drawing


@st.composite
def networks(draw_from: st.DrawFn) -> tuple[list[Row], list[Row]]:
    """A random directed acyclic network of a few layers."""
    count = draw_from(st.integers(2, 24))
    layers = draw_from(st.integers(1, 4))
    cuts = sorted(draw_from(st.lists(st.integers(0, count), min_size=layers - 1, max_size=layers - 1)))
    populations = [{"name": f"n{i}", "layer": f"layer{sum(cut <= i for cut in cuts)}", "shape": [1, 2, 3], "neurons": 6,
                    "spikes": 1.0, "rate": 0.1, "role": "hidden" if i else "input"} for i in range(count)]
    synapses = []
    for target in range(1, count):
        for source in draw_from(st.lists(st.integers(0, target - 1), min_size=1, max_size=4, unique=True)):
            synapses.append({"name": f"{source}-{target}", "kind": "conv", "sources": [f"n{source}"],
                             "target": f"n{target}", "synops": 1.0, "macs": 0.0})
    return populations, synapses


@settings(max_examples=60, deadline=None)
@given(networks())
def test_boxes_do_not_overlap_and_lines_pass_them_by(network: tuple[list[Row], list[Row]]) -> None:
    populations, synapses = network
    check_drawing(cast(Any, populations), cast(Any, synapses))


def check_drawing(populations: Any, synapses: Any) -> None:
    views = draw(populations, synapses)
    placed = bands(populations, synapses)
    drawn = [node.name for band in placed for node in band.nodes.values() if node.population]
    assert sorted(drawn) == sorted(row["name"] for row in populations)
    edges = {(edge.source, edge.target) for band in placed for edge in band.edges}
    assert edges == {(source, s["target"]) for s in synapses for source in s["sources"]}
    for view, band in zip(views, placed):
        for drawing in (view.lying, view.standing):
            for box in drawing.boxes:
                assert box.x >= 0 and box.x + box.width <= drawing.width + 0.2
                assert box.y >= 0 and box.y + box.height <= drawing.height + 0.2
            for a, b in combinations(drawing.boxes, 2):
                assert a.x + a.width <= b.x or b.x + b.width <= a.x or a.y + a.height <= b.y or b.y + b.height <= a.y
        spans: dict[int, dict[str, tuple[int, int]]] = {}
        for edge in band.edges:
            source, target = band.nodes[edge.source], band.nodes[edge.target]
            assert source.column < target.column
            if edge.lane is None:
                between = [node for node in band.nodes.values() if source.column < node.column < target.column]
                assert all(abs(node.row - source.row) >= CLEARANCE for node in between)
            else:
                start, end = spans.setdefault(edge.lane, {}).get(edge.source, (source.column, 0))
                spans[edge.lane][edge.source] = (start, max(end, target.column))
        for lane in spans.values():
            for first, second in combinations(lane.values(), 2):
                assert first[1] <= second[0] or second[1] <= first[0]


def test_the_shipped_network_shows_attention_and_branches(shipped: Row) -> None:
    check_drawing(shipped["populations"], shipped["synapses"])
    views = {view.title: view for view in draw(shipped["populations"], shipped["synapses"])}
    assert list(views) == ["input · sc", *(f"block{i}" for i in range(1, 7)), "head"]
    assert all([frame.title for frame in views[f"block{i}"].lying.frames] == ["spiking attention (SG-SA)"]
               for i in range(1, 7))
    lanes = {edge.source for band in bands(shipped["populations"], shipped["synapses"]) if band.layers == ["block3"]
             for edge in band.edges if edge.lane is not None and edge.target == "block3.stc"}
    assert lanes == {"block3.lif1", "block3.lif2", "block3.sgsa.out"}
    assert max(view.standing.width for view in views.values()) < 330, "a phone would have to shrink it"
