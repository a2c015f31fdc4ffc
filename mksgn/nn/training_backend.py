"""The quantised network's own forward pass, the one that trains it, as a backend: on any device, to be compared with.

Its numbers are floating-point containers of exact integers; it has no counts of synops.
"""

from __future__ import annotations

import numpy as np
import torch

from mksgn.ir import Graph
from mksgn.nn.builder import INPUT
from mksgn.nn.lowering import to_graph
from mksgn.nn.network import SpikingGraphNet
from mksgn.nn.slayer_backend import spike_counts
from mksgn.run.backend import RunResult


class TrainingForward:
    """:class:`~mksgn.run.backend.Backend` over a quantised :class:`SpikingGraphNet`, where the network is.

    Parameters
    ----------
    net : SpikingGraphNet
        Quantised; on any device.
    dtype : torch.dtype
        Of its spikes and products: float32 or bfloat16.
    batch_size : int
    """

    name = "training"
    counts_alone = False

    def __init__(self, net: SpikingGraphNet, dtype: torch.dtype = torch.float32, batch_size: int = 64) -> None:
        self.net, self.dtype, self.batch_size = net.eval(), dtype, batch_size
        self.graph: Graph = to_graph(net)
        self.device = next(net.parameters()).device

    @torch.no_grad()
    def run(self, samples: np.ndarray, record: str = "spikes") -> RunResult:
        """Run int8 samples (N, C, F, V); spikes of every population are always recorded."""
        steps, scale = self.net.config.time_steps, self.net.readout.neuron.units
        logits, trains = [], []
        for start in range(0, len(samples), self.batch_size):
            x = torch.from_numpy(samples[start:start + self.batch_size]).to(self.device)
            out, spikes = self.net.forward_spikes(x, dtype=self.dtype)
            logits.append(np.rint((out.logits.double() * steps * scale).cpu().numpy()).astype(np.int64))
            trains.append({name: train.unflatten(0, (-1, steps)).permute(0, 2, 3, 4, 1).to(torch.int8).cpu().numpy()
                           for name, train in spikes.items() if name != INPUT})
        recorded = {name: np.concatenate([part[name] for part in trains]) for name in trains[0]}
        return RunResult(np.concatenate(logits), spike_counts(self.graph, recorded), recorded)

    def close(self) -> None:
        """Nothing to release."""
