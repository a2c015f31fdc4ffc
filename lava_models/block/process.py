"""A part of a spiking graph, with one entry and one exit, as one Lava Process."""

from __future__ import annotations

from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var

from mksgn.counts.step_tally import entries
from mksgn.ir.partition import Part

RECORDS = ("none", "spikes", "states")


class Block(AbstractProcess):
    r"""Populations and synapses of a graph, each hop taking one step, as the same network of stock Processes does.

    Ports (Lava's order: (V, F, C)):

    - ``s_in``: messages of the part's input population; ``s_out``: spikes of its last population;
    - ``bits``: spikes of all its populations in topological order, each (F, V, C), eight to a byte
      (``numpy.packbits``); ``u_all``, ``v_all``: their states, int32. Zero unless recorded.

    Vars:

    - ``v``: v of the last population, (V, F, C): a readout's result;
    - ``counted``: events counted in the Process itself, int64 (samples, entries), its columns those of
      :func:`mksgn.counts.step_tally.entries`: spikes, updates that changed a neuron, weights that spikes met, and
      what happened inside an attention;
    - ``sums``: of a part that ``adds_up``, spikes of its neurons, active updates, synaptic operations and MACs so far.

    Parameters
    ----------
    part : Part
    name : str, optional

    Raises
    ------
    ValueError
        When ``part.record`` is unknown.
    """

    def __init__(self, *, part: Part, name: str | None = None) -> None:
        if part.record not in RECORDS:
            raise ValueError(f"Block: record must be one of {', '.join(RECORDS)}, got {part.record!r}")
        super().__init__(part=part, name=name)
        neurons = part.neurons
        self.s_in = InPort(shape=part.graph.input.shape[::-1])
        self.s_out = OutPort(shape=part.graph.output.shape[::-1])
        self.bits = OutPort(shape=((neurons + 7) // 8,))
        self.u_all = OutPort(shape=(neurons,))
        self.v_all = OutPort(shape=(neurons,))
        self.v = Var(shape=part.graph.output.shape[::-1], init=0)
        self.counted = Var(shape=(max(part.samples, 1), len(entries(part.graph))), init=0)
        self.sums = Var(shape=(4,), init=0)
