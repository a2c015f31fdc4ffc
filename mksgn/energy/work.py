"""The work of every core for one sample. A mapper produces it, and a cost model prices it."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np


@dataclass(frozen=True)
class CoreWork:
    """Events of one sample, core by core; means over the samples of a run, so not whole numbers.

    Every array is float64 (cores,) unless said otherwise, and per sample: all T steps together.

    Parameters
    ----------
    steps : int
        Time steps a sample occupies when samples stream through back to back: T.
    latency_steps : int
        Steps from the first input of a sample to its answer: T plus the network's depth in hops. Fewer than ``steps``
        only where frames of a stream without ends are further apart.
    chip : int64 ndarray (cores,)
        The chip each core is on, counted from 0.
    neurons : ndarray
        Neurons that the core updates in each step.
    updates_active, updates_idle : ndarray
        Neuron updates that changed the neuron (u, v or a spike), and those that did not;
        together ``neurons * steps``.
    synops, macs : ndarray
        Non-zero weights met by spikes, and by graded messages.
    spikes : ndarray
        Messages that the core's neurons sent, each counted once, wherever it went.
    messages_in : ndarray
        Messages that arrived: one per spike and core with a neuron or synapse for it.
    messages_out : ndarray
        The same seen from the sender: one per spike and destination core. A message to the
        core's own neurons counts, too.
    hops_ew, hops_ns : ndarray
        Mesh hops of the messages this core sent, between tiles, along either axis.
    chip_crossings : ndarray
        Messages this core sent to another chip.
    host_messages : float
        Messages that enter from the host or a sensor: the network's input.
    reads : ndarray
        Words of synaptic memory that the core reads: the row of each arriving message, in whole words.
    link_messages, chip_link_messages : float
        Messages over the heaviest link between two routers of a chip, and between two chips.
    """

    steps: int
    latency_steps: int
    chip: np.ndarray
    neurons: np.ndarray
    updates_active: np.ndarray
    updates_idle: np.ndarray
    synops: np.ndarray
    macs: np.ndarray
    spikes: np.ndarray
    messages_in: np.ndarray
    messages_out: np.ndarray
    hops_ew: np.ndarray
    hops_ns: np.ndarray
    chip_crossings: np.ndarray
    host_messages: float
    reads: np.ndarray
    link_messages: float
    chip_link_messages: float

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray) and value.shape != self.chip.shape:
                raise ValueError(f"{field.name} is of shape {value.shape}, for {len(self.chip)} cores")

    @property
    def cores(self) -> int:
        """Cores in use."""
        return len(self.chip)

    @property
    def chips(self) -> int:
        """Chips in use."""
        return len(np.unique(self.chip))

    def total(self, name: str) -> float:
        """Sum of one of the arrays over all cores."""
        return float(getattr(self, name).sum())
