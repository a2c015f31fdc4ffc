"""Recognising formats, and the cache of converted packs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, Literal

import numpy as np
import pytest
from recordings import assert_same, ctrgcn, ucla_json

from mksgn.data.pack import Pack, save_pack
from mksgn.data.readers import cache, read, read_cached
from mksgn.data.readers.registry import READERS
from mksgn.data.synthetic import synthetic_pack
from mksgn.errors import DataError


def test_unknown_formats(tmp_path: Path) -> None:
    for name, text in (("a.xyz", "1 2 3"), ("b.txt", "dear diary"), ("c.csv", "a,b\n1,2"), ("d.pkl", "no pickle"),
                       ("e.bvh", "MOTION")):
        (tmp_path / name).write_text(text)
        with pytest.raises(DataError, match="no known skeleton format") as error:
            read(tmp_path / name)
        assert name[1:] in error.value.got
        assert all(reader.name in error.value.allowed for reader in READERS)
    (tmp_path / "e.bvh").unlink()
    with pytest.raises(DataError, match="no skeleton recordings") as error:
        read(tmp_path)
    assert "1 x '.txt'" in error.value.got
    assert ".skeleton" in error.value.allowed


def test_paths_that_hold_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read(tmp_path / "absent")
    with pytest.raises(DataError, match="no skeleton recordings") as error:
        read(tmp_path)
    assert "no files" in error.value.got
    for name in ("empty.npz", "empty.json", "empty.skeleton", "empty.txt"):
        (tmp_path / name).touch()
        with pytest.raises(DataError, match="empty"):
            read(tmp_path / name)
    with pytest.raises(DataError, match="mixes two formats"):
        read(tmp_path)


def test_cache_converts_once_and_notices_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw, store = tmp_path / "all_sqe", tmp_path / "deep" / "store"
    raw.mkdir()
    ucla_json(raw, "a01_s01_e00_v01")
    first = read_cached(raw, store)
    assert_same(first, read(raw))
    calls: list[Path] = []

    def counted(path: Path, missing: Literal["error", "skip"], leave_out: frozenset[str]) -> Pack:
        calls.append(path)
        return read(path, missing, leave_out)

    monkeypatch.setattr(cache, "read", counted)
    assert_same(read_cached(raw, store), first)
    assert calls == []
    ucla_json(raw, "a02_s01_e00_v03", label=2)
    assert len(read_cached(raw, store)) == 2
    file = raw / "a01_s01_e00_v01.json"
    os.utime(file, ns=(1, 1))
    read_cached(raw, store)
    assert len(calls) == 2
    cached, = store.iterdir()  # what earlier states of the folder left is gone
    cached.write_bytes(cached.read_bytes()[:100])
    with pytest.raises(DataError, match="cannot be read") as error:
        read_cached(raw, store)
    assert str(cached) in error.value.fix


def test_cache_leaves_packs_where_they_are(tmp_path: Path) -> None:
    save_pack(synthetic_pack(12), tmp_path / "pack.npz")
    assert len(read_cached(tmp_path / "pack.npz", tmp_path / "store")) == 12
    assert not (tmp_path / "store").exists()
    (tmp_path / "file").touch()
    archive = ctrgcn(tmp_path / "x.npz")
    for nowhere in (tmp_path / "file" / "store", None):
        assert_same(read_cached(archive, nowhere), read(archive))


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "pack.npz"
    save_pack(synthetic_pack(12), path)
    before = path.read_bytes()

    def interrupted(stream: IO[bytes], array: np.ndarray, **options: object) -> None:
        stream.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(np.lib.format, "write_array", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_pack(synthetic_pack(24), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["pack.npz"]
