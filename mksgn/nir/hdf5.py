"""Checked reading of a `.nir` file: HDF5 groups and datasets as nested dicts of numpy arrays and text.

A `.nir` file may come from anyone. Nothing is unpickled, no link and no storage outside the file is followed, no
filter plug-in is loaded, and nothing is read before its declared size has been charged to a budget. Whatever is
wrong becomes one :class:`~mksgn.nir.errors.NirError`.
"""

from __future__ import annotations

import math
import os
import stat
import struct
from contextlib import AbstractContextManager
from typing import Any

import h5py
import numpy as np

from mksgn.errors import typed
from mksgn.nir.budget import Budget
from mksgn.nir.errors import NirError

DEPTH_MAX = 8
OBJECTS_MAX = 1 << 16
TEXT_BYTES_MAX = 1 << 24
# HDF5's own filters (deflate, shuffle, fletcher32, szip, nbit, scale-offset) and h5py's lzf.
_FILTERS = {1, 2, 3, 4, 5, 6, 32000}
_VLEN = struct.Struct("<IQI")
"""A variable-length element on disk: its length, the address of its heap, its index there (HDF5 format, IV.B)."""
_HEAP = struct.Struct("<4s4xQ")
"""Start of a global heap collection: its signature and its size (HDF5 format, III.E)."""


def _guarded(where: str) -> AbstractContextManager[None]:
    """Turn whatever h5py raises on a damaged file into a :class:`NirError` that names ``where``."""
    return typed(NirError, "the file is damaged or not readable as HDF5", where,
                 fix="export the network again, or copy the file again")


def read_tree(path: str | os.PathLike[str], budget: Budget) -> dict[str, Any]:
    """Everything in the file but attributes, which NIR does not use.

    Parameters
    ----------
    path : path
    budget : Budget
        Charged with every dataset before it is read.

    Returns
    -------
    dict
        Groups as dicts; numbers as numpy arrays; text as str, or as object arrays of str.

    Raises
    ------
    NirError
        When the file is missing, damaged, larger than the budget, or holds what is not read.
    """
    name = os.fspath(path)
    try:
        mode = os.stat(name).st_mode
    except (OSError, ValueError) as error:
        raise NirError("the file cannot be found", where=str(name), got=str(error), fix="check the path") from None
    if not stat.S_ISREG(mode):
        raise NirError("not a regular file", where=name, got="a folder" if stat.S_ISDIR(mode) else "a special file",
                       allowed="an HDF5 file")
    with _guarded(name):
        if not h5py.is_hdf5(name):
            raise NirError("not an HDF5 file", where=name, allowed="a .nir file as written by nir.write",
                           fix="check the path; an interrupted download has to be repeated")
        with h5py.File(name, "r") as file:
            return _Walk(name, budget).group(file, name, 0)


class _Walk:
    """One pass over a file."""

    def __init__(self, path: str, budget: Budget) -> None:
        self.path, self.budget, self.objects = path, budget, 0

    def group(self, group: h5py.Group, where: str, depth: int) -> dict[str, Any]:
        """The group's members; hard links may form a circle, which depth and number of objects end."""
        if depth > DEPTH_MAX:
            raise NirError("groups are nested too deeply", where=where, allowed=f"{DEPTH_MAX} levels")
        self.objects += len(group)
        if self.objects > OBJECTS_MAX:
            raise NirError("the file holds too many objects", where=where, got=f"{self.objects}",
                           allowed=f"{OBJECTS_MAX}")
        found: dict[str, Any] = {}
        for name in group:
            at = f"{where}{': ' if depth == 0 else '/'}{name}"
            with _guarded(at):
                link = group.get(name, getlink=True)
                if not isinstance(link, h5py.HardLink):
                    raise NirError("links are not followed", where=at, got=f"a {type(link).__name__}",
                                   allowed="data stored in the file itself")
                item = group[name]
                if isinstance(item, h5py.Group):
                    found[name] = self.group(item, at, depth + 1)
                elif isinstance(item, h5py.Dataset):
                    found[name] = self.dataset(item, at)
                else:
                    raise NirError("neither group nor dataset", where=at, got=type(item).__name__)
        return found

    def dataset(self, dataset: h5py.Dataset, where: str) -> Any:
        """Numbers or text, after everything that could hurt has been looked at."""
        if dataset.shape is None:
            raise NirError("a dataset holds nothing", where=where)
        self._storage(dataset, where)
        string = h5py.check_string_dtype(dataset.dtype)
        plain = dataset.dtype.kind in "iufb" and dataset.dtype.fields is None and dataset.dtype.subdtype is None
        if string is None and not plain:
            raise NirError("neither numbers nor text", where=where, got=str(dataset.dtype))
        self.budget.spend(dataset.size * dataset.dtype.itemsize, where)
        if string is None:
            return np.asarray(dataset[()])
        if string.length is None:
            self._text_heaps(dataset, where)
        elif string.length > TEXT_BYTES_MAX:
            raise NirError("text is too long", where=where, got=f"{string.length} bytes",
                           allowed=f"{TEXT_BYTES_MAX} bytes")
        values = np.asarray(dataset[()], dtype=object)
        texts = [bytes(value).decode("utf-8") for value in values.reshape(-1)]
        return texts[0] if values.shape == () else np.array([*texts, None], dtype=object)[:-1].reshape(values.shape)

    def _storage(self, dataset: h5py.Dataset, where: str) -> None:
        """Refuse storage outside the file, filters that HDF5 would load, and chunks beyond the budget."""
        if dataset.external is not None or dataset.is_virtual:
            raise NirError("data outside the file is not read", where=where,
                           got="a virtual dataset" if dataset.is_virtual else f"external storage {dataset.external}")
        properties = dataset.id.get_create_plist()
        foreign = {properties.get_filter(i)[0] for i in range(properties.get_nfilters())} - _FILTERS
        if foreign:
            raise NirError("unknown compression", where=where, got=f"filter {sorted(foreign)}",
                           allowed="gzip, shuffle, fletcher32, szip, nbit, scale-offset, lzf")
        if dataset.chunks is not None and math.prod(dataset.chunks) * dataset.dtype.itemsize > self.budget.limit:
            raise NirError("the network is larger than the size limit", where=where, got=f"chunks of {dataset.chunks}",
                           allowed=f"{self.budget.limit:,} bytes")

    def _text_heaps(self, dataset: h5py.Dataset, where: str) -> None:
        """Refuse variable-length text whose heap is not as large as it declares: HDF5 allocates before it looks."""
        offset = dataset.id.get_offset()
        if offset is None:
            if dataset.size == 0 or dataset.id.get_storage_size() == 0:
                raise NirError("text is empty", where=where)
            raise NirError("text is stored in an unusual layout", where=where, allowed="contiguous storage")
        heaps: dict[int, int] = {}
        with open(self.path, "rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(offset)
            stored = file.read(_VLEN.size * dataset.size)
            for length, address, _ in _VLEN.iter_unpack(stored):
                if length == 0:
                    continue
                if address not in heaps:
                    file.seek(min(address, end))
                    signature, heaps[address] = _HEAP.unpack(file.read(_HEAP.size))
                    if signature != b"GCOL" or address + heaps[address] > end:
                        raise NirError("the file is damaged or not readable as HDF5", where=where,
                                       got=f"a text heap of {heaps[address]} bytes at {address}",
                                       allowed=f"inside the file's {end} bytes")
                if length > min(heaps[address], TEXT_BYTES_MAX):
                    raise NirError("text is too long", where=where, got=f"{length} bytes",
                                   allowed=f"{min(heaps[address], TEXT_BYTES_MAX)} bytes")
                self.budget.spend(length, where)
