"""From a quantised SLAYER network to the integer graph."""

from __future__ import annotations

from mksgn import ir
from mksgn.nn import SpikingGraphNet
from mksgn.nn.network import INPUT

INPUT_BITS = 8


def to_graph(net: SpikingGraphNet, meta: dict | None = None) -> ir.Graph:
    """The integer graph of ``net``: same populations, same names, every weight and bias as an integer.

    Parameters
    ----------
    net : SpikingGraphNet
        Quantised.
    meta : dict, optional
        Attributes to carry: see :class:`mksgn.ir.Graph`.

    Raises
    ------
    GraphError
        When a value is outside its width on the chip.
    """
    populations = [ir.Population(INPUT, net.input_shape, role="input", message_bits=INPUT_BITS)]
    synapses: list[ir.Synapse] = []
    for name, block in [*net.populations(), ("head.fc", net.readout)]:
        population, incoming = block.to_ir(name)
        populations.append(population)
        synapses += incoming
    return ir.Graph(tuple(populations), tuple(synapses), net.config.time_steps, dict(meta or {}))
