"""The events of a run: spikes, active updates, accumulates and multiply-accumulates, each counted exactly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from mksgn.ir.attention import Events

TABLES = ("sample_spikes", "sample_active", "sample_synops", "sample_macs", "sample_products", "sample_counts")
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
    sample_products, sample_counts : dict of synapse to int64 ndarray (samples,)
        Of each attention (:class:`mksgn.ir.Attention`): multiplications with a result, which product neurons send as
        graded messages, and messages of the neurons that count pairs. Empty for a graph without attention.
    sent : dict of population to int64 ndarray (C, F, V)
        Messages of each neuron, over all samples and steps.
    sent_by_frame : dict of population to int64 ndarray (L, C, F, V)
        Of a streamed graph (:mod:`mksgn.ir.streaming`): ``sent``, parted by the L frames of a population's lattice.
        Empty for any other graph.
    """

    samples: int = 0
    steps: int = 0
    neurons: dict[str, int] = field(default_factory=dict)
    sample_spikes: dict[str, np.ndarray] = field(default_factory=dict)
    sample_active: dict[str, np.ndarray] = field(default_factory=dict)
    sample_synops: dict[str, np.ndarray] = field(default_factory=dict)
    sample_macs: dict[str, np.ndarray] = field(default_factory=dict)
    sample_products: dict[str, np.ndarray] = field(default_factory=dict)
    sample_counts: dict[str, np.ndarray] = field(default_factory=dict)
    sent: dict[str, np.ndarray] = field(default_factory=dict)
    sent_by_frame: dict[str, np.ndarray] = field(default_factory=dict)

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
    def products(self) -> dict[str, int]:
        """``sample_products`` summed over the samples."""
        return _totals(self.sample_products)

    @property
    def graded_counts(self) -> dict[str, int]:
        """``sample_counts`` summed over the samples."""
        return _totals(self.sample_counts)

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
        for whole, more in ((self.sent, part.sent), (self.sent_by_frame, part.sent_by_frame)):
            for key, values in more.items():
                whole[key] = whole[key] + values if key in whole else values

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

    def place_inside(self, synapse: str, inside: Events) -> None:
        """Enter what happened inside an attention, by sample; its spikes' weights are entered already."""
        self.sample_products[synapse], self.sample_counts[synapse] = inside.products, inside.counts
        self.sample_macs[synapse] = inside.macs


def _pairs_of(left: Counts, right: Counts) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    for table in (*TABLES, "sent"):
        a, b = getattr(left, table), getattr(right, table)
        for name in a.keys() & b.keys():
            yield f"{table.removeprefix('sample_')} {name}", a[name], b[name]


def _totals(table: dict[str, np.ndarray]) -> dict[str, int]:
    return {name: int(values.sum()) for name, values in table.items()}
