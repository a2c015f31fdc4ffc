"""The Lava backend: a spiking graph as Lava Processes on the CPU simulator, exact on every spike."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from mksgn.counts import Counts
from mksgn.counts.recorded import count_recorded, sent_recorded
from mksgn.counts.step_tally import enter_counted
from mksgn.errors import BackendError, ConfigError
from mksgn.ir import Graph, reset_steps, schedule
from mksgn.ir.endless import checked_frames, frames_to_decide
from mksgn.ir.schedule import has_delays
from mksgn.ir.streamed_clips import check_stream, frame_beginnings, refuse_carried, refuse_streamed
from mksgn.lava.graph_host import Effort, GraphHost
from mksgn.lava.limits import check_descriptors, check_processes, check_shared_memory, cpus
from mksgn.lava.process_plan import LAYOUTS, MAX_PROCESSES, UNROLL_LIMIT, ProcessPlan, plan_blocks, plan_processes
from mksgn.lava.stock_stream import behind_an_empty_clip, stock_graph, without_the_empty_clip
from mksgn.lava.stream_data import Recorder, check_record, frames_as_stream, samples_as_stream, wall_stream
from mksgn.lava.timing import Timing, sample_timing, stream_timing
from mksgn.run.backend import RunResult

TIMEOUT_S = 600.0


class LavaBackend:
    """Runs a graph as Lava Processes (``Loihi2SimCfg``, tag ``fixed_pt``): our fast ones, or stock Lava's.

    Each run starts its own Processes and ends them; many samples in one call share the start-up.
    Samples follow each other every T steps without a gap. What a functional delay carries past its sample's end is
    lost, and neurons that fire on their bias before the first sample arrives send nothing into it: the sample alone
    decides. On Loihi 2, where nothing takes a message back, graphs with functional delays run one sample at a time.

    Parameters
    ----------
    graph : Graph
    max_processes : int
        Bound of the OS processes of a run; more raise :class:`BackendError` before anything starts.
    timeout_s : float
        Longest silence, in seconds, before a run is given up: the start-up, or one sample.
    progress : callable, optional
        Called with the number of samples done (of :meth:`run`) or of steps done (:meth:`run_stream`).
    layout : 'blocks', 'layers' or 'stock'
        See :mod:`mksgn.lava.process_plan`; the spikes are the same. 'blocks' cannot hold an input without a hop: such
        streams run as 'layers'. In 'stock' a streamed graph gets gates, clocks and relays, and an empty clip goes
        before the first (:mod:`mksgn.lava.stock_stream`).
    blocks : int, optional
        OS processes that compute in the layout 'blocks'; None: as many as CPUs that this process may use.
    delays : 'process' or 'relay', optional
        See :func:`mksgn.lava.process_plan.plan_processes`. Both are exact; 'process' (the default) takes one OS process
        per delay, 'relay' two. Not for 'blocks'.
    unroll_limit : int, optional
        See :data:`mksgn.lava.process_plan.UNROLL_LIMIT`. 0: every convolution is a ``Conv``. Not for 'blocks'.
    models : mapping of 'module:Process' to 'module:ProcessModel', optional
        ProcessModels that replace those of the layout.

    Raises
    ------
    ConfigError
        When an option is out of range.
    BackendError
        When the graph cannot be run here.

    Examples
    --------
    >>> with LavaBackend(graph) as lava:                             # doctest: +SKIP
    ...     result = lava.run(samples, record="spikes")
    """

    name = "lava"
    on_chip = False
    builder = "mksgn.lava.builder:Builder"
    """What makes the Processes in the host process: 'module:class'."""

    def __init__(self, graph: Graph, max_processes: int = MAX_PROCESSES, timeout_s: float = TIMEOUT_S,
                 progress: Callable[[int], None] | None = None, layout: str = "blocks", blocks: int | None = None,
                 delays: str | None = None, unroll_limit: int | None = None,
                 models: Mapping[str, str] | None = None) -> None:
        if max_processes < 1 or timeout_s <= 0:
            raise ConfigError("the process limit and the timeout must be positive",
                              got=f"{max_processes} processes, {timeout_s} s")
        refuse_carried(graph, "run in Lava")
        self.graph = graph
        self.max_processes, self.progress = max_processes, progress
        if layout not in LAYOUTS:
            raise ConfigError("unknown layout of Lava Processes", where="layout", got=repr(layout),
                              allowed=", ".join(LAYOUTS))
        if (delays is not None or unroll_limit is not None) if layout == "blocks" else blocks is not None:
            raise ConfigError("an option has no effect in this layout", where=f"layout {layout!r}",
                              got="blocks" if layout != "blocks" else "delays or unroll_limit",
                              fix="leave it out, or choose another layout")
        self.layout = layout
        self.blocks = blocks or cpus()
        self.delays = delays or "process"
        self.unroll_limit = unroll_limit
        self.models = dict(models or {})
        self.effort = Effort()
        self.machine: dict[str, str] = {}  # the one that the host process is in
        self._counted: dict[str, dict[str, np.ndarray]] = {}
        self._restless = layout == "stock" and graph.input.lattice is not None
        self._built = stock_graph(graph) if self._restless else graph
        self._host = GraphHost(self._built, timeout_s)
        self._closed = False
        self._plan("none", (), 1, self.layout, False)

    def __enter__(self) -> LavaBackend:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def timeout_s(self) -> float:
        """Longest silence in seconds; it may be changed while a run is going on."""
        return self._host.timeout_s

    @timeout_s.setter
    def timeout_s(self, seconds: float) -> None:
        self._host.timeout_s = seconds

    @property
    def host_pid(self) -> int | None:
        """Process and session id of the process that runs Lava; None where there is none."""
        return self._host.pid

    @property
    def counts_alone(self) -> bool:
        """Whether samples are counted with nothing recorded: blocks count in their Processes."""
        return self.layout == "blocks" and not self.models

    def close(self) -> None:
        """End every process this backend has started. May be called twice."""
        self._closed = True
        self._host.close()

    def run(self, samples: np.ndarray, record: str = "none") -> RunResult:
        """Run samples, each from rest, for the graph's T steps.

        Parameters
        ----------
        samples : int ndarray (N, C, F, V) or (N, C, F, V, T)
            Without T, the same messages are sent at every step (PCM, paper Eq. 3).
        record : 'none', 'spikes' or 'states'
            'states' also reads u and v of every neuron after every step. Blocks send them whole; the other
            layouts hand them out one message per value, about 60 us each, so for small nets.

        Returns
        -------
        RunResult
            Blocks count events in their Processes (Var ``counted``). In the other layouts counts need recorded
            spikes, and active updates recorded states; ``sent`` needs recorded spikes in every layout.

        Raises
        ------
        DataError
            When samples have the wrong shape, type or range.
        BackendError
            When Lava fails, a process of it dies, or it falls silent; nothing is left running.
        ConfigError
            When the graph has no T, or ``record`` is unknown.
        """
        check_record(record)
        steps = self.graph.time_steps
        if steps is None:
            raise ConfigError("this net has no number of steps per sample", where="time_steps",
                              fix="run it on a tensor with --input")
        check_stream(self.graph, np.asarray(samples))
        stream = samples_as_stream(samples, self.graph.input, steps)
        asked, empty = stream, int(self._restless)
        if empty:
            stream = behind_an_empty_clip(stream, steps)
        total = stream.shape[3] // steps
        together = 1 if self.on_chip and has_delays(self.graph) and not self._restless else total
        output = np.zeros((total, self.graph.output.size), np.int64)
        times, lattice = schedule(self._built), self.graph.output.lattice
        read_after = steps if lattice is None or self.layout == "blocks" else lattice.end
        recorder = Recorder(self.graph, total, steps, times.depth, record)
        self.effort, self._counted = Effort(), {}
        for first in range(0, total, together):
            timing = sample_timing(together, steps, times, record == "states", read_after)
            part = stream[..., first * steps:(first + together) * steps]
            done = [first + empty]

            def on_segment(last: int, result: np.ndarray | None, first: int = first, done: list[int] = done,
                           reads: tuple[int, ...] = timing.reads) -> None:
                finished = first + bisect_right(reads, last)
                if result is not None:
                    output[finished - 1] = result
                if self.progress is not None and finished > done[0]:
                    done[0] = finished
                    self.progress(finished - empty)

            self._stream(part, timing, record, recorder, first, on_segment)
        if empty:
            without_the_empty_clip(self.graph, recorder.arrays)
        return self._result(asked, total - empty, steps, record, recorder, output[empty:],
                            frame_beginnings(self.graph))

    def run_frames(self, frames: np.ndarray, record: str = "none") -> RunResult:
        """Run frames of a stream without ends, one after the other: the graph is endless.

        Parameters
        ----------
        frames : int ndarray (C, F, V), the same at every step of a frame, or (C, F, V, T)
        record : 'none', 'spikes' or 'states'
            As for :meth:`run`.

        Returns
        -------
        RunResult
            As of :func:`mksgn.emulator.run_frames`: its samples are the decisions.

        Raises
        ------
        GraphError
            When the graph is not endless.
        DataError, BackendError, ConfigError
            As :meth:`run`; also when a kernel looks back beyond the first frame, which stock neurons cannot leave out.
        """
        check_record(record)
        messages = checked_frames(self.graph, frames)
        self._check_beginning()
        decisions, steps = messages.shape[1] - frames_to_decide(self.graph) + 1, messages.shape[3]
        per_frame, times = self.graph.time_steps, schedule(self._built)
        assert per_frame is not None
        recorder = Recorder(self.graph, decisions, per_frame, times.depth, record, kept=steps)
        timing = replace(sample_timing(decisions, per_frame, times, record == "states", steps), reset_interval=None)
        output = np.zeros((decisions, self.graph.output.size), np.int64)

        def on_segment(last: int, result: np.ndarray | None) -> None:
            done = bisect_right(timing.reads, last)
            if result is not None:
                output[done - 1] = result
            if self.progress is not None and done:
                self.progress(done)

        self.effort, self._counted = Effort(), {}
        self._stream(frames_as_stream(messages, per_frame), timing, record, recorder, 0, on_segment)
        counted = frames_as_stream(messages[:, :decisions], steps)
        return self._result(counted, decisions, steps, record, recorder, output, frame_beginnings(self.graph))

    def _check_beginning(self) -> None:
        """Before the first frame Blocks rest. Other Processes may fire on their bias, and no one may read that."""
        for synapse in () if self.layout == "blocks" and not self.models else self.graph.synapses:
            if synapse.longest_delay and any(name != self.graph.input.name for name in synapse.sources):
                raise BackendError("this layout cannot tell what was sent before the first frame",
                                   where=f"layout {self.layout!r}, synapse {synapse.name!r}",
                                   got="a kernel that is padded along the frames",
                                   allowed="one without padding", fix="choose the layout 'blocks'")

    def run_stream(self, x: np.ndarray, record: str = "none", reset_interval: int | None = None,
                   reset_offset: int = 0, direct_input: bool | None = None) -> RunResult:
        """Run one stream in wall time, as stock netx runs it.

        Neurons integrate their bias from the first step, and nothing is reset unless asked for.
        Where branches of different depth meet, the shorter one waits (:mod:`mksgn.ir.schedule`).

        Parameters
        ----------
        x : int ndarray (C, F, V, steps)
            The input's message at each wall step.
        record : 'none', 'spikes' or 'states'
        reset_interval, reset_offset : int
            As in ``lava.lib.dl.netx.hdf5.Network``: a population at depth d, the first being 1, resets
            before the wall steps t = 1, 2, ... with t = reset_offset + d modulo reset_interval.
        direct_input : bool, optional
            As :meth:`mksgn.emulator.Emulator.run_stream`: the input reaches the first neurons without a hop. None:
            where the net is a stock one whose input layer has neurons (``meta["input_weight"]``).

        Returns
        -------
        RunResult
            With N = 1 and T = steps, in wall time.

        Raises
        ------
        DataError, BackendError, ConfigError
            As :meth:`run`.
        """
        refuse_streamed(self.graph, "run in wall time")
        check_record(record)
        stream = wall_stream(x, self.graph.input)
        steps = stream.shape[3]
        if direct_input is None:
            direct_input = "input_weight" in self.graph.meta
        timing = stream_timing(steps, reset_interval, reset_offset, record == "states", direct_input)
        output = np.zeros((1, self.graph.output.size), np.int64)
        recorder = Recorder(self.graph, 1, steps, {p.name: 0 for p in self.graph.populations}, record)

        def on_segment(last: int, result: np.ndarray | None) -> None:
            if result is not None:
                output[0] = result
            if self.progress is not None:
                self.progress(last)

        self.effort, self._counted = Effort(), {}
        self._stream(stream, timing, record, recorder, 0, on_segment)
        resets = reset_steps(schedule(self.graph), reset_interval, reset_offset, steps)
        late = {way: 1 + wait for way, wait in schedule(self.graph).wait.items()}
        return self._result(stream, 1, steps, record, recorder, output, resets, late)

    def _plan(self, record: str, recorded: tuple[str, ...], segment: int, layout: str, direct: bool) -> ProcessPlan:
        if layout == "blocks":
            return plan_blocks(self._built, self.blocks, record, segment)
        return plan_processes(self._built, recorded, segment, self.delays, self._unroll_limit(layout, direct))

    def _unroll_limit(self, layout: str, direct: bool) -> int:
        if self.unroll_limit is not None:
            return self.unroll_limit
        # Our Conv is event-driven itself: unrolled it would only be larger. But only Sparse takes an input directly.
        return 0 if layout == "layers" and not direct else UNROLL_LIMIT

    def _stream(self, stream: np.ndarray, timing: Timing, record: str, recorder: Recorder, sample: int,
                on_segment: Callable[[int, np.ndarray | None], None]) -> None:
        """Run one network over ``stream``, whose first sample is number ``sample``."""
        if self._closed:
            raise BackendError("the Lava backend is closed", fix="make a new one")
        recorded = tuple(name for name in recorder.arrays["spikes"] if self.graph[name].role != "readout")
        layout = "layers" if self.layout == "blocks" and timing.direct else self.layout
        # A spiking output is the result: blocks send it with everything else they record.
        record = "spikes" if record == "none" and recorded else record
        needed = self._plan(record, recorded, timing.segment, layout, timing.direct)
        check_processes(needed, self.max_processes)
        check_shared_memory(needed)
        if not self.on_chip:
            check_descriptors(needed)
        self.effort.os_processes = needed.os_processes

        def keep(message: dict[str, Any]) -> None:
            for quantity in ("spikes", "u", "v"):
                for name, values in message.get(quantity, {}).items():
                    if name in recorder.arrays[quantity]:
                        recorder.place(quantity, name, message["first"], values, sample, len(timing.reads))
            result = message.get("result")
            on_segment(message["last"], None if result is None else readout(result))

        request = {**asdict(timing), "stream": stream, "recorded": recorded, "record": record,
                   "states": tuple(recorder.arrays["u"]),
                   "read_output": self.graph.output.role == "readout", "layout": layout, "blocks": self.blocks,
                   "delays": self.delays, "unroll_limit": self._unroll_limit(layout, timing.direct),
                   "models": self.models, "builder": self.builder, "machine": self.machine}
        self._counted = self._host.run(request, self.effort, keep)

    def _result(self, stream: np.ndarray, samples: int, steps: int, record: str, recorder: Recorder,
                output: np.ndarray, resets: dict[str, frozenset[int]],
                late: dict[tuple[str, str], int] | None = None) -> RunResult:
        spikes, u, v = (recorder.arrays[quantity] for quantity in ("spikes", "u", "v"))
        final = self.graph.output
        result = output if final.role == "readout" else spikes[final.name].astype(np.int64)
        counts = Counts(samples, steps)
        if self._counted:
            enter_counted(self.graph, counts, self._counted)
            if record != "none":
                sent_recorded(self.graph, counts, stream, spikes)
        elif record != "none":
            count_recorded(self.graph, counts, stream, spikes, u, v, resets, late)
        return RunResult(result, counts, *((spikes, u, v) if record != "none" else ()))


def readout(v: np.ndarray) -> np.ndarray:
    """v (V, F, C) of a readout as sums v / 64 in weight units, flat in (C, F, V) order; rounded down."""
    return v.astype(np.int64).transpose(2, 1, 0).reshape(-1) // 64
