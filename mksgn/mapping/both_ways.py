"""One network on chips in both ways: a clip at once, and its frames one after the other. Cores, time and energy.
A stream without ends is a third way; what is said of a sample is then said of a frame.

A chip spends more than the events of the clip, and all of it is in the figures here. A neuron that rests between its
frames is updated in every step. A message that finds it at rest is read and added all the same. Relays and clocks send
spikes of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mksgn.energy.costs import Cost, CostModel, FramePace, Range, at_endless_rate, at_frame_rate, cost_models
from mksgn.energy.work import CoreWork
from mksgn.ir.endless import spaced, steps_at_work
from mksgn.ir.graph import Graph
from mksgn.ir.streamed_clips import carried_side_by_side, is_endless
from mksgn.mapping.activity import complete, uniform_activity
from mksgn.mapping.boards import Board
from mksgn.mapping.delays import Delays
from mksgn.mapping.inside import expanded
from mksgn.mapping.packing import Objective
from mksgn.mapping.placement import Placement, place
from mksgn.mapping.step_by_step import steps_ms
from mksgn.mapping.wiring import Activity, Wiring

FRAMES_PER_SECOND = 30.0
"""Of a usual skeleton sensor."""
Active = Mapping[str, float]
_NOISE = 1e-9
"""A smaller share of all operations is no more than the rounding of their sum."""


@dataclass(frozen=True)
class Extra:
    """What a sample costs a chip beside the events of its clip: numbers of events.

    Parameters
    ----------
    updates_at_rest : float
        Of neurons between their frames; every neuron is updated in every step.
    operations_at_rest : float
        Weights read and added for neurons at rest.
    relay_neurons : int
    relay_updates, relay_operations : float
        Of relays: all updates, and one weight for each message that they pass on.
    clock_operations : float
        Weights by which clocks hold neurons down.
    """

    updates_at_rest: float
    operations_at_rest: float
    relay_neurons: int
    relay_updates: float
    relay_operations: float
    clock_operations: float


@dataclass(frozen=True)
class Price:
    """What one cost model says of one way of running.

    Parameters
    ----------
    cost : Cost
        With samples back to back (``streaming``) and one at a time (``single_shot``), all steps being alike.
    period_ms, answer_ms : Range or None
        From one sample to the next, back to back; from a sample's first message to its answer. Of a stream step by step
        (:mod:`mksgn.mapping.step_by_step`), as some steps have more to do; the answer so of a frame of an endless one.
    static_mj : Range or None
        Static power x chips x period.
    sensor : FramePace or None
        At the pace of a sensor.
    extra_mj : Range
        Of the dynamic energy, back to back: that of :class:`Extra` events.
    """

    cost: Cost
    period_ms: Range | None
    answer_ms: Range | None
    static_mj: Range | None
    sensor: FramePace | None
    extra_mj: Range


@dataclass(frozen=True, eq=False)
class Way:
    """One way of running a network.

    Parameters
    ----------
    time : 'clip', 'stream' or 'endless'
    placement : Placement
    work : CoreWork
    operations : float
        Synaptic operations of the clip, per sample: the same both ways. Of a frame, where the stream is endless.
    extra : Extra
    prices : dict of model to Price
    """

    time: str
    placement: Placement
    work: CoreWork
    operations: float
    extra: Extra
    prices: dict[str, Price]


def folded(activity: Activity) -> dict[str, np.ndarray]:
    """Messages per neuron of a clip's graph as those of the streamed one: (C, F, V) to (C, 1, V)."""
    return {name: np.asarray(values, np.float64).sum(axis=1, keepdims=True) for name, values in activity.items()}


def per_frame(activity: Activity) -> dict[str, np.ndarray]:
    """Messages per neuron of a clip's graph as those of a frame of the endless one: (C, F, V) to (C, 1, V).

    All frames of a clip without padding are frames within a stream.
    """
    return {name: np.asarray(values, np.float64).mean(axis=1, keepdims=True) for name, values in activity.items()}


def way(clip: Graph, graph: Graph, board: Board, activity: Activity, active: Active | None, models: Sequence[CostModel],
        *, objective: Objective = "cores", delays: Delays | None = None,
        per_second: float = FRAMES_PER_SECOND) -> Way:
    """Place a graph and price it.

    Parameters
    ----------
    clip : Graph
        Of the clip.
    graph : Graph
        The same, or what :func:`mksgn.ir.streaming.streamed` makes of it.
    board : Board
    activity : mapping of population to float64 ndarray (C, F, V)
        Messages per neuron and sample of the *clip's* graph.
    active : mapping of population to float, optional
        Neuron updates per sample that changed the neuron; the same both ways.
    models : sequence of CostModel
    objective, delays
        As for :func:`mksgn.mapping.place`.
    per_second : float
        Frame rate of the sensor.

    Raises
    ------
    ConfigError
        As :func:`mksgn.mapping.place`.
    """
    given = complete(clip, activity, _steps(clip))
    lattice = graph.input.lattice
    sent = folded(given) if lattice is not None else given
    placement = place(graph, board, sent, objective=objective, delays=delays)
    return priced(clip, placement, given, active, models, per_second)


def compare(clip: Graph, placement: Placement, activity: Activity | None, active: Active | None) -> list[Way]:
    """The clip at once on the board of a streamed ``placement``, and that placement, by all cost models.

    The placement alone, where neurons carry states from frame to frame: such a clip cannot run at once.

    Parameters
    ----------
    clip : Graph
    placement : Placement
        Of the same, streamed.
    activity : mapping of population to float64 ndarray (C, F, V), or None
        Of the clip's graph. Without it every neuron is taken to spike alike.
    active : mapping of population to float, optional
    """
    steps = _steps(clip)
    sent = complete(clip, uniform_activity(clip, steps) if activity is None else activity, steps)
    models = list(cost_models().values())
    stream = priced(clip, placement, sent, active, models)
    if carried_side_by_side(clip) is not None:
        return [stream]
    at_once = place(clip, placement.board, activity, objective=placement.objective)  # type: ignore[arg-type]
    return [priced(clip, at_once, sent, active, models), stream]


def endless_way(placement: Placement, activity: Activity | None, active: Active | None,
                models: Sequence[CostModel]) -> Way:
    """A placed stream without ends, priced. What is said of a sample is said of a frame.

    Parameters
    ----------
    placement : Placement
        Of :func:`mksgn.ir.streaming.continuous`.
    activity : mapping of population to float64 ndarray (C, 1, V), or None
        Messages per neuron and frame. Without it every neuron is taken to spike alike.
    active : mapping of population to float, optional
        Neuron updates per frame that changed the neuron.
    models : sequence of CostModel
    """
    stream = placement.wiring.stream
    steps = placement.steps
    sent = uniform_activity(stream, steps) if activity is None else complete(stream, activity, steps)
    return priced(stream, placement, sent, active, models)


def endless_ways(placement: Placement, activity: Activity | None, active: Active | None,
                 models: Sequence[CostModel]) -> list[Way]:
    """A placed stream without ends, priced; before it, where its frames are spaced, the same with frames close up.

    Parameters as for :func:`endless_way`.
    """
    stream = placement.network or placement.wiring.stream
    found, steps = [endless_way(placement, activity, active, models)], steps_at_work(stream)
    if placement.steps > steps:
        close = place(spaced(stream, steps), placement.board, activity, delays=placement.wiring.delays,
                      objective=placement.objective)  # type: ignore[arg-type]
        found.insert(0, endless_way(close, activity, active, models))
    return found


def priced(clip: Graph, placement: Placement, activity: Activity, active: Active | None, models: Sequence[CostModel],
           per_second: float = FRAMES_PER_SECOND) -> Way:
    """A placement priced: the parameters are those of :func:`way`. An endless graph is its own ``clip``."""
    lattice, placed = placement.wiring.stream.input.lattice, expanded(clip)
    endless = is_endless(placement.wiring.stream)
    activity = complete(clip, activity, _steps(clip))
    sent = folded(activity) if lattice is not None else dict(activity)
    work = placement.work(sent, active)
    operations = sum(float((activity[source] * s.fanout(placed[source].shape, placed[s.target].shape)).sum())
                     for s in placed.synapses for source in s.sources)
    extra = extra_events(placement.wiring, work, sent, operations)
    before = 0 if lattice is None or endless else lattice.end - lattice.length
    uneven = steps_ms(placement, sent, active, list(models)) if lattice is not None else {}
    prices = {}
    for model in models:
        cost = model.price(work)
        steps = uneven.get(model.name)
        period = cost.streaming.period_ms if cost.streaming else None
        answer = cost.single_shot.latency_ms if cost.single_shot else None
        if steps is not None:
            period = Range.of(steps.sum(axis=0))
            if endless:
                frames, left = divmod(work.latency_steps, work.steps)
                answer = Range.of(frames * steps.sum(axis=0) + steps[:left].sum(axis=0))
        static = None
        power = model.static_mw(work)
        if period is not None and power is not None:
            static = Range.of(power.values * period.values * 1e-3)  # mW ms = uJ
        sensor = (at_endless_rate(model, work, cost, per_second, steps) if endless else
                  at_frame_rate(model, work, cost, clip.input.shape[1], per_second, before))
        prices[model.name] = Price(cost, period, answer, static, sensor, _extra_mj(model, extra))
    time = "clip" if lattice is None else "endless" if endless else "stream"
    return Way(time, placement, work, operations, extra, prices)


def _steps(clip: Graph) -> int:
    assert clip.time_steps is not None
    return clip.time_steps


def extra_events(wiring: Wiring, work: CoreWork, activity: Activity, operations: float) -> Extra:
    """Events of a chip beside those of the clip.

    Parameters
    ----------
    wiring : Wiring
    work : CoreWork
        Of one sample.
    activity : mapping of population to float64 ndarray
        Messages per neuron of the graph that is placed.
    operations : float
        Synaptic operations of the clip.
    """
    rest = clock = relays = passed = 0.0
    for population in wiring.populations[1:]:
        if population.name in wiring.repeats:
            relays += population.size
            passed += float(np.sum(activity[wiring.repeats[population.name]]))
        rest += population.size * wiring.rest_steps(population.name)
        clock += population.size * wiring.rest_messages(population.name)
    total = work.total("synops") + work.total("macs")
    at_rest = total - operations - passed - clock
    at_rest = 0.0 if abs(at_rest) < _NOISE * total else at_rest
    return Extra(rest, at_rest, int(relays), relays * work.steps, passed, clock)


def _extra_mj(model: CostModel, extra: Extra) -> Range:
    """A relay that passes a message on changes, all other updates of these neurons are idle."""
    prices = model.energies
    idle = extra.updates_at_rest + extra.relay_updates - extra.relay_operations
    operations = extra.operations_at_rest + extra.relay_operations + extra.clock_operations
    return Range.of(1e-9 * (prices.update_idle.values * idle + prices.synop.values * operations
                            + (prices.update_active.values + prices.spike.values) * extra.relay_operations))


def record(found: Way) -> dict[str, Any]:
    """A way of running as JSON-ready data: every range a pair [low, high]."""
    placement, work = found.placement, found.work
    return {
        "time": found.time, "board": placement.board.name, "objective": placement.objective,
        "delay_price": placement.wiring.delays.price if placement.wiring.delays else None,
        "cores": placement.packing.cores, "chips": placement.chips, "board_chips": placement.board.chips,
        "fits": placement.packing.cores <= placement.board.cores,
        "neurons": sum(population.size for population in placement.wiring.stream.populations[1:]),
        "steps": work.steps, "latency_steps": work.latency_steps, "operations": found.operations,
        "extra": asdict(found.extra),
        "prices": {name: {"cost": {key: value for key, value in price.cost.as_record().items() if key != "core_mj"},
                          "period_ms": _pair(price.period_ms), "answer_ms": _pair(price.answer_ms),
                          "static_mj": _pair(price.static_mj),
                          "sensor": None if price.sensor is None else _plain(price.sensor),
                          "extra_mj": _pair(price.extra_mj)}
                   for name, price in found.prices.items()}}


def _pair(value: Range | None) -> list[float] | None:
    return None if value is None else [value.low, value.high]


def _plain(pace: FramePace) -> dict[str, Any]:
    return {name: _pair(value) if isinstance(value, Range) else value for name, value in vars(pace).items()}
