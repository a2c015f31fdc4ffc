"""pyskl annotations, and pickles that must not run: github.com/kennymckormick/pyskl, tools/data/README.md."""

from __future__ import annotations

import os
import pickle
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from pose_files import annotation, pyskl_file, walker

from mksgn.data.facts import Facts
from mksgn.data.readers import read
from mksgn.data.readers.options import ReadOptions
from mksgn.data.safe_pickle import read_plain_pickle
from mksgn.data.splits import split
from mksgn.errors import DataError
from mksgn.skeleton.bodies import name_of


def two_d(frames: int = 4, persons: int = 1, seed: int = 0) -> np.ndarray:
    """(M, F, V, 2) as float16, the type of the published files."""
    return np.stack([walker(frames, 17, seed=seed + m, scale=10) for m in range(persons)]).astype(np.float16)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_two_dimensional_annotations(tmp_path: Path, protocol: int) -> None:
    path = pyskl_file(tmp_path / "a.pkl", [annotation("v_a", 3, two_d(4)), annotation("v_b", 0, two_d(5, 2))], protocol,
                      train1=["v_a"], test1=["v_b"], train2=["v_b"], test2=["v_a"])
    pack = read(path)
    assert (name_of(pack.body), pack.facts, pack.lengths.tolist()) == ("coco17", Facts("px", "-y", "pyskl"), [4, 5])
    assert (pack.labels.tolist(), len(pack.class_names), pack.persons) == ([3, 0], 4, 2)
    np.testing.assert_array_equal(pack.sequence(1), two_d(5, 2).transpose(1, 0, 2, 3).astype(np.float32))
    assert (pack.scores_of(0)[:, 0] == 0.75).all() and not pack.scores_of(0)[:, 1].any()
    assert (split(pack, "1").test.tolist(), split(pack, "2").test.tolist()) == ([1], [0])


def test_three_dimensional_ntu(tmp_path: Path) -> None:
    points = walker(6, 25, 3, scale=0.5)[None].astype(np.float32)
    both = np.concatenate([points, np.zeros_like(points)])
    names = ["S001C001P001R001A011", "S001C002P003R001A058"]
    path = pyskl_file(tmp_path / "ntu60_3d.pkl", [annotation(names[0], 10, points, False),
                                                  annotation(names[1], 57, both, False)],
                      xsub_train=names[:1], xsub_val=names[1:], xview_train=names[1:], xview_val=names[:1])
    pack = read(path)
    assert (name_of(pack.body), pack.facts, pack.scores, pack.persons) == (
        "kinect25", Facts("m", "+y", "pyskl"), None, 1)
    assert (pack.class_names[10], pack.ids["subject"].tolist()) == ("reading", [1, 3])
    np.testing.assert_allclose(pack.sequence(0)[:, 0], points[0], rtol=1e-6)
    assert split(pack, "xsub", val_subjects=()).test.tolist() == [1]
    assert split(pack, "xview", val_subjects=()).test.tolist() == [0]
    assert split(pack, "ntu60-xsub", val_subjects=()).test.tolist() == [1]  # the published one, by its ids


def test_the_real_file_without_key_points(data_dir: Path) -> None:
    with pytest.raises(DataError, match="hold no key points") as error:
        read(data_dir / "raw" / "pyskl" / "sample.pkl")
    assert "100 of 100" in error.value.got and "Kinetics" in error.value.fix


def test_scores_as_a_third_number(tmp_path: Path) -> None:
    points = np.concatenate([two_d(4).astype(np.float32), np.full((1, 4, 17, 1), 0.5, np.float32)], axis=3)
    path = pyskl_file(tmp_path / "a.pkl", [annotation("a", 0, points, False)])
    with pytest.raises(DataError, match="x, y and a score"):
        read(path)


@pytest.mark.parametrize("changes", [
    {"keypoint": "none"}, {"keypoint": np.zeros((4, 17, 2))}, {"keypoint": np.zeros((1, 4, 9, 2))},
    {"keypoint": [[1]]}, {"keypoint": [[1], [2, 3]]}, {"keypoint_score": np.zeros((1, 4, 16))}, {"total_frames": 9},
    {"label": "walk"}, {"label": -7}, {"label": 1 << 40}, {"frame_dir": 3}, {"keypoint": np.zeros((1, 4, 17, 2))},
    {"keypoint": np.zeros((1, 0, 17, 2)), "keypoint_score": np.zeros((1, 0, 17)), "total_frames": 0}])
def test_damaged_annotations(tmp_path: Path, changes: dict) -> None:
    path = pyskl_file(tmp_path / "a.pkl", [{**annotation("a", 0, two_d(4)), **changes}])
    with pytest.raises(DataError) as error:
        read(path)
    assert "a.pkl" in error.value.where


@pytest.mark.parametrize("content", [
    3, [], {"annotations": []}, {"annotations": [3]}, {"annotations": {}}, {"split": 3, "annotations": [{}]}, "text",
    {"split": {"a": 3}, "annotations": [annotation("a", 0, two_d(4))]}, None])
def test_pickles_of_something_else(tmp_path: Path, content: object) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(DataError, match=r"no pyskl annotations|no key points"):
        read(tmp_path / "a.pkl")


def test_bad_annotations_are_left_out_on_demand(tmp_path: Path) -> None:
    path = pyskl_file(tmp_path / "a.pkl", [annotation("a", 0, two_d(4)), annotation("b", 1, two_d(4) * 0)], s=["a"])
    said: list[str] = []
    assert read(path, options=ReadOptions(skip_bad=True, say=said.append)).names.tolist() == ["a"]
    assert len(said) == 1
    with pytest.raises(DataError, match="Nobody was found"):
        read(path)


def test_plain_data_comes_back(tmp_path: Path) -> None:
    shared = [1, 2.5, "text", None, True, b"bytes", 1 << 70]
    content = {
        "a": shared, "b": (shared, {"c": ()}), "d": OrderedDict(e=1), "f": np.float32(2.5), "g": "\N{SNOWMAN}",
        "big": np.arange(6, dtype=">i4").reshape(2, 3), "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "text": np.array(["one", "two"]), "scalar": np.array(3), "empty": np.zeros((0, 4)), "bool": np.array([True]),
        "twice": [np.arange(3)] * 2}
    for protocol in (2, 3, 4, 5):
        (tmp_path / "a.pkl").write_bytes(pickle.dumps(content, protocol))
        back = read_plain_pickle(tmp_path / "a.pkl")
        assert back.keys() == content.keys()
        assert (back["a"], back["b"], back["d"], back["g"]) == (shared, content["b"], content["d"], content["g"])
        assert back["a"] is back["b"][0]
        for name in ("big", "fortran", "text", "scalar", "empty", "bool"):
            np.testing.assert_array_equal(back[name], content[name])
            assert back[name].dtype == content[name].dtype
        assert type(back["f"]) is np.float32 and back["f"] == 2.5
        assert back["twice"][0] is back["twice"][1]


def traps(folder: Path) -> dict[str, bytes]:
    """Pickles that would make a folder, and worse."""
    target = str(folder / "sprung")

    class Reduce:
        def __reduce__(self) -> tuple:
            return os.mkdir, (target,)

    class InState:
        def __reduce__(self) -> tuple:
            return dict, (), {"a": Reduce()}

    inner = annotation("a", 0, two_d(2))
    return {
        "reduce": pickle.dumps(Reduce()), "old": pickle.dumps(Reduce(), 0), "state": pickle.dumps(InState()),
        "inside": pickle.dumps({"annotations": [{**inner, "label": Reduce()}]}),
        "array": pickle.dumps({"annotations": [{**inner, "keypoint": np.array([Reduce()], object)}]}),
        "builtin": b"c__builtin__\neval\n(Vopen('" + target.encode() + b"', 'w')\ntR.",
        "global": b"\x80\x04\x8c\x02os\x8c\x05mkdir\x93\x8c" + bytes([len(target)]) + target.encode() + b"\x85R.",
        "dotted": b"\x80\x04\x8c\x05numpy\x8c\x0fos.system.mkdir\x93\x8c\x01a\x85R.",
        "inst": b"(V" + target.encode() + b"\nios\nmkdir\n.", "newobj": b"\x80\x02cos\nmkdir\n)\x81.",
        "ext": b"\x80\x02\x82\x01.", "persistent": b"\x80\x02U\x01aQ.",
        "numpy loads": b"\x80\x02cnumpy\nload\nX\x01\x00\x00\x00a\x85R.",
        "codecs": b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00rot13\x86R.",
        "object array": b"\x80\x02cnumpy\ndtype\nX\x02\x00\x00\x00O8\x85R.",
        "call a type": b"\x80\x02cnumpy\nndarray\n)R.", "a bare name": b"\x80\x02cnumpy\ndtype\n."}


@pytest.mark.parametrize("name", [*traps(Path("x"))])
def test_nothing_in_a_pickle_is_run(tmp_path: Path, name: str) -> None:
    path = tmp_path / "trap.pkl"
    path.write_bytes(traps(tmp_path)[name])
    with pytest.raises(DataError) as error:
        read_plain_pickle(path)
    assert "nothing in the file was run" in error.value.fix
    with pytest.raises(DataError):
        read(path)
    assert [p.name for p in tmp_path.iterdir()] == ["trap.pkl"]


def test_impossible_arrays_in_pickles(tmp_path: Path) -> None:
    good = pickle.dumps(np.arange(4, dtype=np.int32), 2)
    for old, new in ((b"K\x04\x85", b"K\x05\x85"), (b"i4", b"V4"), (b"K\x04\x85", b"J\xff\xff\xff\xff\x85")):
        assert old in good
        (tmp_path / "a.pkl").write_bytes(good.replace(old, new))
        with pytest.raises(DataError):
            read_plain_pickle(tmp_path / "a.pkl")
    deep: list = []
    for _ in range(200):
        deep = [deep]
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(deep))
    with pytest.raises(DataError, match="plain data"):
        read_plain_pickle(tmp_path / "a.pkl")
    laughs: list = [0]
    for _ in range(50):
        laughs = [laughs] * 10  # ten to the fifty, and fifty lists
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(laughs))
    assert len(read_plain_pickle(tmp_path / "a.pkl")) == 10


def test_damaged_pickles(tmp_path: Path) -> None:
    path = pyskl_file(tmp_path / "a.pkl", [annotation("a", 0, two_d(2))], train=["a"])
    content = path.read_bytes()
    for cut in range(1, len(content), 29):
        path.write_bytes(content[:cut])
        with pytest.raises(DataError):
            read(path)
    rng = np.random.default_rng(0)
    for place in rng.choice(len(content), 120, replace=False):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1:])
        with suppress(DataError):
            read(path)
    with pytest.raises(DataError):
        read_plain_pickle(tmp_path / "absent.pkl")
