"""Checkpoints: one safetensors file per run, replaced whole after every epoch; no pickle anywhere."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from mksgn.errors import ConfigError

_MODEL, _OPTIMISER, _RNG = "model.", "optimiser.", "rng"


def save_checkpoint(path: Path, model: nn.Module, optimiser: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Write weights, optimiser state, torch's RNG and ``state`` (JSON values) to ``path``, atomically."""
    tensors: dict[str, Tensor] = {_MODEL + name: value.contiguous() for name, value in model.state_dict().items()}
    for index, entries in optimiser.state_dict()["state"].items():
        for name, value in entries.items():
            tensors[f"{_OPTIMISER}{index}.{name}"] = torch.as_tensor(value).contiguous()
    tensors[_RNG] = torch.get_rng_state()
    temporary = path.with_suffix(".tmp")
    save_file({k: v.detach().cpu().clone() for k, v in tensors.items()}, temporary, {"state": json.dumps(state)})
    os.replace(temporary, path)


def read_state(path: Path) -> dict[str, Any]:
    """The JSON state of a checkpoint.

    Raises
    ------
    ConfigError
        When there is no checkpoint at ``path`` or it is not one.
    """
    try:
        with safe_open(path, "pt") as file:
            return json.loads(file.metadata()["state"])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ConfigError("no checkpoint can be read here", where=str(path), got=str(error),
                          fix="start without --resume, or name the folder of an earlier run with --out") from None


def load_checkpoint(path: Path, model: nn.Module, optimiser: torch.optim.Optimizer) -> None:
    """Restore what :func:`save_checkpoint` wrote into objects of the same shape."""
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    model.load_state_dict({k[len(_MODEL):]: v for k, v in tensors.items() if k.startswith(_MODEL)})
    entries: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith(_OPTIMISER):
            index, key = name[len(_OPTIMISER):].split(".", 1)
            entries.setdefault(int(index), {})[key] = value
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": entries, "param_groups": groups})
    torch.set_rng_state(tensors[_RNG])
