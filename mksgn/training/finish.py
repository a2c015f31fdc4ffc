"""What ends a stage of training: evaluation on the test split, fixed fusion weights, and the exported integers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mksgn.data.pack import Pack
from mksgn.data.preprocess import Preprocess
from mksgn.data.splits import Split, training_split
from mksgn.netx import write_net
from mksgn.nn import SpikingGraphNet
from mksgn.nn.lowering import to_graph
from mksgn.training.batches import preprocessed
from mksgn.training.checkpoint import FLOAT, NET, WEIGHTS, save_network
from mksgn.training.fusing import fixed_weights, sample_weights
from mksgn.training.integers import integer_run, predictions, settled


def accuracies(kind: str, correct: np.ndarray, halves: Split) -> dict[str, float]:
    """Top-1 on the test split and, where the pack marks copies of training sequences, without them."""
    result = {f"accuracy_{kind}": float(correct.mean())}
    if halves.clean is not None:
        result[f"accuracy_{kind}_clean"] = float(correct[np.isin(halves.test, halves.clean)].mean())
    return result


def split_of(pack: Pack, meta: dict[str, Any]) -> Split:
    """The split of ``pack`` that a finished run was trained on, from what its files say of it."""
    recipe = json.loads(meta["recipe"])
    subjects = recipe["val_subjects"]
    return training_split(pack, meta["protocol"], val_subjects=None if subjects is None else tuple(subjects),
                          seed=recipe["seed"])[0]


def end_float(net: SpikingGraphNet, pack: Pack, halves: Split, preprocess: Preprocess, device: torch.device,
              folder: Path | None) -> dict[str, float]:
    """Evaluate the floating-point network and keep it in ``folder``; then fix its fusion weights and evaluate again.

    Returns
    -------
    dict
        ``accuracy_float`` and, where the weights depended on the sample until now, ``accuracy_float_fixed``; each with
        ``_clean`` beside it where the pack marks copies.
    """
    net.steps = net.config.time_steps  # the last epochs may have had fewer
    samples, labels = preprocessed(pack, halves.test, preprocess), pack.labels[halves.test]
    results = accuracies("float", predictions(net, samples, device) == labels, halves)
    if folder is not None:
        save_network(folder / FLOAT, net)
    if net.weighs_samples:
        net.fix_fusion(fixed_weights(sample_weights(net, pack, halves.train, preprocess, device)))
        results |= accuracies("float_fixed", predictions(net, samples, device) == labels, halves)
    return results


def export(folder: Path, net: SpikingGraphNet, pack: Pack, halves: Split, preprocess: Preprocess,
           results: dict[str, float], about: dict[str, Any], choose: bool) -> dict[str, Any]:
    """Choose the integers, evaluate them once, on the test split, and write them: mksgn.net where there is a graph.

    With ``choose`` fine-tuned integers are kept where they agree with the floating-point network on training samples
    as often as rounding alone does, or more often; else those of rounding alone
    (:func:`mksgn.training.integers.settled`).

    Parameters
    ----------
    results : dict
        Of the float stage.
    about : dict
        What else the files are to say: preset, data, recipe, commit, ...
    choose : bool
        Whether to choose: integers were fine-tuned, and the recipe does not ask for them in any case.

    Returns
    -------
    dict
        All accuracies; ``mean_rate``, the mean firing rate; and, after a choice, ``integers``, ``rounded`` or
        ``fine-tuned``, and ``agreement_rounded`` and ``agreement_tuned``.
    """
    agreement: dict[str, Any] = {}
    if choose:
        net, agreement = settled(net, folder / FLOAT, pack, halves.train, preprocess)
    samples, labels = preprocessed(pack, halves.test, preprocess), pack.labels[halves.test]
    predicted, rate = integer_run(net, samples)
    results = results | accuracies("integer", predicted == labels, halves)
    measured = {"test_samples": len(labels), "mean_rate": rate, **agreement}
    fused = {} if net.fusion_weights is None else {"fusion_weights": list(net.fusion_weights)}
    meta = {"protocol": halves.protocol, "preprocess": preprocess.to_json(), "labels": list(pack.class_names),
            "edges": pack.edges.flatten().tolist(), "joints": pack.body.num_joints, **about, **measured, **fused,
            **results}
    if not net.obstacles():
        write_net(to_graph(net, meta=meta), folder / NET)
    save_network(folder / WEIGHTS, net, meta)
    with (folder / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"final": results, **measured}) + "\n")
    return {**results, **measured}
