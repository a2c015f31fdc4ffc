"""CTR-GCN archives: made files, and what bad ones are told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from recordings import assert_same, ctrgcn

from mksgn.data import class_names
from mksgn.data.readers import read
from mksgn.errors import DataError
from mksgn.skeleton import NTU25


def test_ctrgcn_archive(tmp_path: Path) -> None:
    path = ctrgcn(tmp_path / "NTU60_CS.npz")
    pack = read(path)
    assert pack.lengths.tolist() == [12, 1, 7, 3, 9]
    assert pack.labels.tolist() == [3, 0, 59, 7, 3]
    assert pack.names.tolist() == ["train_00000", "train_00001", "train_00002", "test_00000", "test_00001"]
    assert pack.test is not None
    assert pack.test.tolist() == [False] * 3 + [True] * 2
    assert pack.class_names == class_names.NTU60
    assert pack.body == NTU25
    with np.load(path) as archive:
        np.testing.assert_array_equal(pack.sequence(4).reshape(9, 150), archive["x_test"][1, :9])


def test_ctrgcn_reading_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = ctrgcn(tmp_path / "a.npz")
    whole = read(path)
    monkeypatch.setattr("mksgn.data.readers.ctrgcn._ROWS", 2)
    assert_same(read(path), whole)


@pytest.mark.parametrize(("changes", "message"), [
    ({"x_train": np.ones((3, 12, 75), np.float32)}, "sequences have the wrong shape"),
    ({"x_test": np.ones((2, 150), np.float32)}, "sequences have the wrong shape"),
    ({"y_test": np.eye(60)[[1]]}, "labels have the wrong shape"),
    ({"y_train": np.array([1, 2, 3])}, "labels have the wrong shape"),
    ({"y_train": np.ones((3, 60))}, "not one-hot"),
    ({"y_train": np.zeros((3, 60))}, "not one-hot"),
    ({"y_train": 2 * np.eye(60)[[1, 2, 3]]}, "not one-hot"),
    ({"x_train": np.zeros((3, 12, 150), np.float32)}, "nothing but zeros"),
    ({"x_train": np.full((3, 12, 150), np.nan, np.float32)}, "not a finite number"),
    ({"x_train": np.ones((3, 12, 150), np.int32)}, "not floating-point"),
    ({"x_train": np.asfortranarray(np.ones((3, 12, 150), np.float32))}, "row by row"),
    ({"y_train": np.array([[None] * 60] * 3, dtype=object)}, "pickled objects"),
])
def test_bad_ctrgcn_archives(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(ctrgcn(tmp_path / "bad.npz", **changes))


def test_ctrgcn_archive_that_lacks_an_array(tmp_path: Path) -> None:
    np.savez(tmp_path / "half.npz", x_train=np.ones((1, 2, 150)), y_train=np.eye(60)[:1])
    with pytest.raises(DataError, match="not a CTR-GCN archive") as error:
        read(tmp_path / "half.npz")
    assert "x_test, y_test" in error.value.got
