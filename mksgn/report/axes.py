"""Axes of charts: where a number stands, in per cent of the axis, and its ticks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from mksgn.report.formatting import THIN, si

STEPS = (1, 2, 5, 10)


@dataclass(frozen=True)
class Tick:
    """A labelled position, in per cent. ``anchor`` keeps the labels at the ends inside the axis."""

    at: float
    label: str

    @property
    def anchor(self) -> str:
        return "start" if self.at < 5 else "end" if self.at > 95 else "middle"


@dataclass(frozen=True)
class Axis:
    """A linear axis from 0, or a logarithmic one from ``low`` > 0, up to ``high``."""

    low: float
    high: float
    log: bool
    ticks: tuple[Tick, ...]

    def __call__(self, value: float) -> float:
        """Position of ``value`` in per cent; on a logarithmic axis zero stands at its lower end."""
        return _position(value, self.low, self.high, self.log)


def _position(value: float, low: float, high: float, log: bool) -> float:
    if log:
        share = 0.0 if value <= low else math.log(value / low) / math.log(high / low)
    else:
        share = (value - low) / (high - low)
    return round(100 * min(max(share, 0.0), 1.0), 2)


def log_axis(values: Iterable[float], most_ticks: int = 5) -> Axis:
    """Whole decades around the positive ``values``."""
    positive = [value for value in values if value > 0] or [1.0]
    first, last = math.floor(math.log10(min(positive))), math.ceil(math.log10(max(positive)))
    last = max(last, first + 1)
    low, high = 10.0**first, 10.0**last
    every = math.ceil((last - first) / max(most_ticks - 1, 1))
    # Every decade has a line; labels where there is room.
    ticks = [Tick(_position(10.0**e, low, high, True), tick_label(10.0**e) if (last - e) % every == 0 else "")
             for e in range(first, last + 1)]
    return Axis(low, high, True, tuple(ticks))


def linear_axis(high: float, most_ticks: int = 5) -> Axis:
    """From 0 to a round number at or above ``high``."""
    if high <= 0:
        high = 1.0
    step = _step(high, most_ticks)
    count = math.ceil(high / step - 1e-6)
    top = step * count
    return Axis(0.0, top, False, tuple(Tick(round(100 * i / count, 2), tick_label(step * i)) for i in range(count + 1)))


def span_axis(low: float, high: float, most_ticks: int = 5) -> Axis:
    """Over [low, high], which need not be round, with round ticks inside."""
    step = _step((high - low) or abs(high) or 1.0, most_ticks)
    high = max(high, low + step * 1e-6)
    first = math.ceil(low / step - 1e-9)
    count = math.floor(high / step + 1e-9) - first + 1
    shown = [step * (first + i) for i in range(count)]
    return Axis(low, high, False, tuple(Tick(_position(at, low, high, False), tick_label(at)) for at in shown))


def _step(span: float, most: int) -> float:
    """The smallest of 1, 2, 5 times a power of ten of which ``most`` cover ``span``."""
    power = 10.0 ** math.floor(math.log10(span / most))
    return next(power * s for s in STEPS if power * s * most >= span * (1 - 1e-9))


def ratio_axis(ratios: Iterable[float]) -> Axis:
    """Logarithmic, with 1 inside: from 1/2 to 2, or by powers of two as far as the positive ``ratios`` reach."""
    powers = [math.log2(ratio) for ratio in ratios if ratio > 0]
    low, high = (2.0**power for power in (min(-1, math.floor(min(powers, default=0) + 1e-9)),
                                          max(1, math.ceil(max(powers, default=0) - 1e-9))))
    shown = ((low, f"1/{1 / low:.0f}"), (1.0, "1"), (high, f"{high:.0f}"))
    return Axis(low, high, True, tuple(Tick(_position(ratio, low, high, True), f"×{text}") for ratio, text in shown))


def tick_label(value: float) -> str:
    """A round number without zeros at its end: 0.01, 20, 1 M."""
    number, thin, prefix = si(value).partition(THIN)
    return (number.rstrip("0").rstrip(".") if "." in number else number) + thin + prefix
