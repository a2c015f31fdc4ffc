"""How two runs of the same samples compare: every recorded spike and state, every output, every count.

There is one notion of it, :class:`Comparison`. :func:`compare` makes one of two runs that are in memory;
:func:`mksgn.run.execution.execute` adds up one over the parts in which many samples run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from mksgn.run.backend import RunResult


@dataclass(frozen=True)
class Difference:
    """The first element at which two runs differ.

    Parameters
    ----------
    quantity : str
        'spikes', 'u', 'v', 'output' or 'counts'.
    population : str
        For counts: what was counted, such as 'synops NAME'.
    text : str
        A clause that says where, and both values.
    """

    quantity: str
    population: str
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass
class Comparison:
    """What was compared of two runs, and what differs.

    Parameters
    ----------
    names : (str, str), optional
        The backends, where they are to be named.
    populations, spikes_compared, states_compared, outputs_compared : int
    counts_compared : int
        Numbers of events, per sample and population or synapse, or per neuron.
    differing : dict of str to int
        Differing elements by "quantity population".
    first : Difference, optional
        The earliest in network order, then sample, then step: the place where a bug entered, not where it was
        amplified.
    seconds : float
        What running the second of them took.
    """

    names: tuple[str, ...] = ()
    populations: int = 0
    spikes_compared: int = 0
    states_compared: int = 0
    outputs_compared: int = 0
    counts_compared: int = 0
    differing: dict[str, int] = field(default_factory=dict)
    first: Difference | None = None
    seconds: float = 0.0

    @property
    def equal(self) -> bool:
        """Whether every compared element agrees."""
        return not self.differing

    def add(self, left: RunResult, right: RunResult, order: tuple[str, ...], start: int) -> None:
        """Compare everything of one part, whose first sample is number ``start``; see :meth:`add_recorded`."""
        self.add_recorded(left, right, order, start)
        self.counts_compared += left.counts.shared(right.counts)
        for key, count in left.counts.differences(right.counts).items():
            self._differ("counts", key, f"count of {key}", count, f"the counts of {key} differ")
        self.outputs_compared += left.output.size
        unequal = left.output != right.output
        if unequal.any():
            name, at = order[-1], np.argwhere(unequal)[0]
            self._differ("output", name, f"output {name}", int(unequal.sum()),
                         f"output of {name} differs first at sample {int(at[0]) + start}: "
                         f"{left.output[tuple(at)]} against {right.output[tuple(at)]}")

    def add_recorded(self, left: RunResult, right: RunResult, order: tuple[str, ...], start: int = 0) -> None:
        """Compare the recorded populations of one part; states where both runs hold them.

        Raises
        ------
        ValueError
            When a population of ``order`` is missing from either run or shapes differ: an incomplete comparison must
            not look like agreement.
        """
        self.populations = len(order)
        for name in order:
            for quantity, a, b in _pairs(left, right, name):
                if quantity == "spikes":
                    self.spikes_compared += a.size
                else:
                    self.states_compared += a.size
                unequal = a != b
                if unequal.any():
                    self._differ(quantity, name, f"{quantity} {name}", int(unequal.sum()),
                                 f"{quantity} of {name} differ first at {_place(a, b, unequal, start)}")

    def _differ(self, quantity: str, population: str, key: str, count: int, text: str) -> None:
        self.differing[key] = self.differing.get(key, 0) + count
        if self.first is None:
            between = f" ({self.names[0]} against {self.names[1]})" if self.names else ""
            self.first = Difference(quantity, population, text + between)


def compare(left: RunResult, right: RunResult, order: tuple[str, ...]) -> Comparison:
    """Compare what two runs recorded, element by element, populations in ``order`` (upstream first).

    Raises
    ------
    ValueError
        As :meth:`Comparison.add_recorded`.
    """
    comparison = Comparison()
    comparison.add_recorded(left, right, order)
    return comparison


def _place(a: np.ndarray, b: np.ndarray, unequal: np.ndarray, start: int) -> str:
    """The first unequal element in words, by sample, then step: (N, T, C, F, V)."""
    n, t, c, f, v = (int(i) for i in np.argwhere(np.moveaxis(unequal, -1, 1))[0])
    return (f"sample {n + start}, step {t}, channel {c}, frame {f}, joint {v}: {int(a[n, c, f, v, t])} against "
            f"{int(b[n, c, f, v, t])}")


def _pairs(left: RunResult, right: RunResult, name: str) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    for quantity in ("u", "v", "spikes"):
        a, b = getattr(left, quantity), getattr(right, quantity)
        if name in a and name in b:
            if a[name].shape != b[name].shape:
                raise ValueError(f"{quantity} of {name}: shapes {a[name].shape} and {b[name].shape}")
            yield quantity, a[name], b[name]
        elif quantity == "spikes":
            raise ValueError(f"spikes of {name} were not recorded by both runs")
