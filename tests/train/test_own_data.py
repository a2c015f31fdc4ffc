"""Own recordings in the programs: flat and scored ones trained end to end, own splits, and data that does not fit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pose_files import coco_results
from programs import Command, Program

from mksgn.data.augmentation import BODY, augmentation_for, lateral_joints
from mksgn.data.compatibility import META_KEY, describe
from mksgn.data.facts import Facts
from mksgn.data.pack import Pack, load_pack, save_pack
from mksgn.data.preprocess import Augment, Preprocess
from mksgn.data.splits import split
from mksgn.data.synthetic import synthetic_pack
from mksgn.emulator import Emulator
from mksgn.netx import read_net
from mksgn.skeleton.bodies import COCO17
from mksgn.training.run_files import CHECKPOINT, read_state

SHORT = ("--val-subjects", "--widths", 4, 4, 4, "--frames", 8, "--batch", 16, "--epochs", 1, "--device", "cpu")
TINY = (*SHORT, "--tune-epochs", 0)
CLIPS = 48


@pytest.fixture
def mksgn(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    return Command(capsys, monkeypatch, tmp_path)


def flat_clips(folder: Path, count: int = CLIPS) -> Path:
    """Synthetic people as COCO-17 in pixels, a folder for each of two classes; eyes and ears are never found, and the
    left wrist of every other frame has a low score. The names carry the subjects, and an index lists them."""
    pack = synthetic_pack(count)
    at = {f"{side}_{part}": pack.joint_names.index(f"{part}_{side}") for side in ("left", "right")
          for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")} | {"nose": pack.joint_names.index("head")}
    lines = ["name,subject"]
    for i in range(count):
        sequence = pack.sequence(i)[:, 0]
        points = np.zeros((len(sequence), 17, 3))
        for v, joint in enumerate(COCO17.joint_names):
            if joint in at:
                points[:, v, :2] = (960, 540) + sequence[:, at[joint], :2] * (300, -300)
                points[:, v, 2] = 0.9
        wrist = COCO17.joint_names.index("left_wrist")
        points[::2, wrist] = (7, 7, 0.05)
        path = folder / ("odd" if i % 2 else "even") / f"{pack.names[i]}.json"
        coco_results(path, points[..., :2])
        entries = json.loads(path.read_text())
        for entry, frame in zip(entries, points):
            entry["keypoints"] = frame.ravel().tolist()
        path.write_text(json.dumps(entries))
        lines.append(f"{pack.names[i]},{1 + i // 2 % 5}")
    (folder.parent / "people.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.slow
def test_flat_scored_clips_from_a_folder_to_a_net_that_runs(mksgn: Command, tmp_path: Path) -> None:
    flat_clips(tmp_path / "clips")
    trained = mksgn("train", *SHORT, "--tune-epochs", 1, "--data", "clips", "--index", "people.csv",
                    "--test-subjects", 2, 4,
                    "--missing", "interpolate", "--min-score", 0.2, "--out", "run")
    assert trained.code == 0, trained.err
    assert "protocol test-subjects=2,4: subjects 2, 4 test" in trained.out and "missing" not in trained.out
    graph = read_net(tmp_path / "run" / "mksgn.net")
    preprocess = Preprocess.from_json(graph.meta["preprocess"])
    assert (preprocess.missing, preprocess.min_score, preprocess.lateral) == ("interpolate", 0.2, ())
    assert graph.meta["protocol"] == "test-subjects=2,4"
    pack = load_pack(made_pack(mksgn, tmp_path))
    assert json.loads(graph.meta[META_KEY]) == json.loads(json.dumps(describe(pack).__dict__))
    ran = mksgn("run", "--net", "run", "--data", "clips", "--index", "people.csv", "--backend", "emulator", "--json",
                "run.json")
    assert ran.code == 0, ran.err
    assert "split test of test-subjects=2,4 (subjects 2, 4 test)" in ran.out and "note:" not in ran.out
    result = json.loads((tmp_path / "run.json").read_text())
    test = np.flatnonzero(np.isin(pack.ids["subject"], (2, 4)))
    assert result["names"] == pack.names[test].tolist() and result["accuracy"] is not None
    # What the net reads: no joint far away, none that the estimator did not believe, and z nowhere.
    x = np.stack([preprocess.of(pack, int(i)) for i in test])
    assert not x[:, 2].any() and x[:, :2].any()
    unseen = [COCO17.joint_names.index(f"{side}_eye") for side in ("left", "right")]
    assert not x[:, :, :, unseen].any()
    plain = replace(preprocess, missing="", min_score=0.0)
    assert not np.array_equal(plain.of(pack, int(test[0])), x[0])
    with Emulator(graph) as emulator:
        assert emulator.run(x).predictions.tolist() == result["predictions"]
    counted = mksgn("energy", "--net", "run", "--data", "clips", "--index", "people.csv", "--json", "energy.json")
    assert counted.code == 0, counted.err
    assert "test-subjects=2,4" in counted.out
    assert json.loads((tmp_path / "energy.json").read_text())["run"]["samples"] == len(test)


def made_pack(mksgn: Command, folder: Path) -> Path:
    assert mksgn("data", "convert", "--data", "clips", "--index", "people.csv", "--out", "clips.npz").code == 0
    return folder / "clips.npz"


def test_unlabelled_clips_run_without_ceremony(mksgn: Command, tmp_path: Path) -> None:
    clips = flat_clips(tmp_path / "clips", 24)
    assert mksgn("train", *TINY, "--data", "clips", "--index",
                 "people.csv", "--test-ratio", 0.2, "--split-seed", 3, "--out", "run").code == 0
    assert read_net(tmp_path / "run" / "mksgn.net").meta["protocol"] == "test-ratio=0.2,seed=3"
    new = tmp_path / "new"
    new.mkdir()
    for path in sorted((clips / "even").iterdir())[:3]:
        path.rename(new / path.name)
    for data, count in (("new", 3), (next(iter(sorted(new.iterdir()))), 1)):
        ran = mksgn("run", "--net", "run", "--data", data, "--backend", "emulator", "--json", "r.json")
        assert ran.code == 0, ran.err
        result = json.loads((tmp_path / "r.json").read_text())
        assert (result["samples"], result["accuracy"], len(result["predictions"])) == (count, None, count)
        assert "accuracy: none, the samples have no labels" in ran.out


def test_missing_joints_are_said_before_training(mksgn: Command, tmp_path: Path) -> None:
    flat_clips(tmp_path / "clips", 24)
    trained = mksgn("train", *TINY, "--data", "clips", "--index",
                    "people.csv", "--test-subjects", 1, "--out", "run")
    assert trained.code == 0, trained.err
    assert "23.5% of the joints are missing" in trained.out and "--missing interpolate" in trained.out


@pytest.mark.parametrize(("words", "said"), [
    (("--test-subjects", 1, "--test-ratio", 0.5), "more than once"),
    (("--test-subjects", 1, "--protocol", "as-packed"), "more than once"),
    (("--test-subjects", 99), "not in the data"),
    (("--test-ratio", 1.5), "between 0 and 1"),
    (("--split-seed", 3), "--test-ratio"),
    (("--protocol", "dance"), "dance"),
    (("--min-score", 0.5), "--missing interpolate"),
    (("--missing", "interpolate", "--min-score", -1), "--min-score"),
    (("--body", "coco17",), "synthetic data is not read"),
])
def test_bad_splits_and_options_are_one_error(mksgn: Command, tmp_path: Path, words: tuple[object, ...],
                                              said: str) -> None:
    refused = mksgn("train", *TINY, "--out", "run", *words)
    assert refused.code == 2 and said in refused.err, refused.err
    assert not (tmp_path / "run").exists()


def test_reading_and_splitting_are_resumed(mksgn: Command, tmp_path: Path) -> None:
    """A resumed run reads and splits as it did, without being told again."""
    flat_clips(tmp_path / "clips", 24)
    run = ("--data", "clips", "--index", "people.csv", "--test-subjects", 1, "--out", "run")
    assert mksgn("train", *SHORT, "--tune-epochs", 1, *run).code == 0
    state = read_state(tmp_path / "run" / CHECKPOINT)
    assert state["options"]["reading"]["index"] == "people.csv"
    again = mksgn("train", "--resume", "--out", "run", "--tune-epochs", 2)
    assert again.code == 0, again.err
    assert "protocol test-subjects=1" in again.out


def test_a_named_split_trains_and_runs(mksgn: Command, tmp_path: Path) -> None:
    pack = synthetic_pack(48)
    half = np.arange(48) % 4 == 0
    save_pack(replace(pack, test=None, ids={"subject": pack.ids["subject"]},
                      splits={"mine_train": ~half, "mine_val": half}), tmp_path / "named.npz")
    trained = mksgn("train", *TINY, "--data", "named.npz", "--out", "run")
    assert trained.code == 0, trained.err
    assert "protocol mine: the pack's own split mine_train / mine_val" in trained.out
    ran = mksgn("run", "--net", "run", "--data", "named.npz", "--backend", "emulator", "--json", "r.json")
    assert "split test of mine" in ran.out
    assert json.loads((tmp_path / "r.json").read_text())["names"] == pack.names[half].tolist()


def test_teachers_take_the_same_options(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
                                        tmp_path: Path) -> None:
    flat_clips(tmp_path / "clips", 24)
    teacher = Program("train/train_teacher.py", capsys, monkeypatch, tmp_path)
    done = teacher("--data", "clips", "--index", "people.csv", "--test-subjects", 1, "--base-channels", 8,
                   "--frames", 8, "--epochs", 1, "--batch", 8, "--missing", "interpolate", "--out", "t", "--device",
                   "cpu")
    assert done.code == 0, done.err
    assert "protocol test-subjects=1: subjects 1 test" in done.out
    refused = teacher("--data", "clips", "--min-score", 0.5, "--out", "u")
    assert refused.code == 2 and "--missing interpolate" in refused.err


@pytest.mark.slow
def test_data_that_is_not_of_the_kind_is_refused_with_the_figures(mksgn: Command, tmp_path: Path) -> None:
    pack = synthetic_pack(60)
    save_pack(pack, tmp_path / "own.npz")
    assert mksgn("train", *TINY, "--data", "own.npz", "--out", "run").code == 0

    def run(other: Pack, *words: object) -> tuple[int, str]:
        save_pack(other, tmp_path / "other.npz")
        done = mksgn("run", "--net", "run", "--data", "other.npz", "--backend", "emulator", *words)
        return done.code, done.out + done.err

    assert run(pack)[0] == 0 and "note" not in run(pack)[1]
    tipped = replace(pack, data=np.stack([pack.data[..., 0], -pack.data[..., 2], pack.data[..., 1]], axis=-1))
    code, said = run(tipped)
    assert code == 2 and "+z in 100% of 60 sequences" in said and "--upright" in said
    code, said = run(tipped, "--upright")
    assert code == 2 or "note" not in said
    code, said = run(replace(pack, data=pack.data[..., :2]))
    assert code == 2 and "2-D" in said and "3-D" in said
    code, said = run(replace(pack, data=pack.data * np.float32(1000), facts=Facts("mm", "+y")))
    assert code == 0 and "note: Bodies have another size" in said and "times as large" in said
    code, said = run(replace(pack, joint_names=tuple(reversed(pack.joint_names))))
    assert "other names" in said or code == 2


def test_augmentation_suits_the_data() -> None:
    pack = synthetic_pack(12)
    asked = Augment(yaw=30, pitch=10, roll=5, noise=0.01, mirror=0.5)
    same = augmentation_for(pack, asked)
    assert (same.yaw, same.pitch, same.roll, same.noise, same.mirror) == (30, 10, 5, 0.01, 0.5) and same.mirrored
    assert augmentation_for(replace(pack, facts=Facts("mm", "+y")), asked).noise == pytest.approx(10)
    flat = replace(pack, data=pack.data[..., :2] * np.float32(300), facts=Facts("px", "-y"))
    suited = augmentation_for(flat, asked)
    assert (suited.yaw, suited.pitch, suited.roll) == (0, 0, 5)
    assert suited.noise == pytest.approx(0.01 * describe(flat).size / BODY) and 1 < suited.noise < 5
    assert lateral_joints(pack) and not lateral_joints(flat)
    # Turned, cut, mirrored and shaken, flat data stays flat.
    preprocess = Preprocess(frames=8, lateral=lateral_joints(flat))
    for seed in range(5):
        shaken = preprocess.of(flat, 0, suited, np.random.default_rng(seed))
        assert not shaken[2].any()
        assert not np.array_equal(shaken, preprocess.of(flat, 0))


def test_own_halves_are_those_of_the_options(mksgn: Command, tmp_path: Path) -> None:
    pack = synthetic_pack(96)
    found = split(pack, "test-views=2", val_subjects=())
    save_pack(pack, tmp_path / "a.npz")
    trained = mksgn("train", *TINY, "--data", "a.npz", "--test-views", 2,
                    "--out", "run")
    assert trained.code == 0 and f"{len(found.train)} train, 0 val, {len(found.test)} test" in " ".join(
        trained.out.split())
