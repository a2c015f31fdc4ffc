"""Runs a program in the compiled loop, a group of samples per thread, and keeps what it recorded and counted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from mksgn.counts.batch_tally import BatchTally
from mksgn.emulator.loop import run
from mksgn.emulator.program import Program, Sizes, rows_of
from mksgn.emulator.scratch import Scratch
from mksgn.ir import Graph, Population
from mksgn.ir.graph import STATE_SHIFT
from mksgn.run.backend import RunResult

MEMORY = 1 << 28
"""Bytes of messages and lists that a thread may hold, as long as one sample fits."""
SENT_MAX = (1 << 16) - 1
"""Spikes of one neuron that a narrow counter of a thread can hold."""


@dataclass
class Room:
    """A thread's memory, kept from run to run: memory that is new to a process costs time.

    Parameters
    ----------
    arena : int8; events : uint16; lengths : int32
        As :func:`mksgn.emulator.loop.run` has them.
    sent : uint16 (neurons,)
        Spikes of each neuron, and of each frame of its lattice, since they were last collected.
    scratch : Scratch
    """

    sent: np.ndarray
    scratch: Scratch
    arena: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int8))
    events: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint16))
    lengths: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))

    def provide(self, sizes: Sizes, blocks: int) -> None:
        """Have room for so many samples times steps."""
        if len(self.arena) < sizes.messages * blocks:
            self.arena = np.empty(-(-sizes.messages * blocks // 8) * 8, np.int8)
        if len(self.events) < sizes.events * blocks:
            self.events = np.empty(sizes.events * blocks, np.uint16)
        if len(self.lengths) < sizes.lists * blocks:
            self.lengths = np.empty(sizes.lists * blocks, np.int32)


class EventRun:
    """One run in progress.

    Parameters
    ----------
    graph : Graph
    program : Program
        Of this graph.
    rooms : list of Room
        Those of earlier runs of this program; more are appended where there are more threads.
    samples : int
        N.
    steps : int
        T, at most :data:`STEPS_MAX`.
    record : 'none' or 'spikes'
    threads : int
    """

    STEPS_MAX = SENT_MAX
    """A neuron's spikes in one sample are counted in 16 bits."""

    def __init__(self, graph: Graph, program: Program, rooms: list[Room], samples: int, steps: int, record: str,
                 threads: int) -> None:
        self.graph, self.program, self.steps, self.record = graph, program, steps, record
        self.tally = BatchTally(graph, samples, steps)
        self.code, self.sizes = program.placed(record == "spikes")
        self.threads = threads
        self._counted = np.zeros((samples, len(program.lines), 2 + program.fans), np.int64)
        self.rooms = rooms
        while len(rooms) < self.threads:
            rooms.append(Room(np.zeros(program.neurons, np.uint16), Scratch.of(program)))
        for room in rooms:
            room.sent[:] = 0  # an earlier run may have ended in an error
        self._countable = SENT_MAX
        output = self.graph.output
        self._final = np.zeros((samples, int(np.prod(rows_of(output.shape)))), np.int32)
        spiking = [p for p in self.graph.populations[1:] if p.role != "readout"]
        self._copied = {p.name for p in spiking if record == "spikes" or p is output}
        self._recorded = {p.name: np.zeros((samples, *p.shape, steps), np.int8) for p in self.graph.populations[1:]
                          if record == "spikes" or p.name in self._copied}

    def batch_size(self, wanted: int) -> int:
        """Samples to run at once: ``wanted``, or fewer where a thread would hold more than :data:`MEMORY`."""
        sizes = self.sizes
        bytes_each = (sizes.messages + 2 * sizes.events + 4 * sizes.lists) * self.steps
        each = max(1, min(MEMORY // max(bytes_each, 1), SENT_MAX // self.steps))
        return min(wanted, self.threads * each)

    def batch(self, x: np.ndarray, start: int) -> bool:
        """Run samples (N, C, F, V, T), or T = 1 for the same at every step, as rows ``start`` on.

        Returns False when a readout left its range or a current 32 bits: the results are worth nothing then.
        """
        count = len(x)
        first = np.linspace(0, count, min(self.threads, count) + 1).astype(int)
        most = int(np.diff(first).max()) * self.steps
        if self._countable < most:
            self._collect_sent()
        self._countable -= most
        with ThreadPoolExecutor(len(first) - 1) as pool:
            groups = range(len(first) - 1)
            return all(pool.map(lambda g: self._group(g, x[first[g]:first[g + 1]], start + int(first[g])), groups))

    def _group(self, number: int, x: np.ndarray, start: int) -> bool:
        blocks, room = len(x) * self.steps, self.rooms[number]
        room.provide(self.sizes, blocks)
        own = slice(start, start + len(x))
        rows = np.zeros((len(x), x.shape[4], *rows_of(self.graph.input.shape)), np.int32)
        rows[..., :x.shape[1]] = x.transpose(0, 4, 2, 3, 1)
        fine = run(self.code, len(x), self.steps, rows.reshape(-1), x.shape[4], room.arena, room.events, room.lengths,
                   room.scratch, room.sent, self._counted[own], self._final[own])
        for line, population in enumerate(self.program.lines):
            if isinstance(population, Population) and population.name in self._copied:
                shape = rows_of(population.shape)
                place, size = self.program.place(self.code, line) * blocks, int(np.prod(shape)) * blocks
                spikes = room.arena[place:place + size].reshape(len(x), self.steps, *shape)[..., :population.shape[0]]
                self._recorded[population.name][own] = spikes.transpose(0, 4, 2, 3, 1)
        return bool(fine)

    def _collect_sent(self) -> None:
        """Move the spikes of each neuron from the threads' narrow counters into wide ones."""
        begin = 0
        for population in self.program.lines:
            if isinstance(population, Population):
                frames = 1 if population.lattice is None else population.lattice.frames_apart
                shape = (frames, *rows_of(population.shape))
                own = slice(begin, begin + int(np.prod(shape)))
                begin = own.stop
                total = self.rooms[0].sent[own].astype(np.int64)
                for room in self.rooms[1:]:
                    total += room.sent[own]
                by_frame = total.reshape(shape)[..., :population.shape[0]].transpose(0, 3, 1, 2)
                self.tally.add_sent(population.name, by_frame)
        for room in self.rooms:
            room.sent[:] = 0
        self._countable = SENT_MAX

    def result(self) -> RunResult:
        """Everything recorded and counted."""
        self._collect_sent()
        counts = self.tally.counts
        for line, population in enumerate(self.program.lines):
            if isinstance(population, Population):
                counted = self._counted[:, line]
                counts.sample_spikes[population.name][:] = counted[:, 0]
                if line > 0:
                    counts.sample_active[population.name][:] = counted[:, 1]
                for reading in self.program.readings[population.name]:
                    met = counted[:, 2 + reading.row] if reading.each is None else reading.each * counted[:, 0]
                    self.tally.met[reading.synapse] += met
        output = self.graph.output
        if output.role == "readout":
            final = self._final.reshape(-1, *rows_of(output.shape))[..., :output.shape[0]]
            sums = final.transpose(0, 3, 1, 2).reshape(len(final), output.size).astype(np.int64) >> STATE_SHIFT
        else:
            sums = self._recorded[output.name].astype(np.int64)
        return RunResult(sums, self.tally.result(), self._recorded if self.record == "spikes" else {})
