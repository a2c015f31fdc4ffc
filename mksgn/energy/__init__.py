"""Counting events and turning them into energy."""

from mksgn.energy.paper import (
    E_AC_PJ,
    E_MAC_PJ,
    CountedEnergy,
    PaperEnergy,
    SynapseOps,
    counted_energy_mj,
    paper_energy_mj,
)

__all__ = ["E_AC_PJ", "E_MAC_PJ", "CountedEnergy", "PaperEnergy", "SynapseOps", "counted_energy_mj", "paper_energy_mj"]
