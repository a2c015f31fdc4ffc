"""The integers that a run ends with: chosen between fine-tuning and rounding alone, evaluated once, and written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mksgn.data.compatibility import META_KEY, description
from mksgn.netx import write_net
from mksgn.nn import SpikingGraphNet
from mksgn.nn.lowering import to_graph
from mksgn.nn.scales import Scales
from mksgn.training.evaluation import accuracy_on_test, integer_run, predictions
from mksgn.training.network_file import load_network, save_network
from mksgn.training.run_data import RunData
from mksgn.training.run_files import FLOAT, NET, WEIGHTS


def choose_integers(tuned: SpikingGraphNet, floating: Path, samples: np.ndarray,
                    scales: Scales = "power-of-two") -> tuple[SpikingGraphNet, dict[str, Any]]:
    """The fine-tuned network, or the one that rounding alone gives where that agrees more often with the float network.

    Parameters
    ----------
    tuned : SpikingGraphNet
        Quantised.
    floating : Path
        What :func:`~mksgn.training.network_file.save_network` wrote of the floating-point network.
    samples : int8 ndarray (N, C, F, V)
        Training samples without augmentation, which the three networks are asked about: no test sample and no label
        has a part in the choice.
    scales : 'power-of-two' or 'integer'
        Of rounding alone.

    Returns
    -------
    network : SpikingGraphNet
    dict
        ``integers``: 'fine-tuned' or 'rounded'; ``agreement_tuned``, ``agreement_rounded``: parts of the samples.
    """
    rounded = load_network(floating, quantized=False)
    expected = predictions(rounded, samples)
    weights = tuned.fusion_weights
    if weights is not None and rounded.fusion_weights is None:
        rounded.fix_fusion(weights)
    rounded.quantize(scales)
    agreement = {f"agreement_{name}": float((integer_run(net, samples)[0] == expected).mean())
                 for name, net in (("rounded", rounded), ("tuned", tuned))}
    keep = agreement["agreement_tuned"] >= agreement["agreement_rounded"]
    return (tuned if keep else rounded), {"integers": "fine-tuned" if keep else "rounded", **agreement}


def export_integers(folder: Path, net: SpikingGraphNet, data: RunData, results: dict[str, float],
                    about: dict[str, Any], choose: Scales | None) -> tuple[dict[str, float], dict[str, Any]]:
    """Choose the integers, evaluate them once, on the test split, and write them.

    Parameters
    ----------
    net : SpikingGraphNet
        Quantised, on the CPU.
    results : dict
        Accuracies of the float stage.
    about : dict
        What else the files are to say: preset, data, recipe, commit, ...
    choose : 'power-of-two', 'integer' or None
        With scales, fine-tuned integers are kept only where they agree with the floating-point network as often as
        rounding alone to such scales does, or more often (:func:`choose_integers`); with None they are kept.

    Returns
    -------
    results : dict
        All accuracies.
    measured : dict
        ``test_samples``; ``mean_rate``, the mean firing rate; and, after a choice, what it returned.
    """
    agreement: dict[str, Any] = {}
    if choose is not None:
        net, agreement = choose_integers(net, folder / FLOAT, data.samples(data.compared()), choose)
    pack, split = data.pack, data.split
    predicted, rate = integer_run(net, data.samples(split.test))
    results = results | accuracy_on_test("integer", predicted == data.labels(split.test), split)
    measured = {"test_samples": len(split.test), "mean_rate": rate, **agreement}
    fused = {} if net.fusion_weights is None else {"fusion_weights": list(net.fusion_weights)}
    meta = {"protocol": split.protocol, "preprocess": data.preprocess.to_json(), "labels": list(pack.class_names),
            "edges": pack.edges.flatten().tolist(), "joints": pack.body.num_joints, META_KEY: description(pack),
            **about, **measured, **fused, **results}
    write_net(to_graph(net, meta=meta), folder / NET)
    save_network(folder / WEIGHTS, net, meta)
    return results, measured
