"""The four synapse kinds of the spiking graph, as integers.

Every kind maps spikes of one or more source populations (``sources``, all of one shape; their
spikes project through the *same* weights, netx `concat`) to the dendrites of one ``target``.
Populations are ``(C, F, V)``: channels, video frames, joints.

Legend: O, I output and input channels; K partitions of the adjacency; E edges of the joint graph.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Shape = tuple[int, int, int]
Pair = tuple[int, int]


@dataclass(frozen=True, eq=False)
class _Synapse:
    name: str
    sources: tuple[str, ...]
    target: str
    weight: np.ndarray


@dataclass(frozen=True, eq=False)
class Conv(_Synapse):
    r"""2-D convolution over (F, V), as torch's ``conv2d`` (a correlation).

    .. math:: a[o,f,v] = \sum_{i,m,n} w[o,i,m,n]\; s[i,\; f s_F + m d_F - p_F,\; v s_V + n d_V - p_V]

    Parameters
    ----------
    weight : int16 ndarray (O, I / groups, kF, kV)
        Even integers in [-256, 254].
    stride, padding, dilation : (F, V) pairs of int
    groups : int
    """

    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1


@dataclass(frozen=True, eq=False)
class Dense(_Synapse):
    r"""All-to-all over the flattened source, in (C, F, V) C order: :math:`a_o = \sum_j w_{oj} s_j`.

    Parameters
    ----------
    weight : int16 ndarray (O, C F V)
    delay : int ndarray, optional
        Functional synaptic delay in time steps: shape (C F V,) per input or (O, C F V) per synapse,
        0..62. A delay that only balances branches is never stored: see :mod:`mksgn.ir.schedule`.
    """

    delay: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class JointMix(_Synapse):
    r"""Fixed mixing over the joint axis (paper Eq. 6, ``layer`` realisation), shared by channels and frames.

    .. math:: a[kC + c, f, v] = \sum_w S_k[v, w]\; s[c, f, w]

    Parameters
    ----------
    weight : int16 ndarray (K, V_target, V_source)
        One matrix per partition of the adjacency; the target has K C channels.
    """


@dataclass(frozen=True, eq=False)
class GraphConv(_Synapse):
    r"""Graph convolution in one synapse (paper Eq. 6-7, ``fused`` realisation): weights S (x) W.

    .. math:: a[o, f, v] = \sum_{e:\, edges[e] = (w, v)} \sum_i weight[e, o, i]\; s[i, f, w]

    Parameters
    ----------
    weight : int16 ndarray (E, O, I)
    edges : int ndarray (E, 2)
        (source joint w, target joint v) of each edge, self-connections included.
    """

    edges: np.ndarray = None  # type: ignore[assignment]


Synapse = Conv | Dense | JointMix | GraphConv


def output_shape(synapse: Synapse, source: Shape, target: Shape) -> Shape:
    """Shape that ``synapse`` produces from a source of shape ``source``.

    For a :class:`Dense` synapse any target with O neurons fits, so ``target`` is returned when it
    has O neurons. Raises ValueError with a sentence when the source cannot feed the synapse.
    """
    channels, frames, joints = source
    weight = synapse.weight
    rank = 4 if isinstance(synapse, Conv) else 2 if isinstance(synapse, Dense) else 3
    if weight.ndim != rank or weight.size == 0:
        raise ValueError(f"weight {weight.shape} should have {rank} axes, none of them empty")
    if isinstance(synapse, Conv):
        if min(*synapse.stride, *synapse.dilation, synapse.groups) < 1 or min(synapse.padding) < 0:
            raise ValueError(f"stride {synapse.stride}, padding {synapse.padding}, dilation {synapse.dilation}, "
                             f"groups {synapse.groups} must be positive (padding may be 0)")
        out, per_group, *kernel = weight.shape
        if per_group * synapse.groups != channels or out % synapse.groups:
            raise ValueError(f"weight {weight.shape} with {synapse.groups} groups reads "
                             f"{per_group * synapse.groups} channels")
        size = [
            (n + 2 * p - d * (k - 1) - 1) // s + 1
            for n, p, d, k, s in zip((frames, joints), synapse.padding, synapse.dilation, kernel, synapse.stride)
        ]
        if min(size) < 1:
            raise ValueError(f"kernel {tuple(kernel)} does not fit into {frames} frames x {joints} joints")
        return (out, size[0], size[1])
    if isinstance(synapse, Dense):
        if weight.shape[1] != channels * frames * joints:
            raise ValueError(f"weight {weight.shape} reads {weight.shape[1]} inputs")
        if int(np.prod(target)) != weight.shape[0]:
            raise ValueError(f"weight {weight.shape} drives {weight.shape[0]} neurons")
        return target
    if isinstance(synapse, JointMix):
        if weight.shape[2] != joints:
            raise ValueError(f"weight {weight.shape} reads {weight.shape[2]} joints")
        return (weight.shape[0] * channels, frames, weight.shape[1])
    if weight.shape[2] != channels:
        raise ValueError(f"weight {weight.shape} reads {weight.shape[2]} channels")
    if synapse.edges is None or synapse.edges.shape != (weight.shape[0], 2):
        raise ValueError(f"edges {getattr(synapse.edges, 'shape', None)} do not pair with weight {weight.shape}")
    if synapse.edges.min() < 0 or synapse.edges[:, 0].max() >= joints or synapse.edges[:, 1].max() >= target[2]:
        raise ValueError(f"an edge names a joint outside {joints} -> {target[2]}")
    return (weight.shape[1], frames, target[2])
