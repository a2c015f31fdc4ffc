"""One way to draw a figure into an SVG file: matplotlib without a display, the same bytes for the same data."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mksgn.files import replacing

LEGEND_LINE = 0.19
"""Height of a line of :func:`legend_below`, in inches."""


def standard_error(share: float, samples: int) -> float:
    """Binomial standard error of a share of ``samples``, such as an accuracy; in the unit of the share."""
    return math.sqrt(share * (1 - share) / samples)


def legend_below(axis: Any) -> None:
    """One legend for the whole figure, under all axes, one entry a line, so that it hides nothing.

    The figure must be higher by :data:`LEGEND_LINE` for each entry.
    """
    handles, labels = axis.get_legend_handles_labels()
    axis.figure.legend(handles, labels, loc="outside lower left", frameon=False, fontsize=8, ncols=1, borderaxespad=0)


@contextmanager
def svg(path: Path, columns: int, size: tuple[float, float]) -> Iterator[list[Any]]:
    """Axes side by side, drawn into ``path`` when the block ends; nothing is written when it fails.

    Parameters
    ----------
    columns : int
        Number of axes.
    size : (float, float)
        Width and height of the figure in inches.
    """
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "mksgn"  # else the ids of an SVG's parts are drawn at random
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, columns, figsize=size, constrained_layout=True, squeeze=False)
    try:
        yield list(axes[0])
        with replacing(path) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None})
    finally:
        plt.close(figure)
