"""Figures in SVG files: their error bars, and that the same data makes the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from mksgn.report.figures import LEGEND_LINE, legend_below, standard_error, svg


def test_error_bars_are_binomial() -> None:
    assert standard_error(0.5, 100) == pytest.approx(0.05)
    assert standard_error(1.0, 464) == 0.0


def test_a_figure_is_drawn_whole_or_not_at_all(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs matplotlib: extra lava (CPython 3.10)")

    def draw(path: Path) -> bytes:
        with svg(path, 1, (4.0, 3.0 + LEGEND_LINE)) as (axis,):
            axis.plot([0, 1], [0, 1], label="a line")
            legend_below(axis)
        return path.read_bytes()

    drawn = draw(tmp_path / "first.svg")
    assert drawn == draw(tmp_path / "second.svg") and b"<!-- a line -->" in drawn
    with pytest.raises(ValueError, match="stop"), svg(tmp_path / "third.svg", 1, (4.0, 3.0)):
        raise ValueError("stop")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.svg", "second.svg"]
