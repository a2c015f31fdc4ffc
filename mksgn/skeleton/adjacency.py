"""Adjacency matrices of a body: fixed weights of the layer that mixes joints (paper Eq. 5-6)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from mksgn.skeleton.body import Body


def normalized_adjacency(body: Body) -> np.ndarray:
    """Return ``D^-1/2 (A + I) D^-1/2`` (paper Eq. 5), D the degree matrix of A + I.

    The paper prints the right-hand exponent as +1/2. That matrix is neither symmetric nor bounded by 1, and the
    graph convolutions it cites (GCN, ST-GCN) use -1/2, so -1/2 is used here.

    Returns
    -------
    float32 ndarray (V, V), symmetric, spectral radius 1.
    """
    linked = body.adjacency().astype(np.float64) + np.eye(body.num_joints)
    scale = 1.0 / np.sqrt(linked.sum(axis=1))
    return (scale[:, None] * linked * scale[None, :]).astype(np.float32)


def spatial_partitions(body: Body) -> np.ndarray:
    """Return the K = 3 supports of ST-GCN's spatial configuration partitioning.

    ``S[k, v, w]`` is the weight from source joint w to target joint v:

    - k = 0, root: w = v;
    - k = 1, centripetal: w is a neighbour of v nearer to the centre than v;
    - k = 2, centrifugal: w is a neighbour of v further from the centre than v, or as far.

    Each row of each partition is divided by its sum, so it averages its sources; a row without sources is zero.
    The three supports are disjoint and their union is that of A + I. Distances are counted inside each connected
    component (see :meth:`Body.hops_to_center`), so repeated bodies give block-diagonal copies.

    Returns
    -------
    float32 ndarray (3, V, V)
    """
    linked = body.adjacency()
    hops = body.hops_to_center()
    nearer = hops[None, :] < hops[:, None]
    supports = np.stack([np.eye(body.num_joints, dtype=bool), linked & nearer, linked & ~nearer]).astype(np.float64)
    sums = supports.sum(axis=2, keepdims=True)
    return np.divide(supports, sums, out=np.zeros_like(supports), where=sums > 0).astype(np.float32)


@lru_cache(maxsize=32)
def parents(body: Body) -> np.ndarray:
    """Return int64 (V,), read-only: each joint's neighbour nearer to the centre; the centre is its own parent.

    A bone is ``joint - joint[parents]``. Where a cycle offers several nearer neighbours, the lowest index is
    taken. Every connected component has one joint that is its own parent.
    """
    linked = body.adjacency()
    hops = body.hops_to_center()
    nearer = linked & (hops[None, :] < hops[:, None])
    found = np.where(nearer.any(axis=1), np.argmax(nearer, axis=1), np.arange(body.num_joints))
    found.setflags(write=False)
    return found
