"""The product of three populations of spikes, Q K^T V of the paper's Eq. 10: the one synapse that multiplies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from mksgn.ir.kind import Shape, SynapseKind

MESSAGE_MAX = (1 << 23) - 1
"""Largest value of a signed graded message of Loihi 2, which has 24 bits."""
SUM_MAX = (1 << 24) - 1
"""Largest synaptic input: 64 times more overflows Lava's 32-bit arithmetic (:data:`mksgn.ir.bounds.INPUT_LIMIT`)."""


@dataclass(frozen=True, eq=False)
class Attention(SynapseKind):
    r"""Attention without softmax, head by head, computed as Q (K^T V).

    .. math::
        m[i, c] = \sum_{n} k[i, n]\, v[c, n], \qquad
        a[c, n] = w[c] \sum_{i \in head(c)} q[i, n]\, m[i, c]

    n are tokens: the joints of a frame, each frame for itself; or the joints of all frames together. Whole numbers
    only, so that :math:`Q (K^T V) = (Q K^T) V` exactly.

    On a chip it takes two layers of product neurons, which multiply two inputs (Lava's ``ProdNeuron``), and a layer of
    neurons between them that send what they add up (``GradedVec``). All three send graded messages and keep no state:

    ========  =============================  =======================================  =======================
    layer     neurons                        computes                                 reads, through weights 1
    ========  =============================  =======================================  =======================
    pairs     one per token, i and c         k[i, n] v[c, n]                          k and v, spikes
    counts    one per i and c                m[i, c]                                  pairs
    products  one per token, i and c         q[i, n] m[i, c]                          q, spikes, and counts
    ========  =============================  =======================================  =======================

    The target reads ``products`` through ``weight``. So messages take four hops, not one.

    Widths: a count is at most the number of tokens, which must fit the 24 signed bits of a graded message; so does a
    product then. A sum into the target must stay within 24 bits, too.

    Parameters
    ----------
    name, target : str
    sources : (q, k, v)
        Three populations of one shape, the target's, that send spikes.
    weight : int16 ndarray (C,)
        One number for each channel of the target: the scale s of Eq. 10, rounded.
    heads : int
        Groups of neighbouring channels that attend for themselves; divides C.
    across_frames : bool
        Whether the joints of all frames are the tokens, and not those of each frame.
    """

    heads: int = 1
    across_frames: bool = False

    kind = "attention"
    weight_axes = 1
    adds_sources = False
    hops = 4

    @property
    def geometry(self) -> dict[str, Any]:
        return {"heads": self.heads, "across_frames": self.across_frames}

    @property
    def head_width(self) -> int:
        """Channels of a head: weights of 1 that a spike meets."""
        return len(self.weight) // self.heads

    def tokens(self, source: Shape) -> int:
        """Tokens that are summed together: no count exceeds this."""
        return source[2] * (source[1] if self.across_frames else 1)

    def layers(self, source: Shape) -> dict[str, int]:
        """Neurons of the three layers, by name."""
        channels, frames, joints = source
        groups = 1 if self.across_frames else frames
        width = channels * self.head_width
        return {"pairs": width * frames * joints, "counts": width * groups, "products": width * frames * joints}

    def _output_shape(self, source: Shape, target: Shape) -> Shape:
        if len(self.sources) != 3:
            raise ValueError(f"it multiplies three populations, q, k and v, not {len(self.sources)}")
        if self.heads < 1 or len(self.weight) != source[0] or source[0] % self.heads:
            raise ValueError(f"weight {self.weight.shape} and {self.heads} heads do not share {source[0]} channels")
        if self.tokens(source) > MESSAGE_MAX:
            raise ValueError(f"counts of {self.tokens(source)} tokens do not fit a graded message of 24 bits")
        if self.row_bound() * self.tokens(source) > SUM_MAX:
            raise ValueError(f"sums of up to {self.row_bound() * self.tokens(source)} leave the {SUM_MAX} of Lava's "
                             "arithmetic; smaller weights or more heads make them fit")
        return source

    def fanout(self, source: Shape, target: Shape) -> np.ndarray:
        """Weights of 1 into product neurons: a spike of any of the three sources meets one for each channel of a head.

        What the graded messages meet beyond them is no constant: :func:`events`.
        """
        return np.full(source, self.head_width, np.int64)

    def _uses(self, source: Shape, target: Shape) -> int:
        """Each of the two matrix products has C C/H N multiplications, as many as spikes of a source can meet."""
        return source[1] * source[2] * self.head_width

    def _into_one(self, values: np.ndarray) -> np.ndarray:
        return values * self.head_width


class Events(NamedTuple):
    """What happens inside an attention in one step, or several.

    Parameters
    ----------
    products : int64 ndarray or int
        Multiplications with a result, which product neurons send as messages.
    counts : int64 ndarray or int
        Messages of the counting neurons.
    macs : int64 ndarray or int
        Weights that graded messages meet: 1 of a pair; one per token of a count; that of the target, unless it is 0,
        of a product.
    """

    products: Any
    counts: Any
    macs: Any


def events(synapse: Attention, q: np.ndarray, k: np.ndarray, v: np.ndarray) -> Events:
    """Events of each of several steps or samples.

    Parameters
    ----------
    synapse : Attention
    q, k, v : ndarray (B, C, F, V) of 0 and 1

    Returns
    -------
    Events
        Of arrays (B,).
    """
    size, (_, channels, frames, joints) = len(q), q.shape
    groups, heads = 1 if synapse.across_frames else frames, synapse.heads

    def tokens(spikes: np.ndarray) -> np.ndarray:
        """(B, heads, groups, channels of a head, tokens)."""
        parted = spikes.astype(np.int64).reshape(size, heads, channels // heads, groups, -1)
        return parted.transpose(0, 1, 3, 2, 4)

    counted = tokens(k) @ tokens(v).swapaxes(3, 4)
    sent = (counted > 0).astype(np.int64)
    weighed = sent * (synapse.weight != 0).reshape(heads, 1, 1, -1)
    queries = tokens(q).sum(axis=4)
    pairs, counts = counted.sum(axis=(1, 2, 3, 4)), sent.sum(axis=(1, 2, 3, 4))
    products, met = ((queries * each.sum(axis=4)).sum(axis=(1, 2, 3)) for each in (sent, weighed))
    return Events(pairs + products, counts, pairs + synapse.tokens((channels, frames, joints)) * counts + met)
