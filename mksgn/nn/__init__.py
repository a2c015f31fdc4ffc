"""SLAYER populations and networks: trained in floating point, quantised, and lowered to the integer graph.

The classes are imported where they are first asked for, so that :mod:`mksgn.nn.config`, which programs read for their
options, comes without torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mksgn.nn.config import DataShape, NetworkConfig

if TYPE_CHECKING:
    from mksgn.nn.builder import PopulationBuilder
    from mksgn.nn.network import NetOutput, SpikingGraphNet

__all__ = ["DataShape", "NetOutput", "NetworkConfig", "PopulationBuilder", "SpikingGraphNet"]

_HOMES = {"PopulationBuilder": "builder", "NetOutput": "network", "SpikingGraphNet": "network"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
