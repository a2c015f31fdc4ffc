"""Spiking graphs as `.net` files: lava-dl's netx HDF5 protocol, extended (docs/net-format.md)."""

from mksgn.limits import MAX_BYTES
from mksgn.netx.reader import read_net
from mksgn.netx.stock import obstacles as stock_obstacles
from mksgn.netx.writer import write_net

__all__ = ["MAX_BYTES", "read_net", "stock_obstacles", "write_net"]
