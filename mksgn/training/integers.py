"""Running a network that is trained, and the choice between its fine-tuned integers and those of rounding alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from mksgn.data.pack import Pack
from mksgn.data.preprocess import Preprocess
from mksgn.data.splits import evenly
from mksgn.emulator import Emulator
from mksgn.ir import Graph
from mksgn.nn import SpikingGraphNet
from mksgn.nn.lowering import to_graph
from mksgn.training.batches import preprocessed
from mksgn.training.checkpoint import load_network

PART = 64
"""Samples evaluated together."""
ASKED = 2048
"""Training samples, at most, on which integers are compared with the floating-point network."""


def predictions(net: SpikingGraphNet, samples: np.ndarray, device: torch.device | None = None) -> np.ndarray:
    """Classes, int64 (N,), that the network as it is predicts in float32; in whatever mode it is (it is put back)."""
    return logits(net, samples, device).argmax(1)


@torch.no_grad()
def logits(net: SpikingGraphNet, samples: np.ndarray, device: torch.device | None = None) -> np.ndarray:
    """Logits, float32 (N, J), in float32 arithmetic; the network is put back into the mode it was in."""
    if not len(samples):
        return np.zeros((0, net.data.classes), np.float32)
    training = net.training
    net.eval()
    found = [net(torch.from_numpy(part).to(device or "cpu")).logits.cpu().numpy() for part in _parts(samples)]
    net.train(training)
    return np.concatenate(found)


@torch.no_grad()
def torch_run(net: SpikingGraphNet, samples: np.ndarray) -> tuple[np.ndarray, float]:
    """:func:`predictions`, and the mean firing rate, of a quantised network that has no graph."""
    net.eval()
    found, fired = [], 0.0
    for part in _parts(samples):
        out, spikes = net.forward_spikes(torch.from_numpy(part))
        found.append(out.logits.argmax(1).numpy())
        fired += float(np.mean([spikes[name].mean().item() for name in net.names])) * len(part)
    return np.concatenate(found), fired / len(samples)


def _parts(samples: np.ndarray) -> list[np.ndarray]:
    return np.array_split(samples, max(1, len(samples) // PART))


def integer_run(net: SpikingGraphNet, samples: np.ndarray) -> tuple[np.ndarray, float]:
    """As :func:`torch_run` for a quantised network: by the emulator where it has a graph, else in torch."""
    return torch_run(net, samples) if net.obstacles() else graph_run(to_graph(net), samples)


def graph_run(graph: Graph, samples: np.ndarray) -> tuple[np.ndarray, float]:
    """Classes, int64 (N,), and the mean firing rate of an integer graph by the emulator."""
    with Emulator(graph) as emulator:
        run = emulator.run(samples)
    rates = [run.counts.rate(p.name) for p in graph.populations if p.role == "hidden"]
    return run.predictions, float(np.mean(rates))


def settled(tuned: SpikingGraphNet, floating: Path, pack: Pack, train: np.ndarray,
            preprocess: Preprocess) -> tuple[SpikingGraphNet, dict[str, Any]]:
    """The fine-tuned network, or the one that rounding alone gives where that agrees more often with the float network.

    The three are asked on training samples without augmentation, at most ``ASKED``, evenly spaced: no test sample and
    no label has a part in the choice.

    Parameters
    ----------
    tuned : SpikingGraphNet
        Quantised.
    floating : Path
        What :func:`~mksgn.training.checkpoint.save_network` wrote of the floating-point network.
    train : int array
        Training sequences.

    Returns
    -------
    network : SpikingGraphNet
    dict
        ``integers``: 'fine-tuned' or 'rounded'; ``agreement_tuned``, ``agreement_rounded``: parts of the samples.
    """
    samples = preprocessed(pack, evenly(train, ASKED), preprocess)
    rounded = load_network(floating, quantized=False)
    expected = predictions(rounded, samples)
    weights = tuned.fusion_weights
    if weights is not None and rounded.fusion_weights is None:
        rounded.fix_fusion(weights)
    rounded.quantize()
    agreement = {f"agreement_{name}": float((integer_run(net, samples)[0] == expected).mean())
                 for name, net in (("rounded", rounded), ("tuned", tuned))}
    keep = agreement["agreement_tuned"] >= agreement["agreement_rounded"]
    return (tuned if keep else rounded), {"integers": "fine-tuned" if keep else "rounded", **agreement}
