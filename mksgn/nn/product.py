"""Spikformer's attention: the product of three spike matrices, which no synapse computes.

SSA multiplies two computed numbers. A network with it trains and quantises like the others, and is not exported:
docs/decisions/0006-spiking-transformers.md.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mksgn.nn.lava_dl import slayer
from mksgn.nn.population import NeuronParameters, SpikingPopulation
from mksgn.nn.projections import Projection
from mksgn.nn.spikes import Hook, Spikes, current_dtype


def product(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    r"""SSA's :math:`Q K^T V` of each head, computed as :math:`Q (K^T V)`: linear in the number of tokens.

    .. math:: p_{n,d} = \sum_c q_{n,c} \sum_m k_{m,c}\, v_{m,d}

    Parameters
    ----------
    q, k, v : (B, C, F, V) tensors of spikes
        B images: samples times steps.
    heads : int
        Groups of C / heads channels; c and d run over one of them.

    Returns
    -------
    (B, C, F, V) tensor of integers, dtype of q
        At most F V C / heads; bfloat16 rounds them, float32 does not.
    """
    batch, channels, frames, joints = q.shape
    q, k, v = (x.permute(0, 2, 3, 1).reshape(batch, frames * joints, heads, -1).transpose(1, 2) for x in (q, k, v))
    p = q @ (k.transpose(2, 3) @ v)  # (B, H, tokens, C / H)
    return p.transpose(1, 2).reshape(batch, frames, joints, channels).permute(0, 3, 1, 2)


def product_neurons(tokens: int, width: int, heads: int) -> int:
    """Neurons of a Spikformer block that multiply two numbers: one per token n, channel c and channel d of c's head.

    What Q (K^T V) takes where counts travel as graded messages (Lava's ``ProdNeuron``, Loihi 2): the factor
    sum over m of k v differs from c to c and q from n to n, so no product can be shared or moved behind a sum.
    """
    return tokens * width * (width // heads)


def gate_neurons(tokens: int, width: int, heads: int) -> int:
    """Least number of AND neurons of a Spikformer block that compute Q (K^T V) exactly with unary spikes.

    k AND v for every token and pair of channels; then q AND every bit of the count, which is at most ``tokens``.
    The neurons that turn a count into bits, and the copies of high bits whose weight 2^j exceeds 8 bits, come on top.
    """
    return product_neurons(tokens, width, heads) * (1 + tokens.bit_length())


class ProductProjection(Projection):
    """The product of three populations' spikes, times a fixed weight that batch norm scales per channel.

    The published factor (0.125) and threshold are for 64 to 196 tokens; batch norm finds one for any number.
    """

    def __init__(self, sources: tuple[str, str, str], shape: tuple[int, int, int], heads: int) -> None:
        channels, frames, joints = shape
        synapse = slayer.synapse.Conv(channels, channels, 1, groups=channels)
        with torch.no_grad():
            synapse.weight.fill_(1.0 / (frames * joints))
        synapse.weight.requires_grad_(False)
        super().__init__(sources, synapse, normed=True)
        self.heads = heads

    def drive(self, spikes: Spikes, hook: Hook) -> Tensor:
        q, k, v = (spikes[source] for source in self.sources)
        dtype = current_dtype(q, hook)
        return self.current(product(q.to(dtype), k.to(dtype), v.to(dtype), self.heads), hook)

    def drive_slayer(self, spikes: Spikes, hook: Hook) -> Tensor:
        trains = [spikes[source] for source in self.sources]
        steps = trains[0].shape[4]
        q, k, v = (train.movedim(4, 1).flatten(0, 1) for train in trains)  # T, SLAYER's last, is folded into the batch
        p = product(q, k, v, self.heads)
        self.synapse._pre_hook_fx = hook
        current: Tensor = self.synapse(p.unflatten(0, (-1, steps)).movedim(1, 4))
        return current

    def weight(self, hook: Hook) -> Tensor:
        weight = self.synapse.weight[..., 0]
        return hook(weight) if hook else weight

    def current(self, x: Tensor, hook: Hook) -> Tensor:
        return x * self.weight(hook).to(x.dtype).reshape(1, -1, 1, 1)


class ProductPopulation(SpikingPopulation):
    """LIF(BN(Q K^T V)): trained and quantised, not exported."""

    def __init__(self, sources: tuple[str, str, str], shape: tuple[int, int, int], heads: int,
                 neuron: NeuronParameters) -> None:
        super().__init__(shape, [ProductProjection(sources, shape, heads)], **neuron)
        size = shape[1] * shape[2], shape[0], heads
        self.obstacle = (f"Q K^T V multiplies spikes of Q by counts, sums over {size[0]} tokens of K V; each block "
                         f"would take {product_neurons(*size):,} neurons that multiply graded messages, or at least "
                         f"{gate_neurons(*size):,} AND neurons")
