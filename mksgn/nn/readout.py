"""The readout of a network: the fully connected layer of its head, which integrates and never fires."""

from __future__ import annotations

from torch import Tensor

from mksgn import ir
from mksgn.ir.graph import VTH_MAX
from mksgn.nn.population import SpikingPopulation
from mksgn.nn.projections import DenseProjection
from mksgn.nn.spikes import Spikes


class ReadoutPopulation(SpikingPopulation):
    """FC of the head (paper Eq. 14), without spiking: v of a neuron that never leaks and never fires.

    .. math:: y = FC(SN(GAP(T^{(l)}))) \\qquad (14)

    SN(GAP(...)) is the population ``head.gap`` (:meth:`mksgn.nn.builder.PopulationBuilder.average_pool`; Table 6:
    FC_lif1), which this one reads. y is FC's mean over the T steps; the integers add it up.

    Parameters
    ----------
    source : str
        Population it reads.
    inputs, classes : int
    time_steps : int
        T of the integers, whose sums must fit; training may run fewer steps.
    """

    def __init__(self, source: str, inputs: int, classes: int, time_steps: int) -> None:
        super().__init__((classes, 1, 1), [DenseProjection((source,), inputs, classes)], norm=False, voltage_decay=0.0)
        self.bias.requires_grad_(True)
        self.time_steps = time_steps

    def logits(self, spikes: Spikes, steps: int) -> Tensor:
        """Mean over T of FC's output: (N, classes)."""
        return (self._currents(spikes, steps).mean(1) + self.quantized_bias(self.bias)) / self.neuron.gain

    def step_logits(self, spikes: Spikes, steps: int) -> Tensor:
        """FC's output at each time step: (N, T, classes); :meth:`logits` is their mean."""
        return (self._currents(spikes, steps) + self.quantized_bias(self.bias)) / self.neuron.gain

    def _currents(self, spikes: Spikes, steps: int) -> Tensor:
        hook = self.neuron.quantize_8bit if self.quantized else None
        (projection,) = self.projections
        return projection.drive(spikes, hook).flatten(1).float().unflatten(0, (-1, steps))

    def logits_slayer(self, spikes: Spikes) -> Tensor:
        """Final v by SLAYER's neuron, as the integer readout has it: (N, classes), in weight units."""
        threshold, self.neuron._threshold = self.neuron._threshold, VTH_MAX / self.neuron.units
        voltage = self._voltage_slayer(spikes)[..., -1]
        self.neuron._threshold = threshold
        return (voltage * self.neuron.w_scale).flatten(1)

    def largest_voltage(self, scale: int, steps: int) -> float:
        """Largest |v| after ``steps`` steps, in units of 1 / ``scale``."""
        weight = self.projections[0].weight(None).detach()
        return float((weight.abs().sum(1) + self.bias.detach().abs()).max() * scale * steps)

    def overflows(self, scale: int) -> bool:
        return self.largest_voltage(scale, self.time_steps) > VTH_MAX

    def to_ir(self, name: str, role: str = "readout") -> tuple[ir.Population, list[ir.Synapse]]:
        population, synapses = super().to_ir(name, role)
        neuron = ir.Cuba(vth=VTH_MAX, current_decay=int(self.neuron.cx_current_decay), voltage_decay=0)
        return ir.Population(name, self.shape, neuron, population.bias, role), synapses
