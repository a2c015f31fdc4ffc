"""Readers of public skeleton formats: each turns a file or folder into a :class:`~mksgn.data.pack.Pack`."""

from mksgn.data.readers.cache import cache_folder, read_cached
from mksgn.data.readers.recognise import read

__all__ = ["cache_folder", "read", "read_cached"]
