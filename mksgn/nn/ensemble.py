"""Several quantised networks as one integer graph: they read one input, and one readout adds up their logits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mksgn import ir
from mksgn.errors import ConfigError
from mksgn.ir.graph import VTH_MAX
from mksgn.nn.lowering import READOUT, to_graph
from mksgn.nn.network import SpikingGraphNet


def ensemble_graph(nets: Sequence[SpikingGraphNet], meta: dict | None = None) -> ir.Graph:
    r"""The graph of ``nets`` side by side, with the class of their summed logits as the result.

    .. math:: v_j = \sum_m \sum_t \Big( b^m_j + \sum_i w^m_{ji} s^m_i(t) \Big)

    Populations of member m are called ``netm-NAME``; input and readout are shared. A readout has one scale: the
    members' classifiers are rounded on the coarsest of theirs, so that all logits count alike. Everything else is the
    members' own, integer for integer.

    Parameters
    ----------
    nets : sequence of SpikingGraphNet
        Quantised, of one input, T and set of classes. Two or more; they are not changed.
    meta : dict, optional
        Attributes to carry.

    Raises
    ------
    ConfigError
        When they are fewer than two, or do not fit together.
    GraphError
        When one of them has no integer graph.
    """
    _check(nets)
    scale = _common_scale(nets)
    populations: list[ir.Population] = []
    synapses: list[ir.Synapse] = []
    readout: ir.Population | None = None
    for number, net in enumerate(nets, 1):
        own = net.readout.neuron.units
        net.readout.neuron.rescale(scale)
        try:
            graph = to_graph(net)
        finally:
            net.readout.neuron.rescale(own)
        names = {p.name: f"net{number}-{p.name}" for p in graph.populations[1:-1]}
        names |= {graph.input.name: graph.input.name, graph.output.name: graph.output.name}
        populations += [graph.input] if not populations else []
        populations += [replace(p, name=names[p.name]) for p in graph.populations[1:-1]]
        synapses += [replace(s, name=f"net{number}-{s.name}", target=names[s.target],
                             sources=tuple(names[source] for source in s.sources)) for s in graph.synapses]
        readout = graph.output if readout is None else replace(readout, bias=_sum(readout.bias, graph.output.bias))
    assert readout is not None and readout.name == READOUT
    units = graph.meta[ir.LOGIT_SCALE] * len(nets)
    return ir.Graph((*populations, readout), tuple(synapses), nets[0].config.time_steps,
                    {**(meta or {}), ir.LOGIT_SCALE: units})


def _check(nets: Sequence[SpikingGraphNet]) -> None:
    if len(nets) < 2:
        raise ConfigError("an ensemble needs two networks or more", got=str(len(nets)))
    first = nets[0]
    for number, net in enumerate(nets, 1):
        if not net.quantized:
            raise ConfigError("only quantised networks have integers", where=f"network {number}", got="floating point")
        for what, here, there in (("input", net.input_shape, first.input_shape),
                                  ("T", net.config.time_steps, first.config.time_steps),
                                  ("number of classes", net.data.classes, first.data.classes)):
            if here != there:
                raise ConfigError(f"these networks differ in their {what}", where=f"network {number}", got=str(here),
                                  allowed=str(there), fix="train them alike")


def _common_scale(nets: Sequence[SpikingGraphNet]) -> int:
    """Weight units per logit: the members' smallest, or less where the sum of their logits would not fit."""
    scale = min(net.readout.neuron.units for net in nets)
    while sum(net.readout.largest_voltage(scale, net.config.time_steps) for net in nets) > VTH_MAX and scale > 1:
        scale //= 2
    return scale


def _sum(left: np.ndarray | None, right: np.ndarray | None) -> np.ndarray | None:
    if left is None or right is None:
        return right if left is None else left
    return left + right
