"""Finished runs side by side in one network: checked against each other, evaluated once, and written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from mksgn.commit import describe_commit
from mksgn.data.compatibility import META_KEY
from mksgn.data.pack import Pack
from mksgn.errors import ConfigError
from mksgn.files import name_of
from mksgn.ir import Graph, graph_difference
from mksgn.netx import write_net
from mksgn.nn import SpikingGraphNet
from mksgn.nn.ensemble import ensemble_graph
from mksgn.teachers.weights import trained_parameters
from mksgn.training.evaluation import accuracy_on_test, graph_run, logits
from mksgn.training.folder import run_folders
from mksgn.training.network_file import load_network, read_meta, save_network
from mksgn.training.run_data import RunData
from mksgn.training.run_files import FLOAT, NET, WEIGHTS

SHARED = ("preprocess", "data", "protocol", "labels", "joints", "edges")
"""What a run's files say that has to be the same of all members."""


def join(runs: Sequence[Path], pack: Pack, name: str, out: Path) -> dict[str, Any]:
    """Write the ensemble of finished runs (:func:`mksgn.nn.ensemble.ensemble_graph`) into the folder ``out``.

    Parameters
    ----------
    runs : sequence of Path
        Folders of finished runs, or of models/.
    pack : Pack
        The data they were trained on.
    name : str
        Of the file or folder of the data.
    out : Path
        Receives ``mksgn.net`` and the weights of every member.

    Returns
    -------
    dict
        ``accuracy_integer`` on the test split and, where all runs kept their floating-point networks,
        ``accuracy_float`` of those' summed logits; each with ``_clean`` where the pack marks copies; ``accuracy_train``
        of the integers on training samples without augmentation (:meth:`RunData.compared`), by which pairs can be
        compared without asking the test split; ``mean_rate``, ``test_samples``.

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
    _check(runs, metas, name)
    data = RunData.of_run(pack, name, metas[0])
    results, measured = _evaluated(runs, ensemble_graph(nets), data)
    graph = ensemble_graph(nets, _stated(runs, nets, metas[0]) | measured | results)
    with run_folders([out], resume="", kept=NET):
        out.mkdir(parents=True, exist_ok=True)
        _write(graph, nets, metas, out)
    return {**results, **measured}


def _evaluated(runs: Sequence[Path], graph: Graph, data: RunData) -> tuple[dict[str, float], dict[str, Any]]:
    """Accuracies of the ensemble; number of test samples and mean firing rate."""
    split = data.split
    samples = data.samples(split.test)
    results = _floating(runs, samples, data)
    predicted, rate = graph_run(graph, samples)
    results |= accuracy_on_test("integer", predicted == data.labels(split.test), split)
    compared = data.compared()
    fitted, _ = graph_run(graph, data.samples(compared))
    results["accuracy_train"] = float((fitted == data.labels(compared)).mean())
    return results, {"test_samples": len(split.test), "mean_rate": rate}


def _stated(runs: Sequence[Path], nets: Sequence[SpikingGraphNet], first: dict[str, Any]) -> dict[str, Any]:
    """What the net says of its members, ``first`` being what the files of the first say."""
    known = {META_KEY: first[META_KEY]} if META_KEY in first else {}  # runs from before it was stated lack it
    return {**{key: first[key] for key in SHARED}, **known, "recipe": first["recipe"], "commit": describe_commit(),
            "members": [name_of(run.resolve()) for run in runs], "epochs_before": int(first.get("epochs_before", 0)),
            "parameters": sum(trained_parameters(net) for net in nets)}


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


def _check(runs: Sequence[Path], metas: Sequence[dict[str, Any]], name: str) -> None:
    """Refuse runs that do not fit together, or were not trained on the data of that name."""
    for run, meta in zip(runs, metas):
        for key in SHARED:
            if meta[key] != metas[0][key]:
                raise ConfigError("these runs do not fit together", where=str(run), got=f"{key} {str(meta[key])[:160]}",
                                  allowed=str(metas[0][key])[:160], fix="train them alike")
    if metas[0]["data"] != name:
        raise ConfigError("the runs were trained on other data", where="--data", got=name, allowed=metas[0]["data"],
                          fix="name it with --data")


def _floating(runs: Sequence[Path], samples: np.ndarray, data: RunData) -> dict[str, float]:
    """Accuracy of the floating-point networks' summed logits, where all of them were kept."""
    if not all((run / FLOAT).exists() for run in runs):
        return {}
    total = sum(logits(load_network(run / FLOAT, quantized=False), samples) for run in runs)
    return accuracy_on_test("float", np.asarray(total).argmax(1) == data.labels(data.split.test), data.split)
