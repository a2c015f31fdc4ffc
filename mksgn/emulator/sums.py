"""The sums of one frame of a population: every message that arrives at it, times its weights (numba, CPU).

Work follows the spikes. Arrays are bare pointers (:mod:`mksgn.emulator.rows` says why).
"""

# mypy: ignore-errors
# (numba compiles these functions from their values' types; annotations would say nothing)
from __future__ import annotations

import numpy as np

from mksgn.compiled import compiled
from mksgn.emulator.columns import (
    CHANNEL_COUNT,
    CHANNELS,
    DELAY,
    ENTRIES,
    ENTRY_LINE,
    FIRST_ENTRY,
    FRAMES,
    JOINTS,
    KIND,
    LINE,
    LINKS,
    LIST_PLACE,
    PART,
    PART_WIDTH,
    PARTS,
    PLACE,
    RING,
    ROW_PLACE,
    SHARED,
    SOURCE,
    WEIGHTS,
    WIDTH,
)
from mksgn.emulator.program import ALIGNED, PRODUCTS, ROWS
from mksgn.emulator.rows import LANES, add_products, add_rows, add_scaled, from_place, pointer

_SLACK = LANES[0]
_NOTHING = np.zeros(1, np.int32)


@compiled(**PART)
def _add_input(code, line, entry, f, messages, total, named, factors):
    """One frame of an entry that adds rows of weights, as often as the input's ``messages`` say."""
    joints, width = line[JOINTS], line[WIDTH]
    source = from_place(code.populations, entry[SOURCE] * LINE)
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


@compiled(**PART)
def _add_frame(code, line, entry, f, messages, total):
    """One frame of an entry that multiplies rows of ``messages``."""
    joints, width = line[JOINTS], line[WIDTH]
    source = from_place(code.populations, entry[SOURCE] * LINE)
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


@compiled(**PART)
def _add_listed(code, line, entry, f, block, blocks, events, lengths, total):
    """One frame of an entry that adds rows of weights, once for every listed spike."""
    joints, width = line[JOINTS], line[WIDTH]
    source = from_place(code.populations, entry[SOURCE] * LINE)
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


@compiled(**PART)
def sum_frame(code, line, f, t, steps, block, blocks, x, x_block, each_step, arena, events, lengths, total, named,
               factors):
    """Synaptic input of frame ``f`` of a population in one sample and step ``t``, which is ``block`` of ``blocks``.

    Of messages in rings, ``block`` counts the frames since the stream began.
    """
    for i in range(line[JOINTS] * line[WIDTH] + _SLACK):
        total[i] = 0
    for e in range(line[FIRST_ENTRY], line[FIRST_ENTRY] + line[ENTRIES]):
        entry = from_place(code.entries, e * ENTRY_LINE)
        delay = entry[DELAY]
        source = from_place(code.populations, entry[SOURCE] * LINE)
        elements = source[FRAMES] * source[JOINTS] * source[WIDTH]
        if source[RING]:
            sent = (block - delay) % source[RING] * steps + t
            x_sent = sent
        elif delay > t or t - delay >= steps:  # sent before the sample began, or after its end
            continue
        else:
            sent = block - delay
            x_sent = x_block - (delay if each_step else 0)
        if entry[SOURCE] == 0:
            messages = from_place(x, x_sent * elements)
            if entry[KIND] == ROWS:
                _add_input(code, line, entry, f, messages, total, named, factors)
            else:
                _add_frame(code, line, entry, f, messages, total)
        elif entry[KIND] == ROWS:
            _add_listed(code, line, entry, f, sent, blocks, events, lengths, total)
        else:
            spikes = from_place(arena, source[PLACE] * blocks + sent * elements)
            _add_frame(code, line, entry, f, spikes, total)
