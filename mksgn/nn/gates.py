"""Logic gates on spikes: LIF neurons without memory, trained as the product and the maximum that they compute."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from mksgn.nn import gate_kernel
from mksgn.nn.elements import memory
from mksgn.nn.population import SpikingPopulation
from mksgn.nn.projections import Projection
from mksgn.nn.spikes import Spikes
from mksgn.threads import share_threads


class GatePopulation(SpikingPopulation):
    """Logical AND or OR of two spike trains, as a LIF without memory (voltage decay 4096 / 4096).

    AND: weights 1.0 against a threshold of 1.5, between one and two inputs. OR: against 0.5.
    In training the product ``a b`` and the maximum (with the gradient of ``a + b - a b``) replace
    the neuron: the same spikes, and exact gradients instead of a surrogate's. The second train may
    be that of one neuron per channel (and frame), which meets all joints (and frames) of the first.
    """

    def __init__(self, kind: str, shape: tuple[int, int, int], projections: list[Projection]) -> None:
        super().__init__(shape, projections, norm=False, threshold={"and": 1.5, "or": 0.5}[kind], voltage_decay=1.0)
        self.kind = kind

    def forward(self, spikes: Spikes, steps: int) -> tuple[Tensor, Tensor]:
        """Spikes and their number. The projections' weights are 1 (and spread a train): they change no spike."""
        a, b = [spikes[source] for projection in self.projections for source in projection.sources]
        return gate(a, b, self.kind)


def gate(a: Tensor, b: Tensor, kind: str) -> tuple[Tensor, Tensor]:
    """``a AND b`` or ``a OR b``, and how many spikes that are.

    Parameters
    ----------
    a : (B, C, F, V) tensor of 0 and 1
    b : the same; or (B, C, F, 1) or (B, C, 1, 1), spread over joints or tokens
    kind : 'and' or 'or'

    Returns
    -------
    spikes : (B, C, F, V) tensor, dtype of a
    count : 0-dim float32 tensor
        Its gradient reaches every spike.
    """
    if a.is_cuda:
        spikes = a * b if kind == "and" else a + b - a * b
        return spikes, spikes.sum(dtype=torch.float32)
    spikes, count = _Gate.apply(a, b, kind == "and")
    return spikes, count


class _Gate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, conjunction: bool) -> tuple[Tensor, Tensor]:
        ctx.set_materialize_grads(False)
        a, b = (x.contiguous(memory_format=torch.channels_last) for x in (a, b))
        ctx.save_for_backward(a, b)
        ctx.conjunction = conjunction
        spikes = torch.empty_like(a, memory_format=torch.channels_last)
        whole, other = _rows(a, b)
        words = {2: np.uint16, 4: np.uint32}[a.element_size()]
        count = np.empty(len(whole), np.int64)
        share_threads()
        gate_kernel.forward(whole.view(words), other.view(words), conjunction,
                            memory(spikes, *whole.shape).view(words), count)
        return spikes, torch.tensor(count.sum(), dtype=torch.float32)

    @staticmethod
    def backward(ctx: Any, grad: Tensor | None, grad_count: Tensor | None) -> tuple[Tensor | None, Tensor | None, None]:
        a, b = ctx.saved_tensors
        if grad is None:
            if grad_count is None:
                return None, None, None
            grad = torch.zeros_like(a)
        grad = grad.to(a.dtype).contiguous(memory_format=torch.channels_last)
        whole, other = _rows(a, b)
        grad_a, grad_b = (torch.empty_like(x, memory_format=torch.channels_last) for x in (a, b))
        share_threads()
        gate_kernel.backward(memory(grad, *whole.shape), np.float32(0 if grad_count is None else grad_count.item()),
                             whole, other, ctx.conjunction, memory(grad_a, *whole.shape), memory(grad_b, *other.shape))
        return grad_a, grad_b, None


def _rows(a: Tensor, b: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Both in memory order: (R, P, C), and (R, P, C) or (R, 1, C)."""
    batch, channels, frames, joints = a.shape
    if b.shape == a.shape:
        return memory(a, batch, 1, channels * frames * joints), memory(b, batch, 1, channels * frames * joints)
    if b.shape == (batch, channels, frames, 1):
        return memory(a, batch * frames, joints, channels), memory(b, batch * frames, 1, channels)
    if b.shape == (batch, channels, 1, 1):
        return memory(a, batch, frames * joints, channels), memory(b, batch, 1, channels)
    raise ValueError(f"a train of shape {tuple(b.shape)} does not spread over {tuple(a.shape)}")
