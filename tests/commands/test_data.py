"""``mksgn data`` and ``mksgn bodies``: every format shown and converted, real files where they are; tensors."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pose_files import (
    BVH,
    annotation,
    coco_results,
    landmarks,
    openpose_folder,
    pyskl_file,
    scored,
    walker,
    write_json,
    yolo_person,
)
from programs import Command, Program, graph_for
from recordings import assert_same, ctrgcn, person, skeleton_text, ucla_json

from mksgn.data.facts import Facts
from mksgn.data.pack import Pack, load_pack, save_pack
from mksgn.data.readers import read
from mksgn.data.readers.options import ReadOptions
from mksgn.data.readers.registry import READERS
from mksgn.data.synthetic import synthetic_pack
from mksgn.netx import write_net
from mksgn.skeleton.bodies import BODIES


@pytest.fixture
def mksgn(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    return Command(capsys, monkeypatch, tmp_path)


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def saved(path: Path, array: np.ndarray) -> Path:
    np.save(path, array)
    return path


def yolo(path: Path) -> Path:
    return write_json(path, [[yolo_person(frame)] for frame in walker(3, 17)])


def packed(path: Path) -> Path:
    save_pack(synthetic_pack(12), path)
    return path


MADE: dict[str, Callable[[Path], Path]] = {
    "pack": lambda folder: packed(folder / "a.npz"),
    "ctrgcn": lambda folder: ctrgcn(folder / "a.npz"),
    "nw-ucla": lambda folder: ucla_json(folder),
    "ntu": lambda folder: written(folder / "S001C001P001R001A001.skeleton", skeleton_text(
        [{"1": joints} for joints in person(12, 1)])),
    "pyskl": lambda folder: pyskl_file(folder / "a.pkl", [annotation("one", 0, walker(4, 17)[None])], train=["one"]),
    "openpose": lambda folder: openpose_folder(folder / "frames", walker(3, 25)),
    "yolo": lambda folder: yolo(folder / "a.json"),
    "coco": lambda folder: coco_results(folder / "a.json", walker(4, 17)),
    "mediapipe": lambda folder: write_json(folder / "a.json", [*map(landmarks, walker(3, 33, 3, scale=.1))]),
    "bvh": lambda folder: written(folder / "a.bvh", BVH),
    "msr-action3d": lambda folder: written(folder / "a01_s01_e01_skeleton3D.txt", "\n".join(
        f"{x} {y} {z} 1" for x, y, z in walker(2, 20, 3, scale=1).reshape(-1, 3))),
    "plain": lambda folder: saved(folder / "a.npy", scored(walker(5, 17))),
}
ASKED = {"plain": ("--body", "coco17", "--channels", "xys")}


def test_every_reader_has_a_file_here() -> None:
    assert list(MADE) == [reader.name for reader in READERS]


@pytest.mark.parametrize("ending", ["made.npz", "made.pack"])
@pytest.mark.parametrize("name", MADE)
def test_every_format_is_shown_and_converted(mksgn: Command, tmp_path: Path, name: str, ending: str) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    source, asked = MADE[name](folder), ASKED.get(name, ())
    shown = mksgn("data", "show", source, *asked, "--json", "facts.json")
    assert shown.code == 0, shown.err
    facts = json.loads((tmp_path / "facts.json").read_text())
    whole = read(source, options=ReadOptions(body="coco17", channels="xys") if asked else None)
    assert (facts["format"], facts["sequences"], facts["frames"]) == (name, len(whole), len(whole.data))
    assert facts["joint_names"] == list(whole.joint_names) and facts["scores"] == (whole.scores is not None)
    assert f"{name}: " in shown.out and "missing joints:" in shown.out
    made = mksgn("data", "convert", "--data", source, "--out", ending, *asked)
    assert made.code == 0, made.err
    assert f"{source}: {name}, " in made.out and f"{len(whole):,} sequences, {len(whole.data):,} frames" in made.out
    back = load_pack(tmp_path / ending)
    assert_same(back, whole)
    assert back.facts == whole.facts
    again = mksgn("data", "convert", "--data", source, "--out", ending, *asked)
    assert again.code == 2 and "--overwrite" in again.err
    assert mksgn("data", "convert", "--data", source, "--out", ending, *asked, "--overwrite").code == 0


REAL = {"raw/nw-ucla": ("nw-ucla", "kinect20", 2), "raw/ntu": ("ntu", "kinect25", 3),
        "raw/openpose": ("openpose", "openpose25", 1), "raw/alphapose/alphapose-results.json": ("coco", "coco17", 1),
        "raw/mediapipe/dance.json": ("mediapipe", "mediapipe33", 1),
        "raw/mediapipe/squat.csv": ("mediapipe", "mediapipe33", 1), "raw/bvh": ("bvh", "", 1),
        "nw_ucla.npz": ("pack", "kinect20", 1484), "ntu_fixture18.npz": ("pack", "kinect25", 18)}


@pytest.mark.parametrize("name", REAL)
def test_real_files_are_shown_and_converted(data_dir: Path, mksgn: Command, tmp_path: Path, name: str) -> None:
    path = data_dir / name
    if not path.exists():
        pytest.skip(f"no {name} in {data_dir}")
    shown = mksgn("data", "show", path, "--json", "facts.json", "--animate", "clip.html")
    assert shown.code == 0, shown.err
    facts = json.loads((tmp_path / "facts.json").read_text())
    assert (facts["format"], facts["body"], facts["sequences"]) == REAL[name]
    assert (tmp_path / "clip.html").read_text().startswith("<!doctype html>")
    assert mksgn("data", "convert", "--data", path, "--out", "a.pack").code == 0
    assert_same(load_pack(tmp_path / "a.pack"), read(path))


@pytest.mark.parametrize(("name", "said"), [("raw/pyskl/sample.pkl", "hold no key points"),
                                            ("raw/msr-action3d", "Nobody was found")])
def test_real_files_that_hold_nobody(data_dir: Path, mksgn: Command, tmp_path: Path, name: str, said: str) -> None:
    path = data_dir / name
    if not path.exists():
        pytest.skip(f"no {name} in {data_dir}")
    refused = mksgn("data", "show", path)
    assert refused.code == 2 and said in refused.err
    if path.is_dir():
        made = mksgn("data", "convert", "--data", path, "--out", "a.npz", "--skip-bad")
        assert made.code == 0 and "left out 1 recordings" in made.out and len(load_pack(tmp_path / "a.npz")) == 1


def test_help_lists_every_reader(mksgn: Command) -> None:
    for words in (("data", "--help"), ("data", "convert", "--help"), ("data", "show", "--help")):
        shown = mksgn(*words)
        assert shown.code == 0
        for reader in READERS:
            assert reader.name in shown.out
    assert mksgn("data").code == 2
    unknown = mksgn("data", "shwo", "x")
    assert unknown.code == 2 and "show, convert, tensor" in unknown.err


@pytest.mark.parametrize(("words", "said"), [
    (("--data", "absent", "--out", "a.npz"), "no such file"),
    (("--data", "a.json", "--out", "a.txt"), "ends in .npz or .pack"),
    (("--data", "a.json", "--out", "no/such/a.npz"), "does not exist"),
    (("--data", "a.json", "--out", "no/such/a.pack"), "does not exist"),
    (("--data", "a.json", "--out", "a.npz", "--format", "dance"), "no reader has this name"),
    (("--data", ".", "--out", "a.npz", "--format", "pyskl"), "read from a file"),
    (("--data", "a.json", "--out", "a.npz", "--units", "ft"), "m, cm, mm, px, image"),
    (("--data", "a.json", "--out", "a.npz", "--up", "y"), "+x, -x, +y"),
    (("--data", "a.json", "--out", "a.npz", "--channels", "abc"), "xy, xyz, xys, xyzs"),
    (("--data", "a.json", "--out", "a.npz", "--persons", 0), "--persons"),
    (("--data", "a.json", "--out", "a.npz", "--index", "absent.csv"), "absent.csv"),
    (("--data", "a.json", "--out", "a.npz", "--leave-out", "a.txt"), "Every recording is to be left out"),
    (("--data", "a.json", "--out", "a.npz", "--skip-untracked"), "no effect"),
])
def test_bad_options_are_one_error_and_leave_nothing(mksgn: Command, tmp_path: Path, words: tuple[object, ...],
                                                     said: str) -> None:
    coco_results(tmp_path / "a.json", walker(4, 17))
    (tmp_path / "a.txt").write_text("a\n")
    before = sorted(path.name for path in tmp_path.iterdir())
    refused = mksgn("data", "convert", *words)
    assert refused.code == 2 and refused.err.startswith("error: ") and said in refused.err, refused.err
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_folder_that_is_no_pack_is_never_replaced(mksgn: Command, tmp_path: Path) -> None:
    coco_results(tmp_path / "a.json", walker(4, 17))
    (tmp_path / "mine.pack").mkdir()
    (tmp_path / "mine.pack" / "thesis.txt").touch()
    refused = mksgn("data", "convert", "--data", "a.json", "--out", "mine.pack", "--overwrite")
    assert refused.code == 2 and "no pack" in refused.err
    assert (tmp_path / "mine.pack" / "thesis.txt").exists()


@pytest.mark.parametrize("ending", ["b.npz", "b.pack"])
def test_what_is_left_out_of_any_format(mksgn: Command, tmp_path: Path, ending: str) -> None:
    """A pack, which no reader filters, loses the sequences of a list, with their scores and masks."""
    pack = synthetic_pack(36)
    pack = replace(pack, scores=np.random.default_rng(0).random(pack.data.shape[:3]).astype(np.float32),
                   splits={"odd": np.arange(36) % 2 == 1})
    save_pack(pack, tmp_path / "a.npz")
    (tmp_path / "list.txt").write_text(f"{pack.names[3]}\n{pack.names[35]}\n")
    made = mksgn("data", "convert", "--data", "a.npz", "--out", ending, "--leave-out", "list.txt")
    assert made.code == 0 and "left out 2 recordings" in made.out
    expected = pack.subset(~np.isin(np.arange(36), (3, 35)))
    back = load_pack(tmp_path / ending)
    assert_same(back, expected)
    np.testing.assert_array_equal(back.scores, expected.scores)
    np.testing.assert_array_equal(back.splits["odd"], expected.splits["odd"])


@pytest.mark.parametrize("ending", ["b.npz", "b.pack"])
def test_data_is_turned_upright(mksgn: Command, tmp_path: Path, ending: str) -> None:
    pack = synthetic_pack(12)
    tipped = np.stack([pack.data[..., 0], -pack.data[..., 2], pack.data[..., 1]], axis=-1)
    save_pack(replace(pack, data=tipped), tmp_path / "z.npz")
    for asked in ((), ("--up=+z",)):
        made = mksgn("data", "convert", "--data", "z.npz", "--out", ending, "--upright", *asked, "--overwrite")
        assert made.code == 0, made.err
        back = load_pack(tmp_path / ending)
        np.testing.assert_array_equal(back.data, pack.data)
        assert back.facts == Facts(up="+y")
    assert mksgn("data", "convert", "--data", "z.npz", "--out", "c.npz", "--up=+z", "--units", "m").code == 0
    kept = load_pack(tmp_path / "c.npz")
    np.testing.assert_array_equal(kept.data, tipped)
    assert kept.facts == Facts("m", "+z")


def test_an_index_tells_classes_subjects_and_splits(mksgn: Command, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        coco_results(tmp_path / "clips" / f"{name}.json", walker(4, 17))
    (tmp_path / "i.csv").write_text("name,label,subject,split:mine_train,split:mine_test\n"
                                    "a.json,sit,1,1,0\nb.json,run,2,1,0\nc.json,sit,3,0,1\n")
    assert mksgn("data", "convert", "--data", "clips", "--out", "a.npz", "--index", "i.csv").code == 0
    shown = mksgn("data", "show", "a.npz")
    for words in ("2 of 2: run (1), sit (2)", "subject 1 2 3", "splits:         mine"):
        assert words in shown.out


def test_the_program_of_a_checkout_is_the_same(mksgn: Command, capsys: pytest.CaptureFixture[str], tmp_path: Path,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    coco_results(tmp_path / "a.json", walker(4, 17))
    program = Program("deploy/make_pack.py", capsys, monkeypatch, tmp_path)
    outcomes = [run("--data", "a.json", "--out", f"{name}.npz") for name, run in (
        ("a", program), ("a1", lambda *words: mksgn("data", "convert", *words)))]
    assert [outcome.code for outcome in outcomes] == [0, 0]
    assert outcomes[0].out.replace("a.npz", "a1.npz") == outcomes[1].out
    assert_same(load_pack(tmp_path / "a.npz"), load_pack(tmp_path / "a1.npz"))
    assert "python deploy/make_pack.py --data clips" in program("--help").out


def test_show_picks_a_sequence(mksgn: Command, tmp_path: Path) -> None:
    pack = synthetic_pack(12)
    save_pack(pack, tmp_path / "a.npz")
    for asked in ("5", pack.names[5]):
        assert mksgn("data", "show", "a.npz", "--animate", "a.html", "--sequence", asked).code == 0
        assert f"{pack.names[5]}: {pack.class_names[5]}" in (tmp_path / "a.html").read_text()
    for asked in ("12", "-1", "nobody"):
        refused = mksgn("data", "show", "a.npz", "--animate", "b.html", f"--sequence={asked}")
        assert refused.code == 2 and "0..11" in refused.err and not (tmp_path / "b.html").exists()
    assert mksgn("data", "show", "a.npz", "--sequence", "1").code == 2
    made = mksgn("data", "show", "synthetic")
    assert made.code == 0 and "made here" in made.out


@pytest.fixture
def net(tmp_path: Path) -> Path:
    write_net(graph_for(synthetic_pack(12), "synthetic"), tmp_path / "syn.net")
    return tmp_path / "syn.net"


def test_a_tensor_says_what_the_recording_says(mksgn: Command, net: Path, tmp_path: Path) -> None:
    """The readout of the tensor is that of the sample, whatever T."""
    pack = synthetic_pack(24)
    save_pack(pack, tmp_path / "a.npz")
    asked = ("--backend", "emulator", "--data", "a.npz", "--split", "all")
    assert mksgn("run", "--net", net, *asked, "--json", "run.json").code == 0
    expected = json.loads((tmp_path / "run.json").read_text())["predictions"]
    for number in (0, 7, 23):
        made = mksgn("data", "tensor", "--net", net, "--data", "a.npz", "--sequence", number, "--out", "x.npy")
        assert made.code == 0, made.err
        assert np.load(tmp_path / "x.npy").dtype == np.int8 and pack.names[number] in made.out
        assert mksgn("run", "--net", net, "--backend", "emulator", "--input", "x.npy", "--dump", "o.npz").code == 0
        out = np.load(tmp_path / "o.npz")["out"]
        assert out.shape[-1] == 1 and int(out.ravel().argmax()) == expected[number]


def test_tensors_that_cannot_be_made(mksgn: Command, net: Path, tmp_path: Path) -> None:
    coco_results(tmp_path / "a.json", walker(4, 17))
    for words, said in ((("--data", "a.json", "--out", "x.npy"), "another number of joints"),
                        (("--data", "synthetic", "--out", "x.npz"), "ends in .npy"),
                        (("--data", "synthetic", "--out", "x.npy", "--body", "coco17"), "synthetic data is not read")):
        refused = mksgn("data", "tensor", "--net", net, *words)
        assert refused.code == 2 and said in refused.err
        assert not (tmp_path / "x.npy").exists()


def test_bodies_are_listed_described_and_drawn(mksgn: Command, tmp_path: Path) -> None:
    listed = mksgn("bodies")
    assert listed.code == 0 and all(name in listed.out for name in BODIES)
    for name, body in BODIES.items():
        shown = mksgn("bodies", name)
        assert all(joint in shown.out for joint in body.joint_names) and body.joint_names[body.root] in shown.out
        assert mksgn("bodies", "--draw", name, f"{name}.svg").code == 0
        assert (tmp_path / f"{name}.svg").read_text().count("<circle") == body.body.num_joints
    assert "coco17" in mksgn("bodies", "yolo").out
    for words in (("nobody",), ("--draw", "nobody", "a.svg"), ("--draw", "coco17", "a.png")):
        assert mksgn("bodies", *words).code == 2
    assert not (tmp_path / "a.svg").exists()


def test_a_pack_of_nothing_known_is_shown(mksgn: Command, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    pack = Pack(data=rng.normal(size=(5, 1, 3, 2)), offsets=np.array([0, 5]), labels=np.array([-1]),
                names=np.array(["x"]), class_names=(), joint_names=("a", "b", "c"), edges=np.array([[0, 1], [1, 2]]))
    save_pack(pack, tmp_path / "a.npz")
    shown = mksgn("data", "show", "a.npz")
    assert shown.code == 0
    for words in ("unnamed: 3 joints", "2-D", "1 without a label", "splits:         none"):
        assert words in shown.out
