"""A step that takes as long as the slowest of its parts.

This is the form that Timcheck et al. (arXiv 2601.10035) fit to Loihi 2, a maximum of linear terms:

    t_step = max( max over cores of t_synop synops + t_mac macs,
                  max over cores of t_update neurons,
                  max over cores of t_read words,
                  t_link messages of the heaviest link,  t_chip_link those of the heaviest link between chips,
                  barrier )

All counts are those of one step. Work that overlaps perfectly costs nothing beside the slowest part, so this is a lower
bound, and its constants are fitted as such. Congestion is not in it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from mksgn.energy.costs.latency import StepTime, barrier_ns, step_time
from mksgn.energy.costs.quantity import Range
from mksgn.energy.work import CoreWork


@dataclass(frozen=True)
class Slowest:
    """Times of the parts of a step, ns.

    Parameters
    ----------
    synop, mac : Range
        Per non-zero weight met by a spike, and by a graded message.
    update : Range
        Per neuron of a core; all of them are updated in every step.
    read : Range
        Per word of synaptic memory that a core reads.
    link, chip_link : Range
        Per message over a link between routers, and between chips.
    barrier : Range
        The shortest step of one chip.
    barrier_chip : Range
        Added to the barrier by each step from chip to chip, along the longest way across the board.
    """

    synop: Range
    mac: Range
    update: Range
    read: Range
    link: Range
    chip_link: Range
    barrier: Range
    barrier_chip: Range


SLOWEST_UNITS = {field.name: "ns" for field in fields(Slowest)}
"""Units of the constants in a table's section ``slowest``."""


def parts(work: CoreWork) -> dict[str, float]:
    """What decides a step: the counts of one step by constant, each of its busiest core or heaviest link.

    Weights met by graded messages are with those met by spikes (``synop``). The barrier's count is 1.
    """
    return {"synop": float((work.synops + work.macs).max()) / work.steps, "update": float(work.neurons.max()),
            "read": float(work.reads.max()) / work.steps, "link": work.link_messages / work.steps,
            "chip_link": work.chip_link_messages / work.steps, "barrier": 1.0}


@step_time.register
def _of_the_slowest(times: Slowest, work: CoreWork) -> StepTime:
    cores = {
        "synapses": times.synop.values[:, None] * work.synops + times.mac.values[:, None] * work.macs,
        "neurons": times.update.values[:, None] * work.neurons * work.steps,
        "synaptic memory": times.read.values[:, None] * work.reads,
    }
    barrier = barrier_ns(times.barrier, times.barrier_chip, work.chips)
    found = {name: ns.max(axis=1) / work.steps for name, ns in cores.items()}
    found["links"] = times.link.values * work.link_messages / work.steps
    found["links between chips"] = times.chip_link.values * work.chip_link_messages / work.steps
    found["barrier"] = barrier.values
    kind = max(found, key=lambda name: float(found[name][1]))
    busiest = cores.get(kind, cores["synapses"])
    idle = np.maximum(times.update.values * work.neurons.max(), barrier.values)
    return StepTime(Range.of(np.max(list(found.values()), axis=0)), int(np.argmax(busiest[1])), kind, Range.of(idle))
