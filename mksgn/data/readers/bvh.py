"""BVH motion capture: a hierarchy of joints, and their angles in each frame; joint positions by forward kinematics.

The layout: ``research.cs.wisc.edu/graphics/Courses/cs-838-1999/Jeff/BVH.html``. Angles are in degrees and are applied
in the order of the channels: ``CHANNELS 3 Zrotation Yrotation Xrotation`` is the matrix Z Y X of column vectors. A
root's position channels are added to its offset; those of another joint stand in place of its offset, as exporters
write them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from mksgn.data.facts import Facts
from mksgn.data.pack import Pack
from mksgn.data.readers.clips import Clip, Recording, collect, recordings_at
from mksgn.data.readers.files import read_text
from mksgn.data.readers.options import ReadOptions
from mksgn.errors import DataError
from mksgn.files import printable
from mksgn.skeleton import Body, body_of
from mksgn.skeleton.body import JOINTS_MAX

_CHANNELS = {f"{axis}{kind}": (kind, number) for kind in ("position", "rotation") for number, axis in enumerate("xyz")}
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[\s.:\-]+")


@dataclass
class _Joint:
    name: str
    parent: int
    offset: np.ndarray = field(default_factory=lambda: np.zeros(3))
    channels: list[tuple[str, int]] = field(default_factory=list)
    first: int = 0
    end: bool = False


@dataclass(frozen=True, eq=False)
class Motion:
    """A BVH file: joint names, the parent of each (-1 for the root), and positions (F, V, 3)."""

    names: tuple[str, ...]
    parents: tuple[int, ...]
    points: np.ndarray

    @property
    def body(self) -> Body:
        """Bones from each joint to its parent."""
        return body_of([(v, p) for v, p in enumerate(self.parents) if p >= 0], len(self.names), self.names)


def read_bvh_file(path: Path) -> Motion:
    """Read one file. Joints are named as in the file, without the rig's prefix, in lower case (``left_up_leg``); the
    end of a chain is a joint ``..._end`` where it is away from the last joint.

    Raises
    ------
    DataError
        Not such a file; truncated; a line of another number of values than channels, or that is not finite.
    """
    words = _Words(path)
    joints = _hierarchy(words)
    width = sum(len(joint.channels) for joint in joints)
    frames = words.motion(width)
    points = _positions(joints, frames)
    kept = [v for v, joint in enumerate(joints) if not joint.end or joint.offset.any()]
    place = {v: i for i, v in enumerate(kept)}
    names = tuple(_plain(joints[v].name) for v in kept)
    parents = tuple(place[joints[v].parent] if joints[v].parent >= 0 else -1 for v in kept)
    return Motion(names, parents, points[:, kept])


def read_bvh(path: Path, options: ReadOptions) -> Pack:
    """Read a file, or a folder of them, which must all have the same joints. The unit is the file's own, unknown here.

    Raises
    ------
    DataError
        As :func:`read_bvh_file`; files of different joints.
    """
    recordings = recordings_at(path, (".bvh",), options)
    first = _first(recordings, options)

    def read(recording: Recording) -> Clip:
        motion = read_bvh_file(recording.files[0])
        if (motion.names, motion.parents) != (first.names, first.parents):
            strange = sorted(set(motion.names) ^ set(first.names)) or ["the same joints in another order"]
            raise DataError("A file has other joints than the first", str(recording.files[0]),
                            ", ".join(strange)[:100], f"the {len(first.names)} joints of {recordings[0].files[0].name}",
                            "separate recordings of different rigs")
        return Clip(motion.points[:, None])

    return collect(((each, partial(read, each)) for each in recordings), first.body, Facts(source="bvh"), options,
                   where=str(path))


def _first(recordings: list[Recording], options: ReadOptions) -> Motion:
    error: DataError | None = None
    for recording in recordings:
        try:
            return read_bvh_file(recording.files[0])
        except DataError as found:
            error = error or found
            if not options.skip_bad:
                break
    assert error is not None, "there is a recording"
    raise error


class _Words:
    """The words of a file, one after the other; errors name the line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        text = read_text(path)
        head, separator, self._motion = text.partition("MOTION")
        if not head.lstrip().startswith("HIERARCHY") or not separator:
            raise DataError("The file is no whole BVH file", str(path), f"{text.lstrip()[:30]!r}...",
                            "HIERARCHY ... MOTION ...", "copy or export it again")
        self._before = head.count("\n") + 1
        self.words = [(word, number) for number, line in enumerate(head.splitlines(), 1) for word in line.split()]
        self.next = 1

    def take(self) -> str:
        if self.next >= len(self.words):
            raise DataError("The hierarchy ends early", str(self.path), f"{len(self.words)} words", "closing brackets",
                            "copy or export it again")
        self.next += 1
        return self.words[self.next - 1][0]

    def fail(self, what: str, allowed: str) -> DataError:
        word, line = self.words[min(self.next, len(self.words)) - 1]
        return DataError(what, f"{self.path}, line {line}", repr(word[:40]), allowed)

    def number(self) -> float:
        try:
            value = float(self.take())
        except ValueError:
            raise self.fail("An offset is not a number", "three numbers") from None
        if not np.isfinite(value):
            raise self.fail("An offset is not finite", "three finite numbers")
        return value

    def motion(self, width: int) -> np.ndarray:
        """The values of all channels, float64 (F, width)."""
        lines = [line.split() for line in self._motion.splitlines()]
        said, rows = None, []
        for number, line in enumerate(lines, self._before):
            head = line[0].lower() if line else ""
            if head == "frames:" and len(line) > 1 and line[1].isdecimal():
                said = int(line[1][:18])
            elif line and head != "frame":
                rows.append(_row(line, width, f"{self.path}, line {number}"))
        if said is None or said != len(rows) or not rows:
            raise DataError("The file holds another number of frames than it says", str(self.path), f"{len(rows)}",
                            f"{'a line Frames: N' if said is None else said}, one or more", "copy or export it again")
        return np.stack(rows)


def _row(line: list[str], width: int, where: str) -> np.ndarray:
    try:
        row = np.array([float(word) for word in line])
    except ValueError:
        row = np.array([np.nan])
    if len(row) != width or not np.isfinite(row).all():
        raise DataError("A frame does not hold one finite number per channel", where, f"{len(line)} values",
                        f"{width} numbers", "copy or export the file again")
    return row


def _hierarchy(words: _Words) -> list[_Joint]:
    joints: list[_Joint] = []
    stack: list[int] = []
    channels = 0
    while words.next < len(words.words):
        word = words.take()
        if word in ("ROOT", "JOINT", "End"):
            if (word == "ROOT") == bool(stack) or (word == "ROOT" and joints):
                raise words.fail("A file of several roots, or a joint outside of one, is not read", "one ROOT")
            name, parent = [], stack[-1] if stack else -1
            while (part := words.take()) != "{":
                name.append(part)
            end = word == "End"
            joints.append(_Joint(f"{joints[parent].name}_end" if end else " ".join(name) or "joint", parent, end=end))
            stack.append(len(joints) - 1)
            if len(joints) > JOINTS_MAX:
                raise words.fail("The hierarchy has too many joints", f"up to {JOINTS_MAX}")
        elif word == "}" and stack:
            stack.pop()
        elif word == "OFFSET" and stack:
            joints[stack[-1]].offset = np.array([words.number() for _ in range(3)])
        elif word == "CHANNELS" and stack:
            count = words.take()
            names = [words.take().lower() for _ in range(int(count) if count in "0123456" else 0)]
            if (not names and count != "0") or any(name not in _CHANNELS for name in names):
                raise words.fail("A channel is unknown", "up to six of Xposition ... Zrotation")
            joints[stack[-1]].channels, joints[stack[-1]].first = [_CHANNELS[name] for name in names], channels
            channels += len(names)
        else:
            raise words.fail("The hierarchy holds an unknown word", "JOINT, End Site, OFFSET, CHANNELS or a bracket")
    if stack or not joints:
        raise DataError("The hierarchy ends early", str(words.path), f"{len(stack)} open brackets", "none",
                        "copy or export it again")
    return joints


def _positions(joints: list[_Joint], frames: np.ndarray) -> np.ndarray:
    """Forward kinematics: ``p_v = p_parent + R_parent o_v``, ``R_v = R_parent`` times the rotations in their order."""
    points = np.zeros((len(frames), len(joints), 3))
    turned = np.zeros((len(joints), len(frames), 3, 3))
    for v, joint in enumerate(joints):
        local = np.broadcast_to(joint.offset, (len(frames), 3)).copy()
        rotation = np.broadcast_to(np.eye(3), (len(frames), 3, 3))
        moved = {axis: joint.first + i for i, (kind, axis) in enumerate(joint.channels) if kind == "position"}
        for axis, column in moved.items():
            local[:, axis] = frames[:, column] + (joint.offset[axis] if joint.parent < 0 else 0)
        for i, (kind, axis) in enumerate(joint.channels):
            if kind == "rotation":
                rotation = rotation @ _turn(axis, frames[:, joint.first + i])
        if joint.parent < 0:
            points[:, v], turned[v] = local, rotation
        else:
            points[:, v] = points[:, joint.parent] + (turned[joint.parent] @ local[..., None])[..., 0]
            turned[v] = turned[joint.parent] @ rotation
    return points


def _turn(axis: int, degrees: np.ndarray) -> np.ndarray:
    """Right-handed rotations about an axis, (F, 3, 3)."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.zeros((len(degrees), 3, 3))
    matrix[:, axis, axis] = 1
    matrix[:, i, i] = matrix[:, j, j] = c
    matrix[:, i, j], matrix[:, j, i] = -s, s
    return matrix


def _plain(name: str) -> str:
    """``mixamorig:LeftUpLeg`` -> ``left_up_leg``."""
    return printable("_".join(part for part in _HUMP.split(name.rpartition(":")[2]) if part).lower()) or "joint"
