"""Sections of `python benchmarks/speed` about training: a step on every stack, and an epoch beside another training."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from _baselines import HAS_SPIKINGJELLY
from _options import ROOT, Options
from _report import Rows
from _step import MEASURED, STACKS, seconds, shape

from mksgn.data.pack import Pack
from mksgn.errors import ConfigError
from mksgn.training.devices import choose_precision


def training(options: Options, rows: Rows, pack: Pack) -> None:
    """One training step (batch 32; 8 with --quick) of all stacks on the same weights, in turns, a process for each."""
    batch, calls = (8, 2) if options.quick else (32, 3)
    stacks = [stack for stack in STACKS if stack != "SpikingJelly" or HAS_SPIKINGJELLY]
    times: dict[str, list[float]] = {stack: [] for stack in stacks}
    for _ in range(1 if options.quick else 3):
        for stack in stacks:
            times[stack] += seconds(stack, data=options.data, batch=batch, calls=calls, threads=options.threads)
    dtype = str(choose_precision("auto", torch.device("cpu"), max(MEASURED.network.widths))).removeprefix("torch.")
    what = f"training step ({shape(pack, batch)}), synapses in {dtype}"
    rows.pair(what, times, "ours", "stock SLAYER", 6.5)
    if HAS_SPIKINGJELLY:
        rows.pair(what, times, "ours", "SpikingJelly", 2.8)
    else:
        rows.console.print("SpikingJelly is not installed: its row is missing (pip install -e .[bench])", markup=False)
    rows.pair(f"fine-tuning step of the integers, spikes and gradients in {dtype}, beside a step in floating point",
              times | {"floating point": times["ours"]}, "fine-tuning", "floating point", 1.3, at_most=True)


def company(rows: Rows) -> None:
    """Seconds of an epoch of train_slayer.py's demo, alone and two at once: one process each, as a user starts them."""
    with TemporaryDirectory() as scratch:
        alone = epochs_beside(1, Path(scratch))
        both = epochs_beside(2, Path(scratch))
    rows.pair("an epoch of the demo's training, two trainings at once", {"two at once": both, "one alone": alone},
              "two at once", "one alone", 2.2, at_most=True)


def epochs_beside(count: int, scratch: Path) -> list[float]:
    """Seconds of every epoch but the first, of ``count`` trainings at once."""
    folders = [scratch / f"{count}-{number}" for number in range(count)]
    programs = [subprocess.Popen([sys.executable, str(ROOT / "train" / "train_slayer.py"), "--epochs", "3",
                                  "--tune-epochs", "0", "--out", str(folder)], stdout=subprocess.DEVNULL)
                for folder in folders]
    try:
        if any([program.wait() for program in programs]):
            raise ConfigError("a training of the demo failed", where="train/train_slayer.py")
    finally:
        for program in programs:
            program.kill()
    lines = [json.loads(line) for folder in folders for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line["seconds"] for line in lines if line.get("stage") == "float" and line["epoch"] > 0]
