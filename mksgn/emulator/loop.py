"""The compiled loop: all populations of a graph, sample by sample (numba, CPU).

A thread takes a group of samples through the whole network (:mod:`mksgn.emulator.event_run`). Within a population it
takes one frame after another: the sums of a frame (:mod:`mksgn.emulator.sums`) stay in the core's first cache, where
its neurons fire at once (:mod:`mksgn.emulator.fire`). Only spikes are written to memory: as bytes and, for synapses
that add rows of weights, as lists of the channels that fired.
"""

# mypy: ignore-errors
# (numba compiles these functions from their values' types; annotations would say nothing)
from __future__ import annotations

import numpy as np

from mksgn.compiled import compiled
from mksgn.emulator.columns import (
    CARRIED,
    CONSTANT,
    DELAY,
    ENTRIES,
    ENTRY_LINE,
    FIRST_ENTRY,
    FRAMES,
    INTERVAL,
    JIT,
    JOINTS,
    KIND,
    LATTICE_FRAMES,
    LENGTH,
    LINE,
    LIST_PLACE,
    LISTED,
    NEURONS,
    ONCE,
    PART,
    PLACE,
    READOUT,
    RING,
    ROW_PLACE,
    SOURCE,
    WIDE,
    WIDTH,
)
from mksgn.emulator.fire import begin_frame, count_messages, fire_frame
from mksgn.emulator.program import JOINED
from mksgn.emulator.rows import from_place, name_spikes, pointer
from mksgn.emulator.scratch import TILE, as_pointers
from mksgn.emulator.sums import sum_frame


@compiled(**PART)
def join_block(code, line, block, t, steps, blocks, words, events, lengths):
    """List the spikes that several populations sent in one step together.

    ``block`` is one of ``blocks``. Of messages in rings, it counts the frames since the stream began, and ``t`` their
    ``steps``.
    """
    positions, width = line[FRAMES] * line[JOINTS], line[WIDTH]
    here = block % line[RING] * steps + t if line[RING] else block
    for q in range(positions):
        count = 0
        into = from_place(events, line[LIST_PLACE] * blocks + (here * positions + q) * width)
        for e in range(line[FIRST_ENTRY], line[FIRST_ENTRY] + line[ENTRIES]):
            entry = from_place(code.entries, e * ENTRY_LINE)
            source = from_place(code.populations, entry[SOURCE] * LINE)
            sent = (block - entry[DELAY]) % source[RING] * steps + t if source[RING] else block
            own = source[PLACE] * blocks + (sent * positions + q) * source[WIDTH]
            count += name_spikes(words, own // 8, source[WIDTH] // 8, into, count)
        lengths[line[ROW_PLACE] * blocks + here * positions + q] = count


@compiled(**PART)
def lattice_frame(line, t):
    """The frame of its lattice that a population works on in step ``t`` of a sample; -1: it rests."""
    number = t // line[INTERVAL] if line[LATTICE_FRAMES] > 1 else 0
    within = t - number * line[INTERVAL]
    return number if number < line[LATTICE_FRAMES] and within < line[LENGTH] else -1


@compiled(**PART)
def send_nothing(line, f, block, blocks, frames, joints, frame, place, arena, lengths):
    """A frame whose neurons rest."""
    if line[READOUT]:
        return
    for i in range(frame):
        arena[place + i] = 0
    if line[LISTED]:
        length = from_place(lengths, line[ROW_PLACE] * blocks + (block * frames + f) * joints)
        for j in range(joints):
            length[j] = 0


@compiled(**JIT)
def _run_population(code, line, samples, steps, x, x_steps, arena, words, events, lengths, total, scratch, counted,
                    columns, final, broken):
    """All samples and steps of a population. Parameters as for :func:`run`, and what it makes."""
    v, named, factors = scratch.v, scratch.named, scratch.factors
    frames, joints, width = line[FRAMES], line[JOINTS], line[WIDTH]
    frame = joints * width
    blocks = samples * steps
    each_step = x_steps > 1
    constant = line[CONSTANT] != 0 and not each_step
    once = line[ONCE] >= 0
    carried = line[CARRIED] != 0
    keeps = carried or (steps > 1 and (line[INTERVAL] == 0 or line[LENGTH] > 1))
    for n in range(samples):
        count = from_place(counted, n * columns)
        for f in range(frames):
            if (steps > 1 or not once) and not (carried and f > 0):
                begin_frame(line, scratch)
            first, sent_in = 0, f
            for t in range(steps):
                block = n * steps + t
                place = line[PLACE] * blocks + (block * frames + f) * frame
                if line[INTERVAL]:
                    number = lattice_frame(line, t)
                    if number < 0:
                        send_nothing(line, f, block, blocks, frames, joints, frame, place, arena, lengths)
                        continue
                    sent_in, first = number, number * line[INTERVAL]
                    if t == first and (line[LENGTH] > 1 or not once) and not (carried and number > 0):
                        begin_frame(line, scratch)
                if t == 0 or not constant:
                    x_block = n * x_steps + (t if each_step else 0)
                    sum_frame(code, line, f, t, steps, block, blocks, x, x_block, each_step, arena, events, lengths,
                              total, named, factors)
                listed = from_place(events, line[LIST_PLACE] * blocks + (block * frames + f) * frame)
                length = from_place(lengths, line[ROW_PLACE] * blocks + (block * frames + f) * joints)
                fresh = t == first and not (carried and sent_in > 0)
                fire_frame(code, line, f, fresh, keeps, sent_in, place, listed, length, arena, words, total,
                           scratch, count, broken)
            if line[READOUT]:
                for i in range(frame):
                    final[(n * frames + f) * frame + i] = v[i]


@compiled(**PART)
def _add_sent(spikes, size, blocks, part, sent):
    """Add the spikes of each neuron over all samples and steps. ``part``: uint8 (TILE,), which holds 255 blocks."""
    for start in range(0, size, TILE):
        count = min(size - start, TILE)
        for first in range(0, blocks, 255):
            for i in range(count):
                part[i] = 0
            for block in range(first, min(blocks, first + 255)):
                own = from_place(spikes, block * size + start)
                for i in range(count):
                    part[i] = np.uint8(part[i] + np.uint8(own[i]))
            for i in range(count):
                sent[start + i] = np.uint16(sent[start + i] + np.uint16(part[i]))


@compiled(**PART)
def _count_sent(line, samples, steps, spikes, part, sent):
    """Add the spikes of each neuron of a population; of one with a lattice, frame by frame."""
    size = line[FRAMES] * line[JOINTS] * line[WIDTH]
    if line[INTERVAL] == 0:
        _add_sent(spikes, size, samples * steps, part, sent)
        return
    for n in range(samples):
        for number in range(line[LATTICE_FRAMES]):
            first = n * steps + number * line[INTERVAL]
            _add_sent(from_place(spikes, first * size), size, line[LENGTH], part, from_place(sent, number * size))


@compiled(**PART)
def _count_input(code, samples, x, x_steps, repeats, count, columns, sent):
    """Count the messages that the input sends, each ``repeats`` times."""
    line = code.populations
    size = line[FRAMES] * line[JOINTS] * line[WIDTH]
    for n in range(samples):
        for t in range(x_steps):
            number = lattice_frame(line, t) if line[INTERVAL] else 0
            row, counter = from_place(x, (n * x_steps + t) * size), from_place(sent, max(number, 0) * size)
            for i in range(size):
                counter[i] = np.uint16(counter[i] + np.uint16(row[i] != 0) * repeats)
            count_messages(code, row, number, repeats, from_place(count, n * columns))


@compiled(**JIT)
def run(arrays, samples, steps, x, x_steps, arena, events, lengths, scratch, sent, counted, final):
    """Run a group of N samples, in one thread and without Python's lock.

    Parameters
    ----------
    arrays : Code
    samples, steps : int
        N and T.
    x : int32 (N x_steps F V W,), the input's rows
    x_steps : int
        T, or 1 when the input sends the same at every step.
    arena : int8, events : uint16, lengths : int32
        Room for messages, lists and their lengths: of each population a block per sample and step.
    scratch : Scratch
        Of arrays.
    sent : uint16 (neurons,), added to
        Spikes of each neuron, and of each frame of its lattice.
    counted : int64 (N, P, 2 + L), added to
        Spikes, active updates (:class:`mksgn.counts.Counts`) and weights met.
    final : int32 (N, rows of the output), out
        v of a readout after the last step.

    Returns
    -------
    bool
        Whether every readout stayed in its range, and every current in 32 bits.
    """
    lines = len(arrays.populations)
    code, own = as_pointers(arrays, scratch)
    broken = np.zeros(1, np.int64)
    words = arena.view(np.uint64)
    columns = counted.shape[1] * counted.shape[2]
    repeats = np.uint16(steps // x_steps)
    _count_input(code, samples, pointer(x), x_steps, repeats, pointer(counted), columns, pointer(sent))
    for p in range(1, lines):
        line = from_place(code.populations, p * LINE)
        if line[ENTRIES] and code.entries[line[FIRST_ENTRY] * ENTRY_LINE + KIND] == JOINED:
            for block in range(samples * steps):
                join_block(code, line, block, 0, steps, samples * steps, pointer(words), pointer(events),
                           pointer(lengths))
            continue
        count = from_place(pointer(counted), p * counted.shape[2])
        if line[WIDE]:
            _run_population(code, line, samples, steps, pointer(x), x_steps, pointer(arena), pointer(words),
                            pointer(events), pointer(lengths), own.wide, own, count, columns, pointer(final),
                            pointer(broken))
        else:
            _run_population(code, line, samples, steps, pointer(x), x_steps, pointer(arena), pointer(words),
                            pointer(events), pointer(lengths), own.narrow, own, count, columns, pointer(final),
                            pointer(broken))
        if not line[READOUT]:
            _count_sent(line, samples, steps, from_place(pointer(arena), line[PLACE] * samples * steps), own.part,
                        from_place(pointer(sent), line[NEURONS]))
    return broken[0] == 0
