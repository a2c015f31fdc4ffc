"""Which file a name of a net means."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mksgn.programs.nets import PACKAGE, ROOT, find_net


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def made(folder: str, when: int = 0) -> Path:
    path = Path(folder) / "mksgn.net"
    path.parent.mkdir(parents=True)
    path.touch()
    os.utime(path, (when, when))
    return path


def test_names_are_looked_for_in_runs_and_models() -> None:
    said: list[str] = []
    assert find_net(Path("nw-ucla"), said.append) in [folder / "models/nw-ucla/mksgn.net" for folder in (ROOT, PACKAGE)]
    model, older, newer = made("models/nw-ucla"), made("runs/b", 1), made("runs/a", 2)
    assert find_net(Path("mksgn.net"), said.append) == newer
    assert find_net(Path("nw-ucla"), said.append) == model and find_net(Path("b"), said.append) == older
    assert find_net(Path("runs/b"), said.append) == older, "a folder means the net in it"
    assert len(said) == 5 and all(line.endswith(" is used") for line in said)


def test_what_is_there_or_nowhere_stays_as_it_is() -> None:
    here = made("runs/b")
    for name in (here, Path("nowhere.net"), Path("runs/nowhere.net"), Path("runs")):
        assert find_net(name, lambda line: pytest.fail(line)) == name
