"""How large a body is and which way it faces, from the frames so far."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from mksgn.data.coordinates import facing
from mksgn.skeleton import Body, parents

_LEAST = 1e-6


class BodyEstimate:
    """Lengths of a body's bones and its left-right axis, from the first frames that show them.

    Parameters
    ----------
    body : Body
    lateral : sequence of (left, right) joint pairs
    settle : int
        Frames that each bone and each pair is averaged over.
    """

    def __init__(self, body: Body, lateral: Sequence[tuple[int, int]], settle: int) -> None:
        self.settle, self.parents = settle, parents(body)
        self.order = _from_the_centre(body)
        pairs = np.array(lateral, np.int64).reshape(-1, 2)
        self.left, self.right = pairs[:, 0], pairs[:, 1]
        self._lengths, self._bones = np.zeros(body.num_joints), np.zeros(body.num_joints, np.int64)
        self._axes, self._pairs = np.zeros((len(pairs), 3)), np.zeros(len(pairs), np.int64)

    def see(self, joints: np.ndarray, seen: np.ndarray) -> None:
        """Learn from a frame: float (V, 3), and bool (V,) which of them the sensor saw."""
        fresh = seen & seen[self.parents] & (self._bones < self.settle)
        bones = np.linalg.norm((joints - joints[self.parents]).astype(np.float64), axis=1)
        self._lengths[fresh] += bones[fresh]
        self._bones += fresh
        fresh = seen[self.left] & seen[self.right] & (self._pairs < self.settle)
        self._axes[fresh] += (joints[self.right] - joints[self.left])[fresh]
        self._pairs += fresh

    @property
    def rotation(self) -> np.ndarray:
        """Rotation about the vertical, float32 (3, 3), that lays the left-right axis along x."""
        return facing((self._axes / np.maximum(self._pairs, 1)[:, None]).sum(axis=0))

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
