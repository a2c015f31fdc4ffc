"""Tensors out of ``.pt`` files without running what is in them.

``torch.load`` is not used: on the torch that Lava pins, even ``weights_only=True`` can be made to run code
(CVE-2025-32434, fixed in torch 2.6). This reader knows the two layouts that ``torch.save`` writes, the zip archive
and its predecessor, and of the pickle in them only dictionaries, lists, numbers, strings and tensors. Every other
name in the file is refused before anything of it is imported.
"""

from __future__ import annotations

import math
import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from mksgn.data.safe_pickle import PLAIN, RestrictedUnpickler, only
from mksgn.errors import ConfigError

#: First number in a file of the layout before torch 1.6, and the only version there was of it.
_MAGIC, _VERSION = 0x1950A86A20F9469CFC6C, 1001
_STORAGES = {"FloatStorage": np.float32, "DoubleStorage": np.float64, "HalfStorage": np.float16,
             "LongStorage": np.int64, "IntStorage": np.int32, "ShortStorage": np.int16, "CharStorage": np.int8,
             "ByteStorage": np.uint8, "BoolStorage": np.bool_}
_TOO_LARGE = 1 << 30
"""Bytes of a file beyond which it is no network of this kind."""


@dataclass(eq=False)
class _Storage:
    """Numbers that tensors are views of; ``values`` follow the pickle in the older layout."""

    dtype: type[np.generic]
    length: int
    values: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class _View:
    """A tensor to be: shape and strides over a storage."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def tensor(self) -> Tensor:
        values = self.storage.values
        numbers = (self.offset, *self.shape, *self.strides)
        if values is None or not all(type(n) is int and n >= 0 for n in numbers) or \
                len(self.shape) != len(self.strides):
            raise ValueError("a tensor of impossible shape")
        last = self.offset + sum((n - 1) * s for n, s in zip(self.shape, self.strides))
        if 0 not in self.shape and last >= len(values):
            raise ValueError("a tensor beyond its storage")
        if math.prod(self.shape) > max(len(values), 1):
            raise ValueError("a tensor larger than its storage")
        strides = tuple(s * values.itemsize for s in self.strides)
        view = np.lib.stride_tricks.as_strided(values[self.offset:], self.shape, strides, writeable=False)
        return torch.from_numpy(view.copy())  # a copy: tensors may share the values, which are read-only


def _rebuild_tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _View:
    if not isinstance(storage, _Storage) or not isinstance(shape, tuple) or not isinstance(strides, tuple):
        raise pickle.UnpicklingError("a tensor that is none")
    return _View(storage, offset, shape, strides)


def _rebuild_parameter(data: Any, *_: Any) -> Any:
    return data


def _build(unpickler: Any) -> None:
    """State of an object. Only state dicts have some, their versions, which nothing here needs."""
    unpickler.stack.pop()
    if type(unpickler.stack[-1]) is not OrderedDict:
        raise pickle.UnpicklingError("an object with a state, which no tensor has")


class _TensorUnpickler(RestrictedUnpickler):
    """Unpickler of plain data and tensors."""

    dispatch: ClassVar[dict[int, Any]] = only(
        (*PLAIN, pickle.BINPERSID), "an operation that torch.save does not write", build=_build)
    wanted: ClassVar[str] = "tensor"
    names: ClassVar[dict[tuple[str, str], Any]] = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
        ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
        **{("torch", name): dtype for name, dtype in _STORAGES.items()},
    }

    def __init__(self, file: BytesIO, load: Callable[[str, type[np.generic], int], _Storage]) -> None:
        super().__init__(file)
        self._load_storage = load

    def persistent_load(self, identity: Any) -> _Storage:
        kind, dtype, key, _, length, *rest = identity
        if kind != "storage" or dtype not in _STORAGES.values() or type(length) is not int or not key or \
                (rest and rest[0] is not None):
            raise pickle.UnpicklingError("a storage of unknown form")
        return self._load_storage(str(key), dtype, length)


def read_pickled_tensors(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The state dictionary in a file that ``torch.save`` wrote.

    Parameters
    ----------
    path : path
        A dictionary of tensors, or a dictionary that holds one under ``state_dict`` or ``model``. Prefixes
        ``module.`` (``nn.DataParallel``) are dropped.

    Returns
    -------
    dict of str to Tensor, on the CPU, sharing no memory

    Raises
    ------
    ConfigError
        When the file is missing, damaged, no such dictionary, or asks for anything but tensors.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _TOO_LARGE:
            raise ValueError("larger than any network of this kind")
        content = _read_archive(path) if zipfile.is_zipfile(path) else _read_stream(path)
        return _state_dict(content)
    except Exception as error:  # whatever a hostile file makes the unpickler raise is one finding: not readable
        raise ConfigError("no tensors can be read from this file", str(path), f"{type(error).__name__}: {error}"[:200],
                          "a state dict written by torch.save", "nothing in the file was run; get it from its authors "
                          "again, or convert it to safetensors") from None


def _state_dict(content: Any) -> dict[str, Tensor]:
    for key in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not content or \
            not all(isinstance(k, str) and isinstance(v, _View) for k, v in content.items()):
        raise ValueError("not a dictionary of tensors")
    return {name.removeprefix("module."): view.tensor() for name, view in content.items()}


def _read_archive(path: Path) -> Any:
    """torch >= 1.6: a zip archive of NAME/data.pkl and NAME/data/KEY, each storage stored as it is in memory."""
    with zipfile.ZipFile(path) as archive:
        (pickled,) = (n for n in archive.namelist() if n.split("/")[1:] == ["data.pkl"])
        order = f"{pickled.removesuffix('data.pkl')}byteorder"
        if order in archive.namelist() and archive.read(order) != b"little":
            raise ValueError("written on a big-endian machine")
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
            raise ValueError("compressed, which torch.save never does")
        if sum(entry.file_size for entry in archive.infolist()) > path.stat().st_size:
            raise ValueError("entries that overlap")
        storages: dict[str, _Storage] = {}

        def load(key: str, dtype: type[np.generic], length: int) -> _Storage:
            if key not in storages:
                values = np.frombuffer(archive.read(f"{pickled.removesuffix('.pkl')}/{key}"), dtype)
                storages[key] = _Storage(dtype, len(values), values)
            if storages[key].length != length or storages[key].dtype is not dtype:
                raise ValueError("a storage of another size than announced")
            return storages[key]

        return _TensorUnpickler(BytesIO(archive.read(pickled)), load).load()


def _read_stream(path: Path) -> Any:
    """torch < 1.6: pickles one after the other (magic, version, machine, content, keys), then the storages."""
    storages: dict[str, _Storage] = {}

    def load(key: str, dtype: type[np.generic], length: int) -> _Storage:
        return storages.setdefault(key, _Storage(dtype, length))

    file = BytesIO(path.read_bytes())
    magic, version, machine, content, keys = (_TensorUnpickler(file, load).load() for _ in range(5))
    if magic != _MAGIC or version != _VERSION or not machine.get("little_endian"):
        raise ValueError("not written by torch.save")
    for key in keys:
        storage = storages[key]
        if int.from_bytes(file.read(8), "little") != storage.length:
            raise ValueError("a storage of another size than announced")
        data = file.read(storage.length * np.dtype(storage.dtype).itemsize)
        storage.values = np.frombuffer(data, storage.dtype)
        if len(storage.values) != storage.length:
            raise ValueError("the file ends too early")
    return content
