"""SLAYER blocks and networks: trained in floating point, quantised, and lowered to the integer graph."""

from mksgn.nn.config import NetConfig
from mksgn.nn.network import NetOutput, SpikingGraphNet

__all__ = ["NetConfig", "NetOutput", "SpikingGraphNet"]
