"""Faster ways to the same integers on a CPU, and the choice between them.

dense
    float32 GEMM or convolution (:mod:`mksgn.emulator.operators`); every device, every synapse.
int8
    oneDNN's u8 x s8 convolution with 32-bit sums: VNNI or AMX where the processor has them. For spikes: weights
    are even, so half of one fits 8 bits, and messages are so small that no 16-bit intermediate saturates.
event
    only the weights of neurons that sent something (:mod:`mksgn.events`): cost follows the firing rate.

All are exact, so which one runs is a matter of time only: the first batch is computed by each, and the fastest kept.
"""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from mksgn.emulator.window import Window
from mksgn.events.synapses import compiled
from mksgn.ir import Conv, Synapse
from mksgn.ir.synapses import Shape

KERNELS = ("auto", "dense", "int8", "event")
COUNT_MAX = 100
"""Largest message (spikes of so many sources, summed) of the 8-bit kernels: 2 x 100 x 128 stays below 2^15."""
ROUNDS = 3
"""Of measuring. The first compiles and fills caches; in turns, so that memory new to the process costs none alone."""
_HALVED = 2.0
_onednn: Any = getattr(torch, "ops").onednn  # noqa: B009  (a namespace that torch does not declare)

Variant = Callable[[torch.Tensor], torch.Tensor]
"""Messages (B, F, V, C) in, float32 (or int32) sums (B, F', V', C') out."""


class Fastest:
    """Runs one of several functions with equal results: the one that was fastest on the first batch.

    Parameters
    ----------
    variants : dict of name to function
    kernel : str
        'auto' measures; a name takes that variant where it exists, else 'dense'.
    """

    def __init__(self, variants: dict[str, Variant], kernel: str) -> None:
        self.variants = variants
        self.chosen = ""
        if kernel != "auto" or len(variants) == 1:
            self.chosen = kernel if kernel in variants else "dense"

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """The sums, by the variant chosen; the first call measures."""
        if self.chosen:
            return self.variants[self.chosen](x)
        seconds = dict.fromkeys(self.variants, math.inf)
        for _ in range(ROUNDS):
            for name, run in self.variants.items():
                began = time.perf_counter()
                y = run(x)
                seconds[name] = min(seconds[name], time.perf_counter() - began)
        self.chosen = min(seconds, key=seconds.__getitem__)
        return y


def variants(synapse: Synapse, source: Shape, target: Shape, unary: bool, exact32: bool) -> dict[str, Variant]:
    """What a CPU can run a synapse with beside 'dense'.

    Parameters
    ----------
    synapse : Synapse
    source, target : (C, F, V)
    unary : bool
        Its sources send spikes.
    exact32 : bool
        No sum exceeds 2^24, so that float32 holds it, and none is wrapped.
    """
    found: dict[str, Variant] = {}
    if not (unary and exact32 and len(synapse.sources) <= COUNT_MAX):
        return found
    if getattr(synapse, "delay", None) is None:
        found["event"] = _event(synapse, source, target)
    if isinstance(synapse, Conv) and synapse.groups == 1 and has_int8():
        halved = not bool((synapse.weight % 2).any())
        if halved or np.abs(synapse.weight).max() <= 127:
            found["int8"] = _int8(synapse, Window.of(synapse, source), halved)
    return found


def has_int8() -> bool:
    """Whether this torch has oneDNN's 8-bit convolution, on a processor it is written for."""
    return (platform.machine().lower() in ("x86_64", "amd64") and torch.backends.mkldnn.is_available()
            and hasattr(_onednn, "qconv2d_pointwise"))


def _event(synapse: Synapse, source: Shape, target: Shape) -> Variant:
    apply = compiled(synapse, source, target, parallel=True)
    channels, frames, joints = target

    def run(x_bfvc: torch.Tensor) -> torch.Tensor:
        out = torch.zeros((len(x_bfvc), frames, joints, channels), dtype=torch.int32)
        apply(x_bfvc.to(torch.int8).contiguous().numpy(), out.numpy())
        return out

    return run


def _int8(synapse: Conv, window: Window, halved: bool) -> Variant:
    weight = torch.from_numpy((synapse.weight // 2 if halved else synapse.weight).astype(np.int8))
    scales, zeros = torch.ones(len(weight)), torch.zeros(len(weight), dtype=torch.int64)
    geometry = (list(window.stride), list(window.padding), list(synapse.dilation), synapse.groups)
    # The scale of the input undoes the halving: a power of two, so the sums stay exact.
    scale = _HALVED if halved else 1.0
    packed = _onednn.qconv_prepack(weight, scales, scale, 0, *geometry, None)

    def run(x_bfvc: torch.Tensor) -> torch.Tensor:
        # Spikes and their sums are not negative: the same bytes.
        x = window.take(x_bfvc.view(torch.uint8) if x_bfvc.dtype is torch.int8 else x_bfvc.to(torch.uint8))
        y = _onednn.qconv2d_pointwise(x.permute(0, 3, 1, 2), scale, 0, packed, scales, zeros, None, *geometry, 1.0, 0,
                                      torch.float32, "none", [], "")
        return y.permute(0, 2, 3, 1).contiguous()

    return run
