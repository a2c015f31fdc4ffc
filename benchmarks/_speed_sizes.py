"""Sections of speed.py about size: MK-SGN as large as the paper's in Lava, and how time grows with everything."""

from __future__ import annotations

import statistics
import threading
import time
from typing import Any

import numpy as np
import psutil
import torch
from _speed_report import Curve, Rows, take_turns

from mksgn.emulator import Emulator
from mksgn.ir import Graph
from mksgn.lava.backend import LavaBackend
from mksgn.networks import DataShape, MkSgnConfig
from mksgn.nn import SpikingGraphNet
from mksgn.nn.lowering import to_graph
from mksgn.nn.slayer_backend import calibrate
from mksgn.skeleton import NTU25

TABLE7: dict[str, Any] = {"widths": (64, 64, 128, 128, 256, 256), "strides": (1, 1, 2, 1, 2, 1)}
"""Paper, Table 7: the six SGC-STC layers of MK-SGN."""


def lava_step(graph: Graph, samples: np.ndarray, layout: str, **options: Any) -> tuple[float, LavaBackend]:
    """Seconds per wall step of one run that records nothing, and the backend for its other figures."""
    with LavaBackend(graph, layout=layout, timeout_s=1200, max_processes=1000, **options) as lava:
        lava.run(samples)
    return lava.effort.run_s / lava.effort.steps, lava


def untrained(frames: int, widths: tuple[int, ...], strides: tuple[int, ...], time_steps: int = 4) -> Graph:
    """An untrained MK-SGN for 25 joints whose neurons fire as trained ones do: calibrated on noise walks."""
    torch.manual_seed(0)
    net = SpikingGraphNet(MkSgnConfig(widths=widths, strides=strides, time_steps=time_steps),
                          DataShape(body=NTU25, classes=60, frames=frames))
    calibrate(net, noise(net.input_shape, 8))
    net.quantize()
    return to_graph(net)


def noise(shape: tuple[int, int, int], count: int) -> np.ndarray:
    """int8 samples (N, C, F, V) that move smoothly, as bodies do."""
    rng = np.random.default_rng(0)
    walk = rng.normal(0, 1, (count, *shape)).cumsum(axis=2)
    return np.clip(np.rint(walk * (60 / np.abs(walk).max())), -127, 127).astype(np.int8)


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
    graph = untrained(64, **TABLE7)
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
    """How times grow: of the emulator with four sizes, of a Lava time step with the number of Blocks."""
    base: dict[str, Any] = {"frames": 32, "widths": (16, 16, 32, 32, 64, 64), "strides": TABLE7["strides"]}

    def emulator(size: str, of: str) -> Curve:
        return Curve(size, "emulator, time of one run", f"untrained MK-SGN, 25 joints,\n{of}")

    samples = emulator("samples", "width 16, 32 frames, T = 4")
    frames = emulator("frames", "width 16, T = 4, 32 samples")
    width = emulator("width of the first layer", "32 frames, T = 4, 16 samples")
    steps = emulator("time steps T", "width 16, 32 frames, 32 samples")
    blocks = Curve("Blocks (OS processes)", "Lava, one time step", "untrained MK-SGN, 25 joints,\nwidth 16, 32 frames",
                   linear=False)

    def measure(curve: Curve, size: int, graph: Graph, count: int) -> None:
        shown = np.resize(noise(graph.input.shape, 8), (count, *graph.input.shape))
        with Emulator(graph) as backend:
            curve.points.append((size, take_turns({"e": lambda: backend.run(shown)}, rounds)["e"]))

    graph = untrained(**base)
    for count in (32, 64, 128, 256):
        measure(samples, count, graph, count)
    for number in (16, 32, 64, 128):
        measure(frames, number, untrained(**{**base, "frames": number}), 32)
    for number in (8, 16, 32, 64):
        widths = tuple(w * number // 16 for w in base["widths"])
        measure(width, number, untrained(**{**base, "widths": widths}), 16)
    for number in (1, 2, 4, 8):
        measure(steps, number, untrained(**base, time_steps=number), 32)
    streamed = noise(graph.input.shape, 24)
    for number in (1, 2, 3, 4):
        blocks.points.append((number, [lava_step(graph, streamed, "blocks", blocks=number)[0] for _ in range(3)]))
    for curve in (samples, frames):
        (first, last), (early, late) = ((ends[0], ends[-1]) for ends in ([size for size, _ in curve.points],
                                                                         curve.medians()))
        growth = (late / early) / (last / first)
        rows.add(f"emulator, growth over {curve.size} ({first:g} to {last:g}) against linear", growth, "times linear",
                 target="<= 1.1", met=growth <= 1.1)
    return [samples, frames, width, steps, blocks]
