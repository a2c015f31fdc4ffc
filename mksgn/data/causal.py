"""Preprocessing that does not look ahead: frames are coded as they come.

What :mod:`mksgn.data.preprocess` learns from a whole sequence is estimated here from the frames so far:

- the left-right axis is the mean of the last ``frames`` that entered the network;
- a coordinate's full scale is what the body can reach: the longest way along its bones from the centre joint. Of bones
  it is the longest bone. Each bone's length is the mean of the first ``settle`` frames that show it;
- the centre's displacement counts from the first of the last ``frames`` that entered the network;
- a motion is the difference from the frame before;
- a joint that is missing (no number, or a low score) keeps its place beside the centre joint, and a person who is
  missing stays for up to :data:`ABSENCE_S`;
- frames enter the network at a fixed rate: each is interpolated between the two frames of the sensor around it, so it
  waits for at most one.

All of it begins anew when the first person is another one, or was away for longer than :data:`ABSENCE_S`, or when the
sensor was.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mksgn.data.body_estimate import BodyEstimate
from mksgn.data.coordinates import MOTION, facing, form, mirrored, random_rotation, to_int8
from mksgn.data.missing import missing_joints
from mksgn.errors import DataError
from mksgn.limits import check_limits
from mksgn.skeleton import Body

if TYPE_CHECKING:
    from mksgn.data.preprocess import Augment, Preprocess

ABSENCE_S = 1.0
"""Seconds after which a person, or a sensor, that was away is a new one."""
SAME_S = 1e-6
"""Seconds by which two times may differ that are the same: a frame does not wait for the next because of rounding."""


@dataclass(frozen=True, kw_only=True)
class Causal:
    """How frames are read as they come.

    Parameters
    ----------
    rate : float
        Frames per second that enter the network; 0: every frame of the sensor.
    recorded_rate : float
        Frames per second of recordings, which hold no times.
    settle : int
        Frames from which the body's bones are estimated.

    Raises
    ------
    ConfigError
        When a number is outside its limit (:mod:`mksgn.limits`).
    """

    rate: float = 0.0
    recorded_rate: float = 30.0
    settle: int = 8

    def __post_init__(self) -> None:
        check_limits(self, options=False)

    def entered(self, seconds: float) -> int:
        """Frames that enter within so many seconds after the first, at ``rate``."""
        return int((seconds + SAME_S) * self.rate)


@dataclass(frozen=True, eq=False)
class _Frame:
    """A frame of the sensor, filled: points float32 (M, V, 3), absent bool (M,), never seen bool (M, V)."""

    time: float
    points: np.ndarray
    absent: np.ndarray
    unseen: np.ndarray


class CausalFrames:
    """Codes frames as they come.

    Parameters
    ----------
    preprocess : Preprocess
        With ``causal``.
    body : Body
        Of one person.
    turn : float32 ndarray (3, 3), optional
        A further rotation, in training.

    Attributes
    ----------
    begun : int
        How often it began anew: a network that runs frame by frame should be reset with it.
    """

    def __init__(self, preprocess: Preprocess, body: Body, turn: np.ndarray | None = None) -> None:
        assert preprocess.causal is not None, "this preprocessing reads whole sequences"
        self.preprocess, self.causal, self.body, self.turn = preprocess, preprocess.causal, body, turn
        self.begun = 0
        self._pushed = 0
        self._last: float | None = None
        self._id: int | None = None
        self._forget()

    @property
    def sees_nobody(self) -> bool:
        """Whether nobody was seen since it began anew, or since it forgot who had been away for too long."""
        return self._before is None

    def _forget(self) -> None:
        """Begin anew with the next frame."""
        persons, joints = self.preprocess.persons, self.body.num_joints
        self._estimate = BodyEstimate(self.body, self.causal.settle)
        self._beside = np.zeros((persons, joints, 3), np.float32)  # the centre
        self._centre = np.zeros((persons, 3), np.float32)
        self._known = np.zeros((persons, joints), bool)
        self._shown = np.full(persons, -np.inf)  # when each person was seen last
        self._centres = deque[np.ndarray](maxlen=self.preprocess.frames)  # of the first person, frame by frame
        self._axes = deque[np.ndarray](maxlen=self.preprocess.frames)
        self._before: _Frame | None = None  # of the sensor
        self._coded: _Frame | None = None  # the last that entered the network
        self._first, self._ticks = 0.0, 0

    def push(self, joints: np.ndarray, time: float | None = None, scores: np.ndarray | None = None,
             ids: Sequence[int] | None = None) -> np.ndarray:
        """Code what can be said now that a frame of the sensor came.

        Parameters
        ----------
        joints : float ndarray (M, V, D)
            Raw coordinates, D = 3 or 2; NaN where a joint is missing, and zeros where a person is.
        time : float, optional
            In seconds, later than the frame before; by default the number of the frame at ``recorded_rate``.
        scores : float ndarray (M, V), optional
            Confidences.
        ids : sequence of int, optional
            Who the persons are: another first one begins anew.

        Returns
        -------
        int8 (3 modalities, n, persons * V)
            The frames that enter the network; none before somebody was seen.

        Raises
        ------
        DataError
            When the frame has other joints, infinite coordinates, or no later time.
        """
        self._check(joints)
        now = self._pushed / self.causal.recorded_rate if time is None else float(time)
        if not np.isfinite(now) or (self._last is not None and now <= self._last):
            raise DataError("frames must come one after the other", where=f"frame {self._pushed}", got=f"{now} s",
                            allowed="finite" if self._last is None else f"more than {self._last} s")
        self._pushed += 1
        who = None if ids is None or not len(ids) else int(ids[0])
        away = self._last is not None and now - self._last > ABSENCE_S
        if away or now - self._shown[0] > ABSENCE_S or (who is not None and self._id is not None and who != self._id):
            self._forget()
        self._last = now
        self._id = self._id if who is None else who
        frame = self._filled(joints, now, scores)
        if frame is None:
            return self._stacked([])
        if self._before is None:
            self._first = now
            self.begun += 1
        entering = self._entering(frame)
        self._before = frame
        return self._stacked([self._code(each) for each in entering])

    def _check(self, joints: np.ndarray) -> None:
        where = f"frame {self._pushed}"
        if joints.ndim != 3 or joints.shape[1] != self.body.num_joints or joints.shape[2] not in (2, 3):
            raise DataError("a frame has the wrong shape", where=where, got=str(joints.shape),
                            allowed=f"(persons, {self.body.num_joints}, 2 or 3)")
        if np.isinf(joints).any():
            raise DataError("coordinates must be finite, or NaN where a joint is missing", where=where, got="infinity")

    def _filled(self, joints: np.ndarray, now: float, scores: np.ndarray | None) -> _Frame | None:
        """The frame with its missing joints held; None where the first person was never seen."""
        persons = min(self.preprocess.persons, len(joints))
        points = np.zeros((self.preprocess.persons, self.body.num_joints, 3), np.float32)
        points[:persons, :, :joints.shape[2]] = joints[:persons]
        seen = ~np.isnan(points).any(axis=2)
        points[~seen] = 0
        if scores is not None:
            seen[:persons] &= ~missing_joints(points[None, :persons], scores[None, :persons],
                                              self.preprocess.min_score)[0]
        seen &= points.any(axis=(1, 2))[:, None]
        for m in np.flatnonzero(seen.any(axis=1)):
            if now - self._shown[m] > ABSENCE_S:
                self._known[m] = False
            self._hold(m, points[m], seen[m])
            self._shown[m] = now
        if seen[0].any():
            self._estimate.see(points[0], seen[0])
        absent = now - self._shown > ABSENCE_S
        if absent[0]:
            return None
        filled = self._centre[:, None] + self._beside
        filled[absent] = 0
        return _Frame(now, filled, absent, ~self._known)

    def _hold(self, person: int, points: np.ndarray, seen: np.ndarray) -> None:
        """Keep where a person's joints are, which :meth:`_filled` takes for those that are missing."""
        known, beside, center = self._known[person], self._beside[person], self.body.center
        if seen[center]:
            self._centre[person] = points[center]
        elif not known.any():
            self._centre[person] = points[seen].mean(axis=0)
        beside[~(seen | known)] = 0
        beside[seen] = points[seen] - self._centre[person]
        known |= seen

    def _entering(self, frame: _Frame) -> list[_Frame]:
        """The frames that enter the network up to this one of the sensor."""
        rate, before = self.causal.rate, self._before
        if not rate:
            return [frame]
        found = []
        while (tick := self._first + self._ticks / rate) <= frame.time + SAME_S:
            if before is None or frame.time - tick < SAME_S:
                found.append(frame)
            else:
                found.append(_between(before, frame, tick))
            self._ticks += 1
        return found

    def _code(self, frame: _Frame) -> np.ndarray:
        """int8 (3 modalities, 1, persons * V) of a frame."""
        preprocess, body = self.preprocess, self.body
        self._centres.append(frame.points[0, body.center])
        rotation = self._facing(frame)
        before = frame if self._coded is None else self._coded
        both = np.stack([before.points, frame.points]) - self._centres[0]
        both = np.stack([np.einsum("mvj,ij->mvi", points, rotation) for points in both])
        both[0, before.absent] = both[1, frame.absent] = 0
        stacked = []
        for modality in preprocess.modalities:
            size = self._estimate.size(modality)
            if modality.endswith(MOTION):
                points = form(both, body, modality, frame.unseen | before.unseen)
                values = points[1:] - points[:1]
                values[0, before.absent] = 0
                size *= preprocess.motion_range
            else:
                values = form(both[1:], body, modality, frame.unseen)
            values[0, frame.absent] = 0
            stacked.append(to_int8(values, body, size, preprocess.root_range))
        self._coded = frame
        return np.concatenate(stacked)

    def _facing(self, frame: _Frame) -> np.ndarray:
        """Rotation about the vertical, float32 (3, 3), that lays the mean left-right axis along x, and ``turn``."""
        axis, points = np.zeros(3), frame.points[0]
        for left, right in self.preprocess.lateral:
            if not frame.unseen[0, [left, right]].any():
                axis += points[right] - points[left]
        self._axes.append(axis)
        rotation = facing(np.mean(self._axes, axis=0))
        return rotation if self.turn is None else self.turn @ rotation

    def _stacked(self, frames: list[np.ndarray]) -> np.ndarray:
        shape = (self.preprocess.channels, 0, self.preprocess.persons * self.body.num_joints)
        return np.concatenate(frames, axis=1) if frames else np.zeros(shape, np.int8)


def _between(before: _Frame, after: _Frame, time: float) -> _Frame:
    """A frame at ``time``; a person who is absent from one of the two is where the nearer has them."""
    part = (time - before.time) / (after.time - before.time)
    near = after if part >= 0.5 else before
    points = before.points * np.float32(1 - part) + after.points * np.float32(part)
    one_only = before.absent != after.absent
    points[one_only] = near.points[one_only]
    return _Frame(time, points, near.absent, near.unseen)


def last_frames(frames: np.ndarray, length: int) -> np.ndarray:
    """The last ``length`` of (C, n, V) frames; where there are fewer, nobody is seen before them: zeros."""
    kept = frames[:, -length:]
    return np.pad(kept, ((0, 0), (length - kept.shape[1], 0), (0, 0)))


def causal_clip(preprocess: Preprocess, sequence: np.ndarray, body: Body, augment: Augment | None,
                rng: np.random.Generator | None, scores: np.ndarray | None) -> np.ndarray:
    """A sequence (F', M, V, D), pushed frame by frame: int8 (3 modalities, frames, persons * V), the last frames.

    Random numbers are drawn as for a preprocessing that looks ahead, so that both see the same changes.
    """
    assert preprocess.causal is not None
    turn, rate = None, preprocess.causal.recorded_rate
    if augment is not None and rng is not None:
        if augment.mirror and rng.random() < augment.mirror:
            sequence = mirrored(sequence, augment.mirrored)
            scores = None if scores is None else scores[:, :, list(augment.mirrored)]
        turn = random_rotation(augment, rng)
        start, length = augment.part_of(len(sequence), rng)
        kept = slice(int(start), max(int(np.ceil(start + length)), int(start) + 1))
        rate *= augment.pace_of(rng)
        shift = rng.normal(0, augment.noise, (1, preprocess.persons, body.num_joints, 3))
        sequence, scores = sequence[kept], None if scores is None else scores[kept]
        persons, axes = min(preprocess.persons, sequence.shape[1]), sequence.shape[3]
        there = sequence[:, :persons].any(axis=3, keepdims=True)
        sequence = sequence[:, :persons] + there * shift[:, :persons, :, :axes].astype(np.float32)
        scores = None if scores is None else scores[:, :persons]
    stream = CausalFrames(preprocess, body, turn)
    frames = [stream.push(joints, f / rate, None if scores is None else scores[f])
              for f, joints in enumerate(sequence)]
    return last_frames(np.concatenate(frames, axis=1), preprocess.frames)
