"""One way to draw a figure into an SVG file: matplotlib without a display, the same bytes for the same data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mksgn.files import replacing


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
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, columns, figsize=size, constrained_layout=True, squeeze=False)
    try:
        yield list(axes[0])
        with replacing(path) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None})
    finally:
        plt.close(figure)
