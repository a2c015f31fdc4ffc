"""The five synapse kinds of the spiking graph, as integers.

Every kind maps spikes of one or more source populations (``sources``, all of one shape) to the dendrites of one
``target``. In all but :class:`Attention`, which multiplies its three sources, their spikes project through the *same*
weights (netx `concat`) and add up.
Populations are ``(C, F, V)``: channels, video frames, joints. What can be asked of any kind is in
:class:`mksgn.ir.kind.SynapseKind`; a module that has to take the kinds apart (a file format, a
backend) does so in one dispatch.

Legend: O, I output and input channels; K partitions of the adjacency; E edges of the joint graph.
"""

from __future__ import annotations

from mksgn.ir.attention import Attention
from mksgn.ir.conv import Conv
from mksgn.ir.dense import Dense
from mksgn.ir.joints import GraphConv, JointMix
from mksgn.ir.kind import Pair, Shape

Synapse = Conv | Dense | JointMix | GraphConv | Attention

KINDS: dict[str, type[Synapse]] = {kind.kind: kind for kind in (Conv, Dense, JointMix, GraphConv, Attention)}
"""Every kind by its word in files."""

__all__ = ["KINDS", "Attention", "Conv", "Dense", "GraphConv", "JointMix", "Pair", "Shape", "Synapse"]
