"""How large a body is, from the frames so far."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from mksgn.skeleton import Body, parents

_LEAST = 1e-6


class BodyEstimate:
    """Lengths of a body's bones, from the first frames that show them.

    Parameters
    ----------
    body : Body
    settle : int
        Frames that each bone is averaged over.
    """

    def __init__(self, body: Body, settle: int) -> None:
        self.settle, self.parents = settle, parents(body)
        self.order = _from_the_centre(body)
        self._lengths, self._bones = np.zeros(body.num_joints), np.zeros(body.num_joints, np.int64)

    def see(self, joints: np.ndarray, seen: np.ndarray) -> None:
        """Learn from a frame: float (V, 3), and bool (V,) which of them the sensor saw."""
        fresh = seen & seen[self.parents] & (self._bones < self.settle)
        bones = np.linalg.norm((joints - joints[self.parents]).astype(np.float64), axis=1)
        self._lengths[fresh] += bones[fresh]
        self._bones += fresh

    def size(self, modality: str) -> float:
        """Full scale of joints or of bones."""
        lengths = self._lengths / np.maximum(self._bones, 1)
        if not modality.startswith("bone"):
            for joint in self.order:
                lengths[joint] += lengths[self.parents[joint]] if self.parents[joint] != joint else 0.0
        return max(float(lengths.max()), _LEAST)


@lru_cache(maxsize=32)
def _from_the_centre(body: Body) -> np.ndarray:
    """Joints, each after its parent."""
    return np.argsort(body.hops_to_center(), kind="stable")
