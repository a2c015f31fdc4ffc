"""docs/your-own-recordings.md is run as it stands, but for fewer epochs; docs/data.md says what the code says."""

from __future__ import annotations

import dataclasses
import re
import shlex
from pathlib import Path

import pytest
from programs import ROOT, Command

from mksgn.data.pack import _OPTIONAL, REQUIRED
from mksgn.data.readers.registry import table
from mksgn.netx import read_net
from mksgn.programs.reading import Reading, Splitting

GUIDE = (ROOT / "docs" / "your-own-recordings.md").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
COMMAND = re.compile(r"^    mksgn (.+)$", re.MULTILINE)
SHORTER = ("--epochs 16", "--epochs 6 --tune-epochs 1")
"""What the guide asks for, and what is enough to see that the network learns."""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_guide_runs_as_written(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
                                   tmp_path: Path) -> None:
    pytest.importorskip("lava.lib.dl.slayer", reason="training needs the extra lava (CPython 3.10)")
    mksgn = Command(capsys, monkeypatch, tmp_path)
    (lines,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    exec(compile(lines, "docs/your-own-recordings.md", "exec"), {})
    commands = COMMAND.findall(GUIDE)
    assert SHORTER[0] in commands[2], "the guide trains longer than this test"
    assert [command.split()[0] for command in commands] == [
        "data", "data", "train", "run", "run", "data", "run", "map", "energy"]
    said = {}
    for command in commands:
        done = mksgn(*shlex.split(command.replace(*SHORTER)))
        assert done.code == 0, f"mksgn {command}\n{done.err}"
        said[command] = done.out
    shown, converted, trained, tested, *_ = said.values()
    assert "coco: " in shown and "missing joints: 23.5%" in shown and (tmp_path / "clip.html").exists()
    assert "wrote clips.npz: 360 sequences" in converted
    assert "protocol test-subjects=9,10" in trained
    accuracy = re.search(r"accuracy ([\d.]+)% on (\d+) samples", tested)
    assert accuracy is not None and int(accuracy[2]) == 72
    assert float(accuracy[1]) > 25, "twelve classes: chance is 8 %"
    meta = read_net(tmp_path / "runs" / "clips" / "mksgn.net").meta
    assert '"missing": "interpolate"' in meta["preprocess"] and '"dimensions": 2' in meta["training_data"]
    assert (tmp_path / "report.html").exists()


def test_the_page_lists_the_readers_and_arrays() -> None:
    assert table() in PAGE
    for name in (*REQUIRED, *_OPTIONAL):
        assert f"`{name}`" in PAGE, name


def test_the_pages_name_options_that_there_are() -> None:
    known = {f"--{field.name.replace('_', '-')}" for kind in (Reading, Splitting) for field in dataclasses.fields(kind)}
    listed = set(re.findall(r"^\| `(--[a-z-]+)", PAGE, re.MULTILINE))
    listed |= set(re.findall(r"^\| .*, `(--[a-z-]+)", PAGE, re.MULTILINE))
    assert listed - known == {"--persons"}
    assert {"--body", "--edges", "--units", "--up", "--test-ratio", "--index"} <= listed


def test_commands_of_the_data_page_are_commands(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
                                                tmp_path: Path) -> None:
    """Their options are known; the data is not here, and that is what is said."""
    mksgn = Command(capsys, monkeypatch, tmp_path)
    commands = COMMAND.findall(PAGE)
    assert len(commands) >= 5
    for command in commands:
        done = mksgn(*shlex.split(command))
        assert done.code == 2 and re.search(r"^error: (There is no such file|The file does not exist|the input file)",
                                            done.err), f"{command}\n{done.err}"
