"""Attention as printed (paper Eq. 10; Spikformer's SSA): the product of three spike matrices.

On a chip product neurons multiply, and send graded messages: :class:`mksgn.ir.Attention`,
docs/decisions/0016-attention-as-printed.md.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mksgn import ir
from mksgn.nn.lava_dl import slayer
from mksgn.nn.population import NeuronParameters, SpikingPopulation, current_overflows
from mksgn.nn.projections import Projection, frozen
from mksgn.nn.spikes import Hook, Spikes, current_dtype


def product(q: Tensor, k: Tensor, v: Tensor, heads: int, across_frames: bool = True) -> Tensor:
    r""":math:`Q K^T V` of each head, computed as :math:`Q (K^T V)`: linear in the number of tokens.

    .. math:: p_{n,d} = \sum_c q_{n,c} \sum_m k_{m,c}\, v_{m,d}

    Parameters
    ----------
    q, k, v : (B, C, F, V) tensors of spikes
        B images: samples times steps.
    heads : int
        Groups of C / heads channels; c and d run over one of them.
    across_frames : bool
        Whether the tokens m are the joints of all frames, and not those of the token's own frame.

    Returns
    -------
    (B, C, F, V) tensor of integers, dtype of q
        At most C / heads times the tokens; bfloat16 rounds them, float32 does not.
    """
    batch, channels, frames, joints = q.shape
    groups = batch if across_frames else batch * frames
    q, k, v = (x.permute(0, 2, 3, 1).reshape(groups, -1, heads, channels // heads).transpose(1, 2) for x in (q, k, v))
    p = q @ (k.transpose(2, 3) @ v)  # (groups, H, tokens, C / H)
    return p.transpose(1, 2).reshape(batch, frames, joints, channels).permute(0, 3, 1, 2)


class ProductProjection(Projection):
    """The product of three populations' spikes, times a fixed weight that batch norm scales per channel.

    That weight is s of Eq. 10. The published factor (0.125) and threshold are for 64 to 196 tokens; batch norm finds
    one for any number.
    """

    def __init__(self, sources: tuple[str, str, str], shape: tuple[int, int, int], heads: int,
                 across_frames: bool) -> None:
        channels, frames, joints = shape
        self.tokens = joints * (frames if across_frames else 1)
        synapse = slayer.synapse.Conv(channels, channels, 1, groups=channels)
        super().__init__(sources, frozen(synapse, torch.full_like(synapse.weight, 1.0 / self.tokens)), normed=True)
        self.heads, self.across_frames = heads, across_frames

    def drive(self, spikes: Spikes, hook: Hook) -> Tensor:
        q, k, v = (spikes[source] for source in self.sources)
        dtype = current_dtype(q, hook)
        return self.current(product(q.to(dtype), k.to(dtype), v.to(dtype), self.heads, self.across_frames), hook)

    def drive_slayer(self, spikes: Spikes, hook: Hook) -> Tensor:
        trains = [spikes[source] for source in self.sources]
        steps = trains[0].shape[4]
        q, k, v = (train.movedim(4, 1).flatten(0, 1) for train in trains)  # T, SLAYER's last, is folded into the batch
        p = product(q, k, v, self.heads, self.across_frames)
        self.synapse._pre_hook_fx = hook
        current: Tensor = self.synapse(p.unflatten(0, (-1, steps)).movedim(1, 4))
        return current

    def weight(self, hook: Hook) -> Tensor:
        weight = self.synapse.weight[..., 0]
        return hook(weight) if hook else weight

    def current(self, x: Tensor, hook: Hook) -> Tensor:
        return x * self.weight(hook).to(x.dtype).reshape(1, -1, 1, 1)

    def to_ir(self, name: str, target: str, weight_int: np.ndarray) -> ir.Synapse:
        return ir.Attention(name, self.sources, target, weight_int.reshape(-1), self.heads, self.across_frames)


class ProductPopulation(SpikingPopulation):
    """LIF(BN(Q K^T V)). Its scale is also bounded by what its current holds, as that of a sum over tokens."""

    def __init__(self, sources: tuple[str, str, str], shape: tuple[int, int, int], heads: int, across_frames: bool,
                 neuron: NeuronParameters) -> None:
        attention = ProductProjection(sources, shape, heads, across_frames)
        super().__init__(shape, [attention], **neuron)
        self.largest = attention.tokens * shape[0] // heads

    def overflows(self, scale: int) -> bool:
        return current_overflows(self, scale, self.largest)
