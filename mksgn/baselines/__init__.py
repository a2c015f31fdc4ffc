"""Networks of floating-point numbers that MK-SGN is taught by and compared with: CTR-GCN and ST-GCN."""

from mksgn.baselines.ctrgcn import CTRGCN
from mksgn.baselines.stack import GraphStack, Recognition
from mksgn.baselines.stgcn import STGCN

__all__ = ["CTRGCN", "STGCN", "GraphStack", "Recognition"]
