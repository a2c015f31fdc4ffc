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
from mksgn.nn.mixing import mixed

_aten: Any = getattr(torch, "ops").aten  # noqa: B009  (a namespace that torch does not declare)
Hook = Callable[..., Tensor] | None


class Spikes(dict[str, Tensor]):
    """Spike trains by population, and the sums of trains that several populations read, each added up once."""

    def __init__(self, trains: dict[str, Tensor]) -> None:
        super().__init__(trains)
        self._sums: dict[tuple[str, ...], Tensor] = {}

    def total(self, sources: tuple[str, ...]) -> Tensor:
        """The sum of the trains of ``sources``."""
        if len(sources) == 1:
            return self[sources[0]]
        if sources not in self._sums:
            self._sums[sources] = self.total(sources[:-1]) + self[sources[-1]]
        return self._sums[sources]

    def holds(self, tensor: Tensor) -> bool:
        """Whether it is one of these trains or sums, which nobody may change."""
        return any(tensor is train for train in (*self.values(), *self._sums.values()))


def current_dtype(x: Tensor, hook: Hook) -> torch.dtype:
    """The type of the currents that spikes ``x`` cause: float32 where they are whole numbers."""
    return x.dtype if hook is None else torch.float32


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


def _frozen(synapse: Any, weight: Tensor) -> Any:
    with torch.no_grad():
        synapse.weight.copy_(weight.reshape(synapse.weight.shape))
    synapse.weight.requires_grad_(False)
    return synapse


class ConvProjection(Projection):
    """Trainable 2-D convolution over (F, V): ``slayer.synapse.Conv``."""

    def __init__(self, sources: tuple[str, ...], channels: int, out: int, kernel: tuple[int, int] = (1, 1),
                 stride: tuple[int, int] = (1, 1), padding: tuple[int, int] = (0, 0), groups: int = 1) -> None:
        synapse = slayer.synapse.Conv(channels, out, kernel, stride, padding, groups=groups)
        nn.init.kaiming_normal_(synapse.weight, mode="fan_out")
        super().__init__(sources, synapse, normed=True)
        self.pointwise = kernel == (1, 1) and padding == (0, 0)

    def weight(self, hook: Hook) -> Tensor:
        weight = self.synapse.weight[..., 0]
        return hook(weight) if hook else weight

    def current(self, x: Tensor, hook: Hook) -> Tensor:
        s = self.synapse
        stride = s.stride[:2]
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
        return self.synapse(x)

    def to_ir(self, name: str, target: str, weight_int: np.ndarray) -> ir.Synapse:
        s = self.synapse
        return ir.Conv(name, self.sources, target, weight_int, stride=tuple(s.stride[:2]),
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
        _frozen(self.synapse, torch.full_like(self.synapse.weight, 1.0 / (window[0] * window[1])))
        self.window = window

    def current(self, x: Tensor, hook: Hook) -> Tensor:
        # All weights of a channel are equal, so summing first is the same integer, and much cheaper.
        gain = self.weight(hook)[:, :, :1, :1].reshape(1, -1, 1, 1)
        blocks = x.unflatten(2, (-1, self.window[0])).unflatten(4, (-1, self.window[1]))
        total = blocks.sum(dim=(3, 5), dtype=torch.float32)
        return (total * gain).to(current_dtype(x, hook)).contiguous(memory_format=torch.channels_last)


class IdentityProjection(Projection):
    """Fixed one-to-one weights ``gain`` (residuals, gates): depthwise 1 x 1 ``slayer.synapse.Conv``.

    ``parallel`` synapses share the gain, an equal part each. A population has one scale, and the weight of one synapse
    8 bits: a residual of the whole threshold in one of them leaves trained weights beside it a fraction of their range.
    """

    def __init__(self, sources: tuple[str, ...], channels: int, gain: float = 1.0, *, parallel: int = 1) -> None:
        synapse = slayer.synapse.Conv(channels, channels, 1, groups=channels)
        super().__init__(sources, _frozen(synapse, torch.full_like(synapse.weight, gain)), normed=False)
        self.gain, self.parallel = gain, parallel

    def weight(self, hook: Hook) -> Tensor:
        """Of each of the parallel synapses."""
        weight = self.synapse.weight[..., 0] / self.parallel
        return hook(weight) if hook else weight

    def current(self, x: Tensor, hook: Hook) -> Tensor:
        return x if self.gain == 1.0 else x.to(current_dtype(x, hook)) * self.gain

    def current_slayer(self, x: Tensor, hook: Hook) -> Tensor:
        """One SLAYER synapse with the sum of their weights."""
        self.synapse._pre_hook_fx = hook and (lambda weight: self.parallel * hook(weight / self.parallel))
        return self.synapse(x)

    def lower(self, name: str, target: str, hook: Hook, integers: Callable[[Tensor], np.ndarray]) -> list[ir.Synapse]:
        weight = integers(self.weight(hook))
        names = [name] if self.parallel == 1 else [f"{name}.{number}" for number in range(self.parallel)]
        return [self.to_ir(each, target, weight) for each in names]

    def to_ir(self, name: str, target: str, weight_int: np.ndarray) -> ir.Synapse:
        return ir.Conv(name, self.sources, target, weight_int, groups=weight_int.shape[0])


class JointMixProjection(Projection):
    """Mixing over joints (Eq. 6, ``layer`` and ``learned``): ``slayer.synapse.Dense`` over the joint axis.

    Parameters
    ----------
    mixing : float32 (K, V_target, V_source)
        ``mixing[k, v, w]`` from joint w to joint v, in units of the threshold.
    trained : bool
        Whether ``mixing`` is only where training starts, with weights between all joints. Fixed on the chip like
        every other.
    """

    def __init__(self, sources: tuple[str, ...], mixing: np.ndarray, *, trained: bool = False) -> None:
        partitions, targets, joints = mixing.shape
        synapse = slayer.synapse.Dense(joints, partitions * targets)
        super().__init__(sources, _frozen(synapse, torch.from_numpy(np.asarray(mixing, np.float32))), normed=False)
        synapse.weight.requires_grad_(trained)
        self.partitions, self.targets = partitions, targets

    def weight(self, hook: Hook) -> Tensor:
        weight = self.synapse.weight.reshape(self.partitions, self.targets, -1)
        return hook(weight) if hook else weight

    def current(self, x: Tensor, hook: Hook) -> Tensor:
        weight = self.weight(hook)
        if not weight.requires_grad:
            return mixed(x, weight, current_dtype(x, hook))
        x = x.to(current_dtype(x, hook))
        parts = [torch.matmul(matrix, x.permute(0, 2, 3, 1)) for matrix in weight.to(x.dtype)]
        return torch.cat(parts, dim=3).permute(0, 3, 1, 2)

    def current_slayer(self, x: Tensor, hook: Hook) -> Tensor:
        self.synapse._pre_hook_fx = hook
        mixed = self.synapse(x.permute(0, 3, 1, 2, 4)).unflatten(1, (self.partitions, self.targets))
        return mixed.permute(0, 1, 3, 4, 2, 5).flatten(1, 2)

    def to_ir(self, name: str, target: str, weight_int: np.ndarray) -> ir.Synapse:
        return ir.JointMix(name, self.sources, target, weight_int)


class GraphConvProjection(Projection):
    """Graph convolution in one synapse (Eq. 6-7, ``fused``): trainable W, fixed S, weights S (x) W.

    Parameters
    ----------
    mixing : float32 (K, V, V)
        Partitions with disjoint supports; not trained.
    """

    def __init__(self, sources: tuple[str, ...], channels: int, out: int, mixing: np.ndarray) -> None:
        partitions = mixing.shape[0]
        synapse = slayer.synapse.Dense(partitions * channels, out)
        nn.init.kaiming_normal_(synapse.weight, mode="fan_out")
        super().__init__(sources, synapse, normed=True)
        k, v, w = np.nonzero(mixing)
        self.channels, self.out, self.joints = channels, out, mixing.shape[1]
        self.mixing: Tensor
        self.gain: Tensor
        self.partition: Tensor
        self.edges: Tensor
        self.register_buffer("mixing", torch.from_numpy(np.asarray(mixing, np.float32)), persistent=False)
        self.register_buffer("gain", torch.from_numpy(mixing[k, v, w].astype(np.float32)), persistent=False)
        self.register_buffer("partition", torch.from_numpy(k), persistent=False)
        self.register_buffer("edges", torch.from_numpy(np.stack([w, v], axis=1)), persistent=False)

    def weight(self, hook: Hook) -> Tensor:
        per_partition = self.synapse.weight.reshape(self.out, -1, self.channels).permute(1, 0, 2)
        weight = per_partition[self.partition] * self.gain[:, None, None]  # (E, O, I)
        return hook(weight) if hook else weight

    def _matrix(self, hook: Hook) -> Tensor:
        """All edges as one (O V, I V) matrix over (channel, joint)."""
        weight = self.weight(hook)
        matrix = weight.new_zeros(self.joints, self.joints, self.out, self.channels)
        matrix = matrix.index_put((self.edges[:, 1], self.edges[:, 0]), weight)
        return matrix.permute(2, 0, 3, 1).reshape(self.out * self.joints, self.channels * self.joints)

    def current(self, x: Tensor, hook: Hook) -> Tensor:
        if hook is None:
            return F.conv2d(mixed(x, self.mixing), self.synapse.weight[..., 0].to(x.dtype))
        rows = x.float().permute(0, 2, 1, 3).flatten(2)  # (N T, F, C V)
        return F.linear(rows, self._matrix(hook)).unflatten(2, (self.out, self.joints)).permute(0, 2, 1, 3)

    def current_slayer(self, x: Tensor, hook: Hook) -> Tensor:
        dense = slayer.synapse.Dense(self.channels * self.joints, self.out * self.joints)
        _frozen(dense, self._matrix(hook))
        current = dense(x.permute(0, 1, 3, 2, 4).flatten(1, 2).unsqueeze(2))  # (N, C V, 1, F, T)
        return current.squeeze(2).unflatten(1, (self.out, self.joints)).permute(0, 1, 3, 2, 4)

    def to_ir(self, name: str, target: str, weight_int: np.ndarray) -> ir.Synapse:
        return ir.GraphConv(name, self.sources, target, weight_int, edges=self.edges.numpy())


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
