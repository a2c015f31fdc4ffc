"""Mixing over joints with fixed weights (Eq. 6): few neighbours each, so only the weights that are not 0 are met."""

# mypy: disable-error-code="no-untyped-def"
from __future__ import annotations

from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor

from mksgn.compiled import compiled
from mksgn.nn.elements import FAST, load, memory, store
from mksgn.threads import share_threads


def mixed(x: Tensor, mixing: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """y[b, k C + c, f, v] = sum over w of mixing[k, v, w] x[b, c, f, w].

    Parameters
    ----------
    x : (B, C, F, W) tensor
    mixing : (K, V, W) tensor
        Without gradient on a CPU: fixed weights.
    dtype : torch.dtype, optional
        Of the result; by default that of x.

    Returns
    -------
    (B, K C, F, V) tensor, channels last
    """
    dtype = dtype or x.dtype
    if x.is_cuda:
        rows = x.to(dtype).permute(0, 2, 3, 1)
        parts = [torch.matmul(matrix.to(dtype), rows) for matrix in mixing]
        return torch.cat(parts, dim=3).permute(0, 3, 1, 2)
    y: Tensor = _Mixed.apply(x, mixing.detach().numpy(), dtype)
    return y


class _Mixed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, mixing: np.ndarray, dtype: torch.dtype) -> Tensor:
        ctx.mixing, ctx.dtype = mixing, x.dtype
        ctx.shape = batch, channels, frames, _ = x.shape
        partitions, targets, _ = mixing.shape
        y = torch.empty((batch, partitions * channels, frames, targets), dtype=dtype,
                        memory_format=torch.channels_last)
        _combine(x, mixing[None].transpose(2, 1, 3, 0), y)
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        grad_x = torch.empty(ctx.shape, dtype=ctx.dtype, memory_format=torch.channels_last)
        _combine(grad, ctx.mixing[None].transpose(3, 0, 2, 1), grad_x)
        return grad_x, None, None


def _combine(x: Tensor, weights: np.ndarray, y: Tensor) -> None:
    """y[b, k C + c, f, v] = sum over w, l of weights[v, k, w, l] x[b, l C + c, f, w], for whole parts of C channels."""
    targets, parts, _, source_parts = weights.shape
    batch, _, frames, joints = x.shape
    channels = x.shape[1] // source_parts
    slot, joint, part = np.nonzero(weights.reshape(targets * parts, joints, source_parts))
    first = np.searchsorted(slot, np.arange(targets * parts + 1))
    values = weights.reshape(targets * parts, joints, source_parts)[slot, joint, part].astype(np.float32)
    x = x.contiguous(memory_format=torch.channels_last)
    share_threads()
    _combine_kernel(memory(x, batch * frames, joints * source_parts, channels), first, joint * source_parts + part,
                    values, memory(y, batch * frames, targets * parts, channels))


@compiled(parallel=True, **FAST)
def _combine_kernel(x, first, source, weight, y):
    """y[r, s] = sum of weight[e] x[r, source[e]] over entries e of slot s, ``first[s]`` to ``first[s + 1] - 1``."""
    rows, slots, channels = y.shape
    for r in numba.prange(rows):
        total = np.empty(channels, np.float32)
        for s in range(slots):
            total[:] = 0
            for e in range(first[s], first[s + 1]):
                row = x[r, source[e]]
                w = weight[e]
                for c in range(channels):
                    total[c] += w * load(row[c])
            out = y[r, s]
            for c in range(channels):
                store(out, c, total[c])
