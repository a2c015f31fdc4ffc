"""Joints that a frame lacks, from the frames before: they stay where they were beside the centre joint."""

from __future__ import annotations

import numpy as np


class Holder:
    """Holds what a frame lacks.

    A joint that is missing keeps its place beside the body's centre joint, and a centre joint that is missing stays
    where it was. A joint that was never seen is laid on the centre; a centre that was never seen is the mean of the
    joints that are.

    Parameters
    ----------
    persons, joints, center : int
        M and V, and the centre joint of a body.
    """

    def __init__(self, persons: int, joints: int, center: int) -> None:
        self.center = center
        self._beside = np.zeros((persons, joints, 3), np.float32)
        self._centre = np.full((persons, 3), np.nan, np.float32)
        self._known = np.zeros((persons, joints), bool)

    def fill(self, joints: np.ndarray) -> np.ndarray:
        """The next frame (M, V, 3) without gaps; a person none of whose joints is seen becomes zeros."""
        filled = np.zeros_like(joints)
        for person, points in enumerate(joints):
            seen = ~np.isnan(points).any(axis=1)
            if not seen.any():
                continue
            if seen[self.center]:
                self._centre[person] = points[self.center]
            elif not self._known[person, self.center]:
                self._centre[person] = points[seen].mean(axis=0)
            self._beside[person, seen] = points[seen] - self._centre[person]
            self._known[person] |= seen
            filled[person] = np.where(seen[:, None], points, self._centre[person] + self._beside[person])
        return filled
