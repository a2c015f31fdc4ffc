"""The weights of a CTR-GCN as its authors publish them, to make checkpoints with."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor

from mksgn.skeleton import body_of
from mksgn.teachers import CTRGCN
from mksgn.teachers.checkpoints import from_published, published_names

_FIRST = 10_000
"""No number that a network starts with is as large."""


def to_published(network: CTRGCN) -> dict[str, Tensor]:
    """Copies of the network's weights under the published names and in the published shapes.

    The way back is not written down anywhere: every published number is given a number of its own, and
    where that ends up in a network is where the number comes from.
    """
    shapes = {name: shape for name, shape in published_names(network).items() if not name.endswith("tracked")}
    first, own = _FIRST, {}
    for name, shape in shapes.items():
        own[name] = torch.arange(first, first + prod(shape), dtype=torch.float32).reshape(shape)
        first += prod(shape)
    assert first < 1 << 24, "float32 tells no more numbers apart"
    ended = from_published(own, body_of([], network.joints)).state_dict()
    seen, values = 0, torch.zeros(first, dtype=network.classifier.weight.dtype)
    for name, value in network.state_dict().items():
        numbers = ended[name]
        if numbers.is_floating_point() and numbers.numel() and float(numbers.flatten()[0]) >= _FIRST:
            values[numbers.flatten().long()] = value.flatten()
            seen += numbers.numel()
    assert seen == first - _FIRST
    state = {name: values[numbers.long()].clone() for name, numbers in own.items()}
    return state | {name: torch.tensor(0) for name in published_names(network) if name not in state}
