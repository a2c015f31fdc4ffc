"""From a raw sequence to the int8 coordinates a network reads, and the augmentation used in training.

The steps, in order (M persons, F' raw frames, V joints):

0. with ``missing`` "interpolate" and scores: fill the joints that are missing (:mod:`mksgn.data.missing`);
1. keep ``persons`` persons (zero-padded); subtract the main person's centre joint of the first frame;
2. optionally turn the body about the vertical axis until its mean left-right axis lies along x
   (removes the view, which cross-view protocols change);
3. in training: mirror, rotate, cut a random part of the sequence, shake the joints;
4. resample to ``frames`` frames by linear interpolation;
5. form the modality (joint, bone = joint - parent, or the frame difference of either); of several, steps 5 to 7
   are done for each alone, and their coordinates are stacked on the channel axis;
6. root-relative joints: every joint minus its body's centre joint of that frame, while the centre
   joint itself keeps its displacement since the first frame;
7. divide by the largest coordinate of the sequence (the centre's displacement, which is ``root_range`` times
   finer, excluded, and clipped) and round to -127..127: the graded spikes of the spike coder (paper Eq. 3).
   The largest motion of a sequence is mostly one frame of a joint that the camera lost. With ``motion_range`` a
   motion is divided by that part of the largest coordinate of what moves, and clipped: its speed is kept.

These steps read the whole sequence before they code its first frame. With ``causal`` no frame waits for a later one:
:mod:`mksgn.data.causal`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mksgn.data.causal import Causal, causal_clip
from mksgn.data.coordinates import MOTION, facing, form, mirrored, random_rotation, to_int8
from mksgn.data.missing import WAYS, filled, missing_joints
from mksgn.data.pack import Pack
from mksgn.errors import ConfigError, DataError
from mksgn.limits import LIMITS, check_limits, check_number
from mksgn.skeleton import Body

MODALITIES = ("joint", "bone", "joint-motion", "bone-motion")
COORDINATES = 3
_LATER = ("motion_range", "missing", "min_score", "causal")
"""Fields that files from before them lack."""


NO_WAY = "none"
"""What a recipe calls the way "" with missing joints."""


def way_of(missing: str) -> str:
    """The way with missing joints that a recipe names."""
    return "" if missing == NO_WAY else missing


def check_missing(missing: str, min_score: float) -> None:
    """Refuse a least score that has no effect.

    Raises
    ------
    ConfigError
    """
    if min_score and missing == NO_WAY:
        raise ConfigError("a least score has no effect where nothing is done about missing joints", "--min-score",
                          str(min_score), fix="give --missing interpolate as well, or drop it")


def tuples(values: dict[str, Any]) -> dict[str, Any]:
    """``values`` with tuples for the lists that JSON made of them."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


@dataclass(frozen=True, kw_only=True)
class Augment:
    """Random changes of a training sequence.

    Parameters
    ----------
    yaw, pitch, roll : float
        Largest rotation about the vertical and the two horizontal axes, in degrees.
    crop : float
        Smallest part of the sequence kept.
    onset : float
        Probability that the part kept begins where the sequence does, as a stream's frames so far do; otherwise it
        begins anywhere.
    pace : float
        Largest change of its pace: 0.5 plays it up to 1.5 times as fast or as slowly. A preprocessing that resamples
        the whole sequence does not see it.
    noise : float
        Standard deviation of the shift of each joint, constant over the sequence, in the data's unit (metres).
    mirror : float
        Probability of exchanging left and right.
    mirrored : tuple of int
        The joint that takes each joint's place in a mirror; needed when ``mirror`` is above 0.

    Raises
    ------
    ConfigError
        When a number is outside its limit (:mod:`mksgn.limits`).
    """

    yaw: float = 30.0
    pitch: float = 10.0
    roll: float = 5.0
    crop: float = 0.6
    onset: float = 0.0
    pace: float = 0.0
    noise: float = 0.01
    mirror: float = 0.0
    mirrored: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check_limits(self, options=False)

    def part_of(self, frames: int, rng: np.random.Generator) -> tuple[float, float]:
        """First frame and length of the part of a sequence that is kept; ``onset`` draws nothing where it is 0."""
        length = frames * rng.uniform(self.crop, 1.0)
        start = rng.uniform(0.0, frames - length)
        return (0.0 if self.onset and rng.random() < self.onset else start), length

    def pace_of(self, rng: np.random.Generator) -> float:
        """How many times as fast a sequence is played; nothing is drawn where ``pace`` is 0."""
        return float((1 + self.pace) ** rng.uniform(-1, 1)) if self.pace else 1.0

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Augment:
        """Inverse of ``dataclasses.asdict``, also after a passage through JSON."""
        return cls(**tuples(values))


@dataclass(frozen=True, kw_only=True)
class Preprocess:
    """Deterministic preprocessing; part of a trained network and stored in its `.net` file.

    Parameters
    ----------
    frames, persons : int
    modality : str or tuple of str
        ``joint``, ``bone``, ``joint-motion``, ``bone-motion``: one, or several different ones in the order in which
        they are stacked.
    lateral : tuple of (left, right) joint pairs
        Joints that span the body's left-right axis; empty: no alignment.
    root_range : float
        Body sizes that the centre's displacement may reach before it is clipped.
    motion_range : float
        Full scale of a motion per frame, as a part of the largest joint or bone coordinate of the sequence; larger
        ones are clipped. 0: the largest motion of the sequence, in joints other than the centre.
    missing : "" or "interpolate"
        What is done about joints that are missing in data with scores: nothing, or they are interpolated within their
        sequence; where no frame shows them, the network's input holds 0.
    min_score : float
        With ``missing`` or ``causal``: joints of a lower score are missing, too.
    causal : Causal or None
        Frames are coded as they come, without looking ahead; a sample is then the last ``frames`` of its sequence.
    """

    frames: int
    persons: int = 1
    modality: str | tuple[str, ...] = "joint"
    lateral: tuple[tuple[int, int], ...] = ()
    root_range: float = 1.0
    motion_range: float = 0.0
    missing: str = ""
    min_score: float = 0.0
    causal: Causal | None = None

    def __post_init__(self) -> None:
        for name in ("root_range", "motion_range"):
            check_number(name, getattr(self, name), LIMITS[name])
        if self.missing not in WAYS:
            raise ConfigError("unknown way with missing joints", got=repr(self.missing)[:60],
                              allowed=", ".join(way or "'' (none)" for way in WAYS))
        check_number("min_score", self.min_score, LIMITS["min_score"])
        self._check_causal()
        if self.causal is None:
            check_missing(self.missing or NO_WAY, self.min_score)
        for modality in self.modalities:
            if modality not in MODALITIES:
                raise ConfigError("unknown modality", got=str(modality), allowed=", ".join(MODALITIES))
        if not self.modalities or len(set(self.modalities)) < len(self.modalities):
            raise ConfigError("modalities must be different, and at least one", got=str(self.modality),
                              allowed=", ".join(MODALITIES))

    def _check_causal(self) -> None:
        if self.causal is None:
            return
        if self.missing:
            raise ConfigError("a preprocessing that does not look ahead holds missing joints where they were",
                              got=f"missing {self.missing!r}", allowed="''")
        if not self.motion_range and any(modality.endswith(MOTION) for modality in self.modalities):
            raise ConfigError("the largest motion of a sequence is not known before its end", "motion_range", "0",
                              "a number above 0", "give the full scale of motions, such as 0.15")

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities, one or several."""
        return (self.modality,) if isinstance(self.modality, str) else self.modality

    @property
    def channels(self) -> int:
        """Channels of a sample: three coordinates per modality."""
        return COORDINATES * len(self.modalities)

    def to_json(self) -> str:
        """One line for a file attribute; without what came later and is not used, as files from before it have it."""
        return json.dumps({name: value for name, value in asdict(self).items() if name not in _LATER or value})

    @classmethod
    def from_json(cls, text: str) -> Preprocess:
        """Inverse of :meth:`to_json`.

        Raises
        ------
        ConfigError
            When the text does not describe a preprocessing.
        """
        try:
            fields = json.loads(text)
            fields["lateral"] = tuple((int(a), int(b)) for a, b in fields.get("lateral", ()))
            if isinstance(fields.get("modality"), list):
                fields["modality"] = tuple(fields["modality"])
            if fields.get("causal") is not None:
                fields["causal"] = Causal(**fields["causal"])
            return cls(**fields)
        except (TypeError, ValueError, AttributeError) as error:
            raise ConfigError("the preprocessing stored in the file cannot be read",
                              got=f"{text[:120]} ({error})") from None

    def of(self, pack: Pack, i: int, augment: Augment | None = None,
           rng: np.random.Generator | None = None) -> np.ndarray:
        """Sequence i of a pack with its scores, if it has any: see :meth:`__call__`."""
        scores = pack.scores_of(i) if self.missing or self.causal is not None else None
        return self(pack.sequence(i), pack.body, augment, rng, scores)

    def __call__(self, sequence: np.ndarray, body: Body, augment: Augment | None = None,
                 rng: np.random.Generator | None = None, scores: np.ndarray | None = None) -> np.ndarray:
        """Preprocess one sequence.

        Parameters
        ----------
        sequence : float32 (F', M, V, D)
            Raw coordinates, D = 3 (or 2, where z is then 0).
        body : Body
            Joint graph of one person.
        augment, rng
            Given together in training.
        scores : float32 (F', M, V), optional
            Confidences, for ``missing`` or ``causal``.

        Returns
        -------
        int8 (3 modalities, frames, persons * V)
            Modality by modality, x, y, z of each. Persons are folded into the joint axis: joint m V + v.
        """
        if sequence.shape[2] != body.num_joints:
            raise DataError("a sequence has the wrong number of joints", got=str(sequence.shape[2]),
                            allowed=str(body.num_joints), fix="use data of the body the network was trained for")
        if self.causal is not None:
            return causal_clip(self, sequence, body, augment, rng, scores)
        never = None
        if self.missing and scores is not None:
            sequence, shown, never = filled(sequence, missing_joints(sequence, scores, self.min_score), body.center)
        points = np.zeros((len(sequence), self.persons, body.num_joints, 3), np.float32)
        if augment is not None and rng is not None and augment.mirror and rng.random() < augment.mirror:
            sequence = mirrored(sequence, augment.mirrored)
            never = None if never is None else never[:, list(augment.mirrored)]
        persons = min(self.persons, sequence.shape[1])
        points[:, :persons, :, : sequence.shape[3]] = sequence[:, :persons]
        present = points.any(axis=(2, 3))  # (F', M): an absent person is zero and stays zero
        unseen = None
        if never is not None:
            present[:, :persons] = shown[:, :persons]
            unseen = np.zeros((self.persons, body.num_joints), dtype=bool)
            unseen[:persons] = never[:persons]
        first = int(np.argmax(present[:, 0]))
        points -= points[first, 0, body.center]
        points[~present] = 0
        rotation = self._facing(points[:, 0])
        start, length = 0.0, float(len(points))
        if augment is not None and rng is not None:
            rotation = random_rotation(augment, rng) @ rotation
            start, length = augment.part_of(len(points), rng)
            augment.pace_of(rng)  # drawn, so that a causal preprocessing sees the same changes otherwise
        at = np.clip(np.linspace(start, start + length - 1, self.frames), 0, len(points) - 1)
        points = _resample(points @ rotation.T, at)
        if augment is not None and rng is not None:
            points += rng.normal(0, augment.noise, (1, *points.shape[1:])).astype(np.float32)
            points[..., sequence.shape[3]:] = 0  # flat data stays flat
        absent = ~present[np.rint(at).astype(int)]
        stacked = []
        for modality in self.modalities:
            still = form(points, body, modality, unseen)
            moving = _moved(still) if modality.endswith(MOTION) else still
            still[absent] = moving[absent] = 0
            size = _size(moving, body)
            if moving is not still and self.motion_range:
                size = self.motion_range * _size(still, body)
            stacked.append(to_int8(moving, body, size, self.root_range))
        return np.concatenate(stacked)

    def _facing(self, person: np.ndarray) -> np.ndarray:
        """Rotation about the vertical that lays the mean left-right axis of (F', V, 3) along x."""
        axis = np.zeros(3)
        for left, right in self.lateral:
            axis += (person[:, right] - person[:, left]).mean(axis=0, dtype=np.float64)
        return facing(axis)


def _moved(formed: np.ndarray) -> np.ndarray:
    """The difference of each frame of (F, M, V, 3) from the next one; zero for the last."""
    return np.diff(formed, axis=0, append=formed[-1:])


def _resample(points: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Linear interpolation of (F', M, V, 3) at the (fractional) frame numbers ``at``."""
    low = np.floor(at).astype(int)
    high = np.minimum(low + 1, len(points) - 1)
    part = (at - low).astype(np.float32)[:, None, None, None]
    return points[low] * (1 - part) + points[high] * part


def _size(points: np.ndarray, body: Body) -> float:
    """Largest coordinate of (F, M, V, 3) relative to the centre joint, and no zero."""
    return max(float(np.abs(points - points[:, :, body.center : body.center + 1]).max()), 1e-6)
