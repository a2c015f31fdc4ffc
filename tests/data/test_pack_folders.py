"""Packs as folders that are mapped, scores, named splits and facts."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from recordings import assert_same, fields

from mksgn.data import blocks
from mksgn.data.facts import Facts
from mksgn.data.pack import Pack, load_pack, save_pack
from mksgn.data.readers import read
from mksgn.errors import DataError


def full(**changes: object) -> Pack:
    scores = np.linspace(0, 1, 36).reshape(6, 2, 3).astype(np.float32)
    return Pack(**fields(scores=scores, splits={"xsub_train": np.array([True, False])},
                         facts=Facts("m", "+y", "made"), **changes))


@pytest.mark.parametrize("name", ["a.npz", "a.pack"])
def test_everything_comes_back(tmp_path: Path, name: str) -> None:
    pack = full()
    for _ in range(2):  # the second takes the place of the first
        save_pack(pack, tmp_path / name)
    for back in (load_pack(tmp_path / name), read(tmp_path / name)):
        assert_same(back, pack)
        np.testing.assert_array_equal(back.scores, pack.scores)
        assert back.splits.keys() == pack.splits.keys()
        np.testing.assert_array_equal(back.splits["xsub_train"], [True, False])
        assert back.facts == pack.facts
        assert isinstance(back.data, np.memmap) == (name == "a.pack")
        part = back.subset(np.array([1]))
        np.testing.assert_array_equal(part.scores, pack.scores[2:])
        np.testing.assert_array_equal(part.scores_of(0), back.scores_of(1))
        assert (part.splits["xsub_train"].tolist(), part.facts) == ([False], pack.facts)
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_old_packs_know_nothing_of_it(tmp_path: Path) -> None:
    save_pack(Pack(**fields()), tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as archive:
        assert not {"scores", "splits", "split_names", "facts"} & set(archive.files)
    back = load_pack(tmp_path / "a.npz")
    assert (back.scores, back.scores_of(0), back.splits, back.facts) == (None, None, {}, Facts())


def test_blocks_see_every_frame_of_a_mapped_pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "_BLOCK_BYTES", 200)  # two frames of 2 persons, 3 joints and 3 coordinates are 144
    pack = full()
    save_pack(pack, tmp_path / "a.pack")
    back = load_pack(tmp_path / "a.pack")
    assert [start for start, _ in blocks.frame_blocks(back.data)] == [0, 2, 4]
    np.testing.assert_array_equal(np.concatenate([b for _, b in blocks.frame_blocks(back.data)]), pack.data)
    data = np.lib.format.open_memmap(tmp_path / "a.pack" / "data.npy", "r+")
    data[5, 1, 2, 1] = np.nan
    data.flush()
    with pytest.raises(DataError, match="not a finite number") as error:
        load_pack(tmp_path / "a.pack")
    assert "sequence two, frame 3, person 1, joint c" in error.value.where


@pytest.mark.parametrize(("changes", "message"), [
    ({"scores": np.zeros((6, 2, 2), np.float32)}, "not one per joint"),
    ({"scores": np.full((6, 2, 3), np.nan, np.float32)}, "not a finite number"),
    ({"splits": {"a": np.array([1, 0])}}, "must be boolean"),
    ({"splits": {"a": np.array([True])}}, "one value per sequence"),
])
def test_impossible_parts(changes: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Pack(**fields(**changes))


@pytest.mark.parametrize("text", ["", "[]", '{"up": "north"}', '{"colour": "red"}', '{"up": 1}', "[" * 9999])
def test_facts_that_are_none(text: str) -> None:
    with pytest.raises(DataError):
        Facts.from_json(text)


def test_damaged_folders(tmp_path: Path) -> None:
    good = tmp_path / "a.pack"
    save_pack(full(), good)
    files = {path.name: path.read_bytes() for path in good.iterdir()}

    class Trap:
        def __reduce__(self) -> tuple:
            return (tmp_path / "sprung").mkdir, ()

    np.save(good / "labels.npy", np.array([Trap(), Trap()], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="pickled objects"):
        load_pack(good)
    (good / "labels.npy").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(DataError, match="cannot be read"):
        load_pack(good)
    assert not (tmp_path / "sprung").exists()
    for name in ("data.npy", "scores.npy", "offsets.npy", "names.npy", "facts.npy"):
        for size in (0, 5, 40, len(files[name]) - 1):
            for each, content in files.items():
                (good / each).write_bytes(content)
            (good / name).write_bytes(files[name][:size])
            try:
                load_pack(good)  # an optional array that is empty is absent
            except DataError as error:
                assert str(good) in error.where
            else:
                assert size == 0 and name in ("scores.npy", "facts.npy")
    for each, content in files.items():
        (good / each).write_bytes(content)
    (good / "offsets.npy").unlink()
    with pytest.raises(DataError, match="not a skeleton pack"):
        load_pack(good)
    (tmp_path / "file.pack").touch()
    with pytest.raises(DataError, match="cannot be written"):
        save_pack(full(), tmp_path / "file.pack")
