"""Sections of `python benchmarks/speed` about single operations: the machine's bounds, the neuron, the kernels."""

from __future__ import annotations

import statistics
from functools import partial

import numpy as np
import torch
from _options import Options
from _report import Rows, take_turns
from _step import MEASURED

from mksgn.emulator import Emulator
from mksgn.ir import Conv, Cuba, Graph, Population
from mksgn.nn.lava_dl import slayer
from mksgn.nn.slayer_neuron import FastNeuron
from mksgn.training.devices import choose_precision


def bound(options: Options, rows: Rows) -> None:
    """Memory far beyond the caches, and matrix products, with the threads of the other sections."""
    memory = torch.ones(1 << 26)
    for what, use in (("reading", memory.sum), ("writing", partial(memory.fill_, 2.0))):
        seconds = statistics.median(take_turns({what: use}, options.rounds + 3)[what])
        rows.add(f"machine: {what} memory", memory.numel() * memory.element_size() / seconds / 1e9, "GB/s")
    # bfloat16 only where training takes it: a processor without such units needs minutes for one product.
    short = choose_precision("auto", torch.device("cpu"), max(MEASURED.network.widths))
    for dtype in dict.fromkeys((torch.float32, short)):
        name = str(dtype).removeprefix("torch.")
        matrix = torch.rand(2048, 2048).to(dtype)
        seconds = statistics.median(take_turns({name: partial(torch.mm, matrix, matrix)}, options.rounds)[name])
        rows.add(f"machine: multiply-adds of a matrix product in {name}", len(matrix) ** 3 / seconds / 1e9, "G/s")


def respond(neuron: torch.nn.Module, x: torch.Tensor, grad: torch.Tensor) -> None:
    """Forward and backward of a neuron, without adding the gradient to anything."""
    torch.autograd.grad(neuron(x), x, grad)


def neuron(options: Options, rows: Rows) -> None:
    """The neuron alone, forward and backward, by its time step count."""
    for steps in (4,) if options.quick else (4, 16):
        x = torch.randn(8, 64, 32, 20, steps, requires_grad=True)
        grad = torch.randn_like(x)
        parameters = {"threshold": 1.0, "current_decay": 1.0, "voltage_decay": 0.75}
        neurons = {"ours": FastNeuron(**parameters), "stock SLAYER": slayer.neuron.cuba.Neuron(**parameters)}
        # Several calls a turn: milliseconds would measure what the other one left in the caches.
        times = take_turns({name: partial(respond, n, x, grad) for name, n in neurons.items()}, options.rounds + 2,
                           calls=10)
        rows.pair(f"neuron alone, forward + backward, {x.numel() // steps:,} neurons x {steps} steps", times, "ours",
                  "stock SLAYER", 10.0)


def kernels(options: Options, rows: Rows) -> None:
    """The emulator's two ways, a convolution and its neurons, over firing rates: the same integers."""
    rng = np.random.default_rng(0)
    shape = (channels, *_) = (64, 32, 20)
    neurons = Cuba(1, 4096, 4096)
    populations = (Population("a", shape, role="input"), *(Population(name, shape, neurons) for name in "bc"))
    copy = Conv("r", ("a",), "b", np.full((channels, 1, 1, 1), 2, np.int16), groups=channels)
    for taps in (9, 1):
        weight = (2 * rng.integers(-127, 128, (channels, channels, taps, 1))).astype(np.int16)
        graph = Graph(populations, (copy, Conv("s", ("b",), "c", weight, padding=(taps // 2, 0))), 1)
        for rate in (0.01, 0.05, 0.15, 0.4):
            x = (rng.random((32, *shape)) < rate).astype(np.int8)
            with Emulator(graph) as event, Emulator(graph, kernel="dense") as dense:
                times = take_turns({"event": partial(event.run, x), "dense": partial(dense.run, x)}, options.rounds)
            rows.pair(f"emulator, {taps}x1 convolution, 64 -> 64 channels, 32 images, {rate:.0%} of inputs spike",
                      times, "event", "dense", None)
