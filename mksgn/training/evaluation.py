"""What a trained network says: its logits, predictions, firing rate and accuracy."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor, nn

from mksgn.data.splits import Split
from mksgn.emulator import Emulator
from mksgn.ir import Graph
from mksgn.nn import SpikingGraphNet
from mksgn.nn.lowering import to_graph

PART = 64
"""Samples evaluated together."""


def accuracy_on_test(kind: str, correct: np.ndarray, split: Split) -> dict[str, float]:
    """Top-1 on the test split and, where the pack marks copies of training sequences, without them.

    Parameters
    ----------
    kind : str
        Of the network, 'float' or 'integer': the entries are ``accuracy_KIND`` and ``accuracy_KIND_clean``.
    correct : bool ndarray (N,)
        Whether each test sample was predicted right.
    """
    result = {f"accuracy_{kind}": float(correct.mean())}
    if split.clean is not None:
        result[f"accuracy_{kind}_clean"] = float(correct[np.isin(split.test, split.clean)].mean())
    return result


@torch.no_grad()
def answers(network: nn.Module, ask: Callable[[Tensor], Tensor], parts: Iterable[np.ndarray]) -> np.ndarray:
    """What ``ask`` makes of all parts, joined. The network is in evaluation mode meanwhile, and then as it was."""
    training = network.training
    network.eval()
    found = [ask(torch.from_numpy(part)).cpu().numpy() for part in parts]
    network.train(training)
    return np.concatenate(found)


def predictions(net: SpikingGraphNet, samples: np.ndarray, device: torch.device | None = None) -> np.ndarray:
    """Classes, int64 (N,), that the network as it is predicts in float32; in whatever mode it is (it is put back)."""
    return logits(net, samples, device).argmax(1)


def logits(net: SpikingGraphNet, samples: np.ndarray, device: torch.device | None = None) -> np.ndarray:
    """Logits, float32 (N, J), in float32 arithmetic; the network is put back into the mode it was in."""
    if not len(samples):
        return np.zeros((0, net.data.classes), np.float32)
    return answers(net, lambda part: net(part.to(device or "cpu")).logits, _parts(samples))


def _parts(samples: np.ndarray) -> list[np.ndarray]:
    return np.array_split(samples, max(1, len(samples) // PART))


def integer_run(net: SpikingGraphNet, samples: np.ndarray) -> tuple[np.ndarray, float]:
    """:func:`graph_run` of a quantised network."""
    return graph_run(to_graph(net), samples)


def graph_run(graph: Graph, samples: np.ndarray) -> tuple[np.ndarray, float]:
    """Classes, int64 (N,), and the mean firing rate of an integer graph by the emulator."""
    with Emulator(graph) as emulator:
        run = emulator.run(samples)
    rates = [run.counts.rate(p.name) for p in graph.populations if p.role == "hidden"]
    return run.predictions, float(np.mean(rates))
