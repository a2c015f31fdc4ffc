"""How large the numbers of a population can become, and what Lava's widths then do to them."""

from __future__ import annotations

import numpy as np

from mksgn.errors import DataError
from mksgn.ir import Graph, Population
from mksgn.ir.bounds import INPUT_LIMIT, input_bound
from mksgn.ir.graph import DECAY_UNITY, STATE_MAX, STATE_SHIFT

SCALE = 1 << STATE_SHIFT
"""From weight units to those of u and v."""
INT32 = 1 << 31


class Ranges:
    """The neurons of one population.

    Parameters
    ----------
    population : Population
    bound : int
        Bound of the absolute summed synaptic input.

    Attributes
    ----------
    keep_u, keep_v : int
        What a step leaves of the states, of 4096.
    threshold : int
        In the units of v.
    readout : bool
        Nothing may reach the threshold.
    limited : int
        ``bound``, or the limit at which a larger sum is an error.
    u_bound : int
        Bound of the absolute current.
    wraps, overflows, clips : bool
        Whether u can reach the place where it wraps, u can leave 32 bits nevertheless, and v can reach its limit.
    """

    def __init__(self, population: Population, bound: int) -> None:
        neuron, bias = population.neuron, population.bias
        assert neuron is not None
        self.population, self.bound = population, bound
        self.keep_u, self.keep_v = DECAY_UNITY - neuron.current_decay, DECAY_UNITY - neuron.voltage_decay
        self.threshold = neuron.vth * SCALE
        self.readout = population.role == "readout"
        self.limited = min(bound, INPUT_LIMIT)
        self.u_bound = _steady(self.limited * SCALE, self.keep_u)
        self.wraps = self.u_bound >= STATE_MAX
        # A current that hardly decays adds up enormous inputs: it wraps once a step, and may still leave 32 bits.
        self.overflows = self.wraps and self.keep_u > 0 and self.u_bound >= INT32
        bias_bound = 0 if bias is None else SCALE * int(np.abs(bias.astype(np.int64)).max(initial=0))
        self.clips = self.wraps or _steady(self.u_bound + bias_bound, self.keep_v) >= STATE_MAX

    def check_input(self, largest: int) -> None:
        """Raise :class:`DataError` where the largest absolute input overflows Lava's 32-bit arithmetic."""
        if largest >= INPUT_LIMIT:
            raise DataError("synaptic input overflows", where=f"population {self.population.name!r}",
                            got=str(largest), allowed=f"below {INPUT_LIMIT}",
                            fix="use smaller messages, smaller weights or fewer inputs")

    def check_current(self, step: int, largest: int) -> None:
        """Raise :class:`DataError` where the largest absolute current leaves 32 bits."""
        if largest >= INT32:
            raise DataError("a synaptic current overflows Lava's 32 bits",
                            where=f"population {self.population.name!r}, step {step}", got=str(largest),
                            allowed=f"below {INT32}", fix="use smaller weights or messages, or a current that decays")

    def check_readout(self, step: int, largest: int, smallest: int) -> None:
        """Raise :class:`DataError` where v of a readout leaves its range.

        On the chip this readout would spike, or lose what it cannot hold.
        """
        if largest > self.threshold or (self.clips and smallest == 1 - STATE_MAX):
            raise DataError("a readout left its range", where=f"population {self.population.name!r}, step {step}",
                            got=str(max(largest, -smallest) // SCALE), allowed=f"up to {self.threshold // SCALE}",
                            fix="export with smaller readout weights")


def ranges_of(graph: Graph) -> dict[str, Ranges]:
    """The ranges of every population that has neurons, by name."""
    found = {}
    for population in graph.populations[1:]:
        bound = sum(input_bound(graph, synapse) for synapse in graph.into(population.name))
        found[population.name] = Ranges(population, bound)
    return found


def _steady(added: int, keep: int) -> int:
    """Bound of a state that keeps keep/4096 and gains at most ``added`` each step, for ever."""
    if added == 0:
        return 0
    return 1 << 62 if keep == DECAY_UNITY else -(-added * DECAY_UNITY // (DECAY_UNITY - keep))
