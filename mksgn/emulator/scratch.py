"""What the compiled loop needs beside a program: memory for one frame, and bare pointers to all its arrays."""

# mypy: ignore-errors
# (numba compiles these functions from their values' types; annotations would say nothing)
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from mksgn.compiled import compiled
from mksgn.emulator.columns import PART
from mksgn.emulator.program import Code, Program
from mksgn.emulator.rows import LANES, pointer

TILE = 4096
"""Neurons whose events are counted in 16 bits before they are added up."""


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
                   np.zeros(TILE, np.uint8))


@compiled(**PART)
def as_pointers(arrays, scratch):
    """Code and scratch of arrays as those of pointers."""
    code = Code(pointer(arrays.populations), pointer(arrays.entries), pointer(arrays.first), pointer(arrays.rows),
                pointer(arrays.what), pointer(arrays.channels), pointer(arrays.weights), pointer(arrays.products),
                pointer(arrays.bias), pointer(arrays.fires), pointer(arrays.rests), pointer(arrays.fan_frames),
                pointer(arrays.fan))
    own = Scratch(pointer(scratch.narrow), pointer(scratch.wide), pointer(scratch.u), pointer(scratch.v),
                  pointer(scratch.changed), pointer(scratch.spikes), pointer(scratch.named), pointer(scratch.factors),
                  pointer(scratch.part))
    return code, own
