"""A row of accuracy.py: plain values of a finished run, measured anew from its files.

Fields of a row, all JSON values; None where a network has no such figure:

    network         as the paper names it: MK-SGN, Base-SGN, Spikformer, Spike-driven Transformer, CTR-GCN, ST-GCN
    kind            'SNN' or 'ANN'
    modalities      list of str
    variant         what else tells it from others of its name: T, widths, graph, loss of the distillation, ...
    distilled       bool
    seed            int; None for several streams fused
    parameters      of what is deployed, in floating point
    accuracy        top-1 of the integers (an ANN's: floating point) on the test split; accuracy_clean without its
                    copies of training sequences; samples, samples_clean
    float, float_clean   of the spiking network before folding and rounding, as its training printed it
    synops, macs    counted per sample, over all T steps
    sops            of Eq. 33, per sample
    paper_mj, counted_mj   Eq. 34, and the counted events at the same prices
    epochs          in floating point, those of the runs it started from included, and of integer fine-tuning
    integers        'rounded' or 'fine-tuned', where training chose between them (mksgn.training.integers)
    run             folder
    commit          of the training, and measured: of what made this row; None where it is not known, or where files
                    were changed that no commit holds
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from mksgn.commit import describe_commit
from mksgn.emulator import Emulator
from mksgn.energy import counted_energy_mj, paper_energy_mj
from mksgn.ir import Graph
from mksgn.netx import read_net
from mksgn.nn.lowering import to_graph
from mksgn.programs.samples import select_labelled
from mksgn.report.network_names import NAMES, averaging, described, motion_scale
from mksgn.teachers.scores import SCORES, Stream, fuse, load_stream, stream_accuracies
from mksgn.teachers.weights import load_teacher
from mksgn.training.network_file import load_network, read_meta
from mksgn.training.run_files import NET, WEIGHTS

Row = dict[str, Any]
COMMIT = re.compile(r".*\([0-9a-f]+\)")
"""How :func:`mksgn.commit.describe_commit` names a commit that holds every file."""


def certain(commit: str | None) -> str | None:
    """``commit`` where it says what ran; None where it names none, or one beside which files were changed."""
    return commit if commit is not None and COMMIT.fullmatch(commit) else None


def kept_row(row: Row) -> Row:
    """A row of an earlier file, as it would be written now."""
    return row | {"commit": certain(row.get("commit")), "measured": certain(row.get("measured"))}


def spiking_row(run: Path, data: str | None, progress: Any = None) -> Row:
    """The row of a train_slayer.py or join_runs.py run, or of models/: integers on the whole test split, and events.

    Raises
    ------
    ConfigError
        When the folder holds no finished run, or the data has no labels for it.
    """
    path = run / NET
    # Early runs of Spikformer wrote no graph: it had none.
    graph = read_net(path) if path.exists() else to_graph(load_network(run / WEIGHTS), read_meta(run / WEIGHTS))
    meta = graph.meta
    recipe = json.loads(meta["recipe"])
    row = described(recipe, meta)
    row |= {
        "run": run.name, "epochs": [recipe["epochs"] + meta.get("epochs_before", 0), recipe["tune_epochs"]],
        "commit": certain(meta.get("commit")), "measured": certain(describe_commit()),
        "integers": meta.get("integers"), "float": meta.get("accuracy_float"),
        "float_clean": meta.get("accuracy_float_clean"), "synops": None, "macs": None, "sops": None, "paper_mj": None,
        "counted_mj": None}
    if "members" in meta:  # of train/join_runs.py
        row["parameters"] = meta["parameters"]
    else:
        row["parameters"] = sum(p.numel() for p in load_network(run / WEIGHTS).parameters() if p.requires_grad)
    return row | graph_figures(graph, path, data, progress)


def graph_figures(graph: Graph, path: Path, data: str | None, progress: Any) -> dict[str, Any]:
    """Accuracy and events of an exported net, by the integer emulator."""
    chosen = select_labelled(graph, path, data)
    with Emulator(graph, progress=progress) as emulator:
        run = emulator.run(chosen.x)
    paper, counted = paper_energy_mj(graph, run.counts), counted_energy_mj(run.counts)
    return top1(run.predictions == chosen.labels, chosen.clean) | {
        "synops": counted.synops, "macs": counted.macs, "sops": paper.sops, "paper_mj": paper.energy_mj,
        "counted_mj": counted.energy_mj}


def top1(correct: np.ndarray, clean: np.ndarray | None) -> dict[str, Any]:
    """Accuracies and what they are over."""
    found: dict[str, Any] = {"accuracy": float(correct.mean()), "samples": len(correct), "accuracy_clean": None,
                             "samples_clean": None}
    if clean is not None:
        found |= {"accuracy_clean": float(correct[clean].mean()), "samples_clean": int(clean.sum())}
    return found


def ann_rows(runs: list[Path]) -> list[Row]:
    """Rows of train_teacher.py runs from the scores they left: every stream, and those of one network fused (Eq. 25).

    Raises
    ------
    ConfigError
        When a folder holds no finished run.
    """
    rows: list[Row] = []
    together: dict[tuple[Any, ...], list[tuple[Row, Stream]]] = {}
    for run in runs:
        network, meta = load_teacher(run / WEIGHTS)
        stream, recipe = load_stream(run / SCORES), meta["recipe"]
        modalities = stream.modality.split("+")
        width = ", ".join([f"base width {recipe['base_channels']}, {recipe['frames']} frames", *averaging(recipe)])
        variant = ", ".join([width, *motion_scale(recipe, modalities)])
        epochs = recipe["epochs"] + meta.get("epochs_before", 0)
        row = ann_row(NAMES[recipe["network"]], modalities, variant, epochs, meta.get("commit"),
                      run.name, sum(p.numel() for p in network.parameters()),
                      stream_accuracies(stream.test.probabilities(), stream.test))
        rows.append(row | {"seed": recipe["seed"]})
        if len(modalities) == 1:
            together.setdefault((row["network"], width, epochs, recipe["seed"]), []).append((row, stream))
    for members in together.values():
        if len(members) > 1:
            parts, streams = zip(*members)
            scores = stream_accuracies(fuse([s.test for s in streams]), streams[0].test)
            first = parts[0]
            variant = max((part["variant"] for part in parts), key=len)  # the one that says most: a motion's
            rows.append(ann_row(first["network"], [m for part in parts for m in part["modalities"]], variant,
                                first["epochs"][0], first["commit"], "+".join(part["run"] for part in parts),
                                sum(part["parameters"] for part in parts), scores) | {"seed": first["seed"]})
    return rows


def ann_row(network: str, modalities: list[str], variant: str, epochs: int, commit: str | None, run: str,
            parameters: int, scores: dict[str, float]) -> Row:
    nothing = ("integers", "float", "float_clean", "synops", "macs", "sops", "paper_mj", "counted_mj")
    return {"network": network, "kind": "ANN", "modalities": modalities, "distilled": False, "variant": variant,
            "seed": None, "epochs": [epochs, 0], "parameters": parameters, "run": run, "commit": certain(commit),
            "measured": certain(describe_commit()), **dict.fromkeys(nothing),
            "accuracy": scores["accuracy"], "samples": scores["samples"],
            "accuracy_clean": scores.get("accuracy_clean"), "samples_clean": scores.get("samples_clean")}
