"""Running samples part by part, so that what is recorded stays within memory, and comparing two backends."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mksgn.counts import Counts
from mksgn.errors import DataError
from mksgn.ir import Graph
from mksgn.run.backend import Backend
from mksgn.run.clips_as_streams import ClipsAsStreams
from mksgn.run.comparison import Comparison

RECORDED_BYTES = 1 << 30
"""Spikes and states that may be in memory at once; more samples are run in several parts."""


@dataclass
class Execution:
    """What a run gave: output and counts over all samples, and the comparison if one was asked for."""

    output: np.ndarray
    counts: Counts
    predictions: np.ndarray
    seconds: float
    comparison: Comparison | None = None


def recorded_bytes(graph: Graph, record: str) -> int:
    """Bytes that one sample's record takes: int8 spikes, and int32 u and v with ``record`` 'states'."""
    each = {"none": 0, "spikes": 1, "states": 9}[record]
    return each * (graph.time_steps or 1) * sum(population.size for population in graph.populations[1:])


def part_size(backends: Sequence[Backend], record: str, budget: int = RECORDED_BYTES) -> int:
    """Samples to run at once on all of ``backends``; 0: all, because nothing is recorded.

    A backend that turns streams into clips holds both.
    """
    graphs = [backend.graph for backend in backends]
    graphs += [backend.backend.graph for backend in backends if isinstance(backend, ClipsAsStreams)]
    size = sum(recorded_bytes(graph, record) for graph in graphs)
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
    comparison = None if reference is None else Comparison((backend.name, reference.name))
    order = tuple(population.name for population in backend.graph.populations[1:])
    outputs, predictions, counts, seconds = [], [], Counts(), 0.0
    size = size or len(samples)
    for start in range(0, len(samples), size):
        part = samples[start:start + size]
        on_part(backend, start)
        began = time.perf_counter()
        result = backend.run(part, record)
        seconds += time.perf_counter() - began
        if reference is not None and comparison is not None:
            on_part(reference, start)
            began = time.perf_counter()
            comparison.add(result, reference.run(part, record), order, start)
            comparison.seconds += time.perf_counter() - began
        counts.add(result.counts)
        outputs.append(result.output)
        predictions.append(result.predictions)
    return Execution(np.concatenate(outputs), counts, np.concatenate(predictions), seconds, comparison)
