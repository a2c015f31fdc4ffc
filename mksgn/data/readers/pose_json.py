"""JSON of pose estimators: OpenPose, COCO results (AlphaPose, MMPose), YOLO. Pixels, y down, 2-D.

Where the layouts are documented:

- OpenPose: ``github.com/CMU-Perceptual-Computing-Lab/openpose``, doc/02_output.md. One file a frame:
  ``{"people": [{"pose_keypoints_2d": [x, y, score, ...]}]}``; BODY_25 has 25 joints, the COCO model 18. Some tools
  write a clip as one file, a list of such objects. A joint that was not found is 0 0 0.
- COCO results: ``cocodataset.org/#format-results``, and AlphaPose: ``github.com/MVIG-SJTU/AlphaPose``,
  docs/output.md. One file a clip, a list of ``{"image_id": ..., "keypoints": [x, y, score, ...], "score": ...}``,
  one for each person in each image; AlphaPose adds ``idx`` where it tracks. 17 joints (COCO) or 26 (Halpe).
- YOLO: ``docs.ultralytics.com/reference/engine/results``, ``Results.to_json()``. One file an image, a list of
  ``{"name": "person", "keypoints": {"x": [...], "y": [...], "visible": [...]}, "track_id": ...}``; or one file a clip,
  a list of such lists.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from mksgn.data.facts import Facts
from mksgn.data.pack import Pack
from mksgn.data.readers.clips import Clip, Recording, collect, frames_in_order, recordings_at
from mksgn.data.readers.files import read_json
from mksgn.data.readers.options import ReadOptions
from mksgn.data.readers.tracks import Found, followed
from mksgn.errors import DataError
from mksgn.skeleton.bodies import COCO17, HALPE26, OPENPOSE18, OPENPOSE25, NamedBody, body_named

_Frames = list[list[Found]]
_DIGITS = re.compile(r"\d+")


def read_openpose(path: Path, options: ReadOptions) -> Pack:
    """Read OpenPose JSON: a folder of recordings of one file a frame, or files of one clip each.

    Raises
    ------
    DataError
        See :func:`~mksgn.data.readers.clips.collect`; a person of neither 18 nor 25 joints.
    """
    return _read(path, options, "openpose", _openpose, (OPENPOSE25, OPENPOSE18))


def read_coco(path: Path, options: ReadOptions) -> Pack:
    """Read key points in the COCO results layout, as AlphaPose and MMPose write them: one file a clip.

    Raises
    ------
    DataError
        See :func:`~mksgn.data.readers.clips.collect`; a person of neither 17 nor 26 joints.
    """
    return _read(path, options, "coco", _coco, (COCO17, HALPE26))


def read_yolo(path: Path, options: ReadOptions) -> Pack:
    """Read YOLO pose results: one file an image, or one a clip.

    Raises
    ------
    DataError
        See :func:`~mksgn.data.readers.clips.collect`; a person of other than 17 joints without a body named.
    """
    return _read(path, options, "yolo", _yolo, (COCO17,))


def _read(path: Path, options: ReadOptions, name: str, parse: Callable[[Any, str], _Frames],
          bodies: tuple[NamedBody, ...]) -> Pack:
    by_frame = name != "coco"
    recordings = recordings_at(path, (".json",), options, by_frame=by_frame)
    several = [each.files[:3] for each in recordings if len(each.files) > 1]
    if by_frame and several and all(any(_is_clip(file, parse) for file in files) for files in several):
        recordings = recordings_at(path, (".json",), options)  # numbered files of one clip each
    known = {each.body.num_joints: each for each in bodies}
    if options.body:
        known = {(named := body_named(options.body)).body.num_joints: named}
    body = known[_joints_of(recordings, parse, known)]

    def read(recording: Recording) -> Clip:
        frames = [frame for file in recording.files for frame in parse(read_json(file), str(file))]
        for number, frame in enumerate(frames):
            for found in frame:
                if len(found.points) != body.body.num_joints:
                    raise DataError("A person has another number of joints than the others",
                                    f"{recording.files[0]}, frame {number}", str(len(found.points)),
                                    f"{body.body.num_joints} ({body.name})", "separate recordings of different bodies")
        return _clip(frames, options.persons, f"{recording.files[0]}")

    units = "image" if name == "yolo" and _is_part_of_image(recordings[0], parse) else "px"
    return collect(((each, partial(read, each)) for each in recordings), body.body, Facts(units, "-y", name),
                   options, where=str(path))


def _clip(frames: _Frames, persons: int, where: str) -> Clip:
    if not any(frames):
        raise DataError("Nobody was found in the recording", where, f"{len(frames)} frames, all empty",
                        "one person in one frame or more", "leave it out, or all such recordings with --skip-bad")
    points, scores = followed(frames, persons)
    return Clip(points, scores)


def _is_clip(file: Path, parse: Callable[[Any, str], _Frames]) -> bool:
    try:
        return len(parse(read_json(file), str(file))) > 1
    except DataError:
        return False


def _is_part_of_image(recording: Recording, parse: Callable[[Any, str], _Frames]) -> bool:
    """Whether coordinates are parts of the image's size: YOLO's ``normalize=True``."""
    try:
        frames = [frame for file in recording.files[:30] for frame in parse(read_json(file), str(file))]
    except DataError:
        return False
    values = [np.nanmax(np.abs(f.points)) for frame in frames for f in frame if np.isfinite(f.points).any()]
    return bool(values) and max(values) <= 2.0


def _joints_of(recordings: list[Recording], parse: Callable[[Any, str], _Frames], known: dict[int, NamedBody]) -> int:
    """The number of joints of the first person that can be read; of a body that is known."""
    first: DataError | None = None
    for recording in recordings:
        for file in recording.files:
            try:
                frames = parse(read_json(file), str(file))
            except DataError as error:
                first = first or error
                continue
            for found in (f for frame in frames for f in frame):
                count = len(found.points)
                if count not in known:
                    raise DataError("A person has an unknown number of joints", str(file), f"{count} joints",
                                    ", ".join(f"{n} ({each.name})" for n, each in known.items()),
                                    "name the body with --body")
                return count
    if first is not None:
        raise first
    raise DataError("Nobody was found in any recording", str(recordings[0].files[0].parent),
                    f"{len(recordings)} recordings, all empty", "one person in one frame or more",
                    "name another folder")


def _openpose(content: Any, where: str) -> _Frames:
    frames = content if isinstance(content, list) else [content]
    made: _Frames = []
    for number, frame in enumerate(frames):
        people = frame.get("people") if isinstance(frame, dict) else None
        if not isinstance(people, list):
            raise DataError("The JSON is not OpenPose output", f"{where}, frame {number}", _shown(frame),
                            'an object with a list "people"')
        persons = []
        for person in people:
            flat = person.get("pose_keypoints_2d", person.get("pose_keypoints")) if isinstance(person, dict) else None
            if flat == []:
                continue
            found = _triples(flat, f"{where}, frame {number}")
            number_of = person.get("person_id")
            identity = number_of[0] if isinstance(number_of, list) and number_of else None
            if np.isfinite(found.points).any():
                persons.append(Found(found.points, found.scores, identity if _is_identity(identity) else None))
        made.append(persons)
    return made


def _coco(content: Any, where: str) -> _Frames:
    if isinstance(content, dict) and isinstance(content.get("annotations"), list):
        content = content["annotations"]
    if not isinstance(content, list):
        raise DataError("The JSON is not a list of COCO results", where, _shown(content),
                        'a list of {"image_id": ..., "keypoints": [...]}')
    numbers, persons = [], []
    for i, entry in enumerate(content):
        if not isinstance(entry, dict) or "image_id" not in entry:
            raise DataError("An entry is no COCO result", f"{where}, entry {i}", _shown(entry),
                            '{"image_id": ..., "keypoints": [...]}')
        found = _triples(entry.get("keypoints"), f"{where}, entry {i}")
        identity = entry.get("idx", entry.get("track_id"))
        identity = identity[0] if isinstance(identity, list) and identity else identity
        numbers.append(_number(entry["image_id"], f"{where}, entry {i}"))
        persons.append(Found(found.points, found.scores, identity if _is_identity(identity) else None))
    if not numbers:
        return []
    places, count = frames_in_order(numbers, where)
    frames: _Frames = [[] for _ in range(count)]
    for place, person in zip(places, persons):
        frames[int(place)].append(person)
    return frames


def _yolo(content: Any, where: str) -> _Frames:
    if not isinstance(content, list):
        raise DataError("The JSON is not a list of YOLO results", where, _shown(content),
                        'a list of {"keypoints": {"x": [...], "y": [...], "visible": [...]}}')
    frames = content if content and all(isinstance(each, list) for each in content) else [content]
    return [[_yolo_person(entry, f"{where}, frame {number}") for entry in frame] for number, frame in enumerate(frames)]


def _yolo_person(entry: Any, where: str) -> Found:
    points = entry.get("keypoints") if isinstance(entry, dict) else None
    lists = [points.get(axis) for axis in ("x", "y")] if isinstance(points, dict) else []
    if not isinstance(points, dict) or not all(isinstance(each, list) for each in lists):
        raise DataError("An entry is no YOLO pose result", where, _shown(entry),
                        '{"keypoints": {"x": [...], "y": [...], "visible": [...]}}',
                        "write the results of a pose model: detections without key points are none")
    columns = [_numbers(each, where) for each in lists]
    visible = points.get("visible")
    scores = np.ones(len(columns[0])) if visible is None else _numbers(visible, where)
    if not len(columns[0]) == len(columns[1]) == len(scores):
        raise DataError("The coordinates of a person are not equally many", where,
                        f"{len(columns[0])} x, {len(columns[1])} y, {len(scores)} visible")
    identity = entry.get("track_id")
    found = _with_missing(np.stack(columns, axis=1), scores)
    return Found(found.points, found.scores, identity if _is_identity(identity) else None)


def _triples(flat: Any, where: str) -> Found:
    """x, y, score of each joint, one after the other."""
    values = _numbers(flat, where)
    if not len(values) or len(values) % 3:
        raise DataError("The key points are not x, y, score of each joint", where, f"{len(values)} numbers",
                        "a multiple of 3")
    triples = values.reshape(-1, 3)
    return _with_missing(triples[:, :2], triples[:, 2])


def _with_missing(points: np.ndarray, scores: np.ndarray) -> Found:
    """A joint at 0, 0 was not found."""
    missing = ~points.any(axis=1)
    points = np.where(missing[:, None], np.nan, points)
    return Found(points, np.where(missing, 0, scores))


def _numbers(values: Any, where: str) -> np.ndarray:
    if not isinstance(values, list) or not all(
            value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)) for value in values):
        raise DataError("The key points are no list of numbers", where, _shown(values), "[number, number, ...]")
    try:
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    except OverflowError:
        raise DataError("A coordinate is too large for a number", where, "an integer beyond float64") from None


def _number(image: Any, where: str) -> int:
    """The frame that an image's id tells: itself, or the last number in a file's name."""
    if isinstance(image, int) and not isinstance(image, bool) and abs(image) < 1 << 60:
        return image
    found = _DIGITS.findall(Path(image).stem) if isinstance(image, str) else []
    if not found:
        raise DataError("An image's id tells no frame", where, _shown(image),
                        "a number, or a file name that ends in one")
    return int(found[-1][-18:])


def _is_identity(value: Any) -> TypeGuard[int | str]:
    """A tracker's number; OpenPose writes -1 where it does not track."""
    return isinstance(value, str) or (isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0)


def _shown(value: Any) -> str:
    return f"an object of {', '.join(map(str, value))}"[:100] if isinstance(value, dict) else f"{value!r:.60}"
