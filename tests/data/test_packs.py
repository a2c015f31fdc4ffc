"""Packs: round trips, access, and what impossible packs and hostile files are told."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from recordings import assert_same, fields, save_arrays

from mksgn.data.pack import Pack, load_pack, save_pack
from mksgn.data.readers import read
from mksgn.errors import DataError


def test_pack_round_trip(tmp_path: Path) -> None:
    pack = Pack(**fields())
    save_pack(pack, tmp_path / "pack.npz")
    assert_same(load_pack(tmp_path / "pack.npz"), pack)
    assert_same(read(tmp_path / "pack.npz"), pack)
    assert [p.name for p in tmp_path.iterdir()] == ["pack.npz"]


def test_pack_access() -> None:
    pack = Pack(**fields())
    assert (len(pack), pack.persons, pack.lengths.tolist()) == (2, 2, [2, 4])
    assert np.shares_memory(pack.sequence(1), pack.data)
    np.testing.assert_array_equal(pack.sequence(1), pack.data[2:6])
    assert pack.body.center == 1
    part = pack.subset(np.array([1, 0, 1]))
    assert part.names.tolist() == ["two", "one", "two"]
    assert part.test is not None
    assert part.test.tolist() == [True, False, True]
    np.testing.assert_array_equal(part.sequence(2), pack.sequence(1))
    assert_same(pack.subset(np.array([False, True])), pack.subset(np.array([1])))
    assert len(pack.subset(np.array([], dtype=int))) == 0
    with pytest.raises(IndexError):
        pack.sequence(2)


def test_two_dimensional_joints_and_single_frames() -> None:
    flat = Pack(**fields(data=np.ones((6, 1, 3, 2), np.float32), offsets=np.array([0, 1, 6])))
    assert flat.sequence(0).shape == (1, 1, 3, 2)


NAN = fields()["data"].copy()
NAN[3, 1, 2, 0] = np.nan
INF = fields()["data"].copy()
INF[0, 0, 0, 1] = np.inf


@pytest.mark.parametrize(("changes", "message", "where"), [
    ({"data": NAN}, "not a finite number", "sequence two, frame 1, person 1, joint c"),
    ({"data": INF}, "not a finite number", "sequence one, frame 0, person 0, joint a"),
    ({"data": np.zeros((6, 3, 3), np.float32)}, "wrong shape", "data"),
    ({"data": np.zeros((6, 2, 3, 4), np.float32)}, "wrong shape", "data"),
    ({"data": np.zeros((6, 2, 3, 3), complex)}, "wrong type", "data"),
    ({"offsets": np.array([0, 0, 6])}, "empty", "sequence one"),
    ({"offsets": np.array([0, 7, 6])}, "do not increase", "sequence two"),
    ({"offsets": np.array([0, 2**63 - 1, 3 - 2**63, -1, 6])}, "do not increase", "sequence two"),
    ({"offsets": np.array([0, 2, 5])}, "do not cover", "offsets"),
    ({"offsets": np.array([1, 2, 6])}, "starts at 0", "offsets"),
    ({"offsets": np.array([0.0, 2.0, 6.0])}, "wrong type", "offsets"),
    ({"labels": np.array([0, 2])}, "not among the class names", "sequence two"),
    ({"labels": np.array([-2, 0])}, "not among the class names", "sequence one"),
    ({"labels": np.array([0, 2**64 - 1], np.uint64)}, "too large", "labels"),
    ({"names": np.array([b"one", b"\xff"])}, "not UTF-8", "names"),
    ({"data": np.zeros((6, 1, 1025, 3)), "joint_names": ("a",) * 1025}, "not too many", "num_joints"),
    ({"labels": np.array([0, 1, 1])}, "one value per sequence", "labels"),
    ({"joint_names": ("a", "b")}, "wrong number of joints", "joint_names"),
    ({"edges": np.array([[0, 3]])}, "does not exist", "edge 0"),
    ({"ids": {"subject": np.array([1])}}, "one value per sequence", "subject"),
    ({"ids": {"shoe_size": np.array([1, 2])}}, "unknown id", "ids"),
    ({"test": np.array([0, 1])}, "must be boolean", "test"),
])
def test_impossible_packs(changes: dict, message: str, where: str) -> None:
    with pytest.raises(DataError, match=message) as error:
        Pack(**fields(**changes))
    assert where in error.value.where
    assert error.value.got
    assert error.value.allowed


def test_pack_file_without_class_names(tmp_path: Path) -> None:
    assert load_pack(save_arrays(tmp_path / "p.npz", class_names=None)).class_names == ("class 1", "class 2")


def test_a_label_of_a_billion_names_no_billion_classes(tmp_path: Path) -> None:
    path = save_arrays(tmp_path / "p.npz", class_names=None, labels=np.array([0, 10**9]))
    with pytest.raises(DataError, match="too large for a pack that names no classes"):
        load_pack(path)


def test_bad_pack_files(tmp_path: Path) -> None:
    good = save_arrays(tmp_path / "good.npz")
    with pytest.raises(DataError, match="does not exist"):
        load_pack(tmp_path / "absent.npz")
    with pytest.raises(DataError, match="not a skeleton pack") as error:
        load_pack(save_arrays(tmp_path / "lacks.npz", offsets=None, edges=None))
    assert "offsets, edges" in error.value.got
    with pytest.raises(DataError, match="not a finite") as error:
        read(save_arrays(tmp_path / "nan.npz", data=NAN))
    assert "nan.npz: sequence two" in error.value.where
    with pytest.raises(DataError, match="nothing but zeros") as error:
        data = fields()["data"].copy()
        data[2:] = 0
        read(save_arrays(tmp_path / "zeros.npz", data=data))
    assert "sequence two" in error.value.where
    with pytest.raises(DataError, match="no sequences"):
        empty: dict[str, object] = {"labels": np.zeros(0, int), "names": np.zeros(0, str), "test": None, "ids": {}}
        read(save_arrays(tmp_path / "none.npz", data=np.zeros((0, 1, 3, 3)), offsets=np.array([0]), **empty))
    with pytest.raises(DataError, match="cannot be written"):
        save_pack(load_pack(good), tmp_path / "no" / "such" / "folder.npz")


def test_truncated_and_damaged_archives(tmp_path: Path) -> None:
    """Any cut and any flipped byte either changes nothing that is read or is a DataError."""
    pack = Pack(**fields())
    good = tmp_path / "good.npz"
    save_pack(pack, good)
    content = good.read_bytes()
    bad = tmp_path / "bad.npz"
    for cut in range(0, len(content), 97):
        bad.write_bytes(content[:cut])
        with pytest.raises(DataError):
            read(bad)
    rng = np.random.default_rng(0)
    refused = 0
    for place in rng.choice(len(content), 150, replace=False):
        bad.write_bytes(content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1:])
        try:
            assert_same(read(bad), pack)
        except DataError:
            refused += 1
    assert refused > 75


def test_pickles_are_refused_and_never_loaded(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple:
            return os.mkdir, (str(tmp_path / "sprung"),)

    path = tmp_path / "trap.npz"
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|O", "fortran_order": False, "shape": (1,)})
    save_arrays(path, labels=None)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("labels.npy", header.getvalue() + pickle.dumps(Trap()))
    for reader in (read, load_pack):
        with pytest.raises(DataError, match="pickled objects"):
            reader(path)
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(DataError, match="cannot be read"):
        read(path)
    assert not (tmp_path / "sprung").exists()


def test_an_array_that_promises_terabytes(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (1 << 40, 1, 3, 3)})
    path = save_arrays(tmp_path / "huge.npz", data=None)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("data.npy", header.getvalue() + bytes(64))
    with pytest.raises(DataError, match="promises more data"):
        read(path)


def test_an_array_with_more_data_than_its_header_says(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<i8", "fortran_order": False, "shape": (2,)})
    path = save_arrays(tmp_path / "long.npz", labels=None)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("labels.npy", header.getvalue() + bytes(24))
    with pytest.raises(DataError, match="cannot be read") as error:
        read(path)
    assert "after the end" in error.value.got
    assert "labels" in error.value.where
