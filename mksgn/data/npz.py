"""`.npz` archives: those that others made, without pickles and lies about sizes and with one clear error; and ours."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from mksgn.errors import DataError, typed

_PIECE = 1 << 22


@contextmanager
def _one_error(path: Path, array: str = "") -> Iterator[None]:
    where = f"{path}, array '{array}'" if array else str(path)
    with typed(DataError, "The .npz archive cannot be read", where, "copy or download it again",
               "an intact zip archive of .npy arrays"):
        try:
            yield
        except FileNotFoundError:
            raise DataError("The file does not exist", where, fix="check the path") from None
        except MemoryError:
            raise DataError("The array does not fit into memory", where, fix="use a machine with more memory, or a "
                            "part of the data") from None


def array_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of every array in the archive, reading only the headers.

    Raises
    ------
    DataError
        When the archive is missing or damaged, or holds an object (pickled) array.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    with _one_error(path), zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.filename.endswith(".npy"):
                with archive.open(info) as stream:
                    shapes[info.filename[:-4]] = _header(path, info, stream)[0]
    return shapes


def read_arrays(path: Path, names: set[str] | None = None) -> dict[str, np.ndarray]:
    """Read the arrays called ``names`` (all of them by default) into memory; absent names are left out.

    Raises
    ------
    DataError
        As :func:`array_shapes`, and when the data of an array ends early.
    """
    arrays: dict[str, np.ndarray] = {}
    for name in array_shapes(path):
        if names is None or name in names:
            blocks = list(iter_rows(path, name, rows=None))
            arrays[name] = blocks[0]
    return arrays


def iter_rows(path: Path, name: str, rows: int | None) -> Iterator[np.ndarray]:
    """Yield the array ``name`` in blocks of ``rows`` along its first axis (the whole array for None).

    Memory stays at one block, which matters for zero-padded releases of many gigabytes.

    Raises
    ------
    DataError
        As :func:`read_arrays`; also when blocks are asked of a scalar or a Fortran-ordered array.
    """
    with _one_error(path, name), zipfile.ZipFile(path) as archive:
        info = archive.getinfo(f"{name}.npy")
        with archive.open(info) as stream:
            shape, fortran, dtype = _header(path, info, stream)
            if rows is None:
                count = int(np.prod(shape, dtype=np.int64))
                flat = np.empty(count, dtype)
                _fill(stream, flat)
                _to_the_end(stream)
                yield flat.reshape(shape, order="F" if fortran else "C")
                return
            if fortran or not shape:
                raise DataError("The array is not stored row by row", f"{path}, array '{name}'", "Fortran order or a "
                                "scalar", "C order", "save it again with numpy.ascontiguousarray")
            width = int(np.prod(shape[1:], dtype=np.int64)) * dtype.itemsize
            for start in range(0, shape[0], rows):
                size = min(rows, shape[0] - start)
                block = np.frombuffer(_exactly(stream, size * width), dtype=dtype)
                yield block.reshape(size, *shape[1:])
            _to_the_end(stream)


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays as a compressed ``.npz`` that ``numpy.load(path)`` reads, under any names.

    ``numpy.savez`` takes names as keyword arguments and so cannot write an array called "file", and on a full disk the
    archive that it leaves open prints a traceback.

    Raises
    ------
    OSError
        When the file cannot be written.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, np.asarray(array, order="C"), allow_pickle=False)


def _header(path: Path, info: zipfile.ZipInfo, stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Parse one .npy header and check the promised size against the archive's own record."""
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
    else:
        raise ValueError(f"npy format version {version[0]}.{version[1]} is not supported")
    where = f"{path}, array '{info.filename[:-4]}'"
    if dtype.hasobject:
        raise DataError("The archive holds pickled objects, which are never loaded", where, "dtype object",
                        "numbers, booleans or strings", "save the array with a plain dtype")
    nbytes = dtype.itemsize
    for extent in shape:
        nbytes *= int(extent)
    if nbytes > info.file_size:
        raise DataError("The array promises more data than the archive holds", where, f"shape {shape}, {nbytes} bytes",
                        f"at most {info.file_size} bytes", "the file is damaged or hostile: get it again")
    return tuple(int(extent) for extent in shape), bool(fortran), dtype


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise EOFError(f"{len(data)} of {size} bytes")
    return data


def _fill(stream: IO[bytes], flat: np.ndarray) -> None:
    """Read a whole array in pieces, so that memory holds it once."""
    if not flat.nbytes:
        return
    bytes_of = flat.view(np.uint8)
    for start in range(0, flat.nbytes, _PIECE):
        piece = bytes_of[start:start + _PIECE]
        piece[:] = np.frombuffer(_exactly(stream, piece.size), np.uint8)


def _to_the_end(stream: IO[bytes]) -> None:
    """Reading past the last byte makes zipfile compare the checksum."""
    if stream.read(1):
        raise ValueError("data after the end of the array")
