"""Checked reading of HDF5: the only place where a `.net` file's bytes become Python values.

A `.net` file may come from anyone. Nothing here follows a link out of the file, loads a filter that
is not HDF5's own, reads a dataset before its declared size has been checked, or lets an exception
of h5py escape: whatever is wrong becomes one :class:`~mksgn.errors.NetFileError`.
"""

from __future__ import annotations

import math
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import h5py
import numpy as np

from mksgn.errors import NetFileError, typed
from mksgn.limits import MAX_BYTES

UNEXPECTED = "the file holds something that its reader does not expect"
TEXT_BYTES_MAX = 4096
ATTRIBUTE_BYTES_MAX = 1 << 16
STEPS_MAX = 1 << 20
"""Most time steps that any number in a file may count."""
# deflate, shuffle, fletcher32, szip, nbit, scale-offset (HDF5's own) and h5py's built-in lzf.
FILTERS = {1, 2, 3, 4, 5, 6, 32000}


def hdf5_errors(where: str) -> AbstractContextManager[None]:
    """Turn whatever h5py raises on a damaged file into a :class:`NetFileError` that names ``where``."""
    return typed(NetFileError, "the file is damaged or not readable as HDF5", where,
                 fix="export the network again, or copy the file again")


def unexpected(where: str) -> AbstractContextManager[None]:
    """The last resort of a reader: content that no check foresaw, as a :class:`NetFileError` that names ``where``."""
    return typed(NetFileError, UNEXPECTED, where, fix="export the network again, or copy the file again")


class Budget:
    """Bytes that a file may still declare.

    Parameters
    ----------
    limit : int
        Bytes in all.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.left = limit

    def spend(self, nbytes: int, where: str) -> None:
        """Take ``nbytes`` from the budget.

        Raises
        ------
        NetFileError
            When the file declares more than the limit in all.
        """
        if nbytes > self.left:
            raise NetFileError("the network is larger than the size limit", where=where, got=f"{nbytes} bytes",
                               allowed=f"{self.limit} bytes for the whole file, {self.left} of them left",
                               fix="if the file is trusted, read it in Python, with a larger max_bytes")
        self.left -= nbytes


@contextmanager
def open_net(path: str | os.PathLike[str], max_bytes: int = MAX_BYTES) -> Iterator[Store]:
    """Open ``path`` for checked reading.

    Raises
    ------
    NetFileError
        When ``path`` is missing, not a regular file, or not HDF5.
    """
    name = os.fspath(path)
    try:
        mode = os.stat(name).st_mode
    except (OSError, ValueError) as error:
        raise NetFileError("the file cannot be found", where=str(name), got=str(error),
                           fix="check the path, or export a network first") from None
    if not stat.S_ISREG(mode):
        # Opening a pipe or a device would block or have side effects.
        raise NetFileError("not a regular file", where=name, allowed="an HDF5 file",
                           got="a directory" if stat.S_ISDIR(mode) else "a special file")
    with hdf5_errors(name):
        if not h5py.is_hdf5(name):
            raise NetFileError("not an HDF5 file", where=name, allowed="a .net file as written by write_net or SLAYER",
                               fix="check the path; an interrupted download has to be repeated")
        handle = h5py.File(name, "r")
    try:
        yield Store(handle, name, Budget(max_bytes))
    finally:
        handle.close()


class Store:
    """Checked view of one HDF5 group.

    Parameters
    ----------
    group : h5py.Group
    where : str
        File and group, for error messages.
    budget : Budget
        Shared by the whole file.

    Raises
    ------
    NetFileError
        From every method, naming ``where`` and the field.
    """

    def __init__(self, group: h5py.Group, where: str, budget: Budget) -> None:
        self.group = group
        self.where = where
        self.budget = budget
        with hdf5_errors(where):
            self.names = list(group)
            links = {name: group.get(name, getlink=True) for name in self.names}
        for name, link in links.items():
            if not isinstance(link, h5py.HardLink):
                raise NetFileError("links are not followed", where=self.at(name),
                                   got=f"a {type(link).__name__} to {getattr(link, 'path', '?')!r}",
                                   allowed="data stored in the file itself")

    def at(self, name: str) -> str:
        """``name`` inside this group, for an error message."""
        return f"{self.where}: {name}" if self.group.name == "/" else f"{self.where}/{name}"

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def child(self, name: str) -> Store:
        """The group ``name``."""
        item = self._item(name)
        if not isinstance(item, h5py.Group):
            raise NetFileError("a group was expected", where=self.at(name), got=type(item).__name__.lower())
        return Store(item, self.at(name), self.budget)

    def only(self, allowed: set[str], where: str = "") -> None:
        """Refuse names outside ``allowed``: a field that we do not know may change the network."""
        unknown = sorted(set(self.names) - allowed)
        if unknown:
            raise NetFileError("unknown field", where=where or self.where, got=", ".join(unknown),
                               allowed=", ".join(sorted(allowed)))

    def text(self, name: str) -> str:
        """The string ``name``: a scalar or one element, fixed or variable length."""
        dataset = self._dataset(name)
        if h5py.check_string_dtype(dataset.dtype) is None or dataset.size != 1:
            raise NetFileError("one string was expected", where=self.at(name),
                               got=f"{dataset.dtype}, shape {dataset.shape}")
        if h5py.check_string_dtype(dataset.dtype).length is None:
            self._check_heap(dataset, self.at(name))
        if dataset.dtype.itemsize > TEXT_BYTES_MAX:
            raise NetFileError("the string is too long", where=self.at(name), got=f"{dataset.dtype.itemsize} bytes",
                               allowed=f"{TEXT_BYTES_MAX} bytes")
        with hdf5_errors(self.at(name)):
            value = dataset[()]
            value = value if np.ndim(value) == 0 else value.reshape(-1)[0]
            text = bytes(value).decode("utf-8") if isinstance(value, (bytes, np.bytes_)) else str(value)
        if len(text) > TEXT_BYTES_MAX:
            raise NetFileError("the string is too long", where=self.at(name), got=f"{len(text)} characters",
                               allowed=f"{TEXT_BYTES_MAX} characters")
        return text

    def extent(self, name: str) -> tuple[int, ...]:
        """The shape that the array ``name`` declares; nothing is read."""
        return tuple(self._dataset(name).shape)

    def integers(self, name: str, low: int, high: int) -> np.ndarray:
        """The array ``name`` as int64; stored floats must hold whole numbers.

        Parameters
        ----------
        low, high : int
            Smallest and largest value allowed.
        """
        dataset = self._dataset(name)
        kind = dataset.dtype.kind
        if kind not in "iufb" or dataset.dtype.fields is not None or dataset.dtype.subdtype is not None:
            raise NetFileError("numbers were expected", where=self.at(name), got=str(dataset.dtype))
        # What is read, and the int64 it becomes.
        self.budget.spend(dataset.size * max(dataset.dtype.itemsize, 8), self.at(name))
        with hdf5_errors(self.at(name)):
            values = np.asarray(dataset[()])
        if kind == "f" and not (np.isfinite(values).all() and (values == np.rint(values)).all()):
            odd = values[~(np.isfinite(values) & (values == np.rint(values)))]
            raise NetFileError("whole numbers were expected", where=self.at(name), got=str(odd[0]),
                               fix="quantise the network before export")
        if values.size and (values.min() < low or values.max() > high):
            raise NetFileError("values out of range", where=self.at(name), got=f"{values.min():g}..{values.max():g}"
                               if kind == "f" else f"{values.min()}..{values.max()}", allowed=f"{low}..{high}")
        return values.astype(np.int64)

    def integer(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """The single number ``name``; ``default`` where it is absent (None: required)."""
        if name not in self and default is not None:
            return default
        if self._dataset(name).size != 1:
            raise NetFileError("one number was expected", where=self.at(name), got=f"shape {self._dataset(name).shape}")
        return int(self.integers(name, low, high).reshape(-1)[0])

    def pair(self, name: str, low: int, high: int) -> tuple[int, int]:
        """Two numbers, for frames and joints; a stored scalar stands for both."""
        shape = self._dataset(name).shape
        if shape not in ((), (2,)):
            raise NetFileError("one or two numbers were expected", where=self.at(name), got=f"shape {shape}")
        values = [int(value) for value in self.integers(name, low, high).reshape(-1)]
        return values[0], values[-1]

    def shape(self, name: str = "shape") -> tuple[int, int, int]:
        """A population's (C, F, V); one stored number N means (N, 1, 1)."""
        stored = self._dataset(name).shape
        if stored not in ((1,), (3,)):
            raise NetFileError("a shape has one or three numbers", where=self.at(name), got=f"shape {stored}",
                               allowed="(C, F, V), which is SLAYER's (C, H, W), or (N,)")
        values = [int(value) for value in self.integers(name, 1, 1 << 40)]
        channels, frames, joints = values if len(values) == 3 else (values[0], 1, 1)
        # u and v, four bytes each: whoever runs the network allocates at least that.
        self.budget.spend(8 * channels * frames * joints, self.at(name))
        return channels, frames, joints

    def has_attribute(self, name: str) -> bool:
        """Whether the group has an attribute ``name``."""
        with hdf5_errors(f"{self.where}: attributes"):
            return name in self.group.attrs

    def attributes(self) -> dict[str, Any]:
        """All attributes of this group as h5py returns them, their declared sizes checked before reading."""
        values: dict[str, Any] = {}
        with hdf5_errors(f"{self.where}: attributes"):
            for name in self.group.attrs:
                attribute = self.group.attrs.get_id(name)
                at = f"{self.where}: attribute {name!r}"
                if attribute.dtype.kind not in "iufbS":
                    # Variable-length text sits in a heap whose declared size HDF5 would allocate unchecked.
                    raise NetFileError("an attribute is of a type that is not allowed", where=at,
                                       got=str(attribute.dtype), allowed="numbers and text of fixed length")
                size = math.prod(attribute.shape or ()) * attribute.dtype.itemsize
                if size > ATTRIBUTE_BYTES_MAX:
                    raise NetFileError("an attribute is too large", where=at, got=f"{size} bytes",
                                       allowed=f"{ATTRIBUTE_BYTES_MAX} bytes")
                values[name] = self.group.attrs[name]
        return values

    def _check_heap(self, dataset: h5py.Dataset, where: str) -> None:
        """Refuse variable-length text (SLAYER's neuron type) whose heap is not as large as it declares.

        HDF5 allocates the declared size before it looks whether the file is that long: a few damaged
        bytes cost gigabytes. Layout as in the HDF5 format specification, III.E: the dataset holds a
        length (4 bytes), the address of a heap collection (8) and an index; the collection starts
        with ``GCOL``, a version (1), three reserved bytes and its size (8).
        """
        with hdf5_errors(where):
            offset = dataset.id.get_offset()
            if offset is None:
                raise NetFileError("text is stored in an unusual layout", where=where, allowed="contiguous storage")
            with open(dataset.file.filename, "rb") as file:
                file.seek(offset)
                _, address, _ = struct.unpack("<IQI", file.read(16))
                size = 0
                if address < (end := file.seek(0, os.SEEK_END)):
                    file.seek(address)
                    size, = struct.unpack("<8xQ", file.read(16))
        if not address + size <= end or size > ATTRIBUTE_BYTES_MAX:
            raise NetFileError("the file is damaged or not readable as HDF5", where=where,
                               got=f"a text heap of {size} bytes at {address}",
                               allowed=f"inside the file's {end} bytes")

    def _item(self, name: str) -> Any:
        if name not in self:
            raise NetFileError("a required field is missing", where=self.where, got=", ".join(self.names) or "nothing",
                               allowed=f"{name} is needed here")
        with hdf5_errors(self.at(name)):
            return self.group[name]

    def _dataset(self, name: str) -> h5py.Dataset:
        item = self._item(name)
        if not isinstance(item, h5py.Dataset):
            raise NetFileError("a dataset was expected", where=self.at(name), got=f"a {type(item).__name__.lower()}")
        with hdf5_errors(self.at(name)):
            item.dtype  # noqa: B018 - decoded here once, because a damaged type raises
            if item.shape is None:
                raise NetFileError("a dataset holds nothing", where=self.at(name))
            if item.chunks is not None and math.prod(item.chunks) * item.dtype.itemsize > self.budget.limit:
                raise NetFileError("the network is larger than the size limit", where=self.at(name),
                                   got=f"chunks of {item.chunks}", allowed=f"{self.budget.limit} bytes")
            if item.external is not None or item.is_virtual:
                raise NetFileError("data outside the file is not read", where=self.at(name),
                                   got="a virtual dataset" if item.is_virtual else f"external storage {item.external}",
                                   allowed="data stored in the file itself")
            properties = item.id.get_create_plist()
            foreign = {properties.get_filter(i)[0] for i in range(properties.get_nfilters())} - FILTERS
            if foreign:
                # HDF5 would look for a plug-in library to load.
                raise NetFileError("unknown compression", where=self.at(name), got=f"filter {sorted(foreign)}",
                                   allowed="gzip, shuffle, fletcher32, szip, nbit, scale-offset, lzf")
        return item
