"""Recordings of pose estimates as they lie in folders, and how a list of them becomes a pack."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from mksgn.data.class_names import numbered
from mksgn.data.facts import Facts
from mksgn.data.frames import Frames, rewritten
from mksgn.data.pack import Pack
from mksgn.data.readers.files import is_companion
from mksgn.data.readers.index import Index, read_index
from mksgn.data.readers.options import ReadOptions
from mksgn.errors import DataError
from mksgn.files import printable
from mksgn.skeleton import Body

_FRAME_NUMBER = re.compile(r"(.*?)[-_. ]?(\d+)([-_. ]?(?:keypoints|pose|results?))?$")
_MAX_FRAMES = 1 << 20


@dataclass(frozen=True)
class Clip:
    """One recording, read.

    Parameters
    ----------
    points : float ndarray (F, M, V, D)
        NaN where a joint is missing; zeros where a person is.
    scores : float ndarray (F, M, V) or None
        Confidences; None where the format has none. 0 for an absent person.
    label : int, or str
        Class index or class name; -1 where unknown.
    ids : dict of str to int
        Those of :data:`mksgn.data.pack.ID_NAMES` that its name tells.
    """

    points: np.ndarray
    scores: np.ndarray | None = None
    label: int | str = -1
    ids: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Recording:
    """Where one recording lies: its name, its files in order, and the folder that names its class, or nothing."""

    name: str
    files: tuple[Path, ...]
    class_name: str = ""


def recordings_at(path: Path, suffixes: tuple[str, ...], options: ReadOptions, *, by_frame: bool = False
                  ) -> list[Recording]:
    """The recordings in a file or folder.

    A file is a recording. In a folder each file of the right ending is one, or, where the tool writes a file for each
    frame, all files whose names differ in their last number. Folders inside the folder name classes:
    ``FOLDER/CLASS/recording``; where each of them holds the frames of one recording and nothing else, they are those
    recordings (``FOLDER/recording/frame``), and their classes come from an index. Recordings of one name in several
    classes are called ``CLASS/recording``.

    Parameters
    ----------
    by_frame : bool
        Whether the files hold one frame each.

    Raises
    ------
    DataError
        When there is no such file, or all are to be left out.
    """
    if path.is_file():
        return [Recording(printable(path.stem), (path,))]
    skip = options.index.resolve() if options.index else None
    try:
        files = [file for file in sorted(path.rglob("*")) if file.suffix.lower() in suffixes and file.is_file()
                 and not any(is_companion(path / part) for part in file.relative_to(path).parts)
                 and file.resolve() != skip]
    except OSError as error:
        raise DataError("The folder cannot be read", str(path), str(error), fix="check its permissions") from None
    found = list(_grouped(path, files) if by_frame else
                 (Recording(printable(file.stem), (file,), _class_of(path, file)) for file in files))
    counts = Counter(each.name for each in found)
    found = [replace(each, name=f"{each.class_name}/{each.name}") if counts[each.name] > 1 and each.class_name else each
             for each in found]
    kept = [each for each in found if each.name not in options.leave_out]
    if len(kept) < len(found):
        options.say(f"left out {len(found) - len(kept)} recordings that the list names")
    if not kept:
        raise DataError("The folder holds no recordings" if not found else "Every recording is to be left out",
                        str(path), f"{len(found)} recordings", "one or more",
                        "name the folder that holds the recordings")
    return kept


def _class_of(root: Path, file: Path) -> str:
    parts = file.relative_to(root).parts
    return printable(parts[0]) if len(parts) > 1 else ""


def _grouped(root: Path, files: list[Path]) -> Iterator[Recording]:
    """Recordings of one file per frame: same folder, and same name but for the last number in it."""
    groups: dict[tuple[Path, str], list[tuple[int, Path]]] = {}
    for file in files:
        match = _FRAME_NUMBER.match(file.stem)
        stem, number = (match[1], int(match[2][:18])) if match else (file.stem, 0)
        groups.setdefault((file.parent, stem), []).append((number, file))
    folders = [folder for folder, _ in groups]
    alone = {folder for folder in folders if folders.count(folder) == 1 and folder != root}
    # root/X/frames: X is a recording where every such folder holds exactly one, else a class of several.
    one_each = all(folder in alone for folder in folders if folder.parent == root)
    for (folder, stem), numbered_files in groups.items():
        parts = folder.relative_to(root).parts
        by_folder = folder in alone and (len(parts) > 1 or one_each)
        name = folder.name if by_folder else stem or folder.name
        class_name = parts[0] if len(parts) > (1 if by_folder else 0) else ""
        yield Recording(printable(name), tuple(file for _, file in sorted(numbered_files)), printable(class_name))


def frames_in_order(numbers: list[int], where: str) -> tuple[np.ndarray, int]:
    """The frame (0-based) of each of many frame numbers, and the number of frames.

    Numbers that are nearly dense keep their gaps, as frames in which nobody was found; others, such as those of images
    that are no film, only their order.
    """
    distinct, position = np.unique(np.array(numbers, dtype=np.int64), return_inverse=True)
    span = int(distinct[-1] - distinct[0]) + 1
    if span <= 10 * len(distinct) + 100:
        position, count = np.array(numbers, dtype=np.int64) - distinct[0], span
    else:
        count = len(distinct)
    if count > _MAX_FRAMES:
        raise DataError("The recording is too long", where, f"{count} frames", f"up to {_MAX_FRAMES}", "cut it")
    return position.reshape(-1), count


def collect(recordings: Iterable[tuple[Recording, Callable[[], Clip]]], body: Body, facts: Facts,
            options: ReadOptions, *, class_names: tuple[str, ...] | None = None,
            splits: dict[str, set[str]] | None = None, where: str = "") -> Pack:
    """Read recordings one after the other into a pack; memory holds one of them beside what ``options.frames`` keeps.

    Parameters
    ----------
    recordings : iterable of (Recording, callable)
        The callable reads it.
    class_names : tuple of str, optional
        Names of integer labels.
    splits : dict of str to set of str, optional
        Named splits: the names of their recordings.

    Raises
    ------
    DataError
        What reading raises; a recording in which nobody was found. With ``skip_bad`` these are left out, counted and
        said, unless nothing is left.
    """
    index = read_index(options.index) if options.index else Index()
    points, scores, kept = options.frames("data"), options.frames("scores"), _Kept(index)
    bad: list[DataError] = []
    for recording, read in recordings:
        try:
            clip = read()
            made = _clean(clip, options.persons, body, f"{where or recording.files[0]}: {recording.name}")
        except DataError as error:
            if not options.skip_bad:
                raise
            bad.append(error)
            continue
        points.append(made[0])
        scores.append(made[1])
        kept.add(recording, clip, made[1])
    if bad:
        options.say(f"left out {len(bad)} recordings that are empty or cannot be read; the first: "
                    f"{bad[0].what} ({bad[0].where})")
    if not kept.names:
        raise DataError("No recording is left", where or "the folder", f"{len(bad)} bad ones", "one or more",
                        f"the first: {bad[0].what} ({bad[0].where})" if bad else "name another folder")
    labels, names = kept.labelled(class_names)
    if not kept.imperfect:
        scores.close()
    return Pack(data=_narrowed(points, kept.persons), offsets=points.offsets, labels=labels,
                names=np.array(kept.names), class_names=names, joint_names=body.joint_names or (), edges=body.edges,
                ids=kept.ids(), scores=_narrowed(scores, kept.persons) if kept.imperfect else None,
                splits=kept.splits(splits or {}), facts=facts)


@dataclass
class _Kept:
    """What is known of the recordings of a pack in the making."""

    index: Index
    names: list[str] = field(default_factory=list)
    labels: list[int | str] = field(default_factory=list)
    id_rows: list[dict[str, int]] = field(default_factory=list)
    persons: int = 1
    imperfect: bool = False

    def add(self, recording: Recording, clip: Clip, scores: np.ndarray) -> None:
        row = self.index.row(recording.name)
        self.names.append(recording.name)
        self.labels.append(row.label if row.label != -1 else recording.class_name or clip.label)
        self.id_rows.append({**clip.ids, **row.ids})
        present = scores.any(axis=(0, 2))
        self.persons = max(self.persons, int(np.flatnonzero(present).max(initial=0)) + 1)
        self.imperfect |= clip.scores is not None or bool((scores[scores.any(axis=2)] != 1).any())

    def labelled(self, class_names: tuple[str, ...] | None) -> tuple[np.ndarray, tuple[str, ...]]:
        """Labels and class names; named classes are numbered in the order of the alphabet."""
        named = sorted({label for label in self.labels if isinstance(label, str)})
        numbers = [label for label in self.labels if isinstance(label, int) and label >= 0]
        if named and numbers:
            raise DataError("Some recordings have named classes and others numbers", "labels",
                            f"{named[0]!r} and {numbers[0]}", "names for all, or numbers for all",
                            "give all of them in the index")
        if named:
            table = {name: i for i, name in enumerate(named)}
            return np.array([table.get(str(label), -1) for label in self.labels], np.int64), tuple(named)
        return (np.array(self.labels, dtype=np.int64),
                class_names if class_names is not None else numbered(max(numbers, default=-1) + 1))

    def ids(self) -> dict[str, np.ndarray]:
        """The ids that every recording has."""
        shared = set.intersection(*(set(row) for row in self.id_rows))
        return {name: np.array([row[name] for row in self.id_rows], np.int64) for name in sorted(shared)}

    def splits(self, given: dict[str, set[str]]) -> dict[str, np.ndarray]:
        """Named splits as masks."""
        masks = {name: np.array([each in members for each in self.names]) for name, members in given.items()}
        return masks | {name: np.array([name in self.index.row(each).splits for each in self.names])
                        for name in self.index.split_names}


def _clean(clip: Clip, persons: int, body: Body, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Finite float32 points (F, persons, V, D) and scores (F, persons, V), both 0 for a missing joint."""
    points = np.asarray(clip.points, np.float64)
    if points.ndim != 4 or points.shape[2] != body.num_joints:
        raise DataError("The recording has another number of joints than its body", where,
                        f"{points.shape[2] if points.ndim == 4 else points.shape}", str(body.num_joints),
                        "name the body with --body, or its bones with --edges")
    present = np.isfinite(points) & (np.abs(np.nan_to_num(points)) <= np.finfo(np.float32).max)
    seen = present.all(axis=3)
    if clip.scores is None:
        scores = np.broadcast_to(points.any(axis=(2, 3))[:, :, None] & seen, seen.shape).astype(np.float32)
    else:
        scores = np.nan_to_num(np.asarray(clip.scores, np.float64), posinf=0, neginf=0).clip(0, 1e6).astype(np.float32)
    if scores.shape != seen.shape:
        raise DataError("The scores are not one per joint", where, str(scores.shape), str(seen.shape))
    scores = np.where(seen, scores, 0).astype(np.float32)
    points = np.where(seen[..., None], points, 0).astype(np.float32)
    if not len(points) or not points.any():
        raise DataError("Nobody was found in the recording", where, f"{len(points)} frames, all empty",
                        "one person in one frame or more", "leave it out, or all such recordings with --skip-bad")
    made = np.zeros((len(points), persons, *points.shape[2:]), np.float32)
    made_scores = np.zeros(made.shape[:3], np.float32)
    made[:, :points.shape[1]], made_scores[:, :points.shape[1]] = points[:, :persons], scores[:, :persons]
    if not made.any():
        raise DataError("Nobody was found in the recording", where, "its first persons are empty")
    return made, made_scores


def _narrowed(frames: Frames, persons: int) -> np.ndarray:
    """All frames with the persons that any recording has."""
    array = frames.array()
    if array.shape[1] == persons:
        return array
    return rewritten(array, frames.like(), lambda _, block: block[:, :persons])
