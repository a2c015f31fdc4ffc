"""Both ways in which the emulator computes a synapse, on random convolutions, against plain integers.

    python tests/support/kernel_stress.py --first 0 --cases 60

Run in a process of its own: the fault that it looks for may end the process, and oneDNN reads ONEDNN_MAX_CPU_ISA (such
as AVX2) once. Prints one line of JSON: the kernels, the sums compared, and the cases that differ.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np
import torch

from mksgn.emulator import Emulator
from mksgn.emulator.emulator import KERNELS
from mksgn.ir import Conv, Cuba, Graph, Population
from mksgn.ir.graph import VTH_MAX

THREADS = (1, 2, 4)
REPEATS = 2
WORK = 1e7
"""Largest number of products of a case."""


def random_convolution(seed: int) -> tuple[Graph, int]:
    """A net of one convolution, 1 to 80 channels, any geometry that fits, and a batch size."""
    rng = np.random.default_rng(seed)
    while True:
        channels, size = int(rng.integers(1, 81)), [int(rng.choice(axis)) for axis in ((1, 2, 3, 5, 8, 13, 24, 32),
                                                                                       (1, 2, 3, 5, 17, 20, 25))]
        kernel = [int(rng.choice([1, 1, 2, 3, 5, 9])) for _ in size]
        stride = tuple(int(rng.choice([1, 1, 2, 3, 4])) for _ in size)
        padding = tuple(int(rng.choice([0, 0, 1, taps // 2, taps])) for taps in kernel)
        dilation = tuple(int(rng.choice([1, 1, 2, 3])) for _ in size)
        groups = 1
        if rng.random() < 0.3:
            groups = int(rng.choice([g for g in range(1, channels + 1) if channels % g == 0]))
        out = int(rng.integers(1, 81)) if groups == 1 else groups * int(rng.integers(1, 4))
        batch = int(rng.choice([1, 3, 7, 16, 33, 64]))
        shape = (out, channels // groups, *kernel)
        largest = min(128, VTH_MAX // (2 * int(np.prod(shape[1:]))))  # the sums stay within a readout's range
        weight = (2 * rng.integers(-largest, max(largest, 1), shape)).astype(np.int16)
        synapse = Conv("s", ("x",), "y", weight, stride, padding, dilation, groups)
        source = Population("x", (channels, *size), role="input")
        fits = all(n + 2 * p >= d * (k - 1) + 1 for n, p, d, k in zip(size, padding, dilation, kernel))
        if fits and batch * size[0] * size[1] * weight.size <= WORK:
            shape = synapse.output_shape(source.shape, source.shape)
            return Graph((source, Population("y", shape, Cuba(VTH_MAX, 4096, 0), role="readout")),
                         (synapse,), 1), batch


def plain(synapse: Conv, x_bfvc: np.ndarray, target: tuple[int, int, int]) -> np.ndarray:
    """The sums by the equation of mksgn/ir/synapses.py, tap by tap, in 64-bit integers: (B, F', V', C')."""
    weight, groups = synapse.weight.astype(np.int64), synapse.groups
    (pf, pv), (sf, sv), (df, dv) = synapse.padding, synapse.stride, synapse.dilation
    x = np.pad(x_bfvc.astype(np.int64), ((0, 0), (pf, pf), (pv, pv), (0, 0)))
    channels, frames, joints = target
    y = np.zeros((len(x), frames, joints, channels), np.int64)
    inputs, outputs = weight.shape[1], channels // groups
    for m, n in np.ndindex(*weight.shape[2:]):
        read = x[:, m * df:, n * dv:][:, ::sf, ::sv][:, :frames, :joints]
        for g in range(groups):
            o = slice(g * outputs, (g + 1) * outputs)
            y[..., o] += read[..., g * inputs:(g + 1) * inputs] @ weight[o, :, m, n].T
    return y


def stress(first: int, cases: int) -> dict[str, Any]:
    """Compare ``cases`` convolutions from seed ``first`` on."""
    compared = dict.fromkeys(KERNELS[1:], 0)
    differing = []
    for seed in range(first, first + cases):
        graph, batch = random_convolution(seed)
        (synapse,), rng = graph.synapses, np.random.default_rng(seed)
        channels, frames, joints = graph.input.shape
        x = (rng.random((batch, frames, joints, channels)) < rng.random()).astype(np.int8)
        expected = plain(synapse, x, graph.output.shape).transpose(0, 3, 1, 2).reshape(batch, -1)
        for threads, kernel in ((t, k) for t in THREADS for k in compared):
            with Emulator(graph, batch, threads=threads, kernel=kernel) as emulator:
                for _ in range(REPEATS):
                    got = emulator.run(x.transpose(0, 3, 1, 2)).output
                    compared[kernel] += got.size
                    if (got != expected).any():
                        wrong = int((got != expected).sum())
                        differing.append(f"seed {seed}, {kernel}, {threads} threads: {wrong} of {got.size}")
    return {"threads": torch.get_num_threads(), "capability": torch.backends.cpu.get_cpu_capability(),
            "compared": compared, "differing": differing}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--cases", type=int, default=60, help="random convolutions")
    options = parser.parse_args()
    print(json.dumps(stress(options.first, options.cases)))
