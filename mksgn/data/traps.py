"""Silent traps: numbers that have the right shape and mean something else."""

from __future__ import annotations

import numpy as np

from mksgn.errors import DataError

_PIXELS = 10.0
"""Span of x and y from which they can be no metres of a person who is filmed and no parts of an image."""


def scores_as_coordinates(points: np.ndarray) -> str:
    """Why the third number of (F, V, 3) points looks like a score and not like z; empty where it does not.

    Pixels span hundreds while a score stays within 0..1: no body is a thousand times as wide as it is deep.
    """
    if points.shape[-1] != 3 or not points.size:
        return ""
    seen = points[np.isfinite(points).all(axis=-1) & points.any(axis=-1)]
    if not len(seen):
        return ""
    low, high = seen.min(axis=0), seen.max(axis=0)
    span = float((high - low)[:2].max())
    if low[2] >= 0 and high[2] <= 1 and span > _PIXELS:
        return (f"the third number lies in {low[2]:.3g}..{high[2]:.3g}, while x and y span {span:.4g}: "
                "it looks like a score")
    return ""


def refuse_scores_as_coordinates(points: np.ndarray, where: str) -> None:
    """Refuse (F, V, 3) points that are x, y and a score.

    Raises
    ------
    DataError
        With the figures.
    """
    why = scores_as_coordinates(points)
    if why:
        raise DataError("These are x, y and a score, not x, y and z", where, why, "x, y and z in one unit",
                        "name them with --channels xys; in a pack keep x, y in 'data' and the scores in 'scores'")
