"""Integers in floating point: where they are exact, and the switches that keep them so.

A float32 sum of integers is exact, in any order, while every partial sum stays at or below 2^24;
sum |w| x largest |input| bounds them all. Algorithms that transform (Winograd, FFT) or shorten
(TF32, bf16) their operands are not covered by that bound and are switched off here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from mksgn.ir.bounds import SUM24

FLOAT32_EXACT = 1 << 24
"""All integers up to this, inclusive, are float32 numbers."""


def dtype_for(bound: int) -> torch.dtype:
    """float32 where integers up to ``bound`` are exact, else float64."""
    return torch.float32 if bound <= FLOAT32_EXACT else torch.float64


def wrap24(x: torch.Tensor) -> torch.Tensor:
    """``signed_clamp(x, 24)`` of lava.proc.conv.utils: x modulo 2^24, into [-2^23, 2^23)."""
    return torch.remainder(x + SUM24, 2 * SUM24) - SUM24


@contextmanager
def exact_arithmetic(device: torch.device, threads: int | None) -> Iterator[None]:
    """No gradients, no autocast, no TF32/bf16, no Winograd or FFT; the caller's settings come back after.

    cuDNN and NNPACK choose their convolution algorithm themselves, Winograd among them, so PyTorch's
    own (im2col and GEMM on CUDA; oneDNN's direct algorithm on a CPU) are used instead.
    """
    before = torch.get_num_threads()
    precision = torch.get_float32_matmul_precision()
    try:
        if threads is not None:
            torch.set_num_threads(threads)
        torch.set_float32_matmul_precision("highest")  # neither TF32 on CUDA nor bf16 on a CPU
        with torch.inference_mode(), torch.autocast(device.type, enabled=False), \
                torch.backends.cudnn.flags(enabled=False), torch.backends.nnpack.flags(enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(precision)
        torch.set_num_threads(before)
