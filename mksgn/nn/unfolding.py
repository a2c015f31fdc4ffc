"""From a quantised network back to floating point, with batch norms to train it further."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from mksgn.errors import ConfigError
from mksgn.nn.batch_norm import scale_and_shift
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
    config = net.config.changed(time_steps=time_steps, residual_synapses=residual_synapses)
    found = SpikingGraphNet(config, net.data)
    missing, unexpected = found.load_state_dict(net.state_dict(), strict=False)
    assert not unexpected and all(".norm." in name for name in missing), (missing, unexpected)
    for (name, population), integers in zip(found.named_populations(), net.populations):
        if name in found.coders:
            population.projections[0].fold(torch.full((population.shape[0],), 1 / INPUT_SCALE))
        if population.norm is not None:
            population.norm.weight.fill_(1)
            population.norm.bias.copy_(population.bias - integers.mean_overshoot())
            population.norm.get_buffer("running_var").fill_(1 - population.norm.eps)
            population.bias.zero_()
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
    _observe(net, samples, _undone)


@torch.no_grad()
def standardise(net: SpikingGraphNet, samples: Tensor) -> None:
    """Give every batch norm the statistics of ``samples``, and leave its weight and bias.

    A population's drive then has the mean and the scale that the norm was trained for, also where a source or a kernel
    was cut and its sums grew smaller.

    Parameters
    ----------
    net, samples
        As of :func:`normalise`.
    """
    _observe(net, samples, lambda norm, mean, var: None)


def _observe(net: SpikingGraphNet, samples: Tensor, change: Callable[[nn.BatchNorm2d, Tensor, Tensor], None]) -> None:
    """Run the samples; each batch norm is changed by the mean and variance that reach it, and takes them as its own."""
    for population in net.populations:
        population.norm_observer = None if population.norm is None else _entering(population.norm, change)
    net(samples)
    for population in net.populations:
        population.norm_observer = None


def _entering(norm: nn.BatchNorm2d, change: Callable[[nn.BatchNorm2d, Tensor, Tensor], None]
              ) -> Callable[[Tensor, int], None]:
    def enter(drive: Tensor, steps: int) -> None:
        mean, var = batch_moments(drive.contiguous(memory_format=torch.channels_last), steps)
        change(norm, mean, var)
        norm.get_buffer("running_mean").copy_(mean)
        norm.get_buffer("running_var").copy_(var)

    return enter


def _undone(norm: nn.BatchNorm2d, mean: Tensor, var: Tensor) -> None:
    """Weight and bias with which the norm computes after it took this mean and variance what it did before."""
    scale, shift = scale_and_shift(norm)
    norm.weight.copy_(scale * (var + norm.eps).sqrt())
    norm.bias.copy_(shift + mean * scale)
