"""NTU RGB+D 60 and 120 ``.skeleton`` files: text of Kinect v2 bodies, named ``SsssCcccPpppRrrrAaaa.skeleton``.

The file counts frames; each frame counts bodies; each body has a line of ten fields (its id first), a joint count,
and 25 joint lines of twelve fields (x, y, z in metres first). Lines may end in CR LF.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from mksgn.data.class_names import NTU120, ntu_names
from mksgn.data.facts import Facts
from mksgn.data.frames import Frames
from mksgn.data.pack import Pack
from mksgn.data.readers.files import files_of, read_text
from mksgn.data.readers.ntu_actors import Track, two_persons
from mksgn.errors import DataError
from mksgn.files import printable
from mksgn.skeleton.body import NTU25

_NAME = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})")
_ID_NAMES = ("setup", "camera", "subject", "replication", "action_id")


@dataclass(frozen=True)
class NtuRecording:
    """One file as it stands, before denoising.

    Parameters
    ----------
    name : str
    tracks : list of Track
        Bodies in the order of appearance; empty when none was ever tracked.
    num_frames : int
        Frames that hold any body; empty ones are left out, as in the published preprocessings.
    ids : dict of str to int
        setup, camera, subject, replication, action_id; empty for a file of another name.
    """

    name: str
    tracks: list[Track]
    num_frames: int
    ids: dict[str, int]


class _Lines:
    """The lines of a file, read in order; errors name the file and the line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = read_text(path).splitlines()
        self.next = 0

    def where(self) -> str:
        return f"{self.path}, line {self.next}"

    def take(self, count: int) -> list[str]:
        """Return the next ``count`` lines, or raise when the file ends before."""
        block = self.lines[self.next:self.next + count]
        if len(block) < count:
            raise DataError("The .skeleton file ends early", str(self.path), f"{len(self.lines)} lines",
                            f"at least {self.next + count} lines", "copy or download it again")
        self.next += count
        return block

    def count(self, what: str) -> int:
        """Return the next line as a number of ``what``."""
        text = self.take(1)[0].strip()
        if not text.isdecimal() or len(text) > 9:
            raise DataError(f"The number of {what} is not a number", self.where(), repr(text[:60]), "0, 1, 2, ...",
                            "check that this is an NTU RGB+D .skeleton file")
        return int(text)


def read_skeleton_file(path: Path) -> NtuRecording:
    """Parse one ``.skeleton`` file.

    Raises
    ------
    DataError
        Not such a file; truncated; lines after the last frame; a joint count other than 25; a coordinate that is not
        a finite number. The line is named.
    """
    lines = _Lines(path)
    starts: dict[str, int] = {}
    frames: dict[str, list[np.ndarray]] = {}
    occupied = 0
    for _ in range(lines.count("frames")):
        bodies = lines.count("bodies")
        seen: set[str] = set()
        for _ in range(bodies):
            fields = lines.take(1)[0].split()
            if not fields:
                raise DataError("A body has no id", lines.where(), "an empty line", "ten fields, the id first")
            if fields[0] in seen:
                raise DataError("A body appears twice in one frame", lines.where(), f"id {fields[0]}",
                                "every id once per frame", "the file is damaged: copy or download it again")
            seen.add(fields[0])
            joints = lines.count("joints")
            if joints != NTU25.num_joints:
                raise DataError("A body has the wrong number of joints", lines.where(), str(joints),
                                str(NTU25.num_joints), "Kinect v2 bodies have 25 joints")
            starts.setdefault(fields[0], occupied)
            frames.setdefault(fields[0], []).append(_coordinates(lines))
        occupied += bodies > 0
    rest = [line for line in lines.lines[lines.next:] if line.strip()]
    if rest:
        raise DataError("Lines follow the last frame", f"{path}, line {lines.next + 1}", f"{len(rest)} lines", "none",
                        "the first line must hold the number of frames")
    tracks = [Track(body, starts[body], np.stack(blocks)) for body, blocks in frames.items()]
    match = _NAME.fullmatch(path.stem)
    ids = dict(zip(_ID_NAMES, (int(g) for g in match.groups()))) if match else {}
    if ids and not 1 <= ids["action_id"] <= len(NTU120):
        raise DataError("The file name tells an unknown action", str(path), f"A{ids['action_id']:03d}",
                        f"A001..A{len(NTU120)}")
    return NtuRecording(printable(path.stem), tracks, occupied, ids)


def read_ntu(path: Path, missing: Literal["error", "skip"] = "error",
             leave_out: frozenset[str] = frozenset(), scenes: Frames | None = None) -> Pack:
    """Read one ``.skeleton`` file, or a folder of them, denoised to at most two persons (M = 2 always).

    Parameters
    ----------
    path : Path
    missing : "error" or "skip"
        What to do with recordings in which no body was ever tracked. The published protocols leave these 302 (NTU
        60) or 535 (NTU 120) recordings out; ``"skip"`` does so.
    leave_out : frozenset of str
        Names of recordings of a folder that are not read.
    scenes : Frames, optional
        What gathers the sequences.

    Returns
    -------
    Pack
        Raw coordinates in metres; ids setup, camera, subject, replication, action_id and num_bodies (bodies tracked
        before denoising). A single file of another name has label -1 and only num_bodies.

    Raises
    ------
    DataError
        As :func:`read_skeleton_file`; a file in a folder whose name does not tell its ids; no body tracked.
    """
    scenes = Frames() if scenes is None else scenes
    names, bodies = [], []
    known: list[dict[str, int]] = []
    for file in files_of(path, ".skeleton", leave_out):
        recording = read_skeleton_file(file)
        if path.is_dir() and not recording.ids:
            raise DataError("A file name does not tell setup, camera, subject, replication and action", str(file),
                            file.name, "SsssCcccPpppRrrrAaaa.skeleton", "rename the file or move it out of the folder")
        scene = two_persons(recording.tracks, recording.num_frames) if recording.tracks else np.zeros((0, 2, 25, 3))
        if len(scene) == 0:
            if missing == "skip":
                continue
            raise DataError("No body was ever tracked in the recording", str(file), "no joint but zeros",
                            "one body in one frame or more",
                            "leave all such recordings out, as the protocols do, with --skip-untracked"
                            if path.is_dir() else "name another recording")
        scenes.append(scene)
        names.append(recording.name)
        bodies.append(len(recording.tracks))
        known.append(recording.ids)
    if not names:
        raise DataError("No recording in the folder holds a body", str(path), fix="name another folder")
    ids = {"num_bodies": np.array(bodies, dtype=np.int64)}
    labels = np.full(len(names), -1, dtype=np.int64)
    if known[0]:
        ids.update({name: np.array([each[name] for each in known], dtype=np.int64) for name in _ID_NAMES})
        labels = ids["action_id"] - 1
    return Pack(data=scenes.array(), offsets=scenes.offsets, labels=labels, names=np.array(names),
                class_names=ntu_names(int(labels.max())),
                joint_names=NTU25.joint_names or (), edges=NTU25.edges, ids=ids, facts=Facts("m", "+y", "ntu"))


def _coordinates(lines: _Lines) -> np.ndarray:
    """Read 25 joint lines as float32 (25, 3)."""
    first = lines.next
    block = lines.take(NTU25.num_joints)
    try:
        joints = np.array([[float(x) for x in line.split(None, 3)[:3]] for line in block], dtype=np.float32)
        good = joints.shape == (NTU25.num_joints, 3) and bool(np.isfinite(joints).all())
    except (ValueError, OverflowError):
        good = False
    if not good:
        row = next(i for i, line in enumerate(block) if not _is_point(line))
        raise DataError("A joint line does not start with three finite numbers",
                        f"{lines.path}, line {first + row + 1}", repr(block[row][:60]), "x y z ...",
                        "copy or download the file again")
    return joints


def _is_point(line: str) -> bool:
    try:
        point = np.array([float(x) for x in line.split(None, 3)[:3]], dtype=np.float32)
    except ValueError:
        return False
    return len(point) == 3 and bool(np.isfinite(point).all())
