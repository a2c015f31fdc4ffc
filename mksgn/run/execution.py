"""Running samples part by part, so that what is recorded stays within memory, and comparing two backends."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from mksgn.counts import Counts
from mksgn.errors import DataError
from mksgn.ir import Graph
from mksgn.run.backend import Backend, RunResult
from mksgn.run.comparison import Comparison, Difference, compare

RECORDED_BYTES = 1 << 30
"""Spikes and states that may be in memory at once; more samples are run in several parts."""


@dataclass
class Agreement:
    """Two backends on the same samples, over all parts.

    Parameters
    ----------
    names : (str, str)
        The backends.
    populations, spikes_compared, states_compared, outputs_compared : int
    counts_compared : int
        Numbers of events, per sample and population or synapse, or per neuron.
    differing : dict of str to int
        Differing elements by "quantity population".
    first : str
        The first difference in network order; empty when there is none.
    seconds : float
        Time of the second backend.
    """

    names: tuple[str, str]
    populations: int = 0
    spikes_compared: int = 0
    states_compared: int = 0
    outputs_compared: int = 0
    counts_compared: int = 0
    differing: dict[str, int] = field(default_factory=dict)
    first: str = ""
    seconds: float = 0.0

    @property
    def equal(self) -> bool:
        """Whether every compared element agrees."""
        return not self.differing

    def add(self, left: RunResult, right: RunResult, order: tuple[str, ...], start: int) -> None:
        """Compare one part, whose first sample is number ``start``."""
        outcome: Comparison = compare(left, right, order)
        self.populations = outcome.populations
        self.spikes_compared += outcome.spikes_compared
        self.states_compared += outcome.states_compared
        self.outputs_compared += left.output.size
        for key, count in outcome.differing.items():
            self.differing[key] = self.differing.get(key, 0) + count
        if outcome.first is not None and not self.first:
            first: Difference = replace(outcome.first, sample=outcome.first.sample + start)
            self.first = f"{first} ({self.names[0]} against {self.names[1]})"
        self.counts_compared += left.counts.shared(right.counts)
        for key, count in left.counts.differences(right.counts).items():
            self.differing[f"count of {key}"] = self.differing.get(f"count of {key}", 0) + count
            self.first = self.first or f"the counts of {key} differ ({self.names[0]} against {self.names[1]})"
        unequal = left.output != right.output
        if unequal.any():
            key = f"output {order[-1]}"
            self.differing[key] = self.differing.get(key, 0) + int(unequal.sum())
            if not self.first:
                at = np.argwhere(unequal)[0]
                self.first = (f"output of {order[-1]} differs first at sample {int(at[0]) + start}: "
                              f"{left.output[tuple(at)]} against {right.output[tuple(at)]} "
                              f"({self.names[0]} against {self.names[1]})")


@dataclass
class Execution:
    """What a run gave: output and counts over all samples, and the comparison if one was asked for."""

    output: np.ndarray
    counts: Counts
    predictions: np.ndarray
    seconds: float
    agreement: Agreement | None = None


def recorded_bytes(graph: Graph, steps: int, record: str) -> int:
    """Bytes that one sample's record takes: int8 spikes, and int32 u and v with ``record`` 'states'."""
    each = {"none": 0, "spikes": 1, "states": 9}[record]
    return each * steps * sum(population.size for population in graph.populations[1:])


def part_size(graph: Graph, steps: int, record: str, backends: int, budget: int = RECORDED_BYTES) -> int:
    """Samples to run at once; 0: all, because nothing is recorded."""
    size = backends * recorded_bytes(graph, steps, record)
    return max(1, budget // size) if size else 0


def execute(backend: Backend, reference: Backend | None, samples: np.ndarray, record: str, size: int,
            on_part: Callable[[Backend, int], None] = lambda backend, start: None) -> Execution:
    """Run samples on ``backend`` and, to compare, on ``reference``.

    Parameters
    ----------
    backend : Backend
    reference : Backend or None
        Compared population by population; ``record`` must then be 'spikes' or 'states'.
    samples : int ndarray (N, C, F, V) or (N, C, F, V, T)
    record : 'none', 'spikes' or 'states'
    size : int
        Samples per part; 0 for all at once.
    on_part : callable
        Called with the backend that is about to run, and the number of samples already done.

    Raises
    ------
    DataError
        When there are no samples, or they do not fit the net.
    BackendError
        When a backend fails.
    """
    if not len(samples):
        raise DataError("there are no samples to run", got="0 samples")
    agreement = None if reference is None else Agreement((backend.name, reference.name))
    order = tuple(population.name for population in backend.graph.populations[1:])
    outputs, predictions, counts, seconds = [], [], Counts(), 0.0
    size = size or len(samples)
    for start in range(0, len(samples), size):
        part = samples[start:start + size]
        on_part(backend, start)
        began = time.perf_counter()
        result = backend.run(part, record)
        seconds += time.perf_counter() - began
        if reference is not None and agreement is not None:
            on_part(reference, start)
            began = time.perf_counter()
            agreement.add(result, reference.run(part, record), order, start)
            agreement.seconds += time.perf_counter() - began
        counts.add(result.counts)
        outputs.append(result.output)
        predictions.append(result.predictions)
    return Execution(np.concatenate(outputs), counts, np.concatenate(predictions), seconds, agreement)
