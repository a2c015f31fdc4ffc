"""pyskl and MMAction2 annotations (``ntu60_hrnet.pkl``, ``ntu60_3d.pkl``, ``hmdb51_hrnet.pkl``, ...).

``{"split": {name: [frame_dir, ...]}, "annotations": [{"frame_dir", "label", "total_frames", "keypoint",
"keypoint_score"}]}``; ``keypoint`` is (persons, frames, joints, 2 or 3), ``keypoint_score`` (persons, frames, joints).
The layout: ``github.com/kennymckormick/pyskl``, tools/data/README.md. Nothing in the pickle is run
(:mod:`mksgn.data.safe_pickle`). The whole file is held in memory.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mksgn.data.class_names import ntu_names
from mksgn.data.facts import Facts
from mksgn.data.pack import CLASSES_MAX, Pack
from mksgn.data.readers.clips import Clip, Recording, collect
from mksgn.data.readers.options import ReadOptions
from mksgn.data.safe_pickle import read_plain_pickle
from mksgn.data.traps import refuse_scores_as_coordinates
from mksgn.errors import DataError
from mksgn.files import printable
from mksgn.skeleton.bodies import COCO17, KINECT20, KINECT25, OPENPOSE18, OPENPOSE25, NamedBody, body_named

_NTU = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})")
_NTU_IDS = ("setup", "camera", "subject", "replication", "action_id")
_BODIES = {(17, 2): COCO17, (17, 3): COCO17, (25, 3): KINECT25, (20, 3): KINECT20, (18, 2): OPENPOSE18,
           (25, 2): OPENPOSE25}


def read_pyskl(path: Path, options: ReadOptions) -> Pack:
    """Read such a file; its splits become named splits of the pack.

    Raises
    ------
    DataError
        A pickle of anything but plain data; annotations without ``keypoint``, such as those of Kinetics, which keep
        their key points in files of their own; arrays of impossible shapes; an unknown body.
    """
    content = read_plain_pickle(path)
    splits, annotations = _parts(content, path)
    named = _body(annotations, options, path)
    names = [_name(each, i, path) for i, each in enumerate(annotations)]
    three = np.ndim(annotations[0]["keypoint"]) == 4 and annotations[0]["keypoint"].shape[3] == 3
    ntu = named is KINECT25 or all(_NTU.fullmatch(name) for name in names)
    largest = max((each["label"] for each in annotations if type(each.get("label")) is int), default=-1)
    facts = Facts("m" if named is KINECT25 else "", "+y" if named is KINECT25 else "", "pyskl") if three else \
        Facts("px", "-y", "pyskl")
    members = {printable(str(name)): {printable(str(member)) for member in listed} for name, listed in splits.items()}

    def all_of() -> Iterator[tuple[Recording, Callable[[], Clip]]]:
        for i, name in enumerate(names):
            if name not in options.leave_out:
                yield Recording(name, (path,)), partial(_clip, annotations[i], name, path)

    return collect(all_of(), named.body, facts, options, splits=members, where=str(path),
                   class_names=ntu_names(largest) if ntu and largest < 120 else None)


def _parts(content: Any, path: Path) -> tuple[dict[str, list[Any]], list[dict[str, Any]]]:
    """Named splits and annotations; older files are a list of annotations."""
    annotations = content.get("annotations") if isinstance(content, dict) else content
    splits = content.get("split", {}) if isinstance(content, dict) else {}
    if not isinstance(annotations, list) or not annotations or not all(isinstance(a, dict) for a in annotations) or \
            not isinstance(splits, dict) or not all(isinstance(listed, (list, tuple)) for listed in splits.values()):
        got = f"an object of {', '.join(map(str, content))}"[:80] if isinstance(content, dict) else f"{content!r:.60}"
        raise DataError("The pickle holds no pyskl annotations", str(path), got,
                        '{"split": {name: [...]}, "annotations": [{...}]}')
    without = [each for each in annotations if "keypoint" not in each]
    if without:
        raise DataError("The annotations hold no key points", str(path),
                        f"{len(without)} of {len(annotations)} without 'keypoint'; the first has "
                        f"{', '.join(map(str, without[0]))}"[:200],
                        "an array 'keypoint' of (persons, frames, joints, 2 or 3) in each",
                        "the Kinetics kind keeps its key points in files of its own: join them first, as pyskl says")
    return splits, annotations


def _body(annotations: list[dict[str, Any]], options: ReadOptions, path: Path) -> NamedBody:
    shape = np.shape(annotations[0]["keypoint"])
    if options.body:
        return body_named(options.body)
    if len(shape) != 4 or shape[2:] not in _BODIES:
        raise DataError("The key points are of an unknown body", str(path), f"keypoint of shape {shape}",
                        "(persons, frames, joints, numbers) with joints x numbers one of "
                        + ", ".join(f"{v} x {d} ({body.name})" for (v, d), body in _BODIES.items()),
                        "name the body with --body")
    return _BODIES[shape[2:]]


def _name(annotation: dict[str, Any], number: int, path: Path) -> str:
    name = annotation.get("frame_dir", annotation.get("filename"))
    if not isinstance(name, str):
        raise DataError("An annotation has no name", f"{path}, annotation {number}", f"{name!r:.60}", "a 'frame_dir'")
    return printable(name)


def _clip(annotation: dict[str, Any], name: str, path: Path) -> Clip:
    where = f"{path}, {name}"
    points, scores, label = annotation["keypoint"], annotation.get("keypoint_score"), annotation.get("label", -1)
    for array, dimensions in ((points, 4), (scores, 3)):
        if array is not None and not (isinstance(array, np.ndarray) and array.dtype.kind in "fiu"
                                      and array.ndim == dimensions):
            raise DataError("The key points are no array of numbers", where,
                            f"{type(array).__name__} {np.shape(array)}", f"a numpy array of {dimensions} dimensions")
    if points.shape[3] not in (2, 3) or (scores is not None and scores.shape != points.shape[:3]):
        raise DataError("The key points have an impossible shape", where,
                        f"{points.shape}" + (f", scores {scores.shape}" if scores is not None else ""),
                        "(persons, frames, joints, 2 or 3), scores (persons, frames, joints)")
    if annotation.get("total_frames", points.shape[1]) != points.shape[1]:
        raise DataError("The key points are of another number of frames than the annotation says", where,
                        str(points.shape[1]), str(annotation["total_frames"]))
    if isinstance(label, np.integer):
        label = int(label)
    if type(label) is not int or not -1 <= label < CLASSES_MAX:
        raise DataError("The label is no class number", where, f"{label!r:.40}", f"0..{CLASSES_MAX - 1}")
    moved = np.asarray(points, np.float64).transpose(1, 0, 2, 3)
    if scores is None:
        refuse_scores_as_coordinates(moved.reshape(-1, *moved.shape[2:]), where)
    match = _NTU.fullmatch(name)
    ids = dict(zip(_NTU_IDS, map(int, match.groups()))) if match else {}
    return Clip(moved, None if scores is None else scores.transpose(1, 0, 2), label, ids)
