"""Part of streaming.py: what a frame costs in the emulator that carries its messages from frame to frame."""

from __future__ import annotations

import resource
import time
from typing import Any

import numpy as np

from mksgn.emulator import Emulator, FrameByFrame
from mksgn.ir import Graph
from mksgn.ir.streaming import continuous, streamed

WARM_UP = 64
"""Frames before anything is measured."""


def frame_rates(graph: Graph, x: np.ndarray, threads: int, frames: int) -> dict[str, Any]:
    """Frames per second of both ways to stream, against computing a window anew for every frame.

    Parameters
    ----------
    graph : Graph
        Of clips.
    x : int8 ndarray (N, C, F, V)
        Some clips.
    threads : int
    frames : int
        Pushed into each stream.
    """
    found: dict[str, Any] = {"threads": threads, "frames_pushed": frames}
    with Emulator(graph, threads=threads) as emulator:
        emulator.run(x[:1])
        found["window_ms"] = 1000 * _fastest(lambda i: emulator.run(x[i % len(x)][None]), 24)
        found["window_in_a_batch_ms"] = 1000 * _fastest(lambda _: emulator.run(x), 4) / len(x)
    for name, stream in (("clips", streamed(graph)), ("endless", continuous(graph))):
        with FrameByFrame(stream, threads) as running:
            cycle = running.cycle or x.shape[2]
            played = [x[i % len(x), :, f:f + 1] if f < x.shape[2] else None
                      for i in range(-(-(frames + WARM_UP) // cycle)) for f in range(cycle)]
            for frame in played[:WARM_UP]:
                running.push(frame)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            began = time.perf_counter()
            for frame in played[WARM_UP:WARM_UP + frames]:
                running.push(frame)
            seconds = time.perf_counter() - began
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
            found[f"{name}_frames_per_second"] = frames / seconds
            found[f"{name}_frame_ms"] = 1000 * seconds / frames
            for window in ("window", "window_in_a_batch"):
                found[f"{name}_{window}_over_frame"] = found[f"{window}_ms"] * frames / (1000 * seconds)
            found[f"{name}_kept_mb"] = running.memory / 1e6
            found[f"{name}_grown_mb"] = grown / 1e3
            found[f"{name}_frames_late"] = running.lag(stream.output.name)
    return found


def _fastest(task: Any, count: int) -> float:
    """Mean seconds of a task, of the faster half of its runs."""
    seconds = []
    for number in range(count):
        began = time.perf_counter()
        task(number)
        seconds.append(time.perf_counter() - began)
    return float(np.mean(sorted(seconds)[:count // 2]))
