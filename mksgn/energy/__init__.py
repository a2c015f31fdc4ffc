"""Energy and time of the events of a run: the paper's formula, why counts differ from it, and cost models."""

from mksgn.energy.paper import (
    E_AC_PJ,
    E_MAC_PJ,
    CountedEnergy,
    PaperEnergy,
    SynapseOps,
    counted_energy_mj,
    events_energy_mj,
    paper_energy_mj,
)

__all__ = ["E_AC_PJ", "E_MAC_PJ", "CountedEnergy", "PaperEnergy", "SynapseOps", "counted_energy_mj", "events_energy_mj",
           "paper_energy_mj"]
