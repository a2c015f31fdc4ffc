"""Folders of ``.npy`` files, one per array: the large ones are mapped into memory, the others read."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from mksgn.data.blocks import frame_blocks
from mksgn.errors import DataError, typed

MAPPED = ("data", "scores")
"""Arrays that are mapped."""
_HEADER_BYTES = 256


@contextmanager
def _one_error(path: Path) -> Iterator[None]:
    with typed(DataError, "The array cannot be read", str(path), "copy or make it again", "an intact .npy file"):
        yield


def array_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """The shape of every array in the folder, reading only the headers.

    Raises
    ------
    DataError
        When an array is damaged or holds pickled objects.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for path in sorted(folder.glob("*.npy")):
        with _one_error(path):
            if path.stat().st_size:
                shapes[path.stem] = _mapped(path).shape
    return shapes


def read_arrays(folder: Path, names: set[str]) -> dict[str, np.ndarray]:
    """The arrays called ``names``; absent ones are left out. Those of ``MAPPED`` are read-only maps of their files.

    Raises
    ------
    DataError
        As :func:`array_shapes`.
    """
    arrays: dict[str, np.ndarray] = {}
    for name in sorted(names):
        path = folder / f"{name}.npy"
        if path.is_file():
            with _one_error(path):
                mapped = _mapped(path)
                if name in MAPPED and mapped.dtype != np.float32:
                    raise DataError("The array has the wrong type", str(path), str(mapped.dtype), "float32",
                                    "save it again with .astype('float32')")
                arrays[name] = mapped if name in MAPPED else np.array(mapped)
    return arrays


def _mapped(path: Path) -> np.ndarray:
    """The file as a read-only map; files that end before their header says are refused, and so are pickled objects."""
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
        if header is None:
            raise ValueError(f"npy format version {version} is not supported")
        shape, fortran, dtype = header(file)
        if dtype.hasobject:
            raise DataError("The folder holds pickled objects, which are never loaded", str(path), "dtype object",
                            "numbers, booleans or strings", "save the array with a plain dtype")
        begin, size = file.tell(), dtype.itemsize
    for extent in shape:
        size *= int(extent)
    held = path.stat().st_size - begin
    if held != size:
        raise DataError("The array does not hold what its header promises", str(path), f"{held} bytes",
                        f"{size} bytes for shape {shape}", "the file is damaged: copy or make it again")
    if size == 0 or not shape:
        return np.load(path, allow_pickle=False)
    return np.memmap(path, dtype, "r", begin, shape, "F" if fortran else "C")


def write_arrays(folder: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write each array as a file; one that is a map of that very file is there already.

    Raises
    ------
    OSError
        When a file cannot be written.
    """
    for name, array in arrays.items():
        path = folder / f"{name}.npy"
        own = array.filename if isinstance(array, np.memmap) else None
        if own is not None and path.exists() and path.samefile(own):
            continue
        if array.ndim == 0:
            np.save(path, array, allow_pickle=False)
            continue
        with path.open("wb") as file:
            file.write(npy_header(array.shape, array.dtype))
            for _, block in frame_blocks(np.asanyarray(array, order="C")):
                file.write(np.ascontiguousarray(block).tobytes())


def npy_header(shape: tuple[int, ...], dtype: np.dtype) -> bytes:
    """The head of a .npy file, always of the same length: it can be written anew when the number of rows is known."""
    text = repr({"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": tuple(map(int, shape))})
    head = b"\x93NUMPY\x01\x00" + (_HEADER_BYTES - 10).to_bytes(2, "little")
    return head + text.encode("latin1").ljust(_HEADER_BYTES - 11) + b"\n"


@contextmanager
def scratch(path: Path) -> Iterator[Path]:
    """A new folder beside ``path`` for as long as the block lasts.

    Raises
    ------
    OSError
        When it cannot be made.
    """
    temporary = path.with_name(f".{path.name[:100]}.{secrets.token_hex(6)}.tmp")
    temporary.mkdir()
    try:
        yield temporary
    finally:
        with suppress(OSError):
            if temporary.exists():
                shutil.rmtree(temporary)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """A new folder beside ``path`` that takes its place if the block succeeds, and is removed if not.

    Raises
    ------
    OSError
        When it cannot be made or renamed.
    """
    if path.exists() and not path.is_dir():
        raise OSError(f"{path} is a file, and the pack is a folder")
    with scratch(path) as temporary:
        yield temporary
        older = temporary.with_suffix(".old")
        if path.exists():
            os.replace(path, older)
        try:
            os.replace(temporary, path)
        except OSError:
            if older.exists():
                os.replace(older, path)
            raise
        shutil.rmtree(older, ignore_errors=True)
