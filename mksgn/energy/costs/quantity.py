"""Numbers that are known between two bounds, and constants that say where they come from."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

BASES = ("published", "measured", "derived", "assumed", "not modelled")
"""The basis of a constant: its source prints it as a figure of design or simulation; it was measured on silicon; it is
computed here from published figures; it is chosen here for want of a figure; or the model leaves it out (value 0)."""


@dataclass(frozen=True)
class Range:
    """A quantity known to lie between ``low`` and ``high``; one number where they are equal.

    Parameters
    ----------
    low, high : float
    middle : float, optional
        The best estimate where there is one (:attr:`CostModel.best_estimate`), else the mean of the bounds: for sorting
        and drawing.
    """

    low: float
    high: float
    middle: float = field(default=math.nan, compare=False)

    def __post_init__(self) -> None:
        if math.isnan(self.middle):
            object.__setattr__(self, "middle", (self.low + self.high) / 2)

    @property
    def exact(self) -> bool:
        """Whether it is one number."""
        return self.low == self.high

    @property
    def bounds(self) -> np.ndarray:
        """``[low, high]``, float64 (2,)."""
        return np.array([self.low, self.high])

    @property
    def values(self) -> np.ndarray:
        """``[low, middle, high]``, float64 (3,): sums, products and maxima of ranges above 0 are those of these."""
        return np.array([self.low, self.middle, self.high])

    @classmethod
    def of(cls, values: np.ndarray) -> Range:
        """From ``[low, middle, high]``, or from ``[low, high]``."""
        low, *middle, high = (float(value) for value in values)
        return cls(low, high, *middle)

    def per(self, amount: float) -> Range:
        """``amount`` over this range, such as a rate of a period: the bounds change places."""
        return Range.of(amount / self.values[::-1])

    def text(self, digits: int = 3) -> str:
        """As "1.23" or "1.23–4.56", ``digits`` significant digits, no more than a number of this kind carries."""
        low, high = (_significant(bound, digits) for bound in (self.low, self.high))
        return low if low == high else f"{low}–{high}"

    def best_text(self, digits: int = 3) -> str:
        """As "2.3 (1.2–4.5)": the middle as the best estimate, and the bounds."""
        spread = self.text(digits)
        return spread if self.exact else f"{_significant(self.middle, digits)} ({spread})"

    def __str__(self) -> str:
        return self.text()


def _significant(value: float, digits: int) -> str:
    """``value`` to significant digits, with thousands separators and without an exponent where that is readable."""
    if value == 0 or 1e-4 <= abs(value) < 1e9:
        rounded = float(f"{value:.{digits}g}")
        decimals = max(0, digits - 1 - int(np.floor(np.log10(abs(rounded))))) if rounded else 0
        return f"{rounded:,.{decimals}f}"
    return f"{value:.{digits - 1}e}"


@dataclass(frozen=True)
class Constant:
    """One entry of a cost table.

    Parameters
    ----------
    value : Range
        In ``unit``.
    unit : str
    source : str
        Publication and table, so that it can be looked up.
    basis : str
        One of :data:`BASES`.
    note : str
        How it was derived, or why it was assumed.
    best_estimate : bool
        The table states the middle of ``value``.
    """

    value: Range
    unit: str
    source: str
    basis: str
    note: str = ""
    best_estimate: bool = False
