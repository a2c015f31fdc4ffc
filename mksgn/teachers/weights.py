"""Trained teachers as safetensors files: weights, and as metadata all that is needed to use them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mksgn.errors import ConfigError, typed
from mksgn.files import replacing
from mksgn.skeleton import Body
from mksgn.teachers.ctrgcn import CTRGCN
from mksgn.teachers.stack import GraphStack
from mksgn.teachers.stgcn import STGCN

NETWORKS: dict[str, type[CTRGCN] | type[STGCN]] = {"ctr-gcn": CTRGCN, "st-gcn": STGCN}


@dataclass(frozen=True, kw_only=True)
class TeacherConfig:
    """Shape of a network.

    Parameters
    ----------
    network : 'ctr-gcn' or 'st-gcn'
    body : Body
        Joint graph of one person.
    classes, channels, persons, base_channels, dropout
        See :class:`~mksgn.teachers.ctrgcn.CTRGCN` and :class:`~mksgn.teachers.stgcn.STGCN`.
    """

    network: str
    body: Body
    classes: int
    channels: int = 3
    persons: int = 1
    base_channels: int = 64
    dropout: float = 0.0

    def build(self) -> GraphStack:
        """A network of this shape with fresh weights from torch's random generator.

        Raises
        ------
        ConfigError
            Unknown network, impossible width.
        """
        if self.network not in NETWORKS:
            raise ConfigError("unknown network", got=self.network, allowed=", ".join(NETWORKS))
        return NETWORKS[self.network](self.body, self.classes, channels=self.channels, persons=self.persons,
                                      base_channels=self.base_channels, dropout=self.dropout)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        body = self.body
        return {**vars(self), "body": {"num_joints": body.num_joints, "edges": body.edges.tolist(),
                                       "center": body.center, "joint_names": body.joint_names}}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TeacherConfig:
        """Inverse of :meth:`to_dict`, also after a passage through JSON."""
        body = values["body"]
        names = tuple(body["joint_names"]) if body["joint_names"] else None
        edges = np.array(body["edges"], np.int64).reshape(-1, 2)
        return cls(**{**values, "body": Body(body["num_joints"], edges, body["center"], names)})


def save_teacher(path: Path, network: GraphStack, config: TeacherConfig, meta: Mapping[str, Any]) -> None:
    """Write a trained network, replacing ``path`` whole or not at all.

    Parameters
    ----------
    meta : mapping of JSON values
        Modality, preprocessing, recipe, accuracies, ...
    """
    write_tensors(path, network.state_dict(), {"config": config.to_dict(), **meta})


def load_teacher(path: str | os.PathLike[str]) -> tuple[GraphStack, dict[str, Any]]:
    """The network that :func:`save_teacher` wrote, in evaluation mode, and its metadata (with ``config``).

    Raises
    ------
    ConfigError
        When the file is missing, damaged or of another kind.
    """
    tensors, meta = read_tensors(path)
    try:
        network = TeacherConfig.from_dict(meta["config"]).build()
        network.load_state_dict(tensors)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ConfigError("this file does not hold a teacher", str(path), str(error)[:200],
                          fix="name the weights.safetensors of a finished train_teacher.py run") from None
    return network.eval(), meta


def copy_weights(network: GraphStack, config: TeacherConfig, path: Path) -> None:
    """Give ``network``, of shape ``config``, the weights that :func:`save_teacher` wrote; dropout may differ.

    Raises
    ------
    ConfigError
        When the file is none, or of another network.
    """
    found, meta = load_teacher(path)
    here, there = plain(config.to_dict()), meta["config"]
    for name in sorted(here.keys() - {"dropout"}):
        if here[name] != there[name]:
            raise ConfigError("these weights are another network's", str(path), f"{name} {there[name]}"[:200],
                              f"{name} {here[name]}"[:200], fix="start with the options and the data of that run")
    network.load_state_dict(found.state_dict())


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as they are after a passage through JSON."""
    return json.loads(json.dumps(dict(values)))


def write_tensors(path: Path, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """A safetensors file with JSON metadata, which :func:`read_tensors` reads."""
    save_tensors(path, tensors, {"meta": json.dumps(dict(meta))})


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    """A safetensors file, written under a temporary name and renamed.

    Raises
    ------
    OSError
        When it cannot be written; an existing file is as it was.
    """
    with replacing(path) as temporary:
        try:
            save_file({k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}, temporary, metadata)
        except SafetensorError as error:  # what the system said is in its text
            raise OSError(str(error)) from None
        temporary.chmod(0o644)  # safetensors creates it for the owner alone


def read_tensors(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What :func:`write_tensors` wrote.

    Raises
    ------
    ConfigError
        When the file is missing, damaged or without our metadata.
    """
    with typed(ConfigError, "no tensors of ours can be read here", str(path),
               fix="name a file that train_teacher.py wrote"), safe_open(path, "pt") as file:
        meta = json.loads((file.metadata() or {})["meta"])
        if type(meta) is not dict:
            raise ValueError("its metadata are no JSON object")
        return {name: file.get_tensor(name) for name in file.keys()}, meta  # noqa: SIM118


def trained_parameters(network: torch.nn.Module) -> int:
    """Number of trained parameters."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
