"""Sections of `python benchmarks/speed` about size: MK-SGN as large as the paper's in Lava, and how times grow."""

from __future__ import annotations

import statistics
import threading
import time
from typing import Any

import numpy as np
import psutil
from _report import Curve, Rows, take_turns

from mksgn.emulator import Emulator
from mksgn.energy.printed import TABLE7
from mksgn.ir import Graph
from mksgn.lava.backend import LavaBackend
from mksgn.programs.untrained import noise, paper_size, untrained

SMALL: dict[str, Any] = {"frames": 32, "widths": (16, 16, 32, 32, 64, 64), "strides": TABLE7["MK-SGN"]["strides"]}
"""The network of the curves, each of which changes one of its sizes."""


def lava_step(graph: Graph, samples: np.ndarray, layout: str, **options: Any) -> tuple[float, LavaBackend]:
    """Seconds per wall step of one run that records nothing, and the backend for its other figures."""
    with LavaBackend(graph, layout=layout, timeout_s=1200, max_processes=1000, **options) as lava:
        lava.run(samples)
    return lava.effort.run_s / lava.effort.steps, lava


class Memory(threading.Thread):
    """Most proportional memory (PSS) of this process's children, sampled; GB."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak, self.ended = 0.0, threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.1):
            total = 0
            for child in psutil.Process().children(recursive=True):
                try:
                    total += child.memory_full_info().pss
                except psutil.Error:
                    continue
            self.peak = max(self.peak, total / 1e9)

    def __enter__(self) -> Memory:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.ended.set()
        self.join()


def full(quick: bool, rows: Rows) -> None:
    """MK-SGN at the paper's size in Lava."""
    graph = paper_size()
    samples = noise(graph.input.shape, 2 if quick else 8)
    starts, steps = [], []
    with Memory() as memory:
        for _ in range(1 if quick else 3):
            began = time.perf_counter()
            seconds, lava_backend = lava_step(graph, samples, "blocks")
            starts.append(time.perf_counter() - began - lava_backend.effort.run_s)
            steps.append(seconds)
    neurons = sum(p.size for p in graph.populations[1:])
    with Emulator(graph) as backend:
        counts = backend.run(samples[:1]).counts
    rate = np.mean([counts.rate(p.name) for p in graph.populations if p.role == "hidden"])
    name = f"full-size mksgn in Lava ({neurons:,} neurons, mean rate {rate:.2f}, Blocks)"
    start, step = statistics.median(starts), statistics.median(steps)
    rows.add(f"{name}: start, imports and stop included", start, "s", target="<= 15", met=start <= 15)
    rows.add(f"{name}: time step", step, "s", target="<= 2", met=step <= 2,
             spread=f"{min(steps):.3g}..{max(steps):.3g}")
    rows.add(f"{name}: memory of all its processes", memory.peak, "GB", target="<= 12", met=memory.peak <= 12)


def scaling(rounds: int, rows: Rows) -> list[Curve]:
    """Curves of the emulator's time over four sizes, and of a Lava time step over the number of Blocks."""
    curves = emulator_curves(rounds)
    blocks = blocks_curve()
    for curve in curves[:2]:  # samples and frames
        (first, last), (early, late) = ((ends[0], ends[-1]) for ends in ([size for size, _ in curve.points],
                                                                         curve.medians()))
        growth = (late / early) / (last / first)
        rows.add(f"emulator, growth over {curve.size} ({first:g} to {last:g}) against linear", growth, "times linear",
                 target="<= 1.1", met=growth <= 1.1)
    return [*curves, blocks]


def emulator_curves(rounds: int) -> list[Curve]:
    """Seconds of one run of the emulator over samples, frames, width and time steps."""

    def curve(size: str, of: str) -> Curve:
        return Curve(size, "emulator, time of one run", f"untrained MK-SGN, 25 joints,\n{of}")

    samples = curve("samples", "width 16, 32 frames, T = 4")
    frames = curve("frames", "width 16, T = 4, 32 samples")
    width = curve("width of the first layer", "32 frames, T = 4, 16 samples")
    steps = curve("time steps T", "width 16, 32 frames, 32 samples")

    def measure(curve: Curve, size: int, graph: Graph, count: int) -> None:
        shown = np.resize(noise(graph.input.shape, 8), (count, *graph.input.shape))
        with Emulator(graph) as backend:
            curve.points.append((size, take_turns({"e": lambda: backend.run(shown)}, rounds)["e"]))

    graph = untrained(**SMALL)
    for count in (32, 64, 128, 256):
        measure(samples, count, graph, count)
    for number in (16, 32, 64, 128):
        measure(frames, number, untrained(**{**SMALL, "frames": number}), 32)
    for number in (8, 16, 32, 64):
        widths = tuple(w * number // 16 for w in SMALL["widths"])
        measure(width, number, untrained(**{**SMALL, "widths": widths}), 16)
    for number in (1, 2, 4, 8):
        measure(steps, number, untrained(**SMALL, time_steps=number), 32)
    return [samples, frames, width, steps]


def blocks_curve() -> Curve:
    """Seconds of a time step in Lava over the number of Blocks."""
    curve = Curve("Blocks (OS processes)", "Lava, one time step", "untrained MK-SGN, 25 joints,\nwidth 16, 32 frames",
                  linear=False)
    graph = untrained(**SMALL)
    streamed = noise(graph.input.shape, 24)
    for number in (1, 2, 3, 4):
        curve.points.append((number, [lava_step(graph, streamed, "blocks", blocks=number)[0] for _ in range(3)]))
    return curve
