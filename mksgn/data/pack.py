"""The canonical layout of skeleton data: all sequences concatenated along time, with their labels and ids."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mksgn.data import npy_folder, npz
from mksgn.data.arrays import as_text, numeric
from mksgn.data.blocks import frame_blocks
from mksgn.data.class_names import ntu_names, numbered
from mksgn.data.facts import Facts
from mksgn.errors import DataError, typed
from mksgn.files import replacing
from mksgn.skeleton.body import Body, body_of

#: Ids a pack may carry, 1-based as in the file names of the releases (NW-UCLA's env starts at 0).
ID_NAMES = ("subject", "view", "env", "trial", "setup", "camera", "replication", "action_id", "num_bodies")
#: Arrays without which a file is not a pack.
REQUIRED = ("data", "offsets", "labels", "names", "joint_names", "edges")
_MASKS = ("test", "test_dup_of_train")
FOLDER_SUFFIX = ".pack"
"""Ending of a pack that is a folder of .npy files, which is mapped into memory in place of being read."""
_OPTIONAL = ("class_names", "scores", "split_names", "splits", "facts")
CLASSES_MAX = 1 << 16
"""Most classes that get numbered names."""


@dataclass
class Pack:
    """N skeleton sequences, checked when built.

    Parameters
    ----------
    data : float32 ndarray (total_frames, M, V, 3) or (total_frames, M, V, 2)
        Raw joint coordinates as published (metres for Kinect); zeros where a person is absent.
    offsets : int64 ndarray (N + 1,)
        Sequence i is ``data[offsets[i]:offsets[i + 1]]``; at least one frame each.
    labels : int64 ndarray (N,)
        Class index, 0-based; -1 where unknown.
    names : str ndarray (N,)
    class_names : tuple of str
    joint_names : tuple of str, of length V
    edges : int64 ndarray (E, 2)
        0-based joint pairs of one person.
    ids : dict of str to int64 ndarray (N,)
        Those of ``ID_NAMES`` that are known.
    test : bool ndarray (N,) or None
        The release's own test half.
    test_dup_of_train : bool ndarray (N,) or None
        Test sequences that are copies of a training sequence.
    scores : float32 ndarray (total_frames, M, V) or None
        Confidence of each joint; 0 together with coordinates 0 where a joint is missing. None: every joint is there.
    splits : dict of str to bool ndarray (N,)
        Named parts of the data, such as ``xsub_train`` (see :func:`mksgn.data.splits.named_protocols`).
    facts : Facts
        Unit, which way is up, and where the coordinates come from, as far as known.

    Raises
    ------
    DataError
        Wrong shapes; NaN or infinite coordinates (names the sample); offsets that do not increase or do not cover
        the data; labels outside the class names; edges that name absent joints.
    """

    data: np.ndarray
    offsets: np.ndarray
    labels: np.ndarray
    names: np.ndarray
    class_names: tuple[str, ...]
    joint_names: tuple[str, ...]
    edges: np.ndarray
    ids: dict[str, np.ndarray] = field(default_factory=dict)
    test: np.ndarray | None = None
    test_dup_of_train: np.ndarray | None = None
    scores: np.ndarray | None = None
    splits: dict[str, np.ndarray] = field(default_factory=dict)
    facts: Facts = field(default_factory=Facts)

    def __post_init__(self) -> None:
        self.data = numeric(self.data, "data", np.float32)
        self.offsets = numeric(self.offsets, "offsets", np.int64)
        self.labels = numeric(self.labels, "labels", np.int64)
        self.names = as_text(self.names, "names")
        self.class_names = tuple(str(n) for n in self.class_names)
        self.joint_names = tuple(str(n) for n in self.joint_names)
        self._check_layout()
        self._check_per_sample()
        self._check_labels()
        self._body = body_of(self.edges, self.data.shape[2], self.joint_names)
        self.edges = self._body.edges
        self._check_finite()

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def persons(self) -> int:
        """Persons M in every frame (absent ones are zeros)."""
        return self.data.shape[1]

    @property
    def body(self) -> Body:
        """The joint graph of one person; ``body.repeat(pack.persons)`` for all."""
        return self._body

    @property
    def lengths(self) -> np.ndarray:
        """Frames of each sequence, int64 (N,)."""
        return np.diff(self.offsets)

    def sequence(self, i: int) -> np.ndarray:
        """Sequence i as a view (F, M, V, 3) of the data."""
        if not 0 <= i < len(self):
            raise IndexError(f"sequence {i} of {len(self)}")
        return np.asarray(self.data[self.offsets[i]:self.offsets[i + 1]])

    def scores_of(self, i: int) -> np.ndarray | None:
        """Scores (F, M, V) of sequence i as a view; None in a pack without scores."""
        if not 0 <= i < len(self):
            raise IndexError(f"sequence {i} of {len(self)}")
        return None if self.scores is None else np.asarray(self.scores[self.offsets[i]:self.offsets[i + 1]])

    def subset(self, indices: np.ndarray) -> Pack:
        """Return a pack of the chosen sequences, in the order given (indices, or a bool mask)."""
        index = np.asarray(indices)
        index = np.flatnonzero(index) if index.dtype == bool else index.astype(np.int64)
        pieces = [self.sequence(int(i)) for i in index]
        data = np.concatenate(pieces) if pieces else self.data[:0]
        scores = None
        if self.scores is not None:
            frames = np.concatenate([np.arange(0), *(np.arange(*self.offsets[i:i + 2]) for i in index)])
            scores = np.asarray(self.scores)[frames]
        offsets = np.concatenate([[0], np.cumsum(self.lengths[index])]).astype(np.int64)
        return Pack(data, offsets, self.labels[index], self.names[index], self.class_names, self.joint_names,
                    self.edges, {k: v[index] for k, v in self.ids.items()},
                    None if self.test is None else self.test[index],
                    None if self.test_dup_of_train is None else self.test_dup_of_train[index], scores,
                    {name: mask[index] for name, mask in self.splits.items()}, self.facts)

    def _check_layout(self) -> None:
        if self.data.ndim != 4 or self.data.shape[3] not in (2, 3) or 0 in self.data.shape[1:3]:
            raise DataError("Skeleton data has the wrong shape", "pack.data", str(self.data.shape),
                            "(total_frames, persons, joints, 3 or 2)", "concatenate the sequences along frames")
        if self.offsets.ndim != 1 or len(self.offsets) < 1 or self.offsets[0] != 0:
            raise DataError("Offsets must be a list that starts at 0", "pack.offsets",
                            f"shape {self.offsets.shape}, first {self.offsets.ravel()[:1].tolist()}", "(N + 1,) from 0")
        # Compared, because the difference of two far apart would wrap.
        short = np.flatnonzero(self.offsets[1:] <= self.offsets[:-1])
        if short.size:
            i = int(short[0])
            name = str(self.names[i]) if self.names.ndim == 1 and i < len(self.names) else f"number {i}"
            raise DataError("A sequence is empty, or the offsets do not increase", f"sequence {name}",
                            f"frames {self.offsets[i]} to {self.offsets[i + 1]}", "at least one frame",
                            "leave empty sequences out of the pack")
        if self.offsets[-1] != len(self.data):
            raise DataError("Offsets do not cover the data", "pack.offsets", f"last offset {self.offsets[-1]}",
                            f"{len(self.data)}, the number of frames", "append the total number of frames")
        if len(self.joint_names) != self.data.shape[2]:
            raise DataError("The wrong number of joints is named", "pack.joint_names", f"{len(self.joint_names)} names",
                            f"{self.data.shape[2]}, the joints in the data")
        if self.scores is not None:
            self.scores = numeric(self.scores, "scores", np.float32)
            if self.scores.shape != self.data.shape[:3]:
                raise DataError("The scores are not one per joint", "pack.scores", str(self.scores.shape),
                                f"{self.data.shape[:3]}, as the data without its coordinates")

    def _check_per_sample(self) -> None:
        count = len(self.offsets) - 1
        arrays: dict[str, np.ndarray] = {"labels": self.labels, "names": self.names}
        unknown = sorted(set(self.ids) - set(ID_NAMES))
        if unknown:
            raise DataError("The pack has an unknown id", "pack.ids", ", ".join(unknown), ", ".join(ID_NAMES))
        self.ids = {k: numeric(v, k, np.int64) for k, v in self.ids.items()}
        arrays.update(self.ids)
        for mask in _MASKS:
            value = getattr(self, mask)
            if value is not None:
                value = np.asarray(value)
                if value.dtype != bool:
                    raise DataError("A mask must be boolean", f"pack.{mask}", str(value.dtype), "bool")
                setattr(self, mask, value)
                arrays[mask] = value
        for name, value in self.splits.items():
            if np.asarray(value).dtype != bool:
                raise DataError("A named split must be boolean", f"pack.splits, {name}", str(np.asarray(value).dtype),
                                "bool, one per sequence")
            arrays[f"splits, {name}"] = np.asarray(value)
        for name, array in arrays.items():
            if array.shape != (count,):
                raise DataError("An array does not hold one value per sequence", f"pack.{name}", str(array.shape),
                                f"({count},)", "offsets has one entry more than the number of sequences")

    def _check_labels(self) -> None:
        wrong = np.flatnonzero((self.labels < -1) | (self.labels >= len(self.class_names)))
        if wrong.size:
            i = int(wrong[0])
            raise DataError("A label is not among the class names", f"sequence {self.names[i]}", str(self.labels[i]),
                            f"0..{len(self.class_names) - 1}, or -1 for unknown",
                            "labels count from 0; name every class in class_names")

    def _check_finite(self) -> None:
        for start, block in frame_blocks(self.data):
            finite = np.isfinite(block).all(axis=(1, 2, 3))
            if not finite.all():
                frame = int(np.argmin(finite))
                person, joint, axis = (int(k) for k in np.argwhere(~np.isfinite(block[frame]))[0])
                self._refuse(start + frame, person, joint,
                             f"{'xyz'[axis]} = {block[frame, person, joint, axis]}", "A coordinate")
        for start, block in frame_blocks(self.scores):
            finite = np.isfinite(block).all(axis=(1, 2))
            if not finite.all():
                frame = int(np.argmin(finite))
                person, joint = (int(k) for k in np.argwhere(~np.isfinite(block[frame]))[0])
                self._refuse(start + frame, person, joint, f"score {block[frame, person, joint]}", "A score")

    def _refuse(self, frame: int, person: int, joint: int, got: str, thing: str) -> None:
        i = int(np.searchsorted(self.offsets, frame, side="right")) - 1
        raise DataError(f"{thing} is not a finite number",
                        f"sequence {self.names[i]}, frame {frame - self.offsets[i]}, person {person}, "
                        f"joint {self.joint_names[joint]}", got, "finite coordinates and scores",
                        "repair or leave out the sequence; a joint that is missing has coordinates 0 and score 0")


def occupied(pack: Pack) -> np.ndarray:
    """Whether each sequence holds anything but zeros: bool (N,)."""
    frames = np.zeros(len(pack.data), dtype=bool)
    for start, block in frame_blocks(pack.data):
        frames[start:start + len(block)] = block.any(axis=(1, 2, 3))
    return np.maximum.reduceat(frames, pack.offsets[:-1]) if len(pack) else np.zeros(0, dtype=bool)


def load_pack(path: str | os.PathLike[str]) -> Pack:
    """Read a pack from ``.npz``, or map one that is a folder. Pickled objects are refused; unknown arrays not read.

    A file without ``class_names`` gets the NTU names if it carries NTU's ids (setup and camera), else numbered ones.

    Raises
    ------
    DataError
        When the file is missing, damaged, not a pack, or holds impossible values (see :class:`Pack`).
    """
    path = Path(path)
    shapes, read = ((npy_folder.array_shapes, npy_folder.read_arrays) if path.is_dir()
                    else (npz.array_shapes, npz.read_arrays))
    held = shapes(path)
    missing = [name for name in REQUIRED if name not in held]
    if missing:
        raise DataError("The archive is not a skeleton pack", str(path), f"no array {', '.join(missing)}",
                        f"arrays {', '.join(REQUIRED)}", "make one with mksgn data convert")
    d = read(path, {*REQUIRED, *_OPTIONAL, *ID_NAMES, *_MASKS})
    try:
        with typed(DataError, "The archive holds something that its reader does not expect", "its arrays",
                   "build it with mksgn.data.readers.read() and save_pack()"):
            labels = numeric(d["labels"], "labels", np.int64)
            largest = int(labels.max(initial=-1))
            if "class_names" in d:
                class_names = tuple(d["class_names"].ravel())
            elif largest >= CLASSES_MAX:
                raise DataError("A label is too large for a pack that names no classes", "pack.labels", str(largest),
                                f"below {CLASSES_MAX}", "add class_names")
            else:
                class_names = ntu_names(largest) if {"setup", "camera"} <= set(d) else numbered(largest + 1)
            splits = dict(zip(map(str, d["split_names"]), d["splits"])) if "splits" in d else {}
            return Pack(d["data"], d["offsets"], labels, d["names"], class_names, tuple(d["joint_names"].ravel()),
                        d["edges"], {k: d[k] for k in ID_NAMES if k in d}, d.get("test"), d.get("test_dup_of_train"),
                        d.get("scores"), splits, Facts.from_json(str(d["facts"])) if "facts" in d else Facts())
    except DataError as error:
        error.where = f"{path}: {error.where}"
        raise


def save_pack(pack: Pack, path: str | os.PathLike[str]) -> None:
    """Write a pack: compressed ``.npz``, or a folder where the name ends in ``.pack``. It appears whole or not at all.

    Raises
    ------
    DataError
        When the folder does not exist or cannot be written.
    """
    path = Path(path)
    with writing(path):
        if path.suffix == FOLDER_SUFFIX:
            with npy_folder.replacing_folder(path) as temporary:
                npy_folder.write_arrays(temporary, arrays_of(pack))
        else:
            with replacing(path) as temporary:
                npz.write_arrays(temporary, arrays_of(pack))


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """One error for whatever keeps a pack from being written."""
    try:
        yield
    except OSError as error:
        raise DataError("The pack cannot be written", str(path), str(error), "a writable folder",
                        "check the folder, its permissions and the free space") from None


def arrays_of(pack: Pack) -> dict[str, np.ndarray]:
    """The arrays of a pack by their names in a file; what the pack does not have is left out."""
    arrays: dict[str, np.ndarray] = {
        "data": pack.data, "offsets": pack.offsets, "labels": pack.labels, "names": pack.names,
        "class_names": np.array(pack.class_names, dtype=str), "joint_names": np.array(pack.joint_names, dtype=str),
        "edges": np.asarray(pack.edges), **pack.ids}
    for mask in (*_MASKS, "scores"):
        value = getattr(pack, mask)
        if value is not None:
            arrays[mask] = value
    if pack.splits:
        arrays |= {"split_names": np.array(list(pack.splits), dtype=str), "splits": np.stack([*pack.splits.values()])}
    if pack.facts:
        arrays["facts"] = np.array(pack.facts.to_json())
    return arrays
