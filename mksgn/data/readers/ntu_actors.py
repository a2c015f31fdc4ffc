"""Who acts in an NTU recording: spurious bodies out, main actor first, at most two persons.

Kinect v2 reports seats, tables and reflections as bodies, and gives a person a new body id after losing it. The
rules are those of the HCN / CTR-GCN / HD-GCN family of preprocessings (length, spread, motion), so that results on
our packs compare with published ones; this is our own implementation of them, equal to the reference arrays on all
11 two-person recordings of the fixture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: A body seen in this many frames or fewer is noise (where a longer one exists).
MAX_NOISE_FRAMES = 11
#: A frame is implausible when the body is wider than this share of its height.
MAX_WIDTH_TO_HEIGHT = 0.8
#: A body is noise when at least this share of its frames is implausible.
MIN_NOISE_SHARE = 0.69754


@dataclass(frozen=True)
class Track:
    """One body id through a recording.

    Parameters
    ----------
    body_id : str
    start : int
        First frame, counted over the frames that hold any body.
    joints : float32 ndarray (n, V, 3)
        Its frames. They count as consecutive from ``start`` on: a gap inside a track is closed, as in the published
        preprocessings.
    """

    body_id: str
    start: int
    joints: np.ndarray

    @property
    def stop(self) -> int:
        """One past the last frame."""
        return self.start + len(self.joints)


def motion(joints: np.ndarray) -> np.float32:
    """Sum over x, y, z of the variance of all joint positions (m^2): how much of the room the body takes.

    Evaluated in the dtype of ``joints`` (float32), because the order of two actors may hang on the last digit.
    """
    return np.sum(np.var(joints.reshape(-1, joints.shape[-1]), axis=0))


def plausible_frames(joints: np.ndarray) -> np.ndarray:
    """Bool (n,): the frames in which the body is not wider (x) than 0.8 of its height (y)."""
    width, height = (np.ptp(joints[:, :, axis], axis=1) for axis in (0, 1))
    return width <= MAX_WIDTH_TO_HEIGHT * height


def main_actors(tracks: list[Track]) -> list[Track]:
    """Drop spurious bodies and order the rest by motion, largest first (ties keep their order).

    1. Length: bodies of at most 11 frames are dropped. Where no body is longer, the longest is kept.
    2. Spread, while more than one body is left: a body with 69.754 % or more implausible frames is dropped; else its
       motion is taken over its plausible frames, where that is smaller.
    3. Motion: the remaining bodies in descending order.

    A recording of a single body is never denoised.
    """
    if len(tracks) < 2:
        return list(tracks)
    kept = [t for t in tracks if len(t.joints) > MAX_NOISE_FRAMES]
    if not kept:
        return [max(tracks, key=lambda t: len(t.joints))]
    if len(kept) == 1:
        return kept
    amount = {id(t): motion(t.joints) for t in kept}
    for track in list(kept):
        if len(kept) == 1:
            break
        plausible = plausible_frames(track.joints)
        share = float((~plausible).sum()) / len(plausible)
        if share >= MIN_NOISE_SHARE:
            kept.remove(track)
        elif share > 0:
            amount[id(track)] = min(amount[id(track)], motion(track.joints[plausible]))
    return sorted(kept, key=lambda t: amount[id(t)], reverse=True)


def two_persons(tracks: list[Track], num_frames: int) -> np.ndarray:
    """Denoise a recording and lay it out for two persons.

    The first actor fills person 0. Each further one continues person 0 where the two do not overlap in time, else
    person 1; a third body at the same time is left out. Frames without any person are removed.

    Parameters
    ----------
    tracks : list of Track
        In the order in which the bodies appear in the file.
    num_frames : int
        Frames that hold any body.

    Returns
    -------
    float32 ndarray (F, 2, V, 3), F <= num_frames; zeros where a person is absent.
    """
    actors = main_actors(tracks)
    first = actors[0]
    scene = np.zeros((num_frames, 2, *first.joints.shape[1:]), dtype=np.float32)
    scene[first.start:first.stop, 0] = first.joints
    # Last frames are inclusive, and one shared frame does not count as overlap: so do the published packs have it.
    begin, end = [first.start, 0], [first.stop - 1, 0]
    for actor in actors[1:]:
        for person in (0, 1):
            if min(end[person], actor.stop - 1) - max(begin[person], actor.start) <= 0:
                scene[actor.start:actor.stop, person] = actor.joints
                begin[person] = min(begin[person], actor.start)
                end[person] = max(end[person], actor.stop - 1)
                break
    return scene[scene.any(axis=(1, 2, 3))]
