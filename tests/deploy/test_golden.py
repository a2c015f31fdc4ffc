"""The shipped networks on samples made of whole numbers: the same integers on every Python, numpy and processor."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

import mksgn
from mksgn.emulator import Emulator

GOLDEN = {"nw-ucla": "2a8cdb3af1d25327af013f70207166173f2c6909a919eee095da4352c7b1c32c",
          "nw-ucla-joint": "a1c839b3520b0b19be14edfac08c99aeabea6ae906d2b09d92f12fe5f571dd9b",
          "nw-ucla-stream": "59266c1a17715fa11d491279b5569a5f401fa8d53bcc949d57d930ca2d0fe32c"}
"""SHA-256 of the samples' outputs and counts, as the emulator of version 0.1.0 with torch gave them; the network for
streams is younger."""
TABLES = ("sample_spikes", "sample_active", "sample_synops", "sample_macs", "sent")


def walks(shape: tuple[int, ...], count: int) -> np.ndarray:
    """``count`` int8 samples (N, C, F, V) that move as bodies do, by whole numbers alone."""
    state, steps = 1, []
    for _ in range(count * int(np.prod(shape))):
        state = (state * 1103515245 + 12345) % (1 << 31)
        steps.append((state >> 16) % 9 - 4)
    walk = np.array(steps).reshape(count, *shape).cumsum(axis=2) * 3
    return np.clip(walk, -127, 127).astype(np.int8)


def fingerprint(result: mksgn.Result) -> str:
    """Of predictions, readouts and everything that was counted."""
    total = hashlib.sha256()
    arrays = {"output": result.output, "predictions": result.predictions}
    for table in TABLES:
        arrays |= {f"{table} {name}": values for name, values in getattr(result.counts, table).items()}
    for name, values in sorted(arrays.items()):
        total.update(f"{name} {values.shape}".encode() + np.ascontiguousarray(values, "<i8").tobytes())
    return total.hexdigest()


@pytest.mark.parametrize("name", GOLDEN)
def test_the_integers_are_those_of_every_other_machine(name: str) -> None:
    net = mksgn.load(name)
    x = walks(tuple(net.graph.input.shape), 6)
    result = net.run(x)
    assert len({tuple(row) for row in result.output.tolist()}) == len(x), "the samples should differ"
    assert fingerprint(result) == GOLDEN[name]
    with Emulator(net.graph) as emulator:
        states = emulator.run(x[:2], "states")
    np.testing.assert_array_equal(states.output, result.output[:2])
    for table in TABLES[:-1]:
        for population, values in getattr(states.counts, table).items():
            np.testing.assert_array_equal(values, getattr(result.counts, table)[population][:2], err_msg=population)
