"""The six sparse matrices of an attention made of stock Processes, and the neurons between them.

Pairs and products have a neuron for each token, channel i of a head and channel c of the same head; counts have one for
each i and c, and for each frame unless the tokens are those of all frames. Tokens follow each other in Lava's order.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix

from mksgn.ir import Attention
from mksgn.ir.synapses import Shape

MATRICES: dict[str, tuple[str, str, str]] = {
    "k": ("k", "pairs", "a_in1"), "v": ("v", "pairs", "a_in2"), "counts": ("pairs", "counts", "a_in"),
    "q": ("q", "products", "a_in1"), "spread": ("counts", "products", "a_in2"), "out": ("products", "target", "a_in")}
"""Where each matrix leads from and to, and the port that it ends at."""


def attention_matrix(name: str, synapse: Attention, source: Shape) -> csr_matrix:
    """A matrix of :data:`MATRICES`: int32 csr_matrix (neurons it ends at, neurons it starts from).

    Parameters
    ----------
    name : str
    synapse : Attention
    source : (C, F, V)
    """
    channels, frames, joints = source
    width, sizes = synapse.head_width, synapse.layers(source)
    token, i, j = (x.ravel() for x in np.indices((frames * joints, channels, width)))
    other = i // width * width + j  # channel c, the j-th of the head of i
    neuron, frame = (token * channels + i) * width + j, token % frames
    group = np.zeros_like(frame) if synapse.across_frames else frame
    count = (group * channels + i) * width + j
    neurons = channels * frames * joints
    sizes = {"q": neurons, "k": neurons, "v": neurons, "target": neurons, **sizes}
    ends = {"k": (neuron, token * channels + i), "v": (neuron, token * channels + other), "counts": (count, neuron),
            "q": (neuron, token * channels + i), "spread": (neuron, count), "out": (token * channels + other, neuron)}
    rows, columns = ends[name]
    values = synapse.weight[other].astype(np.int32) if name == "out" else np.ones(len(rows), np.int32)
    met = values != 0
    before, after, _ = MATRICES[name]
    return coo_matrix((values[met], (rows[met], columns[met])), (sizes[after], sizes[before])).tocsr()
