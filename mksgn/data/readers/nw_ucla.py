"""NW-UCLA JSON ("all_sqe"): one file per recording, ``a##_s##_e##_v##.json``.

``{"file_name": ..., "skeletons": [frame][20 joints][x, y, z], "label": 1..10}``; metres, y up, z = depth, Kinect v1.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mksgn.data.class_names import NW_UCLA, NW_UCLA_ACTION_IDS
from mksgn.data.facts import Facts
from mksgn.data.frames import Frames
from mksgn.data.pack import Pack
from mksgn.data.readers.files import files_of, read_json
from mksgn.errors import DataError
from mksgn.files import printable
from mksgn.skeleton.body import UCLA20

_NAME = re.compile(r"a(\d{2})_s(\d{2})_e(\d{2})_v(\d{2})")
_ID_NAMES = ("action_id", "subject", "env", "view")
_TEST_VIEW = 3


@dataclass(frozen=True)
class UclaRecording:
    """One file.

    Parameters
    ----------
    name : str
        File name without its ending.
    joints : float32 ndarray (F, 20, 3)
    label : int
        0..9, or -1 where neither the file nor its name tells.
    label_from : "field", "name" or "none"
        Where the label comes from. When both tell, they must agree, and "field" is given.
    ids : dict of str to int
        action_id, subject, env and view from the file name; empty for any other name.
    """

    name: str
    joints: np.ndarray
    label: int
    label_from: Literal["field", "name", "none"]
    ids: dict[str, int]


def read_ucla_file(path: Path) -> UclaRecording:
    """Read one recording.

    Raises
    ------
    DataError
        Not JSON (truncated), no frames, a frame that is not 20 joints of 3 numbers, an unknown label, or a label
        that contradicts the file name.
    """
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("skeletons"), list):
        got = f"keys {sorted(content)}" if isinstance(content, dict) else type(content).__name__
        raise DataError("The JSON is not a NW-UCLA recording", str(path), got, 'an object with a list "skeletons"')
    joints = _joints(content["skeletons"], path)
    match = _NAME.fullmatch(path.stem)
    ids = dict(zip(_ID_NAMES, (int(g) for g in match.groups()))) if match else {}
    label, label_from = _label(content.get("label"), ids.get("action_id"), path)
    return UclaRecording(printable(path.stem), joints, label, label_from, ids)


def read_nw_ucla(path: Path, leave_out: frozenset[str] = frozenset(), frames: Frames | None = None) -> Pack:
    """Read one JSON file, or a folder of them, whose names must then all carry their ids.

    The pack's ``test`` marks view 3, and ``test_dup_of_train`` the test sequences that are bit for bit a training
    sequence (95 in the full release). A single file of another name has no ids and no masks. ``leave_out`` names
    recordings of a folder that are not read, and ``frames`` is what gathers the others.

    Raises
    ------
    DataError
        As :func:`read_ucla_file`; a file in a folder whose name is not ``a##_s##_e##_v##.json``.
    """
    frames = Frames() if frames is None else frames
    names, labels, digests = [], [], []
    known: list[dict[str, int]] = []
    for file in files_of(path, ".json", leave_out):
        recording = read_ucla_file(file)
        if path.is_dir() and not recording.ids:
            raise DataError("A file name does not tell action, subject, take and view", str(file), file.name,
                            "a##_s##_e##_v##.json", "rename the file or move it out of the folder")
        frames.append(recording.joints[:, None])
        names.append(recording.name)
        labels.append(recording.label)
        known.append(recording.ids)
        digests.append(hashlib.sha256(recording.joints.tobytes()).digest())
    ids: dict[str, np.ndarray] = {}
    test = duplicate = None
    if known[0]:
        ids = {name: np.array([each[name] for each in known], dtype=np.int64) for name in _ID_NAMES}
        test = ids["view"] == _TEST_VIEW
        training = {digest for digest, is_test in zip(digests, test) if not is_test}
        duplicate = np.array([bool(t) and digest in training for digest, t in zip(digests, test)])
    return Pack(
        data=frames.array(), offsets=frames.offsets, names=np.array(names),
        labels=np.array(labels, dtype=np.int64), class_names=NW_UCLA,
        joint_names=UCLA20.joint_names or (), edges=UCLA20.edges, ids=ids, test=test, test_dup_of_train=duplicate,
        facts=Facts("m", "+y", "nw-ucla"))


def _joints(frames: list[Any], path: Path) -> np.ndarray:
    if not frames:
        raise DataError("The recording has no frames", str(path), '"skeletons": []', "one frame or more",
                        "leave the file out")
    for f, frame in enumerate(frames):
        count = len(frame) if isinstance(frame, list) else None
        if count != UCLA20.num_joints:
            raise DataError("A frame has the wrong number of joints", f"{path}, frame {f}",
                            "no list" if count is None else f"{count} joints", f"{UCLA20.num_joints} joints",
                            "NW-UCLA is Kinect v1; 25-joint data belongs into a pack or a .skeleton file")
        for v, joint in enumerate(frame):
            if not (isinstance(joint, list) and len(joint) == 3
                    and all(isinstance(x, (int, float)) and not isinstance(x, bool) for x in joint)):
                raise DataError("A joint is not three numbers", f"{path}, frame {f}, joint {v}", repr(joint)[:80],
                                "[x, y, z]")
    try:
        joints = np.array(frames, dtype=np.float64)
    except OverflowError:
        raise DataError("A coordinate is too large for a number", str(path), "an integer beyond float64",
                        "metres") from None
    finite = np.isfinite(joints).all(axis=(1, 2))
    if not finite.all() or np.abs(joints).max() > np.finfo(np.float32).max:
        f = int(np.argmin(finite & (np.abs(joints) <= np.finfo(np.float32).max).all(axis=(1, 2))))
        raise DataError("A coordinate is not a finite number", f"{path}, frame {f}", str(joints[f].min()),
                        "finite float32 metres", "repair or leave out the recording")
    return joints.astype(np.float32)


def _label(field: Any, action_id: int | None, path: Path) -> tuple[int, Literal["field", "name", "none"]]:
    """Turn the 1-based ``label`` field or the action number of the file name into a 0-based label."""
    named = None
    if action_id is not None:
        if action_id not in NW_UCLA_ACTION_IDS:
            raise DataError("The file name tells an unknown action", str(path), f"a{action_id:02d}",
                            ", ".join(f"a{i:02d}" for i in NW_UCLA_ACTION_IDS))
        named = NW_UCLA_ACTION_IDS.index(action_id)
    if field is None:
        return (-1, "none") if named is None else (named, "name")
    if isinstance(field, bool) or not isinstance(field, int) or not 1 <= field <= len(NW_UCLA):
        raise DataError("The label is unknown", f"{path}, field \"label\"", repr(field), f"1..{len(NW_UCLA)}",
                        "drop the field to take the label from the file name")
    if named is not None and named != field - 1:
        raise DataError("The label contradicts the file name", str(path),
                        f"label {field} ({NW_UCLA[field - 1]}), name a{action_id:02d} ({NW_UCLA[named]})",
                        f"label {named + 1}", "correct one of them")
    return field - 1, "field"
