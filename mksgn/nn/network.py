"""A spiking graph network: named populations in topological order, the head, and their forwards.

Which populations there are, :mod:`mksgn.networks` says; here they are run, quantised and given scales. They perform
spike-driven operations only, so that :func:`mksgn.nn.lowering.to_graph` can write every one of them as integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from mksgn.errors import ConfigError
from mksgn.nn.builder import INPUT, PopulationBuilder
from mksgn.nn.config import DataShape, NetworkConfig
from mksgn.nn.counting import counts_spikes, keep_boundaries
from mksgn.nn.fused_projection import FusedProjection
from mksgn.nn.fusion import Fusion
from mksgn.nn.gates import GatePopulation
from mksgn.nn.population import SpikingPopulation
from mksgn.nn.readout import ReadoutPopulation
from mksgn.nn.scales import Scales
from mksgn.nn.spike_coding import SpikeCoder
from mksgn.nn.spikes import Spikes

HEAD = "head.gap"
"""Name of the population that the readout reads."""
SCALE_MAX = 1 << 30
"""Most weight units per 1.0; a network's own are far below."""
INPUT_SCALE = 1.0 / 64
"""Int8 coordinates enter the float network times this (exact in bfloat16); quantisation folds it into the weights."""


@dataclass
class NetOutput:
    """Logits (N, classes), and differentiable mean firing rates of all populations; those of gates stand alone.

    A gate's rate follows from those of the populations that drive it, which are regularised themselves. Where
    modalities are fused there are also their weights (N, M) and, with an estimator, the sum of its lower bounds of
    mutual information (0-dim), which its training maximises.
    """

    logits: Tensor
    rates: dict[str, Tensor] = field(default_factory=dict)
    gate_rates: dict[str, Tensor] = field(default_factory=dict)
    weights: Tensor | None = None
    information: Tensor | None = None

    @property
    def rate(self) -> Tensor:
        """Mean over populations of the firing rate, without gates."""
        return torch.stack(list(self.rates.values())).mean()


class SpikingGraphNet(nn.Module):
    """A network of spiking populations.

    ``forward`` takes int8-valued coordinates (N, C, F, V), the same at each of the T steps (PCM).
    ``steps`` is T; early training may lower it for a while, everything else runs at ``config.time_steps``.

    Parameters
    ----------
    config : NetworkConfig
        The network's choices; its ``populate`` adds the populations before the head.
    data : DataShape

    Attributes
    ----------
    names : tuple of str
        Names of the populations, without the readout, in topological order. ``populations`` has the same order.
    coders : tuple of str
        Names of the spike coders among them.
    fusion : Fusion or None
        The module that weighs the spikes of several coders.

    Raises
    ------
    ConfigError
        When the network cannot read such data.
    """

    def __init__(self, config: NetworkConfig, data: DataShape) -> None:
        super().__init__()
        config.check_modalities(data.modalities)
        self.config, self.data = config, data
        self.quantized = False
        self.steps = config.time_steps
        builder = PopulationBuilder(config, data)
        # The head, FC(SN(GAP(T))) of Eq. 14, follows the other populations.
        pooled = builder.average_pool(HEAD, config.populate(builder), config.segments)
        self.names, self.coders = tuple(builder.names), builder.coders
        self.populations = nn.ModuleList(builder.populations)
        self.fusion: Fusion | None = builder.fusion
        self.dropout = nn.Dropout(config.dropout)
        inputs = config.segments * builder.shape(pooled)[0]
        self.readout = ReadoutPopulation(pooled, inputs, data.classes, config.time_steps)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(C, F, V) of a sample."""
        return self.data.input_shape

    @property
    def weighs_samples(self) -> bool:
        """Whether the weights of the modalities depend on the sample (SMF), so that they have no integers."""
        return self.fusion is not None and self.fusion.estimator is not None

    @property
    def fusion_weights(self) -> tuple[float, ...] | None:
        """The fixed weights of the modalities; None where they are added up, weighed by sample, or only one."""
        return self.fusion.fixed_weights if self.fusion is not None and self.fusion.kind == "fixed" else None

    def named_populations(self) -> list[tuple[str, SpikingPopulation]]:
        """Named spiking populations in topological order, without the readout."""
        return list(zip(self.names, self.populations))

    def forward(self, x: Tensor, *, dtype: torch.dtype = torch.float32) -> NetOutput:
        """Logits and rates by the fused path.

        ``dtype`` is float32, or bfloat16 for training: of spikes, gradients, and the currents of a floating-point
        network. Those of a quantised one are float32, so that its spikes are exact whatever ``dtype`` is.
        """
        return self.forward_spikes(x, dtype=dtype)[0]

    def forward_spikes(self, x: Tensor, *, dtype: torch.dtype = torch.float32) -> tuple[NetOutput, Spikes]:
        """As :meth:`forward`, and the spikes (N T, C, F, V) of every population."""
        steps = self.steps
        x = x.to(dtype) * (1.0 if self.quantized else INPUT_SCALE)
        x = x.contiguous(memory_format=torch.channels_last)
        spikes = Spikes({INPUT: x})
        rates: dict[str, Tensor] = {}
        gates: dict[str, Tensor] = {}
        weights: Tensor | None = None
        information: Tensor | None = None
        for name, population in self.named_populations():
            if isinstance(population, SpikeCoder):
                spikes[name], count = population.encode(x, steps)
            else:
                spikes[name], count = population(spikes, steps)
            (gates if isinstance(population, GatePopulation) else rates)[name] = count / spikes[name].numel()
            if name == self.coders[-1] and self.fusion is not None and not self.quantized:
                spikes.fused, weights, information = self.fusion([spikes[coder] for coder in self.coders], steps)
        spikes[HEAD] = self.dropout(spikes[HEAD])
        return NetOutput(self.readout.logits(spikes, steps), rates, gates, weights, information), spikes

    @torch.no_grad()
    def forward_slayer(self, x: Tensor) -> tuple[Tensor, Spikes]:
        """Integer logits (N, classes) and all spikes (N, C, F, V, T) by stock SLAYER synapses and neurons."""
        inputs = x.float().unsqueeze(-1).expand(*x.shape, self.config.time_steps).contiguous()
        spikes = Spikes({INPUT: inputs})
        for name, population in self.named_populations():
            spikes[name] = population.forward_slayer(spikes)
        return self.readout.logits_slayer(spikes), spikes

    def quantize(self, scales: Scales = "power-of-two") -> None:
        """Fold every batch norm and round weights, biases and states to the chip's integers from here on.

        ``scales`` says which numbers the scales may be ('power-of-two' or 'integer', :mod:`mksgn.nn.scales`).
        What was folded becomes a bias, raised by the population's
        :meth:`~mksgn.nn.population.SpikingPopulation.mean_overshoot`: without it, rounding lowers firing rates. With
        'integer' and one time step, populations that count spikes fire at the counts at which they fired in floating
        point (:mod:`mksgn.nn.counting`).
        """
        if self.quantized:
            raise ConfigError("the network is quantised already")
        if self.weighs_samples:
            raise ConfigError("weights that depend on the sample have no integers", got="fusion smf",
                              fix="call fix_fusion first, with their means over the training set")
        folded = [population for population in self.populations if population.norm is not None]
        counting = [population for population in folded
                    if scales == "integer" and self.config.time_steps == 1 and counts_spikes(population)]
        for name, population in self.named_populations():
            population.quantize(scales)
            if name in self.coders:
                population.projections[0].fold(torch.full((population.shape[0],), INPUT_SCALE))
                population.quantize(scales)
        with torch.no_grad():
            for population in folded:  # every scale is final by now: a shortcut's last population sets that of all
                if population in counting:
                    keep_boundaries(population)
                else:
                    population.bias.add_(population.mean_overshoot())
        self.readout.quantize(scales)
        self.quantized = True

    def fix_fusion(self, weights: Sequence[float]) -> None:
        """Weigh the modalities of every sample by ``weights`` from here on, and drop the estimator.

        Raises
        ------
        ConfigError
            When there is nothing to fuse, the network is quantised, or the weights do not fit.
        """
        if self.fusion is None or self.quantized:
            raise ConfigError("only a floating-point network of several modalities has weights to fix")
        config = self.config.with_fusion_weights(tuple(float(weight) for weight in weights))
        config.check_modalities(self.data.modalities)
        self.config = config
        self.fusion.fix(weights)
        for module in self.modules():
            if isinstance(module, FusedProjection):
                module.weights = self.fusion.fixed_weights

    def scales(self) -> list[int]:
        """Weight units per 1.0 of every population, the readout last."""
        return [population.neuron.units for population in [*self.populations, self.readout]]

    def set_scales(self, scales: list[int]) -> None:
        """Set what :meth:`scales` returned (they are not part of the state dict).

        Raises
        ------
        ConfigError
            When they are not one positive whole number per population, or no powers of two in floating point, where
            nothing is scaled.
        """
        scaled = [*self.populations, self.readout]
        if type(scales) is not list or len(scales) != len(scaled) or any(
                type(scale) is not int or not 0 < scale <= SCALE_MAX or not (self.quantized or scale.bit_count() == 1)
                for scale in scales):
            raise ConfigError("scales do not fit the network", got=f"{scales!r:.100}",
                              allowed=f"{len(scaled)} {'whole numbers' if self.quantized else 'powers of two'} in "
                                      f"1..{SCALE_MAX}")
        for population, scale in zip(scaled, scales):
            population.neuron.rescale(scale)
