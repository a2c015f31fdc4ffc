"""Own recordings as a program's --data names them: options reach the reader, and the cache notices every change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pose_files import coco_results, openpose_folder, walker
from recordings import assert_same

from mksgn.data.readers import read, read_cached
from mksgn.data.readers.options import ReadOptions
from mksgn.data.readers.registry import READERS, formats, is_recording, table
from mksgn.data.sources import load
from mksgn.data.splits import split
from mksgn.errors import DataError


def own(folder: Path) -> Path:
    for word in ("sit", "wave"):
        for subject in (1, 2, 3):
            coco_results(folder / word / f"{word}_s{subject}.json", walker(3, 17, seed=subject))
    return folder


def test_from_a_folder_to_a_split(tmp_path: Path) -> None:
    index = tmp_path / "clips.csv"
    lines = [f"{word}_s{subject},{word},{subject}\n" for word in ("sit", "wave") for subject in (1, 2, 3)]
    index.write_text("".join(["name,label,subject\n", *lines]))
    said: list[str] = []
    listed = tmp_path / "listed.txt"
    listed.write_text("wave_s3\n")
    pack = load(str(own(tmp_path / "own")), options=ReadOptions(index=index), leave_out=str(listed), say=said.append)
    assert (len(pack), pack.class_names, said) == (5, ("sit", "wave"), ["left out 1 recordings that the list names"])
    halves = split(pack, "test-subjects=2", val_subjects=())
    assert (len(halves.train), len(halves.test)) == (3, 2)


def test_the_cache_notices_changes_in_folders_of_folders(tmp_path: Path) -> None:
    folder, store = own(tmp_path / "own"), tmp_path / "store"
    first = read_cached(folder, store)
    assert_same(read_cached(folder, store), first)
    kept = list(store.iterdir())
    assert len(kept) == 1
    np.testing.assert_array_equal(read_cached(folder, store).scores, read(folder).scores)
    coco_results(folder / "sit" / "sit_s1.json", walker(9, 17))
    assert len(read_cached(folder, store).data) == len(first.data) + 6
    index = tmp_path / "clips.csv"
    index.write_text("name,label\n" + "".join(f"{path.stem},x\n" for path in folder.rglob("*.json")))
    options = ReadOptions(index=index)
    assert read_cached(folder, store, options=options).class_names == ("x",)
    index.write_text(index.read_text().replace(",x", ",longer"))
    assert read_cached(folder, store, options=options).class_names == ("longer",)
    assert read_cached(folder, store).class_names == ("sit", "wave")
    openpose_folder(tmp_path / "frames", walker(3, 25))
    assert read_cached(tmp_path / "frames", store, options=ReadOptions(persons=1)).names.tolist() == ["clip"]
    assert read_cached(tmp_path / "frames" / "clip_000000000001_keypoints.json", store).lengths.tolist() == [1]


def test_one_list_of_readers(tmp_path: Path) -> None:
    assert len({reader.name for reader in READERS}) == len(READERS)
    for reader in READERS:
        assert reader.name in formats() and f"`{reader.name}`" in table() and reader.title in table()
    (tmp_path / "a.bvh").touch()
    (tmp_path / "a.npz").touch()
    assert is_recording(tmp_path / "a.bvh")
    assert not any(is_recording(tmp_path / name) for name in ("a.npz", "absent.json", ".", "absent"))


def test_recordings_of_other_bodies_are_told_apart(tmp_path: Path) -> None:
    coco_results(tmp_path / "a.json", walker(2, 17))
    coco_results(tmp_path / "b.json", walker(2, 26))
    with pytest.raises(DataError, match="another number of joints") as error:
        read(tmp_path)
    assert "b.json" in error.value.where and error.value.got == "26"
