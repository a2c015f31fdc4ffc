"""The options of all programs: how they are read, and what --help shows of them on a terminal of 80 columns."""

from __future__ import annotations

import ast
import importlib
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import pytest
import tyro
from answers import OPTIONS, Answer, answers_of
from programs import Program

from mksgn.programs.options import parse, wrapped
from mksgn.programs.started import PROGRAMS as DOORS

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDERS = ("train", "deploy", "benchmarks")
SOURCES = {path: path.relative_to(ROOT) for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))}
PROGRAMS = sorted(str(name.parent if name.name == "__main__.py" else name) for name in SOURCES.values()
                  if name.name == "__main__.py" or not name.name.startswith("_"))
"""What a user starts: a file, or a folder with a ``__main__.py``."""
DESCRIPTION = """One line.

    python train/example.py --first 1                                          # a comment that makes it too wide
    python train/example.py --a-long-option first --another-long-option second --a-third third

Lists
    word       an explanation that is so long that it does not fit on one line of a terminal with 80 columns
               and goes on here
"""


@dataclass(frozen=True)
class Example:
    """Options of every kind."""

    GROUPS: ClassVar[dict[str, str]] = {"second": "size", "third": "flag"}

    first: int
    """Of
    several (lines)."""
    size: float | None = None
    """None means half. Default: as it is."""
    pair: tuple[float, float] | None = None
    """Two."""
    kinds: tuple[Literal["a", "b"], ...] = ("a",)
    """Some."""
    folder: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="RUN [RUN ...]")] = ()
    """Folders."""
    flag: bool = False
    """A flag."""
    count: int = 0
    """A number."""


def example(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Example:
    monkeypatch.setattr(sys, "argv", ["example.py", *arguments])
    monkeypatch.setenv("COLUMNS", "80")
    return parse(Example, DESCRIPTION)


def headings(shown: str) -> list[str]:
    """The groups of a help text, drawn as boxes or with lines of dashes."""
    return re.findall(r"^\W*(\w[\w ]*) options\W*$", shown, re.MULTILINE)


def test_options_are_read_into_their_dataclass(monkeypatch: pytest.MonkeyPatch) -> None:
    assert example(monkeypatch, "--first", "1") == Example(1)
    assert example(monkeypatch, "--first", "1", "--size", "2", "--pair", "1", "2", "--kinds", "b", "a", "--folder", "x",
                   "--flag", "--count", "3") == Example(1, 2.0, (1.0, 2.0), ("b", "a"), (Path("x"),), True, 3)


def test_help_has_groups_and_says_no_more_than_it_must(monkeypatch: pytest.MonkeyPatch,
                                                       capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        example(monkeypatch, "--help")
    assert not exit_.value.code
    shown = capsys.readouterr().out
    assert headings(shown) == ["second", "third"] and "Of several (lines). (required)" in shown
    for text in ("--size FLOAT", "--pair FLOAT FLOAT", "--kinds {a,b} [{a,b} ...]", "--folder RUN [RUN ...]",
                 "(default: a)", "(default: 0)"):
        assert text in shown
    assert "None)" not in shown and "False" not in shown and "{None}" not in shown and "--no-flag" not in shown


def test_descriptions_are_wrapped_and_commands_are_not() -> None:
    assert wrapped(DESCRIPTION, 80).splitlines() == [
        "One line.", "", "    # a comment that makes it too wide", "    python train/example.py --first 1",
        "    python train/example.py --a-long-option first --another-long-option second --a-third third", "", "Lists",
        "    word       an explanation that is so long that it does not fit on one line",
        "               of a terminal with 80 columns and goes on here"]
    assert wrapped(DESCRIPTION, 200).splitlines()[2] == DESCRIPTION.splitlines()[2]


def test_every_file_that_is_no_part_is_a_program() -> None:
    """What is named without an underscore can be started: it says how, and reads its options in the one way."""
    assert {"benchmarks/speed", "benchmarks/paper", "benchmarks/experiments/fusion.py"} <= set(PROGRAMS)
    for path in PROGRAMS:
        file = ROOT / path
        text = (file / "__main__.py" if file.is_dir() else file).read_text()
        read = f'main(command="python {path}")' if path in DOORS.values() else "parse(Options, __doc__)"
        assert '__name__ == "__main__"' in text and read in text, path
        assert f"python {path}" in (ast.get_docstring(ast.parse(text)) or ""), path
    for part in SOURCES:
        if part.name.startswith("_") and part.name != "__main__.py":
            assert "__main__" not in part.read_text(), part


def test_no_two_parts_share_a_name() -> None:
    """Parts are imported by their bare names: with one name, one process (a test session, mypy) would mix them up."""
    names = [path.name for path in SOURCES if path.name != "__main__.py"]
    assert len(set(names)) == len(names), sorted(name for name in names if names.count(name) > 1)


@pytest.fixture(scope="module")
def answers() -> dict[tuple[str, str], Answer]:
    """What the programs answer, all in one process."""
    return answers_of(*PROGRAMS)


@pytest.mark.parametrize(("option", "code"), zip(OPTIONS, (0, 2)))
@pytest.mark.parametrize("path", PROGRAMS)
def test_options_are_read_before_anything_slow_is_loaded(path: str, option: str, code: int,
                                                         answers: dict[tuple[str, str], Answer]) -> None:
    """Both answers come at once; the time itself would depend on the machine."""
    done = answers[path, option]
    assert done.code == code, done.err
    assert ("usage: " in done.out) if code == 0 else (option in done.err)
    assert not done.slow


@pytest.mark.parametrize("name", ["run", "train"])
def test_help_fits_80_columns(name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
                              tmp_path: Path) -> None:
    program = Program(DOORS[name], capsys, monkeypatch, tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    outcome = program("--help")
    assert outcome.code == 0
    for line in outcome.out.splitlines():
        assert len(line) <= 80 or line.lstrip().startswith(("python", "torchrun")), line
    assert "(default: None)" not in outcome.out and "{None}" not in outcome.out and "{[" not in outcome.out
    assert headings(outcome.out) == list(importlib.import_module(f"mksgn.commands.{name}").Options.GROUPS)
