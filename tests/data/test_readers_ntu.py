"""NTU RGB+D recordings: real files where they are, made files always, and what bad files are told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from recordings import person, skeleton_text

from mksgn.data import class_names
from mksgn.data.pack import load_pack
from mksgn.data.readers import read
from mksgn.data.readers.ntu import read_ntu, read_skeleton_file
from mksgn.data.readers.ntu_actors import Track, main_actors, two_persons
from mksgn.errors import DataError
from mksgn.skeleton import NTU25


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
