"""The paper's theoretical energy (Zheng et al., MK-SGN, Eq. 33-37), and the energy of the events that were counted.

.. math::

    SOPs(l) = r_l \\; T \\; FLOPs(l)                                           \\qquad (33)

    E = E_{MAC} \\, FLOPs(1) + E_{AC} \\sum_{l \\ge 2} SOPs(l)                 \\qquad (34)

with r_l the firing rate of the population that feeds layer l. Equation 34 is printed for Base-SGN. Equation 35,
for MK-SGN, is the same sum over the layers that MK-SGN has; its :math:`n_m` first layers, one for each modality,
are the synapses here that read the graded input. Equations 36 and 37 are the two terms, with
:data:`E_MAC_PJ` and :data:`E_AC_PJ`. Two things make this an estimate:
FLOPs(l) counts borders, zero weights and absent edges as if they were met, and layer 1 is paid
once although its graded input is presented, and multiplied, at each of the T steps (PCM, the paper's Eq. 3).
Of an attention as printed (Eq. 10) it knows the spikes of Q, K and V alone, and FLOPs(l) for each of the three; its
graded messages and multiplications are in the counted energy only.
Both versions of layer 1 are returned, under names that say which is which.
"""

from __future__ import annotations

from dataclasses import dataclass

from mksgn.counts import Counts
from mksgn.errors import ConfigError
from mksgn.ir import Graph
from mksgn.ir.streaming import dense_macs

E_MAC_PJ = 4.6
"""Energy of a 32-bit floating-point multiply-accumulate at 45 nm, pJ: 3.7 (multiply) + 0.9 (add).
M. Horowitz, "Computing's energy problem (and what we can do about it)", ISSCC 2014, Fig. 1.1.9,
as taken by the paper (Eq. 36)."""
E_PRODUCT_PJ = 3.7
"""Energy of a 32-bit floating-point multiplication at 45 nm, pJ (same source): one of a product neuron."""
E_AC_PJ = 0.9
"""Energy of a 32-bit floating-point addition at 45 nm, pJ (same source; the paper's Eq. 37)."""
_MJ_PER_PJ = 1e-9


@dataclass(frozen=True)
class SynapseOps:
    """One synapse under the paper's formula and as counted; every number is per sample.

    Parameters
    ----------
    name : str
    graded : bool
        Whether it reads the graded input: the paper's layer 1, whose operations are MACs.
    flops : int
        FLOPs(l) of one step; a `concat` of n sources counts the dense operation n times.
    rate : float
        Mean rate of what it reads: spikes (non-zero messages) per source neuron and step.
    theoretical_sops : float
        The paper's Eq. 33, rate x T x FLOPs; 0 for layer 1, which the paper pays as MACs.
    counted_synops, counted_macs : float
        Counted: non-zero weights met by spikes, and by graded messages (all T steps).
    """

    name: str
    graded: bool
    flops: int
    rate: float
    theoretical_sops: float
    counted_synops: float
    counted_macs: float


@dataclass(frozen=True)
class PaperEnergy:
    """Theoretical energy of one sample by the paper's Eq. 34 and 35.

    Parameters
    ----------
    rows : tuple of SynapseOps
    first_layer_macs : int
        FLOPs of the graded first layer, once, as Eq. 34 counts them.
    first_layer_macs_all_steps : int
        The same times T: the dense multiplications of presenting the input at every step.
    sops : float
        Sum of SOPs(l) over all other layers.
    energy_mj : float
        Eq. 34 as printed: the figure to hold against the paper's tables.
    energy_all_steps_mj : float
        Eq. 34 with the first layer paid at each of the T steps, as a chip does it.
    """

    rows: tuple[SynapseOps, ...]
    first_layer_macs: int
    first_layer_macs_all_steps: int
    sops: float
    energy_mj: float
    energy_all_steps_mj: float


@dataclass(frozen=True)
class CountedEnergy:
    """Energy of the events counted in a run, per sample, with the paper's energy per operation.

    Parameters
    ----------
    macs, synops : float
        Non-zero weights met by graded messages (all T steps) and by spikes.
    products : float
        Multiplications of product neurons, in an attention as printed.
    energy_mj : float
        4.6 pJ x macs + 0.9 pJ x synops + 3.7 pJ x products.
    """

    macs: float
    synops: float
    products: float
    energy_mj: float


class PaperFormula:
    """The paper's Eq. 33-37 of one network: its FLOPs, worked out once, priced with the firing rates of any run.

    Parameters
    ----------
    graph : Graph
        Of a clip, or streamed: both have the same figures, a rate being one of the steps at which a neuron works.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._flops = {synapse.name: dense_macs(graph, synapse) for synapse in graph.synapses}

    def energy(self, counts: Counts) -> PaperEnergy:
        """Energy with the firing rates of ``counts``, a run of this graph over at least one sample.

        Raises
        ------
        ConfigError
            When no sample was run, or the counts are of another graph.
        """
        _samples(counts)
        spikes, synops, macs = counts.spikes, counts.synops, counts.macs
        lattice = self.graph.input.lattice
        steps = counts.steps if lattice is None else lattice.length
        rows = []
        for synapse in self.graph.synapses:
            missing = [n for n in synapse.sources if n not in spikes]
            if missing or synapse.name not in synops or synapse.name not in macs:
                raise ConfigError("the counts are not of this graph", where=f"synapse {synapse.name!r}",
                                  got=f"no counts of {', '.join(missing) or synapse.name}",
                                  fix="count a run of this graph")
            flops_one = self._flops[synapse.name]
            rates = [_rate(self.graph, counts, name) for name in synapse.sources]
            graded = self.graph[synapse.sources[0]].message_bits > 0
            sops = 0.0 if graded else sum(rates) * steps * flops_one
            rows.append(SynapseOps(synapse.name, graded, flops_one * len(rates), sum(rates) / len(rates), sops,
                                   synops[synapse.name] / counts.samples, macs[synapse.name] / counts.samples))
        first = sum(row.flops for row in rows if row.graded)
        total = sum(row.theoretical_sops for row in rows)
        return PaperEnergy(
            rows=tuple(rows), first_layer_macs=first, first_layer_macs_all_steps=first * steps, sops=total,
            energy_mj=(E_MAC_PJ * first + E_AC_PJ * total) * _MJ_PER_PJ,
            energy_all_steps_mj=(E_MAC_PJ * first * steps + E_AC_PJ * total) * _MJ_PER_PJ,
        )


def paper_energy_mj(graph: Graph, counts: Counts) -> PaperEnergy:
    """The paper's Eq. 33-37 with the firing rates of a run.

    Parameters
    ----------
    graph : Graph
        Of a clip, or streamed: both have the same figures, a rate being one of the steps at which a neuron works.
    counts : Counts
        Counts of a run of this graph, over at least one sample.

    Raises
    ------
    ConfigError
        When no sample was run, or the counts are of another graph.
    """
    return PaperFormula(graph).energy(counts)


def counted_energy_mj(counts: Counts) -> CountedEnergy:
    """Energy of the counted events of one sample (mean over the run's samples).

    Raises
    ------
    ConfigError
        When no sample was run.
    """
    samples = _samples(counts)
    macs = sum(counts.macs.values()) / samples
    synops = sum(counts.synops.values()) / samples
    products = sum(counts.products.values()) / samples
    return CountedEnergy(macs, synops, products, events_energy_mj(macs, synops, products))


def events_energy_mj(macs: float, synops: float, products: float = 0.0) -> float:
    """Energy of so many multiply-accumulates and accumulates at the paper's prices (Eq. 36 and 37), in mJ.

    ``products`` are multiplications alone, at the price that is left of a multiply-accumulate.
    """
    return (E_MAC_PJ * macs + E_AC_PJ * synops + E_PRODUCT_PJ * products) * _MJ_PER_PJ


def _rate(graph: Graph, counts: Counts, name: str) -> float:
    """Mean spikes of a population per neuron and step at which it works."""
    lattice = graph[name].lattice
    if lattice is None:
        return counts.rate(name)
    steps = counts.neurons[name] * lattice.frames_apart * lattice.length * counts.samples
    return counts.spikes[name] / max(steps, 1)


def _samples(counts: Counts) -> int:
    if counts.samples < 1:
        raise ConfigError("energy per sample needs at least one sample", got="0 samples", fix="run samples first")
    return counts.samples
