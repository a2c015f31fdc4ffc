"""The synapses of a graph as plain float32 torch operations: what a dense network of the same shape costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from mksgn.emulator import Emulator
from mksgn.ir import Conv, Dense, Graph, GraphConv, JointMix

BATCH = 32


def dense_operations(graph: Graph, samples: np.ndarray) -> Callable[[], None]:
    """A function that performs every synapse's dense operation on the samples' real messages, batch by batch.

    conv2d for convolutions, matmul for joint mixing, fused graph convolutions (one (O V, I V) matrix) and dense
    synapses: float32, channels-last where it is conv2d, time folded into the batch, no neurons. Sources that share
    weights are summed beforehand, outside the measured time.
    """
    with Emulator(graph) as emulator:
        spikes = emulator.run(samples[:BATCH], record="spikes").spikes
    work: list[tuple[Any, torch.Tensor]] = []
    for synapse in graph.synapses:
        if synapse.sources[0] == graph.input.name:
            folded = samples[:BATCH].astype(np.float32)  # the same at every step: computed once
        else:
            total = sum(spikes[name].astype(np.float32) for name in synapse.sources)
            folded = np.moveaxis(np.asarray(total), -1, 1).reshape(-1, *graph[synapse.sources[0]].shape)
        x = torch.from_numpy(np.ascontiguousarray(folded)).contiguous(memory_format=torch.channels_last)
        work.append((_operation(graph, synapse), x))
    batches = -(-len(samples) // BATCH)

    def run() -> None:
        with torch.inference_mode():
            for _ in range(batches):
                for operation, x in work:
                    operation(x)

    return run


def _operation(graph: Graph, synapse: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    if isinstance(synapse, Conv):
        weight = torch.from_numpy(synapse.weight.astype(np.float32)).contiguous(memory_format=torch.channels_last)
        return lambda x: functional.conv2d(x, weight, None, synapse.stride, synapse.padding, synapse.dilation,
                                           synapse.groups)
    if isinstance(synapse, JointMix):
        mix = torch.from_numpy(synapse.weight.astype(np.float32)).flatten(0, 1)
        return lambda x: torch.matmul(mix, x.permute(0, 2, 3, 1))
    if isinstance(synapse, GraphConv):
        source, target = graph[synapse.sources[0]].shape, graph[synapse.target].shape
        matrix = np.zeros((target[2], target[0], source[2], source[0]), np.float32)
        for (w, v), weight in zip(synapse.edges, synapse.weight):
            matrix[v, :, w, :] += weight
        full = torch.from_numpy(matrix.reshape(target[2] * target[0], source[2] * source[0]))
        return lambda x: functional.linear(x.permute(0, 2, 3, 1).flatten(2), full)
    assert isinstance(synapse, Dense)
    dense = torch.from_numpy(synapse.weight.astype(np.float32))
    return lambda x: functional.linear(x.flatten(1), dense)
