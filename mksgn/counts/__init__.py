"""Counting what happens in a run: one class of counts, and what fills it step by step, in batches or afterwards."""

from mksgn.counts.counts import TABLES, Counts

__all__ = ["TABLES", "Counts"]
