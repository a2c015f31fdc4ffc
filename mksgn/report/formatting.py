"""Numbers as a reader wants them: three significant digits, a unit, thin spaces."""

from __future__ import annotations

import math
from collections.abc import Callable

from mksgn.report.schema import Value

THIN = "\u202f"
NOTHING = "\u2013"
_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_DIGITS = 3


def significant(value: float) -> str:
    """Three significant digits without an exponent: 152, 15.2, 0.00152; whole numbers below 1000 as they are."""
    if value == 0 or (value == int(value) and abs(value) < 1000):
        return f"{int(value)}"
    decimals = _DIGITS - 1 - math.floor(math.log10(abs(value)))
    return f"{round(value, decimals):.{max(decimals, 0)}f}"


def si(value: float | None, unit: str = "") -> str:
    """A count with its prefix: ``1.06 M``. None is a dash."""
    if value is None:
        return NOTHING
    for size, prefix in _PREFIXES:
        # 999,600 rounds to 1.00 M, not to 1000 k.
        if abs(value) >= size * (1 - 0.5 * 10**-_DIGITS):
            return f"{significant(value / size) if abs(value) >= size else '1.00'}{THIN}{prefix}{unit}"
    return significant(value) + (THIN + unit if unit else "")


def whole(value: float | None) -> str:
    """All digits, grouped; a fraction only where the number is small."""
    if value is None:
        return NOTHING
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return significant(value)


def energy(value_mj: float | None) -> str:
    """Millijoules, or the unit below or above that reads better."""
    if value_mj is None:
        return NOTHING
    for size, unit in ((1e3, "J"), (1.0, "mJ"), (1e-3, "µJ"), (1e-6, "nJ")):
        if value_mj >= size or (unit == "mJ" and value_mj >= 0.01):
            return f"{significant(value_mj / size)}{THIN}{unit}"
    return f"0{THIN}mJ" if value_mj == 0 else f"{significant(value_mj * 1e9)}{THIN}pJ"


def milliseconds(value_ms: float | None) -> str:
    """Milliseconds, or microseconds below a hundredth of one."""
    if value_ms is None:
        return NOTHING
    return f"{significant(value_ms)}{THIN}ms" if value_ms == 0 or value_ms >= 0.01 else \
        f"{significant(value_ms * 1000)}{THIN}µs"


def percent(value: float | None, decimals: int = 1) -> str:
    """A share of one as per cent."""
    return NOTHING if value is None else f"{100 * value:.{decimals}f}{THIN}%"


def factor(value: float | None) -> str:
    """A factor, ``×0.93``."""
    return NOTHING if value is None else f"×{significant(value)}"


def short(value: float | None) -> str:
    """A rate or utilisation to three digits."""
    return NOTHING if value is None else significant(value)


def middle(value: Value) -> float:
    """A number, or the middle of a range."""
    return sum(value) / len(value) if isinstance(value, list) else value


def ends(value: Value) -> tuple[float, float]:
    """Low and high end; a number is both."""
    return (value[0], value[-1]) if isinstance(value, list) else (value, value)


def spanned(form: Callable[[float | None], str]) -> Callable[[Value | None], str]:
    """A formatter of numbers for ranges, too: ``1.2 mJ to 3.4 mJ``, the unit once where both have the same."""
    def formatted(value: Value | None) -> str:
        if not isinstance(value, list):
            return form(value)
        low, high = (form(end) for end in ends(value))
        if low == high:
            return low
        number, _, unit = low.partition(THIN)
        return f"{number}{NOTHING}{high}" if unit == high.partition(THIN)[2] else f"{low} {NOTHING} {high}"
    return formatted


FILTERS = {"si": spanned(si), "whole": whole, "energy": spanned(energy), "ms": spanned(milliseconds), "middle": middle,
           "percent": percent, "factor": factor, "short": short}
