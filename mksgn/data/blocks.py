"""Going through arrays that may be larger than memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

_BLOCK_BYTES = 1 << 25


def frame_blocks(array: np.ndarray | None) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (first frame, frames) of an array in blocks of some megabytes along its first axis; nothing for None.

    A mapped array is read from its file: pages that are touched through the mapping count as memory of the process.
    """
    if array is None:
        return
    width = max(1, int(np.prod(array.shape[1:], dtype=np.int64)))
    rows = max(1, _BLOCK_BYTES // (width * array.itemsize))
    mapped = _whole_map(array)
    if mapped is None:
        for start in range(0, len(array), rows):
            yield start, array[start:start + rows]
        return
    with open(str(mapped.filename), "rb") as file:
        file.seek(mapped.offset)
        for start in range(0, len(array), rows):
            count = min(rows, len(array) - start)
            block = np.fromfile(file, array.dtype, count * width)
            if block.size != count * width:
                raise OSError(f"{mapped.filename} has become shorter")
            yield start, block.reshape(count, *array.shape[1:])


def _whole_map(array: np.ndarray) -> np.memmap | None:
    """The map of a file that ``array`` is, whole and row by row; None for anything else."""
    whole = isinstance(array, np.memmap) and isinstance(array.base, type(array._mmap))  # type: ignore[attr-defined]
    return array if whole and array.flags.c_contiguous else None  # type: ignore[return-value]
