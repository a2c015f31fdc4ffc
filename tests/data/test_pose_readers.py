"""Readers of what pose estimators write: real files where they are, files of the documented layouts always."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pose_files import (
    coco_results,
    landmarks,
    openpose_folder,
    openpose_frame,
    scored,
    walker,
    write_json,
    yolo_person,
)

from mksgn.data.facts import Facts
from mksgn.data.readers import read
from mksgn.data.readers.options import ReadOptions
from mksgn.data.readers.recognise import format_of
from mksgn.errors import ConfigError, DataError
from mksgn.skeleton.bodies import BODIES, MEDIAPIPE33, name_of


def test_real_openpose_frames(data_dir: Path) -> None:
    """BODY_25, one file a frame: github.com/CMU-Perceptual-Computing-Lab/openpose, doc/02_output.md."""
    folder = data_dir / "raw" / "openpose"
    pack = read(folder)
    assert (format_of(folder), name_of(pack.body), pack.data.shape, pack.names.tolist()) == (
        "openpose", "openpose25", (40, 2, 25, 2), ["balance"])
    assert (pack.facts, pack.scores is not None) == (Facts("px", "-y", "openpose"), True)
    files = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    for f in (0, 20, 39):
        people = np.array([p["pose_keypoints_2d"] for p in files[f]["people"]]).reshape(-1, 25, 3)
        for m in range(2):  # each place holds one of the people, and what was not found is 0 with score 0
            place = np.concatenate([pack.data[f, m], pack.scores[f, m][:, None]], axis=1)
            assert min(np.abs(place - person).max() for person in people) < 1e-3
    steps = np.linalg.norm(np.diff(pack.data[:, 0, 8], axis=0), axis=1)
    assert steps.max() < 60  # pixels: the person of the first place stays the same one


def test_real_alphapose_results(data_dir: Path) -> None:
    """COCO-17 in the COCO results layout: github.com/MVIG-SJTU/AlphaPose, docs/output.md."""
    path = data_dir / "raw" / "alphapose" / "alphapose-results.json"
    pack = read(path)
    entries = json.loads(path.read_text())
    numbers = [int(entry["image_id"].removesuffix(".jpg")) for entry in entries]
    assert (format_of(path), name_of(pack.body), pack.facts) == ("coco", "coco17", Facts("px", "-y", "coco"))
    assert len(pack.data) == max(numbers) - min(numbers) + 1
    first = np.array(entries[0]["keypoints"]).reshape(17, 3)
    assert any(np.allclose(pack.data[0, m], first[:, :2], atol=1e-3) for m in range(2))
    assert len(read(path, options=ReadOptions(persons=1)).data[0]) == 1


def test_real_mediapipe_files(data_dir: Path) -> None:
    folder = data_dir / "raw" / "mediapipe"
    pack = read(folder / "dance.json")
    assert (name_of(pack.body), pack.data.shape, pack.facts) == (
        "mediapipe33", (25, 1, 33, 3), Facts("m", "-y", "mediapipe"))
    frames = json.loads((folder / "dance.json").read_text())["frames"]
    assert pack.data[3, 0, 5, 2] == pytest.approx(frames[3]["keypoints3D"][5]["z"])
    assert pack.scores[3, 0, 14] == pytest.approx(frames[3]["keypoints3D"][14]["score"])
    assert [k["name"] for k in frames[0]["keypoints"]] == list(MEDIAPIPE33.joint_names)
    squat = read(folder / "squat.csv")
    lines = (folder / "squat.csv").read_text().splitlines()
    assert (squat.data.shape, squat.facts.units) == ((60, 1, 33, 3), "image")
    np.testing.assert_allclose(np.concatenate([squat.data[59, 0], squat.scores[59, 0][:, None]], axis=1).ravel(),
                               np.array(lines[-1].split(","), float)[1:], rtol=1e-6)
    with pytest.raises(DataError, match="mixes metric"):
        read(folder)


@pytest.mark.parametrize(("joints", "name"), [(25, "openpose25"), (18, "openpose18")])
def test_openpose_as_frames_and_as_one_file(tmp_path: Path, joints: int, name: str) -> None:
    points = walker(5, joints)
    by_frame = read(openpose_folder(tmp_path / "frames", points))
    whole = read(write_json(tmp_path / "one" / "clip.json", [openpose_frame(scored(frame)) for frame in points]))
    for pack in (by_frame, whole):
        assert (name_of(pack.body), pack.names.tolist(), pack.labels.tolist()) == (name, ["clip"], [-1])
        np.testing.assert_allclose(pack.data[:, 0], points, rtol=1e-6)
        assert (pack.scores == 0.5).all()
    numbered = [write_json(tmp_path / "clips" / f"take{i}.json", [openpose_frame(scored(f)) for f in points])
                for i in (1, 2)]
    assert len(read(numbered[0].parent)) == 2  # clips that are numbered are no frames of one
    write_json(numbered[0].parent / "other.json", [openpose_frame(scored(frame)) for frame in points])
    assert len(read(numbered[0].parent)) == 3


def test_a_joint_that_was_not_found_has_no_score(tmp_path: Path) -> None:
    points = scored(walker(4, 25))
    points[2, 7] = 0
    pack = read(write_json(tmp_path / "a.json", [openpose_frame(frame) for frame in points]))
    assert not pack.data[2, 0, 7].any() and pack.scores[2, 0, 7] == 0
    assert (pack.scores == 0).sum() == 1


def test_people_are_followed(tmp_path: Path) -> None:
    """Two people change places in the file in every frame; one is lost for a frame, one is a short ghost."""
    one, two, ghost = scored(walker(12, 25)), scored(walker(12, 25, seed=3)), scored(walker(12, 25, seed=9))
    frames = []
    for f in range(12):
        people = [one[f], two[f]][::1 if f % 2 else -1]
        people = [one[f]] if f == 5 else people + ([ghost[f]] if f == 8 else [])
        frames.append(openpose_frame(*people))
    pack = read(write_json(tmp_path / "a.json", frames))
    np.testing.assert_allclose(pack.data[:, 0], one[..., :2], rtol=1e-6)
    np.testing.assert_allclose(np.delete(pack.data[:, 1], 5, axis=0), np.delete(two[..., :2], 5, axis=0), rtol=1e-6)
    assert not pack.data[5, 1].any()
    assert read(tmp_path / "a.json", options=ReadOptions(persons=3)).data[:, 2].any(axis=(1, 2)).nonzero()[0] == [8]


def test_alphapose_with_a_tracker_and_halpe(tmp_path: Path) -> None:
    path = coco_results(tmp_path / "a.json", walker(4, 26), idx=7)
    far = {"image_id": "2.jpg", "keypoints": scored(walker(4, 26, seed=5))[2].ravel().tolist(), "idx": [1.0]}
    write_json(path, [*json.loads(path.read_text()), far])
    pack = read(path)
    assert (name_of(pack.body), pack.persons) == ("halpe26", 2)
    np.testing.assert_allclose(pack.data[:, 0], walker(4, 26), rtol=1e-6)


def test_images_that_are_no_film_keep_their_order(tmp_path: Path) -> None:
    entries = [{"image_id": number, "keypoints": scored(walker(1, 17))[0].ravel().tolist()}
               for number in (900_000, 139, 2**40)]
    pack = read(write_json(tmp_path / "a.json", entries))
    assert len(pack.data) == 3
    gap = [{**entries[0], "image_id": number} for number in (3, 6)]
    assert len(read(write_json(tmp_path / "b.json", gap)).data) == 4


@pytest.mark.parametrize("visible", [True, False])
def test_yolo_as_images_and_as_one_file(tmp_path: Path, visible: bool) -> None:
    """Results.to_json(): docs.ultralytics.com/reference/engine/results."""
    points = walker(5, 17)
    frames = [[yolo_person(frame, visible, track_id=3)] for frame in points]
    for f, frame in enumerate(frames):
        write_json(tmp_path / "walk" / f"frame_{f}.json", frame)
    for pack in (read(tmp_path / "walk"), read(write_json(tmp_path / "clip.json", frames))):
        assert (name_of(pack.body), len(pack), pack.facts) == ("coco17", 1, Facts("px", "-y", "yolo"))
        np.testing.assert_allclose(pack.data[:, 0], points, rtol=1e-6)
    part = read(write_json(tmp_path / "part.json", [[yolo_person(frame / 1000)] for frame in points]))
    assert part.facts.units == "image"


def test_frames_in_which_nobody_is(tmp_path: Path) -> None:
    """YOLO writes [] for such an image, also for the first of a clip."""
    points = walker(5, 17)
    for f in range(9):
        write_json(tmp_path / f"frame_{f}.json", [yolo_person(points[f - 4])] if f >= 4 else [])
    pack = read(tmp_path)
    assert (pack.facts.source, len(pack.data)) == ("yolo", 9)
    assert not pack.data[:4].any()
    np.testing.assert_allclose(pack.data[4:, 0], points, rtol=1e-6)


@pytest.mark.parametrize("layout", ["frames", "list", "people", "named", "world"])
def test_mediapipe_layouts(tmp_path: Path, layout: str) -> None:
    points = walker(4, 33, 3, scale=0.1)
    bodies = [landmarks(frame) for frame in points]
    content = {"frames": {"frames": [{"keypoints": body} for body in bodies]}, "list": bodies,
               "people": [[body] for body in bodies], "named": [{"poseLandmarks": body} for body in bodies],
               "world": [{"pose_landmarks": bodies[0], "pose_world_landmarks": body} for body in bodies]}[layout]
    pack = read(write_json(tmp_path / "a.json", content))
    assert (pack.facts.source, pack.facts.units) == ("mediapipe", "m" if layout == "world" else "image")
    np.testing.assert_allclose(pack.data[:, 0], points, rtol=1e-6)


@pytest.mark.parametrize("header", [
    ["frame", *(f"{n}_{a}" for n in MEDIAPIPE33.joint_names for a in ("x", "y", "z", "visibility"))],
    [f"{a}{v}" for v in range(1, 34) for a in ("x", "y", "z", "v")], [f"{v}_{a}" for v in range(33) for a in "xyz"],
    None])
def test_mediapipe_tables(tmp_path: Path, header: list[str] | None) -> None:
    points = walker(4, 33, 3, scale=0.1)
    table = points if header and len(header) == 99 else np.concatenate([points, np.full((4, 33, 1), 0.8)], axis=2)
    rows = [[str(f)] * (header is None or header[0] == "frame") + [str(x) for x in frame.ravel()]
            for f, frame in enumerate(table)]
    (tmp_path / "a.csv").write_text("\n".join(",".join(row) for row in ([header] if header else []) + rows))
    pack = read(tmp_path / "a.csv")
    assert pack.facts.source == "mediapipe"
    np.testing.assert_allclose(pack.data[:, 0], points, rtol=1e-6)


def test_classes_from_folders_and_from_an_index(tmp_path: Path) -> None:
    root = tmp_path / "own"
    for label, word in enumerate(("sit", "wave")):
        for take in range(2):
            coco_results(root / word / f"{word}{take}.json", walker(3, 17, seed=label))
    pack = read(root)
    assert (pack.class_names, pack.labels.tolist()) == (("sit", "wave"), [0, 0, 1, 1])
    index = tmp_path / "clips.csv"
    index.write_text("name,label,subject,view,test,split:quick\nsit0,rest,1,1,0,1\nsit1.json,rest,2,1,1,0\n"
                     "wave0,wave,1,2,0,yes\nwave1,,2,2,1,\n")
    pack = read(root, options=ReadOptions(index=index))
    assert (pack.class_names, pack.labels.tolist()) == (("rest", "wave"), [0, 0, 1, 1])
    assert (pack.ids["subject"].tolist(), pack.ids["view"].tolist()) == ([1, 2, 1, 2], [1, 1, 2, 2])
    assert pack.splits["quick"].tolist() == [True, False, True, False]
    numbers = tmp_path / "numbers.csv"
    numbers.write_text("name,label\nsit0,3\nsit1,0\nwave0,-1\nwave1,2\n")
    flat = tmp_path / "flat"
    for path in root.rglob("*.json"):
        write_json(flat / path.name, json.loads(path.read_text()))
    pack = read(flat, options=ReadOptions(index=numbers))
    assert (pack.labels.tolist(), len(pack.class_names)) == ([3, 0, -1, 2], 4)


def test_frames_in_folders_of_clips_and_of_classes(tmp_path: Path) -> None:
    points = walker(3, 25)
    for clip in ("a", "b"):
        openpose_folder(tmp_path / "clips" / clip, points, "video")
        openpose_folder(tmp_path / "deep" / "run" / clip, points, "video")
        openpose_folder(tmp_path / "classes" / "run", points, clip)
    clips, deep, classes = (read(tmp_path / name) for name in ("clips", "deep", "classes"))
    assert (clips.names.tolist(), clips.class_names) == (["a", "b"], ())
    for pack in (deep, classes):
        assert (pack.names.tolist(), pack.class_names, pack.lengths.tolist()) == (["a", "b"], ("run",), [3, 3])


def test_recordings_of_one_name_in_several_classes(tmp_path: Path) -> None:
    for word in ("sit", "wave"):
        coco_results(tmp_path / "own" / word / "take1.json", walker(3, 17))
    assert read(tmp_path / "own").names.tolist() == ["sit/take1", "wave/take1"]
    (tmp_path / "i.csv").write_text("name,subject\nsit/take1.json,4\nwave/take1,5\n")
    pack = read(tmp_path / "own", options=ReadOptions(index=tmp_path / "i.csv"))
    assert (pack.ids["subject"].tolist(), pack.class_names) == ([4, 5], ("sit", "wave"))
    (tmp_path / "j.csv").write_text("name,label\nvideos/take1.mp4,jump\n")
    one = read(tmp_path / "own" / "sit" / "take1.json", options=ReadOptions(index=tmp_path / "j.csv"))
    assert one.class_names == ("jump",)


def test_a_crowd_is_followed_in_part(tmp_path: Path) -> None:
    crowd = [scored(walker(1, 25, seed=seed)[0], 0.1 + seed / 200) for seed in range(90)]
    pack = read(write_json(tmp_path / "a.json", [openpose_frame(*crowd)] * 2))
    assert pack.scores[:, 0].min() == pytest.approx(0.1 + 89 / 200)
    for persons in (0, 99, 1.5):
        with pytest.raises(ConfigError, match="number of persons"):
            ReadOptions(persons=persons)


@pytest.mark.parametrize(("text", "message"), [
    ("label\n1", "no column 'name'"), ("name,shoe\na,1", "unknown column"), ("name,label\na,1\na,1", "twice"),
    ("name,subject\na,one", "no whole number"), ("name,label\na", "number of cells"), ("name,test\na,maybe", "neither"),
    ("name,label\nother,1", "does not name a recording")])
def test_bad_indexes(tmp_path: Path, text: str, message: str) -> None:
    coco_results(tmp_path / "a.json", walker(2, 17))
    (tmp_path / "i.csv").write_text(text)
    with pytest.raises(DataError, match=message) as error:
        read(tmp_path / "a.json", options=ReadOptions(index=tmp_path / "i.csv"))
    assert "i.csv" in error.value.where


def test_empty_clips_are_refused_or_counted(tmp_path: Path) -> None:
    coco_results(tmp_path / "a.json", walker(2, 17))
    write_json(tmp_path / "b.json", [{"image_id": 1, "keypoints": [0.0] * 51}])
    (tmp_path / "c.json").write_text('[{"image_id": 1, "keyp')
    said: list[str] = []
    with pytest.raises(DataError, match="Nobody was found") as error:
        read(tmp_path)
    assert "--skip-bad" in error.value.fix
    pack = read(tmp_path, options=ReadOptions(skip_bad=True, say=said.append))
    assert pack.names.tolist() == ["a"]
    assert said == [line for line in said if line.startswith("left out 2 recordings")] and "Nobody" in said[0]
    (tmp_path / "a.json").unlink()
    with pytest.raises(DataError):
        read(tmp_path, options=ReadOptions(skip_bad=True))


@pytest.mark.parametrize("content", [
    {"people": 3}, {"people": [3]}, {"people": [{"pose_keypoints_2d": [1, 2]}]},
    {"people": [{"pose_keypoints_2d": ["a"] * 75}]}, {"people": [{"pose_keypoints_2d": [1.0] * 9}]},
    {"people": [{"pose_keypoints_2d": [10**400] * 75}]}, [{"people": []}, 3],
    [{"image_id": "x", "keypoints": [1.0] * 51}], [{"image_id": 1, "keypoints": [1.0] * 6}],
    [{"image_id": 1, "keypoints": None}], [{"image_id": 1}], [3, {"image_id": 1}], {"image_id": 1},
    [{"keypoints": {"x": [1.0], "y": [1.0, 2.0]}}], [{"keypoints": {"x": 3}}], {"keypoints": {"x": [1.0]}},
    [{"keypoints": {"x": [1.0] * 17, "y": [True] * 17}}], {"frames": [{"keypoints": [{"x": 1}]}]},
    {"frames": [{"keypoints": [{"x": "a", "y": 1, "z": 1}] * 33}]}, {"frames": 3, "landmarks": []},
    {"frames": [{"landmarks": [3] * 33}]}, [[{"x": 1.0, "y": 1.0}] * 32], {"frames": [{"keypoints": []}]}])
def test_damaged_json_is_one_error(tmp_path: Path, content: object) -> None:
    with pytest.raises(DataError) as error:
        read(write_json(tmp_path / "a.json", content))
    assert "a.json" in error.value.where
    assert error.value.__cause__ is None or "does not expect" not in error.value.what


def test_cut_files_are_one_error(tmp_path: Path) -> None:
    for name, path in (("coco", coco_results(tmp_path / "a.json", walker(2, 17))),
                       ("openpose", write_json(tmp_path / "b.json", [openpose_frame(scored(walker(1, 25)[0]))])),
                       ("yolo", write_json(tmp_path / "c.json", [yolo_person(walker(1, 17)[0])])),
                       ("mediapipe", write_json(tmp_path / "d.json", [landmarks(walker(1, 33, 3)[0])]))):
        assert format_of(path) == name
        text = path.read_text()
        for cut in range(1, len(text), max(1, len(text) // 17)):
            path.write_text(text[:cut])
            with pytest.raises(DataError):
                read(path)


def test_bodies_of_estimators_are_known_by_number_of_joints() -> None:
    numbers = [BODIES[name].body.num_joints for name in ("coco17", "halpe26", "openpose18", "openpose25")]
    assert len(set(numbers)) == 4
