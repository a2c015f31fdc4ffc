"""Sections of `python benchmarks/speed` about a trained net: in the emulator, and in Lava."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from _dense import dense_operations
from _options import PAIR, ROOT, Options
from _report import Rows, take_turns
from _sizes import lava_step

from mksgn.data.pack import Pack
from mksgn.data.preprocess import Preprocess
from mksgn.data.splits import evenly_spaced, split
from mksgn.emulator import Emulator
from mksgn.errors import ConfigError
from mksgn.ir import Graph
from mksgn.lava.backend import LavaBackend
from mksgn.netx import read_net
from mksgn.training.batches import preprocessed

CONV, UNROLLED = "stock Lava, Conv", "stock Lava, unrolled to Sparse"
"""Stock Lava's two ways to hold a convolution."""


def test_samples(pack: Pack, graph: Graph, count: int) -> np.ndarray:
    """Preprocessed test samples, evenly spread; 0: all."""
    test = split(pack, val_subjects=()).test
    return preprocessed(pack, evenly_spaced(test, count), Preprocess.from_json(str(graph.meta["preprocess"])))


def emulator(options: Options, rows: Rows, graph: Graph, pack: Pack) -> None:
    """The whole test set in a process of its own, and the dense operations."""
    if not options.quick:
        whole_test_set(options, rows, len(test_samples(pack, graph, 0)))
    for net in dict.fromkeys((options.net, PAIR)):
        graph = read_net(net)
        samples = test_samples(pack, graph, 64 if options.quick else 128)
        dense = dense_operations(graph, samples)
        with Emulator(graph) as backend:
            times = take_turns({"emulator": partial(backend.run, samples), "dense float32": dense}, options.rounds + 2)
        rows.pair(f"emulator beside its dense operations in float32, {net.parent.name}, {len(samples)} samples", times,
                  "emulator", "dense float32", 2.0 if net == PAIR else None)


def whole_test_set(options: Options, rows: Rows, count: int) -> None:
    """Seconds and peak memory of deploy/run_lava.py on all ``count`` test samples."""
    program = [sys.executable, str(ROOT / "deploy" / "run_lava.py"), "--net", str(options.net),
               "--data", options.data, "--backend", "emulator"]
    seconds, peak = [], 0.0
    for _ in range(3):
        began = time.perf_counter()
        with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as child:
            while child.poll() is None:
                peak = max(peak, high_water(child.pid))
                time.sleep(0.05)
            if child.returncode:
                raise ConfigError("the emulator's run failed", got=child.communicate()[0][-1000:])
        seconds.append(time.perf_counter() - began)
    took = statistics.median(seconds)
    rows.add(f"emulator, whole test set of {count}, program start included", took, "s", target="<= 60",
             met=took <= 60, spread=f"{min(seconds):.3g}..{max(seconds):.3g}")
    rows.add("emulator, its peak memory", peak, "GB", target="<= 2", met=peak <= 2)


def high_water(pid: int) -> float:
    """Most memory a running process has had, GB. (Its parent's resource usage would count the parent's too.)"""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) * 1024 / 1e9 for line in lines if line.startswith("VmHWM")), 0.0)


@dataclass
class LavaTimes:
    """Costs of the ways to run a net in Lava: seconds per wall step and of the start of every run, and Processes."""

    steps: dict[str, list[float]] = field(default_factory=dict)
    starts: dict[str, list[float]] = field(default_factory=dict)
    processes: dict[str, int] = field(default_factory=dict)

    def take(self, name: str, run: Callable[[], tuple[float, LavaBackend]]) -> None:
        """Run the net once in the way called ``name``."""
        seconds, backend = run()
        self.steps.setdefault(name, []).append(seconds)
        self.starts.setdefault(name, []).append(backend.effort.start_s)
        self.processes[name] = backend.effort.os_processes


def lava(options: Options, rows: Rows, graph: Graph, pack: Pack) -> None:
    """Wall step and samples per second of the net, our layouts against Lava's own models."""
    few = test_samples(pack, graph, 1 if options.quick else 2)
    many = test_samples(pack, graph, 8 if options.quick else 24)
    variants: dict[str, Callable[[], tuple[float, LavaBackend]]] = {
        "blocks": lambda: lava_step(graph, many, "blocks"),
        "layers": lambda: lava_step(graph, few, "layers"),
        CONV: lambda: lava_step(graph, few, "stock", unroll_limit=0),
        UNROLLED: lambda: lava_step(graph, few, "stock"),
    }
    if options.quick:
        del variants["layers"], variants[UNROLLED]
    taken = LavaTimes()
    for _ in range(1 if options.quick else 2):
        for name, run in variants.items():
            taken.take(name, run)
    rows.pair("Lava, one time step of the net, Blocks", taken.steps, "blocks", CONV, 20.0)
    for name in variants:
        if name not in ("blocks", CONV):
            rows.pair("Lava, one time step of the net, Blocks", taken.steps, "blocks", name, None)
    if "layers" in variants:
        rows.pair("Lava, one time step of the net, our ProcessModels in the stock graph", taken.steps, "layers", CONV,
                  None)
    for name in variants:
        rows.add(f"Lava, OS processes, {name}", taken.processes[name], "processes")
        rows.add(f"Lava, start-up, {name}", statistics.median(taken.starts[name]), "s")
    emulator_beside_lava(options, rows, graph, test_samples(pack, graph, 64), taken.steps)


def emulator_beside_lava(options: Options, rows: Rows, graph: Graph, samples: np.ndarray,
                         steps: dict[str, list[float]]) -> None:
    """Seconds per sample of the emulator, beside Lava's steady state: without its start and filling its pipeline."""
    with Emulator(graph) as backend:
        each = [t / len(samples) for t in take_turns({"e": lambda: backend.run(samples)}, options.rounds)["e"]]
    stock, blocks = ([t * (graph.time_steps or 1) for t in steps[name]] for name in (CONV, "blocks"))
    rows.pair("emulator, seconds per sample (Lava: steady state)", {"emulator": each, CONV: stock}, "emulator", CONV,
              1000.0)
    rows.pair("emulator, seconds per sample (Blocks: steady state)", {"emulator": each, "our Blocks": blocks},
              "emulator", "our Blocks", None)
