"""train/train_mksgn.py on another body, other classes, two people and another frame rate; NW-UCLA's other splits."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from programs import Program, trainings_in_this_process

from mksgn.data.pack import Pack, load_pack, save_pack
from mksgn.data.synthetic import synthetic_pack
from mksgn.netx import read_net
from mksgn.skeleton.bodies import COCO17

CLASSES, PEOPLE, EVERY = 7, 2, 2
SMALL = ("--device", "cpu", "--teacher=--epochs 1 --base-channels 8 --frames 8 --batch 24",
         "--member=--epochs 1 --average-part 0 --widths 4 4 --strides 1 2 --coder-width 2 --frames 8 --batch 24")


@pytest.fixture
def program(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Program:
    return Program("train/train_mksgn.py", capsys, monkeypatch, tmp_path)


def other_pack(count: int = 84) -> Pack:
    """Two synthetic people with COCO's 17 joints at half the frame rate; the second does the first's action later."""
    pack = synthetic_pack(count)
    kept = np.flatnonzero(pack.labels < CLASSES)
    at = [pack.joint_names.index("_".join(reversed(name.split("_"))) if name[:4] in ("left", "righ") and
                                 not name.endswith(("eye", "ear")) else "head") for name in COCO17.joint_names]
    clips = []
    for i in kept:
        one = pack.sequence(i)[::EVERY, 0][:, at]
        clips.append(np.stack([one, np.roll(one, 3, axis=0) + np.float32((1, 0, 0))], axis=1))
    ids = {name: values[kept] for name, values in pack.ids.items()}
    return replace(pack, data=np.concatenate(clips), offsets=np.cumsum([0, *map(len, clips)]), labels=pack.labels[kept],
                   names=pack.names[kept], class_names=pack.class_names[:CLASSES], ids=ids, test=pack.test[kept],
                   joint_names=COCO17.joint_names, edges=COCO17.body.edges)


@pytest.mark.slow
@pytest.mark.parametrize(("persons", "split"), [(1, ()), (PEOPLE, ("--test-views", 1))],
                         ids=["nothing said", "two people"])
def test_another_body_with_other_classes(program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                         persons: int, split: tuple[object, ...]) -> None:
    """Without an option the net is of one person and the pack's split; the options here only make it small."""
    trainings_in_this_process(monkeypatch)
    path, out = tmp_path / "other.npz", tmp_path / "flagship"
    save_pack(other_pack(), path)
    said = () if persons == 1 else ("--persons", persons)
    outcome = program("--data", path, "--out", out, *SMALL, *said, *split)
    assert outcome.code == 0, outcome.err
    graph = read_net(out / "mksgn.net")
    assert graph.input.shape[2] == persons * COCO17.body.num_joints and graph.output.shape[0] == CLASSES
    assert graph.meta["protocol"] == ("test-views=1" if split else "as-packed")
    assert graph.meta["labels"] == list(load_pack(path).class_names)
    assert json.loads(graph.meta["preprocess"])["persons"] == persons


@pytest.mark.parametrize(("said", "trained", "protocol"), [
    ((), (1, 2), None), (("--test-views", 2), (1, 3), "test-views=2"), (("--test-views", 1), (2, 3), "test-views=1")],
    ids=["3 tests", "2 tests", "1 tests"])
def test_nw_ucla_split_each_way_is_one_option(program: Program, nw_ucla_path: Path, tmp_path: Path,
                                              said: tuple[object, ...], trained: tuple[int, int],
                                              protocol: str | None) -> None:
    outcome = program("--data", nw_ucla_path, "--out", tmp_path / "out", "--plan", *said)
    assert outcome.code == 0, outcome.err
    sequences = int(np.isin(load_pack(nw_ucla_path).ids["view"], trained).sum())
    assert f"6 steps, {sequences:,} training sequences" in outcome.out
    assert outcome.out.count(f"--protocol {protocol}") == (0 if protocol is None else 5)


def test_a_split_that_is_said_twice_is_one_error(program: Program, tmp_path: Path) -> None:
    outcome = program("--out", tmp_path / "out", "--plan", "--test-views", 1, "--protocol", "synthetic")
    assert outcome.code == 2 and "described more than once" in outcome.err
