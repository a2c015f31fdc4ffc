"""Packs and readers: real files where they are, made files always, and what bad files are told."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from mksgn.data import class_names
from mksgn.data.pack import Pack, load_pack, save_pack
from mksgn.data.readers import cache, read, read_cached
from mksgn.data.readers.ntu import read_ntu, read_skeleton_file
from mksgn.data.readers.ntu_actors import Track, from_first_spine, main_actors, two_persons
from mksgn.data.readers.nw_ucla import read_ucla_file
from mksgn.data.synthetic import synthetic_pack
from mksgn.errors import DataError
from mksgn.skeleton import NTU25, UCLA20


def fields(**changes: object) -> dict:
    """Two sequences of three frames, two persons and three joints, as arguments of Pack."""
    rng = np.random.default_rng(0)
    return {"data": rng.normal(size=(6, 2, 3, 3)).astype(np.float32), "offsets": np.array([0, 2, 6]),
            "labels": np.array([1, -1]), "names": np.array(["one", "two"]), "class_names": ("walk", "run"),
            "joint_names": ("a", "b", "c"), "edges": np.array([[0, 1], [1, 2]]), "ids": {"subject": np.array([1, 2])},
            "test": np.array([False, True]), **changes}


def save_arrays(path: Path, **changes: object) -> Path:
    arrays = {**fields(), **changes}
    arrays.update(arrays.pop("ids"))
    np.savez(path, **{k: np.asarray(v) for k, v in arrays.items() if v is not None})
    return path


def assert_same(a: Pack, b: Pack) -> None:
    for name in ("data", "offsets", "labels", "names", "edges", "test", "test_dup_of_train"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert (a.class_names, a.joint_names, set(a.ids)) == (b.class_names, b.joint_names, set(b.ids))
    for name, value in a.ids.items():
        np.testing.assert_array_equal(value, b.ids[name])


def ucla_json(folder: Path, name: str = "a01_s01_e00_v01", **changes: object) -> Path:
    frames = np.random.default_rng(len(name)).normal(size=(4, 20, 3)).round(4).tolist()
    content = {"file_name": name, "skeletons": frames, "label": 1, **changes}
    path = folder / f"{name}.json"
    path.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))
    return path


def skeleton_text(frames: list[dict[str, np.ndarray]], newline: str = "\r\n") -> str:
    """The .skeleton text of frames that map a body id to its (25, 3) joints."""
    lines = [str(len(frames))]
    for bodies in frames:
        lines.append(str(len(bodies)))
        for body, joints in bodies.items():
            lines += [f"{body} 0 1 1 1 1 0 0.01 -0.2 2", str(len(joints))]
            lines += [" ".join(repr(float(x)) for x in p) + " 336.5 192.8 1184.5 489.4 -0.2 0.03 0.9 -0.1 2"
                      for p in joints]
    return newline.join(lines) + newline


def person(frames: int, seed: int, motion: float = 0.1) -> np.ndarray:
    """An upright body (n, 25, 3) that moves by about ``motion`` metres."""
    rng = np.random.default_rng(seed)
    joints = rng.normal(scale=motion, size=(frames, 25, 3)) + rng.normal(size=3)
    joints[..., 1] += np.linspace(0, 5, 25)
    return joints.astype(np.float32)


# Packs -------------------------------------------------------------------------------------------------------------


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
    ({"offsets": np.array([0, 2, 5])}, "do not cover", "offsets"),
    ({"offsets": np.array([1, 2, 6])}, "starts at 0", "offsets"),
    ({"offsets": np.array([0.0, 2.0, 6.0])}, "wrong type", "offsets"),
    ({"labels": np.array([0, 2])}, "not among the class names", "sequence two"),
    ({"labels": np.array([-2, 0])}, "not among the class names", "sequence one"),
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


# NW-UCLA -----------------------------------------------------------------------------------------------------------


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


# NTU RGB+D ---------------------------------------------------------------------------------------------------------


def test_denoising_reproduces_the_reference_exactly(data_dir: Path) -> None:
    with np.load(data_dir / "ntu_fixture18.npz", allow_pickle=False) as archive:
        d = dict(archive)
    names = d["names"].tolist()
    swapped = set()
    for k, name in enumerate(d["ref_names"]):
        i = names.index(name)
        bodies = d["data"][d["offsets"][i]:d["offsets"][i + 1]]
        tracks = []
        for person_index in range(2):
            frames = np.flatnonzero(bodies[:, person_index].any(axis=(1, 2)))
            tracks.append(Track(str(person_index), int(frames[0]), bodies[frames, person_index]))
        scene = two_persons(tracks, len(bodies))
        if main_actors(tracks)[0].body_id == "1":
            swapped.add(str(name)[-4:])
        reference = d["ref_denoised"][d["ref_denoised_offsets"][k]:d["ref_denoised_offsets"][k + 1]]
        np.testing.assert_array_equal(scene.reshape(-1, 150), reference)
        transformed = np.zeros((111, 150), dtype=np.float32)
        transformed[:len(scene)] = from_first_spine(scene).reshape(-1, 150)
        np.testing.assert_array_equal(transformed, d["ref_transformed"][k])
    assert swapped == {"A051", "A052", "A057", "A058"}


def test_real_skeleton_files(data_dir: Path) -> None:
    fixture = load_pack(data_dir / "ntu_fixture18.npz")
    pack = read(data_dir / "raw" / "ntu")
    assert pack.names.tolist() == ["S001C001P001R001A011", "S001C001P003R002A005", "S001C003P008R002A058"]
    assert pack.labels.tolist() == [10, 4, 57]
    assert [pack.class_names[i] for i in pack.labels] == ["reading", "drop", "shaking hands"]
    assert pack.ids["num_bodies"].tolist() == [1, 2, 2]
    assert pack.body == NTU25
    for i, name in enumerate(pack.names):
        raw = fixture.sequence(fixture.names.tolist().index(name))
        if name.endswith("A058"):  # two persons: the one who moves more comes first, here the second in the file
            np.testing.assert_array_equal(pack.sequence(i), raw[:, ::-1])
        else:  # one person; the second body of A005 is spurious
            np.testing.assert_array_equal(pack.sequence(i)[:, 0], raw[:, 0])
            assert not pack.sequence(i)[:, 1].any()


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_made_skeleton_file(tmp_path: Path, newline: str) -> None:
    a, b = person(15, 0, motion=0.1), person(15, 1, motion=0.4)
    frames = [{"7": a[f], "8": b[f]} for f in range(15)]
    frames.insert(4, {})  # a frame without bodies is dropped
    path = tmp_path / "S020C002P045R001A118.skeleton"
    path.write_bytes(skeleton_text(frames, newline).encode())
    pack = read(path)
    np.testing.assert_array_equal(pack.sequence(0), np.stack([b, a], axis=1))
    assert pack.labels.tolist() == [117]
    assert pack.class_names == class_names.NTU120
    assert {k: int(v[0]) for k, v in pack.ids.items()} == {
        "setup": 20, "camera": 2, "subject": 45, "replication": 1, "action_id": 118, "num_bodies": 2}


def test_a_body_that_comes_later_and_returns(tmp_path: Path) -> None:
    a, b = person(40, 0, motion=0.4), person(20, 1, motion=0.1)
    frames = [{"7": a[f]} for f in range(40)]
    for k in range(20):  # body 8: frames 5..14 and 20..29; the gap is closed, as in the published packs
        frames[5 + k + 5 * (k >= 10)]["8"] = b[k]
    path = tmp_path / "S001C001P001R001A050.skeleton"
    path.write_text(skeleton_text(frames))
    scene = read(path).sequence(0)
    np.testing.assert_array_equal(scene[:, 0], a)
    np.testing.assert_array_equal(scene[5:25, 1], b)
    assert not scene[:5, 1].any()
    assert not scene[25:, 1].any()


def test_one_frame_skeleton_of_another_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.skeleton"
    path.write_text(skeleton_text([{"1": person(1, 0)[0]}]))
    pack = read(path)
    assert (pack.lengths.tolist(), pack.labels.tolist(), set(pack.ids)) == ([1], [-1], {"num_bodies"})


def test_actor_rules() -> None:
    main = Track("main", 0, person(40, 0))
    # 11 frames are noise, 12 are a person.
    assert main_actors([Track("brief", 0, person(11, 1, 2.0)), main]) == [main]
    longer = Track("longer", 0, person(12, 1, 0.6))
    assert main_actors([main, longer]) == [longer, main]
    # Where nobody was seen for longer, the longest stays; a single body is never noise.
    brief = [Track("x", 0, person(3, 0)), Track("y", 3, person(5, 1))]
    assert main_actors(brief) == [brief[1]]
    assert main_actors(brief[:1]) == brief[:1]
    # A table: wider than 0.8 of its height in 70 % of its frames (28 of 40), against 67.5 % (27 of 40).
    for wide, kept in ((28, False), (27, True)):
        joints = person(40, 2, 0.2)
        joints[:wide, :, 0] *= np.float32(100)
        table = Track("table", 0, joints)
        assert (table in main_actors([main, table])) is kept
    # Of two tables the last one left stays.
    assert len(main_actors([Track("a", 0, joints), Track("b", 0, person(40, 3)[..., [1, 0, 2]])])) == 1
    # Wide frames do not count as motion: with them this body would come first.
    joints = person(40, 4, 0.01)
    joints[:5, :, 0] *= np.float32(1000)
    assert main_actors([Track("wild", 0, joints), main])[0] is main


def test_actors_that_follow_each_other_share_a_person() -> None:
    first, second = Track("a", 0, person(20, 0, 0.5)), Track("b", 22, person(15, 1, 0.1))
    scene = two_persons([first, second], 40)
    assert scene.shape == (35, 2, 25, 3)  # frames 20, 21 and 37..39 hold nobody
    np.testing.assert_array_equal(scene[:20, 0], first.joints)
    np.testing.assert_array_equal(scene[20:, 0], second.joints)
    assert not scene[:, 1].any()
    # A third body at the same time as two others is left out.
    three = [Track(str(i), 0, person(20, i, 0.5 - 0.1 * i)) for i in range(3)]
    np.testing.assert_array_equal(two_persons(three, 20), np.stack([three[0].joints, three[1].joints], axis=1))


def test_translation_waits_for_the_first_actor() -> None:
    scene = np.zeros((3, 2, 25, 3), dtype=np.float32)
    scene[:, 1] = person(3, 1)
    scene[1:, 0] = person(2, 0)
    moved = from_first_spine(scene)
    assert not moved[0, 0].any()
    np.testing.assert_array_equal(moved[1, 0, 1], 0)
    np.testing.assert_array_equal(moved[:, 1], scene[:, 1] - scene[1, 0, 1])


BODY = person(1, 0)[0]


@pytest.mark.parametrize(("text", "message", "where"), [
    ("hello\r\n", "number of frames is not a number", "line 1"),
    ("1\r\n1\r\n", "ends early", "bad"),
    (skeleton_text([{"1": BODY}])[:700], "three finite numbers|ends early", "bad"),
    (skeleton_text([{"1": BODY}]) + "0\r\n", "follow the last frame", "line 30"),
    (skeleton_text([{"1": BODY[:20]}]), "wrong number of joints", "line 4"),
    (skeleton_text([{"1": np.where(np.arange(75).reshape(25, 3) == 8, np.nan, BODY)}]), "three finite", "line 7"),
    (skeleton_text([{"1": BODY}]).replace("1 0 1 1", "\r\n1 0 1 1", 1), "no id", "line 3"),
    ("1\n2\n" + 2 * "".join(skeleton_text([{"1": BODY}], "\n").splitlines(True)[2:]), "twice in one frame", "line 30"),
    ("2\r\n0\r\n0\r\n", "ever tracked", "bad"),
    ("0\r\n", "ever tracked", "bad"),
    (skeleton_text([{"1": BODY * 0}]), "ever tracked", "bad"),
    ("-1\r\n", "not a number", "line 1"),
    ("9" * 5000, "not a number", "line 1"),
    ("   \r\n", "is empty", "bad"),
])
def test_bad_skeleton_files(tmp_path: Path, text: str, message: str, where: str) -> None:
    path = tmp_path / "bad.skeleton"
    path.write_bytes(text.encode())
    with pytest.raises(DataError, match=message) as error:
        read(path)
    assert where in error.value.where


def test_every_cut_of_a_skeleton_file_is_refused(tmp_path: Path) -> None:
    text = skeleton_text([{"1": BODY}, {"1": BODY}])
    path = tmp_path / "cut.skeleton"
    lines = text.splitlines(True)
    for keep in range(len(lines)):
        path.write_text("".join(lines[:keep]))
        with pytest.raises(DataError):
            read(path)


def test_folders_of_skeletons(tmp_path: Path) -> None:
    good = tmp_path / "S001C001P001R001A001.skeleton"
    good.write_text(skeleton_text([{"1": BODY}]))
    empty = tmp_path / "S001C001P002R001A001.skeleton"
    empty.write_text("1\n0\n")
    with pytest.raises(DataError, match="ever tracked") as error:
        read(tmp_path)
    assert empty.name in error.value.where
    assert "skip" in error.value.fix
    assert read(tmp_path, missing="skip").names.tolist() == [good.stem]
    good.unlink()
    with pytest.raises(DataError, match="No recording"):
        read_ntu(tmp_path, missing="skip")
    (tmp_path / "stray.skeleton").write_text(skeleton_text([{"1": BODY}]))
    with pytest.raises(DataError, match="does not tell"):
        read(tmp_path, missing="skip")
    wrong = tmp_path / "S001C001P001R001A121.skeleton"
    wrong.write_text(skeleton_text([{"1": BODY}]))
    with pytest.raises(DataError, match="unknown action"):
        read_skeleton_file(wrong)


# CTR-GCN archives --------------------------------------------------------------------------------------------------


def ctrgcn(path: Path, **changes: object) -> Path:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(5, 12, 150)).astype(np.float32)
    for i, frames in enumerate((12, 1, 7, 3, 9)):
        x[i, frames:] = 0
    x[2, 3] = 0  # a zero frame inside is not padding
    x[:2, :, 75:] = 0
    y = np.eye(60)[[3, 0, 59, 7, 3]]
    arrays = {"x_train": x[:3], "y_train": y[:3], "x_test": x[3:], "y_test": y[3:], **changes}
    np.savez_compressed(path, **{name: np.asarray(array) for name, array in arrays.items()})
    return path


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


# Recognition and cache ---------------------------------------------------------------------------------------------


def test_unknown_formats(tmp_path: Path, data_dir: Path) -> None:
    for path in sorted((data_dir / "raw" / "msr-action3d").iterdir()):
        with pytest.raises(DataError, match="no known skeleton format") as error:
            read(path)
        assert "MSR-Action3D" in error.value.got
    with pytest.raises(DataError, match="no skeleton recordings") as error:
        read(data_dir / "raw" / "msr-action3d")
    assert "2 x '.txt'" in error.value.got
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

    def counted(path: Path, missing: Literal["error", "skip"]) -> Pack:
        calls.append(path)
        return read(path, missing)

    monkeypatch.setattr(cache, "read", counted)
    assert_same(read_cached(raw, store), first)
    assert calls == []
    ucla_json(raw, "a02_s01_e00_v03", label=2)
    assert len(read_cached(raw, store)) == 2
    file = raw / "a01_s01_e00_v01.json"
    os.utime(file, ns=(1, 1))
    read_cached(raw, store)
    assert len(calls) == 2
    assert len(list(store.iterdir())) == 3
    cached = max(store.iterdir(), key=lambda p: p.stat().st_mtime_ns)
    cached.write_bytes(cached.read_bytes()[:100])
    with pytest.raises(DataError, match="cannot be read") as error:
        read_cached(raw, store)
    assert str(cached) in error.value.fix


def test_cache_leaves_packs_where_they_are(tmp_path: Path) -> None:
    save_pack(synthetic_pack(12), tmp_path / "pack.npz")
    assert len(read_cached(tmp_path / "pack.npz", tmp_path / "store")) == 12
    assert not (tmp_path / "store").exists()
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cache folder"):
        read_cached(ctrgcn(tmp_path / "x.npz"), tmp_path / "file" / "store")


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "pack.npz"
    save_pack(synthetic_pack(12), path)
    before = path.read_bytes()

    def interrupted(stream: io.BufferedWriter, **arrays: np.ndarray) -> None:
        stream.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez_compressed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_pack(synthetic_pack(24), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["pack.npz"]
