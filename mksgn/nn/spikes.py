"""Spike trains on their way through a network, and the sums and currents that several populations read.

Fast tensors are (N T, C, F, V), channels last in memory; SLAYER's are (N, C, F, V, T).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

Hook = Callable[..., Tensor] | None
"""Rounds weights: the neuron's ``quantize_8bit`` once the network is quantised, and None before."""


class Shortcut(NamedTuple):
    """The current (N T, C, F, V) and the bias (C,) that a membrane shortcut has added up so far."""

    current: Tensor
    bias: Tensor


class Spikes(dict[str, Tensor]):
    """Spike trains by the name of their population, and sums and currents that are computed once for all who read them.

    Attributes
    ----------
    fused : Tensor or None
        P_fuse (Eq. 24), (N T, C, F, V): the weighted sum of the coders' spikes, in a floating-point network of several
        modalities. It is no spike train, and no population has it.
    shortcuts : dict of Shortcut
        By name, the current and bias that a population of a membrane shortcut (:mod:`mksgn.nn.shortcut`) leaves for
        the next.
    """

    def __init__(self, trains: dict[str, Tensor]) -> None:
        super().__init__(trains)
        self.fused: Tensor | None = None
        self.shortcuts: dict[str, Shortcut] = {}
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
        return any(tensor is train for train in (*self.values(), *self._sums.values(), self.fused))


def current_dtype(x: Tensor, hook: Hook) -> torch.dtype:
    """The type of the currents that spikes ``x`` cause: float32 where they are whole numbers."""
    return x.dtype if hook is None else torch.float32
