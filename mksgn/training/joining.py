"""Finished runs side by side in one network: checked against each other, evaluated once, and written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from mksgn.commit import describe_commit
from mksgn.data.pack import Pack
from mksgn.data.preprocess import Preprocess
from mksgn.data.splits import Split, evenly_spaced
from mksgn.errors import ConfigError
from mksgn.files import name_of
from mksgn.ir import Graph, graph_difference
from mksgn.netx import write_net
from mksgn.nn import SpikingGraphNet
from mksgn.nn.ensemble import ensemble_graph
from mksgn.training.batches import preprocessed
from mksgn.training.checkpoint import FLOAT, NET, WEIGHTS, load_network, read_meta, save_network
from mksgn.training.finish import accuracies, split_of
from mksgn.training.folder import run_folders
from mksgn.training.integers import ASKED, graph_run, logits

SHARED = ("preprocess", "data", "protocol", "labels", "joints", "edges")
"""What a run's files say that has to be the same of all members."""


def join(runs: Sequence[Path], pack: Pack, data: str, out: Path) -> dict[str, Any]:
    """Write the ensemble of finished runs (:func:`mksgn.nn.ensemble.ensemble_graph`) into the folder ``out``.

    Parameters
    ----------
    runs : sequence of Path
        Folders of finished runs, or of models/.
    pack : Pack
        What they were trained on; ``data`` is its file name.
    out : Path
        Receives ``mksgn.net`` and the weights of every member.

    Returns
    -------
    dict
        ``accuracy_integer`` on the test split and, where all runs kept their floating-point networks,
        ``accuracy_float`` of those' summed logits; each with ``_clean`` where the pack marks copies; ``accuracy_train``
        of the integers on training samples without augmentation, at most ``ASKED``, by which pairs can be compared
        without asking the test split; ``mean_rate``, ``test_samples``.

    Raises
    ------
    ConfigError
        When a folder holds no finished run, the runs do not fit together, or ``pack`` is not their data.
    """
    if len(runs) < 2:
        raise ConfigError("there is nothing to join", where="--run", got=", ".join(map(str, runs)),
                          allowed="two folders or more", fix="name every member with --run")
    if len(set(runs)) < len(runs):
        raise ConfigError("a run is named twice", where="--run", got=", ".join(map(str, runs)),
                          fix="name every run once")
    nets = [load_network(run / WEIGHTS) for run in runs]
    metas = [read_meta(run / WEIGHTS) for run in runs]
    _check(runs, metas, data)
    first = metas[0]
    halves = split_of(pack, first)
    preprocess, bare = Preprocess.from_json(first["preprocess"]), ensemble_graph(nets)
    samples = preprocessed(pack, halves.test, preprocess)
    results = _floating(runs, samples, pack, halves)
    predicted, rate = graph_run(bare, samples)
    results |= accuracies("integer", predicted == pack.labels[halves.test], halves)
    asked = evenly_spaced(halves.train, ASKED)
    fitted, _ = graph_run(bare, preprocessed(pack, asked, preprocess))
    results["accuracy_train"] = float((fitted == pack.labels[asked]).mean())
    measured = {"test_samples": len(halves.test), "mean_rate": rate}
    meta = {**{key: first[key] for key in SHARED}, "recipe": first["recipe"], "commit": describe_commit(),
            "members": [name_of(run.resolve()) for run in runs], "epochs_before": int(first.get("epochs_before", 0)),
            "parameters": sum(p.numel() for net in nets for p in net.parameters() if p.requires_grad),
            **measured, **results}
    graph = ensemble_graph(nets, meta)
    with run_folders([out], resume="", kept=NET):
        out.mkdir(parents=True, exist_ok=True)
        _write(graph, nets, metas, out)
    return {**results, **measured}


def _write(graph: Graph, nets: Sequence[SpikingGraphNet], metas: Sequence[dict[str, Any]], out: Path) -> None:
    """All files of an ensemble, which take their places in ``out`` once all of them are on the disk."""
    members = [f"member-{number}" for number in range(1, len(nets) + 1)]
    with TemporaryDirectory(dir=out, prefix=".joining-") as staged:
        for member, net, about in zip(members, nets, metas):
            (Path(staged) / member).mkdir()
            save_network(Path(staged) / member / WEIGHTS, net, about, compact=True)
        again = [load_network(Path(staged) / member / WEIGHTS) for member in members]
        assert not graph_difference(ensemble_graph(again, graph.meta), graph), "the members' files hold other integers"
        write_net(graph, Path(staged) / NET)
        for member in members:
            (out / member).mkdir(exist_ok=True)
            os.replace(Path(staged) / member / WEIGHTS, out / member / WEIGHTS)
        os.replace(Path(staged) / NET, out / NET)


def _check(runs: Sequence[Path], metas: Sequence[dict[str, Any]], data: str) -> None:
    for run, meta in zip(runs, metas):
        for key in SHARED:
            if meta[key] != metas[0][key]:
                raise ConfigError("these runs do not fit together", where=str(run), got=f"{key} {str(meta[key])[:160]}",
                                  allowed=str(metas[0][key])[:160], fix="train them alike")
    if metas[0]["data"] != data:
        raise ConfigError("the runs were trained on other data", where="--data", got=data, allowed=metas[0]["data"],
                          fix="name it with --data")


def _floating(runs: Sequence[Path], samples: np.ndarray, pack: Pack, halves: Split) -> dict[str, float]:
    """Accuracy of the floating-point networks' summed logits, where all of them were kept."""
    if not all((run / FLOAT).exists() for run in runs):
        return {}
    total = sum(logits(load_network(run / FLOAT, quantized=False), samples) for run in runs)
    return accuracies("float", np.asarray(total).argmax(1) == pack.labels[halves.test], halves)
