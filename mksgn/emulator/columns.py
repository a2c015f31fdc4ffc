"""Where each number stands in the flat arrays of a program, and how the functions that read them are compiled."""

from __future__ import annotations

from mksgn.emulator.program import ENTRY, POPULATION

(FRAMES, JOINTS, WIDTH, WIDE, SHIFT, FIRST_ENTRY, ENTRIES, CONSTANT, BIAS, BIAS_STEP, THRESHOLD, KEEP_U, KEEP_V, WRAPS,
 READOUT, ONCE, FAN, FANS, NEURONS, LISTED, PLACE, LIST_PLACE, ROW_PLACE, INTERVAL, LENGTH,
 LATTICE_FRAMES, RING, LAG, CYCLE, CARRIED, STATES) = range(len(POPULATION))
KIND, SOURCE, WEIGHTS, LINKS, SHARED, PARTS, PART_WIDTH, CHANNELS, CHANNEL_COUNT, DELAY = range(len(ENTRY))
LINE, ENTRY_LINE = len(POPULATION), len(ENTRY)
"""Numbers of a population, and of an entry."""

JIT = {"nogil": True, "error_model": "numpy", "boundscheck": False}
"""Options of a compiled function."""
PART = JIT | {"forceinline": True}
"""Of one that becomes a part of those that call it."""
