"""The same network on the stacks that `python benchmarks/speed` compares with: stock SLAYER blocks, and SpikingJelly.

Both take a float :class:`mksgn.nn.SpikingGraphNet` and share its weights, so that the comparison is of
one network. Time is their own: the last axis in SLAYER, the first in SpikingJelly.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from mksgn.nn import SpikingGraphNet
from mksgn.nn.builder import INPUT
from mksgn.nn.gates import GatePopulation
from mksgn.nn.lava_dl import slayer
from mksgn.nn.network import INPUT_SCALE
from mksgn.nn.population import SpikingPopulation

EPS = 1e-3
"""The epsilon of our batch norms."""
HAS_SPIKINGJELLY = find_spec("spikingjelly") is not None


class _Baseline(nn.Module):
    """Walks the populations of ``net`` in order; subclasses say how a population computes."""

    def __init__(self, net: SpikingGraphNet) -> None:
        super().__init__()
        self.net = net
        self.norms = nn.ModuleDict()
        self.neurons = nn.ModuleDict()
        for name, block in net.named_populations():
            key = name.replace(".", "_")
            if block.norm is not None:
                self.norms[key] = self.make_norm(block.shape[0])
            self.neurons[key] = self.make_neuron(block)

    def make_norm(self, channels: int) -> nn.Module:
        raise NotImplementedError

    def make_neuron(self, block: SpikingPopulation) -> nn.Module:
        raise NotImplementedError

    def walk(self, x: Tensor) -> tuple[dict[str, Tensor], list[Tensor]]:
        """Spikes of every population, and the firing rates of those that are regularised."""
        spikes: dict[str, Tensor] = {INPUT: x}
        rates: list[Tensor] = []
        for name, block in self.net.named_populations():
            key = name.replace(".", "_")
            drive: list[Tensor] = []
            extra: list[Tensor] = []
            for projection in block.projections:
                source = sum((spikes[s] for s in projection.sources[1:]), spikes[projection.sources[0]])
                through_norm = projection.normed or block.norm is None
                (drive if through_norm else extra).append(self.project(projection, source))
            current = sum(drive[1:], drive[0])
            if block.norm is not None:
                current = self.norms[key](current)
            if block.joint_bias is not None:
                current = current + self.spread(block.joint_bias)
            spikes[name] = self.neurons[key](sum(extra, current))
            if not isinstance(block, GatePopulation):
                rates.append(spikes[name].mean())
        return spikes, rates

    def project(self, projection: Any, x: Tensor) -> Tensor:
        raise NotImplementedError

    def spread(self, joint_bias: Tensor) -> Tensor:
        raise NotImplementedError

    def logits(self, spikes: dict[str, Tensor]) -> Tensor:
        raise NotImplementedError

    def forward(self, x: Tensor, steps: int) -> tuple[Tensor, list[Tensor]]:
        """Logits (N, classes) and firing rates of int8 samples (N, C, F, V)."""
        spikes, rates = self.walk(self.repeat(x.float() * INPUT_SCALE, steps))
        return self.logits(spikes), rates

    def repeat(self, x: Tensor, steps: int) -> Tensor:
        raise NotImplementedError


class StockSlayer(_Baseline):
    """Stock synapses and stock ``slayer.neuron.cuba.Neuron`` (its exponential surrogate), (N, C, F, V, T) float32."""

    def make_norm(self, channels: int) -> nn.Module:
        return nn.BatchNorm3d(channels, eps=EPS)

    def make_neuron(self, block: SpikingPopulation) -> nn.Module:
        n = block.neuron
        return slayer.neuron.cuba.Neuron(threshold=n.threshold, current_decay=n.cx_current_decay / 4096,
                                         voltage_decay=n.cx_voltage_decay / 4096)

    def project(self, projection: Any, x: Tensor) -> Tensor:
        return projection.current_slayer(x, None)

    def spread(self, joint_bias: Tensor) -> Tensor:
        return joint_bias[:, None, :, None]

    def repeat(self, x: Tensor, steps: int) -> Tensor:
        return x.unsqueeze(-1).expand(*x.shape, steps).contiguous()

    def logits(self, spikes: dict[str, Tensor]) -> Tensor:
        (projection,) = self.net.readout.projections
        return projection.current_slayer(spikes[projection.sources[0]], None).flatten(1, -2).mean(-1)


class SpikingJelly(_Baseline):
    """SpikingJelly's multi-step LIF, torch backend; synapses over (T N, C, F, V) as its layers do it; float32."""

    def make_norm(self, channels: int) -> nn.Module:
        return _Folded(channels)

    def make_neuron(self, block: SpikingPopulation) -> nn.Module:
        from spikingjelly.activation_based import neuron, surrogate

        kept = 1 - block.neuron.cx_voltage_decay / 4096
        tau = 1 / (1 - kept)
        if tau <= 1:  # a gate keeps nothing: SpikingJelly wants tau > 1
            tau = 1 + 1e-6
        return neuron.LIFNode(tau=tau, decay_input=False, v_threshold=block.neuron.threshold, v_reset=0.0,
                              surrogate_function=surrogate.ATan(), detach_reset=True, step_mode="m", backend="torch")

    def walk(self, x: Tensor) -> tuple[dict[str, Tensor], list[Tensor]]:
        for node in self.neurons.values():
            node.reset()
        return super().walk(x)

    def project(self, projection: Any, x: Tensor) -> Tensor:
        return projection.current(x.flatten(0, 1), None).unflatten(0, x.shape[:2])

    def spread(self, joint_bias: Tensor) -> Tensor:
        return joint_bias[:, None, :]

    def repeat(self, x: Tensor, steps: int) -> Tensor:
        return x.expand(steps, *x.shape)

    def logits(self, spikes: dict[str, Tensor]) -> Tensor:
        (projection,) = self.net.readout.projections
        source = spikes[projection.sources[0]]
        return projection.current(source.flatten(0, 1), None).unflatten(0, source.shape[:2]).flatten(2).mean(0)


class _Folded(nn.Module):
    """A 2-D batch norm over (T, N, C, F, V)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, eps=EPS)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x.flatten(0, 1)).unflatten(0, x.shape[:2])


def cross_entropy_step(forward: Any, x: Tensor, labels: Tensor, parameters: list[Tensor], rate_target: float,
                       rate_weight: float) -> Tensor:
    """Loss, backward and gradients cleared: what a training step costs without its optimiser."""
    logits, rates = forward(x)
    excess = torch.stack([torch.relu(rate - rate_target) for rate in rates]).mean()
    loss = nn.functional.cross_entropy(logits, labels, label_smoothing=0.1) + rate_weight * excess
    loss.backward()
    for parameter in parameters:
        parameter.grad = None
    return loss.detach()
