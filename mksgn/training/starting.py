"""Where a run that goes on from another begins."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from mksgn.files import name_of
from mksgn.nn import SpikingGraphNet
from mksgn.nn.unfolding import normalise
from mksgn.training.batches import Batches
from mksgn.training.checkpoint import FLOAT, WEIGHTS, load_weights

ASKED = 8
"""Batches whose statistics batch norms begin with that were folded away."""


def lineage(folder: Path, meta: Mapping[str, Any], epochs: int) -> dict[str, Any]:
    """For the files of a run that starts from another: the names and floating-point epochs of all before it.

    Parameters
    ----------
    folder, meta, epochs
        The run it starts from, the metadata of its weights and the floating-point epochs of its own recipe.
    """
    return {"started_from": [*meta.get("started_from", ()), name_of(folder.resolve())],
            "epochs_before": meta.get("epochs_before", 0) + epochs}


def begin_with(net: SpikingGraphNet, folder: Path, batches: Batches) -> None:
    """Give ``net`` the weights of a finished run: its floating-point network's.

    Where only the integers were kept, as in models/, these are their master weights, with batch norms anew.

    Raises
    ------
    ConfigError
        When the folder holds no finished run, or one of another network.
    """
    if (folder / FLOAT).exists():
        load_weights(net, folder / FLOAT)
        return
    load_weights(net, folder / WEIGHTS)
    samples = torch.cat([x for x, *_ in islice(batches.epoch(0), ASKED)])
    normalise(net.eval(), samples)
    net.train()
