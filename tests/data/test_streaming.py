"""Converting in a stream: the same pack as reading whole, and memory that does not grow with the set."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import large_set
import numpy as np
import pytest
from pose_files import coco_results, walker, write_json
from recordings import assert_same, ctrgcn, person, skeleton_text, ucla_json

from mksgn.data.pack import load_pack
from mksgn.data.readers import read
from mksgn.data.readers.options import ReadOptions
from mksgn.data.streaming import convert
from mksgn.errors import ConfigError, DataError


def ntu_folder(folder: Path) -> Path:
    folder.mkdir()
    for number in range(1, 4):
        text = skeleton_text([{"1": joints} for joints in person(12, number)])
        (folder / f"S001C001P{number:03d}R001A0{number:02d}.skeleton").write_text(text)
    return folder


def ucla_folder(folder: Path) -> Path:
    folder.mkdir()
    for view in (1, 2, 3):
        ucla_json(folder, f"a01_s01_e00_v0{view}")
    return folder


def pose_folder(folder: Path) -> Path:
    """Three clips of one person and one of two: the places are known when the last is read."""
    for k in range(3):
        coco_results(folder / "wave" / f"c{k}.json", walker(4 + k, 17))
    entries = [{"image_id": f, "keypoints": np.concatenate([points, np.ones((17, 1))], axis=1).ravel().tolist()}
               for seed in (0, 4) for f, points in enumerate(walker(3, 17, seed=seed))]
    write_json(folder / "sit" / "d.json", entries)
    return folder


@pytest.mark.parametrize("ending", ["a.pack", "a.npz"])
@pytest.mark.parametrize("make", [ntu_folder, ucla_folder, pose_folder, lambda path: ctrgcn(path.with_suffix(".npz"))])
def test_the_same_pack_as_read_whole(tmp_path: Path, make, ending: str) -> None:
    source = make(tmp_path / "source")
    whole = read(source)
    convert(source, tmp_path / ending)
    back = load_pack(tmp_path / ending)
    assert_same(back, whole)
    assert back.facts == whole.facts
    assert (back.scores is None) == (whole.scores is None)
    if whole.scores is not None:
        np.testing.assert_array_equal(back.scores, whole.scores)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([ending, source.name])
    left = {p.name for p in (tmp_path / ending).iterdir()} if ending == "a.pack" else set()
    assert not any(name.endswith(".new") for name in left)
    assert not left or ("scores.npy" in left) == (whole.scores is not None)


def test_one_person_takes_one_place(tmp_path: Path) -> None:
    source = pose_folder(tmp_path / "source")
    (source / "sit" / "d.json").unlink()
    convert(source, tmp_path / "a.pack")
    pack = load_pack(tmp_path / "a.pack")
    assert pack.persons == 1
    assert_same(pack, read(source))


def test_bad_recordings_and_bad_names(tmp_path: Path) -> None:
    source = pose_folder(tmp_path / "source")
    (source / "sit" / "bad.json").write_text("[")
    with pytest.raises(DataError, match="not valid JSON"):
        convert(source, tmp_path / "a.pack")
    assert [p.name for p in tmp_path.iterdir()] == ["source"]
    said: list[str] = []
    convert(source, tmp_path / "a.pack", ReadOptions(skip_bad=True, say=said.append))
    assert len(load_pack(tmp_path / "a.pack")) == 4 and len(said) == 1
    with pytest.raises(ConfigError, match="ends in"):
        convert(source, tmp_path / "a.txt")
    with pytest.raises(DataError, match="cannot be written"):
        convert(source, tmp_path / "no" / "a.pack")


def test_sequences_of_zeros_are_left_out_of_a_stream(tmp_path: Path) -> None:
    folder = ucla_folder(tmp_path / "source")
    ucla_json(folder, "a02_s01_e00_v01", label=2, skeletons=[[[0.0, 0.0, 0.0]] * 20])
    for name in ("a.pack", "a.npz"):
        convert(folder, tmp_path / name, ReadOptions(skip_bad=True))
        back = load_pack(tmp_path / name)
        assert len(back) == 3 and len(back.data) == back.offsets[-1]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_set(tmp_path: Path) -> None:
    """Twice as many sequences, 53 MB more of frames, take at most 25 MB more."""
    peaks = []
    for count in (1000, 2000):
        source = large_set.make(tmp_path / f"{count}.npz", count)
        run = subprocess.run([sys.executable, large_set.__file__, "convert", str(source), str(tmp_path / "a.pack")],
                             capture_output=True, text=True, check=True)
        peaks.append(float(re.search(r"peak ([\d,]+) MB", run.stdout)[1].replace(",", "")))
    assert (tmp_path / "a.pack" / "data.npy").stat().st_size > 100e6
    assert peaks[1] < peaks[0] + 25
