"""The record of a run: everything that benchmarks/energy.py prints, writes and draws, as JSON-ready data.

Its sections are those of :class:`mksgn.report.schema.Record`. Numbers are means per sample, over all T steps.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from mksgn.counts import Counts
from mksgn.data.selection import Selection
from mksgn.energy.costs import CostModel, cost_models, load_cost_model
from mksgn.energy.work import CoreWork
from mksgn.errors import ConfigError
from mksgn.ir import Graph
from mksgn.mapping import Board, Placement, place
from mksgn.report.counted_rows import layer_rows, paper, population_rows, synapse_rows, totals
from mksgn.report.modelled_rows import cost_row, layer_shares, mapping_section
from mksgn.report.network_names import title
from mksgn.report.provenance import hardware, versions
from mksgn.report.run_file import accuracy
from mksgn.report.schema import Confusion, CountedAndPriced, Example, Net, Record, Run, Samples
from mksgn.run.backend import RunResult


def make_record(net: Net, run: Run, graph: Graph, counts: Counts, placement: Placement, models: Iterable[CostModel],
                selection: Selection, predictions: np.ndarray, example: Example | None) -> Record:
    """Everything there is to say of a run.

    Parameters
    ----------
    net : Net
        See :func:`net_section`.
    run : Run
        How, where and on what.
    graph : Graph
    counts : Counts
        With messages by neuron (``sent``), which pricing the cores needs.
    placement : Placement
        Of ``graph``.
    models : iterable of CostModel
    selection : Selection
        The samples that ran.
    predictions : int64 ndarray (N,)
    example : Example or None
        See :func:`example_section`.

    Returns
    -------
    Record
        Without the sections for which the samples say too little: ``confusion``, ``example``.
    """
    record: Record = {
        "net": net, "run": run, **counted_and_priced(graph, counts, placement, models),
        "mapping": mapping_section(placement, work_of(placement, counts)),
        "samples": samples_section(selection, counts, predictions),
    }
    table = confusion_section(selection, predictions)
    if table is not None:
        record["confusion"] = table
    if example is not None:
        record["example"] = example
    return record


def counted_and_priced(graph: Graph, counts: Counts, placement: Placement,
                       models: Iterable[CostModel]) -> CountedAndPriced:
    """The sections of events and energies; parameters as of :func:`make_record`."""
    work = work_of(placement, counts)
    shares = layer_shares(placement, graph, counts)
    populations, synapses = population_rows(graph, counts), synapse_rows(graph, counts)
    return {"totals": totals(graph, counts), "populations": populations, "synapses": synapses,
            "layers": layer_rows(graph, populations, synapses), "paper": paper(graph, counts),
            "cost_models": [cost_row(model, model.price(work), shares) for model in models]}


def work_of(placement: Placement, counts: Counts) -> CoreWork:
    """What one sample makes each core do."""
    active = {name: number / counts.samples for name, number in counts.active.items()}
    return placement.work(counts.activity(), active)


def net_section(graph: Graph, path: Path, class_names: Iterable[str], steps: int) -> Net:
    """What ran: the file by its name and folder, and what it says of itself.

    Raises
    ------
    NetFileError
        When the recipe in the file cannot be read.
    """
    return {"name": "/".join(path.resolve().parts[-2:]), "title": title(graph.meta, str(path)),
            "preset": graph.meta.get("preset"), "classes": list(class_names), "time_steps": steps, "parameters": None,
            "commit": graph.meta.get("commit")}


def run_section(command: str, backend: str, selection: Selection, predictions: np.ndarray, seconds: float,
                now: datetime.datetime) -> Run:
    """How, where and on what a net ran; ``now`` is in UTC."""
    right = accuracy(selection, predictions)
    return {"command": command, "backend": backend, "samples": len(selection),
            "date": now.strftime("%Y-%m-%d %H:%M UTC"), "hardware": hardware(), "versions": versions(),
            "seconds": seconds, "data": Path(selection.data).name, "split": selection.split,
            "accuracy": right["accuracy"], "subsets": right["subsets"]}


def find_models(names: Iterable[str]) -> list[CostModel]:
    """Cost models by name or file; without names all that come with the package.

    Raises
    ------
    ConfigError
        When a file cannot be read or is no cost model.
    """
    known = cost_models()
    found = [known[name] if name in known else load_cost_model(Path(name)) for name in names]
    return found or list(known.values())


def check_fits(graph: Graph, target: Board, net: str, steps: int | None = None) -> None:
    """Raise :class:`ConfigError` where ``net``, whose graph this is, does not fit on a board in any way.

    ``steps``: per sample, for a net without a number of its own.
    """
    problems = place(graph, target, objective="cores", steps=steps).problems
    if problems:
        raise ConfigError("the network does not fit on this board", where=f"{net} on {target.name}",
                          got="; ".join(f"{p.where}: {p.limit} {p.used:,}" for p in problems),
                          allowed="; ".join(f"{p.limit} {p.allowed:,}" for p in problems),
                          fix=" ".join(p.change for p in problems))


def shown_example(graph: Graph, selection: Selection, predictions: np.ndarray,
                  run: Callable[[np.ndarray], RunResult]) -> Example | None:
    """The sample that the page plays; ``run`` runs it alone, in the emulator, with its spikes recorded."""
    number = example_number(selection, predictions)
    return example_section(graph, selection, number, run(selection.x[number:number + 1]))


def example_number(selection: Selection, predictions: np.ndarray) -> int:
    """Which sample the page plays: the first that was recognised, else the first."""
    right = np.flatnonzero(predictions == selection.labels)
    return int(right[0]) if right.size else 0


def samples_section(selection: Selection, counts: Counts, predictions: np.ndarray) -> Samples:
    """Synaptic operations of each sample, and whether it was recognised."""
    operations = np.sum(list(counts.sample_synops.values()), axis=0)
    known = bool((selection.labels >= 0).all())
    return {"synops": operations.astype(float).tolist(),
            "correct": (predictions == selection.labels).tolist() if known else []}


def confusion_section(selection: Selection, predictions: np.ndarray) -> Confusion | None:
    """Samples of class i taken for class j; None without labels."""
    known = selection.labels >= 0
    if not known.any():
        return None
    size = len(selection.class_names)
    matrix = np.zeros((size, size), np.int64)
    np.add.at(matrix, (selection.labels[known], predictions[known]), 1)
    return {"labels": list(selection.class_names), "matrix": matrix.tolist()}


def example_section(graph: Graph, selection: Selection, number: int, result: RunResult) -> Example | None:
    """One sample as the network sees it, and the spikes of its run; None where the input is no skeleton.

    Parameters
    ----------
    number : int
        Of the sample in ``selection``.
    result : RunResult
        Of that sample alone, with recorded spikes.
    """
    x = selection.x[number]
    if x.shape[0] < 3 or "edges" not in graph.meta:
        return None
    names = selection.class_names
    label = int(selection.labels[number])
    return {
        "name": selection.names[number], "label": names[label] if label >= 0 else None,
        "prediction": names[int(result.predictions[0])], "sample": number,
        "edges": np.asarray(graph.meta["edges"]).reshape(-1, 2).tolist(),
        "skeleton": x[:3].transpose(1, 2, 0).astype(float).tolist(),
        "raster": {name: spikes[0].sum(axis=(2, 3), dtype=np.int64).tolist() for name, spikes in result.spikes.items()
                   if spikes.shape[2] > 1},
    }
