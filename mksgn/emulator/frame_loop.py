"""The compiled loop of a stream: one frame of every population, messages in rings (numba, CPU).

It computes what :mod:`mksgn.emulator.loop` does, with the same functions, one frame per call
(:mod:`mksgn.emulator.rings`).
"""

# mypy: ignore-errors
# (numba compiles these functions from their values' types; annotations would say nothing)
from __future__ import annotations

import numpy as np

from mksgn.compiled import compiled
from mksgn.emulator.columns import (
    CARRIED,
    CYCLE,
    ENTRIES,
    ENTRY_LINE,
    FIRST_ENTRY,
    JIT,
    JOINTS,
    KIND,
    LAG,
    LINE,
    LIST_PLACE,
    ONCE,
    PART,
    PLACE,
    READOUT,
    RING,
    ROW_PLACE,
    STATES,
    WIDE,
    WIDTH,
)
from mksgn.emulator.fire import begin_frame, count_messages, fire_frame
from mksgn.emulator.loop import join_block, lattice_frame, send_nothing
from mksgn.emulator.program import JOINED
from mksgn.emulator.rows import from_place, pointer
from mksgn.emulator.scratch import as_pointers
from mksgn.emulator.sums import sum_frame


@compiled(**PART)
def _frame_of(line, now, steps):
    """The frame of its lattice that a population works on when frame ``now`` enters; -1: it rests."""
    own = now - line[LAG]
    if own < 0:
        return np.int64(-1)
    return lattice_frame(line, own % line[CYCLE] * steps) if line[CYCLE] else np.int64(0)


@compiled(**PART)
def _begin(line, first, keeps, states, scratch):
    """Set u and v to 0, or to what the frame before left: whether they are 0. ``first``: no frame came before."""
    if line[CARRIED] and not first:
        frame = line[JOINTS] * line[WIDTH]
        kept = from_place(states, line[STATES])
        for i in range(frame):
            scratch.u[i] = kept[i]
            scratch.v[i] = kept[frame + i]
        return False
    if keeps or line[ONCE] < 0:
        begin_frame(line, scratch)
    return True


@compiled(**PART)
def _keep_states(line, states, scratch):
    """Keep u and v for the next frame."""
    frame = line[JOINTS] * line[WIDTH]
    kept = from_place(states, line[STATES])
    for i in range(frame):
        kept[i] = scratch.u[i]
        kept[frame + i] = scratch.v[i]


@compiled(**JIT)
def _push_population(code, line, now, steps, x, arena, words, events, lengths, states, total, scratch, count, final,
                     broken):
    """All steps of the frame that a population works on. Parameters as for :func:`push`, and what it makes."""
    number = _frame_of(line, now, steps)
    joints, width = line[JOINTS], line[WIDTH]
    frame = joints * width
    first = now % line[RING] * steps
    own = now - line[LAG]
    keeps = steps > 1 or line[CARRIED] != 0
    fresh = number >= 0 and _begin(line, own == 0 or (line[CYCLE] > 0 and number == 0), keeps, states, scratch)
    for t in range(steps):
        place = line[PLACE] + (first + t) * frame
        if number < 0:
            send_nothing(line, 0, first + t, 1, 1, joints, frame, place, arena, lengths)
            continue
        sum_frame(code, line, 0, t, steps, now, 1, x, 0, True, arena, events, lengths, total, scratch.named,
                  scratch.factors)
        listed = from_place(events, line[LIST_PLACE] + (first + t) * frame)
        length = from_place(lengths, line[ROW_PLACE] + (first + t) * joints)
        fire_frame(code, line, 0, fresh and t == 0, keeps, number, place, listed, length, arena, words, total,
                   scratch, count, broken)
    if number >= 0 and line[CARRIED]:
        _keep_states(line, states, scratch)
    if number >= 0 and line[READOUT]:
        for i in range(frame):
            final[i] = scratch.v[i]


@compiled(**JIT)
def push(arrays, order, now, steps, x, arena, events, lengths, states, scratch, counted, final, broken):
    """Compute one frame of some populations, in one thread and without Python's lock.

    Parameters
    ----------
    arrays : Code
        In rings.
    order : int64 (L,)
        Lines of ``arrays.populations``, sources before targets.
    now : int
        Frames that entered before.
    steps : int
        T of a frame.
    x : int32, the rings of the input's rows, in which this frame stands already
    arena : int8, events : uint16, lengths : int32
        The rings of messages, lists and their lengths.
    states : int32
        u and v that are carried from frame to frame.
    scratch : Scratch
        Of arrays.
    counted : int64 (P, 2 + L), added to
        As :func:`mksgn.emulator.loop.run` counts.
    final : int32 (rows of the output), out
        v of a readout, where it has a frame.
    broken : int64 (1,), out
        Set to 1 where a readout left its range, or a current 32 bits.
    """
    code, own = as_pointers(arrays, scratch)
    words = arena.view(np.uint64)
    for i in range(len(order)):
        p = order[i]
        line = from_place(code.populations, p * LINE)
        count = from_place(pointer(counted), p * counted.shape[1])
        if p == 0:
            size = line[JOINTS] * line[WIDTH]
            for t in range(steps):
                row = from_place(pointer(x), (now % line[RING] * steps + t) * size)
                count_messages(code, row, _frame_of(line, now, steps), 1, count)
        elif line[ENTRIES] and code.entries[line[FIRST_ENTRY] * ENTRY_LINE + KIND] == JOINED:
            for t in range(steps):
                join_block(code, line, now, t, steps, 1, pointer(words), pointer(events), pointer(lengths))
        elif line[WIDE]:
            _push_population(code, line, now, steps, pointer(x), pointer(arena), pointer(words), pointer(events),
                             pointer(lengths), pointer(states), own.wide, own, count, pointer(final), pointer(broken))
        else:
            _push_population(code, line, now, steps, pointer(x), pointer(arena), pointer(words), pointer(events),
                             pointer(lengths), pointer(states), own.narrow, own, count, pointer(final), pointer(broken))
