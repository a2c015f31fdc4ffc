"""CTR-GCN / HD-GCN archives (``NTU60_CS.npz`` and the like): padded NTU sequences, already denoised and translated.

``x_train``, ``x_test``: (N, frames, 150) = 2 persons x 25 joints x 3 coordinates, zero-padded at the end;
``y_train``, ``y_test``: one-hot (N, classes).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mksgn.data.class_names import NTU60, NTU120, numbered
from mksgn.data.facts import Facts
from mksgn.data.frames import Frames
from mksgn.data.npz import array_shapes, iter_rows, read_arrays
from mksgn.data.pack import Pack
from mksgn.errors import DataError
from mksgn.skeleton.body import NTU25

ARRAYS = ("x_train", "y_train", "x_test", "y_test")
_PERSONS = 2
#: Sequences held in memory at once; the archives unpack to many gigabytes of padding.
_ROWS = 256


def read_ctrgcn(path: Path, sequences: Frames | None = None) -> Pack:
    """Read such an archive: training sequences first, then test, the padding cut off; ``test`` marks the latter.

    The archives hold no subject, camera or setup ids, so the only protocol left is ``as-packed``, and validation by
    subject is not possible; names count the sequences of each half from 0. ``sequences`` is what gathers them.

    Raises
    ------
    DataError
        A missing array, wrong shapes, labels that are not one-hot, a sequence of zeros only, or a damaged archive.
    """
    shapes = array_shapes(path)
    missing = [name for name in ARRAYS if name not in shapes]
    if missing:
        raise DataError("The archive is not a CTR-GCN archive", str(path), f"no array {', '.join(missing)}",
                        ", ".join(ARRAYS))
    width = _PERSONS * NTU25.num_joints * 3
    classes = shapes["y_train"][-1] if shapes["y_train"] else 0
    sequences = Frames() if sequences is None else sequences
    labels: list[np.ndarray] = []
    names: list[str] = []
    for half in ("train", "test"):
        x, y = shapes[f"x_{half}"], shapes[f"y_{half}"]
        if len(x) != 3 or x[2] != width or x[1] < 1:
            raise DataError("The sequences have the wrong shape", f"{path}, array 'x_{half}'", str(x),
                            f"(N, frames, {width})", "two persons of 25 joints with x, y, z each")
        if y != (x[0], classes):
            raise DataError("The labels have the wrong shape", f"{path}, array 'y_{half}'", str(y),
                            f"({x[0]}, {classes}), one one-hot row per sequence")
        labels.append(_labels(read_arrays(path, {f"y_{half}"})[f"y_{half}"], f"{path}, array 'y_{half}'"))
        for block in iter_rows(path, f"x_{half}", _ROWS):
            for row in block:
                name = f"{half}_{len(names) - (shapes['x_train'][0] if half == 'test' else 0):05d}"
                sequences.append(_unpadded(row, f"{path}, array 'x_{half}', sequence {name}"))
                names.append(name)
    if not names:
        raise DataError("The archive holds no sequences", str(path), "0 in x_train and x_test", "one or more")
    class_names = {len(NTU60): NTU60, len(NTU120): NTU120}.get(classes, numbered(classes))
    return Pack(data=sequences.array(), offsets=sequences.offsets,
                labels=np.concatenate(labels), names=np.array(names), class_names=class_names,
                joint_names=NTU25.joint_names or (), edges=NTU25.edges,
                test=np.arange(len(names)) >= shapes["x_train"][0], facts=Facts("m", "+y", "ctrgcn"))


def _labels(one_hot: np.ndarray, where: str) -> np.ndarray:
    if one_hot.dtype.kind not in "biuf":
        raise DataError("The labels are not numbers", where, str(one_hot.dtype), "one-hot rows")
    wrong = np.flatnonzero(((one_hot != 0).sum(axis=1) != 1) | (one_hot.max(axis=1, initial=0) != 1))
    if wrong.size:
        raise DataError("A label row is not one-hot", f"{where}, row {wrong[0]}",
                        f"{int((one_hot[wrong[0]] != 0).sum())} non-zero entries, maximum {one_hot[wrong[0]].max()}",
                        "a single 1 among zeros")
    return np.argmax(one_hot, axis=1).astype(np.int64)


def _unpadded(row: np.ndarray, where: str) -> np.ndarray:
    """Cut the zero frames at the end off one sequence; float32 (F, 2, 25, 3)."""
    if row.dtype.kind != "f":
        raise DataError("The sequences are not floating-point numbers", where, str(row.dtype), "float32 or float64")
    occupied = np.flatnonzero(row.any(axis=1))
    if occupied.size == 0:
        raise DataError("A sequence holds nothing but zeros", where, f"{len(row)} zero frames",
                        "one frame or more with a person", "leave it out of the archive")
    return row[:occupied[-1] + 1].astype(np.float32).reshape(-1, _PERSONS, NTU25.num_joints, 3)
