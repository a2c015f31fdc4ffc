"""The synapse kinds as exact tensor operations on batches: what any graph can be run with, on any device.

Tensors are (B, F, V, C): images (samples times steps), frames, joints, channels. Channels last is
what the fast convolutions and the per-joint products want.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn import functional

from mksgn.emulator.dense.exact import dtype_for, wrap24
from mksgn.emulator.dense.window import Window
from mksgn.ir import Attention, Conv, Dense, Graph, GraphConv, JointMix, Synapse
from mksgn.ir.bounds import channels_last, sum_bound, wraps24


class Operator:
    """A synapse's weights on a device, in the smallest exact floating-point type.

    Parameters
    ----------
    graph : Graph
    synapse : Synapse
        One of its synapses.
    device : torch.device

    Attributes
    ----------
    wraps : bool
        Whether a sum can leave 24 bits and is wrapped there, as Lava does it.
    delays : tuple of int
        The delays that occur (``synapse.by_delay``); ``apply`` gives the part of the sum that takes each.
    """

    delays: tuple[int, ...] = (0,)

    def __init__(self, graph: Graph, synapse: Synapse, device: torch.device):
        source = graph[synapse.sources[0]]
        self.synapse = synapse
        self.source_shape, self.target_shape = source.shape, graph[synapse.target].shape
        self.device = device
        self.wraps = wraps24(graph, synapse)
        self.dtype = dtype_for(sum_bound(graph, synapse))

    def apply(self, x_bfvc: torch.Tensor, delay: int = 0) -> torch.Tensor:
        """Summed weights (B, F', V', C') of the messages ``x_bfvc`` that are ``delay`` steps late."""
        y = self._apply(x_bfvc.to(self.dtype), delay)
        return wrap24(y) if self.wraps else y

    def _apply(self, x_bfvc: torch.Tensor, delay: int) -> torch.Tensor:
        raise NotImplementedError

    def _tensor(self, weight: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(np.ascontiguousarray(weight), device=self.device).to(self.dtype)


class _Conv(Operator):
    synapse: Conv

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        s = self.synapse
        self.window = Window.of(s, self.source_shape)
        self.pointwise = s.weight.shape[2:] == (1, 1) and s.groups == 1
        weight = self._tensor(s.weight)
        self.weight = weight[:, :, 0, 0] if self.pointwise else weight.contiguous(memory_format=torch.channels_last)

    def _apply(self, x_bfvc: torch.Tensor, delay: int) -> torch.Tensor:
        x_bfvc = self.window.take(x_bfvc)
        if self.pointwise:
            return functional.linear(x_bfvc, self.weight)
        s, window = self.synapse, self.window
        y = functional.conv2d(x_bfvc.permute(0, 3, 1, 2), self.weight, None, window.stride, window.padding, s.dilation,
                              s.groups)
        return y.permute(0, 2, 3, 1).contiguous()


class _Dense(Operator):
    synapse: Dense

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        # Rows and columns of the weights are put into (F, V, C) order once, so that the data stay as they are.
        self.rows = channels_last(self.target_shape)
        self.columns = channels_last(self.source_shape)
        self.weight = self._tensor(self.synapse.weight[self.rows][:, self.columns])
        if self.synapse.delay is not None:
            delay = self.synapse.delay_of_each[self.rows][:, self.columns]
            self.delay = torch.as_tensor(delay.astype(np.uint8), device=self.device)
            self.delays = tuple(int(d) for d in np.unique(self.synapse.delay))

    def _apply(self, x_bfvc: torch.Tensor, delay: int) -> torch.Tensor:
        channels, frames, joints = self.target_shape
        weight = self.weight
        if self.synapse.delay is not None:
            weight = weight * (self.delay == delay)
        return functional.linear(x_bfvc.flatten(1), weight).reshape(-1, frames, joints, channels)


class _JointMix(Operator):
    synapse: JointMix

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        # (V' K, V): the rows of a target joint lie together, as its channels do.
        self.weight = self._tensor(self.synapse.weight.transpose(1, 0, 2)).flatten(0, 1)

    def _apply(self, x_bfvc: torch.Tensor, delay: int) -> torch.Tensor:
        images, frames = x_bfvc.shape[:2]
        y = torch.matmul(self.weight, x_bfvc)  # (V' K, V) (B, F, V, C) -> (B, F, V' K, C)
        return y.reshape(images, frames, self.target_shape[2], self.target_shape[0])


class _GraphConv(Operator):
    synapse: GraphConv

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        weight, edges = self.synapse.weight, self.synapse.edges
        # Per target joint: the source joints of its edges, and their weights side by side, (O, degree I).
        self.incoming: list[tuple[list[int], torch.Tensor]] = []
        for joint in range(self.target_shape[2]):
            chosen = np.flatnonzero(edges[:, 1] == joint)
            stacked = weight[chosen].transpose(1, 0, 2).reshape(weight.shape[1], -1)
            self.incoming.append(([int(w) for w in edges[chosen, 0]], self._tensor(stacked)))

    def _apply(self, x_bfvc: torch.Tensor, delay: int) -> torch.Tensor:
        images, frames = x_bfvc.shape[:2]
        y = x_bfvc.new_zeros((images, frames, self.target_shape[2], self.target_shape[0]))
        for joint, (sources, weight) in enumerate(self.incoming):
            if sources:
                y[:, :, joint] = functional.linear(x_bfvc[:, :, sources].flatten(2), weight)
        return y


class AttentionOperator(Operator):
    """Products of spikes, as matrix products; they count what happens inside, too."""

    synapse: Attention

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        # Before the weights, which may all be 0: products of a head, added up.
        products = self.synapse.head_width * self.synapse.tokens(self.source_shape)
        self.dtype = dtype_for(max(products, products * int(np.abs(self.synapse.weight).max())))

    def attend(self, q_bfvc: torch.Tensor, k_bfvc: torch.Tensor, v_bfvc: torch.Tensor
               ) -> tuple[torch.Tensor, torch.Tensor]:
        """Sums (B, F, V, C), and the events of each image, int64 (B, 3): :class:`mksgn.ir.attention.Events`."""
        images, frames, joints, channels = q_bfvc.shape
        groups, heads = 1 if self.synapse.across_frames else frames, self.synapse.heads
        q, k, v = (x.to(self.dtype).reshape(images, groups, -1, heads, channels // heads).transpose(2, 3)
                   for x in (q_bfvc, k_bfvc, v_bfvc))  # (B, groups, heads, tokens, C / H)
        counts = k.transpose(3, 4) @ v
        weight = self._tensor(self.synapse.weight)
        sums = (q @ counts).transpose(2, 3).reshape(images, frames, joints, channels) * weight
        sent, queries = (counts > 0).to(torch.int64), q.sum(dim=3).to(torch.int64)
        weighed = sent * (weight != 0).reshape(heads, 1, -1)
        each = [x.flatten(1).sum(dim=1).to(torch.int64) for x in
                (counts, sent, queries * sent.sum(dim=4), queries * weighed.sum(dim=4))]
        pairs, messages, products, met = each
        macs = pairs + self.synapse.tokens(self.source_shape) * messages + met
        return sums, torch.stack([pairs + products, messages, macs], dim=1)


class _InTime(Operator):
    """Taps that read frames one after the other: an operator for each."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        graph, _, device = args
        self.taps = {delay: _KINDS[type(tap)](graph, tap, device) for delay, tap in self.synapse.by_delay()}
        self.delays = tuple(self.taps)

    def _apply(self, x_bfvc: torch.Tensor, delay: int) -> torch.Tensor:
        return self.taps[delay].apply(x_bfvc)


_KINDS: dict[type, type[Operator]] = {Conv: _Conv, Dense: _Dense, JointMix: _JointMix, GraphConv: _GraphConv,
                                          Attention: AttentionOperator}


def operator(graph: Graph, synapse: Synapse, device: torch.device) -> Operator:
    """The operator of a synapse; parameters as for :class:`Operator`."""
    return (_InTime if synapse.geometry.get("frame_steps") else _KINDS[type(synapse)])(graph, synapse, device)
