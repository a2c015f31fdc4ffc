"""What a sample takes, as one object: its events, and the energy and time that the paper's formula and models give."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rich.console import Console

from mksgn.counts import Counts
from mksgn.energy.costs import CostModel
from mksgn.ir import Graph
from mksgn.mapping import Placement
from mksgn.report.energy_tables import costs_table, layers_table, totals_table
from mksgn.report.formatting import ends
from mksgn.report.record import counted_and_priced
from mksgn.report.schema import CostModelRow, CountedAndPriced, Value

Bounds = tuple[float, float]
"""The lowest and the highest value that a model's constants allow; equal where it has no range."""


@dataclass(frozen=True)
class ModelCost:
    """One cost model's price of a sample. What a model does not say is None.

    Parameters
    ----------
    title : str
    dynamic_mj, static_mj, total_mj : (float, float)
        mJ. Static energy and the total are those of samples that stream back to back.
    latency_ms : (float, float)
        From a sample's first input to its answer, streaming.
    samples_per_s : (float, float)
    middle : dict of str to float
        The best estimate of each figure by its name, for a model that has one.
    """

    title: str
    dynamic_mj: Bounds
    static_mj: Bounds | None
    total_mj: Bounds | None
    latency_ms: Bounds | None
    samples_per_s: Bounds | None
    middle: Mapping[str, float | None] | None = None


@dataclass(frozen=True)
class EnergyEstimate:
    """Events, energy and time of a sample, mean over a run. Events are counted, all else is modelled; none is measured.

    ``print`` shows it as the tables of ``benchmarks/energy.py``.

    Parameters
    ----------
    spikes, synops, macs : float
        Spikes of neurons; weights that spikes met; the same for the graded input.
    updates_active, updates_idle : float
        Neuron updates that changed something, and those that did not.
    paper_mj : float
        The paper's formula (Eq. 34), mJ.
    models : dict of str to ModelCost
    board : str
    cores, chips : int
        What the network takes there.
    sections : CountedAndPriced
        The same, by population, synapse and layer.
    """

    spikes: float
    synops: float
    macs: float
    updates_active: float
    updates_idle: float
    paper_mj: float
    models: dict[str, ModelCost]
    board: str
    cores: int
    chips: int
    sections: CountedAndPriced

    def __str__(self) -> str:
        out = io.StringIO()
        console = Console(file=out, width=200, color_system=None, highlight=False)
        tables = (layers_table(self.sections["layers"]), totals_table(self.sections["totals"], self.sections["paper"]),
                  costs_table(self.sections["paper"], self.sections["cost_models"]))
        for table in tables:
            console.print(table)
            console.print()
        lines = [line.rstrip() for line in out.getvalue().splitlines()]
        return "\n".join([*lines, f"{self.board}: {self.cores:,} cores on {self.chips:,} chips (modelled)"])

    def __repr__(self) -> str:
        return (f"EnergyEstimate(synops={self.synops:.0f}, macs={self.macs:.0f}, paper_mj={self.paper_mj:.4g}, "
                f"models={list(self.models)})")


def estimate(graph: Graph, counts: Counts, placement: Placement, models: Iterable[CostModel]) -> EnergyEstimate:
    """The estimate of a run.

    Parameters
    ----------
    graph : Graph
    counts : Counts
        With messages by neuron (``sent``), which pricing the cores needs.
    placement : Placement
        Of ``graph``.
    models : iterable of CostModel
    """
    sections = counted_and_priced(graph, counts, placement, models)
    totals = sections["totals"]
    return EnergyEstimate(
        totals["spikes"], totals["synops"], totals["macs"], totals["updates_active"], totals["updates_idle"],
        sections["paper"]["energy_mj"], {row["name"]: _cost(row) for row in sections["cost_models"]},
        placement.board.name, placement.packing.cores, placement.chips, sections)


def _cost(row: CostModelRow) -> ModelCost:
    return ModelCost(row["title"], ends(row["dynamic_mj"]), _known(row["static_mj"]), _known(row["total_mj"]),
                     _known(row["latency_ms"]), _known(row["samples_per_s"]), row.get("middle"))


def _known(value: Value | None) -> Bounds | None:
    return None if value is None else ends(value)
