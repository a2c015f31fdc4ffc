"""What a run of a network gave."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mksgn.counts import Counts
from mksgn.data.selection import Selection
from mksgn.run.time_modes import Time


@dataclass(frozen=True)
class Result:
    """What a run gave.

    Parameters
    ----------
    backend : str
    selection : Selection
        The samples that ran: their input, names and labels.
    output : int64 ndarray
        Readout (N, J): the sum of each class, v / 64 at the last step. Spiking output: (N, C, F, V, T).
    predictions : int64 ndarray (N,)
        Class with the largest output; of equals the one with the lower index.
    counts : Counts
        Events of the run, by sample, population and synapse.
    spikes : dict of population to int8 ndarray (N, C, F, V, T)
        Filled where the run recorded them.
    seconds : float
    time : 'clip' or 'stream'
        How the frames of a clip were timed. Everything above is the same both ways.
    """

    backend: str
    selection: Selection
    output: np.ndarray
    predictions: np.ndarray
    counts: Counts
    spikes: dict[str, np.ndarray] = field(default_factory=dict)
    seconds: float = 0.0
    time: Time = "clip"

    @property
    def class_names(self) -> tuple[str, ...]:
        """The net's classes; empty where it does not name them."""
        return self.selection.class_names

    @property
    def predicted(self) -> tuple[str, ...]:
        """Name of each sample's predicted class; its number where the net does not name its classes."""
        names = self.class_names
        return tuple(names[i] if i < len(names) else str(i) for i in self.predictions.tolist())

    @property
    def accuracy(self) -> float | None:
        """Share of the labelled samples that are right; None without labels."""
        known = self.selection.labels >= 0
        return float((self.predictions == self.selection.labels)[known].mean()) if known.any() else None

    def __repr__(self) -> str:
        accuracy = "no labels" if self.accuracy is None else f"accuracy {self.accuracy:.2%}"
        return f"<mksgn.Result: {len(self.predictions):,} samples on {self.backend}, {accuracy}>"
