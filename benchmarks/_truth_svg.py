"""Published against modelled figures as a scatter plot: a panel per quantity, logarithmic, with a band of factor 2."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

PANEL, GAP, LEFT, TOP, BOTTOM = 250.0, 74.0, 66.0, 62.0, 62.0
SPACE = 0.18
"""Room around the points, in decades."""
NAME_ROOM = 15.0
LIGHT = {"page": "#ffffff", "edge": "#d0d7de", "ink": "#1f2328", "soft": "#656d76", "band": "#eaf3f8",
         "mark": "#0b6e99"}
DARK = {"page": "#0d1117", "edge": "#30363d", "ink": "#e6edf3", "soft": "#8d96a0", "band": "#13293a",
        "mark": "#56b4e9"}


@dataclass(frozen=True)
class Point:
    """A run: what was published, and what we say of it from ``low`` to ``high``; ``number`` stands in the legend."""

    number: int
    published: float
    low: float
    middle: float
    high: float


@dataclass(frozen=True)
class Panel:
    """One quantity."""

    title: str
    unit: str
    points: Sequence[Point]


def svg_of(panels: Sequence[Panel], names: Sequence[str]) -> str:
    """The picture; ``names`` by number from 1. Its colours follow the reader's light or dark mode."""
    width = LEFT + len(panels) * (PANEL + GAP) - GAP + 28
    rows = -(-len(names) // len(panels))
    height = TOP + PANEL + BOTTOM + rows * NAME_ROOM + 18
    body: list[str] = []
    for number, panel in enumerate(panels):
        body += _panel(panel, LEFT + number * (PANEL + GAP))
    for number, name in enumerate(names):
        column, row = divmod(number, rows)
        body.append(_text(LEFT + column * (PANEL + GAP), TOP + PANEL + BOTTOM + row * NAME_ROOM,
                          f"{number + 1}  {name}", "soft"))
    described = "; ".join(f"{panel.title}: {len(panel.points)} runs" for panel in panels)
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" aria-labelledby="t d">',
        '<title id="t">Published runs on Loihi 2 against our model</title>',
        f'<desc id="d">{escape(described)}. Each run is predicted by the runs of all other works.</desc>',
        f"<style>{_style()}</style>",
        f'<rect class="page" x="0.5" y="0.5" width="{width - 1:g}" height="{height - 1:g}" rx="10"/>',
        _text(LEFT, 26, "Each run predicted by the others, cores by the mapper's rules; the band is a factor of 2",
              "soft"), *body, "</svg>", ""])


def _style() -> str:
    def rules(c: dict[str, str]) -> str:
        return (f".page{{fill:{c['page']};stroke:{c['edge']}}}.ink{{fill:{c['ink']}}}.soft{{fill:{c['soft']}}}"
                f".band{{fill:{c['band']}}}.frame{{stroke:{c['edge']};fill:none}}.even{{stroke:{c['soft']}}}"
                f".dot{{fill:{c['mark']}}}.spread{{stroke:{c['mark']}}}")
    return ("text{font-family:system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;font-size:11.5px}"
            ".head{font-size:13.5px;font-weight:600}.end{text-anchor:end}.mid{text-anchor:middle}"
            f".even{{stroke-dasharray:3 3}}.spread{{stroke-width:1.6;opacity:.55}}{rules(LIGHT)}"
            f"@media(prefers-color-scheme:dark){{{rules(DARK)}}}")


def _text(x: float, y: float, content: str, classes: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{classes}">{escape(content)}</text>'


def _panel(panel: Panel, left: float) -> list[str]:
    values = [value for point in panel.points for value in (point.published, point.middle)]
    low, high = math.log10(min(values)) - SPACE, math.log10(max(values)) + SPACE

    def at(value: float) -> float:
        return PANEL * min(max((math.log10(value) - low) / (high - low), 0.0), 1.0)

    def x(value: float) -> float:
        return left + at(value)

    def y(value: float) -> float:
        return TOP + PANEL - at(value)

    first, last = 10**low, 10**high
    corners = ((first, 2 * first), (last / 2, last), (last, last), (last, last / 2), (2 * first, first), (first, first))
    band = " ".join(f"{x(across):.1f},{y(up):.1f}" for across, up in corners)
    drawn = [f'<polygon class="band" points="{band}"/>',
             f'<path class="even" d="M{x(first):.1f} {y(first):.1f}L{x(last):.1f} {y(last):.1f}"/>',
             f'<rect class="frame" x="{left:g}" y="{TOP:g}" width="{PANEL:g}" height="{PANEL:g}"/>',
             _text(left, TOP - 12, panel.title, "head ink"),
             _text(left + PANEL / 2, TOP + PANEL + 34, f"published, {panel.unit}", "mid soft"),
             f'<g transform="translate({left - 46:g} {TOP + PANEL / 2:g}) rotate(-90)">'
             f'{_text(0, 0, f"modelled, {panel.unit}", "mid soft")}</g>']
    for value in _ticks(low, high):
        drawn += [_text(x(value), TOP + PANEL + 16, f"{value:g}", "mid soft"),
                  _text(left - 7, y(value) + 4, f"{value:g}", "end soft"),
                  f'<path class="frame" d="M{x(value):.1f} {TOP + PANEL:g}v-5M{left:g} {y(value):.1f}h5"/>']
    for point in panel.points:
        across = x(point.published)
        drawn.append(f'<path class="spread" d="M{across:.1f} {y(point.low):.1f}V{y(point.high):.1f}"/>')
        drawn.append(f'<circle class="dot" cx="{across:.1f}" cy="{y(point.middle):.1f}" r="3.6"/>')
    return drawn + _numbers(panel.points, x, y, left + 0.85 * PANEL)


def _numbers(points: Sequence[Point], x: Callable[[float], float], y: Callable[[float], float],
             right: float) -> list[str]:
    """The number of each point beside it, on its left beyond ``right``; points at one place share a label."""
    places: dict[tuple[int, int], list[int]] = {}
    for point in points:
        places.setdefault((round(x(point.published) / 12), round(y(point.middle) / 12)), []).append(point.number)
    where = {point.number: (x(point.published), y(point.middle)) for point in points}
    drawn = []
    for numbers in places.values():
        across, up = where[numbers[0]]
        beyond = across > right
        drawn.append(_text(across + (-6 if beyond else 6), up - 5, ", ".join(map(str, numbers)),
                           "end ink" if beyond else "ink"))
    return drawn


def _ticks(low: float, high: float) -> list[float]:
    """Powers of ten, and with few of them also 2 and 5 times these."""
    wide = high - low > 2
    found = [factor * 10.0**power for power in range(math.floor(low), math.ceil(high) + 1)
             for factor in ((1,) if wide else (1, 2, 5))]
    return [value for value in found if low <= math.log10(value) <= high]
