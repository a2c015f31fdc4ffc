"""From a quantised network back to floating point, with batch norms to train it further."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from mksgn.errors import ConfigError
from mksgn.nn.blocks import affine
from mksgn.nn.cuba import batch_moments
from mksgn.nn.network import INPUT_SCALE, SpikingGraphNet


@torch.no_grad()
def unfolded(net: SpikingGraphNet, *, time_steps: int | None = None,
             residual_synapses: int | None = None) -> SpikingGraphNet:
    """The floating-point network of a quantised one's master weights: the same function, but for the rounding.

    Its batch norms are the identity plus the folded bias, less what :meth:`~mksgn.nn.SpikingGraphNet.quantize` adds;
    :func:`normalise` gives them statistics to train with.

    Parameters
    ----------
    net : SpikingGraphNet
        Quantised; it is not changed.
    time_steps, residual_synapses : int, optional
        Of the result, where they are to differ; the weights do not depend on them.

    Raises
    ------
    ConfigError
        When ``net`` is in floating point already.
    """
    if not net.quantized:
        raise ConfigError("this network has nothing to unfold", got="floating point", allowed="a quantised network")
    config = replace(net.config, time_steps=time_steps or net.config.time_steps,
                     residual_synapses=residual_synapses or net.config.residual_synapses)
    found = SpikingGraphNet(config)
    missing, unexpected = found.load_state_dict(net.state_dict(), strict=False)
    assert not unexpected and all(".norm." in name for name in missing), (missing, unexpected)
    for (name, block), integers in zip(found.populations(), net.blocks):
        if name in found.coders:
            block.projections[0].fold(torch.full((block.shape[0],), 1 / INPUT_SCALE))
        if block.norm is not None:
            block.norm.weight.fill_(1)
            block.norm.bias.copy_(block.bias - integers.lateness())
            block.norm.get_buffer("running_var").fill_(1 - block.norm.eps)
            block.bias.zero_()
    return found.eval()


@torch.no_grad()
def normalise(net: SpikingGraphNet, samples: Tensor) -> None:
    """Give every batch norm the statistics of ``samples``, and the weight and bias that undo them.

    With running statistics the network computes what it did; in training, where a batch's own statistics count, it
    begins there too, and its norms keep scale and mean of every population in hand again.

    Parameters
    ----------
    net : SpikingGraphNet
        In floating point, in evaluation mode.
    samples : int8 Tensor (N, C, F, V)
        Training samples; some hundreds are plenty.
    """
    for _, block in net.populations():
        block.observe = None if block.norm is None else _entering(block.norm)
    net(samples)
    for _, block in net.populations():
        block.observe = None


def _entering(norm: nn.BatchNorm2d) -> Callable[[Tensor, int], None]:
    def enter(drive: Tensor, steps: int) -> None:
        scale, shift = affine(norm)
        mean, var = batch_moments(drive.contiguous(memory_format=torch.channels_last), steps)
        norm.weight.copy_(scale * (var + norm.eps).sqrt())
        norm.bias.copy_(shift + mean * scale)
        norm.get_buffer("running_mean").copy_(mean)
        norm.get_buffer("running_var").copy_(var)

    return enter
