"""Projections: SLAYER synapses between populations, each with its integer twin in :mod:`mksgn.ir`.

Fast tensors are (N T, C, F, V), channels last; SLAYER's are (N, C, F, V, T). ``hook`` is the
neuron's ``quantize_8bit`` once the network is quantised, and None before. Quantised currents are
whole numbers of weight units and need float32, whatever type the spikes have.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mksgn import ir
from mksgn.nn.lava_dl import slayer
from mksgn.nn.spikes import Hook, Spikes, current_dtype

_aten: Any = getattr(torch, "ops").aten  # noqa: B009  (a namespace that torch does not declare)


class Projection(nn.Module):
    """Spikes of ``sources`` (one shape, summed) through one set of weights into a population.

    Parameters
    ----------
    sources : tuple of str
        Names of the source populations.
    synapse : SLAYER synapse
        Owns the weight.
    normed : bool
        Whether the population's batch norm scales this projection (and is folded into it).
    """

    synapse: Any  # a SLAYER synapse: torch's stubs know nothing of its attributes
    reads_last_of = 1
    """Frames of a window of which only the last is read: what a target without temporal padding has of its source."""
    parallel = 1
    """Synapses on the chip between the same neurons, each with :meth:`weight`."""

    def __init__(self, sources: tuple[str, ...], synapse: nn.Module, normed: bool) -> None:
        super().__init__()
        self.sources = sources
        self.synapse = synapse
        self.normed = normed

    @property
    def scalable(self) -> bool:
        """Whether training or the batch norm chose the weights, so that an outlying one may saturate in rounding."""
        return self.normed or bool(self.synapse.weight.requires_grad)

    def weight(self, hook: Hook) -> Tensor:
        """Effective weight as the integer description lays it out, in units of the threshold."""
        raise NotImplementedError

    def current(self, x: Tensor, hook: Hook) -> Tensor:
        """Dendritic input, fast path."""
        raise NotImplementedError

    def current_slayer(self, x: Tensor, hook: Hook) -> Tensor:
        """Dendritic input by SLAYER's own synapse, (N, C, F, V, T)."""
        raise NotImplementedError

    def of_window(self, x: Tensor) -> Tensor:
        """``x`` (N, C, F, V) or (N, C, F, V, T) without the frames that are no window's last."""
        first = self.reads_last_of - 1
        if not first:
            return x
        kept = x[:, :, first:]
        return kept.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else kept.contiguous()

    def as_window(self, weight_int: np.ndarray) -> np.ndarray:
        """Weights (O, I, 1, kV) as those of the last frame of a window."""
        return np.pad(weight_int, [(0, 0), (0, 0), (self.reads_last_of - 1, 0), (0, 0)])

    def drive(self, spikes: Spikes, hook: Hook) -> Tensor:
        """Dendritic input from the spikes of the sources, fast path."""
        return self.current(spikes.total(self.sources), hook)

    def drive_slayer(self, spikes: Spikes, hook: Hook) -> Tensor:
        """The same by SLAYER's synapse, (N, C, F, V, T)."""
        return self.current_slayer(spikes.total(self.sources), hook)

    def fold(self, scale: Tensor) -> None:
        """Multiply the weights of output channel o by ``scale[o]``."""
        with torch.no_grad():
            weight = self.synapse.weight
            weight.mul_(scale.reshape(-1, *[1] * (weight.dim() - 1)))

    def lower(self, name: str, target: str, hook: Hook, integers: Callable[[Tensor], np.ndarray]) -> list[ir.Synapse]:
        """The integer synapses, with ``integers`` of the weights."""
        return [self.to_ir(name, target, integers(self.weight(hook)))]

    def to_ir(self, name: str, target: str, weight_int: np.ndarray) -> ir.Synapse:
        """The synapse with these weights."""
        raise NotImplementedError


def frozen(synapse: Any, weight: Tensor) -> Any:
    """``synapse`` with these weights, which no training changes."""
    with torch.no_grad():
        synapse.weight.copy_(weight.reshape(synapse.weight.shape))
    synapse.weight.requires_grad_(False)
    return synapse


class ConvProjection(Projection):
    """Trainable 2-D convolution over (F, V): ``slayer.synapse.Conv``.

    A kernel of one frame may read the last of every ``last_of`` frames.
    """

    def __init__(self, sources: tuple[str, ...], channels: int, out: int, kernel: tuple[int, int] = (1, 1),
                 stride: tuple[int, int] = (1, 1), padding: tuple[int, int] = (0, 0), groups: int = 1,
                 last_of: int = 1) -> None:
        synapse = slayer.synapse.Conv(channels, out, kernel, stride, padding, groups=groups)
        nn.init.kaiming_normal_(synapse.weight, mode="fan_out")
        super().__init__(sources, synapse, normed=True)
        self.pointwise = kernel == (1, 1) and padding == (0, 0)
        self.reads_last_of = last_of

    def weight(self, hook: Hook) -> Tensor:
        weight = self.synapse.weight[..., 0]
        return hook(weight) if hook else weight

    def current(self, x: Tensor, hook: Hook) -> Tensor:
        s = self.synapse
        stride = s.stride[:2]
        x = self.of_window(x)
        if self.pointwise and max(stride) > 1:
            # What it skips first: on AVX2, oneDNN in torch 2.3 writes beyond its memory in a strided 1 x 1 convolution
            # of fewer than 8 channels, channels last.
            for dim, every in ((2, stride[0]), (3, stride[1])):
                x = x if every == 1 else x[(slice(None),) * dim + (slice(None, None, every),)]
            x = x.contiguous(memory_format=torch.channels_last)
            stride = (1, 1)
        if hook is not None and x.dtype != torch.float32:
            y: Tensor = _WholeConv.apply(x, self.weight(hook), stride, s.padding[:2], s.dilation[:2], s.groups)
            return y
        return F.conv2d(x, self.weight(hook).to(x.dtype), None, stride, s.padding[:2], s.dilation[:2], s.groups)

    def current_slayer(self, x: Tensor, hook: Hook) -> Tensor:
        self.synapse._pre_hook_fx = hook
        return self.synapse(self.of_window(x))

    def to_ir(self, name: str, target: str, weight_int: np.ndarray) -> ir.Synapse:
        s = self.synapse
        return ir.Conv(name, self.sources, target, self.as_window(weight_int), stride=tuple(s.stride[:2]),
                       padding=tuple(s.padding[:2]), dilation=tuple(s.dilation[:2]), groups=s.groups)


class _WholeConv(torch.autograd.Function):
    """Convolution in float32 of spikes kept in a shorter type, in which only its gradients are computed."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, *geometry: Any) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.geometry = geometry
        return F.conv2d(x.float(), weight, None, *geometry)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        stride, padding, dilation, groups = ctx.geometry
        grad_x, grad_weight, _ = _aten.convolution_backward(
            grad.to(x.dtype), x, weight.to(x.dtype), None, stride, padding, dilation, False, (0, 0), groups,
            (*ctx.needs_input_grad[:2], False))
        return grad_x, None if grad_weight is None else grad_weight.float(), None, None, None, None


class PoolProjection(ConvProjection):
    """Fixed-weight depthwise sum over ``window`` (F, V): GAP, or the sum over joints of SG-SA.

    The batch norm of the population scales it per channel; unscaled it is the mean over the window.
    """

    def __init__(self, sources: tuple[str, ...], channels: int, window: tuple[int, int], *, windows: int = 1) -> None:
        """``windows`` of them follow each other along the frames; one may also stand at every frame (its F is 1)."""
        stride = (window[0] if windows > 1 else 1, 1)
        super().__init__(sources, channels, channels, window, stride=stride, groups=channels)
        frozen(self.synapse, torch.full_like(self.synapse.weight, 1.0 / (window[0] * window[1])))
        self.window = window

    def current(self, x: Tensor, hook: Hook) -> Tensor:
        # All weights of a channel are equal, so summing first is the same integer, and much cheaper.
        gain = self.weight(hook)[:, :, :1, :1].reshape(1, -1, 1, 1)
        windows = x.unflatten(2, (-1, self.window[0])).unflatten(4, (-1, self.window[1]))
        total = windows.sum(dim=(3, 5), dtype=torch.float32)
        return (total * gain).to(current_dtype(x, hook)).contiguous(memory_format=torch.channels_last)


class IdentityProjection(Projection):
    """Fixed one-to-one weights ``gain`` (residuals, gates): depthwise 1 x 1 ``slayer.synapse.Conv``.

    ``parallel`` synapses share the gain, an equal part each. A population has one scale, and the weight of one synapse
    8 bits: a residual of the whole threshold in one of them leaves trained weights beside it a fraction of their range.
    ``last_of``: the last of every so many frames is read.
    """

    def __init__(self, sources: tuple[str, ...], channels: int, gain: float = 1.0, *, parallel: int = 1,
                 last_of: int = 1) -> None:
        synapse = slayer.synapse.Conv(channels, channels, 1, groups=channels)
        super().__init__(sources, frozen(synapse, torch.full_like(synapse.weight, gain)), normed=False)
        self.gain, self.parallel, self.reads_last_of = gain, parallel, last_of

    def weight(self, hook: Hook) -> Tensor:
        """Of each of the parallel synapses."""
        weight = self.synapse.weight[..., 0] / self.parallel
        return hook(weight) if hook else weight

    def current(self, x: Tensor, hook: Hook) -> Tensor:
        x = self.of_window(x)
        gain = self.gain
        if hook is not None:
            gain = self.parallel * float(hook(torch.tensor(self.gain / self.parallel)))
        return x if gain == 1.0 else x.to(current_dtype(x, hook)) * gain

    def current_slayer(self, x: Tensor, hook: Hook) -> Tensor:
        """One SLAYER synapse with the sum of their weights."""
        self.synapse._pre_hook_fx = hook and (lambda weight: self.parallel * hook(weight / self.parallel))
        return self.synapse(self.of_window(x))

    def lower(self, name: str, target: str, hook: Hook, integers: Callable[[Tensor], np.ndarray]) -> list[ir.Synapse]:
        weight = integers(self.weight(hook))
        names = [name] if self.parallel == 1 else [f"{name}.{number}" for number in range(self.parallel)]
        return [self.to_ir(each, target, weight) for each in names]

    def to_ir(self, name: str, target: str, weight_int: np.ndarray) -> ir.Synapse:
        return ir.Conv(name, self.sources, target, self.as_window(weight_int), groups=weight_int.shape[0])


class DenseProjection(Projection):
    """Trainable all-to-all weights over the flattened population: ``slayer.synapse.Dense``."""

    def __init__(self, sources: tuple[str, ...], inputs: int, out: int) -> None:
        synapse = slayer.synapse.Dense(inputs, out)
        nn.init.normal_(synapse.weight, std=(1.0 / inputs) ** 0.5)
        super().__init__(sources, synapse, normed=False)

    def weight(self, hook: Hook) -> Tensor:
        weight = self.synapse.weight.flatten(1)
        return hook(weight) if hook else weight

    def current(self, x: Tensor, hook: Hook) -> Tensor:
        x = x.flatten(1).to(current_dtype(x, hook))
        return F.linear(x, self.weight(hook).to(x.dtype))[:, :, None, None]

    def current_slayer(self, x: Tensor, hook: Hook) -> Tensor:
        self.synapse._pre_hook_fx = hook
        return self.synapse(x.reshape(x.shape[0], -1, 1, 1, x.shape[-1]))

    def to_ir(self, name: str, target: str, weight_int: np.ndarray) -> ir.Synapse:
        return ir.Dense(name, self.sources, target, weight_int)
