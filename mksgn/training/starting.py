"""How a run starts from the weights of another, and what its files say of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from mksgn.files import name_of
from mksgn.nn import SpikingGraphNet
from mksgn.nn.unfolding import normalise
from mksgn.training.batches import Batches
from mksgn.training.checkpoint import FLOAT, WEIGHTS, load_weights

STATISTICS_BATCHES = 8
"""Batches whose statistics a batch norm begins with where it was folded away."""


@dataclass(frozen=True)
class Origin:
    """Where a run comes from, for the files that it leaves.

    Parameters
    ----------
    preset : str
        Name of its recipe.
    start : Path or None
        Folder of the finished run whose weights it starts from.
    lineage : mapping
        What :func:`lineage` says of that run; empty without one.
    """

    preset: str
    start: Path | None
    lineage: Mapping[str, Any]


def lineage(folder: Path, meta: Mapping[str, Any], epochs: int) -> dict[str, Any]:
    """For the files of a run that starts from another: the names and floating-point epochs of all before it.

    Parameters
    ----------
    folder, meta, epochs
        The run it starts from, the metadata of its weights and the floating-point epochs of its own recipe.
    """
    return {"started_from": [*meta.get("started_from", ()), name_of(folder.resolve())],
            "epochs_before": meta.get("epochs_before", 0) + epochs}


def start_from_run(net: SpikingGraphNet, folder: Path, batches: Batches) -> None:
    """Give ``net`` the weights of a finished run: its floating-point network's.

    Where the folder has only integers, as in models/, their master weights are taken, with new batch norms.

    Raises
    ------
    ConfigError
        When the folder holds no finished run, or one of another network.
    """
    if (folder / FLOAT).exists():
        load_weights(net, folder / FLOAT)
        return
    load_weights(net, folder / WEIGHTS)
    samples = torch.cat([x for x, *_ in islice(batches.epoch(0), STATISTICS_BATCHES)])
    normalise(net.eval(), samples)
    net.train()
