"""A streamed graph, one frame per call: what is on its way is carried from call to call."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from mksgn.counts import Counts
from mksgn.emulator.assemble import assemble
from mksgn.emulator.emulator import check_emulated
from mksgn.emulator.frame_loop import push
from mksgn.emulator.program import Program, rows_of
from mksgn.emulator.ranges import ranges_of
from mksgn.emulator.rings import Rings, branches
from mksgn.emulator.scratch import Scratch
from mksgn.errors import BackendError, ConfigError, DataError, GraphError
from mksgn.ir import Attention, Graph, Population
from mksgn.ir.graph import STATE_SHIFT
from mksgn.ir.streamed_clips import lattice_of
from mksgn.processor import threads_here
from mksgn.run.frames import FrameResult, checked_frame


class FrameByFrame:
    """Exact backend for frames that come one after the other, on a CPU.

    A call computes one frame of every population that has one, and keeps the messages that later frames will read.
    Spikes, readouts and counts are those of :meth:`mksgn.emulator.Emulator.run`. A population needs no step per hop
    here: it works so many frames late as the kernels before it look ahead (:meth:`lag`).

    Parameters
    ----------
    graph : Graph
        Of :func:`mksgn.ir.streaming.streamed`: clips follow each other every :attr:`cycle` frames, and nothing may
        enter between them. Or of :func:`mksgn.ir.streaming.continuous`: a stream without ends.
    threads : int, optional
        CPU threads, at most one per branch of the graph, such as a member of an ensemble; None: as many as elsewhere.

    Raises
    ------
    GraphError
        When the graph is not streamed, has an attention as printed, or its sums can leave 24 bits.

    Examples
    --------
    >>> with FrameByFrame(continuous(graph)) as stream:                # doctest: +SKIP
    ...     for frame in frames:
    ...         print(stream.push(frame).output)
    """

    def __init__(self, graph: Graph, threads: int | None = None) -> None:
        check_emulated(graph)
        if threads is not None and threads < 1:
            raise ConfigError("threads must be at least 1", got=str(threads))
        self.graph = graph
        self.steps = lattice_of(graph.input).length
        _refuse_attention(graph)
        program = assemble(graph, ranges_of(graph))
        if program is None:
            raise GraphError("this graph cannot run frame by frame", got="sums that can leave 24 bits, or lists that "
                             "are too long for the compiled loop", fix="run it clip by clip with the dense kernel")
        self._program: Program | None = program
        self._rings = rings = Rings.of(program, graph, self.steps)
        self._line = {line.name: number for number, line in enumerate(program.lines) if isinstance(line, Population)}
        self._shape = rows_of(graph.input.shape)
        self._arena = np.zeros(rings.sizes.messages, np.int8)
        self._events = np.zeros(rings.sizes.events, np.uint16)
        self._lengths = np.zeros(rings.sizes.lists, np.int32)
        self._states = np.zeros(max(rings.states, 1), np.int32)
        self._x = np.zeros((int(rings.kept[0]), self.steps, *self._shape), np.int32)
        self._final = np.zeros(int(np.prod(rows_of(graph.output.shape))), np.int32)
        self._counted = np.zeros((len(program.lines), 2 + program.fans), np.int64)
        self._total = np.zeros_like(self._counted)
        self._worth = _worth(program)
        last = len(program.lines) - 1
        self._orders = _shared_out(branches(program), threads or threads_here())
        self._ends = np.array([0, last])
        self._scratch = [Scratch.of(program) for _ in self._orders] or [Scratch.of(program)]
        self._broken = np.zeros((len(self._scratch), 1), np.int64)
        self._pool = ThreadPoolExecutor(len(self._orders) - 1) if len(self._orders) > 1 else None
        self._now = 0

    def __enter__(self) -> FrameByFrame:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End the threads and release the memory; nothing can be pushed afterwards."""
        if self._pool is not None:
            self._pool.shutdown()
        self._program = self._pool = None
        self._arena, self._events = self._arena[:0].copy(), self._events[:0].copy()
        self._lengths, self._x = self._lengths[:0].copy(), self._x[:0].copy()

    @property
    def cycle(self) -> int | None:
        """Frames from the first frame of a clip to that of the next; None: the stream has no clips."""
        return self._rings.cycle or None

    @property
    def memory(self) -> int:
        """Bytes of all messages and states that are kept."""
        return sum(each.nbytes for each in (self._arena, self._events, self._lengths, self._states, self._x))

    def lag(self, population: str) -> int:
        """Frames by which ``population`` works later than the frame that enters."""
        return int(self._rings.lag[self._line[population]])

    def reset(self) -> None:
        """Forget all frames and counts, as if the stream began anew."""
        for each in (self._arena, self._lengths, self._states, self._x, self._total, self._broken):
            each[:] = 0
        self._now = 0

    def push(self, frame: np.ndarray | None) -> FrameResult:
        """Let a frame enter, and compute what follows from it.

        Parameters
        ----------
        frame : int ndarray (C, 1, V), the same at every step of the frame, or (C, 1, V, T); or None
            None: nothing enters, as between two clips.

        Raises
        ------
        DataError
            When the frame has another shape, values that the input cannot send, or no place in its clip; or when a
            readout leaves its range, or a current 32 bits. After such an overflow the stream must be :meth:`reset`.
        BackendError
            When this is closed.
        """
        if self._program is None:
            raise BackendError("this stream is closed", fix="make a new one")
        now = self._now
        self._enter(frame, now)
        self._now += 1
        self._counted[:] = 0
        self._compute(now)
        if self._broken.any():
            raise DataError("a readout left its range, or a current 32 bits", where=f"frame {now}",
                            fix="use smaller messages or weights; reset() begins anew")
        self._total += self._counted
        met = (self._counted * self._worth).sum(axis=1)
        macs = int(met[0]) if self.graph.input.message_bits else 0
        output, first = self._output(now)
        return FrameResult(now, output, first, int(self._counted[:, 0].sum()), int(self._counted[:, 1].sum()),
                           int(met.sum()) - macs, macs)

    def spikes(self, population: str) -> np.ndarray:
        """What ``population`` sent in the last frame: int8 (C, 1, V, T). It works :meth:`lag` frames late.

        Zeros where it had no frame. A readout sends nothing.
        """
        shape = rows_of(self.graph[population].shape)
        number, now = self._line[population], max(self._now - 1, 0)
        if number == 0 or self.graph[population].role == "readout":
            raise ConfigError("only neurons send spikes, and a readout sends none", got=population)
        size = self.steps * int(np.prod(shape))
        begin = self._program_place(number) + now % int(self._rings.kept[number]) * size
        values = self._arena[begin:begin + size].reshape(self.steps, *shape)[..., :self.graph[population].shape[0]]
        return values.transpose(3, 1, 2, 0).copy()  # the ring goes on

    @property
    def counts(self) -> Counts:
        """All events since the stream began, as one sample."""
        return self.as_counts(self._total[None], self._now * self.steps)

    @property
    def events(self) -> np.ndarray:
        """What was counted in the last call, int64: a row for each population, for :meth:`as_counts`."""
        return self._counted

    def keep_events(self, tables: np.ndarray, now: int) -> None:
        """Keep the events of call ``now``, of each population in the table of the frame that it worked on.

        Parameters
        ----------
        tables : int64 ndarray (N, *events.shape)
            Filled; frames from N on are left out.
        """
        own = now - self._rings.lag
        kept = np.flatnonzero((own >= 0) & (own < len(tables)))
        tables[own[kept], kept] = self._counted[kept]

    def as_counts(self, tables: np.ndarray, steps: int) -> Counts:
        """Tables of :attr:`events`, one for each of N samples of so many steps, as counts."""
        graph = self.graph
        counts = Counts(len(tables), steps, neurons={p.name: p.size for p in graph.populations})
        met = {synapse.name: np.zeros(len(tables), np.int64) for synapse in graph.synapses}
        assert self._program is not None
        for name, number in self._line.items():
            own = tables[:, number]
            counts.sample_spikes[name] = own[:, 0].copy()
            if number:
                counts.sample_active[name] = own[:, 1].copy()
            for each in self._program.readings[name]:
                met[each.synapse] += own[:, 0] * each.each if each.each is not None else own[:, 2 + each.row]
        for synapse in graph.synapses:
            counts.place(synapse.name, graph[synapse.sources[0]].message_bits > 0, met[synapse.name])
        return counts

    def _program_place(self, number: int) -> int:
        assert self._program is not None
        return self._program.place(self._rings.code, number)

    def _enter(self, frame: np.ndarray | None, now: int) -> None:
        """Put a frame into the input's ring."""
        population = self.graph.input
        row = self._x[now % len(self._x)]
        row[:] = 0
        if frame is None:
            return
        messages = checked_frame(frame, population, self.steps, now)
        cycle = self._rings.cycle
        if cycle and lattice_of(population).frame(now % cycle * self.steps) is None and messages.any():
            raise DataError("nothing may enter between two clips", where=f"frame {now}",
                            got=f"frame {now % cycle} of {lattice_of(population).frames} in its clip",
                            fix="push None until the next clip begins")
        row[..., :population.shape[0]] = messages.transpose(3, 1, 2, 0)

    def _compute(self, now: int) -> None:
        """Run all lines: the input, the branches side by side, and the output."""
        run = (self._rings.code, now, self.steps, self._x.reshape(-1), self._arena, self._events, self._lengths,
               self._states)
        self._lines(0, self._ends[:1], run)
        if self._pool is not None:
            others = [self._pool.submit(self._lines, number, order, run)
                      for number, order in enumerate(self._orders) if number]
            self._lines(0, self._orders[0], run)
            for each in others:
                each.result()
        elif self._orders:
            self._lines(0, self._orders[0], run)
        self._lines(0, self._ends[1:], run)

    def _lines(self, thread: int, order: np.ndarray, run: tuple) -> None:
        code, *rest = run
        push(code, order, *rest, self._scratch[thread], self._counted, self._final, self._broken[thread])

    def _output(self, now: int) -> tuple[np.ndarray | None, int | None]:
        """What the output gives, and the first frame that it looks at."""
        output, cycle = self.graph.output, self._rings.cycle
        own = now - self.lag(output.name)
        if own < 0 or (cycle and lattice_of(output).frame(own % cycle * self.steps) is None):
            return None, None
        first = own - own % cycle if cycle else own
        if output.role != "readout":
            return self.spikes(output.name), first
        values = self._final.reshape(rows_of(output.shape))[..., :output.shape[0]]
        return values.transpose(2, 0, 1).reshape(output.size).astype(np.int64) >> STATE_SHIFT, first


def _refuse_attention(graph: Graph) -> None:
    attention = next((synapse for synapse in graph.synapses if isinstance(synapse, Attention)), None)
    if attention is not None:
        raise GraphError("attention as printed cannot run frame by frame yet", where=f"synapse {attention.name!r}",
                         got="Q K^T V, which the compiled loop does not compute", allowed="masks (--attention mask)",
                         fix="run whole clips, for example with mksgn run")


def _worth(program: Program) -> np.ndarray:
    """Weights met per number that is counted: int64 (P, 2 + L)."""
    worth = np.zeros((len(program.lines), 2 + program.fans), np.int64)
    for number, line in enumerate(program.lines):
        for reading in program.readings[line.name] if isinstance(line, Population) else ():
            if reading.each is None:
                worth[number, 2 + reading.row] += 1
            else:
                worth[number, 0] += reading.each
    return worth


def _shared_out(found: list[np.ndarray], threads: int) -> list[np.ndarray]:
    """Branches dealt to at most ``threads`` threads, in the order of their lines."""
    dealt: list[list[np.ndarray]] = [[] for _ in range(min(threads, len(found)))]
    for branch in found:
        min(dealt, key=lambda own: sum(map(len, own))).append(branch)
    return [np.sort(np.concatenate(own)) for own in dealt]
