"""Raw mode: a tensor into any net, every spike out.

A net with ``time_steps`` T takes the tensor in windows of T steps, each from rest; populations come
back in their own time, so that step 0 of a window is the first at which a population sees it. A net
without (a stock netx file) takes it as one stream in wall time, as stock netx runs it: synapses take
a step each, and nothing is reset unless ``reset_interval`` says so.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from mksgn.counts import Counts
from mksgn.errors import ConfigError, DataError
from mksgn.ir import Graph
from mksgn.ir.synapses import Shape
from mksgn.run.backend import Backend, RunResult
from mksgn.run.execution import Agreement

_INT32 = np.iinfo(np.int32)


class Streaming(Backend, Protocol):
    """A backend that also runs streams in wall time."""

    def run_stream(self, x: np.ndarray, record: str = "none", reset_interval: int | None = None) -> RunResult: ...


@dataclass
class RawRun:
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
    agreement : Agreement or None
    """

    out: np.ndarray
    populations: dict[str, np.ndarray]
    windows: int
    counts: Counts
    predictions: np.ndarray
    seconds: float
    agreement: Agreement | None = None


def load_input(path: Path, graph: Graph) -> np.ndarray:
    """Read a ``.npy`` tensor as int32 (C, F, V, steps).

    Its leading axes are the net's input shape (C, F, V), or that shape without axes of length 1, or
    flattened in this order; time comes last. Floats must hold integers.

    Raises
    ------
    DataError
        When the file cannot be read, holds something else, or does not fit the net's input.
    """
    x = _mapped(path)
    if x.dtype.kind not in "biuf":
        raise DataError("the input is not made of numbers", where=str(path), got=str(x.dtype), allowed="integers")
    shape = tuple(graph.input.shape)
    forms = {shape, tuple(n for n in shape if n != 1), (graph.input.size,)}
    if x.ndim < 1 or x.shape[:-1] not in forms or x.shape[-1] < 1:
        allowed = " or ".join(str((*form, "steps")).replace("'", "") for form in sorted(forms, key=len, reverse=True))
        turned = x.ndim == 4 and x.shape[:3] == shape[::-1]
        raise DataError("the input does not fit the net", where=str(path), got=str(x.shape), allowed=allowed,
                        fix="this is Lava's order (V, F, C, steps): save x.transpose(2, 1, 0, 3)" if turned
                        else "put time last; at least one step")
    fits = (x == np.rint(x)) & (x >= _INT32.min) & (x <= _INT32.max) if x.dtype.kind != "b" else np.ones(x.shape, bool)
    if not fits.all():
        at = tuple(int(i) for i in np.argwhere(~fits)[0])
        raise DataError("the input is not made of integers", where=f"{path}, element {at}", got=str(x[at]),
                        allowed="integers, or floats that hold integers",
                        fix="quantise the input as the net's training did")
    return np.ascontiguousarray(x, dtype=np.int32).reshape(*shape, x.shape[-1])


def tensor_shape(path: Path) -> Shape | None:
    """(C, F, V) of a tensor that has all its axes, for a net that does not say its input's shape; else None.

    Raises
    ------
    DataError
        When the file cannot be read.
    """
    shape = _mapped(path).shape
    return shape[:3] if len(shape) == 4 and min(shape) > 0 else None


def _mapped(path: Path) -> np.ndarray:
    """The array of a ``.npy`` file, not yet read."""
    try:
        # Mapped, so that a header which declares more than the file holds is an error and not an allocation.
        x = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise DataError("the input file does not exist", where=str(path), fix="check --input") from None
    except (OSError, ValueError, EOFError, OverflowError, SyntaxError) as error:
        raise DataError("the input file cannot be read", where=str(path), got=str(error)[:200],
                        allowed="an array of numbers saved by numpy.save (.npy)") from None
    if not isinstance(x, np.ndarray):
        x.close()
        raise DataError("the input file holds several arrays", where=str(path), got="a .npz archive",
                        allowed="one array saved by numpy.save (.npy)")
    return x


def run_raw(backend: Streaming, reference: Streaming | None, x: np.ndarray, record: str,
            reset_interval: int | None) -> RawRun:
    """Run a tensor (C, F, V, steps); see the module for what happens in time.

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
    agreement = None
    if reference is not None:
        agreement = Agreement((backend.name, reference.name))
        order = tuple(population.name for population in graph.populations[1:])
        agreement.add(result, _run(reference, x, windows, record, reset_interval), order, 0)
    out = _joined(result.output.reshape(len(result.output), *graph.output.shape, -1))
    if graph.output.role != "readout":
        out = out.astype(np.int8)
    populations: dict[str, np.ndarray] = {graph.input.name: x}
    for population in graph.populations[1:-1]:
        if population.name in result.spikes:
            populations[population.name] = _joined(result.spikes[population.name])
    populations[graph.output.name] = out
    return RawRun(out, populations, windows, result.counts, result.predictions, seconds, agreement)


def _run(backend: Streaming, x: np.ndarray, windows: int, record: str, reset_interval: int | None) -> RunResult:
    if not windows:
        return backend.run_stream(x, record, reset_interval)
    samples = x.reshape(*x.shape[:3], windows, -1).transpose(3, 0, 1, 2, 4)
    return backend.run(samples, record)


def _joined(values: np.ndarray) -> np.ndarray:
    """(N, C, F, V, T) as (C, F, V, N T)."""
    return values.transpose(1, 2, 3, 0, 4).reshape(*values.shape[1:4], -1)
