"""One step of the neurons of a frame, from their sums to their spikes, which are counted and listed (numba, CPU).

The neuron is that of :mod:`mksgn.ir.graph`, in whole numbers of 32 bits.
"""

# mypy: ignore-errors
# (numba compiles these functions from their values' types; annotations would say nothing)
from __future__ import annotations

import numpy as np

from mksgn.compiled import compiled
from mksgn.emulator.columns import (
    BIAS,
    BIAS_STEP,
    FAN,
    FANS,
    FRAMES,
    INTERVAL,
    JOINTS,
    KEEP_U,
    KEEP_V,
    LATTICE_FRAMES,
    LISTED,
    ONCE,
    PART,
    READOUT,
    SHIFT,
    THRESHOLD,
    WIDTH,
    WRAPS,
)
from mksgn.emulator.rows import from_place, name_spikes
from mksgn.emulator.scratch import TILE
from mksgn.ir.graph import DECAY_UNITY, STATE_MAX

STATE = np.int32(STATE_MAX)
"""u wraps here."""
LIMIT = np.int32(STATE_MAX - 1)
"""v is clipped to +- this."""
UNITY = np.float64(DECAY_UNITY)
_INT32 = np.int64(1 << 31)


@compiled(**PART)
def _fire_once(total, fires, rests, size, out):
    """The first step of LIF neurons, from rest, sums of 16 bits: (spikes, updates that changed something)."""
    fired = np.int64(0)
    active = np.int64(0)
    for start in range(0, size, TILE):
        some = np.uint16(0)  # as narrow as the sums: as many at once
        changed = np.uint16(0)
        for i in range(start, min(size, start + TILE)):
            spike = total[i] > fires[i]
            out[i] = np.int8(spike)
            some = np.uint16(some + np.uint16(spike))
            changed = np.uint16(changed + np.uint16(spike | (total[i] != rests[i])))
        fired += some
        active += changed
    return fired, active


@compiled(**PART)
def _rest(total, unit, bias, fires, size, v):
    """v after the first step of LIF neurons from rest, where :func:`_fire_once` says who fires."""
    for i in range(size):
        volts = np.int32(np.int32(total[i]) * unit + bias[i])
        volts = min(max(volts, -LIMIT), LIMIT)
        v[i] = np.int32(0) if total[i] > fires[i] else volts


@compiled(**PART)
def _integrate(total, unit, bias, fits, factor, bits, share, wraps, size, v, changed):
    """v before its reset, in place, and whether it changed."""
    rest = np.int32((1 << bits) - 1)
    for i in range(size):
        before = v[i]
        if fits:
            product = np.int32(before * factor)
            kept = np.int32(np.int32(product + np.int32(np.int32(product >> np.int32(31)) & rest)) >> bits)
        else:
            kept = np.int32(np.trunc(np.float64(before) * share))
        current = np.int32(np.int32(total[i]) * unit)
        if wraps:
            turns = np.int32(current > STATE) - np.int32(current <= -STATE)
            current = np.int32(current - np.int32(turns * np.int32(2 * STATE)))
        volts = np.int32(kept + current + bias[i])
        volts = min(max(volts, -LIMIT), LIMIT)
        changed[i] = np.int16(volts != before)
        v[i] = volts


@compiled(**PART)
def _fire(total, unit, bias, keep_v, threshold, wraps, v, changed, size, out):
    """One step of LIF neurons whose u is only their input: (spikes, updates that changed something).

    Loops of one width each: a loop that mixes 8, 16 and 32 bits costs a processor half as much again.
    """
    odd, bits = keep_v, np.int32(12)  # odd / 2^bits of v is kept
    while bits > 0 and odd % 2 == 0:
        odd //= 2
        bits = np.int32(bits - 1)
    factor, share = np.int32(odd), np.float64(keep_v) / UNITY
    fits = odd < 256  # v odd in 32 bits
    if fits and not wraps:  # constants make a loop of its own, without a choice per neuron
        _integrate(total, unit, bias, True, factor, bits, share, False, size, v, changed)
    else:
        _integrate(total, unit, bias, fits, factor, bits, share, wraps, size, v, changed)
    for i in range(size):
        spike = v[i] > threshold
        out[i] = np.int8(spike)
        v[i] = np.int32(0) if spike else v[i]
    fired = np.int64(0)
    active = np.int64(0)
    for start in range(0, size, TILE):
        some = np.uint16(0)
        any_change = np.uint16(0)
        for i in range(start, min(size, start + TILE)):
            some = np.uint16(some + np.uint16(out[i]))
            any_change = np.uint16(any_change + np.uint16(np.int16(out[i]) | changed[i]))
        fired += some
        active += any_change
    return fired, active


@compiled(**PART)
def _fire_currents(total, unit, bias, keep_u, keep_v, threshold, u, v, size, out, broken):
    """One step of neurons whose current outlives its step: (spikes, updates that changed something)."""
    fired = np.int32(0)
    active = np.int32(0)
    for i in range(size):
        current = np.int64(np.trunc(np.float64(u[i]) * (np.float64(keep_u) / UNITY))) + np.int64(total[i]) * unit
        if current > STATE:
            current -= 2 * np.int64(STATE)
        elif current <= -STATE:
            current += 2 * np.int64(STATE)
        if abs(current) >= _INT32:
            broken[0] = 1
        volts = np.int64(np.trunc(np.float64(v[i]) * (np.float64(keep_v) / UNITY))) + current + bias[i]
        volts = min(max(volts, -np.int64(LIMIT)), np.int64(LIMIT))
        spike = np.int32(volts > threshold)
        fired = np.int32(fired + spike)
        active = np.int32(active + np.int32(spike != 0 or volts != v[i] or current != u[i]))
        u[i] = np.int32(current)
        v[i] = np.int32(0) if spike else np.int32(volts)
        out[i] = np.int8(spike)
    return fired, active


@compiled(**PART)
def _met(code, line, f, spikes, counted):
    """Add the weights that a frame's spikes meet in each row of fan."""
    frames = line[LATTICE_FRAMES] if line[INTERVAL] else line[FRAMES]
    for k in range(line[FANS]):
        fan = from_place(code.fan, code.fan_frames[line[FAN] + k * frames + f])
        met = np.int32(0)
        for i in range(line[JOINTS] * line[WIDTH]):
            met = np.int32(met + np.int32(np.int32(spikes[i]) * np.int32(fan[i])))
        counted[k] += met


@compiled(**PART)
def fire_frame(code, line, f, fresh, keeps, sent_in, place, listed, length, arena, words, total, scratch, count,
               broken):
    """Let frame ``f`` of a population fire on its sums, in one step, count what happens, and list the spikes.

    ``fresh``: u and v are 0. ``keeps``: further steps read v. ``sent_in``: the frame of its lattice. ``place``: of its
    spikes in the arena. ``listed``, ``length``: where its lists go.
    """
    u, v, changed = scratch.u, scratch.v, scratch.changed
    joints, width = line[JOINTS], line[WIDTH]
    frame = joints * width
    unit = np.int32(1 << line[SHIFT])
    readout = line[READOUT] != 0
    threshold = LIMIT if readout else np.int32(line[THRESHOLD])
    bias = from_place(code.bias, line[BIAS] + f * line[BIAS_STEP])
    out = scratch.spikes if readout else from_place(arena, place)
    if line[ONCE] >= 0 and fresh:
        limits = line[ONCE] + f * line[BIAS_STEP]
        fires, rests = from_place(code.fires, limits), from_place(code.rests, limits)
        fired, active = _fire_once(total, fires, rests, frame, out)
        if keeps:
            _rest(total, unit, bias, fires, frame, v)
    elif line[KEEP_U] == 0:
        fired, active = _fire(total, unit, bias, line[KEEP_V], threshold, line[WRAPS] != 0, v, changed, frame, out)
    else:
        fired, active = _fire_currents(total, unit, bias, line[KEEP_U], line[KEEP_V], threshold, u, v, frame, out,
                                       broken)
    count[1] += active
    if readout:
        for i in range(frame):
            if v[i] > line[THRESHOLD] or v[i] == -LIMIT:
                broken[0] = 1
        return
    count[0] += fired
    if line[LISTED]:
        for j in range(joints):
            length[j] = name_spikes(words, (place + j * width) // 8, width // 8, listed, j * width)
    _met(code, line, sent_in, out, from_place(count, 2))


@compiled(**PART)
def begin_frame(line, scratch):
    """Set u and v of a frame to 0."""
    for i in range(line[JOINTS] * line[WIDTH]):
        scratch.u[i] = 0
        scratch.v[i] = 0


@compiled(**PART)
def count_messages(code, row, number, repeats, own):
    """Count what the input sends in one step, ``row``, ``repeats`` times. ``number``: its lattice's frame; -1: none."""
    line = code.populations
    frame = line[JOINTS] * line[WIDTH]
    some = np.int64(0)
    for i in range(line[FRAMES] * frame):
        some += np.int64(row[i] != 0)
    own[0] += some * repeats
    frames = line[LATTICE_FRAMES] if line[INTERVAL] else line[FRAMES]
    for k in range(line[FANS] if number >= 0 else 0):
        met = np.int64(0)
        for f in range(line[FRAMES]):
            fan = from_place(code.fan, code.fan_frames[line[FAN] + k * frames + number + f])
            messages = from_place(row, f * frame)
            part = np.int32(0)
            for i in range(frame):
                part = np.int32(part + np.int32(np.int32(messages[i] != 0) * np.int32(fan[i])))
            met += part
        own[2 + k] += met * repeats
