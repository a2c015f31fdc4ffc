"""A body of five joints, and networks whose every parameter matters."""

from __future__ import annotations

import torch

from mksgn.skeleton import body_of

CHAIN = body_of([(0, 1), (1, 2), (2, 3), (2, 4)], 5)


def shaken(network):
    """Values that no initialisation hides: alpha and all norms away from 0 and 1."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                low, high = (0.5, 1.5) if name.endswith(("running_var", "norm.weight")) else (-0.4, 0.4)
                tensor.copy_(torch.rand(tensor.shape, generator=generator) * (high - low) + low)
    return network.eval()
