"""Checkpoints as safetensors files, replaced whole: all that a run needs to go on; no pickle anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from mksgn.errors import ConfigError, typed
from mksgn.training.run_files import MODEL, write_state
from mksgn.training.shapes import check_tensors

_ADAM = {"step", "exp_avg", "exp_avg_sq"}
"""Without which Adam and AdamW cannot go on from states of theirs."""
_OPTIMISER, _RNG = "optimiser.", "rng"


def save_checkpoint(path: Path, model: nn.Module, optimiser: torch.optim.Optimizer, state: dict[str, Any],
                    further_optimisers: Mapping[str, torch.optim.Optimizer] | None = None,
                    further_modules: Mapping[str, nn.Module] | None = None) -> None:
    """Write weights, the optimiser's state, torch's random generator and ``state`` (JSON values).

    The file is replaced whole.

    Parameters
    ----------
    further_optimisers : mapping, optional
        Other optimisers of the run, by name.
    further_modules : mapping, optional
        Modules, by name, that are trained or averaged beside the model.

    Raises
    ------
    OSError
        When it cannot be written; an earlier checkpoint is as it was.
    """
    tensors: dict[str, Tensor] = {MODEL + name: value.contiguous() for name, value in model.state_dict().items()}
    for which, module in (further_modules or {}).items():
        tensors |= {f"{which}.{MODEL}{name}": value.contiguous() for name, value in module.state_dict().items()}
    for prefix, each in _prefixed(optimiser, further_optimisers):
        for index, entries in each.state_dict()["state"].items():
            for name, value in entries.items():
                if value is not None:  # SGD without momentum has no buffer
                    tensors[f"{prefix}{index}.{name}"] = torch.as_tensor(value).contiguous()
    tensors[_RNG] = torch.get_rng_state()
    write_state(path, tensors, state)


def _prefixed(optimiser: torch.optim.Optimizer,
              further: Mapping[str, torch.optim.Optimizer] | None) -> list[tuple[str, torch.optim.Optimizer]]:
    """Optimisers, each with what the names of its tensors begin with. The network's own optimiser has no name."""
    return [(_OPTIMISER, optimiser), *((f"{_OPTIMISER}{name}.", each) for name, each in (further or {}).items())]


def load_checkpoint(path: Path, model: nn.Module, optimiser: torch.optim.Optimizer,
                    further_optimisers: Mapping[str, torch.optim.Optimizer] | None = None,
                    further_modules: Mapping[str, nn.Module] | None = None) -> None:
    """Restore what :func:`save_checkpoint` wrote into objects of the same shape.

    Raises
    ------
    ConfigError
        When the file is damaged, or of other objects.
    """
    with typed(ConfigError, "this checkpoint cannot be continued", str(path),
               fix="start without --resume, or name the folder of an earlier run with --out"):
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        for prefix, module in [(MODEL, model),
                               *((f"{which}.{MODEL}", each) for which, each in (further_modules or {}).items())]:
            weights = {k[len(prefix):]: v for k, v in tensors.items() if k.startswith(prefix)}
            check_tensors(weights, module.state_dict())
            module.load_state_dict(weights)
        for prefix, each in _prefixed(optimiser, further_optimisers):
            entries: dict[int, dict[str, Tensor]] = {}
            for name, value in tensors.items():
                if name.startswith(prefix):
                    index, key = name[len(prefix):].split(".", 1)
                    if index.isdigit():
                        entries.setdefault(int(index), {})[key] = value
            _check_entries(each, entries)
            each.load_state_dict({"state": entries, "param_groups": each.state_dict()["param_groups"]})
        torch.set_rng_state(tensors[_RNG])


def _check_entries(optimiser: torch.optim.Optimizer, entries: dict[int, dict[str, Tensor]]) -> None:
    """An optimiser takes states of any name, shape and type, and fails at its first step."""
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    needed = _ADAM if isinstance(optimiser, (torch.optim.Adam, torch.optim.AdamW)) else set()
    for index, states in entries.items():
        if index >= len(parameters) or needed - states.keys():
            raise ValueError(f"states {', '.join(states)} of parameter {index} of {len(parameters)}")
        for name, value in states.items():
            expected = () if name == "step" else parameters[index].shape
            if value.shape != expected or not value.is_floating_point() or not value.isfinite().all():
                raise ValueError(f"{name} of parameter {index} has shape {tuple(value.shape)}, type {value.dtype}, or "
                                 "numbers that are not finite")
