"""Charts of what the network does: firing rates against Table 6, operations against Eq. 33, synops over samples."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mksgn.report.axes import Axis, linear_axis, log_axis, ratio_axis, span_axis
from mksgn.report.layout import TITLE, by_layers, inner_name, layers_of
from mksgn.report.schema import PopulationRow, Samples, SynapseRow

MOST_BINS = 24
QUANTILES = ((0.0, "least"), (0.05, "5 %"), (0.5, "median"), (0.95, "95 %"), (1.0, "most"))


@dataclass(frozen=True)
class Pair:
    """Two values of one row on an axis, in per cent: ours, and what it is held against; None where there is none."""

    name: str
    at: float | None
    other: float | None
    row: PopulationRow | SynapseRow


@dataclass(frozen=True)
class Panel:
    """The rows of one layer, or of small neighbouring ones; all panels of a chart share its axis."""

    title: str
    pairs: list[Pair]


@dataclass(frozen=True)
class PairChart:
    """Panels on one axis."""

    axis: Axis
    panels: list[Panel]


def rate_chart(populations: list[PopulationRow]) -> PairChart:
    """Firing rate of every spiking population beside Table 6 (logarithmic: the two are decades apart)."""
    rows = [row for row in populations if row["role"] == "hidden" or row["spikes"] > 0]
    axis = log_axis([row["rate"] for row in rows] + [row["table6_rate"] or 0.0 for row in rows], most_ticks=3)
    panels = []
    for members in by_layers(rows):
        layers = layers_of(members)
        panels.append(Panel(TITLE.join(layers), [
            Pair(inner_name(row["name"], layers), axis(row["rate"]),
                 None if row["table6_rate"] is None else axis(row["table6_rate"]), row) for row in members]))
    return PairChart(axis, panels)


def operations_chart(synapses: list[SynapseRow]) -> PairChart:
    """Counted over theoretical operations of every synapse; Eq. 33 stands at 1."""
    axis = ratio_axis(row["ratio"] for row in synapses if row["ratio"] is not None)
    panels = []
    for members in by_layers(synapses):
        layers = layers_of(members)
        panels.append(Panel(TITLE.join(layers), [
            Pair(inner_name(row["name"], layers), None if row["ratio"] is None else axis(row["ratio"]), axis(1.0), row)
            for row in members]))
    return PairChart(axis, panels)


@dataclass(frozen=True)
class Step:
    """What is left of Eq. 33 after one cause.

    Bars in per cent of the longest one: ``width`` of what is left, ``kept`` of what this step left untouched,
    ``changed`` of what it took away or (``gain``) added.
    """

    cause: str
    factor: float | None
    sops: float
    width: float
    kept: float
    changed: float
    gain: bool


def causes_of_ratio(synapses: list[SynapseRow]) -> list[Step]:
    """From Eq. 33 to the count over all spiking synapses, one cause after the other.

    A cause's factor for the whole network is what its factors per synapse leave of the operations that the causes
    before it left; so the factors multiply to the ratio of the totals.
    """
    rows = [row for row in synapses if row["theoretical_sops"] > 0]
    if not rows:
        return []
    left = np.array([row["theoretical_sops"] for row in rows])
    totals = [("Eq. 33", float(left.sum()))]
    for cause in dict.fromkeys(name for row in rows for name in row["causes"]):
        left = left * np.array([row["causes"].get(cause, 1.0) for row in rows])
        totals.append((cause, float(left.sum())))
    theory = totals[0][1]
    totals.append(("counted", float(sum(row["synops"] for row in rows))))
    longest = max(sops for _, sops in totals)
    steps = [Step("Eq. 33", None, theory, _percent(theory, longest), 0.0, 0.0, False)]
    for (_, before), (cause, sops) in pairwise(totals):
        over = theory if cause == "counted" else before
        steps.append(Step(cause, sops / over if over else None, sops, _percent(sops, longest),
                          _percent(min(before, sops), longest), _percent(abs(before - sops), longest), sops > before))
    return steps


def _percent(value: float, of: float) -> float:
    return round(100 * value / of, 2)


@dataclass(frozen=True)
class Bin:
    """One column of a histogram; positions and heights in per cent."""

    low: float
    high: float
    right: int
    wrong: int
    x: float
    width: float
    right_height: float
    wrong_height: float


@dataclass(frozen=True)
class Histogram:
    """Synops over samples, recognised ones below."""

    bins: list[Bin]
    axis: Axis
    counts: Axis
    labelled: bool
    quantiles: list[tuple[str, float]]
    median_at: float
    mean_right: float | None
    mean_wrong: float | None


def histogram(samples: Samples) -> Histogram | None:
    """How the synops of a sample vary; None without samples."""
    synops = np.array(samples["synops"], dtype=np.float64)
    if not synops.size:
        return None
    labelled = bool(samples["correct"])
    right = np.array(samples["correct"], dtype=bool) if labelled else np.ones(synops.size, dtype=bool)
    edges = np.histogram_bin_edges(synops, bins=int(min(MOST_BINS, max(4, np.sqrt(synops.size)))))
    hits, _ = np.histogram(synops[right], edges)
    misses, _ = np.histogram(synops[~right], edges)
    # Not from zero: the spread is what this chart is about, and its numbers stand on the axis.
    axis = span_axis(float(edges[0]), float(edges[-1]))
    counts = linear_axis(float((hits + misses).max()), 4)
    bins = [Bin(float(a), float(b), int(h), int(m), axis(a), round(axis(b) - axis(a), 2), counts(h), counts(m))
            for a, b, h, m in zip(edges, edges[1:], hits, misses)]
    quantiles = [(name, float(np.quantile(synops, q))) for q, name in QUANTILES]
    median = float(np.median(synops))
    return Histogram(bins, axis, counts, labelled, quantiles, axis(median),
                     float(synops[right].mean()) if labelled and right.any() else None,
                     float(synops[~right].mean()) if labelled and not right.all() else None)

