"""Projections from P_fuse (paper Eq. 24): from one tensor in floating point, by one synapse per modality after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from mksgn import ir
from mksgn.errors import ConfigError
from mksgn.nn.projections import Projection
from mksgn.nn.spikes import Hook, Spikes

FUSED = "P_fuse"
"""The source that a network's first layer names where modalities are fused. It is no population and has no spikes: the
builder turns projections from it into :class:`FusedProjection`."""


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
            assert spikes.fused is not None, "a floating-point network of several modalities fuses them first"
            return self.inner.current(spikes.fused, None)
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
        return [_scaled_first(weight, hook) for weight in self.weights]


def _scaled_first(factor: float, hook: Hook) -> Callable[[Tensor], Tensor]:
    return lambda weight: weight * factor if hook is None else hook(weight * factor)
