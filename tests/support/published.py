"""Our CTR-GCN's weights as the published code names and shapes them: the way back from what the library reads."""

from __future__ import annotations

import torch
from torch import Tensor

from mksgn.teachers.checkpoints import published_names, published_parts
from mksgn.teachers.ctrgcn import CTRGCN

COUNTER = "num_batches_tracked"


def to_published(network: CTRGCN) -> dict[str, Tensor]:
    """The network's weights under the published names and in the published shapes (copies)."""
    shapes = published_names(network)
    state = {}
    for ours, names, axis in published_parts(network):
        if axis == 1:
            parts = ours.unflatten(0, (-1, len(names))).unbind(1)
        else:
            parts = ours.split([shapes[name][0] for name in names])
        for name, part in zip(names, parts):
            state[name] = _transposed(part.detach(), shapes[name]).clone()
    counters = (name for name in shapes if name.endswith(COUNTER))
    return state | {name: torch.tensor(0) for name in counters}


def _transposed(ours: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Kernels (frames, joints), as published, of ours (joints, frames); Conv1d weights get their second axis back."""
    return ours.transpose(2, 3).reshape(shape) if ours.dim() == 4 else ours.reshape(shape)
