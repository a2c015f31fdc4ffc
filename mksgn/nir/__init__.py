"""Spiking graphs as NIR files (Neuromorphic Intermediate Representation) and back (docs/nir.md)."""

from mksgn.limits import MAX_BYTES
from mksgn.nir.errors import NirError
from mksgn.nir.exporter import to_nir
from mksgn.nir.files import read_nir, write_nir
from mksgn.nir.foreign import Assumptions
from mksgn.nir.units import DT

__all__ = ["DT", "MAX_BYTES", "Assumptions", "NirError", "read_nir", "to_nir", "write_nir"]
