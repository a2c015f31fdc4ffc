"""Who is who: persons found frame by frame, followed over a recording."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

_FORGOTTEN = 30
"""Frames after which a person who was not seen is not taken up again."""
_CROWD = 64
"""Most people of a frame that are followed: those who are seen best."""
FAR = 1.0
"""Mean distance of the joints, as a part of the body's size, beyond which it is another person."""


@dataclass(frozen=True, eq=False)
class Found:
    """A person in one frame: points (V, D), NaN where missing, scores (V,), and a tracker's number if there is one."""

    points: np.ndarray
    scores: np.ndarray
    identity: int | str | None = None


@dataclass(eq=False)
class _Track:
    frames: list[int] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)

    def weight(self) -> float:
        """How well and how long the person is seen."""
        return sum(map(_weight, self.found))


def _weight(found: Found) -> float:
    """How well a person is seen in a frame."""
    return float(np.nansum(np.minimum(found.scores, 1)))


def followed(frames: list[list[Found]], persons: int) -> tuple[np.ndarray, np.ndarray]:
    """Lay the persons of a recording out in ``persons`` places, the one who is seen best and longest first.

    Where the tool numbered the persons, its numbers say who is who; else each is the person of the frames before whose
    joints are nearest, in units of the body's size. A place is shared by persons who are never seen at the same time.

    Returns
    -------
    points : float64 ndarray (F, persons, V, D)
        NaN where a joint is missing; 0 where a person is.
    scores : float64 ndarray (F, persons, V)
    """
    first = next(found for frame in frames for found in frame)
    frames = [sorted(frame, key=lambda found: -_weight(found))[:_CROWD] if len(frame) > _CROWD else frame
              for frame in frames]
    tracks = _numbered(frames) if all(f.identity is not None for frame in frames for f in frame) else _nearest(frames)
    points = np.zeros((len(frames), persons, *first.points.shape))
    scores = np.zeros(points.shape[:3])
    taken = np.zeros((persons, len(frames)), dtype=bool)
    for track in sorted(tracks, key=lambda track: -track.weight()):
        free = np.flatnonzero(~taken[:, track.frames].any(axis=1))
        if free.size:
            place = int(free[0])
            taken[place, track.frames] = True
            points[track.frames, place] = np.stack([each.points for each in track.found])
            scores[track.frames, place] = np.stack([each.scores for each in track.found])
    return points, scores


def _numbered(frames: list[list[Found]]) -> list[_Track]:
    tracks: dict[object, _Track] = {}
    for number, frame in enumerate(frames):
        for found in frame:
            track = tracks.setdefault(found.identity, _Track())
            if not track.frames or track.frames[-1] != number:  # a number twice in a frame: the first counts
                track.frames.append(number)
                track.found.append(found)
    return list(tracks.values())


def _nearest(frames: list[list[Found]]) -> list[_Track]:
    tracks: list[_Track] = []
    for number, frame in enumerate(frames):
        live = [track for track in tracks if number - track.frames[-1] <= _FORGOTTEN]
        pairs = sorted((distance_between(track.found[-1], found), t, f)
                       for t, track in enumerate(live) for f, found in enumerate(frame))
        mine: dict[int, _Track] = {}
        used: set[int] = set()
        for distance, t, f in pairs:
            if distance < FAR and t not in used and f not in mine:
                mine[f] = live[t]
                used.add(t)
        for f, found in enumerate(frame):
            if f not in mine:
                mine[f] = _Track()
                tracks.append(mine[f])
            mine[f].frames.append(number)
            mine[f].found.append(found)
    return tracks


def distance_between(a: Found, b: Found) -> float:
    """Mean distance of the joints seen in both, in units of the body's size; infinite where none is."""
    both = np.isfinite(a.points).all(axis=1) & np.isfinite(b.points).all(axis=1)
    if not both.any():
        return float("inf")
    seen = b.points[np.isfinite(b.points).all(axis=1)]
    size = float(np.linalg.norm(np.ptp(seen, axis=0)))
    return float(np.linalg.norm(a.points[both] - b.points[both], axis=1).mean()) / max(size, 1e-9)
