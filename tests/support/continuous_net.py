"""A small continuous network for NW-UCLA's body: nothing looks ahead, nothing is padded. Untrained, but lively."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from lively_nets import lively
from network_of import network_of

from mksgn.data.augmentation import lateral_joints
from mksgn.data.causal import Causal
from mksgn.data.pack import Pack
from mksgn.data.preprocess import Preprocess
from mksgn.ir import Graph

FRAMES = 11


def preprocess_for(pack: Pack, **causal: float) -> Preprocess:
    return Preprocess(frames=FRAMES, modality=("joint", "bone-motion"), lateral=lateral_joints(pack), root_range=3.0,
                      motion_range=0.15, causal=Causal(settle=4, **causal))


def continuous_net(pack: Pack, padding: str = "none", looks_ahead: bool = False, carried: bool = False,
                   **causal: float) -> Graph:
    """The graph of its clip, with what ``mksgn stream`` reads from a file.

    ``padding`` and ``looks_ahead`` make a net that is none; ``causal`` is of :class:`mksgn.data.causal.Causal`.
    ``carried`` makes one of one time step that carries its states from frame to frame.
    """
    import torch

    from mksgn.nn.lowering import to_graph

    torch.manual_seed(7)
    preprocess = preprocess_for(pack, **causal)
    if looks_ahead:
        preprocess = replace(preprocess, causal=None)
    net = network_of(kind="mksgn", body=pack.body, classes=len(pack.class_names), widths=(6, 8), strides=(1, 2),
                     temporal_kernel=3, temporal_padding=padding, frames=FRAMES, modalities=preprocess.modalities,
                     time_steps=1 if carried else 2, frame_state="carried" if carried else "reset")
    net.eval()
    lively(net, np.stack([preprocess.of(pack, i) for i in range(len(pack))])).quantize()
    return to_graph(net, meta={
        "preprocess": preprocess.to_json(), "labels": list(pack.class_names), "edges": pack.edges.flatten().tolist(),
        "joints": pack.body.num_joints, "data": "synthetic"})
