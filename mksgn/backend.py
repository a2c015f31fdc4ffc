"""What every backend offers and returns: load (by construction), run, counts, close.

Arrays are ``(N, C, F, V, T)``: samples, channels, video frames, joints, algorithmic time steps,
in each population's own time (step 0 is the first step at which it sees the sample), whatever
the latency of the backend.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from mksgn.ir import Graph

TABLES = ("sample_spikes", "sample_active", "sample_synops", "sample_macs")
"""The fields of :class:`Counts` that hold one number per sample."""


@dataclass(eq=False)
class Counts:
    """Events that really happened.

    A table may lack a name where a backend cannot count it: Lava's stock Processes know nothing of
    updates, and SLAYER nothing of synapses. What is there is exact.

    Parameters
    ----------
    samples, steps : int
        Samples run, and algorithmic steps per sample.
    neurons : dict of population to int
    sample_spikes : dict of population to int64 ndarray (samples,)
        Spikes sent; for a graded input, its non-zero messages.
    sample_active : dict of population to int64 ndarray (samples,)
        Neuron updates that changed something: v, or u where the current outlives its step, or that
        spiked. All others were idle: an event-driven machine could have left them out. A reset is no update.
    sample_synops : dict of synapse to int64 ndarray (samples,)
        Accumulates: one per spike and non-zero weight it really meets (borders, stride, zero weights).
    sample_macs : dict of synapse to int64 ndarray (samples,)
        The same for graded messages, which are multiply-accumulates.
    sent : dict of population to int64 ndarray (C, F, V)
        Messages of each neuron, over all samples and steps.
    """

    samples: int = 0
    steps: int = 0
    neurons: dict[str, int] = field(default_factory=dict)
    sample_spikes: dict[str, np.ndarray] = field(default_factory=dict)
    sample_active: dict[str, np.ndarray] = field(default_factory=dict)
    sample_synops: dict[str, np.ndarray] = field(default_factory=dict)
    sample_macs: dict[str, np.ndarray] = field(default_factory=dict)
    sent: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def spikes(self) -> dict[str, int]:
        """``sample_spikes`` summed over the samples."""
        return _totals(self.sample_spikes)

    @property
    def active(self) -> dict[str, int]:
        """``sample_active`` summed over the samples."""
        return _totals(self.sample_active)

    @property
    def synops(self) -> dict[str, int]:
        """``sample_synops`` summed over the samples."""
        return _totals(self.sample_synops)

    @property
    def macs(self) -> dict[str, int]:
        """``sample_macs`` summed over the samples."""
        return _totals(self.sample_macs)

    @property
    def neuron_steps(self) -> dict[str, int]:
        """Neurons times steps times samples, by population: spikes / neuron_steps is the firing rate."""
        return {name: number * self.steps * self.samples for name, number in self.neurons.items()}

    def rate(self, population: str) -> float:
        """Mean spikes per neuron and step of ``population``."""
        return int(self.sample_spikes[population].sum()) / max(self.neuron_steps[population], 1)

    def activity(self) -> dict[str, np.ndarray]:
        """Mean messages of each neuron per sample: population to float64 (C, F, V)."""
        return {name: sent / max(self.samples, 1) for name, sent in self.sent.items()}

    def add(self, part: Counts) -> None:
        """Append the samples of ``part``, a run of the same graph."""
        self.samples += part.samples
        self.steps = part.steps
        self.neurons = dict(part.neurons)
        for name in TABLES:
            table = getattr(self, name)
            for key, values in getattr(part, name).items():
                table[key] = np.concatenate([table[key], values]) if key in table else values
        for key, values in part.sent.items():
            self.sent[key] = self.sent[key] + values if key in self.sent else values

    def shared(self, other: Counts) -> int:
        """Numbers of events that both runs counted."""
        return sum(a.size for _, a, _ in _pairs_of(self, other))

    def differences(self, other: Counts) -> dict[str, int]:
        """Where both runs counted, and how many numbers differ: 'synops NAME' to number of samples, and so on."""
        found = {what: int((a != b).sum()) if a.shape == b.shape else a.size for what, a, b in _pairs_of(self, other)}
        return {what: count for what, count in found.items() if count}

    def place(self, synapse: str, graded: bool, met: np.ndarray) -> None:
        """Enter the weights that a synapse's messages met, int64 (samples,), as MACs where they are graded."""
        none = np.zeros_like(met)
        self.sample_synops[synapse], self.sample_macs[synapse] = (none, met) if graded else (met, none)


def _pairs_of(left: Counts, right: Counts) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    for table in (*TABLES, "sent"):
        a, b = getattr(left, table), getattr(right, table)
        for name in a.keys() & b.keys():
            yield f"{table.removeprefix('sample_')} {name}", a[name], b[name]


def _totals(table: dict[str, np.ndarray]) -> dict[str, int]:
    return {name: int(values.sum()) for name, values in table.items()}


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
