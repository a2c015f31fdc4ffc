"""The shape of a network as its file states it: every number checked before memory is taken for it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import numpy as np
import torch
from torch import Tensor

from mksgn import networks
from mksgn.errors import ConfigError
from mksgn.limits import type_of
from mksgn.networks import NETWORKS, DataShape, NetworkConfig
from mksgn.nn import SpikingGraphNet
from mksgn.skeleton import Body
from mksgn.skeleton.body import JOINTS_MAX

NUMBER_MAX = 1 << 20
"""Largest whole number that a file may state."""


def stated(config: NetworkConfig, data: DataShape) -> dict[str, Any]:
    """A network's choices and the shape of its data as plain values: what :func:`shape_of` reads."""
    body = data.body
    return {**networks.stored(config), "data": {
        **{each.name: getattr(data, each.name) for each in fields(data)},
        "body": {"num_joints": body.num_joints, "edges": body.edges.tolist(), "center": body.center,
                 "joint_names": body.joint_names}}}


def shape_of(stored: Mapping[str, Any]) -> tuple[NetworkConfig, DataShape]:
    """The network's choices and the shape of its data that ``stored``, JSON, describes.

    Raises
    ------
    ValueError, TypeError, KeyError, AttributeError
        When an entry is missing, of another type or too large.
    MksgnError
        When the entries contradict each other, or there is no such network.
    """
    choices = {key: _immutable(value) for key, value in stored.items()}
    given = {key: _immutable(value) for key, value in choices.pop("data").items()}
    body = given.pop("body")
    joints, names = body["num_joints"], body["joint_names"]
    if not _is_whole(joints) or not _is_whole(given["persons"]) or joints * given["persons"] > JOINTS_MAX:
        raise ValueError(f"{joints!r:.20} joints of {given['persons']!r:.20} persons")
    edges = np.array(body["edges"]).reshape(-1, 2)
    known = Body(joints, edges, body["center"], tuple(map(str, names)) if names else None)
    name = choices.pop("network")
    if name not in NETWORKS:
        raise ConfigError("unknown network", got=f"{name!r:.60}", allowed=", ".join(NETWORKS))
    for kind, values in ((NETWORKS[name], choices), (DataShape, given)):
        for key, value in values.items():
            if not _fits(value, type_of(kind, key)):
                raise ValueError(f"{key} is {value!r:.60}")
    return NETWORKS[name](**choices), DataShape(body=known, **given)


def _immutable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _is_whole(value: Any) -> bool:
    return type(value) is int and 0 < value <= NUMBER_MAX


def _fits(value: Any, kind: Any) -> bool:
    """Whether a value read from JSON may stand in a field that is annotated as ``kind``."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return any(_fits(value, each) for each in inner)
    if origin is Literal:
        return type(value) is str and value in inner
    if origin is tuple:  # of any length
        return type(value) is tuple and all(_fits(item, inner[0]) for item in value)
    if kind is int:
        return _is_whole(value)
    if kind is float:
        return type(value) in (int, float) and math.isfinite(value)
    return kind in (NoneType, bool, str) and type(value) is kind


def state_of(config: NetworkConfig, data: DataShape) -> dict[str, Tensor]:
    """Names, shapes and types of a network's tensors, without memory behind them; norms are as in floating point."""
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        return SpikingGraphNet(config, data).state_dict()


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
