"""A graph as flat arrays, the way :mod:`mksgn.emulator.loop` reads it.

Neurons lie in rows: the channels of one frame and joint, filled up with silent ones to a multiple of the lanes of
:mod:`mksgn.emulator.rows`. Position ``f V + v`` of a population is one row.

A synapse is of one of four kinds, and each of its sources is an entry of its own:

ROWS
    A spike of a channel adds a row of weights: convolutions, graph convolutions, dense synapses.
SCALED
    A row of messages is multiplied by a number: joint mixing.
PRODUCTS
    A row of messages is multiplied by a row of weights: convolutions of each channel with itself.
ALIGNED
    The same from each position to itself alone, a whole frame at once: residuals and gates.

Sources that send to one synapse with ROWS are an entry together. Their spikes are listed together before (JOINED).

Tables of links say which positions read which: position q has the links ``first[q] .. first[q + 1]``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mksgn.emulator.rows import pad
from mksgn.ir import Population
from mksgn.ir.synapses import Shape

ROWS, SCALED, PRODUCTS, ALIGNED, JOINED = range(5)

POPULATION = ("frames", "joints", "width", "wide", "shift", "first_entry", "entries", "constant", "bias", "bias_step",
              "threshold", "keep_u", "keep_v", "wraps", "readout", "once", "fan", "fans", "neurons", "listed", "place",
              "list_place", "row_place", "interval", "length", "lattice_frames", "ring", "lag", "cycle", "carried",
              "states")
"""Columns of ``Code.populations``."""
ENTRY = ("kind", "source", "weights", "links", "shared", "parts", "part_width", "channels", "channel_count",
         "delay")
"""Columns of ``Code.entries``."""


Joined = tuple[str, ...]
"""Populations whose spikes are listed together."""


class Code(NamedTuple):
    """The arrays of a program.

    Parameters
    ----------
    populations : int64 (P, len(POPULATION))
        frames, joints, width: its rows. wide: its sums need 32 bits. shift: from sums to the units of v. first_entry,
        entries: its incoming synapses. constant: all of them read the input. bias, bias_step: where its biases begin,
        and how many a frame has (0: every frame has the same). threshold, keep_u, keep_v, wraps, readout: its neurons.
        once: where its limits of a first step begin, or -1. fan, fans: its first line of ``fan_frames``, and how many
        it has. neurons: where its counters of spikes begin. listed: its spikes are needed as lists. place,
        list_place, row_place: where its messages, lists and their lengths lie. interval, length, lattice_frames: its
        lattice; interval 0: it works at every step. ring, lag, cycle: frame by frame only (:mod:`.rings`):
        how many frames its messages are kept for, how many frames late it works, and frames from one clip to the next.
        carried: u and v go on from frame to frame. states: where they are kept in between, frame by frame only.
    entries : int64 (S, len(ENTRY))
        weights: where they begin. links: where its table begins in ``first``. shared: one table serves every frame.
        parts, part_width: partitions of a joint mixing and their channels. channels, channel_count: those of the source
        that have weights. delay: steps that messages take through it; below 0: it reads
        what is sent so many steps later.
    first, rows, what : int32
        Links: the source's position and, of ROWS and PRODUCTS, where the weights begin; of SCALED, the factor.
    channels : int32
    weights : int8 or int16
        Rows of ROWS.
    products : int16
        Rows of PRODUCTS and ALIGNED.
    bias : int32
        In the units of v.
    fires, rests : int16
        Of a first step, whose state is the sum alone: the largest sum that does not fire, and the one at which v is 0.
    fan_frames : int32
        Where the fan of each frame begins in ``fan``.
    fan : int16
        Weights that a message of each neuron meets.
    """

    populations: np.ndarray
    entries: np.ndarray
    first: np.ndarray
    rows: np.ndarray
    what: np.ndarray
    channels: np.ndarray
    weights: np.ndarray
    products: np.ndarray
    bias: np.ndarray
    fires: np.ndarray
    rests: np.ndarray
    fan_frames: np.ndarray
    fan: np.ndarray


class Sizes(NamedTuple):
    """What one sample occupies in one step: messages, events of the lists, and lists."""

    messages: int
    events: int
    lists: int


@dataclass(frozen=True)
class Reading:
    """Weights that a population's messages meet in a synapse: a ``row`` of its fan, or, not None, so many ``each``."""

    synapse: str
    row: int
    each: int | None = None


@dataclass(frozen=True)
class Program:
    """A graph that :func:`mksgn.emulator.assemble.assemble` laid out.

    Parameters
    ----------
    lines : tuple of (Population or tuple of str)
        What the lines of ``code.populations`` are: populations, and the sources that are listed together.
    code : Code
    readings : dict of population to list of Reading
    neurons : int
        Elements of the rows of all populations.
    links : int
        Most rows that one position adds up at once.
    frame, fans : int
        Most elements of one frame, and rows of fan, that a population has.
    """

    lines: tuple[Population | Joined, ...]
    code: Code
    readings: dict[str, list[Reading]]
    neurons: int
    links: int
    frame: int
    fans: int

    def placed(self, keep_all: bool) -> tuple[Code, Sizes]:
        """The code with a place for every population's messages, and what they occupy.

        Parameters
        ----------
        keep_all : bool
            Every population has a place of its own, so that its messages are there at the end. Otherwise a place is
            used again once its messages have been read by all.
        """
        table = self.code.populations.copy()
        column = {name: number for number, name in enumerate(POPULATION)}
        source = ENTRY.index("source")
        ends = [len(table) if keep_all else number for number in range(len(table))]
        for number, line in enumerate(table):
            first = line[column["first_entry"]]
            for entry in self.code.entries[first:first + line[column["entries"]]]:
                ends[entry[source]] = max(ends[entry[source]], number)
        ends[-1] = len(table)
        positions = table[:, column["frames"]] * table[:, column["joints"]]
        elements = positions * table[:, column["width"]]
        listed = table[:, column["listed"]]
        real = np.array([isinstance(each, Population) for each in self.lines])
        wanted = {"place": elements * real, "list_place": elements * listed, "row_place": positions * listed}
        totals = []
        for name, sizes in wanted.items():
            sizes[0] = 0  # the input has an array of its own
            table[:, column[name]], total = _packed(sizes, ends)
            totals.append(total)
        return self.code._replace(populations=table), Sizes(*totals)

    def place(self, code: Code, line: int) -> int:
        """Where the messages of a line begin in ``code``, which :meth:`placed` made, for one sample and step."""
        return int(code.populations[line, POPULATION.index("place")])


def rows_of(shape: Shape) -> tuple[int, int, int]:
    """(F, V, W) of a population (C, F, V): its channels filled up to rows of W."""
    return shape[1], shape[2], pad(shape[0])


def filled(values: np.ndarray) -> np.ndarray:
    """``values`` with zeros appended to the channels, the last axis, up to the width of a row."""
    return np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, pad(values.shape[-1]) - values.shape[-1])])


def _packed(sizes: np.ndarray, ends: list[int]) -> tuple[np.ndarray, int]:
    """A place for each thing, first fit: thing i is there from i until ``ends[i]``. Returns places and room in all."""
    places = np.zeros(len(sizes), np.int64)
    taken: list[tuple[int, int, int]] = []  # (from, to, end), in order
    room = 0
    for number, size in enumerate(sizes):
        taken = [each for each in taken if each[2] >= number]
        if size == 0:
            continue
        at = 0
        for begin, stop, _ in taken:
            if at + size <= begin:
                break
            at = max(at, stop)
        places[number] = at
        taken = sorted([*taken, (at, at + int(size), ends[number])])
        room = max(room, at + int(size))
    return places, room
