"""A training step of one stack in a process of its own: the section "training" starts one for every turn.

Alone in its process, a stack keeps the memory that it has warmed, and pays for nothing that another one gave back.
"""

from __future__ import annotations

import mksgn  # noqa: F401  (how threads wait is set before torch is loaded)

# isort: split

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _baselines import SpikingJelly, StockSlayer, cross_entropy_step

from mksgn.data.pack import Pack
from mksgn.data.sources import load
from mksgn.errors import BackendError
from mksgn.networks import MkSgnConfig
from mksgn.nn import SpikingGraphNet
from mksgn.nn.slayer_backend import calibrate
from mksgn.threads import use_threads
from mksgn.training.batches import preprocessed
from mksgn.training.devices import choose_precision
from mksgn.training.recipe import PRESETS

MEASURED = replace(PRESETS["mksgn"], network=MkSgnConfig())
"""The network that is trained: the paper's form, which all stacks have."""
_CHILD = """
import json, sys
sys.path.insert(0, sys.argv[1])
from _step import steps
print(json.dumps(steps(**json.loads(sys.argv[2]))))
"""
STACKS = ("ours", "stock SLAYER", "SpikingJelly", "fine-tuning")


def seconds(stack: str, **given: Any) -> list[float]:
    """Seconds of the steps of one turn; ``given`` are the arguments of :func:`steps`.

    Raises
    ------
    BackendError
        When the process fails, with the last line of what it said.
    """
    asked = json.dumps({"stack": stack, **given})
    done = subprocess.run([sys.executable, "-c", _CHILD, str(Path(__file__).parent), asked], capture_output=True,
                          text=True, check=False)
    if done.returncode:
        raise BackendError("a training step failed", where=stack, got=(done.stderr.strip() or "?").splitlines()[-1])
    values: list[float] = json.loads(done.stdout.splitlines()[-1])
    return values


def steps(stack: str, data: str, batch: int, calls: int, threads: int) -> list[float]:
    """Seconds of ``calls`` steps of ``batch`` samples after one that warms up; ``threads`` 0: torch's own number."""
    use_threads(threads or None)
    torch.manual_seed(0)
    pack = load(data)
    net = MEASURED.untrained(pack)
    indices = np.arange(batch) % len(pack)
    x = torch.from_numpy(preprocessed(pack, indices, MEASURED.preprocess(pack)))
    run = prepared(stack, net, x, torch.from_numpy(pack.labels[indices]))
    times = []
    for _ in range(1 + calls):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return times[1:]


def prepared(stack: str, net: SpikingGraphNet, x: torch.Tensor, labels: torch.Tensor) -> Callable[[], Any]:
    """Forward, loss and backward of ``stack`` on the weights of ``net``."""
    module: torch.nn.Module = net
    # As train_slayer.py does on this processor.
    dtype = choose_precision("auto", torch.device("cpu"), max(MEASURED.network.widths))
    if stack in ("ours", "fine-tuning"):
        if stack == "fine-tuning":
            calibrate(net, x[:8].numpy())
            net.quantize()
            net.train()

        def forward(samples: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
            out = net(samples, dtype=dtype)
            return out.logits, list(out.rates.values())
    else:
        baseline = {"stock SLAYER": StockSlayer, "SpikingJelly": SpikingJelly}[stack](net)
        module = baseline

        def forward(samples: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
            found: tuple[torch.Tensor, list[torch.Tensor]] = baseline(samples, MEASURED.network.time_steps)
            return found
    parameters: list[torch.Tensor] = list(module.parameters())
    return lambda: cross_entropy_step(forward, x, labels, parameters, MEASURED.rate_target, MEASURED.rate_weight)


def shape(pack: Pack, batch: int) -> str:
    """The measured network and batch in words."""
    return (f"MK-SGN, half the paper's widths, {MEASURED.frames} frames x {pack.body.num_joints} joints, "
            f"T = {MEASURED.network.time_steps}, batch {batch}")
