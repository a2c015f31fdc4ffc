"""BVH, MSR-Action3D and the plain layout: real files where they are, made files always, damaged ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pose_files import BVH, walker

from mksgn.data.axes import measured_up
from mksgn.data.facts import Facts
from mksgn.data.own_splits import named_protocols
from mksgn.data.readers import read
from mksgn.data.readers.bvh import read_bvh_file
from mksgn.data.readers.options import ReadOptions
from mksgn.data.readers.plain import read_edges
from mksgn.data.readers.recognise import format_of
from mksgn.errors import ConfigError, DataError
from mksgn.skeleton.bodies import COCO17, MSR20, name_of


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_forward_kinematics_by_hand(tmp_path: Path) -> None:
    """research.cs.wisc.edu/graphics/Courses/cs-838-1999/Jeff/BVH.html"""
    motion = read_bvh_file(written(tmp_path / "a.bvh", BVH))
    assert motion.names == ("hips", "left_up_leg", "left_foot", "left_foot_end", "head")
    assert motion.parents == (-1, 0, 1, 2, 0)
    np.testing.assert_allclose(motion.points[0], [[1, 2, 3], [2, 2, 3], [2, 0, 3], [2, 0, 4], [1, 5, 3]], atol=1e-12)
    # Hips turned by 90 degrees about z, the foot by 90 about x.
    np.testing.assert_allclose(motion.points[1], [[1, 2, 3], [1, 3, 3], [3, 3, 3], [4, 3, 3], [-2, 2, 3]], atol=1e-12)
    pack = read(tmp_path / "a.bvh")
    assert (pack.joint_names, pack.scores, pack.facts) == (motion.names, None, Facts(source="bvh"))


def test_the_order_of_rotations_is_that_of_the_channels(tmp_path: Path) -> None:
    text = BVH.replace("Zposition Zrotation Xrotation Yrotation", "Zposition Xrotation Zrotation Yrotation", 1)
    text = text.replace("1 2 3 90 0 0 0", "1 2 3 90 90 0 0")
    motion = read_bvh_file(written(tmp_path / "a.bvh", text))
    # X Z: the head's offset (0, 3, 0) goes to (-3, 0, 0) by z, and stays there by x.
    np.testing.assert_allclose(motion.points[1, 4], [1 - 3, 2, 3], atol=1e-12)
    np.testing.assert_allclose(motion.points[1, 1], [1, 2, 3 + 1], atol=1e-12)


def test_positions_of_inner_joints_stand_for_their_offsets(tmp_path: Path) -> None:
    text = BVH.replace("  JOINT Head\n  {\n    OFFSET 0 3 0\n    CHANNELS 3 Z", "  JOINT Head\n  {\n    OFFSET 0 3 0\n"
                       "    CHANNELS 6 Xposition Yposition Zposition Z")
    lines = text.splitlines()
    text = "\n".join([*lines[:-2], "1 2 3 0 0 0 0 0 0 0 0 0 5 6 7 0 0 0", "1 2 3 0 0 0 0 0 0 0 0 0 0 3 0 0 0 0"])
    motion = read_bvh_file(written(tmp_path / "a.bvh", text))
    np.testing.assert_allclose(motion.points[:, 4], [[6, 8, 10], [1, 5, 3]], atol=1e-12)


def test_a_real_bvh_file(data_dir: Path) -> None:
    pack = read(data_dir / "raw" / "bvh")
    assert (len(pack.data), pack.persons, len(pack.names)) == (69, 1, 1)
    assert {"hips", "left_up_leg", "right_fore_arm", "head", "left_toe_base"} <= set(pack.joint_names)
    points = pack.data[:, 0].astype(float)
    bones = np.linalg.norm(points[:, pack.edges[:, 0]] - points[:, pack.edges[:, 1]], axis=2)
    assert np.ptp(bones, axis=0).max() < 1e-3  # the hierarchy is rigid
    at = {name: v for v, name in enumerate(pack.joint_names)}
    assert measured_up(pack).axis == "+y"
    assert np.abs(points[:, [at["left_toe_base"], at["right_toe_base"]], 1]).min() < 5  # centimetres above the floor
    assert points[0, at["left_arm"], 0] > points[0, at["right_arm"], 0]  # faces +z, as Mixamo's figures do


@pytest.mark.parametrize(("old", "new"), [
    ("HIERARCHY", "ANARCHY"), ("MOTION", "EMOTION:"), ("Frames: 2", "Frames: 3"), ("Frames: 2", "Frames: x"),
    ("OFFSET 1 0 0", "OFFSET 1 0"), ("OFFSET 1 0 0", "OFFSET 1 nan 0"), ("OFFSET 1 0 0", "OFFSET one 0 0"),
    ("Zposition", "Wposition"), ("CHANNELS 6", "CHANNELS 9"), ("CHANNELS 6", "CHANNELS x"), ("1 2 3 90", "1 2 90"),
    ("1 2 3 90", "1 2 3 inf"), ("1 2 3 90", "1 2 3 x"), ("ROOT Hips", "JOINT Hips"), ("JOINT Head", "ROOT Head"),
    ("JOINT Head", "JAW Head"), ("}\n}\nMOTION", "}\nMOTION"), ("}\n}\nMOTION", "}\n}\n}\nMOTION")])
def test_damaged_bvh_files(tmp_path: Path, old: str, new: str) -> None:
    assert old in BVH
    path = written(tmp_path / "a.bvh", BVH.replace(old, new, 1))
    with pytest.raises(DataError) as error:
        read(path)
    assert "a.bvh" in error.value.where and "does not expect" not in error.value.what


def test_cut_bvh_files_and_other_rigs(tmp_path: Path) -> None:
    for cut in range(0, len(BVH) - 4, 23):
        with pytest.raises(DataError):
            read(written(tmp_path / "cut.bvh", BVH[:cut]))
    written(tmp_path / "rigs" / "a.bvh", BVH)
    written(tmp_path / "rigs" / "b.bvh", BVH.replace("Head", "Skull"))
    with pytest.raises(DataError, match="other joints") as error:
        read(tmp_path / "rigs")
    assert "skull" in error.value.got
    deep = "HIERARCHY\n" + "".join(f"{'JOINT' if i else 'ROOT'} a{i} {{ OFFSET 0 1 0 " for i in range(2000)) + "MOTION"
    with pytest.raises(DataError):
        read(written(tmp_path / "deep.bvh", deep))


def test_real_msr_action3d(data_dir: Path) -> None:
    """20 joints in an order of their own: Li, Zhang, Liu, CVPR workshops 2010."""
    folder = data_dir / "raw" / "msr-action3d"
    said: list[str] = []
    pack = read(folder, options=ReadOptions(skip_bad=True, say=said.append))
    assert (pack.names.tolist(), pack.labels.tolist(), pack.class_names[0], len(said)) == (
        ["a01_s01_e01_skeleton3D"], [0], "high arm wave", 1)
    assert ({k: v.tolist() for k, v in pack.ids.items()}) == {"action_id": [1], "subject": [1], "trial": [1]}
    assert (name_of(pack.body), pack.facts, measured_up(pack).axis) == (
        "msr20", Facts("m", "+y", "msr-action3d"), "+y")
    table = np.loadtxt(folder / "a01_s01_e01_skeleton3D.txt").reshape(-1, 20, 4)
    np.testing.assert_allclose(np.concatenate([pack.data[:, 0], pack.scores[:, 0, :, None]], axis=2), table, rtol=1e-6)
    moved = {name: float(pack.data[:, 0, v].std(axis=0).sum()) for v, name in enumerate(MSR20.joint_names)}
    assert max(moved, key=moved.__getitem__) == "hand_right"  # subjects were told to wave the right arm
    with pytest.raises(DataError, match="Nobody was found"):
        read(folder / "a13_s09_e02_skeleton3D.txt")


def msr_text(frames: int) -> str:
    points = walker(frames, 20, 3, scale=0.5)
    return "\n".join(" ".join(f"{x:.6f}" for x in (*joint, 1)) for frame in points for joint in frame)


def test_msr_splits_and_damage(tmp_path: Path) -> None:
    for subject in (1, 2, 3):
        written(tmp_path / f"a05_s{subject:02d}_e01_skeleton3D.txt", msr_text(3))
    pack = read(tmp_path)
    assert named_protocols(pack) == {"msr-xsub": ("msr-xsub_train", "", "msr-xsub_test")}
    assert pack.splits["msr-xsub_test"].tolist() == [False, True, False]
    text = msr_text(2)
    for bad in (text[:len(text) // 3], text.replace("1.000000", "1.0 1.0", 1), text + "\n1 2 3 4"):
        with pytest.raises(DataError):
            read(written(tmp_path / "a05_s01_e01_skeleton3D.txt", bad))
    with pytest.raises(DataError, match="unknown action"):
        read(written(tmp_path / "other" / "a21_s01_e01_skeleton3D.txt", text))


def plain_csv(points: np.ndarray, names: tuple[str, ...] = (), score: bool = False) -> str:
    head = ["frame", "joint", *"xyz"[:points.shape[2]], *(["score"] if score else [])]
    rows = [[str(f + 10), names[v] if names else str(v), *map(str, joint), *(["0.5"] if score else [])]
            for f, frame in enumerate(points) for v, joint in enumerate(frame)]
    return "\n".join(",".join(row) for row in [head, *rows])


def test_plain_tables(tmp_path: Path) -> None:
    points = walker(4, 3, 3)
    edges = written(tmp_path / "bones.txt", "# bones\n0 1\n1, 2\n")
    path = written(tmp_path / "clips" / "a.csv", plain_csv(points, score=True))
    with pytest.raises(ConfigError, match="bone") as config:
        read(path)
    assert "--edges" in config.value.allowed
    pack = read(path, options=ReadOptions(edges=edges, units="cm", up="+z"))
    assert (pack.edges.tolist(), pack.facts, pack.data.shape) == (
        [[0, 1], [1, 2]], Facts("cm", "+z", "plain"), (4, 1, 3, 3))
    np.testing.assert_allclose(pack.data[:, 0], points, rtol=1e-6)
    assert (pack.scores == 0.5).all()
    named = written(tmp_path / "named.csv", plain_csv(walker(2, 17), COCO17.joint_names))
    assert name_of(read(named).body) == "coco17"  # the names tell the body
    assert read(named).scores is None
    own = written(tmp_path / "own.txt", "hand elbow\nelbow shoulder\n")
    table = plain_csv(points, ("shoulder", "elbow", "hand"))
    pack = read(written(tmp_path / "arm.csv", table), options=ReadOptions(edges=own))
    assert (pack.joint_names, pack.edges.tolist()) == (("shoulder", "elbow", "hand"), [[2, 1], [1, 0]])


def test_absent_lines_and_nan_are_missing_joints(tmp_path: Path) -> None:
    lines = plain_csv(walker(4, 17), COCO17.joint_names).splitlines()
    lines[1 + 17 + 3] = lines[1 + 17 + 3].rsplit(",", 1)[0] + ",nan"
    del lines[1 + 2 * 17 + 5]
    pack = read(written(tmp_path / "a.csv", "\n".join(lines)))
    assert np.argwhere(pack.scores == 0).tolist() == [[1, 0, 3], [2, 0, 5]]
    assert not pack.data[pack.scores == 0].any()


def test_plain_arrays(tmp_path: Path) -> None:
    points, people = walker(4, 17, 3, scale=0.5), np.stack([walker(4, 17), walker(4, 17, seed=2)], axis=1)
    np.save(tmp_path / "a.npy", points)
    np.save(tmp_path / "b.npy", people)
    three = read(tmp_path / "a.npy", options=ReadOptions(body="coco17"))
    np.testing.assert_allclose(three.data[:, 0], points, rtol=1e-6)
    np.testing.assert_allclose(read(tmp_path / "b.npy", options=ReadOptions(body="yolo")).data, people, rtol=1e-6)
    with_score = np.concatenate([walker(4, 17), np.full((4, 17, 1), 0.5)], axis=2)
    np.save(tmp_path / "c.npy", with_score)
    with pytest.raises(DataError, match="x, y and a score") as error:
        read(tmp_path / "c.npy", options=ReadOptions(body="coco17"))
    assert "--channels xys" in error.value.fix and "0.5..0.5" in error.value.got
    pack = read(tmp_path / "c.npy", options=ReadOptions(body="coco17", channels="xys"))
    assert (pack.data.shape, float(pack.scores.max())) == ((4, 1, 17, 2), 0.5)


@pytest.mark.parametrize("text", [
    "frame,joint,x,y\n", "frame,joint,x,y\n0,0,1", "frame,joint,x,y\n0,99,1,2", "frame,joint,x,y\n0,0,1,b",
    "frame,joint,x,y\n0,0,1,2\n0,0,1,2", "frame,joint,x,y,shoe\n0,0,1,2,3", "frame,joint,x,y\n0.5,0,1,2",
    "frame,joint,x,y\n0,0,nan,nan", "frame,joint,x,y,y\n0,0,1,2,3"])
def test_damaged_tables(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError) as error:
        read(written(tmp_path / "a.csv", text), options=ReadOptions(body="coco17"))
    assert "does not expect" not in error.value.what


def test_damaged_arrays_and_bones(tmp_path: Path) -> None:
    options = ReadOptions(body="coco17")

    class Trap:
        def __reduce__(self) -> tuple:
            return (tmp_path / "sprung").mkdir, ()

    np.save(tmp_path / "a.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    for array in (None, np.zeros(3), np.zeros((2, 17, 5)), np.array(["a"]), np.zeros((2, 9, 3)) + 1,
                  np.zeros((0, 17, 3)), np.zeros((2, 17, 2), complex)):
        if array is not None:
            np.save(tmp_path / "a.npy", array)
        with pytest.raises(DataError):
            read(tmp_path / "a.npy", options=options)
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:50])
    with pytest.raises(DataError):
        read(tmp_path / "a.npy", options=options)
    assert not (tmp_path / "sprung").exists()
    with pytest.raises(ConfigError, match="unknown channels"):
        read(tmp_path / "a.npy", options=ReadOptions(body="coco17", channels="yx"))
    with pytest.raises(ConfigError, match="no body has this name"):
        read(tmp_path / "a.npy", options=ReadOptions(body="octopus"))
    for text in ("0 1 2", "0 0", "0", "0 99999"):
        with pytest.raises(DataError):
            read_edges(written(tmp_path / "e.txt", text))
    with pytest.raises(DataError, match="the data has not"):
        read_edges(written(tmp_path / "e.txt", "a z"), ("a", "b"))


def test_what_is_recognised(tmp_path: Path) -> None:
    assert format_of(written(tmp_path / "a.bvh", BVH)) == "bvh"
    assert format_of(written(tmp_path / "a.txt", msr_text(1))) == "msr-action3d"
    assert format_of(written(tmp_path / "a.csv", plain_csv(walker(1, 3)))) == "plain"
    beside = tmp_path / "folder"
    written(beside / "a.bvh", BVH)
    written(beside / "notes.txt", "read me")
    written(beside / "clips.csv", "name,label\na,1\n")
    assert format_of(beside) == "bvh"
    assert len(read(beside)) == 1
