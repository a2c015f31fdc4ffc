"""SLAYER blocks and networks: trained in floating point, quantised, and lowered to the integer graph."""

from mksgn.nn.network import NetConfig, NetOutput, SpikingGraphNet

__all__ = ["NetConfig", "NetOutput", "SpikingGraphNet"]
