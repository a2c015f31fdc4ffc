"""A run as one self-contained HTML page."""

from mksgn.report.checks import RecordError
from mksgn.report.page import page
from mksgn.report.schema import Record

__all__ = ["Record", "RecordError", "page"]
