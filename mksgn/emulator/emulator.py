"""The emulator: a spiking graph on whole batches of samples, exact on every spike and state.

A feed-forward graph can be run population by population, all steps at once: only the neurons step through time. The
latency of a hop is then no more than a shift between the time axes of two populations, absent in :meth:`Emulator.run`
(each population in its own time) and present in :meth:`Emulator.run_stream` (wall time).

There are three ways to the same integers:

event
    A compiled loop that adds the weights of neurons that fired (:mod:`mksgn.emulator.loop`): on a CPU, for all but
    sums that leave 24 bits, recorded states and wall time.
step
    Compiled kernels, population by population and step by step (:mod:`mksgn.emulator.step_run`): for all that.
dense
    Torch operations in floating point (:mod:`mksgn.emulator.dense`): on CUDA devices, and to hold the others against.
    Only this one needs torch, which is imported when it is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import numpy as np

from mksgn.emulator.assemble import assemble
from mksgn.emulator.event_run import EventRun, Room
from mksgn.emulator.program import Program
from mksgn.emulator.step_run import StepNetwork, StepRun
from mksgn.errors import BackendError, ConfigError, DataError, GraphError
from mksgn.extras import require
from mksgn.ir import Graph, reset_steps
from mksgn.ir.messages import check_messages, check_samples
from mksgn.ir.streamed_clips import check_stream, refuse_carried, refuse_streamed
from mksgn.processor import threads_here
from mksgn.run.backend import RunResult

if TYPE_CHECKING:
    from mksgn.emulator.dense.device import Dense
    from mksgn.emulator.dense.run import DenseRun

KERNELS = ("auto", "dense", "event")
RECORDS = ("none", "spikes", "states")
MESSAGE_BITS_MAX = 24
"""Widest graded message of Loihi 2; float32 holds it exactly."""


class Emulator:
    """Exact, batched backend on a CPU or a CUDA device.

    Parameters
    ----------
    graph : Graph
    batch_size : int
        Samples computed together: bounds the memory.
    device : str
        "cpu", or a CUDA device of torch, such as "cuda:0".
    threads : int, optional
        CPU threads during a run; None: torch's number where a program uses torch, else what OMP_NUM_THREADS says, or
        one for each CPU.
    kernel : 'auto', 'dense' or 'event'
        How it computes; the results are the same. 'auto' and 'event' take the compiled loop wherever it can do what is
        asked for.
    progress : callable, optional
        Called with the number of samples done after each batch.

    Raises
    ------
    GraphError
        When the graph needs something this backend cannot do exactly.
    BackendError
        When the device does not exist, or needs torch, which is missing.

    Examples
    --------
    >>> with Emulator(graph) as emulator:                             # doctest: +SKIP
    ...     result = emulator.run(samples)
    >>> result.predictions                                            # doctest: +SKIP
    """

    name = "emulator"
    counts_alone = True

    def __init__(self, graph: Graph, batch_size: int = 32, device: str = "cpu", threads: int | None = None,
                 kernel: str = "auto", progress: Callable[[int], None] | None = None):
        if kernel not in KERNELS:
            raise ConfigError("unknown kernel", where="kernel", got=repr(kernel), allowed=", ".join(KERNELS))
        if batch_size < 1 or (threads is not None and threads < 1):
            raise ConfigError("batch size and threads must be at least 1", got=f"{batch_size} and {threads}")
        check_emulated(graph)
        self.graph = graph
        self.batch_size = batch_size
        self.threads = threads
        self.progress = progress
        on_cpu = _on_cpu(device)
        self._network: StepNetwork | None = StepNetwork(graph)
        self._dense: Dense | None = _dense(graph, device) if kernel == "dense" or not on_cpu else None
        self._program: Program | None = None if self._dense else assemble(graph, self._network.ranges)
        self._rooms: list[Room] = []

    @property
    def compiled(self) -> bool:
        """Whether runs without states take the compiled loop: on a CPU, where it can hold the graph."""
        return self._program is not None

    def __enter__(self) -> Emulator:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the weights; the emulator cannot run afterwards."""
        self._network = self._dense = self._program = None
        self._rooms = []

    def run(self, samples: np.ndarray, record: str = "none") -> RunResult:
        """Run samples, each from rest, for the graph's T steps.

        Parameters
        ----------
        samples : int ndarray (N, C, F, V) or (N, C, F, V, T)
            Without T, the same messages are sent at every step (PCM, paper Eq. 3).
        record : 'none', 'spikes' or 'states'

        Returns
        -------
        RunResult
            A spike whose functional delay carries it past the sample's last step is lost; its
            synaptic operations are counted, since a chip performs them when the spike arrives.

        Raises
        ------
        DataError
            When samples have the wrong shape, type or range.
        ConfigError
            When the graph has no T, or ``record`` is unknown.
        """
        network = self._ready(record)
        steps = self.graph.time_steps
        if steps is None:
            raise ConfigError("this net has no number of steps per sample", where="time_steps",
                              fix="run it on a tensor with --input")
        samples = check_samples(samples, self.graph.input, steps)
        check_stream(self.graph, samples)
        samples = samples if samples.ndim == 5 else samples[..., None]
        with self._arithmetic():
            run = self._begin(network, len(samples), steps, record)
            size = run.batch_size(self.batch_size)
            for start in range(0, len(samples), size):
                batch = samples[start:start + size]
                if not run.batch(batch, start):
                    StepRun(network, len(batch), steps, "none", self._threads).batch(batch, 0)  # says where and when
                    raise AssertionError("the compiled loop found a state out of its range; its kernels did not")
                if self.progress is not None:
                    self.progress(start + len(batch))
        return run.result()

    def _begin(self, network: StepNetwork, samples: int, steps: int, record: str) -> EventRun | StepRun | DenseRun:
        """The run that can do what is asked for, the fastest."""
        if self._dense is not None:
            return self._dense.run(samples, steps, record)
        if self._program is not None and record != "states" and steps <= EventRun.STEPS_MAX:
            return EventRun(self.graph, self._program, self._rooms, samples, steps, record, self._threads)
        return StepRun(network, samples, steps, record, self._threads)

    @property
    def _threads(self) -> int:
        return self.threads or threads_here()

    def _arithmetic(self) -> AbstractContextManager[None]:
        """What torch needs to compute exactly, where it computes."""
        return nullcontext() if self._dense is None else self._dense.arithmetic(self.threads)

    def run_stream(self, x: np.ndarray, record: str = "none", reset_interval: int | None = None,
                   reset_offset: int = 0, direct_input: bool | None = None) -> RunResult:
        """Run one stream in wall time, as stock netx and Lava run it.

        A synapse sends at step t what it accumulated at t - 1; neurons integrate their bias from the
        first step; nothing is reset unless asked for. Where branches of different depth meet, the
        shorter one waits (:mod:`mksgn.ir.schedule`), as relays make it wait in Lava.

        Parameters
        ----------
        x : int ndarray (C, F, V, steps)
            The input's message at each wall step.
        record : 'none', 'spikes' or 'states'
        reset_interval, reset_offset : int
            As in ``lava.lib.dl.netx.hdf5.Network``: a population at depth d, the first being 1, resets
            before the wall steps t = 1, 2, ... with t = reset_offset + d modulo reset_interval.
        direct_input : bool, optional
            The input is written into the bias of the first neurons, as a stock netx input layer with
            neurons has it, and so reaches them without a hop. None: as the net says, which is true when
            its ``meta`` has the ``input_weight`` that :func:`mksgn.netx.read_net` stores for such a layer.

        Returns
        -------
        RunResult
            With N = 1 and T = steps, in wall time. Memory grows with steps.

        Raises
        ------
        DataError, ConfigError
            As :meth:`run`.
        """
        network = self._ready(record)
        refuse_streamed(self.graph, "run in wall time")
        refuse_carried(self.graph, "run in wall time")
        x = np.asarray(x)
        if x.ndim != 4 or x.shape[:3] != tuple(self.graph.input.shape) or x.shape[3] < 1:
            raise DataError("the stream does not fit the net's input", where=f"population {self.graph.input.name!r}",
                            got=str(x.shape), allowed=f"{tuple(self.graph.input.shape)} and at least one step")
        check_messages(np.moveaxis(x, -1, 0), self.graph.input, "step")
        if reset_interval is not None and reset_interval < 1:
            raise ConfigError("the reset interval must be at least 1 step", got=str(reset_interval))
        if reset_interval is None and reset_offset:
            raise ConfigError("a reset offset has no effect without a reset interval", got=str(reset_offset))
        steps = x.shape[3]
        if direct_input is None:
            direct_input = "input_weight" in self.graph.meta
        resets = reset_steps(network.schedule, reset_interval, reset_offset, steps)
        with self._arithmetic():
            run: StepRun | DenseRun
            if self._dense is not None:
                run = self._dense.run(1, steps, record, 1, direct_input, resets)
            else:
                run = StepRun(network, 1, steps, record, self._threads, 1, direct_input, resets)
            run.batch(x[None], 0)
        return run.result()

    def _ready(self, record: str) -> StepNetwork:
        if self._network is None:
            raise BackendError("the emulator is closed", fix="make a new one")
        if record not in RECORDS:
            raise ConfigError("unknown kind of record", got=repr(record), allowed=", ".join(RECORDS))
        return self._network


def check_emulated(graph: Graph) -> None:
    """Raise :class:`GraphError` for what the general description allows and the emulator does not."""
    for synapse in graph.synapses:
        bits = {graph[source].message_bits for source in synapse.sources}
        if len(bits) > 1:
            raise GraphError("sources of one synapse must send messages of one width",
                             where=f"synapse {synapse.name!r}", got=f"{sorted(bits)} message bits")
    if not 0 <= graph.input.message_bits <= MESSAGE_BITS_MAX:
        raise GraphError("messages are too wide", where=f"population {graph.input.name!r}",
                         got=f"{graph.input.message_bits} message bits", allowed=f"0..{MESSAGE_BITS_MAX}")
    for population in graph.populations[1:]:
        where = f"population {population.name!r}"
        assert population.neuron is not None
        if population.message_bits:
            raise GraphError("only the input may send graded messages", where=where,
                             got=f"{population.message_bits} message bits", allowed="0")
        if population.role == "readout" and population is not graph.output:
            raise GraphError("only the last population may be a readout", where=where)


def _on_cpu(device: str) -> bool:
    """Whether a device is the CPU, and no CUDA device.

    Raises
    ------
    BackendError
        When it is neither.
    """
    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise BackendError("unknown device", where="device", got=device, allowed="cpu, cuda, cuda:N")
    return device == "cpu"


def _dense(graph: Graph, device: str) -> Dense:
    """The graph in torch."""
    require("torch", what="a CUDA device" if device != "cpu" else "the kernel 'dense'")
    from mksgn.emulator.dense.device import Dense

    return Dense(graph, device)
