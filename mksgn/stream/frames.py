"""A frame of a sensor: when it was taken, and who was seen where. As an object, and as a line of JSON.

A line holds one frame::

    {"time": 12.033, "persons": [{"id": 3, "joints": [[0.12, 0.94, 2.31, 0.98], null, ...]}]}

``time`` is in seconds, and grows from line to line. ``persons`` is a list, empty where nobody is seen. ``joints`` has
an entry for each joint of the body, in its order: x, y, z and a score, or null where the joint was not found. Every
preprocessing divides by the body's size, so any unit will do; y points up. A sensor without depth writes z = 0. ``id``
is a tracker's number or name, and may be left out. Other fields are ignored.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from mksgn.errors import DataError

LINE_MAX = 1 << 20
"""Bytes of a line, at most."""
PERSONS_MAX = 32
"""Persons of a frame, at most."""
NUMBER_MAX = 1e9
"""Largest coordinate, time and score: far beyond any sensor's, and whole in float32."""
_ID_LETTERS = 64
_FORMAT = '{"time": seconds, "persons": [{"id": 3, "joints": [[x, y, z, score], null, ...]}]}'


@dataclass(frozen=True, eq=False)
class Person:
    """Somebody in a frame.

    Parameters
    ----------
    joints : float32 ndarray (V, 3)
        NaN where a joint is missing.
    scores : float32 ndarray (V,)
        Confidences; 0 where a joint is missing.
    identity : int, str or None
        A tracker's number or name.
    """

    joints: np.ndarray
    scores: np.ndarray
    identity: int | str | None = None

    @property
    def seen(self) -> np.ndarray:
        """Which joints are there: bool (V,)."""
        return ~np.isnan(self.joints).any(axis=1)

    @property
    def weight(self) -> float:
        """How well the person is seen: the sum of the scores, each of at most 1."""
        return float(np.minimum(self.scores, 1).sum())


@dataclass(frozen=True, eq=False)
class Frame:
    """A frame.

    Parameters
    ----------
    time : float
        In seconds, of the sensor's clock.
    persons : tuple of Person
        Everybody who is seen.
    recording : str
        The recording that the frame is of; empty in a stream without recordings.
    """

    time: float
    persons: tuple[Person, ...]
    recording: str = ""


def person_of(points: np.ndarray, scores: np.ndarray, identity: int | str | None = None) -> Person:
    """A person from points (V, 2 or 3), NaN where missing, and scores (V,)."""
    joints = np.zeros((len(points), 3), np.float32)
    joints[:, :points.shape[1]] = points
    missing = np.isnan(joints).any(axis=1)
    joints[missing] = np.nan
    return Person(joints, np.where(missing, 0, np.nan_to_num(scores)).astype(np.float32), identity)


def parse_frame(line: bytes, joints: int, where: str) -> Frame:
    """A line of JSON as a frame.

    Parameters
    ----------
    line : bytes
    joints : int
        V, those of the body.
    where : str
        Names the line in errors.

    Raises
    ------
    DataError
        When the line is no frame, with what is wrong in it.
    """
    if len(line) > LINE_MAX:
        raise DataError("a line is too long for a frame", where, f"more than {LINE_MAX} bytes", _FORMAT)
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError("a line is no JSON", where, f"{line[:60]!r} ({type(error).__name__})", _FORMAT) from None
    if not isinstance(content, dict) or "time" not in content or not isinstance(content.get("persons"), list):
        raise DataError("a line is no frame", where, _shown(content), _FORMAT)
    time = _number(content["time"])
    if not np.isfinite(time):
        raise DataError("a frame has no time", where, _shown(content["time"]), "seconds, a finite number")
    if len(content["persons"]) > PERSONS_MAX:
        raise DataError("a frame holds too many persons", where, str(len(content["persons"])), f"up to {PERSONS_MAX}")
    persons = tuple(_person(entry, joints, f"{where}, person {number}")
                    for number, entry in enumerate(content["persons"]))
    return Frame(time, tuple(person for person in persons if person.seen.any()))


def frame_line(frame: Frame) -> str:
    """Inverse of :func:`parse_frame`; without the recording."""
    persons = []
    for person in frame.persons:
        values = np.column_stack([person.joints, person.scores]).astype(float).round(6).tolist()
        entry: dict[str, Any] = {} if person.identity is None else {"id": person.identity}
        entry["joints"] = [joint if seen else None for joint, seen in zip(values, person.seen)]
        persons.append(entry)
    return json.dumps({"time": frame.time, "persons": persons}, separators=(",", ":"))


def _person(entry: Any, joints: int, where: str) -> Person:
    listed = entry.get("joints") if isinstance(entry, dict) else None
    if not isinstance(listed, list):
        raise DataError("a person has no joints", where, _shown(entry), '{"joints": [[x, y, z, score], null, ...]}')
    if len(listed) != joints:
        raise DataError("a person has another number of joints than the net", where, f"{len(listed)} joints",
                        f"{joints} joints", "send the joints of the net's body, with null for those that it lacks")
    values = np.full((joints, 4), np.nan)
    for number, joint in enumerate(listed):
        if joint is None:
            continue
        if not isinstance(joint, list) or len(joint) != 4:
            raise DataError("a joint is neither x, y, z, score nor null", f"{where}, joint {number}", _shown(joint),
                            "[x, y, z, score], or null")
        values[number] = [np.nan if value is None else _number(value) for value in joint]
        if np.isinf(values[number]).any():
            raise DataError("a joint is no place", f"{where}, joint {number}", _shown(joint),
                            f"numbers up to {NUMBER_MAX:g}, or null")
    identity = entry.get("id")
    if identity is not None and (isinstance(identity, bool) or not isinstance(identity, (int, str))
                                 or len(str(identity)) > _ID_LETTERS):
        raise DataError("a person's id is neither a number nor a name", where, _shown(identity),
                        f"an integer or text, up to {_ID_LETTERS} letters")
    return person_of(values[:, :3], values[:, 3].clip(0), identity)


def _number(value: Any) -> float:
    """A number; infinity for anything else, and for what is too large. NaN stays."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > NUMBER_MAX:
        return float("inf")
    return float(value)


def _shown(value: Any) -> str:
    return f"{value!r:.60}"
