"""Why a synapse's counted operations differ from what the paper's Eq. 33 expects, as factors.

Eq. 33 takes every spike to meet FLOPs / N weights, where N is the number of neurons of the source. The real count
is the sum over neurons of spikes times fan-out. It differs for three reasons, each one factor:

.. math::

    \\frac{\\sum_i s_i f_i}{S F / N}
    = \\underbrace{\\frac{\\sum_i \\bar f_i}{F}}_{borders}
    \\; \\underbrace{\\frac{\\sum_i f_i}{\\sum_i \\bar f_i}}_{zero\\ weights}
    \\; \\underbrace{\\frac{\\sum_i s_i f_i}{(S / N) \\sum_i f_i}}_{uneven\\ firing}

with s_i the spikes of source neuron i, S their sum, f_i its fan-out in non-zero weights,
\\bar f_i the same if no weight were zero, and F the FLOPs of Eq. 33.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mksgn.counts import Counts
from mksgn.errors import ConfigError
from mksgn.ir import Graph
from mksgn.ir.streamed_clips import is_endless, refuse_streamed
from mksgn.ir.streaming import dense_macs


@dataclass(frozen=True)
class Causes:
    """Counted over theoretical operations of a synapse; the product of the three factors.

    Parameters
    ----------
    ratio : float
    borders : float
        Positions that do not exist: padding, strides, the ends of a sequence. At most 1.
    zero_weights : float
        Weights that are 0 after quantisation, or edges that the graph does not have. At most 1.
    uneven_firing : float
        Above 1 where neurons with many targets fire more than others.
    """

    ratio: float
    borders: float
    zero_weights: float
    uneven_firing: float


def ratio_causes(graph: Graph, counts: Counts) -> dict[str, Causes | None]:
    """The factors of every synapse, by name; None where nothing was sent.

    For a graded input both sides are MACs at each of the T steps, of its non-zero messages.

    Raises
    ------
    ConfigError
        When the counts do not hold the messages of every neuron (``counts.sent``).
    GraphError
        When the graph is streamed and ends: its borders are steps.
    """
    if not is_endless(graph):
        refuse_streamed(graph, "explained by its borders")
    found: dict[str, Causes | None] = {}
    for synapse in graph.synapses:
        missing = [name for name in synapse.sources if name not in counts.sent]
        if missing:
            raise ConfigError("the counts do not say which neuron sent what", where=f"population {missing[0]!r}",
                              fix="record spikes in the run, or count on the emulator")
        source, target = graph[synapse.sources[0]], graph[synapse.target]
        sent = np.sum([counts.sent[name] for name in synapse.sources], axis=0)
        real = synapse.fanout(source.shape, target.shape)
        full = replace(synapse, weight=synapse.dense_mask()).fanout(source.shape, target.shape)
        if not sent.any() or not real.any():
            found[synapse.name] = None
            continue
        flops = dense_macs(graph, synapse)
        met, mean = int((sent * real).sum()), int(sent.sum()) / sent.size
        found[synapse.name] = Causes(met / (mean * flops), int(full.sum()) / flops, int(real.sum()) / int(full.sum()),
                                     met / (mean * int(real.sum())))
    return found
