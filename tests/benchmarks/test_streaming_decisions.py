"""benchmarks/streaming.py --decisions: what it says of clips that are seen frame by frame."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from continuous_net import continuous_net
from programs import Program, program_module

from mksgn.data.pack import Pack
from mksgn.data.preprocess import Preprocess
from mksgn.data.synthetic import synthetic_pack
from mksgn.emulator import Emulator
from mksgn.netx import write_net
from mksgn.skeleton import UCLA20

LATERAL = ((4, 8), (12, 16))


@pytest.fixture(scope="module")
def module() -> Iterator[ModuleType]:
    with program_module("benchmarks/_streaming_decisions.py") as found:
        yield found


@pytest.fixture
def program(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Program:
    return Program("benchmarks/streaming.py", capsys, monkeypatch, tmp_path)


def course(module: ModuleType, label: int, decided: list[int], sure: list[float]) -> object:
    scores = np.zeros((len(decided), 3))
    scores[np.arange(len(decided)), decided] = sure
    events = np.arange(1, len(decided) + 1)
    return module.Course(label, np.array(decided), scores, events, 10 * events, 100 * events)


def test_parts_of_a_clip_are_whole_frames(module: ModuleType) -> None:
    assert [module.seen(25, part) for part in (10, 50, 100)] == [3, 13, 25]
    assert [module.seen(1, part) for part in (10, 100)] == [1, 1]
    found = [course(module, 1, [0, 0, 0, 0, 0, 1, 1, 1, 1, 1], [0.5] * 10), course(module, 2, [2] * 10, [0.5] * 10)]
    seen = module.observed(found)
    assert seen["accuracy_by_percent"] == {part: (0.5 if part <= 50 else 1.0) for part in range(10, 101, 10)}
    assert seen["area"] == pytest.approx(0.75)


def test_an_early_exit_takes_the_first_sure_decision(module: ModuleType) -> None:
    one = course(module, 1, [0, 0, 0, 1, 1, 1], [0.9, 0.9, 0.9, 0.5, 0.9, 0.9])
    two = course(module, 2, [2, 2, 2, 2, 0, 0], [0.1, 0.2, 0.3, 0.9, 0.4, 0.5])
    found = module.early_exit([one, two], 0.8, after=2)
    assert found["accuracy"] == 0.5 and found["frames"] == 3.0 and found["part_of_the_clip"] == pytest.approx(0.5)
    assert (found["spikes"], found["synops"], found["macs"]) == ((3 + 10) / 2, (30 + 100) / 2, (300 + 1000) / 2)
    held = module.early_exit([one, two], 0.8, hold=2, after=2)
    assert held["frames"] == (2 + 6) / 2, "the same twice"
    assert module.early_exit([one], 0.8, hold=2, after=3)["frames"] == 3
    never = module.early_exit([one, two], 2.0)
    assert never["accuracy"] == 0.5 and never["frames"] == 6 and never["synops"] == 210
    foreseen = module.foreseeing_exit([one, two], after=2)
    assert foreseen["accuracy"] == 0.5 and foreseen["frames"] == (4 + 5) / 2 and foreseen["synops"] == (100 + 150) / 2
    assert module.foreseeing_exit([one], after=9)["frames"] == 6, "a clip of fewer frames ends with its last"


def test_a_decision_is_stable_when_it_stays(module: ModuleType) -> None:
    found = module.stable([course(module, 1, [1, 0, 1, 1], [0.5] * 4), course(module, 1, [1, 1, 1, 0], [0.5] * 4),
                           course(module, 0, [0, 0, 0, 0], [0.5] * 4)])
    assert found == {"actions": 3, "settled": pytest.approx(2 / 3), "frames_right": pytest.approx(10 / 12),
                     "median_frames": 2.0, "frames_90_percent": pytest.approx(2.8)}


def test_a_stitched_body_neither_jumps_nor_spins(module: ModuleType) -> None:
    pack = synthetic_pack(12)
    made = module.stitched(pack, np.array([3, 0, 7]), LATERAL)
    for i, frames in zip((3, 0, 7), made):
        def bones(values: np.ndarray) -> np.ndarray:
            return np.linalg.norm(values - values[:, :, :1], axis=3)
        np.testing.assert_allclose(bones(frames), bones(pack.sequence(i)), atol=1e-4)
    for before, after in pairwise(made):
        np.testing.assert_allclose(after[0, 0, UCLA20.center], before[-1, 0, UCLA20.center], atol=1e-5)
        ends = [sum((frames[:, 0, right] - frames[:, 0, left]).mean(axis=0) for left, right in LATERAL)[[0, 2]]
                for frames in (before[-8:], after[:8])]
        np.testing.assert_allclose(*[end / np.linalg.norm(end) for end in ends], atol=1e-4)


def test_decisions_are_those_of_the_clips_so_far(module: ModuleType, tmp_path: Path) -> None:
    pack = synthetic_pack(8)
    graph = continuous_net(pack)
    decider = module.FramewiseDecider(graph, tmp_path, 1)
    found = list(module.courses(decider, pack, np.arange(3)))
    stitched = module.stitched_courses(decider, pack, np.arange(3))
    decider.close()
    preprocess = Preprocess.from_json(str(graph.meta["preprocess"]))
    with Emulator(graph) as emulator:
        for i, each in enumerate(found):
            clips = np.stack([preprocess(pack.sequence(i)[:n], pack.body) for n in range(1, len(each.decided) + 1)])
            np.testing.assert_array_equal(each.decided, emulator.run(clips).predictions)
    assert all((each.synops > 0).all() and each.label == pack.labels[i] for i, each in enumerate(found))
    assert len({tuple(each.synops[:3]) for each in found}) == 3, "what fills the network is not counted"
    assert sorted(each.label for each in stitched) == sorted(each.label for each in found)


def test_the_program_writes_page_picture_and_rows(program: Program, tmp_path: Path, pack: Pack,
                                                  pack_path: Path) -> None:
    write_net(continuous_net(pack), tmp_path / "continuous.net")
    outcome = program("--data", pack_path, "--net", tmp_path / "continuous.net", "--samples", 10,
                      "--decisions", tmp_path / "out")
    assert outcome.code == 0, outcome.err
    page = (tmp_path / "out" / "streaming_decisions.md").read_text()
    assert "| top-1 after | 10 %" in page and "Early exit" in page and "10 test clips" in page
    rows = json.loads((tmp_path / "out" / "streaming_decisions.json").read_text())["nets"]
    (row,) = rows.values()
    assert row["clips"] == 10 and 0 <= row["area"] <= 1 and row["early_exit"][-1]["share_of_synops"] == 1
    assert (tmp_path / "out" / "streaming_decisions.svg").read_text().startswith("<?xml")
