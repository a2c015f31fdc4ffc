"""SLAYER as a backend: the quantised network by SLAYER's own synapses and integer neuron.

It exists to be compared with: slow, floating-point containers of exact integers, no counts of synops.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from mksgn.counts import Counts
from mksgn.ir import Graph
from mksgn.nn.builder import INPUT
from mksgn.nn.lowering import to_graph
from mksgn.nn.network import SpikingGraphNet
from mksgn.run.backend import RunResult


class SlayerReference:
    """:class:`~mksgn.run.backend.Backend` over a quantised :class:`SpikingGraphNet`."""

    name = "slayer"
    counts_alone = False

    def __init__(self, net: SpikingGraphNet, batch_size: int = 8) -> None:
        self.net = net.eval()
        self.graph: Graph = to_graph(net)
        self.batch_size = batch_size

    def run(self, samples: np.ndarray, record: str = "spikes") -> RunResult:
        """Run int8 samples (N, C, F, V); spikes of every population are always recorded."""
        logits, trains = [], []
        for start in range(0, len(samples), self.batch_size):
            out, spikes = self.net.forward_slayer(torch.from_numpy(samples[start : start + self.batch_size]))
            logits.append(np.rint(out.numpy()).astype(np.int64))
            trains.append({name: train.numpy().astype(np.int8) for name, train in spikes.items() if name != INPUT})
        recorded = {name: np.concatenate([part[name] for part in trains]) for name in trains[0]}
        return RunResult(np.concatenate(logits), spike_counts(self.graph, recorded), recorded)

    def close(self) -> None:
        """Nothing to release."""


def spike_counts(graph: Graph, recorded: Mapping[str, np.ndarray]) -> Counts:
    """Counts of spikes alone, from recorded ones: int8 (N, C, F, V, T) of each population."""
    samples, *_, steps = next(iter(recorded.values())).shape
    return Counts(
        samples, steps, neurons={p.name: p.size for p in graph.populations},
        sample_spikes={name: train.sum(axis=(1, 2, 3, 4), dtype=np.int64) for name, train in recorded.items()},
        sent={name: train.sum(axis=(0, 4), dtype=np.int64) for name, train in recorded.items()})


def calibrate(net: SpikingGraphNet, samples: np.ndarray, rounds: int = 4) -> None:
    """Give an untrained network the batch-norm statistics of ``samples``: its neurons then fire as trained ones do."""
    net.train()
    with torch.no_grad():
        for population in net.populations:
            if population.norm is not None:
                population.norm.momentum = 0.5
        for _ in range(rounds):
            net(torch.from_numpy(samples))
    net.eval()
