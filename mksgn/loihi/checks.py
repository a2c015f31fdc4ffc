"""What can be refused before anything starts: graphs the chip cannot hold, measurements that would mean nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mksgn.errors import BackendError, ConfigError, DataError
from mksgn.events.stepper import Stepper
from mksgn.ir import Attention, Graph, schedule
from mksgn.ir.messages import check_samples
from mksgn.ir.streamed_clips import is_endless, refuse_carried, refuse_streamed
from mksgn.lava.process_plan import plan_processes
from mksgn.lava.stock_stream import stock_graph

MESSAGE_BITS_MAX = 24
DECAY_MAX = 4095
"""Most that 12 bits hold; the CPU's 4096 means full decay."""
STOCK_KINDS = ("source", "conv", "sparse", "delayed", "relay_synapse", "relay", "neuron", "sink")
"""Nodes that are stock Lava Processes; ProcessModels of ours have no counterpart on the chip."""
MIN_STEPS = 10_000
"""Steps of a measured run, at least: what lava-dl's notebooks run; fewer give the power probe few readings."""
MIN_REPEATS = 3


@dataclass(frozen=True)
class Procedure:
    """How a measurement is made.

    Parameters
    ----------
    steps : int
        Steps of every run that count, at least 10,000; a multiple of T.
    warmup : int
        Steps before them that are run and left out: the first step, the filling of the pipeline and of the supply's
        filters. A multiple of T that is longer than the pipeline.
    repeats : int
        Runs of every sample, and as many of the idle network, at least 3: their spread is the noise.
    time_buffer : int
        Steps the time probe keeps on the chip before the host fetches them.
    board_chips : int, optional
        Chips on the board. Power sensors see the whole board; with this, the static power of its unused chips can be
        told apart (assuming that chips leak alike).
    """

    steps: int = 32_768
    warmup: int = 1_024
    repeats: int = 5
    time_buffer: int = 1_024
    board_chips: int | None = None

    def check(self, graph: Graph) -> None:
        """Raise :class:`ConfigError` unless ``graph``, whose T is set, can be measured in this way."""
        assert graph.time_steps is not None
        latency = schedule(graph).latency
        for name, value, least in (("steps", self.steps, MIN_STEPS), ("warmup", self.warmup, latency + 1),
                                   ("repeats", self.repeats, MIN_REPEATS), ("time_buffer", self.time_buffer, 1),
                                   ("board_chips", 1 if self.board_chips is None else self.board_chips, 1)):
            if value < least:
                raise ConfigError("too few for a measurement", where=name, got=str(value), allowed=f"at least {least}")
        for name, value in (("steps", self.steps), ("warmup", self.warmup)):
            if value % graph.time_steps:
                raise ConfigError("a measurement takes whole samples", where=name, got=str(value),
                                  allowed=f"a multiple of T = {graph.time_steps}")

    def total(self, graph: Graph) -> int:
        """Steps of a run: warm-up, measured steps, and the latency, so that the last sample's answer can be read."""
        return self.warmup + self.steps + schedule(graph).latency


def check_interval(interval: int | None, where: str, fix: str = "train with such a number of time steps") -> None:
    """Raise :class:`BackendError` unless the chip can reset neurons at this interval."""
    if interval is not None and interval > 0 and interval & (interval - 1):
        raise BackendError("Loihi 2 resets neurons at intervals of a power of two only", where=where,
                           got=str(interval), allowed="1, 2, 4, 8, ...", fix=fix)


def with_chip_cycle(graph: Graph) -> Graph:
    """A streamed graph whose clips follow each other at an interval at which the chip can reset neurons.

    It is the next power of two. The further steps are of rest. Any other graph comes back as it is; a stream without
    ends has no clips.
    """
    if graph.input.lattice is None or graph.time_steps is None or is_endless(graph):
        return graph
    return replace(graph, time_steps=1 << (graph.time_steps - 1).bit_length())


def check_graph(graph: Graph) -> None:
    """Raise :class:`BackendError` unless every number of ``graph`` fits the chip and every node is a stock Process.

    A streamed graph is looked at as it is built: with gates, clocks and relays.
    """
    refuse_carried(graph, "run on Loihi 2")
    if graph.input.lattice is not None:
        graph = stock_graph(graph)
    if is_endless(graph):
        check_interval(graph.time_steps, "steps per frame", "choose such a number with mksgn.ir.endless.spaced")
    check_interval(graph.time_steps, "time_steps")
    for population in graph.populations[1:]:
        if population.lattice is not None:
            check_interval(population.lattice.interval, f"frames of population {population.name!r}")
    if graph.input.message_bits > MESSAGE_BITS_MAX:
        raise BackendError("graded messages are too wide for Loihi 2", where=f"population {graph.input.name!r}",
                           got=f"{graph.input.message_bits} bits", allowed=f"at most {MESSAGE_BITS_MAX}")
    for synapse in graph.synapses:
        if isinstance(synapse, Attention):
            raise BackendError("attention takes product neurons, which this code path does not build on a chip",
                               where=f"synapse {synapse.name!r}", got="Q K^T V", allowed="masks (--attention mask)",
                               fix="run it on the simulator (--backend lava)")
        weight = synapse.weight
        one_sign = weight.min() >= 0 or -256 < weight.min() <= weight.max() <= 0
        if (weight % 2).any() and not one_sign:
            raise BackendError("odd weights of both signs do not fit Loihi 2's 8-bit synapses",
                               where=f"synapse {synapse.name!r}", got=f"{weight.min()}..{weight.max()}",
                               allowed="even weights in -256..254, or weights of one sign in -255..254",
                               fix="export with a scale that makes the weights even")
    layout = plan_processes(graph, delays="relay", unroll_limit=0)
    kinds = {node.name: node.kind for node in layout.nodes}
    for name, kind in kinds.items():
        if kind not in STOCK_KINDS:
            raise BackendError("only stock Lava Processes run on Loihi 2", where=name, got=kind,
                               allowed=", ".join(STOCK_KINDS))
        consumers = {kinds[right] for left, right in layout.edges if left == name}
        if kind == "source" and "conv" in consumers and len(consumers) > 1:
            raise BackendError("the input's messages enter the chip either for convolutions or for other synapses",
                               where=f"population {graph.input.name!r}", got=", ".join(sorted(consumers)),
                               fix="put a population between the input and one of them")


def check_samples_apart(graph: Graph) -> None:
    """Raise :class:`BackendError` when a sample run from rest would receive spikes that were sent before it began.

    A population at depth d has d steps before its first sample arrives, in which it may fire on its bias. Behind a
    functional delay such a spike arrives late enough to count; the simulator drops it, the chip cannot.
    """
    times = schedule(graph)
    delays = {source: synapse.name for synapse in graph.synapses if synapse.delayed for source in synapse.sources
              if source != graph.input.name}
    stepper = Stepper(graph, times.wait)
    for t in range(1, max((times.depth[name] for name in delays), default=0) + 1):
        stepper.step(t)
        for name, synapse in delays.items():
            if t <= times.depth[name] and stepper.spikes(name, t).any():
                raise BackendError("neurons fire on their bias before the sample arrives, and a functional delay "
                                   "carries their spikes into it", where=f"population {name!r}, synapse {synapse!r}",
                                   got=f"a spike {times.depth[name] - t + 1} step(s) early",
                                   allowed="no spike before the sample, on a chip",
                                   fix="lower the bias, raise the threshold, or run on the simulator (--backend lava)")


def check_measurable(graph: Graph, samples: np.ndarray, procedure: Procedure, choice: dict[str, str]) -> np.ndarray:
    """The samples as an array, once everything that a measurement needs has been checked.

    Raises
    ------
    BackendError
        When the graph does not fit the chip, or has functional delays.
    ConfigError
        When the procedure would mean nothing, or runs might land on different boards.
    DataError
        When the samples do not fit, change from step to step, or there are none.
    """
    if graph.time_steps is None:
        raise ConfigError("energy per sample needs a number of steps per sample", where="time_steps",
                          fix="give the net a number of time steps that is a power of two")
    refuse_streamed(graph, "measured with its input held on the chip")
    check_graph(graph)
    for synapse in graph.synapses:
        if synapse.delayed:
            raise BackendError("a net with functional delays cannot be measured in steady state: a spike in flight "
                               "reaches the next sample", where=f"synapse {synapse.name!r}",
                               got=f"delays up to {synapse.longest_delay}", allowed="no delays")
    procedure.check(graph)
    samples = check_samples(samples, graph.input, graph.time_steps)
    where = f"population {graph.input.name!r}"
    if len(samples) == 0:
        raise DataError("there are no samples to measure", where=where, got=str(samples.shape))
    if samples.ndim == 5:
        raise DataError("only an input that is the same at each step can be held on the chip", where=where,
                        got=str(samples.shape), allowed=f"(N, {', '.join(map(str, graph.input.shape))})")
    if "partition" in choice:
        raise ConfigError("all runs of a measurement must use the same board", where="Loihi 2",
                          got=f"partition {choice['partition']}", allowed="a board or a host address",
                          fix="name one of the partition's boards (BOARD; sinfo -N lists them)")
    return samples


def as_on_chip(graph: Graph) -> Graph:
    """``graph`` with the numbers that the chip really uses: voltage decays of at most 4095."""
    return replace(graph, populations=tuple(
        p if p.neuron is None else replace(p, neuron=replace(
            p.neuron, voltage_decay=min(p.neuron.voltage_decay, DECAY_MAX)))
        for p in graph.populations))


def silent(graph: Graph) -> Graph:
    """``graph`` without biases: fed zeros it has no event at all, on the same cores."""
    return replace(graph, populations=tuple(replace(p, bias=None) for p in graph.populations))
