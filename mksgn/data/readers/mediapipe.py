"""MediaPipe Pose landmarks. MediaPipe has no file format of its own; these layouts are what people write around it.

The 33 landmarks: ``ai.google.dev/edge/mediapipe/solutions/vision/pose_landmarker``.

- JSON: frames in a list, alone or under ``frames``; each frame is a list of 33 landmarks, a list of such lists (one
  for each person), or an object that holds one under ``keypoints``, ``landmarks``, ``poseLandmarks`` or the like. A
  landmark is an object of x, y, z and ``visibility`` or ``score``. Where metric coordinates are there
  (``keypoints3D``, ``worldLandmarks``, ...), they are taken: metres from the hips' middle. Else parts of the image.
- CSV: one line a frame; columns ``NAME_x, NAME_y, NAME_z[, NAME_visibility]`` (also ``x0, y0, ...``), or, without such
  names, 132 (or 99) numbers in the order of the landmarks, after an index column or none.

y points down in all of them.
"""

from __future__ import annotations

import csv
import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mksgn.data.facts import Facts
from mksgn.data.pack import Pack
from mksgn.data.readers.clips import Clip, Recording, collect, recordings_at
from mksgn.data.readers.files import read_json, read_text
from mksgn.data.readers.options import ReadOptions
from mksgn.data.readers.tracks import Found, followed
from mksgn.errors import DataError
from mksgn.skeleton.bodies import MEDIAPIPE33

_JOINTS = MEDIAPIPE33.body.num_joints
_WORLD = re.compile(r"world|3d", re.IGNORECASE)
_LISTS = re.compile(r"landmarks|keypoints", re.IGNORECASE)
_CONFIDENCES = ("visibility", "score", "presence")


def read_mediapipe(path: Path, options: ReadOptions) -> Pack:
    """Read a JSON or CSV file of landmarks, or a folder of them, one file a clip.

    Raises
    ------
    DataError
        See :func:`~mksgn.data.readers.clips.collect`; a frame of another number of landmarks.
    """
    recordings = recordings_at(path, (".json", ".csv"), options)
    metric = _is_metric(recordings)

    def read(recording: Recording) -> Clip:
        file = recording.files[0]
        if metric and file.suffix.lower() == ".csv":
            raise DataError("The folder mixes metric coordinates and parts of an image", str(file),
                            "a table; the first JSON file has metric coordinates", "one kind", "separate them")
        frames = _from_csv(file) if file.suffix.lower() == ".csv" else _from_json(read_json(file), file, metric)
        if not any(frames):
            raise DataError("Nobody was found in the recording", str(file), f"{len(frames)} frames, all empty",
                            "one person in one frame or more",
                            "leave it out, or all such recordings with --skip-bad")
        return Clip(*followed(frames, options.persons))

    return collect(((each, partial(read, each)) for each in recordings), MEDIAPIPE33.body,
                   Facts("m" if metric else "image", "-y", "mediapipe"), options, where=str(path))


def _is_metric(recordings: list[Recording]) -> bool:
    """Whether the first JSON file that can be read has metric coordinates; then all must."""
    for recording in recordings:
        file = recording.files[0]
        if file.suffix.lower() == ".csv":
            return False
        try:
            frames = _frames_of(read_json(file), file)
        except DataError:
            continue
        if any(isinstance(frame, dict) for frame in frames):
            return any(_lists_of(frame, True) for frame in frames if isinstance(frame, dict))
    return False


def _frames_of(content: Any, file: Path) -> list[Any]:
    frames = content.get("frames", content.get("landmarks")) if isinstance(content, dict) else content
    if not isinstance(frames, list):
        raise DataError("The JSON holds no list of frames", str(file), f"{content!r:.60}",
                        "a list of frames, alone or under 'frames'")
    if frames and isinstance(frames[0], dict) and {"x", "y"} <= set(frames[0]):
        return [frames]  # the landmarks of one frame
    return frames


def _lists_of(frame: dict[str, Any], metric: bool) -> list[Any]:
    """What a frame holds under the name of landmarks, metric ones or not; empty lists are people not found."""
    return [value for name, value in frame.items()
            if _LISTS.search(name) and bool(_WORLD.search(name)) == metric and isinstance(value, list)]


def _from_json(content: Any, file: Path, metric: bool) -> list[list[Found]]:
    made = []
    for number, frame in enumerate(_frames_of(content, file)):
        where = f"{file}, frame {number}"
        if isinstance(frame, dict):
            lists = _lists_of(frame, metric)
            if not lists and any(isinstance(value, list) and _LISTS.search(name) for name, value in frame.items()):
                raise DataError("A frame has no metric coordinates, and others have" if metric else
                                "A frame has metric coordinates, and others have none", where, ", ".join(frame)[:80])
            frame = lists[0] if lists else []
        if frame is None:
            frame = []
        if not isinstance(frame, list):
            raise DataError("A frame is no list of landmarks", where, f"{frame!r:.60}", f"{_JOINTS} landmarks")
        people = frame if frame and isinstance(frame[0], list) else [frame] if frame else []
        made.append([_person(landmarks, where) for landmarks in people if landmarks])
    return made


def _person(landmarks: Any, where: str) -> Found:
    if not isinstance(landmarks, list) or len(landmarks) != _JOINTS:
        count = len(landmarks) if isinstance(landmarks, list) else f"{landmarks!r:.40}"
        raise DataError("A person has the wrong number of landmarks", where, f"{count}", str(_JOINTS))
    values = np.full((_JOINTS, 4), np.nan)
    for v, landmark in enumerate(landmarks):
        given = landmark if isinstance(landmark, dict) else {}
        confidence = next((given[name] for name in _CONFIDENCES if given.get(name) is not None), 1.0)
        for k, number in enumerate((given.get("x"), given.get("y"), given.get("z", 0.0), confidence)):
            if isinstance(number, bool) or not isinstance(number, (int, float)) or abs(number) > 1e300:
                raise DataError("A landmark is not x, y, z and visibility", f"{where}, landmark {v}",
                                f"{landmark!r:.80}", '{"x": ..., "y": ..., "z": ..., "visibility": ...}')
            values[v, k] = number
    return Found(values[:, :3], values[:, 3])


def _from_csv(file: Path) -> list[list[Found]]:
    rows = [row for row in csv.reader(read_text(file).splitlines()) if row]
    columns, body = _columns_of(rows[0], len(rows[-1])), rows[1:]
    if columns is None:
        raise DataError("The columns are not 33 landmarks", file.name, f"{len(rows[0])} columns",
                        "132 (x, y, z, visibility) or 99 (x, y, z) numbers, after an index or none; or columns named "
                        "nose_x, nose_y, ...", "name the columns frame, joint, x, y, z, score for another layout")
    if all(_is_number(cell) for cell in rows[0] if cell) and not _is_count(rows[0]):
        body = rows
    made = []
    for number, row in enumerate(body, len(rows) - len(body) + 1):
        try:
            values = np.array([float(row[c]) if row[c].strip() else np.nan for c in columns.ravel()])
        except (ValueError, IndexError):
            raise DataError("A line does not hold the numbers of 33 landmarks", f"{file}, line {number}",
                            f"{len(row)} cells: {', '.join(row)[:60]}", f"{columns.size} numbers") from None
        values = values.reshape(columns.shape)
        scores = values[:, 3] if columns.shape[1] == 4 else np.ones(_JOINTS)
        points = np.where(np.isfinite(values[:, :3]).all(axis=1, keepdims=True), values[:, :3], np.nan)
        made.append([Found(points, scores)] if np.isfinite(points).any() and np.nan_to_num(points).any() else [])
    return made


def _columns_of(head: list[str], width: int) -> np.ndarray | None:
    """Columns of x, y, z and visibility of each landmark, int (33, 4) or (33, 3)."""
    names = [re.sub(r"[^a-z0-9]", "", cell.lower()) for cell in head]
    for suffixes in (("x", "y", "z", "visibility"), ("x", "y", "z", "v"), ("x", "y", "z", "score"), ("x", "y", "z")):
        for first in (0, 1):
            ways = ([[joint.replace("_", "") + s for s in suffixes] for joint in MEDIAPIPE33.joint_names],
                    [[s + str(v) for s in suffixes] for v in range(first, first + _JOINTS)],
                    [[str(v) + s for s in suffixes] for v in range(first, first + _JOINTS)])
            for way in ways:
                if all(name in names for joint in way for name in joint):
                    return np.array([[names.index(name) for name in joint] for joint in way])
    for per in (4, 3):
        if width in (_JOINTS * per, _JOINTS * per + 1):
            return np.arange(_JOINTS * per).reshape(_JOINTS, per) + width - _JOINTS * per
    return None


def is_landmark_table(head: list[str]) -> bool:
    """Whether a CSV file's first line is that of landmarks."""
    return _columns_of(head, len(head)) is not None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _is_count(head: list[str]) -> bool:
    """0, 1, 2, ...: the numbers of columns, not of a frame."""
    cells = [cell for cell in head if cell.strip()]
    return cells == [str(i) for i in range(len(cells))]
