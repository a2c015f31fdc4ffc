"""The other way to the same numbers: run the networks and count.

Floating-point networks run on torch's meta device (shapes without numbers) under torch's FlopCounterMode, which counts
what convolutions and matrix products really receive; spiking networks are built, quantised and lowered, and
counted synapse by synapse on the integer graph. Neither looks at the formulas of _layers.py.
"""

from __future__ import annotations

from typing import Any

import torch
from _layers import Setting
from torch.utils.flop_counter import FlopCounterMode

from mksgn.energy.printed import TABLE7
from mksgn.ir import Graph
from mksgn.networks import BaseSgnConfig, DataShape, MkSgnConfig
from mksgn.nn import SpikingGraphNet
from mksgn.nn.lowering import to_graph
from mksgn.skeleton import NTU25, UCLA20, Body
from mksgn.teachers import CTRGCN, STGCN, GraphStack
from mksgn.teachers.agcn import AGCN
from mksgn.teachers.msg3d import MSG3D
from mksgn.teachers.shiftgcn import ShiftGCN

NETWORKS: dict[str, Any] = {"ST-GCN": STGCN, "2s-AGCN": AGCN, "Shift-GCN": ShiftGCN, "MS-G3D": MSG3D,
                            "CTR-GCN": CTRGCN}
"""Name in the paper to our module of one stream."""


def body_of(setting: Setting) -> Body:
    """The skeleton with this many joints."""
    return {25: NTU25, 20: UCLA20}[setting.joints]


def count_network(name: str, setting: Setting) -> tuple[int, int]:
    """Multiply-accumulates of one sample and parameters of one stream, counted.

    The data norm in front, the mean before the classifier and everything element by element count nothing.
    """
    net: GraphStack = NETWORKS[name](body_of(setting), setting.classes, persons=setting.persons)
    net.eval().to("meta")
    x = torch.empty(setting.persons, 3, setting.joints, setting.frames, device="meta")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        for layer in net.layers:
            x = layer(x)
        net.classifier(x.mean((0, 2, 3))[None])
    return counter.get_total_flops() // 2, sum(p.numel() for p in net.parameters())


def spiking_graph(network: str, setting: Setting) -> tuple[Graph, int]:
    """Our Base-SGN or MK-SGN of the paper's size as integers (untrained), and its trained parameters."""
    torch.manual_seed(0)
    kind = MkSgnConfig if network == "MK-SGN" else BaseSgnConfig
    net = SpikingGraphNet(kind(widths=TABLE7[network]["widths"], strides=TABLE7[network]["strides"]),
                          DataShape(body=body_of(setting), classes=setting.classes, frames=setting.frames,
                                    persons=setting.persons))
    # Biases of the populations start as constants: their batch norms, which are folded into them, are what is trained.
    trained = sum(p.numel() for p in net.parameters() if p.requires_grad)
    net.quantize()
    return to_graph(net), trained


def count_graph(graph: Graph) -> dict[str, tuple[int, int]]:
    """For every synapse: dense MACs of one step and one source, and non-zero weights met if every neuron fired once.

    The second is what a chip can perform at most: borders, missing edges and zero weights are not in it.
    """
    counted = {}
    for synapse in graph.synapses:
        source, target = graph[synapse.sources[0]].shape, graph[synapse.target].shape
        counted[synapse.name] = synapse.dense_macs(source, target), synapse.connections(source, target)
    return counted
