"""Networks of floating-point numbers that MK-SGN is taught by and compared with: CTR-GCN and ST-GCN."""

from mksgn.teachers.ctrgcn import CTRGCN
from mksgn.teachers.stack import GraphStack, Recognition
from mksgn.teachers.stgcn import STGCN

__all__ = ["CTRGCN", "STGCN", "GraphStack", "Recognition"]
