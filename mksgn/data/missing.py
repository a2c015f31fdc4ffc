"""Joints that a recording lacks: interpolated within their sequence, else laid on the body's centre."""

from __future__ import annotations

import numpy as np

WAYS = ("", "interpolate")
"""What a preprocessing does about missing joints: nothing, or interpolate."""


def missing_joints(points: np.ndarray, scores: np.ndarray, least: float) -> np.ndarray:
    """Which joints of (F, M, V, D) points are missing: bool (F, M, V).

    A joint is missing where its score is below ``least``, or where score and coordinates are 0: so packs keep what was
    not found.
    """
    return (scores < least) | ((scores <= 0) & ~points.any(axis=3))


def filled(points: np.ndarray, missing: np.ndarray, center: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fill the missing joints of each person between the first and the last frame that shows them.

    Each joint is interpolated linearly over time between the frames that show it; before the first and after the last
    of them it stays where it is there. A joint that no frame shows is laid on the centre joint; where that itself is
    never seen, on the mean of the joints that are.

    Parameters
    ----------
    points : float32 ndarray (F, M, V, D)
    missing : bool ndarray (F, M, V)
    center : int

    Returns
    -------
    points : float32 ndarray (F, M, V, D)
        A copy; zeros where a person is absent.
    present : bool ndarray (F, M)
        Frames between a person's first and last.
    never : bool ndarray (M, V)
        Joints that no frame shows.
    """
    points = points.copy()
    points[missing] = 0
    seen = ~missing
    never = ~seen.any(axis=0)
    present = np.zeros(points.shape[:2], dtype=bool)
    frames = np.arange(len(points))
    for m in range(points.shape[1]):
        shown = np.flatnonzero(seen[:, m].any(axis=1))
        if not shown.size:
            continue
        between = slice(shown[0], shown[-1] + 1)
        present[between, m] = True
        for v in np.flatnonzero(missing[between, m].any(axis=0) & ~never[m]):
            known = np.flatnonzero(seen[:, m, v])
            for axis in range(points.shape[3]):
                points[between, m, v, axis] = np.interp(frames[between], known, points[known, m, v, axis])
        person = points[between, m]  # a view
        rest = person[:, ~never[m]].mean(axis=1) if never[m, center] else person[:, center]
        person[:, never[m]] = rest[:, None]
    return points, present, never
