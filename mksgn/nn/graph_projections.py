"""Projections that follow the joint graph: H = S^K P (paper Eq. 5-6), as a population of its own or in one synapse.

S is the normalised adjacency (:mod:`mksgn.skeleton.adjacency`), K the partition of the neighbours.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mksgn import ir
from mksgn.nn.lava_dl import slayer
from mksgn.nn.mixing import mixed
from mksgn.nn.projections import Projection, frozen
from mksgn.nn.spikes import Hook, current_dtype


class JointMixProjection(Projection):
    """Mixing over joints (Eq. 6, ``layer`` and ``learned``): ``slayer.synapse.Dense`` over the joint axis.

    Parameters
    ----------
    mixing : float32 (K, V_target, V_source)
        ``mixing[k, v, w]`` from joint w to joint v, in units of the threshold.
    trained : bool
        Whether ``mixing`` is only where training starts, with weights between all joints. Fixed on the chip like
        every other.
    """

    def __init__(self, sources: tuple[str, ...], mixing: np.ndarray, *, trained: bool = False) -> None:
        partitions, targets, joints = mixing.shape
        synapse = slayer.synapse.Dense(joints, partitions * targets)
        super().__init__(sources, frozen(synapse, torch.from_numpy(np.asarray(mixing, np.float32))), normed=False)
        synapse.weight.requires_grad_(trained)
        self.partitions, self.targets = partitions, targets

    def weight(self, hook: Hook) -> Tensor:
        weight = self.synapse.weight.reshape(self.partitions, self.targets, -1)
        return hook(weight) if hook else weight

    def current(self, x: Tensor, hook: Hook) -> Tensor:
        weight = self.weight(hook)
        if not weight.requires_grad:
            return mixed(x, weight, current_dtype(x, hook))
        x = x.to(current_dtype(x, hook))
        parts = [torch.matmul(matrix, x.permute(0, 2, 3, 1)) for matrix in weight.to(x.dtype)]
        return torch.cat(parts, dim=3).permute(0, 3, 1, 2)

    def current_slayer(self, x: Tensor, hook: Hook) -> Tensor:
        self.synapse._pre_hook_fx = hook
        parts = self.synapse(x.permute(0, 3, 1, 2, 4)).unflatten(1, (self.partitions, self.targets))
        return parts.permute(0, 1, 3, 4, 2, 5).flatten(1, 2)

    def to_ir(self, name: str, target: str, weight_int: np.ndarray) -> ir.Synapse:
        return ir.JointMix(name, self.sources, target, weight_int)


class GraphConvProjection(Projection):
    """Graph convolution in one synapse (Eq. 6-7, ``fused``): trainable W, fixed S, weights S (x) W.

    Parameters
    ----------
    mixing : float32 (K, V, V)
        Partitions with disjoint supports; not trained.
    """

    def __init__(self, sources: tuple[str, ...], channels: int, out: int, mixing: np.ndarray) -> None:
        partitions = mixing.shape[0]
        synapse = slayer.synapse.Dense(partitions * channels, out)
        nn.init.kaiming_normal_(synapse.weight, mode="fan_out")
        super().__init__(sources, synapse, normed=True)
        k, v, w = np.nonzero(mixing)
        self.channels, self.out, self.joints = channels, out, mixing.shape[1]
        self.mixing: Tensor
        self.gain: Tensor
        self.partition: Tensor
        self.edges: Tensor
        self.register_buffer("mixing", torch.from_numpy(np.asarray(mixing, np.float32)), persistent=False)
        self.register_buffer("gain", torch.from_numpy(mixing[k, v, w].astype(np.float32)), persistent=False)
        self.register_buffer("partition", torch.from_numpy(k), persistent=False)
        self.register_buffer("edges", torch.from_numpy(np.stack([w, v], axis=1)), persistent=False)

    def weight(self, hook: Hook) -> Tensor:
        per_partition = self.synapse.weight.reshape(self.out, -1, self.channels).permute(1, 0, 2)
        weight = per_partition[self.partition] * self.gain[:, None, None]  # (E, O, I)
        return hook(weight) if hook else weight

    def _matrix(self, hook: Hook) -> Tensor:
        """All edges as one (O V, I V) matrix over (channel, joint)."""
        weight = self.weight(hook)
        matrix = weight.new_zeros(self.joints, self.joints, self.out, self.channels)
        matrix = matrix.index_put((self.edges[:, 1], self.edges[:, 0]), weight)
        return matrix.permute(2, 0, 3, 1).reshape(self.out * self.joints, self.channels * self.joints)

    def current(self, x: Tensor, hook: Hook) -> Tensor:
        if hook is None:
            return F.conv2d(mixed(x, self.mixing), self.synapse.weight[..., 0].to(x.dtype))
        rows = x.float().permute(0, 2, 1, 3).flatten(2)  # (N T, F, C V)
        return F.linear(rows, self._matrix(hook)).unflatten(2, (self.out, self.joints)).permute(0, 2, 1, 3)

    def current_slayer(self, x: Tensor, hook: Hook) -> Tensor:
        dense = slayer.synapse.Dense(self.channels * self.joints, self.out * self.joints)
        frozen(dense, self._matrix(hook))
        current = dense(x.permute(0, 1, 3, 2, 4).flatten(1, 2).unsqueeze(2))  # (N, C V, 1, F, T)
        return current.squeeze(2).unflatten(1, (self.out, self.joints)).permute(0, 1, 3, 2, 4)

    def to_ir(self, name: str, target: str, weight_int: np.ndarray) -> ir.Synapse:
        return ir.GraphConv(name, self.sources, target, weight_int, edges=self.edges.numpy())
