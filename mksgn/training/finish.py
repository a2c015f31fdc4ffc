"""What ends a stage of training: evaluation on the test split, fixed fusion weights, and the exported integers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mksgn.data.pack import Pack
from mksgn.data.preprocess import Preprocess
from mksgn.data.splits import Split
from mksgn.emulator import Emulator
from mksgn.lower import to_graph
from mksgn.netx import write_net
from mksgn.nn import SpikingGraphNet
from mksgn.training.batches import preprocessed
from mksgn.training.checkpoint import FLOAT, NET, WEIGHTS, save_network
from mksgn.training.fusing import fixed_weights, sample_weights

PART = 64
"""Samples evaluated together."""


@torch.no_grad()
def right(net: SpikingGraphNet, samples: np.ndarray, labels: np.ndarray,
          device: torch.device | None = None) -> np.ndarray:
    """Which samples the network as it is, in float32, predicts as labelled: bool (N,)."""
    if not len(samples):
        return np.zeros(0, bool)
    net.eval()
    predictions = [net(torch.from_numpy(part).to(device or "cpu")).logits.argmax(1).cpu().numpy()
                   for part in np.array_split(samples, max(1, len(samples) // PART))]
    net.train()
    return np.concatenate(predictions) == labels


def accuracies(kind: str, correct: np.ndarray, halves: Split) -> dict[str, float]:
    """Top-1 on the test split and, where the pack marks copies of training sequences, without them."""
    result = {f"accuracy_{kind}": float(correct.mean())}
    if halves.clean is not None:
        result[f"accuracy_{kind}_clean"] = float(correct[np.isin(halves.test, halves.clean)].mean())
    return result


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
    results = accuracies("float", right(net, samples, labels, device), halves)
    if folder is not None:
        save_network(folder / FLOAT, net)
    if net.config.fusion == "smf":
        net.fix_fusion(fixed_weights(sample_weights(net, pack, halves.train, preprocess, device)))
        results |= accuracies("float_fixed", right(net, samples, labels, device), halves)
    return results


def export(folder: Path, net: SpikingGraphNet, pack: Pack, halves: Split, preprocess: Preprocess,
           results: dict[str, float], about: dict[str, Any]) -> dict[str, Any]:
    """Evaluate the integers once, on the test split, and write them: mksgn.net where the network has a graph.

    Parameters
    ----------
    results : dict
        Of the float stage.
    about : dict
        What else the files are to say: preset, data, recipe, commit, ...

    Returns
    -------
    dict
        All accuracies, and ``mean_rate``, the mean firing rate.
    """
    samples, labels = preprocessed(pack, halves.test, preprocess), pack.labels[halves.test]
    exported = not net.obstacles()
    correct, rate = (emulated_integers if exported else torch_integers)(net, samples, labels)
    results = results | accuracies("integer", correct, halves)
    measured = {"test_samples": len(labels), "mean_rate": rate}
    fused = {} if net.config.fusion_weights is None else {"fusion_weights": list(net.config.fusion_weights)}
    meta = {"protocol": halves.protocol, "preprocess": preprocess.to_json(), "labels": list(pack.class_names),
            "edges": pack.edges.flatten().tolist(), "joints": pack.body.num_joints, **about, **measured, **fused,
            **results}
    if exported:
        write_net(to_graph(net, meta=meta), folder / NET)
    save_network(folder / WEIGHTS, net, meta)
    with (folder / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"final": results, **measured}) + "\n")
    return {**results, "mean_rate": rate}


def emulated_integers(net: SpikingGraphNet, samples: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, float]:
    """Which samples are predicted as labelled, bool (N,), and the mean firing rate, by the integer emulator."""
    graph = to_graph(net)
    with Emulator(graph) as emulator:
        run = emulator.run(samples)
    rates = [run.counts.rate(p.name) for p in graph.populations if p.role == "hidden"]
    return run.predictions == labels, float(np.mean(rates))


@torch.no_grad()
def torch_integers(net: SpikingGraphNet, samples: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, float]:
    """As :func:`emulated_integers` for a network that has no graph: the quantised network itself, in float32."""
    net.eval()
    predictions, fired = [], 0.0
    for part in np.array_split(samples, max(1, len(samples) // PART)):
        out, spikes = net.forward_spikes(torch.from_numpy(part))
        predictions.append(out.logits.argmax(1).numpy())
        fired += float(np.mean([spikes[name].mean().item() for name in net.names])) * len(part)
    return np.concatenate(predictions) == labels, fired / len(samples)
