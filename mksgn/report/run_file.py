"""What ``deploy/run_lava.py --json`` writes, field by field (docs/results.md), and the parts of it that a run gives.

Sections are flat: a file holds the fields of all of them side by side.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from typing_extensions import TypedDict

from mksgn.counts import Counts
from mksgn.data.selection import Selection
from mksgn.energy import counted_energy_mj, paper_energy_mj
from mksgn.ir import Graph
from mksgn.report.schema import Subset
from mksgn.run.comparison import Comparison
from mksgn.run.tensors import TensorRun
from mksgn.run.time_modes import Time


class Accuracy(TypedDict):
    """Share of the labelled samples that are right; None without labels, and ``accuracy_note`` says why."""

    accuracy: float | None
    accuracy_note: str | None
    subsets: dict[str, Subset]


class Events(TypedDict):
    """Events of a run and the energy they are modelled to take.

    ``spikes``, ``synops`` and ``macs`` are sums over the run; ``per_sample`` holds their means. Spikes are those of
    neurons: the messages of the input are counted apart. Energies are mJ per sample: by the paper's formula
    (Eq. 33-34, 45 nm), and 4.6 and 0.9 pJ for each MAC and synop that was counted. An attention as printed adds
    ``products`` to ``per_sample``, multiplications of product neurons, at 3.7 pJ each.
    """

    spikes: int
    synops: int
    macs: int
    input_messages: int
    per_sample: dict[str, float]
    mean_rate: float
    energy_mj_paper: float
    energy_mj_counted: float
    rates: dict[str, float]


ClassRow = TypedDict("ClassRow", {"class": str, "samples": int, "right": int, "accuracy": float,
                                  "taken_for": str | None, "times": int})
"""A class that has samples; ``taken_for``: what it is most often taken for, None where every sample is right."""


class Scores(TypedDict):
    """Probabilities of the classes, the best five classes of each sample, and a row per class."""

    scores: list[list[float]] | None
    scores_note: str | None
    logit_scale: int | None
    top5: list[list[int]]
    classes: list[ClassRow]


class Check(TypedDict):
    """How two backends compared: :class:`mksgn.run.comparison.Comparison`."""

    backends: list[str]
    equal: bool
    populations: int
    spikes_compared: int
    states_compared: int
    outputs_compared: int
    counts_compared: int
    differing: dict[str, int]
    first: str | None


class Origin(TypedDict):
    """What ran, where, and by what."""

    check: Check | None
    backend: str
    time: Time
    net: str
    time_steps: int | None
    versions: dict[str, str]
    commit: str


class SkeletonRun(Accuracy, Events, Scores):
    """A run of samples of a data set; one entry per sample in ``predictions``, ``labels`` and ``names``."""

    samples: int
    available: int
    predictions: list[int]
    labels: list[int | None]
    names: list[str]
    class_names: list[str]
    data: str
    data_note: str | None
    protocol: str | None
    split: str
    seconds: float


class TensorRunSections(Accuracy, Events):
    """A run of a tensor; ``windows`` 0: one stream of ``steps`` steps."""

    samples: int
    steps: int
    windows: int
    out_shape: list[int]
    input: str
    dump: str | None
    predictions: list[int]
    labels: None
    names: None
    seconds: float


class SkeletonRunFile(SkeletonRun, Origin):
    """The whole file of a run of skeletons."""


class TensorRunFile(TensorRunSections, Origin):
    """The whole file of a run of a tensor."""


RunFile = SkeletonRunFile | TensorRunFile
"""Everything that ``deploy/run_lava.py --json`` writes."""


def events(graph: Graph, counts: Counts) -> Events:
    """The section :class:`Events` of a run."""
    neurons = [population.name for population in graph.populations[1:] if population.role != "readout"]
    hidden = [population.name for population in graph.populations if population.role == "hidden"]
    spikes = sum(counts.spikes[name] for name in neurons)
    synops, macs = sum(counts.synops.values()), sum(counts.macs.values())
    sums = {"spikes": spikes, "synops": synops, "macs": macs}
    if counts.products:  # an attention as printed
        sums["products"] = sum(counts.products.values())
    return {
        "spikes": spikes, "synops": synops, "macs": macs, "input_messages": counts.spikes[graph.input.name],
        "per_sample": {key: value / counts.samples for key, value in sums.items()},
        "mean_rate": float(np.mean([counts.rate(name) for name in hidden])) if hidden else 0.0,
        "energy_mj_paper": paper_energy_mj(graph, counts).energy_mj,
        "energy_mj_counted": counted_energy_mj(counts).energy_mj,
        "rates": {name: counts.rate(name) for name in counts.spikes},
    }


def accuracy(selection: Selection, predictions: np.ndarray) -> Accuracy:
    """The section :class:`Accuracy`: of all labelled samples, and of those without a copy in the training set."""
    known = selection.labels >= 0
    right = predictions == selection.labels
    subsets: dict[str, Subset] = {}
    if selection.clean is not None:
        subsets["clean"] = {"samples": int((known & selection.clean).sum()),
                            "accuracy": _share(right[known & selection.clean])}
    return {"accuracy": _share(right[known]), "accuracy_note": selection.unlabelled or None, "subsets": subsets}


def tensor_run(graph: Graph, x: np.ndarray, ran: TensorRun, file: Path, dump: Path | None) -> TensorRunSections:
    """Everything that is said of a tensor's run: x (C, F, V, steps) from ``file``; ``dump`` holds what came out."""
    return {"accuracy": None, "accuracy_note": "a tensor has no labels", "subsets": {}, "samples": ran.counts.samples,
            "steps": x.shape[3], "windows": ran.windows, "out_shape": list(ran.out.shape),
            **events(graph, ran.counts), "input": str(file), "dump": None if dump is None else str(dump),
            "predictions": ran.predictions.tolist(), "labels": None, "names": None, "seconds": ran.seconds}


def check(comparison: Comparison | None) -> Check | None:
    """The section ``check``; None where nothing was compared."""
    if comparison is None:
        return None
    return {"backends": list(comparison.names), "equal": comparison.equal, "populations": comparison.populations,
            "spikes_compared": comparison.spikes_compared, "states_compared": comparison.states_compared,
            "outputs_compared": comparison.outputs_compared, "counts_compared": comparison.counts_compared,
            "differing": comparison.differing, "first": None if comparison.first is None else str(comparison.first)}


def _share(right: np.ndarray) -> float | None:
    return float(right.mean()) if right.size else None
