"""Energy of memory accesses and addressing, after Lemaire et al. 2022.

E. Lemaire, L. Cordone, A. Castagnetti, P.-E. Novac, J. Courtois, B. Miramond, "An Analytical Estimation of
Spiking Neural Networks Energy Efficiency", ICONIP 2022, arXiv 2210.13107. Their counts for a layer, with theta
the spikes of a sample that enter (in) or leave (out) it and N its neurons, and what they are here. The equation
numbers are those of Lemaire et al.:

===================  ==================================  =========================================
term                 Lemaire et al.                      here, for one core
===================  ==================================  =========================================
read inputs          theta_in               (Eq. 5)      messages_in
read weights         theta_in x fan-out     (Eq. 7, 8)   synops + macs
read biases          N per step             (Eq. 7, 8)   updates
read potentials      theta_in x fan-out + N (Eq. 9, 10)  synops + macs + updates
write potentials     the same               (Eq. 14, 15) the same
write outputs        theta_out              (Eq. 13)     spikes
addressing           2 MAC per spike, and an addition    address_message per message in, and
                     per weight met (Eq. 16, 17)         address_synop per synop and mac
===================  ==================================  =========================================

Their fan-out is that of the dense kernel; ours is what the spike really met. An access moves one value; the
energy of an access grows with the size of the memory: the figures of Horowitz 2014 for 8 KiB, 32 KiB and 1 MiB,
with straight lines between them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from mksgn.energy.costs.quantity import Range
from mksgn.energy.work import CoreWork

SRAM_SIZES = (8 << 10, 32 << 10, 1 << 20)
"""Sizes, in bytes, of the memories whose access energy Horowitz 2014 gives."""


@dataclass(frozen=True)
class Access:
    """Constants of the memory model.

    Parameters
    ----------
    sram_8kib, sram_32kib, sram_1mib : Range
        Energy of one access to a memory of that size, pJ.
    weight_memory : Range
        Bytes of a core's weight memory, which does not shrink when less of it is used.
    state_per_neuron : Range
        Bytes of state per neuron; the potentials' memory is that of the core's neurons.
    queue_memory : Range
        Bytes of the queues that messages are read from and written to.
    address_synop, address_message : Range
        Energy of computing the address of a weight met, and of a message's first target, pJ.
    """

    sram_8kib: Range
    sram_32kib: Range
    sram_1mib: Range
    weight_memory: Range
    state_per_neuron: Range
    queue_memory: Range
    address_synop: Range
    address_message: Range

    def access_pj(self, size: np.ndarray) -> np.ndarray:
        """Energy of one access to memories of ``size`` bytes.

        Linear between the three sizes; an 8 KiB memory's below 8 KiB, and the last line continued above 1 MiB.

        Parameters
        ----------
        size : ndarray (3, ...)
            Lower bound, middle and upper bound of each size.

        Returns
        -------
        float64 ndarray (3, ...)
            The same in pJ.
        """
        points = np.stack([self.sram_8kib.values, self.sram_32kib.values, self.sram_1mib.values])
        energies = []
        for bound, sizes in enumerate(np.asarray(size, dtype=np.float64)):
            slope = (points[2, bound] - points[1, bound]) / (SRAM_SIZES[2] - SRAM_SIZES[1])
            beyond = np.maximum(sizes - SRAM_SIZES[2], 0) * max(slope, 0)
            energies.append(np.interp(sizes, SRAM_SIZES, points[:, bound]) + beyond)
        return np.stack(energies)

    def terms_pj(self, work: CoreWork) -> dict[str, np.ndarray]:
        """Energy of one sample by term and core, float64 (3, cores) in pJ: lower bound, middle and upper bound."""
        updates = work.updates_active + work.updates_idle
        met = work.synops + work.macs
        weight = self.access_pj(self.weight_memory.values)[:, None]
        state = self.access_pj(self.state_per_neuron.values[:, None] * work.neurons)
        queue = self.access_pj(self.queue_memory.values)[:, None]
        return {
            "weight reads": weight * met,
            "bias reads": state * updates,
            "state reads": state * (met + updates),
            "state writes": state * (met + updates),
            "queue reads": queue * work.messages_in,
            "queue writes": queue * work.spikes,
            "addressing": (self.address_synop.values[:, None] * met
                           + self.address_message.values[:, None] * work.messages_in),
        }


ACCESS_UNITS = {field.name: "pJ" for field in fields(Access)} | dict.fromkeys(
    ("weight_memory", "state_per_neuron", "queue_memory"), "B")
"""Units of the constants in a table's section ``access``."""
