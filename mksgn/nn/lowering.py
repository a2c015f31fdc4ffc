"""From a quantised SLAYER network to the integer graph."""

from __future__ import annotations

from mksgn import ir
from mksgn.nn.builder import INPUT
from mksgn.nn.network import SpikingGraphNet

INPUT_BITS = 8
READOUT = "head.fc"


def to_graph(net: SpikingGraphNet, meta: dict | None = None) -> ir.Graph:
    """The integer graph of ``net``: same populations, same names, every weight and bias as an integer.

    Parameters
    ----------
    net : SpikingGraphNet
        Quantised.
    meta : dict, optional
        Attributes to carry: see :class:`mksgn.ir.Graph`. ``logit_scale`` is added: readout units per logit, which are
        the weight units of the readout times T, since a readout adds up what the network takes the mean of.

    Raises
    ------
    GraphError
        When a value is outside its width on the chip.
    """
    populations = [ir.Population(INPUT, net.input_shape, role="input", message_bits=INPUT_BITS)]
    synapses: list[ir.Synapse] = []
    for name, trained in [*net.named_populations(), (READOUT, net.readout)]:
        population, incoming = trained.to_ir(name)
        populations.append(population)
        synapses += incoming
    units = net.readout.neuron.units * net.config.time_steps
    return ir.Graph(tuple(populations), tuple(synapses), net.config.time_steps,
                    {**(meta or {}), ir.LOGIT_SCALE: units})
