"""The processes that train together: which of them is the first, and how they are started."""

from __future__ import annotations

import os

import torch
from lightning_fabric import Fabric


def is_first_process() -> bool:
    """Whether this is the first of several processes, which prints what all would print; known before a launch, too."""
    return os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")) == "0"


def launch(device: torch.device, count: int) -> Fabric:
    """Start ``count`` processes of this program, and return what connects this one with the others.

    torchrun has started its processes already, and says how many. The others run this program from its head.
    """
    count = int(os.environ.get("LOCAL_WORLD_SIZE", count))
    nodes = int(os.environ.get("WORLD_SIZE", count)) // count
    fabric = Fabric(accelerator=device.type, devices=count, num_nodes=nodes,
                    strategy="ddp" if count * nodes > 1 else "auto")
    fabric.launch()
    return fabric
