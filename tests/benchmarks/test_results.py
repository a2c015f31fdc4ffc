"""The pages of benchmarks/results: each is named with its command, and none comes from files that no commit holds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
RESULTS = ROOT / "benchmarks" / "results"
EXPERIMENTS = ROOT / "benchmarks" / "experiments"
FILES = sorted(path for path in RESULTS.iterdir() if path.name != "README.md")


@pytest.mark.parametrize("path", FILES, ids=[path.name for path in FILES])
def test_a_result_is_listed_and_has_a_commit_to_go_back_to(path: Path) -> None:
    assert path.name in (RESULTS / "README.md").read_text()
    assert "-dirty" not in path.read_text(), "commit first, then run the command again"


def test_every_command_of_the_list_can_be_started() -> None:
    commands = re.findall(r"python (benchmarks/\S+)", (RESULTS / "README.md").read_text())
    assert len(commands) > 8
    for path in commands:
        path = path.strip("`")
        assert (ROOT / path).is_file() or (ROOT / path / "__main__.py").is_file(), path


def test_every_experiment_says_which_decision_it_is_behind() -> None:
    text = (EXPERIMENTS / "README.md").read_text()
    for path in EXPERIMENTS.glob("[a-z]*.py"):
        line, = (line for line in text.splitlines() if line.startswith(f"| `{path.name}` |"))
        for decision in re.findall(r"\]\((\S+)\)", line):
            assert (EXPERIMENTS / decision).is_file(), decision
