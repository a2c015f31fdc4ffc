"""A network placed on a board, and what one sample makes every core do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from mksgn.energy.work import CoreWork
from mksgn.errors import ConfigError
from mksgn.ir.graph import Graph
from mksgn.ir.schedule import schedule
from mksgn.ir.streamed_clips import refuse_carried
from mksgn.mapping.activity import complete, uniform_activity
from mksgn.mapping.boards import Board
from mksgn.mapping.chips import MOST_CORES, Exchange, arranged
from mksgn.mapping.choice import Chosen, choose
from mksgn.mapping.delays import Delays
from mksgn.mapping.grid import Slab
from mksgn.mapping.inside import expanded, has_attention
from mksgn.mapping.layer import Layer
from mksgn.mapping.links import LinkLoads, positions
from mksgn.mapping.packing import RESOURCES, Objective, Packing, pack
from mksgn.mapping.problems import Problem, chips_needed, find_problems
from mksgn.mapping.reads import words_read
from mksgn.mapping.traffic import HOST, Flow, flows
from mksgn.mapping.wiring import Activity, Wiring


@dataclass(frozen=True)
class Core:
    """One core in use.

    Parameters
    ----------
    index, chip : int
        Counted from 0 over the whole board; consecutive numbers fill one chip after another.
    slabs : tuple of Slab
        The neurons it holds.
    usage : dict of str to int
        What it takes of each resource of a core, by the names of :class:`Board`.
    """

    index: int
    chip: int
    slabs: tuple[Slab, ...]
    usage: dict[str, int]

    @property
    def neurons(self) -> int:
        return self.usage["neurons"]


@dataclass(frozen=True, eq=False)
class Placement:
    """Every population and every synapse of a graph on cores of a board.

    A core holds boxes of neurons and the synapses that end at them. The input population is held by the host.

    Parameters
    ----------
    wiring : Wiring
        What is on the cores: the graph, or what a streamed graph becomes once its delays are made of something.
    board : Board
    objective : 'cores', 'time' or 'lava'
    steps : int
        Steps per sample.
    uniform : bool
        No activity was given: loads were balanced for :data:`~mksgn.mapping.activity.UNIFORM_RATE`.
    packing : Packing
    made : tuple of Chosen
        How the delays of each synapse of a streamed graph are made, and why.
    network : Graph or None
        The graph whose attention became populations (:mod:`mksgn.mapping.inside`); None where it has none.
    """

    wiring: Wiring
    board: Board
    objective: str
    steps: int
    uniform: bool
    packing: Packing
    made: tuple[Chosen, ...] = ()
    network: Graph | None = None

    @property
    def graph(self) -> Graph:
        """Populations and synapses on the cores, relays included."""
        return self.wiring.graph

    @property
    def chips(self) -> int:
        """Chips needed, which may be more than the board has."""
        return chips_needed(self.board, self.packing.cores)

    @property
    def chip(self) -> np.ndarray:
        """Chip of every core, int64 (cores,)."""
        return np.arange(self.packing.cores) // self.board.cores_per_chip

    @cached_property
    def cores(self) -> tuple[Core, ...]:
        """The cores in use, in order."""
        held: list[list[Slab]] = [[] for _ in range(self.packing.cores)]
        for name, grid in self.packing.grids.items():
            for slab, core in zip(grid.slabs(name, self.graph[name].shape), self.packing.core[name]):
                held[core].append(slab)
        return tuple(Core(i, int(chip), tuple(held[i]), dict(zip(RESOURCES, self.packing.usage[i].tolist())))
                     for i, chip in enumerate(self.chip))

    @cached_property
    def problems(self) -> tuple[Problem, ...]:
        """What does not fit, and the smallest change that would make it fit. Empty: the board can hold the net."""
        return find_problems(self.wiring, self.board, self.packing, lambda smaller: packed(
            smaller, self.board, objective="cores", steps=smaller.time_steps or self.steps,
            delays=self.wiring.delays).packing.cores)

    def load(self, work: CoreWork) -> dict[str, np.ndarray]:
        """Nanoseconds per sample that the board's times give each core's work, by cause: float64 (cores,).

        Their sum is what placing balances. It compares cores; it is no prediction of a chip's time.
        """
        board = self.board
        return {"synaptic operations": board.synop_ns * (work.synops + work.macs),
                "neuron updates": board.update_ns * work.neurons * work.steps,
                "arriving messages": board.message_ns * work.messages_in}

    def flows(self, activity: Activity) -> Iterator[Flow]:
        """Messages from core to core per sample, part by part; those of a clock are not among them."""
        given = self.wiring.activity(self._checked(activity))
        return flows(self.wiring, self.packing.grids, self.packing.core, given)

    def between_chips(self, activity: Activity, in_order: bool = False) -> float:
        """Messages per sample from chip to chip; ``in_order``: were chips filled in the order of the network."""
        chip, was = self.chip, self.packing.was
        if in_order and was is not None:
            chip = was // self.board.cores_per_chip
        return sum(float(flow.messages[(flow.sender != HOST) & (chip[flow.sender] != chip[flow.receiver])].sum())
                   for flow in self.flows(activity))

    def work(self, activity: Activity, active: Mapping[str, float | np.ndarray] | None = None) -> CoreWork:
        """What one sample makes every core do.

        Parameters
        ----------
        activity : mapping of population to float64 ndarray (C, F, V)
            Messages per neuron and sample (``counts.sent / counts.samples``), the input's included.
        active : mapping of population to float or float64 ndarray (C, F, V), optional
            Neuron updates per sample that changed the neuron: of the population, spread over its neurons evenly, or of
            each neuron. Without it every update counts as active; of a streamed graph, every one at a step of work.

        Returns
        -------
        CoreWork
            Synops sum to sum(activity * fanout) exactly, where the activity is of whole numbers. A message to a neuron
            that rests costs a chip the same, so those are among them (:mod:`mksgn.mapping.both_ways`).
        """
        given = self._checked(activity)
        sent = self.wiring.activity(given)
        total: dict[str, Any] = {
            name: np.zeros(self.packing.cores)
            for name in ("neurons", "updates_active", "synops", "macs", "spikes", "reads")}
        for name, grid in self.packing.grids.items():
            population = self.wiring[name]
            layer = Layer(self.wiring, population, self.board, sent, self.steps)
            synops, macs = layer.operations()
            for key, values in (("synops", synops + self.wiring.rest_messages(name)), ("macs", macs),
                                ("spikes", sent[name]), ("updates_active", self.updates(name, active, sent)),
                                ("neurons", np.ones(population.shape))):
                np.add.at(total[key], self.packing.core[name], grid.sums(values).ravel())
            np.add.at(total["reads"], self.packing.core[name], words_read(layer, grid).ravel())
        latency = self.wiring.latency_steps or self.steps + schedule(self.wiring.stream).latency
        input_name = self.wiring.populations[0].name
        return CoreWork(
            steps=self.steps, latency_steps=latency, chip=self.chip, **total,
            updates_idle=total["neurons"] * self.steps - total["updates_active"], **self._routes(given),
            host_messages=float(given[input_name].sum()) * max(len(self.wiring.axon_delays(input_name)), 1))

    def updates(self, name: str, active: Mapping[str, float | np.ndarray] | None, sent: Activity) -> np.ndarray:
        """Neuron updates per sample that change each neuron of a population or relay: float64 (C, F, V)."""
        inside = self.network is not None and name not in {p.name for p in self.network.populations}
        if inside or name in self.wiring.repeats:  # it changes when it sends or passes on a message
            return np.asarray(sent[name])
        shape = self.wiring[name].shape
        if active is None:
            return np.full(shape, float(self.steps - self.wiring.rest_steps(name)))
        if name not in active:
            raise ConfigError("active updates of a population are missing", where=f"population {name!r}")
        given = np.asarray(active[name], np.float64)
        if given.ndim == 0:
            return np.full(shape, given / self.wiring[name].size)
        if given.shape != tuple(shape):
            raise ConfigError("active updates do not fit a population", where=f"population {name!r}",
                              got=str(given.shape), allowed=str(shape))
        return given

    def _checked(self, activity: Activity) -> dict[str, np.ndarray]:
        return complete(self.network or self.wiring.stream, activity, self.steps)

    def _routes(self, activity: Activity) -> dict[str, Any]:
        """Messages, hops and crossings by core, and the heaviest links. Rows and columns run on from chip to chip."""
        row, column = positions(self.board, self.packing.cores)
        links = LinkLoads(self.board, self.packing.cores)
        names = ("messages_in", "messages_out", "hops_ew", "hops_ns", "chip_crossings")
        total = {name: np.zeros(self.packing.cores) for name in names}
        for name, cores in self.packing.core.items():
            np.add.at(total["messages_in"], cores, self.wiring.rest_messages(name))
        for flow in self.flows(activity):
            total["messages_in"] += np.bincount(flow.receiver, flow.messages, self.packing.cores)
            if flow.sender.size and flow.sender[0] == HOST:
                continue
            ends = (flow.sender, flow.receiver)
            links.add(flow)
            for name, weight in (("messages_out", np.ones(len(flow.sender))),
                                 ("hops_ew", np.abs(np.subtract(*(column[end] for end in ends)))),
                                 ("hops_ns", np.abs(np.subtract(*(row[end] for end in ends)))),
                                 ("chip_crossings", np.not_equal(*(self.chip[end] for end in ends)))):
                total[name] += np.bincount(flow.sender, flow.messages * weight, self.packing.cores)
        within, between = links.heaviest()
        return {**total, "link_messages": within, "chip_link_messages": between}


def place(graph: Graph, board: Board, activity: Activity | None = None, *, objective: Objective = "time",
          steps: int | None = None, delays: Delays | None = None) -> Placement:
    """Place every population and every synapse of ``graph`` on cores of ``board``. Deterministic.

    Cores are numbered so that few messages pass from chip to chip (:mod:`mksgn.mapping.chips`).

    Parameters
    ----------
    graph : Graph
        Of a clip, or streamed.
    board : Board
    activity : mapping of population to float64 ndarray (C, F, V), optional
        Messages per neuron and sample, which the cores' loads are balanced by. Without it every neuron is
        taken to spike at :data:`~mksgn.mapping.activity.UNIFORM_RATE`, and the input to send at every step.
    objective : 'time', 'cores' or 'lava'
        The least busy busiest core within the board; the fewest cores; or populations split as Lava's compiler did
        (:mod:`mksgn.mapping.lava_split`).
    steps : int, optional
        Steps per sample, for a net that has no number of its own.
    delays : Delays, optional
        How the delays of a streamed graph may be made, and what they cost. Without it in any way, at a price in
        accumulators. The waits of a graph without lattices take nothing.

    Returns
    -------
    Placement
        Also where the net does not fit: see ``Placement.problems``.

    Raises
    ------
    ConfigError
        When the activity is of another graph, or the number of steps is missing; or delays of a graph without lattices
        are given a price.
    """
    found = packed(graph, board, activity, objective=objective, steps=steps, delays=delays)
    if not board.cores_per_chip < found.packing.cores <= MOST_CORES:
        return found
    given = uniform_activity(graph, found.steps) if activity is None else activity
    number = arranged(Exchange.of(found.flows(given), found.packing.cores), board.cores_per_chip)
    return replace(found, packing=found.packing.renumbered(number))


def packed(graph: Graph, board: Board, activity: Activity | None = None, *, objective: Objective = "time",
           steps: int | None = None, delays: Delays | None = None) -> Placement:
    """What :func:`place` does, with the cores in the order of the network: for those who count cores alone."""
    if graph.time_steps is None and steps is None:
        raise ConfigError("the net has no number of steps per sample of its own", fix="give one (--steps)")
    if graph.time_steps is not None and steps not in (None, graph.time_steps):
        raise ConfigError("the net has a number of steps per sample of its own", got=str(steps),
                          allowed=str(graph.time_steps), fix="leave --steps out")
    refuse_carried(graph, "placed on cores")
    count = graph.time_steps or int(steps or 0)
    if count < 1:
        raise ConfigError("a sample has at least one step", got=str(count))
    given = complete(graph, uniform_activity(graph, count) if activity is None else activity, count)
    network = graph if has_attention(graph) else None
    graph = expanded(graph)
    if graph.input.lattice is not None:
        wiring, packing, made = choose(graph, board, given, objective, delays or Delays())
        return Placement(wiring, board, objective, count, activity is None, packing, made, network)
    if delays is not None:
        raise ConfigError("only the delays of a streamed graph have a price", fix="stream the graph, or give none")
    wiring = Wiring.plain(graph)
    packing = pack(wiring, board, given, count, objective)
    return Placement(wiring, board, objective, count, activity is None, packing, network=network)
