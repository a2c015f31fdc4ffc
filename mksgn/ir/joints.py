"""Synapses along the edges of a joint graph: joint mixing, and graph convolution in one synapse."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mksgn.ir.kind import Shape, SynapseKind


@dataclass(frozen=True, eq=False)
class JointMix(SynapseKind):
    r"""Fixed mixing over the joint axis (paper Eq. 6, ``layer`` realisation), shared by channels and frames.

    .. math:: a[kC + c, f, v] = \sum_w S_k[v, w]\; s[c, f, w]

    Parameters
    ----------
    weight : int16 ndarray (K, V_target, V_source)
        One matrix per partition of the adjacency; the target has K C channels.
    """

    kind = "jointmix"
    weight_axes = 3

    @property
    def mixes_channels(self) -> bool:
        return False

    def _output_shape(self, source: Shape, target: Shape) -> Shape:
        channels, frames, joints = source
        partitions, made, read = self.weight.shape
        if read != joints:
            raise ValueError(f"weight {self.weight.shape} reads {read} joints")
        return (partitions * channels, frames, made)

    def fanout(self, source: Shape, target: Shape) -> np.ndarray:
        of_joint = (np.asarray(self.weight) != 0).sum(axis=(0, 1), dtype=np.int64)
        return np.broadcast_to(of_joint, source).copy()

    def _uses(self, source: Shape, target: Shape) -> int:
        return source[0] * source[1]

    def _into_one(self, values: np.ndarray) -> np.ndarray:
        return values.sum(axis=2)


@dataclass(frozen=True, eq=False)
class GraphConv(SynapseKind):
    r"""Graph convolution in one synapse (paper Eq. 6-7, ``fused`` realisation): weights S (x) W.

    .. math:: a[o, f, v] = \sum_{e:\, edges[e] = (w, v)} \sum_i weight[e, o, i]\; s[i, f, w]

    Parameters
    ----------
    weight : int16 ndarray (E, O, I)
    edges : int ndarray (E, 2)
        (source joint w, target joint v) of each edge, self-connections included.
    """

    edges: np.ndarray = None  # type: ignore[assignment]

    kind = "graphconv"
    weight_axes = 3

    @property
    def wiring(self) -> dict[str, np.ndarray]:
        return {"edges": self.edges}

    def _output_shape(self, source: Shape, target: Shape) -> Shape:
        channels, frames, joints = source
        count, made, read = self.weight.shape
        if read != channels:
            raise ValueError(f"weight {self.weight.shape} reads {read} channels")
        if self.edges is None or self.edges.shape != (count, 2):
            raise ValueError(f"edges {getattr(self.edges, 'shape', None)} do not pair with weight {self.weight.shape}")
        if self.edges.min() < 0 or self.edges[:, 0].max() >= joints or self.edges[:, 1].max() >= target[2]:
            raise ValueError(f"an edge names a joint outside {joints} -> {target[2]}")
        return (made, frames, target[2])

    def fanout(self, source: Shape, target: Shape) -> np.ndarray:
        of_joint_and_channel = np.zeros((source[2], source[0]), np.int64)
        np.add.at(of_joint_and_channel, self.edges[:, 0], (np.asarray(self.weight) != 0).sum(axis=1, dtype=np.int64))
        return np.broadcast_to(of_joint_and_channel.T[:, None, :], source).copy()

    def _uses(self, source: Shape, target: Shape) -> int:
        return source[1]

    def _into_one(self, values: np.ndarray) -> np.ndarray:
        sums = np.zeros((int(self.edges[:, 1].max()) + 1, values.shape[1]), values.dtype)
        np.add.at(sums, self.edges[:, 1], values.sum(axis=2))
        return sums
