"""The shape of a network as its file states it: every number checked before memory is taken for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mksgn.nn import NetConfig, SpikingGraphNet
from mksgn.skeleton import Body
from mksgn.skeleton.body import JOINTS_MAX

NUMBER_MAX = 1 << 20
"""Largest whole number that a file may state."""


def config_of(stored: dict[str, Any]) -> NetConfig:
    """The configuration that ``stored``, JSON, describes.

    Raises
    ------
    ValueError, TypeError, KeyError, AttributeError
        When an entry is missing, of another type or too large.
    MksgnError
        When the entries contradict each other.
    """
    given: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in stored.items()}
    body = given.pop("body")
    joints, names = body["num_joints"], body["joint_names"]
    if not _is_whole(joints) or not _is_whole(given.get("persons", 1)) or joints * given.get("persons", 1) > JOINTS_MAX:
        raise ValueError(f"{joints!r:.20} joints of {given.get('persons', 1)!r:.20} persons")
    edges = np.array(body["edges"]).reshape(-1, 2)
    given["body"] = Body(joints, edges, body["center"], tuple(map(str, names)) if names else None)
    for each in fields(NetConfig):
        if each.name in given and each.name != "body" and not _ALLOWED[str(each.type)](given[each.name]):
            raise ValueError(f"{each.name} is {given[each.name]!r:.60}")
    return NetConfig(**given)


def _is_whole(value: Any) -> bool:
    return type(value) is int and 0 < value <= NUMBER_MAX


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


_ALLOWED: dict[str, Callable[[Any], bool]] = {
    "int": _is_whole, "int | None": lambda value: value is None or _is_whole(value), "float": _is_number,
    "bool": lambda value: type(value) is bool, "str": lambda value: type(value) is str,
    "tuple[int, ...]": lambda value: type(value) is tuple and all(map(_is_whole, value)),
    "tuple[str, ...]": lambda value: type(value) is tuple and all(type(item) is str for item in value),
    "tuple[float, ...] | None": lambda value: value is None or (type(value) is tuple and all(map(_is_number, value))),
}
"""What may stand in the fields of :class:`NetConfig`, by their annotations."""


def state_of(config: NetConfig) -> dict[str, Tensor]:
    """Names, shapes and types of a network's tensors, without memory behind them; norms are as in floating point."""
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        return SpikingGraphNet(config).state_dict()


def check_tensors(tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Refuse tensors of other shapes than those expected, or of numbers that are not finite.

    Raises
    ------
    ValueError
        Naming the first that is missing or wrong. Norms may be missing: quantisation folds them.
    """
    missing = [name for name in expected if name not in tensors and ".norm." not in name]
    if missing:
        raise ValueError(f"{missing[0]} is missing")
    for name, value in tensors.items():
        if name not in expected or expected[name].shape != value.shape:
            allowed = tuple(expected[name].shape) if name in expected else "nothing"
            raise ValueError(f"{name} has shape {tuple(value.shape)} in place of {allowed}")
        if value.is_floating_point() != expected[name].is_floating_point() or not value.isfinite().all():
            raise ValueError(f"{name} does not hold finite numbers of type {expected[name].dtype}")
