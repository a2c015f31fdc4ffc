"""Checkpoints and trained networks as safetensors files, replaced whole; no pickle anywhere."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from mksgn.errors import ConfigError
from mksgn.nn import NetConfig, SpikingGraphNet
from mksgn.skeleton import Body

_HEADER_LIMIT = 100_000_000
"""The safetensors format's own bound, in bytes."""
NETWORK = "network"
"""The optimiser of the network's weights."""
_MODEL, _OPTIMISER, _RNG = "model.", "optimiser.", "rng"


def save_checkpoint(path: Path, model: nn.Module, optimisers: Mapping[str, torch.optim.Optimizer],
                    state: dict[str, Any], companions: Mapping[str, nn.Module] | None = None) -> None:
    """Write weights, the optimisers' states, torch's RNG and ``state`` (JSON values) to ``path``, atomically.

    ``optimisers`` has the network's under ``NETWORK``, and others under other names. ``companions`` are modules that
    are trained beside the network.
    """
    tensors: dict[str, Tensor] = {_MODEL + name: value.contiguous() for name, value in model.state_dict().items()}
    for which, module in (companions or {}).items():
        tensors |= {f"{which}.{_MODEL}{name}": value.contiguous() for name, value in module.state_dict().items()}
    for which, optimiser in optimisers.items():
        for index, entries in optimiser.state_dict()["state"].items():
            for name, value in entries.items():
                tensors[f"{_prefix(which)}{index}.{name}"] = torch.as_tensor(value).contiguous()
    tensors[_RNG] = torch.get_rng_state()
    _write(path, tensors, state)


def _prefix(optimiser: str) -> str:
    """The network's has no name in the file, as in checkpoints from before there were others."""
    return _OPTIMISER if optimiser == NETWORK else f"{_OPTIMISER}{optimiser}."


def _write(path: Path, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
    temporary = path.with_suffix(".tmp")
    save_file({k: v.detach().cpu().clone() for k, v in tensors.items()}, temporary, {"state": json.dumps(state)})
    temporary.chmod(0o644)  # safetensors creates it for the owner alone
    os.replace(temporary, path)


def save_network(path: Path, net: SpikingGraphNet) -> None:
    """Write a quantised network's shape, scales and (float master) weights, enough to rebuild or fine-tune it."""
    body = net.config.body
    config = {**{f.name: getattr(net.config, f.name) for f in fields(net.config)}, "body": {
        "num_joints": body.num_joints, "edges": body.edges.tolist(), "center": body.center,
        "joint_names": body.joint_names}}
    _write(path, {_MODEL + name: value for name, value in net.state_dict().items()},
           {"config": config, "scales": net.scales()})


def load_network(path: Path) -> SpikingGraphNet:
    """The quantised network that :func:`save_network` wrote.

    Raises
    ------
    ConfigError
        When the file is not one.
    """
    state = read_state(path)
    try:
        config: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in state["config"].items()}
        body = config.pop("body")
        names = tuple(body["joint_names"]) if body["joint_names"] else None
        config["body"] = Body(body["num_joints"], np.array(body["edges"]).reshape(-1, 2), body["center"], names)
        net = SpikingGraphNet(NetConfig(**config))
        net.quantize()
        with safe_open(path, "pt") as file:
            net.load_state_dict({k[len(_MODEL):]: file.get_tensor(k) for k in file.keys()})  # noqa: SIM118
        net.set_scales(state["scales"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ConfigError("this file does not hold a quantised network", where=str(path), got=str(error)[:200],
                          fix="name the weights.safetensors of a finished run") from None
    return net.eval()


def read_state(path: Path) -> dict[str, Any]:
    """The JSON state of a checkpoint.

    Raises
    ------
    ConfigError
        When there is no checkpoint at ``path`` or it is not one.
    """
    try:
        # Read the header in one open: safe_open maps the file in a second one, and a run may replace it in between.
        with open(path, "rb") as file:
            size = int.from_bytes(file.read(8), "little")
            if size > _HEADER_LIMIT:
                raise ValueError("not a safetensors file")
            return json.loads(json.loads(file.read(size))["__metadata__"]["state"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ConfigError("no checkpoint can be read here", where=str(path), got=str(error),
                          fix="start without --resume, or name the folder of an earlier run with --out") from None


def load_checkpoint(path: Path, model: nn.Module, optimisers: Mapping[str, torch.optim.Optimizer],
                    companions: Mapping[str, nn.Module] | None = None) -> None:
    """Restore what :func:`save_checkpoint` wrote into objects of the same shape."""
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    for prefix, module in [(_MODEL, model), *((f"{which}.{_MODEL}", m) for which, m in (companions or {}).items())]:
        module.load_state_dict({k[len(prefix):]: v for k, v in tensors.items() if k.startswith(prefix)})
    for which, optimiser in optimisers.items():
        prefix = _prefix(which)
        entries: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            if name.startswith(prefix):
                index, key = name[len(prefix):].split(".", 1)
                if index.isdigit():
                    entries.setdefault(int(index), {})[key] = value
        groups = optimiser.state_dict()["param_groups"]
        optimiser.load_state_dict({"state": entries, "param_groups": groups})
    torch.set_rng_state(tensors[_RNG])
