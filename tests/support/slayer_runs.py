"""Runs of train_slayer.py: whole ones in this process, killed ones in processes of their own; how they compare."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from programs import ROOT, Outcome, run_program
from safetensors.torch import load_file

import mksgn.training.trainer
from mksgn.netx import read_net
from mksgn.training.checkpoint import save_checkpoint

PROGRAM = "train/train_slayer.py"
TINY = ["--widths", "4", "4", "4", "--frames", "8", "--batch", "16", "--epochs", "2", "--tune-epochs", "2", "--device",
        "cpu"]
"""A run of seconds; to be given the small pack of the fixture ``pack_path`` as ``--data``."""
KILLED = """
import os, runpy, signal, sys
from pathlib import Path

from mksgn.training.run_files import read_state

stage, epoch, *sys.argv = sys.argv[1:]
rename = os.replace

def rename_and_die(source, target, **options):
    rename(source, target, **options)
    if Path(target).name == "checkpoint.safetensors":
        state = read_state(Path(target))
        if (state["stage"], state["epoch"]) == (stage, int(epoch)):
            os.kill(os.getpid(), signal.SIGKILL)

os.replace = rename_and_die
sys.path[0] = str(Path(sys.argv[0]).parent)
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""The program, which is killed at once when the checkpoint of one epoch is in its place."""


def environment() -> dict[str, str]:
    """For programs in processes of their own."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


def train(*arguments: str, check: bool = True) -> Outcome:
    """Run train_slayer.py in this process, with one thread."""
    done = run_program(PROGRAM, *arguments)
    assert not check or done.code == 0, done.err[-2000:]
    return done


def kill_after(last: tuple[str, int], arguments: list[str], folder: Path) -> None:
    """Start a run in a process of its own, which SIGKILL ends as soon as its checkpoint is that of epoch ``last``."""
    command = [sys.executable, "-c", KILLED, *map(str, last), str(ROOT / PROGRAM), *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=500)
    assert done.returncode == -signal.SIGKILL, f"it finished before it could be killed: {done.stderr[-2000:]}"
    assert (folder / "checkpoint.safetensors").exists() and not (folder / "mksgn.net").exists()


@contextmanager
def interrupted_at(stage: str, epoch: int) -> Iterator[None]:
    """A training within ends, as Ctrl-C ends it, when the checkpoint of that epoch is written."""
    def save(path: Path, net: object, optimiser: object, state: dict, *more: object) -> None:
        save_checkpoint(path, net, optimiser, state, *more)
        if (state["stage"], state["epoch"]) == (stage, epoch):
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mksgn.training.trainer, "save_checkpoint", save)
        yield


def assert_same_run(whole: Path, resumed: Path) -> None:
    """Weights, log and net to the bit."""
    for name in ("checkpoint", "float", "weights"):
        expected, got = (load_file(folder / f"{name}.safetensors") for folder in (whole, resumed))
        assert expected.keys() == got.keys()
        for key, value in expected.items():
            assert torch.equal(value, got[key]), (name, key)
    first, second = read_net(whole / "mksgn.net"), read_net(resumed / "mksgn.net")
    for a, b in zip(first.synapses, second.synapses):
        assert np.array_equal(a.weight, b.weight)
    kept = [[(r["stage"], r["epoch"], r["loss"]) for r in map(json.loads, (f / "metrics.jsonl").open()) if "stage" in r]
            for f in (whole, resumed)]
    assert kept[0] == kept[1]
