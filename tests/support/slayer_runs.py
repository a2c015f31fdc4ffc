"""Runs of train_slayer.py in processes of their own: started, killed, compared."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from mksgn.netx import read_net
from mksgn.training.checkpoint import read_state

ROOT = Path(__file__).resolve().parent.parent.parent
TINY = ["--widths", "4", "4", "4", "--frames", "8", "--batch", "256", "--epochs", "2", "--tune-epochs", "2"]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


def train(*arguments: str, check: bool = True) -> subprocess.CompletedProcess:
    done = subprocess.run([sys.executable, str(ROOT / "train" / "train_slayer.py"), *arguments], cwd=ROOT,
                          env=environment(), capture_output=True, text=True, timeout=300)
    assert not check or done.returncode == 0, done.stderr[-2000:]
    return done


def kill_after(last: tuple[str, int], arguments: list[str], folder: Path) -> None:
    """Start a run and kill it once its checkpoint is that of epoch ``last``."""
    process = subprocess.Popen([sys.executable, str(ROOT / "train" / "train_slayer.py"), *arguments], cwd=ROOT,
                               env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    checkpoint = folder / "checkpoint.safetensors"
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline:
        if checkpoint.exists() and (state := read_state(checkpoint)) and (state["stage"], state["epoch"]) == last:
            break
        assert process.poll() is None, "finished before it could be killed"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (folder / "mksgn.net").exists()


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
