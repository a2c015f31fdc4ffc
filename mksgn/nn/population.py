"""Spiking populations: neurons with one name, and the projections that drive them.

A population is a SLAYER CUBA block (``slayer.block.cuba.AbstractCuba``) that may have several synapses,
a batch norm that is folded before quantisation, a bias, and the paper's surrogate. Every population has
two forwards over the same parameters: ``forward`` (fused, time folded into the batch) and
``forward_slayer`` (SLAYER's own synapses and integer neuron), which must agree on every spike. It becomes one
:class:`mksgn.ir.Population` and the synapses into it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypedDict

import numpy as np
import torch
from torch import Tensor, nn

from mksgn import ir
from mksgn.ir.graph import BIAS_MAX, VTH_MAX
from mksgn.nn.batch_norm import scale_and_shift, update_running_moments
from mksgn.nn.cuba import batch_moments, fused_cuba
from mksgn.nn.lava_dl import slayer
from mksgn.nn.lif import CubaNeuron, Surrogate
from mksgn.nn.projections import Projection
from mksgn.nn.scales import WEIGHT_LIMIT, Scales, choose_scale
from mksgn.nn.spikes import Spikes


class NeuronParameters(TypedDict):
    """The neuron parameters that the populations of a network share."""

    current_decay: float
    voltage_decay: float
    surrogate: Surrogate
    carried: bool


class _Dendrites(nn.Module):
    """What ``AbstractCuba`` expects of its sibling base: neuron parameters, and no synapse of its own."""

    def __init__(self, neuron_params: dict) -> None:
        super().__init__()
        self.neuron_params = neuron_params
        self.neuron: Any = None


class SpikingPopulation(slayer.block.cuba.AbstractCuba, _Dendrites):
    """SN(BN(sum of projections)): neurons of one shape, with one threshold and one scale.

    Parameters
    ----------
    shape : (C, F, V)
    projections : list of Projection
    norm : bool
        Batch norm over the sum of the normed projections.
    threshold, current_decay, voltage_decay : float
        See :class:`~mksgn.nn.lif.CubaNeuron`.
    surrogate : Surrogate, optional
    carried : bool
        Of a network of one time step: states are carried from frame to frame. A population of one frame has none to
        carry them to, and begins every frame of a stream at 0, too.

    Attributes
    ----------
    norm_observer : callable, optional
        Told of every input to the batch norm, (N T, C, F, V), and T, before it is normalised.
    joint_bias : Parameter (C, V) or None
        A bias per channel and joint, which a spike coder has (:class:`mksgn.nn.spike_coding.SpikeCoder`).
    """

    norm_observer: Callable[[Tensor, int], None] | None = None
    joint_bias: nn.Parameter | None

    def __init__(self, shape: tuple[int, int, int], projections: list[Projection], *, norm: bool = True,
                 threshold: float = 1.0, current_decay: float = 1.0, voltage_decay: float = 0.75,
                 surrogate: Surrogate | None = None, carried: bool = False) -> None:
        super().__init__({"threshold": threshold, "current_decay": current_decay, "voltage_decay": voltage_decay})
        self.neuron: CubaNeuron = CubaNeuron(threshold=threshold, current_decay=current_decay,
                                             voltage_decay=voltage_decay, surrogate=surrogate,
                                             carried=carried and shape[1] > 1)
        self.shape = shape
        self.projections = nn.ModuleList(projections)
        channels = shape[0]
        self.norm = nn.BatchNorm2d(channels, eps=1e-3) if norm else None
        self.bias = nn.Parameter(torch.zeros(channels), requires_grad=False)
        self.joint_bias = None
        self.quantized = False

    # ------------------------------------------------------------------ fast path
    def incoming(self) -> list[Projection]:
        """Every projection into this population, also those that it shares with others."""
        return list(self.projections)

    def incoming_bias(self) -> Tensor:
        """Bias (C,) in float, once batch norm is folded."""
        return self.bias

    def forward(self, spikes: Spikes, steps: int) -> tuple[Tensor, Tensor]:
        """Spikes (N T, C, F, V) of this population and their number, from those of its sources."""
        hook = self.neuron.quantize_8bit if self.quantized else None
        drive: list[Tensor] = []
        extra: list[Tensor] = []
        for projection in self.projections:
            through_norm = projection.normed or self.norm is None
            (drive if through_norm else extra).append(projection.drive(spikes, hook))
        total, *others = drive
        own = not spikes.holds(total)
        for other in others:
            total = total.add_(other) if own else total + other
        dtype = spikes[self.projections[0].sources[0]].dtype
        return self.fire(total, sum(extra[1:], extra[0]) if extra else None, steps, dtype)

    def fire(self, drive: Tensor, extra: Tensor | None, steps: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Spikes and their number from ``drive``, which the batch norm scales, and ``extra``, which it does not."""
        if self.norm is None:
            ones = torch.ones_like(self.bias)
            return fused_cuba(drive, extra, ones, self.quantized_bias(self.bias), self.neuron, steps,
                              quantized=self.quantized, dtype=dtype)
        norm = self.norm
        if self.norm_observer is not None:
            self.norm_observer(drive, steps)
        if not self.training:
            scale, shift = scale_and_shift(norm)
            return fused_cuba(drive, extra, scale, shift, self.neuron, steps)
        drive = drive.contiguous(memory_format=torch.channels_last)
        mean, var = batch_moments(drive.detach(), steps)
        update_running_moments(norm, mean, var)
        return fused_cuba(drive, extra, norm.weight, norm.bias, self.neuron, steps, moments=(mean, var), eps=norm.eps)

    # ------------------------------------------------------------------ SLAYER path
    def forward_slayer(self, spikes: Spikes) -> Tensor:
        """The same spikes, (N, C, F, V, T), by SLAYER's synapses and integer neuron only."""
        return self.neuron.spike(self._voltage_slayer(spikes))

    def _voltage_slayer(self, spikes: Spikes) -> Tensor:
        if not self.quantized:
            raise RuntimeError("SLAYER's integer neuron runs a quantised population only: call quantize() first")
        hook = self.neuron.quantize_8bit
        currents = [p.drive_slayer(spikes, hook) for p in self.incoming()]
        bias = self.quantized_bias(self.incoming_bias())[:, None, None, None]
        if self.joint_bias is not None:
            bias = bias + self.quantized_joint_bias(self.joint_bias)[:, None, :, None]
        return self.neuron.dynamics_with_bias(sum(currents[1:], currents[0]), bias)

    # ------------------------------------------------------------------ float -> integers
    def quantize(self, scales: Scales = "power-of-two") -> None:
        """Fold the batch norm, choose the scale (:mod:`mksgn.nn.scales`), and round from here on.

        Gradients pass straight through the rounding, so the integers can be fine-tuned.
        """
        if self.norm is not None:
            with torch.no_grad():
                scale, shift = scale_and_shift(self.norm)
                for projection in self.projections:
                    if projection.normed:
                        projection.fold(scale)
                self.bias.copy_(shift)
            self.bias.requires_grad_(True)
            self.norm = None
        self.neuron.rescale(choose_scale(self, scales))
        self.quantized = True

    def mean_overshoot(self) -> float:
        """How far above its threshold, on average, this quantised population first fires: half a weight unit.

        A neuron fires strictly above its threshold, a whole number. Weights are even and biases whole, so v, from rest,
        is even or odd with its bias. Either it meets the threshold, which does not fire, and first fires a unit late;
        or it passes it by one on both sides and is not late. A bias of half a unit, before it is rounded, takes the
        average back (:meth:`~mksgn.nn.SpikingGraphNet.quantize`).
        """
        return 0.5 / self.neuron.units

    def overflows(self, scale: int) -> bool:
        """Whether sums of weights can leave the width of a state at ``scale`` weight units per 1.0."""
        return False

    def total_bias(self) -> Tensor:
        """All of the bias, (C,) or (C, V), in float, once batch norm is folded."""
        bias = self.incoming_bias().detach()
        if self.joint_bias is None:
            return bias
        return bias[:, None] + self.joint_bias.detach()

    def quantized_bias(self, bias: Tensor) -> Tensor:
        """``bias`` as the integer neuron holds it, in its units (:class:`~mksgn.nn.lif.CubaNeuron`); else as it is."""
        if not self.quantized:
            return bias
        scale = self.neuron.w_scale
        whole = slayer.utils.quantize(bias * self.neuron.gain, step=1.0 / scale)
        return whole.clamp(-BIAS_MAX / scale, BIAS_MAX / scale)

    def quantized_joint_bias(self, joint_bias: Tensor) -> Tensor:
        """Per joint, so that its sum with the bias per channel is a mantissa too: fine-tuning may drive it beyond."""
        rounded = self.quantized_bias(joint_bias)
        if not self.quantized:
            return rounded
        limit = BIAS_MAX / self.neuron.w_scale
        bias = self.quantized_bias(self.incoming_bias()).detach()[:, None]
        return torch.maximum(torch.minimum(rounded, limit - bias), -limit - bias)

    def to_ir(self, name: str, role: str = "hidden") -> tuple[ir.Population, list[ir.Synapse]]:
        """The integer population and its synapses."""
        if not self.quantized:
            raise RuntimeError("only a quantised population has integers: call quantize() first")
        neuron = self.neuron
        bias = self.quantized_bias(self.incoming_bias()).detach()
        if self.joint_bias is not None:
            per_joint = bias[:, None] + self.quantized_joint_bias(self.joint_bias).detach()
            bias = per_joint[:, None, :].expand(self.shape)
        bias_int = np.rint(bias.double().numpy() * neuron.w_scale).astype(np.int16)
        population = ir.Population(
            name, self.shape,
            ir.Cuba(vth=neuron.v_th_mant, current_decay=int(neuron.cx_current_decay),
                    voltage_decay=int(neuron.cx_voltage_decay), carried=neuron.carried),
            bias_int if bias_int.any() else None, role)
        synapses: list[ir.Synapse] = []
        incoming = self.incoming()
        for index, projection in enumerate(incoming):
            label = name if len(incoming) == 1 else f"{name}.{index}"
            synapses += projection.lower(label, name, neuron.quantize_8bit, self._integers)
        return population, synapses

    def _integers(self, weight: Tensor) -> np.ndarray:
        return np.rint(weight.detach().double().numpy() * self.neuron.w_scale).astype(np.int16)


def current_overflows(population: SpikingPopulation, scale: int, largest: int) -> bool:
    """Whether u or v can leave 24 bits at a scale, where the first projection's weights meet numbers up to ``largest``.

    There u wraps, and SLAYER's does not.
    """
    weight = float(population.projections[0].weight(None).detach().abs().max()) * scale
    reach = min(weight, WEIGHT_LIMIT) * largest
    # v keeps a part of what it was, so that it exceeds u by up to 1 / voltage_decay, and u its input likewise.
    return reach > VTH_MAX * (1 - population.neuron.keep_u) * (1 - population.neuron.keep_v)
