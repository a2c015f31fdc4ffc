"""A program whose messages wait in rings: frame after frame, in memory that stays the same.

A streamed graph (:mod:`mksgn.ir.streaming`) reads what its populations sent in earlier frames. Each population keeps
its last messages in a ring, which holds as many frames as its slowest reader looks back. A frame is computed population
by population, without a step per hop: a population works late only by the frames that it must wait for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mksgn.emulator.program import ENTRY, POPULATION, Code, Program, Sizes
from mksgn.ir import Graph, schedule
from mksgn.ir.streamed_clips import is_endless, lattice_of


@dataclass(frozen=True)
class Rings:
    """A program in rings, and when its populations work.

    Parameters
    ----------
    code : Code
        Delays in frames, and at least 0. Places are those of whole rings.
    sizes : Sizes
        Of all rings.
    kept : int64 ndarray (P,)
        Frames in each ring.
    lag : int64 ndarray (P,)
        Frames by which each line of the program works later than the frame that enters.
    cycle : int
        Frames from one clip to the next; 0: the stream has no clips.
    states : int
        Numbers that are carried from frame to frame: u and v of some populations.
    """

    code: Code
    sizes: Sizes
    kept: np.ndarray
    lag: np.ndarray
    cycle: int
    states: int

    @classmethod
    def of(cls, program: Program, graph: Graph, steps: int) -> Rings:
        """The rings of ``graph``, streamed, at whose frames neurons work for ``steps``. Steps of rest are left out."""
        interval = lattice_of(graph.input).interval
        column = {name: number for number, name in enumerate(POPULATION)}
        source, delay = ENTRY.index("source"), ENTRY.index("delay")
        depth = schedule(graph, hop=0).depth
        lag = np.array([max(depth[name] for name in line) if isinstance(line, tuple) else depth[line.name]
                        for line in program.lines])
        table, entries = program.code.populations.copy(), program.code.entries.copy()
        for number, line in enumerate(table):
            own = entries[line[column["first_entry"]]:][:line[column["entries"]]]
            own[:, delay] += lag[number] - lag[own[:, source]]
        assert not (lag % interval).any() and not (entries[:, delay] % interval).any(), "delays are whole frames"
        assert entries[:, delay].min(initial=0) >= 0, "nobody reads the future"
        entries[:, delay] //= interval
        lag //= interval
        kept = np.ones(len(table), np.int64)
        np.maximum.at(kept, entries[:, source], entries[:, delay] + 1)
        assert graph.time_steps is not None
        cycle = 0 if is_endless(graph) else graph.time_steps // interval
        table[:, column["ring"]], table[:, column["lag"]], table[:, column["cycle"]] = kept, lag, cycle
        positions = table[:, column["frames"]] * table[:, column["joints"]]
        elements = positions * table[:, column["width"]]
        listed = table[:, column["listed"]]
        real = np.array([not isinstance(line, tuple) for line in program.lines])
        real[0] = False  # the input has an array of its own
        rooms = {"place": elements * real, "list_place": elements * listed, "row_place": positions * listed}
        totals = []
        for name, each in rooms.items():
            ends = np.cumsum(each * kept * steps)
            table[:, column[name]] = ends - each * kept * steps
            totals.append(int(ends[-1]))
        states = np.cumsum(2 * elements * table[:, column["carried"]])
        table[:, column["states"]] = states - 2 * elements * table[:, column["carried"]]
        return cls(program.code._replace(populations=table, entries=entries), Sizes(*totals), kept, lag, cycle,
                   int(states[-1]))


def branches(program: Program) -> list[np.ndarray]:
    """Lines that do not read each other, apart from the input and the output: int64 arrays, the largest first.

    The members of an ensemble are such branches. Neither input nor output is part of one.
    """
    source, column = ENTRY.index("source"), {name: number for number, name in enumerate(POPULATION)}
    table, last = program.code.populations, len(program.code.populations) - 1
    branch = np.arange(last + 1)
    for number in range(1, last):
        line = table[number]
        read = program.code.entries[line[column["first_entry"]]:][:line[column["entries"]], source]
        met = np.unique([branch[number], *branch[read[read > 0]]])
        branch[np.isin(branch, met)] = met[0]
    found = [np.flatnonzero(branch[1:last] == each) + 1 for each in np.unique(branch[1:last])]
    return sorted(found, key=len, reverse=True)
