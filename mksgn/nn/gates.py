"""Logic gates on spikes: LIF neurons without memory, trained as the product and the maximum that they compute."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mksgn.nn.blocks import SpikingBlock
from mksgn.nn.projections import Projection, Spikes


class GateBlock(SpikingBlock):
    """Logical AND or OR of two spike trains, as a LIF without memory (voltage decay 4096 / 4096).

    AND: weights 1.0 against a threshold of 1.5, between one and two inputs. OR: against 0.5.
    In training the product ``a b`` and the maximum (with the gradient of ``a + b - a b``) replace
    the neuron: the same spikes, and exact gradients instead of a surrogate's.
    """

    def __init__(self, kind: str, shape: tuple[int, int, int], projections: list[Projection]) -> None:
        super().__init__(shape, projections, norm=False, threshold={"and": 1.5, "or": 0.5}[kind], voltage_decay=1.0)
        self.kind = kind

    def forward(self, spikes: Spikes, steps: int) -> tuple[Tensor, Tensor]:
        """Spikes and their number."""
        a, b = [p.current(spikes[source], None) for p in self.projections for source in p.sources]
        return Counted.apply(a * b if self.kind == "and" else _Or.apply(a, b))


class _Or(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        ctx.save_for_backward(a, b)
        return torch.maximum(a, b)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        a, b = ctx.saved_tensors
        return torch.addcmul(grad, grad, b, value=-1), torch.addcmul(grad, grad, a, value=-1)


class Counted(torch.autograd.Function):
    """Spikes and their number. The gradient of torch's own sum has another memory layout, which is far slower."""

    @staticmethod
    def forward(ctx: Any, spikes: Tensor) -> tuple[Tensor, Tensor]:
        ctx.set_materialize_grads(False)
        return spikes.view_as(spikes), spikes.permute(0, 2, 3, 1).reshape(-1).sum(dtype=torch.float32)

    @staticmethod
    def backward(ctx: Any, grad: Tensor | None, grad_count: Tensor | None) -> Tensor | None:
        if grad is None or grad_count is None:
            return grad
        return grad + grad_count.to(grad.dtype)
