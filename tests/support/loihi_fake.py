"""What the Loihi 2 tests share: the fake extension put in reach and out again, and a graph that a chip could hold."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from written_graphs import T, even

from mksgn.ir import Conv, Cuba, Dense, Graph, Population

FAKE = Path(__file__).parent / "fake_loihi"
_BOARD = ("PARTITION", "BOARD", "NXSDKHOST", "HOST_BINARY", "SLURM", "NOSLURM", "LOIHI_GEN")
_PACKAGES = ("lava.proc.embedded_io", "lava.proc.cyclic_buffer")


@contextmanager
def extension_path(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No board named, and folders may be put on the path that add to ``lava``; Python forgets them afterwards."""
    for name in _BOARD:
        monkeypatch.setenv(name, "")  # so that what the test sets itself is undone, too
        monkeypatch.delenv(name)
    yield
    monkeypatch.undo()
    # A namespace package keeps its last path when its folders are gone.
    for name in [name for name in sys.modules if name.startswith(_PACKAGES)]:
        del sys.modules[name]
    importlib.invalidate_caches()


@contextmanager
def fake_in_reach(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[Path]:
    """The fake extension, a fake SLURM and a fake ping in reach; the file in which the fake records its calls.

    The fake board's script is ``script.json`` beside it.
    """
    with extension_path(monkeypatch):
        monkeypatch.syspath_prepend(str(FAKE))
        monkeypatch.setenv("PATH", f"{FAKE / 'bin'}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setenv("FAKE_LOIHI_CALLS", str(folder / "calls.jsonl"))
        monkeypatch.setenv("FAKE_LOIHI_SCRIPT", str(folder / "script.json"))
        yield folder / "calls.jsonl"


def chip_graph() -> Graph:
    """Branches of different depth, a graded input that also goes straight to the readout, biases, a gate.

    Decays of 4096 are 4095 on the chip, so the gate has 4095 from the start. No sources are concatenated: the
    chip's ``num_message_bits=0`` would cast their sum to bool in the CPU models that the fake runs on.
    """
    rng = np.random.default_rng(0)
    populations = (Population("in", (2, 4, 3), role="input", message_bits=8),
                   Population("coder", (3, 4, 3), Cuba(300), bias=np.array([40, 0, 400])),
                   Population("gate", (2, 4, 3), Cuba(30, 4096, 4095)),
                   Population("out", (4, 1, 1), Cuba(131071, voltage_decay=0), role="readout"))
    synapses = (Conv("code", ("in",), "coder", even(rng, 3, 2, 3, 1), padding=(1, 0)),
                Conv("and", ("coder",), "gate", even(rng, 2, 3, 1, 1)),
                Dense("classify", ("gate",), "out", even(rng, 4, 24)),
                Dense("skip", ("coder",), "out", even(rng, 4, 36)),
                Dense("shortcut", ("in",), "out", even(rng, 4, 24, limit=10)))
    return Graph(populations, synapses, T)
