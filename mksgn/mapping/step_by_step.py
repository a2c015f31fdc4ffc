"""What every core does in each step of a streamed sample, for the time that uneven steps take.

The populations of a streamed graph send at some steps only, and the busiest core of a step decides how long it takes.
The mean of such maxima is more than the maximum of the means. A population is taken to send alike in all steps at which
it works.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from mksgn.energy.costs import CostModel, step_time
from mksgn.energy.work import CoreWork
from mksgn.ir.schedule import schedule
from mksgn.mapping.arrivals import arrivals
from mksgn.mapping.layer import Layer
from mksgn.mapping.links import LinkLoads
from mksgn.mapping.placement import Placement
from mksgn.mapping.reads import clock_reads, read_by
from mksgn.mapping.traffic import HOST, flows_from
from mksgn.mapping.wiring import Activity


def steps_ms(placement: Placement, activity: Activity, active: Mapping[str, float] | None,
             models: list[CostModel]) -> dict[str, np.ndarray]:
    """Milliseconds of each step from one sample of a streamed graph to the next, samples being back to back.

    Parameters
    ----------
    placement : Placement
        Of a streamed graph.
    activity, active
        As for :meth:`Placement.work`.
    models : list of CostModel
        Those without times are left out.

    Returns
    -------
    dict of model to float64 ndarray (steps, 3)
        Low, best and high; in the first step the input sends.
    """
    timed = {model.name: model.times for model in models if model.times is not None}
    found: dict[str, list[np.ndarray]] = {name: [] for name in timed}
    for work in step_works(placement, activity, active):
        for name, times in timed.items():
            found[name].append(step_time(times, work).ns.values * 1e-6)
    return {name: np.array(values) for name, values in found.items()}


def step_works(placement: Placement, activity: Activity, active: Mapping[str, float] | None) -> Iterator[CoreWork]:
    """What each step of a sample makes every core do; together that is :meth:`Placement.work`, but for hops.

    Parameters as for :func:`steps_ms`.
    """
    events = _Events(placement, activity, active)
    whole = placement.work(activity, active)
    for step in range(placement.steps):
        now: dict[str, Any] = {name: values[:, step] for name, values in events.of.items()}
        yield CoreWork(steps=1, latency_steps=1, chip=whole.chip, neurons=whole.neurons,
                       updates_idle=whole.neurons - now["updates_active"], hops_ew=np.zeros(whole.cores),
                       hops_ns=np.zeros(whole.cores), chip_crossings=np.zeros(whole.cores), host_messages=0.0,
                       **events.heaviest_links(step), **now)


class _Events:
    """Events of every core in every step of a sample: float64 (cores, steps) by name."""

    def __init__(self, placement: Placement, activity: Activity, active: Mapping[str, float] | None):
        self.placement, self.wiring = placement, placement.wiring
        self.sent = self.wiring.activity(activity)
        self.depth = schedule(self.wiring.stream).depth
        shape = (placement.packing.cores, placement.steps)
        self.of = {name: np.zeros(shape) for name in ("updates_active", "synops", "macs", "spikes", "messages_in",
                                                      "messages_out", "reads")}
        links = LinkLoads(placement.board, placement.packing.cores)
        self._loads = [np.zeros((loads.size, placement.steps)) for loads in links.loads()]
        for population in self.wiring.populations[1:]:
            self._updates(population.name, active)
            self._operations(population.name)
        for population in self.wiring.populations:
            self._messages(population.name)

    def _share(self, name: str, late: int) -> np.ndarray:
        """Part of what a population sends in each step, ``late`` steps after it sends: float64 (steps,)."""
        source = self.wiring.repeats.get(name, name)
        lattice = self.wiring.stream[source].lattice
        assert lattice is not None
        first = self.depth[source] + self.wiring.behind.get(name, 0) + late
        found = np.zeros(self.placement.steps)
        for frame in range(lattice.frames_apart):
            for step in range(lattice.length):
                found[(first + frame * lattice.interval + step) % len(found)] += 1
        return found / found.sum()

    def _add(self, name: str, core: np.ndarray, values: np.ndarray, share: np.ndarray) -> None:
        total = np.bincount(core, np.ravel(values), self.placement.packing.cores)
        self.of[name] += total[:, None] * share[None]

    def _updates(self, name: str, active: Mapping[str, float] | None) -> None:
        grid, core = self.placement.packing.grids[name], self.placement.packing.core[name]
        share = self._share(name, 0)
        self._add("updates_active", core, grid.sums(self.placement.updates(name, active, self.sent)), share)
        self._add("spikes", core, grid.sums(self.sent[name]), share)
        rest = self.wiring.rest_messages(name)
        if rest:
            resting = (share == 0) / rest
            self._add("synops", core, grid.sizes * rest, resting)
            self._add("messages_in", core, np.full(grid.cells, rest), resting)
            self._add("reads", core, clock_reads(self._layer(name), grid), resting)

    def _operations(self, name: str) -> None:
        """A message is read when it arrives, however long it waits then."""
        grid, core = self.placement.packing.grids[name], self.placement.packing.core[name]
        shape = self.wiring[name].shape
        rules = self._layer(name).rules
        for synapse in self.wiring.into(name):
            kind = "macs" if self.wiring.source(synapse).message_bits > 0 else "synops"
            for number, source in enumerate(synapse.sources):
                sent = np.asarray(self.sent[source], np.float64)
                late = self.wiring.strands[synapse.name].waits[number] if self._host(source) else 0
                share = self._share(source, 1 + late)
                self._add(kind, core, grid.sums(arrivals(synapse, sent, shape)), share)
                self._add("reads", core, read_by(synapse, sent, shape, grid, rules(synapse)), share)

    def _layer(self, name: str) -> Layer:
        return Layer(self.wiring, self.wiring[name], self.placement.board, self.sent, self.placement.steps)

    def _messages(self, name: str) -> None:
        packing = self.placement.packing
        for wait, synapses in self.wiring.axon_delays(name).items():
            leaves, arrives = self._share(name, 0), self._share(name, 1 + (wait if self._host(name) else 0))
            links = LinkLoads(self.placement.board, packing.cores)
            for flow in flows_from(self.wiring, name, synapses, packing.grids, packing.core, self.sent):
                self._add("messages_in", flow.receiver, flow.messages, arrives)
                inside = flow.sender != HOST
                self._add("messages_out", flow.sender[inside], flow.messages[inside], leaves)
                if inside.any():
                    links.add(flow)
            for total, loads in zip(self._loads, links.loads()):
                total += loads.ravel()[:, None] * leaves[None]

    def heaviest_links(self, step: int) -> dict[str, Any]:
        """Messages over the heaviest link within a chip and between chips in a step."""
        within, between = (float(loads[:, step].max(initial=0.0)) for loads in self._loads)
        return {"link_messages": within, "chip_link_messages": between}

    def _host(self, name: str) -> bool:
        """The host sends an input when it is due; what a neuron sends waits where it has arrived."""
        return name == self.wiring.populations[0].name
