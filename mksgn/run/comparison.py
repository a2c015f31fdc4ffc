"""Comparing two recorded runs, spike by spike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mksgn.run.backend import RunResult


@dataclass(frozen=True)
class Difference:
    """The first element at which two runs differ."""

    quantity: str
    population: str
    sample: int
    step: int
    position: tuple[int, int, int]
    left: int
    right: int

    def __str__(self) -> str:
        channel, frame, joint = self.position
        return (f"{self.quantity} of {self.population} differ first at sample {self.sample}, step {self.step}, "
                f"channel {channel}, frame {frame}, joint {joint}: {self.left} against {self.right}")


@dataclass(frozen=True)
class Comparison:
    """How two runs compare, population by population."""

    populations: int
    spikes_compared: int
    states_compared: int
    differing: dict[str, int]
    first: Difference | None

    @property
    def equal(self) -> bool:
        """Whether every compared element agrees."""
        return self.first is None


def compare(left: RunResult, right: RunResult, order: tuple[str, ...]) -> Comparison:
    """Compare two recorded runs element by element, populations in ``order`` (upstream first).

    The first difference is the earliest in network order, then sample, then step: the place where
    a bug entered, not where it was amplified. States are compared where both runs hold them.

    Raises
    ------
    ValueError
        When a population of ``order`` is missing from either run or shapes differ: an incomplete
        comparison must not look like agreement.
    """
    differing: dict[str, int] = {}
    first: Difference | None = None
    spikes = states = 0
    for name in order:
        for quantity, a, b in _pairs(left, right, name):
            if quantity == "spikes":
                spikes += a.size
            else:
                states += a.size
            unequal = a != b
            if unequal.any():
                differing[f"{quantity} {name}"] = int(unequal.sum())
                if first is None:
                    # (N, T, C, F, V): earliest sample, then step.
                    n, t, c, f, v = (int(i) for i in np.argwhere(np.moveaxis(unequal, -1, 1))[0])
                    first = Difference(quantity, name, n, t, (c, f, v), int(a[n, c, f, v, t]), int(b[n, c, f, v, t]))
    return Comparison(len(order), spikes, states, differing, first)


def _pairs(left: RunResult, right: RunResult, name: str) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    for quantity in ("u", "v", "spikes"):
        a, b = getattr(left, quantity), getattr(right, quantity)
        if name in a and name in b:
            if a[name].shape != b[name].shape:
                raise ValueError(f"{quantity} of {name}: shapes {a[name].shape} and {b[name].shape}")
            yield quantity, a[name], b[name]
        elif quantity == "spikes":
            raise ValueError(f"spikes of {name} were not recorded by both runs")
