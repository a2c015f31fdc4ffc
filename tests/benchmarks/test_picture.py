"""benchmarks/picture.py: the picture at the entrance draws what was run, and nothing else."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest
from programs import Program, program_module

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def scene():
    """Two populations at one joint of a body of three joints; the second of two classes wins."""
    rng = np.random.default_rng(0)
    with program_module("benchmarks/_picture_svg.py") as drawing:
        rasters = tuple(drawing.Raster(name, (rng.random((channels, steps)) < 0.3).astype(np.int8), 100, 30)
                        for name, channels, steps in (("spike coder", 40, 16), ("layer 2", 12, 8)))
        yield drawing, drawing.Scene("s1", "wave", rng.integers(-127, 128, (8, 3, 3)), np.array([[0, 1], [1, 2]]), 0, 2,
                                     "right hand", None, rasters, ("<sit>", "wave"), np.array([-300, 900]), 2)


def test_every_spike_is_a_dash_and_the_largest_readout_is_marked(scene):
    drawing, drawn = scene
    root = ElementTree.fromstring(drawing.svg_of(drawn))
    paths = root.iter(f"{SVG}path")
    dashes = [path.get("d", "").count("M") for path in paths if path.get("class") == "spike"]
    assert dashes == [int(raster.spikes.sum()) for raster in drawn.rasters]
    bars = [bar for bar in root.iter(f"{SVG}rect") if bar.get("class") in ("bar", "mark")]
    assert [bar.get("class") for bar in bars] == ["bar", "mark"]
    left, right = (float(bar.get("width", "0")) for bar in bars)
    assert right == pytest.approx(3 * left, rel=0.01)
    text = "".join(root.itertext())
    assert "900" in text and "\N{MINUS SIGN}300" in text and "<sit>" in text and "prefers-color-scheme:dark" in text


def test_the_committed_picture_is_the_programs(nw_ucla_path, capsys, monkeypatch, tmp_path):
    pytest.importorskip("torch", reason="needs torch: extra torch")
    program = Program("benchmarks/picture.py", capsys, monkeypatch, tmp_path)
    done = program("--data", nw_ucla_path, "--out", tmp_path / "entrance.svg")
    assert done.code == 0, done.err
    with program_module("benchmarks/picture.py") as module:
        committed = module.ROOT / "benchmarks/results/entrance.svg"
    assert (tmp_path / "entrance.svg").read_text() == committed.read_text()


def test_a_sample_that_is_not_there_is_one_error(nw_ucla_path, capsys, monkeypatch, tmp_path):
    program = Program("benchmarks/picture.py", capsys, monkeypatch, tmp_path)
    done = program("--data", nw_ucla_path, "--sample", "nobody", "--out", tmp_path / "e.svg")
    assert done.code == 2 and "nobody" in done.err and not (tmp_path / "e.svg").exists()
