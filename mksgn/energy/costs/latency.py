"""How long a time step takes, from the events of the busiest core.

All cores wait for each other at the end of a step (the barrier), so the slowest decides; totals over the chip say
little (arXiv 2511.21549). A core has three kinds of work in a step, each linear in its events:

    synapses  t_synop synops + t_mac macs
    neurons   t_active updates_active + t_idle updates_idle
    messages  t_in messages_in + t_spike spikes + t_out messages_out

How far they overlap within a core is not published. The bounds are full overlap and none:

    low  = max over cores and kinds of the work + barrier
    high = max over cores of the sum of its kinds + barrier

The first is the max-affine form that Timcheck et al. (arXiv 2601.10035) fit to Loihi 2; their terms are synops,
dendrite operations, synaptic memory reads and the bits on the busiest link, and their barrier is one more term of
the maximum. Congestion of the mesh is not modelled here. The events of a core are means over the T steps of a
sample, and the mean of a maximum is at least the maximum of the means: steps of uneven load take longer.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

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
        The largest of that core's three kinds of work.
    idle_ns : Range
        A step in which no neuron changes and no message is sent.
    """

    ns: Range
    core: int
    kind: str
    idle_ns: Range


def step_time(times: Times, work: CoreWork) -> StepTime:
    """Duration of a step of ``work``, and of one in which nothing happens.

    Parameters
    ----------
    times : Times
    work : CoreWork
    """
    def spent(**events: np.ndarray) -> np.ndarray:
        total = sum(getattr(times, name).bounds[:, None] * count for name, count in events.items())
        return np.asarray(total) / work.steps

    kinds = {
        "synapses": spent(synop=work.synops, mac=work.macs),
        "neurons": spent(update_active=work.updates_active, update_idle=work.updates_idle),
        "messages": spent(message_in=work.messages_in, spike=work.spikes, message_out=work.messages_out),
    }
    low = max(float(kind[0].max()) for kind in kinds.values())
    together = sum(kind[1] for kind in kinds.values())
    core = int(np.argmax(together))
    largest = max(kinds, key=lambda name: float(kinds[name][1, core]))
    barrier = _barrier_ns(times, work.chips)
    idle = times.update_idle.bounds * work.neurons.max()
    return StepTime(Range(low + barrier.low, float(np.max(together)) + barrier.high), core, largest,
                    Range.of(idle + barrier.bounds))


def _barrier_ns(times: Times, chips: int) -> Range:
    """Barrier of ``chips`` chips, which stand in a square at best and in rows of :data:`NARROWEST` at worst."""
    narrow = min(chips, NARROWEST) - 1 + -(-chips // NARROWEST) - 1
    square = min(narrow, 2 * (int(np.ceil(np.sqrt(chips))) - 1))
    return Range(times.barrier.low + square * times.barrier_chip.low,
                 times.barrier.high + narrow * times.barrier_chip.high)
