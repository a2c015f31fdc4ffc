"""How long a time step takes, from the events of the busiest core.

All cores wait for each other at the end of a step (the barrier), so the slowest decides; totals over the chip say
little (arXiv 2511.21549). A core has three kinds of work in a step, each linear in its events:

    synapses  t_synop synops + t_mac macs
    neurons   t_active updates_active + t_idle updates_idle
    messages  t_in messages_in + t_spike spikes + t_out messages_out

How far they overlap within a core is not published for Loihi 1. The bounds are full overlap and none:

    low  = max over cores and kinds of the work + barrier
    high = max over cores of the sum of its kinds + barrier

:mod:`mksgn.energy.costs.slowest` has the other form, in which a step takes as long as the slowest of its parts. The
events of a core are means over the T steps of a sample, and the mean of a maximum is at least the maximum of the means:
steps of uneven load take longer.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import singledispatch

import numpy as np

from mksgn.energy.costs.quantity import Range
from mksgn.energy.work import CoreWork

NARROWEST = 4
"""Chips in a row of the narrowest board that was built: a column of Pohoiki Springs, 4 x 64 (Frady et al. 2020)."""


@dataclass(frozen=True)
class Times:
    """Times of the events, ns.

    Parameters
    ----------
    synop, mac : Range
        Per non-zero weight met by a spike, and by a graded message.
    update_active, update_idle : Range
        Per neuron update that changed the neuron, and that did not.
    spike : Range
        Per spike that is generated.
    message_in, message_out : Range
        Per message that arrives, and that leaves.
    barrier : Range
        Synchronisation of one chip, per step.
    barrier_chip : Range
        Added to the barrier by each step from chip to chip, along the longest way across the board.
    """

    synop: Range
    mac: Range
    update_active: Range
    update_idle: Range
    spike: Range
    message_in: Range
    message_out: Range
    barrier: Range
    barrier_chip: Range


TIME_UNITS = {field.name: "ns" for field in fields(Times)}
"""Units of the constants in a table's section ``time``."""


@dataclass(frozen=True)
class StepTime:
    """Duration of a time step.

    Parameters
    ----------
    ns : Range
    core : int
        The core that decides it, were nothing to overlap.
    kind : str
        What decides: the largest of that core's kinds of work, or what all cores share.
    idle_ns : Range
        A step in which no neuron changes and no message is sent.
    """

    ns: Range
    core: int
    kind: str
    idle_ns: Range

    @property
    def any_ns(self) -> Range:
        """Of a step in which something may happen, or nothing."""
        return Range(min(self.idle_ns.low, self.ns.low), self.ns.high, self.ns.middle)


@singledispatch
def step_time(times: object, work: CoreWork) -> StepTime:
    """Duration of a step of ``work``, and of one in which nothing happens.

    Parameters
    ----------
    times : Times or Slowest
    work : CoreWork
    """
    raise TypeError(f"no times of a step: {times!r}")


@step_time.register
def _of_sums(times: Times, work: CoreWork) -> StepTime:
    kinds = {
        "synapses": _spent(times, work, synop=work.synops, mac=work.macs),
        "neurons": _spent(times, work, update_active=work.updates_active, update_idle=work.updates_idle),
        "messages": _spent(times, work, message_in=work.messages_in, spike=work.spikes, message_out=work.messages_out),
    }
    low = max(float(kind[0].max()) for kind in kinds.values())
    together = sum(kind[2] for kind in kinds.values())
    core = int(np.argmax(together))
    largest = max(kinds, key=lambda name: float(kinds[name][2, core]))
    barrier = barrier_ns(times.barrier, times.barrier_chip, work.chips)
    idle = times.update_idle.values * work.neurons.max()
    return StepTime(Range(low + barrier.low, float(np.max(together)) + barrier.high), core, largest,
                    Range.of(idle + barrier.values))


def _spent(times: Times, work: CoreWork, **events: np.ndarray) -> np.ndarray:
    """Nanoseconds of each core in a step, (3, cores)."""
    total = sum(getattr(times, name).values[:, None] * count for name, count in events.items())
    return np.asarray(total) / work.steps


def barrier_ns(barrier: Range, barrier_chip: Range, chips: int) -> Range:
    """Barrier of ``chips`` chips, which stand in a square at best and in rows of :data:`NARROWEST` at worst."""
    narrow = min(chips, NARROWEST) - 1 + -(-chips // NARROWEST) - 1
    square = min(narrow, 2 * (int(np.ceil(np.sqrt(chips))) - 1))
    return Range.of(barrier.values + np.array([square, (square + narrow) / 2, narrow]) * barrier_chip.values)
