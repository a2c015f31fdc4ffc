"""A tensor into any net, every spike out.

A net with ``time_steps`` T takes the tensor in windows of T steps, each from rest; populations come
back in their own time, so that step 0 of a window is the first at which a population sees it. A net
without (a stock netx file) takes it as one stream in wall time, as stock netx runs it: synapses take
a step each, and nothing is reset unless ``reset_interval`` says so.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from mksgn.counts import Counts
from mksgn.errors import ConfigError
from mksgn.run.backend import RunResult, StreamingBackend
from mksgn.run.comparison import Comparison


@dataclass
class TensorRun:
    """What a tensor gave.

    Parameters
    ----------
    out : ndarray (C, F, V, steps)
        Spikes of the output, int8; for a readout int64 (C, F, V, windows): v / 64 at the end of each window, or of
        the stream.
    populations : dict of str to ndarray
        Spikes of every population, in the form of ``out``; the input's messages.
    windows : int
        0 for a stream.
    counts : Counts
    predictions : int64 ndarray (N,)
        The largest output of each window, or of the stream.
    seconds : float
    comparison : Comparison or None
    """

    out: np.ndarray
    populations: dict[str, np.ndarray]
    windows: int
    counts: Counts
    predictions: np.ndarray
    seconds: float
    comparison: Comparison | None = None


def run_tensor(backend: StreamingBackend, reference: StreamingBackend | None, x: np.ndarray, record: str,
            reset_interval: int | None) -> TensorRun:
    """Run a tensor (C, F, V, steps); see the module for what happens in time.

    Parameters
    ----------
    backend : StreamingBackend
    reference : StreamingBackend or None
        Compared population by population; ``record`` must then be 'spikes' or 'states'.
    x : int32 ndarray (C, F, V, steps)
    record : 'none', 'spikes' or 'states'
    reset_interval : int or None
        Steps after which all neurons start anew, for a net without a number of steps of its own.

    Raises
    ------
    ConfigError
        When the number of steps is no multiple of the net's T, or a reset interval is given that has no effect.
    DataError, BackendError
        As the backend.
    """
    graph = backend.graph
    steps, per_window = x.shape[3], graph.time_steps
    windows = 0
    if per_window is not None:
        if reset_interval is not None:
            raise ConfigError("a reset interval has no effect on this net, which resets at each of its windows",
                              where="--reset-interval", got=str(reset_interval),
                              allowed=f"none; the net's time_steps is {per_window}")
        if steps % per_window:
            raise ConfigError("the input is not a whole number of the net's windows", where="--input",
                              got=f"{steps} steps", allowed=f"a multiple of time_steps = {per_window}")
        windows = steps // per_window
    began = time.perf_counter()
    result = _run(backend, x, windows, record, reset_interval)
    seconds = time.perf_counter() - began
    comparison = None
    if reference is not None:
        comparison = Comparison((backend.name, reference.name))
        order = tuple(population.name for population in graph.populations[1:])
        comparison.add(result, _run(reference, x, windows, record, reset_interval), order, 0)
    out = _joined(result.output.reshape(len(result.output), *graph.output.shape, -1))
    if graph.output.role != "readout":
        out = out.astype(np.int8)
    populations: dict[str, np.ndarray] = {graph.input.name: x}
    for population in graph.populations[1:-1]:
        if population.name in result.spikes:
            populations[population.name] = _joined(result.spikes[population.name])
    populations[graph.output.name] = out
    return TensorRun(out, populations, windows, result.counts, result.predictions, seconds, comparison)


def _run(backend: StreamingBackend, x: np.ndarray, windows: int, record: str, reset_interval: int | None) -> RunResult:
    if not windows:
        return backend.run_stream(x, record, reset_interval)
    samples = x.reshape(*x.shape[:3], windows, -1).transpose(3, 0, 1, 2, 4)
    return backend.run(samples, record)


def _joined(values: np.ndarray) -> np.ndarray:
    """(N, C, F, V, T) as (C, F, V, N T)."""
    return values.transpose(1, 2, 3, 0, 4).reshape(*values.shape[1:4], -1)
