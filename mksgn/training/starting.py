"""How a run starts from the weights of another, and what its files say of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from mksgn.files import name_of
from mksgn.nn import SpikingGraphNet
from mksgn.nn.unfolding import normalise, standardise
from mksgn.training.batches import Batches
from mksgn.training.network_file import floating_network, give_weights, load_weights, retimed
from mksgn.training.run_files import FLOAT, WEIGHTS

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

    Where the folder has only integers, as in models/, their master weights are taken, with new batch norms. Where
    ``net`` looks at other frames, the norms learn from the network as it was what mean and scale each population is to
    have.

    Raises
    ------
    ConfigError
        When the folder holds no finished run, or one of another network.
    """
    if (folder / FLOAT).exists():
        load_weights(net, folder / FLOAT)
        return
    found = floating_network(folder / WEIGHTS)
    samples = torch.cat([x for x, *_ in islice(batches.epoch(0), STATISTICS_BATCHES)])
    give_weights(net, found, folder / WEIGHTS)  # refuses another network
    if retimed(net, found):
        normalise(found.eval(), _fitted(samples, found.data.frames))
        give_weights(net, found, folder / WEIGHTS)
        standardise(net.eval(), samples)
    else:
        normalise(net.eval(), samples)
    net.train()


def _fitted(samples: Tensor, frames: int) -> Tensor:
    """The last ``frames`` of (N, C, F, V) samples; where they have fewer, nobody is seen before them."""
    kept = samples[:, :, -frames:]
    return functional.pad(kept, (0, 0, frames - kept.shape[2], 0))
