"""Projections of the multimodal part: from the stacked input into a modality's coder, and from the coders on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from mksgn import ir
from mksgn.errors import ConfigError
from mksgn.nn.projections import ConvProjection, Hook, Projection, Spikes

FUSED = "sc.fused"
"""P_fuse (Eq. 24) among the spikes of a floating-point network. It is no population: its consumers read the coders."""


def coder_name(modality: str) -> str:
    """Population name of a modality's spike coder: ``sc.joint_motion``."""
    return "sc." + modality.replace("-", "_")


class ModalityCoder(ConvProjection):
    """3 x 3 convolution (Eq. 4) over the input channels of one modality.

    On the chip it is a convolution over all channels of the input whose other weights are 0: no synapse, and
    counted by nobody.

    Parameters
    ----------
    source : str
        The input.
    total, first, channels : int
        Channels of the input; the modality's are ``first`` to ``first + channels - 1``.
    out : int
    """

    def __init__(self, source: str, total: int, first: int, channels: int, out: int) -> None:
        super().__init__((source,), channels, out, (3, 3), padding=(1, 1))
        self.total = total
        self.mine = slice(first, first + channels)

    def current(self, x: Tensor, hook: Hook) -> Tensor:
        return super().current(x[:, self.mine].contiguous(memory_format=torch.channels_last), hook)

    def current_slayer(self, x: Tensor, hook: Hook) -> Tensor:
        return super().current_slayer(x[:, self.mine], hook)

    def to_ir(self, name: str, target: str, weight_int: np.ndarray) -> ir.Synapse:
        whole = np.zeros((len(weight_int), self.total, *weight_int.shape[2:]), weight_int.dtype)
        whole[:, self.mine] = weight_int
        return super().to_ir(name, target, whole)


class FusedProjection(Projection):
    """P_fuse through the weights of another projection.

    In floating point P_fuse is one tensor. Quantised, and on the chip, every modality has a synapse of its own,
    whose weights are the modality's weight times the inner one's: all on one scale, each rounded once.

    Parameters
    ----------
    coders : tuple of str
        Populations of the modalities.
    inner : Projection
        Reads ``FUSED``.
    weights : sequence of float, optional
        One per coder; needed before quantisation.
    """

    def __init__(self, coders: tuple[str, ...], inner: Projection, weights: Sequence[float] | None = None) -> None:
        nn.Module.__init__(self)  # the synapse belongs to the inner projection
        self.sources = coders
        self.inner = inner
        self.normed = inner.normed
        self.weights = None if weights is None else tuple(weights)

    @property
    def scalable(self) -> bool:
        return self.inner.scalable

    def weight(self, hook: Hook) -> Tensor:
        """Of all modalities: (M, ...)."""
        return torch.stack([self.inner.weight(scaled) for scaled in self._hooks(hook)])

    def drive(self, spikes: Spikes, hook: Hook) -> Tensor:
        if hook is None:
            return self.inner.current(spikes[FUSED], None)
        parts = [self.inner.current(spikes[name], own) for name, own in zip(self.sources, self._hooks(hook))]
        return sum(parts[1:], parts[0])

    def drive_slayer(self, spikes: Spikes, hook: Hook) -> Tensor:
        parts = [self.inner.current_slayer(spikes[name], own) for name, own in zip(self.sources, self._hooks(hook))]
        return sum(parts[1:], parts[0])

    def fold(self, scale: Tensor) -> None:
        self.inner.fold(scale)

    def lower(self, name: str, target: str, hook: Hook, integers: Callable[[Tensor], np.ndarray]) -> list[ir.Synapse]:
        found = []
        for source, own in zip(self.sources, self._hooks(hook)):
            label = f"{name}.{source.removeprefix('sc.')}"
            found.append(replace(self.inner.to_ir(label, target, integers(self.inner.weight(own))), sources=(source,)))
        return found

    def _hooks(self, hook: Hook) -> list[Callable[[Tensor], Tensor]]:
        """For each modality: its weight first, then ``hook``."""
        if self.weights is None:
            raise ConfigError("the weights of the modalities are not fixed yet", where="+".join(self.sources),
                              fix="call fix_fusion before quantising")
        return [_times(weight, hook) for weight in self.weights]


def _times(factor: float, hook: Hook) -> Callable[[Tensor], Tensor]:
    return lambda weight: weight * factor if hook is None else hook(weight * factor)
