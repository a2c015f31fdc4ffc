"""NW-UCLA recordings: real files where they are, made files always, and what bad files are told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from recordings import assert_same, ucla_json

from mksgn.data.pack import load_pack
from mksgn.data.readers import read
from mksgn.data.readers.nw_ucla import read_ucla_file
from mksgn.errors import DataError
from mksgn.skeleton import UCLA20


def test_real_nw_ucla_files_equal_the_pack(data_dir: Path) -> None:
    whole = load_pack(data_dir / "nw_ucla.npz")
    raw = read(data_dir / "raw" / "nw-ucla")
    assert raw.names.tolist() == ["a01_s01_e00_v01", "a02_s09_e04_v02"]
    assert raw.lengths[1] == 1
    index = np.array([whole.names.tolist().index(n) for n in raw.names])
    assert_same(raw, whole.subset(index))


def test_a_folder_written_from_the_release_gives_the_release(data_dir: Path, tmp_path: Path) -> None:
    whole = load_pack(data_dir / "nw_ucla.npz")
    subject = whole.subset(np.flatnonzero((whole.ids["subject"] == 4) & np.isin(whole.ids["action_id"], (2, 8, 12))))
    for i, name in enumerate(subject.names):
        content = {"skeletons": subject.sequence(i)[:, 0].astype(float).tolist(), "label": int(subject.labels[i]) + 1}
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    assert subject.test_dup_of_train is not None
    assert subject.test_dup_of_train.any()
    assert_same(read(tmp_path), subject)


def test_where_the_label_comes_from(tmp_path: Path) -> None:
    both = read_ucla_file(ucla_json(tmp_path, "a08_s01_e00_v01", label=7))
    assert (both.label, both.label_from, both.ids["action_id"]) == (6, "field", 8)
    name_only = read_ucla_file(ucla_json(tmp_path, "a12_s01_e00_v03", label=None))
    assert (name_only.label, name_only.label_from) == (9, "name")
    free = ucla_json(tmp_path, "mine", label=None)
    assert (read_ucla_file(free).label, read_ucla_file(free).label_from) == (-1, "none")
    pack = read(free)
    assert (pack.labels.tolist(), pack.ids, pack.test) == ([-1], {}, None)
    assert pack.body == UCLA20


@pytest.mark.parametrize(("name", "changes", "message"), [
    ("a01_s01_e00_v01", {"label": 11}, "label is unknown"),
    ("a01_s01_e00_v01", {"label": 0}, "label is unknown"),
    ("a01_s01_e00_v01", {"label": True}, "label is unknown"),
    ("a01_s01_e00_v01", {"label": "throw"}, "label is unknown"),
    ("a01_s01_e00_v01", {"label": 2}, "contradicts the file name"),
    ("a07_s01_e00_v01", {}, "unknown action"),
    ("a01_s01_e00_v01", {"skeletons": []}, "no frames"),
    ("a01_s01_e00_v01", {"skeletons": "none"}, "not a NW-UCLA recording"),
    ("a01_s01_e00_v01", {"skeletons": None}, "not a NW-UCLA recording"),
    ("a01_s01_e00_v01", {"skeletons": [[[0.0, 1.0, 2.0]] * 25]}, "wrong number of joints"),
    ("a01_s01_e00_v01", {"skeletons": [5]}, "wrong number of joints"),
    ("a01_s01_e00_v01", {"skeletons": [[[0.0, 1.0]] * 20]}, "not three numbers"),
    ("a01_s01_e00_v01", {"skeletons": [[["x", 1.0, 2.0]] * 20]}, "not three numbers"),
    ("a01_s01_e00_v01", {"skeletons": [[[float("nan"), 1.0, 2.0]] * 20]}, "not a finite number"),
    ("a01_s01_e00_v01", {"skeletons": [[[1e300, 1.0, 2.0]] * 20]}, "not a finite number"),
    ("a01_s01_e00_v01", {"skeletons": [[[10**400, 1.0, 2.0]] * 20]}, "too large"),
    ("a01_s01_e00_v01", {"skeletons": [[[0.0, 0.0, 0.0]] * 20]}, "nothing but zeros"),
])
def test_bad_json_content(tmp_path: Path, name: str, changes: dict, message: str) -> None:
    path = ucla_json(tmp_path, name, **changes)
    with pytest.raises(DataError, match=message) as error:
        read(path)
    assert name in error.value.where


def test_bad_json_files(tmp_path: Path) -> None:
    path = ucla_json(tmp_path)
    text = path.read_text()
    for broken in (text[:len(text) // 2], "[1, 2", "[" * 100_000):
        path.write_text(broken)
        with pytest.raises(DataError, match="not valid JSON"):
            read(path)
    path.write_text("[]")
    with pytest.raises(DataError, match="not a NW-UCLA recording"):
        read(path)
    path.write_bytes(b"\xff\xfe\x00broken")
    with pytest.raises(DataError, match="as text"):
        read(path)
    path.write_text(text)
    ucla_json(tmp_path, "stray")
    with pytest.raises(DataError, match="does not tell") as error:
        read(tmp_path)
    assert "stray.json" in error.value.where
