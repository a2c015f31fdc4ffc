"""What every backend offers and returns: load (by construction), run, counts, close.

Arrays are ``(N, C, F, V, T)``: samples, channels, video frames, joints, algorithmic time steps,
in each population's own time (step 0 is the first step at which it sees the sample), whatever
the latency of the backend.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from mksgn.counts import Counts
from mksgn.ir import Graph


@dataclass
class RunResult:
    """Outcome of running N samples.

    Parameters
    ----------
    output : int64 ndarray
        Readout: (N, C) sums v / 64 at the last step, in weight units, rounded down. Spiking output: (N, C, F, V, T).
    counts : Counts
    spikes : dict of population to int8 ndarray (N, C, F, V, T)
        Filled for every neuron population when ``record`` was set; empty otherwise.
    u, v : dict of population to int32 ndarray (N, C, F, V, T)
        States after the step (v after reset), where the backend exposes them and ``record`` was ``"states"``.
    """

    output: np.ndarray
    counts: Counts
    spikes: dict[str, np.ndarray] = field(default_factory=dict)
    u: dict[str, np.ndarray] = field(default_factory=dict)
    v: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def predictions(self) -> np.ndarray:
        """Class index of each sample, (N,): the largest readout, or the most spikes; ties go to the lower index."""
        return np.argmax(class_sums(self.output), axis=1)


def class_sums(output: np.ndarray) -> np.ndarray:
    """What a :class:`RunResult`'s ``output`` says of each class, int64 (N, J): the readout, or its spikes in all."""
    return output.sum(axis=(2, 3, 4), dtype=np.int64) if output.ndim == 5 else output


class Backend(Protocol):
    """A place where a :class:`~mksgn.ir.Graph` runs. Use it as a context manager.

    ``run(samples, record)`` takes integers (N, C, F, V), the same at each of the T steps (PCM,
    paper Eq. 3), or (N, C, F, V, T); ``record`` is ``"none"``, ``"spikes"`` or ``"states"``.
    ``counts_alone``: samples are counted (all but ``sent``) with nothing recorded.
    """

    name: str
    graph: Graph

    @property
    def counts_alone(self) -> bool: ...

    def run(self, samples: np.ndarray, record: str = "none") -> RunResult: ...

    def close(self) -> None: ...

    def __enter__(self) -> Backend: ...

    def __exit__(self, *exception: object) -> None: ...


class StreamingBackend(Backend, Protocol):
    """A backend that also runs one stream in wall time, x (C, F, V, steps), as a net without ``time_steps`` needs."""

    def run_stream(self, x: np.ndarray, record: str = "none", reset_interval: int | None = None) -> RunResult: ...
