"""The description of a network in its file: read back as it was written, and checked before memory is taken."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from network_of import network_of, shape_of
from safetensors import safe_open

from mksgn.errors import ConfigError
from mksgn.networks import NETWORKS
from mksgn.networks.registry import owners
from mksgn.skeleton import UCLA20
from mksgn.teachers.weights import save_tensors
from mksgn.training.network_file import load_network, save_network
from mksgn.training.run_files import read_state
from mksgn.training.shapes import shape_of as read
from mksgn.training.shapes import stated


def described(kind: str) -> dict[str, Any]:
    own = {"strides": (1, 2), "coder_width": 4} if kind in owners("strides") else {}
    return json.loads(json.dumps(stated(*shape_of(kind=kind, body=UCLA20, classes=3, frames=8, widths=(8, 8), **own))))


@pytest.mark.parametrize("kind", NETWORKS)
def test_what_is_stated_is_read(kind):
    config, data = read(described(kind))
    assert config.name == kind and (data.body, data.classes, data.frames) == (UCLA20, 3, 8)
    assert json.loads(json.dumps(stated(config, data))) == described(kind)


@pytest.mark.parametrize(("name", "value"), [
    ("widths", 8), ("widths", [8, "8"]), ("widths", [8, 1 << 21]), ("time_steps", 2.0), ("time_steps", True),
    ("dropout", "0"), ("dropout", float("inf")), ("graph_conv", "other"), ("coder_width", -1),
    ("fusion_weights", [None]), ("heads", "8"), ("another", 1)])
def test_entries_of_another_kind_are_refused(name, value):
    with pytest.raises((ValueError, AttributeError)):
        read({**described("mksgn"), name: value})


@pytest.mark.parametrize(("name", "value"), [("classes", 0), ("persons", 100), ("modalities", "joint"),
                                             ("frames", None)])
def test_so_are_data_of_another_kind(name, value):
    stored = described("mksgn")
    with pytest.raises((ValueError, TypeError)):
        read({**stored, "data": {**stored["data"], name: value}})


def test_an_unknown_network_is_refused():
    with pytest.raises(ConfigError, match="unknown network"):
        read({**described("mksgn"), "network": "vit"})


def test_a_file_of_an_older_version_is_one_clear_error(tmp_path):
    """Their descriptions named no network."""
    torch.manual_seed(0)
    path = tmp_path / "weights.safetensors"
    net = network_of(body=UCLA20, classes=3, frames=8, widths=(4,), strides=(1,))
    save_network(path, net.eval())
    assert load_network(path, quantized=False).config == net.config
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    state = read_state(path)
    del state["config"]["network"]
    save_tensors(path, tensors, {"state": json.dumps(state)})
    with pytest.raises(ConfigError, match="older version") as caught:
        load_network(path, quantized=False)
    assert caught.value.where == str(path) and "train the network anew" in caught.value.fix
