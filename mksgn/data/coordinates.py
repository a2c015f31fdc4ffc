"""From points in space to the int8 coordinates of a modality: what both ways of preprocessing share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mksgn.skeleton import Body, parents

if TYPE_CHECKING:
    from mksgn.data.preprocess import Augment

INPUT_MAX = 127
MOTION = "motion"
"""Ending of the modalities that are differences of frames."""
_MIRROR = np.array([-1, 1, 1], np.float32)


def facing(axis: np.ndarray) -> np.ndarray:
    """Rotation about the vertical, float32 (3, 3), that lays a left-right ``axis`` (3,) along x; none for one of 0."""
    across, depth = axis[0], axis[2]
    size = np.hypot(across, depth)
    if size < 1e-6:
        return np.eye(3, dtype=np.float32)
    c, s = across / size, depth / size
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]], np.float32)


def mirrored(sequence: np.ndarray, joints: tuple[int, ...]) -> np.ndarray:
    """(F, M, V, D) points with left and right exchanged; ``joints`` take each other's places."""
    return sequence[:, :, list(joints)] * _MIRROR[: sequence.shape[3]]


def random_rotation(augment: Augment, rng: np.random.Generator) -> np.ndarray:
    """A rotation, float32 (3, 3), within the angles of ``augment``."""
    angles = np.deg2rad(rng.uniform(-1, 1, 3) * (augment.pitch, augment.yaw, augment.roll))
    rotation = np.eye(3)
    for axis, angle in enumerate(angles):
        turn = np.eye(3)
        i, j = [k for k in range(3) if k != axis]
        turn[i, i] = turn[j, j] = np.cos(angle)
        turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
        rotation = turn @ rotation
    return rotation.astype(np.float32)


def form(points: np.ndarray, body: Body, modality: str, unseen: np.ndarray | None = None) -> np.ndarray:
    """Joints or bones of (F, M, V, 3) joints, in memory of their own.

    A joint that is ``unseen`` (M, V) has no place of its own (noise, too, moves it with the centre) and no bones.
    """
    formed = points.copy()
    if modality.startswith("bone"):
        formed -= points[:, :, parents(body)]
        if unseen is not None:
            formed[:, unseen | unseen[:, parents(body)]] = 0
    elif unseen is not None:
        for m, v in np.argwhere(unseen):
            if v != body.center:
                formed[:, m, v] = points[:, m, body.center]
    return formed


def to_int8(points: np.ndarray, body: Body, size: float, root_range: float) -> np.ndarray:
    """(F, M, V, 3) float -> (3, F, M V) int8, relative to the centre joint; 127 stands for ``size``.

    The centre joint keeps its own place, over ``root_range``.
    """
    center = points[:, :, body.center : body.center + 1]
    relative = points - center
    relative[:, :, body.center] = center[:, :, 0] / root_range
    scaled = np.clip(relative * (INPUT_MAX / size), -INPUT_MAX, INPUT_MAX)
    return np.rint(scaled).astype(np.int8).transpose(3, 0, 1, 2).reshape(3, len(points), -1)
