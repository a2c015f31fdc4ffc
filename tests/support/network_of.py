"""Networks by their choices and the shape of their data, in one call."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from mksgn.networks import NETWORKS, DataShape, NetworkConfig
from mksgn.nn import SpikingGraphNet

SHAPE = {each.name for each in fields(DataShape)}


def shape_of(**given: Any) -> tuple[NetworkConfig, DataShape]:
    """Choices and data shape from fields of both; ``kind`` names the network (mksgn), which has no dropout."""
    kind = NETWORKS[given.pop("kind", "mksgn")]
    choices = {"dropout": 0.0, **{name: value for name, value in given.items() if name not in SHAPE}}
    return kind(**choices), DataShape(**{name: value for name, value in given.items() if name in SHAPE})


def network_of(**given: Any) -> SpikingGraphNet:
    """The network, with fresh weights."""
    return SpikingGraphNet(*shape_of(**given))
