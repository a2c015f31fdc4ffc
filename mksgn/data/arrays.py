"""Arrays of a pack as the types that it keeps them in."""

from __future__ import annotations

import numpy as np

from mksgn.errors import DataError


def as_text(array: np.ndarray, name: str) -> np.ndarray:
    """The pack's array ``name`` as Unicode; bytes are UTF-8.

    Raises
    ------
    DataError
        When they are not.
    """
    array = np.asarray(array)
    if array.dtype.kind == "S":
        try:
            return np.char.decode(array, "utf-8")
        except UnicodeDecodeError as error:
            raise DataError("A name is not UTF-8 text", f"pack.{name}", repr(error.object[:40]),
                            "UTF-8") from None
    return array.astype(str)


def numeric(array: np.ndarray, name: str, dtype: type[np.generic]) -> np.ndarray:
    """The pack's array ``name``, converted without losing values: floats to float32, integers to int64, nothing else.

    Raises
    ------
    DataError
        When it is of another kind, or a number is too large.
    """
    array = np.asanyarray(array)  # a map of a file stays one
    kinds = "fiu" if dtype is np.float32 else "iu"
    if array.dtype.kind not in kinds:
        raise DataError("An array has the wrong type", f"pack.{name}", str(array.dtype), np.dtype(dtype).name)
    if dtype is np.int64 and array.dtype.kind == "u" and array.size and array.max() > np.iinfo(dtype).max:
        raise DataError("A number is too large", f"pack.{name}", str(array.max()), f"up to {np.iinfo(dtype).max}")
    return array.astype(dtype, copy=False)
