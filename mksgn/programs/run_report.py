"""What a run is reported as: tables for the terminal, one dictionary for JSON."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from typing import Any

import numpy as np
from rich.table import Table

from mksgn import __version__, processor
from mksgn.counts import Counts
from mksgn.energy import counted_energy_mj, paper_energy_mj
from mksgn.ir import Graph
from mksgn.programs.samples import Selection
from mksgn.run.execution import Agreement

ROWS = 20
_PACKAGES = ("lava-nc", "lava-dl", "torch", "numpy")
SIMULATED = "CPU simulation; nothing here was measured on a Loihi chip"


def events(graph: Graph, counts: Counts) -> dict[str, Any]:
    """Events of a run and the energy they are modelled to take.

    ``spikes``, ``synops`` and ``macs`` are sums over the run; ``per_sample`` holds their means. Spikes are
    those of neurons: the messages of the input are counted apart. Energies are mJ per sample: by the
    paper's formula (Eq. 33-34, 45 nm), and 4.6 and 0.9 pJ for each MAC and synop that was counted.
    """
    neurons = [population.name for population in graph.populations[1:] if population.role != "readout"]
    hidden = [population.name for population in graph.populations if population.role == "hidden"]
    sums = {"spikes": sum(counts.spikes[name] for name in neurons), "synops": sum(counts.synops.values()),
            "macs": sum(counts.macs.values())}
    return {
        **sums, "input_messages": counts.spikes[graph.input.name],
        "per_sample": {key: value / counts.samples for key, value in sums.items()},
        "mean_rate": float(np.mean([counts.rate(name) for name in hidden])) if hidden else 0.0,
        "energy_mj_paper": paper_energy_mj(graph, counts).energy_mj,
        "energy_mj_counted": counted_energy_mj(counts).energy_mj,
        "rates": {name: counts.rate(name) for name in counts.spikes},
    }


def accuracy(selection: Selection, predictions: np.ndarray) -> dict[str, Any]:
    """``accuracy`` (None without labels) and ``subsets``, name to number of labelled samples and accuracy."""
    known = selection.labels >= 0
    right = predictions == selection.labels
    subsets = {}
    if selection.clean is not None:
        subsets["clean"] = {"samples": int((known & selection.clean).sum()),
                            "accuracy": _share(right[known & selection.clean])}
    return {"accuracy": _share(right[known]), "accuracy_note": selection.unlabelled or None, "subsets": subsets}


def comparison(agreement: Agreement | None) -> dict[str, Any] | None:
    """The ``check`` entry of the JSON."""
    if agreement is None:
        return None
    return {"backends": list(agreement.names), "equal": agreement.equal, "populations": agreement.populations,
            "spikes_compared": agreement.spikes_compared, "states_compared": agreement.states_compared,
            "outputs_compared": agreement.outputs_compared, "counts_compared": agreement.counts_compared,
            "differing": agreement.differing,
            "first": agreement.first or None}


def versions() -> dict[str, str]:
    """What computed the result."""
    found = {"mksgn": __version__, "python": platform.python_version(), "platform": platform.platform()}
    return {**found, **{name: importlib.metadata.version(name) for name in _PACKAGES}}


def hardware() -> dict[str, Any]:
    """The machine: its processor, with the instructions that matter, and cores."""
    return {"cpu": processor.describe(), "cpu_count": os.cpu_count()}


def events_table(measured: dict[str, Any], samples: int, stream: bool = False) -> Table:
    """Spikes, operations, mean firing rate of the hidden populations, and energies; per sample or for a stream."""
    table = Table(box=None, pad_edge=False, header_style="")
    table.add_column("", no_wrap=True)
    table.add_column("in this stream" if stream else "per sample", justify="right", no_wrap=True)
    table.add_column("" if stream else f"mean of {samples}")
    mean = measured["per_sample"]
    rows = (
        ("spikes", f"{mean['spikes']:,.0f}", f"counted; firing rate {measured['mean_rate']:.4f}"),
        ("synops", f"{mean['synops']:,.0f}", "counted: a spike meets a non-zero weight"),
        ("MACs", f"{mean['macs']:,.0f}", "counted: the same for the graded input"),
        ("energy, mJ", f"{measured['energy_mj_paper']:.6f}", "modelled, Eq. 33-37, 45 nm (the paper's)"),
        ("energy, mJ", f"{measured['energy_mj_counted']:.6f}", "modelled, counted events, 45 nm"),
    )
    for row in rows:
        table.add_row(*row)
    return table


def accuracy_line(result: dict[str, Any], selection: Selection) -> str:
    """One line on the accuracy, or on why there is none."""
    if result["accuracy"] is None:
        return f"accuracy: none, {selection.unlabelled}"
    known = int((selection.labels >= 0).sum())
    line = f"accuracy {result['accuracy']:.2%} on {known} samples"
    for name, subset in result["subsets"].items():
        if subset["accuracy"] is not None:
            line += f", {name} subset {subset['accuracy']:.2%} on {subset['samples']}"
    return line


def check_lines(agreement: Agreement) -> list[str]:
    """What was compared, and how it came out."""
    left, right = agreement.names
    compared = f"{agreement.spikes_compared:,} spikes"
    if agreement.states_compared:
        compared += f", {agreement.states_compared:,} states"
    compared += f", {agreement.outputs_compared:,} outputs, {agreement.counts_compared:,} event counts"
    lines = [f"check: {left} against {right}, {agreement.populations} populations, {compared} compared: "
             + ("0 differ" if agreement.equal else f"{sum(agreement.differing.values()):,} differ")]
    if not agreement.equal:
        lines.append(f"first difference: {agreement.first}")
        lines += [f"  {count:,} in {where}" for where, count in list(agreement.differing.items())[:ROWS]]
    return lines


def _share(right: np.ndarray) -> float | None:
    return float(right.mean()) if right.size else None
