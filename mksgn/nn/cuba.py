"""The forward of the CUBA/LIF neuron (:mod:`mksgn.nn.lif`), fused with batch norm, differentiable, in one pass.

Layout here is ``(N T, C, F, V)``, time folded into the batch (sample-major), channels last in
memory: every synapse is then a conv2d. SLAYER's ``(N, C, F, V, T)`` is used only by the stock path.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from mksgn.nn import cuba_kernel
from mksgn.nn.elements import memory
from mksgn.nn.lif import CubaNeuron, leaky_integrate_and_fire
from mksgn.threads import share_threads


def batch_moments(x: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Mean and biased variance per channel of a (N T, C, F, V) tensor, float32 (C,)."""
    if x.is_cuda:
        var, mean = torch.var_mean(x.float(), dim=(0, 2, 3), unbiased=False)
        return mean, var
    view, channels = _view(x, (len(x) // steps, steps)), x.shape[1]
    total = np.empty((len(view), channels), np.float32)
    square = np.empty_like(total)
    share_threads()
    cuba_kernel.moments(view, cuba_kernel.tile_width(channels, view.shape[2]), total, square)
    count = x.numel() // channels
    with np.errstate(invalid="ignore", over="ignore"):  # a training that diverges is stopped by its loss
        mean = total.sum(0, dtype=np.float64) / count
        var = np.maximum(square.sum(0, dtype=np.float64) / count - mean**2, 0)
        return torch.from_numpy(mean.astype(np.float32)), torch.from_numpy(var.astype(np.float32))


def _view(x: Tensor, runs: tuple[int, int]) -> np.ndarray:
    """The (N, T, M) array behind a channels-last tensor, M = F V C; no copy. N and T are given.

    Where states are carried, T is the number of frames, which come one after the other in memory, and M = V C.
    """
    return memory(x, *runs, x.numel() // (runs[0] * runs[1]))


class _FusedCuba(torch.autograd.Function):
    """Batch norm (optional, training statistics) and CUBA neuron in one differentiable operation."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, extra: Tensor | None, gamma: Tensor, beta: Tensor, mean: Tensor | None,
                var: Tensor | None, eps: float, neuron: CubaNeuron, runs: tuple[int, int], quantized: bool,
                dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        x = x.contiguous(memory_format=torch.channels_last)
        if extra is not None:
            extra = extra.contiguous(memory_format=torch.channels_last)
        rstd = None
        scale, shift = gamma, beta
        if mean is not None and var is not None:
            rstd = (var + eps).rsqrt()
            scale = gamma * rstd
            shift = beta - mean * scale
        x_view = _view(x, runs)
        spikes = torch.empty_like(x, dtype=dtype, memory_format=torch.channels_last)
        count, left = np.empty(len(x_view), np.int64), np.empty(len(x_view), np.bool_)
        share_threads()
        other = x_view if extra is None else _view(extra, runs)
        for ctx.kind in (np.float32, np.float64):
            constants = _constants(scale, shift, neuron, quantized, x_view.shape[2], ctx.kind)
            limit = ctx.kind(_exact_below(neuron, ctx.kind) if quantized else 0)
            cuba_kernel.forward(x_view, other, extra is not None, *constants, limit, _view(spikes, runs), count, left)
            if not (quantized and left.any()):
                break
        ctx.save_for_backward(x, extra, gamma, beta, mean, rstd, scale, shift)
        ctx.neuron, ctx.runs, ctx.quantized, ctx.dtype = neuron, runs, quantized, dtype
        return spikes, torch.tensor(count.sum(), dtype=torch.float32)

    @staticmethod
    def backward(ctx: Any, grad_spikes: Tensor, grad_count: Tensor | None) -> tuple[Tensor | None, ...]:
        x, extra, gamma, _, mean, rstd, scale, shift = ctx.saved_tensors
        neuron, runs, quantized = ctx.neuron, ctx.runs, ctx.quantized
        grad_spikes = grad_spikes.to(ctx.dtype).contiguous(memory_format=torch.channels_last)
        x_view = _view(x, runs)
        channels = x.shape[1]
        grad_current = torch.empty_like(x, memory_format=torch.channels_last)
        sums = np.empty((2, len(x_view), channels), np.float32)
        share_threads()
        constants = _constants(scale, shift, neuron, quantized, x_view.shape[2], ctx.kind)
        unit = constants[5]
        cuba_kernel.backward(
            x_view, x_view if extra is None else _view(extra, runs), extra is not None, *constants,
            ctx.kind(neuron.surrogate.width * neuron.gain / 2) * unit,
            np.float32(neuron.surrogate.height / neuron.gain), np.float32(neuron.keep_u), np.float32(neuron.keep_v),
            _view(grad_spikes, runs), np.float32(0.0 if grad_count is None else grad_count.item()),
            _view(grad_current, runs), *sums)
        with np.errstate(invalid="ignore", over="ignore"):  # as in batch_moments
            grad_scale, grad_shift = sums.sum(1, dtype=np.float64).astype(np.float32)
            affine, grad_gamma = None, grad_scale
            if mean is not None:
                m, r, g, s = (each.detach().numpy() for each in (mean, rstd, gamma, scale))
                grad_gamma = r * (grad_scale - m * grad_shift)
                slope = -g * (grad_scale - m * grad_shift) * r**3 / np.float32(x.numel() / channels)
                affine = s, slope, -grad_shift * s / np.float32(x.numel() / channels) - slope * m
            elif not bool((scale == 1).all()):
                affine = scale.detach().numpy(), np.zeros(channels, np.float32), np.zeros(channels, np.float32)
        grad_x = grad_current
        if affine is not None:
            grad_x = torch.empty_like(x, memory_format=torch.channels_last) if extra is not None else grad_current
            width = cuba_kernel.tile_width(channels, x_view.shape[2])
            cuba_kernel.affine_pair(_view(grad_current, runs), x_view, *(np.resize(each, width) for each in affine),
                                    _view(grad_x, runs))
        return (grad_x, grad_current if extra is not None else None, torch.from_numpy(grad_gamma),
                torch.from_numpy(grad_shift),
                None, None, None, None, None, None, None)


def _constants(scale: Tensor, shift: Tensor, neuron: CubaNeuron, quantized: bool, neurons: int, kind: type) -> tuple:
    """Arguments of the kernels from ``scale`` to ``quantized``; M ``neurons``, and states of type ``kind``."""
    unit = kind(neuron.s_scale if quantized else 1.0)
    width = cuba_kernel.tile_width(len(scale), neurons)
    bias = shift.detach().numpy()
    bias = np.rint(bias * unit) if quantized else bias
    return (np.resize(scale.detach().numpy(), width), np.resize(bias, width).astype(kind), kind(neuron.keep_u),
            kind(neuron.keep_v), kind(neuron.threshold) * unit, unit, quantized)


def _exact_below(neuron: CubaNeuron, kind: type) -> float:
    """Below which |u| and |v| a step of the integer neuron is exact in floating-point numbers of type ``kind``.

    A decay multiplies the state by k / 4096, which adds the bits of k's odd part; a sum of two such states has one
    bit more. Biases are far smaller.
    """
    odd = [k // (k & -k) for k in (round(4096 * neuron.keep_u), round(4096 * neuron.keep_v)) if k]
    digits = np.finfo(kind).nmant + 1
    return float(2.0 ** (digits - 1) // max(odd, default=1))


def fused_cuba(x: Tensor, extra: Tensor | None, gamma: Tensor, beta: Tensor, neuron: CubaNeuron, steps: int, *,
               moments: tuple[Tensor, Tensor] | None = None, eps: float = 1e-5,
               quantized: bool = False, dtype: torch.dtype | None = None) -> tuple[Tensor, Tensor]:
    """Spikes of a population, and their number, from its dendritic input.

    Parameters
    ----------
    x, extra, neuron, steps, quantized
        As in :func:`leaky_integrate_and_fire`.
    gamma, beta : (C,) float32 tensors
        The affine map; with ``moments`` the weight and bias of a batch normalisation by them.
    moments : (mean, var), optional
        Statistics *of this x*: gradients flow through them (training mode).
    dtype : torch.dtype, optional
        Of the spikes; by default that of x.

    Returns
    -------
    spikes : (N T, C, F, V) tensor
    count : 0-dim float32 tensor
        Number of spikes; differentiable through the surrogate, for firing-rate regularisation.
    """
    if not x.is_cuda:
        mean, var = moments if moments is not None else (None, None)
        runs = (len(x), x.shape[2]) if neuron.carried else (len(x) // steps, steps)
        return _FusedCuba.apply(x, extra, gamma, beta, mean, var, eps, neuron, runs, quantized, dtype or x.dtype)
    scale, shift = gamma, beta
    if moments is not None:
        var, mean = torch.var_mean(x.float(), dim=(0, 2, 3), unbiased=False)
        scale = gamma * (var + eps).rsqrt()
        shift = beta - mean * scale
    spikes = leaky_integrate_and_fire(x, extra, scale, shift, neuron, steps, quantized).to(dtype or x.dtype)
    return spikes, spikes.float().sum()
