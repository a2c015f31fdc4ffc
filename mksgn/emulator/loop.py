"""The compiled loop: all populations of a graph, sample by sample (numba, CPU).

A thread takes a group of samples through the whole network (:mod:`mksgn.emulator.event_run`). Within a population it
takes one frame after another: the sums of a frame stay in the core's first cache, where its neurons fire at once. Only
spikes are written to memory: as bytes and, for synapses that add rows of weights, as lists of the channels that fired.
Work follows the spikes.

The neuron is that of :mod:`mksgn.ir.graph`, in whole numbers of 32 bits. Arrays are bare pointers within the loop
(:mod:`mksgn.emulator.rows` says why).
"""

# mypy: ignore-errors
# (numba compiles these functions from their values' types; annotations would say nothing)
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from mksgn.compiled import compiled
from mksgn.emulator.program import ALIGNED, ENTRY, JOINED, POPULATION, PRODUCTS, ROWS, Code, Program
from mksgn.emulator.rows import LANES, add_products, add_rows, add_scaled, from_place, name_spikes, pointer
from mksgn.ir.graph import DECAY_UNITY, STATE_MAX

_JIT = {"nogil": True, "error_model": "numpy", "boundscheck": False}
_PART = _JIT | {"forceinline": True}
_SLACK = LANES[0]
_TILE = 4096

(FRAMES, JOINTS, WIDTH, WIDE, SHIFT, FIRST_ENTRY, ENTRIES, CONSTANT, BIAS, BIAS_STEP, THRESHOLD, KEEP_U, KEEP_V, WRAPS,
 READOUT, ONCE, FAN, FANS, NEURONS, LISTED, PLACE, LIST_PLACE, ROW_PLACE, INTERVAL, LENGTH,
 LATTICE_FRAMES) = range(len(POPULATION))
KIND, SOURCE, WEIGHTS, LINKS, SHARED, PARTS, PART_WIDTH, CHANNELS, CHANNEL_COUNT, DELAY = range(len(ENTRY))
_LINE, _ENTRY = len(POPULATION), len(ENTRY)

STATE = np.int32(STATE_MAX)
"""u wraps here."""
LIMIT = np.int32(STATE_MAX - 1)
"""v is clipped to +- this."""
UNITY = np.float64(DECAY_UNITY)
_INT32 = np.int64(1 << 31)
_NOTHING = np.zeros(1, np.int32)


class Scratch(NamedTuple):
    """What a thread needs for one frame: arrays, or pointers to them.

    Parameters
    ----------
    narrow : int16; wide : int32
        Sums.
    u, v : int32
    changed : int16
        Whether an update changed v.
    spikes : int8
        Of a readout, which nobody reads.
    named, factors : int32
        Of the input's messages that are not zero: where their weights begin, and they themselves.
    part : uint8
        Spikes of some neurons, added up.
    """

    narrow: Any
    wide: Any
    u: Any
    v: Any
    changed: Any
    spikes: Any
    named: Any
    factors: Any
    part: Any

    @classmethod
    def of(cls, program: Program) -> Scratch:
        """Arrays for the largest frame of ``program``."""
        kinds = (np.int16, np.int32, np.int32, np.int32, np.int16, np.int8)
        frame, links = program.frame + LANES[0], program.links
        return cls(*(np.zeros(frame, kind) for kind in kinds), np.zeros(links, np.int32), np.zeros(links, np.int32),
                   np.zeros(_TILE, np.uint8))


@compiled(**_PART)
def _add_input(code, line, entry, f, messages, total, named, factors):
    """One frame of an entry that adds rows of weights, as often as the input's ``messages`` say."""
    joints, width = line[JOINTS], line[WIDTH]
    source = from_place(code.populations, entry[SOURCE] * _LINE)
    source_width = source[WIDTH]
    begin = f * source[JOINTS] if entry[SHARED] else 0
    links = entry[LINKS] + (0 if entry[SHARED] else f * joints)
    channels = from_place(code.channels, entry[CHANNELS])
    for v in range(joints):
        values = 0
        for i in range(code.first[links + v], code.first[links + v + 1]):
            row = (begin + code.rows[i]) * source_width
            for j in range(entry[CHANNEL_COUNT]):
                value = messages[row + channels[j]]
                if value != 0:
                    named[values] = code.what[i] + channels[j] * width
                    factors[values] = value
                    values += 1
        add_scaled(total, v * width, width, code.weights, entry[WEIGHTS], 1, named, factors, 0, values)


@compiled(**_PART)
def _add_frame(code, line, entry, f, messages, total):
    """One frame of an entry that multiplies rows of ``messages``."""
    joints, width = line[JOINTS], line[WIDTH]
    source = from_place(code.populations, entry[SOURCE] * _LINE)
    source_width = source[WIDTH]
    base = f * source[JOINTS] * source_width if entry[SHARED] else 0
    links = entry[LINKS] + (0 if entry[SHARED] else f * joints)
    if entry[KIND] == ALIGNED:
        nothing = pointer(_NOTHING)
        add_products(total, 0, joints * width, messages, f * joints * width, 0, code.products, entry[WEIGHTS], nothing,
                     nothing, 0, 1)
    elif entry[KIND] == PRODUCTS:
        for v in range(joints):
            head = code.first[links + v]
            add_products(total, v * width, width, messages, base, source_width, code.products, entry[WEIGHTS],
                         code.rows, code.what, head, code.first[links + v + 1] - head)
    else:
        parts, part_width = entry[PARTS], entry[PART_WIDTH]
        for v in range(joints):
            for k in range(parts):
                head = code.first[links + v * parts + k]
                add_scaled(total, v * width + k * part_width, source_width, messages, base, source_width, code.rows,
                           code.what, head, code.first[links + v * parts + k + 1] - head)


@compiled(**_PART)
def _add_listed(code, line, entry, f, block, blocks, events, lengths, total):
    """One frame of an entry that adds rows of weights, once for every listed spike."""
    joints, width = line[JOINTS], line[WIDTH]
    source = from_place(code.populations, entry[SOURCE] * _LINE)
    positions, source_width = source[FRAMES] * source[JOINTS], source[WIDTH]
    begin = f * source[JOINTS] if entry[SHARED] else 0
    listed = from_place(events, source[LIST_PLACE] * blocks + (block * positions + begin) * source_width)
    length = from_place(lengths, source[ROW_PLACE] * blocks + block * positions + begin)
    links = entry[LINKS] + (0 if entry[SHARED] else f * joints)
    for v in range(joints):
        for i in range(code.first[links + v], code.first[links + v + 1]):
            row = code.rows[i]
            add_rows(total, v * width, width, code.weights, entry[WEIGHTS] + code.what[i], listed, row * source_width,
                     length[row])


@compiled(**_PART)
def _sum_frame(code, line, f, t, steps, block, blocks, x, x_block, each_step, arena, events, lengths, total, named,
               factors):
    """Synaptic input of frame ``f`` of a population in one sample and step ``t``, which is ``block`` of ``blocks``."""
    for i in range(line[JOINTS] * line[WIDTH] + _SLACK):
        total[i] = 0
    for e in range(line[FIRST_ENTRY], line[FIRST_ENTRY] + line[ENTRIES]):
        entry = from_place(code.entries, e * _ENTRY)
        delay = entry[DELAY]
        if delay > t or t - delay >= steps:  # sent before the sample began, or after its end
            continue
        source = from_place(code.populations, entry[SOURCE] * _LINE)
        elements = source[FRAMES] * source[JOINTS] * source[WIDTH]
        if entry[SOURCE] == 0:
            messages = from_place(x, (x_block - (delay if each_step else 0)) * elements)
            if entry[KIND] == ROWS:
                _add_input(code, line, entry, f, messages, total, named, factors)
            else:
                _add_frame(code, line, entry, f, messages, total)
        elif entry[KIND] == ROWS:
            _add_listed(code, line, entry, f, block - delay, blocks, events, lengths, total)
        else:
            spikes = from_place(arena, source[PLACE] * blocks + (block - delay) * elements)
            _add_frame(code, line, entry, f, spikes, total)


@compiled(**_PART)
def _join(code, line, blocks, words, events, lengths):
    """List the spikes of several populations together."""
    positions, width = line[FRAMES] * line[JOINTS], line[WIDTH]
    for block in range(blocks):
        for q in range(positions):
            count = 0
            into = from_place(events, line[LIST_PLACE] * blocks + (block * positions + q) * width)
            for e in range(line[FIRST_ENTRY], line[FIRST_ENTRY] + line[ENTRIES]):
                source = from_place(code.populations, code.entries[e * _ENTRY + SOURCE] * _LINE)
                own = source[PLACE] * blocks + (block * positions + q) * source[WIDTH]
                count += name_spikes(words, own // 8, source[WIDTH] // 8, into, count)
            lengths[line[ROW_PLACE] * blocks + block * positions + q] = count


@compiled(**_PART)
def _fire_once(total, fires, rests, size, out):
    """The first step of LIF neurons, from rest, sums of 16 bits: (spikes, updates that changed something)."""
    fired = np.int64(0)
    active = np.int64(0)
    for start in range(0, size, _TILE):
        some = np.uint16(0)  # as narrow as the sums: as many at once
        changed = np.uint16(0)
        for i in range(start, min(size, start + _TILE)):
            spike = total[i] > fires[i]
            out[i] = np.int8(spike)
            some = np.uint16(some + np.uint16(spike))
            changed = np.uint16(changed + np.uint16(spike | (total[i] != rests[i])))
        fired += some
        active += changed
    return fired, active


@compiled(**_PART)
def _rest(total, unit, bias, fires, size, v):
    """v after the first step of LIF neurons from rest, where :func:`_fire_once` says who fires."""
    for i in range(size):
        volts = np.int32(np.int32(total[i]) * unit + bias[i])
        volts = min(max(volts, -LIMIT), LIMIT)
        v[i] = np.int32(0) if total[i] > fires[i] else volts


@compiled(**_PART)
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


@compiled(**_PART)
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
    for start in range(0, size, _TILE):
        some = np.uint16(0)
        any_change = np.uint16(0)
        for i in range(start, min(size, start + _TILE)):
            some = np.uint16(some + np.uint16(out[i]))
            any_change = np.uint16(any_change + np.uint16(np.int16(out[i]) | changed[i]))
        fired += some
        active += any_change
    return fired, active


@compiled(**_PART)
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


@compiled(**_PART)
def _met(code, line, f, spikes, counted):
    """Add the weights that a frame's spikes meet in each row of fan."""
    frames = line[LATTICE_FRAMES] if line[INTERVAL] else line[FRAMES]
    for k in range(line[FANS]):
        fan = from_place(code.fan, code.fan_frames[line[FAN] + k * frames + f])
        met = np.int32(0)
        for i in range(line[JOINTS] * line[WIDTH]):
            met = np.int32(met + np.int32(np.int32(spikes[i]) * np.int32(fan[i])))
        counted[k] += met


@compiled(**_PART)
def _lattice_frame(line, t):
    """The frame of its lattice that a population works on in step ``t`` of a sample; -1: it rests."""
    number = t // line[INTERVAL] if line[LATTICE_FRAMES] > 1 else 0
    within = t - number * line[INTERVAL]
    return number if number < line[LATTICE_FRAMES] and within < line[LENGTH] else -1


@compiled(**_PART)
def _send_nothing(line, f, block, blocks, frames, joints, frame, place, arena, lengths):
    """A frame whose neurons rest."""
    if line[READOUT]:
        return
    for i in range(frame):
        arena[place + i] = 0
    if line[LISTED]:
        length = from_place(lengths, line[ROW_PLACE] * blocks + (block * frames + f) * joints)
        for j in range(joints):
            length[j] = 0


@compiled(**_JIT)
def _run_population(code, line, samples, steps, x, x_steps, arena, words, events, lengths, total, scratch, counted,
                    columns, final, broken):
    """All samples and steps of a population. Parameters as for :func:`run`, and what it makes."""
    u, v, changed, named, factors = scratch.u, scratch.v, scratch.changed, scratch.named, scratch.factors
    frames, joints, width = line[FRAMES], line[JOINTS], line[WIDTH]
    frame = joints * width
    blocks = samples * steps
    unit = np.int32(1 << line[SHIFT])
    readout = line[READOUT] != 0
    threshold = LIMIT if readout else np.int32(line[THRESHOLD])
    each_step = x_steps > 1
    constant = line[CONSTANT] != 0 and not each_step
    once = line[ONCE] >= 0
    for n in range(samples):
        count = from_place(counted, n * columns)
        for f in range(frames):
            bias = from_place(code.bias, line[BIAS] + f * line[BIAS_STEP])
            if steps > 1 or not once:
                for i in range(frame):
                    u[i] = 0
                    v[i] = 0
            first, sent_in = 0, f
            for t in range(steps):
                block = n * steps + t
                place = line[PLACE] * blocks + (block * frames + f) * frame
                if line[INTERVAL]:
                    number = _lattice_frame(line, t)
                    if number < 0:
                        _send_nothing(line, f, block, blocks, frames, joints, frame, place, arena, lengths)
                        continue
                    sent_in, first = number, number * line[INTERVAL]
                    if t == first and (line[LENGTH] > 1 or not once):
                        for i in range(frame):
                            u[i] = 0
                            v[i] = 0
                if t == 0 or not constant:
                    x_block = n * x_steps + (t if each_step else 0)
                    _sum_frame(code, line, f, t, steps, block, blocks, x, x_block, each_step, arena, events, lengths,
                               total, named, factors)
                out = scratch.spikes if readout else from_place(arena, place)
                if once and t == first:
                    limits = line[ONCE] + f * line[BIAS_STEP]
                    fires, rests = from_place(code.fires, limits), from_place(code.rests, limits)
                    fired, active = _fire_once(total, fires, rests, frame, out)
                    if steps > 1 and (line[INTERVAL] == 0 or line[LENGTH] > 1):
                        _rest(total, unit, bias, fires, frame, v)
                elif line[KEEP_U] == 0:
                    fired, active = _fire(total, unit, bias, line[KEEP_V], threshold, line[WRAPS] != 0, v, changed,
                                          frame, out)
                else:
                    fired, active = _fire_currents(total, unit, bias, line[KEEP_U], line[KEEP_V], threshold, u, v,
                                                   frame, out, broken)
                count[1] += active
                if readout:
                    for i in range(frame):
                        if v[i] > line[THRESHOLD] or v[i] == -LIMIT:
                            broken[0] = 1
                    continue
                count[0] += fired
                if line[LISTED]:
                    listed = from_place(events, line[LIST_PLACE] * blocks + (block * frames + f) * frame)
                    length = from_place(lengths, line[ROW_PLACE] * blocks + (block * frames + f) * joints)
                    for j in range(joints):
                        length[j] = name_spikes(words, (place + j * width) // 8, width // 8, listed, j * width)
                _met(code, line, sent_in, out, from_place(count, 2))
            if readout:
                for i in range(frame):
                    final[(n * frames + f) * frame + i] = v[i]


@compiled(**_PART)
def _add_sent(spikes, size, blocks, part, sent):
    """Add the spikes of each neuron over all samples and steps. ``part``: uint8 (_TILE,), which holds 255 blocks."""
    for start in range(0, size, _TILE):
        count = min(size - start, _TILE)
        for first in range(0, blocks, 255):
            for i in range(count):
                part[i] = 0
            for block in range(first, min(blocks, first + 255)):
                own = from_place(spikes, block * size + start)
                for i in range(count):
                    part[i] = np.uint8(part[i] + np.uint8(own[i]))
            for i in range(count):
                sent[start + i] = np.uint16(sent[start + i] + np.uint16(part[i]))


@compiled(**_PART)
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


@compiled(**_PART)
def _count_input(code, samples, x, x_steps, repeats, count, columns, sent):
    """Count the messages that the input sends, each ``repeats`` times."""
    line = code.populations
    frame = line[JOINTS] * line[WIDTH]
    size = line[FRAMES] * frame
    for n in range(samples):
        own = from_place(count, n * columns)
        for t in range(x_steps):
            number = _lattice_frame(line, t) if line[INTERVAL] else 0
            row, counter = from_place(x, (n * x_steps + t) * size), from_place(sent, max(number, 0) * size)
            some = np.int64(0)
            for i in range(size):
                some += np.int64(row[i] != 0)
                counter[i] = np.uint16(counter[i] + np.uint16(row[i] != 0) * repeats)
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


@compiled(**_JIT)
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
    code = Code(pointer(arrays.populations), pointer(arrays.entries), pointer(arrays.first), pointer(arrays.rows),
                pointer(arrays.what), pointer(arrays.channels), pointer(arrays.weights), pointer(arrays.products),
                pointer(arrays.bias), pointer(arrays.fires), pointer(arrays.rests), pointer(arrays.fan_frames),
                pointer(arrays.fan))
    own = Scratch(pointer(scratch.narrow), pointer(scratch.wide), pointer(scratch.u), pointer(scratch.v),
                  pointer(scratch.changed), pointer(scratch.spikes), pointer(scratch.named), pointer(scratch.factors),
                  pointer(scratch.part))
    broken = np.zeros(1, np.int64)
    words = arena.view(np.uint64)
    columns = counted.shape[1] * counted.shape[2]
    repeats = np.uint16(steps // x_steps)
    _count_input(code, samples, pointer(x), x_steps, repeats, pointer(counted), columns, pointer(sent))
    for p in range(1, lines):
        line = from_place(code.populations, p * _LINE)
        if line[ENTRIES] and code.entries[line[FIRST_ENTRY] * _ENTRY + KIND] == JOINED:
            _join(code, line, samples * steps, pointer(words), pointer(events), pointer(lengths))
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
