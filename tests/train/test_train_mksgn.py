"""train/train_mksgn.py: the whole recipe with small networks, stopped and continued; its plan; what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from programs import Program, trainings_in_this_process

from mksgn.errors import ConfigError
from mksgn.netx import read_net
from mksgn.training.flagship import MEMBERS, steps
from mksgn.training.recipe import PRESETS
from mksgn.training.steps import merged

TEACHER = "--epochs 1 --base-channels 8 --frames 8 --batch 24"
MEMBER = ("--epochs 1 --average-part 0 --widths 4 4 --strides 1 2 --coder-width 2 --frames 8 --batch 24 "
          "--rate-weight 0")


@pytest.fixture
def program(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Program:
    return Program("train/train_mksgn.py", capsys, monkeypatch, tmp_path)


@pytest.mark.slow
def test_stopped_and_continued_it_joins_two_members(program: Program, pack_path: Path, tmp_path: Path,
                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    ran = trainings_in_this_process(monkeypatch, killed=5)  # the second member's second cycle
    out = tmp_path / "flagship"
    words = ("--data", pack_path, "--out", out, "--seed", 3, "--device", "cpu", f"--teacher={TEACHER}",
             f"--member={MEMBER}")
    stopped = program(*words)
    assert stopped.code == 2 and "run-2 ended with exit code 137" in stopped.err and len(ran) == 5
    went_on = program(*words)
    assert went_on.code == 0, went_on.err
    assert [Path(command[0]).name for command in ran[5:]] == ["train_slayer.py", "join_runs.py"]
    assert len(read_net(out / "mksgn.net").output.shape) and (out / "member-2").is_dir()
    seeds = [command[command.index("--seed") + 1] for command in ran if "--seed" in command]
    assert seeds == ["6", "106", "7", "107", "107"]
    starts = [command[command.index("--start") + 1] for command in ran if "--start" in command]
    assert starts == [str(out / "start-1"), *2 * [str(out / "start-2")]]
    before = len(ran)
    assert program(*words).code == 0 and len(ran) == before, "nothing is done twice"


def test_the_plan_names_every_step_and_starts_none(program: Program, pack_path: Path, tmp_path: Path) -> None:
    words = ("--data", pack_path, "--out", tmp_path / "plan", "--teachers", tmp_path / "others", "--plan")
    for said, teachers, folder in ((), 1, "teacher-early"), (("--modality", "all"), 4, "teacher-bone"):
        outcome = program(*words, *said)
        assert outcome.code == 0 and outcome.out.count("python train/") == teachers + 2 * MEMBERS + 1
        assert "hours on one core" in outcome.out and str(tmp_path / "others" / folder) in outcome.out
    assert not (tmp_path / "plan").exists()


def test_every_option_of_the_recipe_is_one_of_the_programs(tmp_path: Path) -> None:
    member = next(step for step in steps("synthetic", tmp_path, 0, tmp_path) if step.kind == "member")
    assert member.command()[0] == "train_slayer.py" and "--graph-conv" in member.words
    assert member.words[member.words.index("--graph-conv") + 1] == "layer" and "mksgn-4" in PRESETS


def test_given_options_overrule_the_recipe() -> None:
    assert merged(("--a", "1", "--b", "2", "3"), ("--b", "4"), ("--c=5", "--flag")) == (
        "--a", "1", "--b", "4", "--c", "5", "--flag")
    with pytest.raises(ConfigError, match="begin with --"):
        merged(("--a", "1"), ("nonsense",))


def test_data_that_is_not_there_is_one_error(program: Program, tmp_path: Path) -> None:
    outcome = program("--data", tmp_path / "none.npz", "--out", tmp_path / "out")
    assert outcome.code == 2 and "no such file" in outcome.err and not (tmp_path / "out").exists()
