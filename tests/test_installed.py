"""The package as it was installed, from a checkout or a wheel: the README's lines and the commands, in a bare folder.

Everything runs in processes of its own, outside the checkout, with the shipped networks and with no data but synthetic
skeletons. It needs no extra.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from answers import SLOW

from mksgn.extras import LAVA_RUNTIME, SLAYER, present

COLD = 1200
"""Seconds of a test. In a fresh environment numba compiles everything, which takes minutes on a machine at work."""
pytestmark = pytest.mark.timeout(COLD)
README = Path(__file__).resolve().parent.parent / "README.md"
PREPARE = """
import numpy as np

from mksgn.data.pack import save_pack
from mksgn.data.synthetic import synthetic_pack

pack = synthetic_pack(180)
save_pack(pack.subset(np.flatnonzero(pack.labels < 10)), "nw_ucla.npz")
"""
"""Data of the name that the README uses, with as many classes as NW-UCLA."""


def started(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in ``folder``; the checkout is not on the path."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "MKSGN_DATA")}
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=COLD - 60)


def python(code: str, folder: Path) -> str:
    """What a program prints."""
    done = started(sys.executable, "-c", code, folder=folder)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing but a pack."""
    made = tmp_path_factory.mktemp("bare")
    python(PREPARE, made)
    return made


def script() -> Path:
    """The console script beside this Python."""
    found = Path(sys.executable).parent / "mksgn"
    if not found.is_file():
        pytest.skip("the package was not installed, or before it had commands")
    return found


def mksgn(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What the console script does."""
    return started(str(script()), *arguments, folder=folder)


def test_the_lines_of_the_readme_run(folder: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    printed = python(next(block for block in blocks if "import mksgn" in block), folder)
    assert "energy and time per sample" in printed
    assert (folder / "report.html").read_text().startswith("<!doctype html>")


def test_the_shipped_networks_are_found_by_name(folder: Path) -> None:
    code = ("import mksgn\n"
            "for name in ('nw-ucla', 'nw-ucla-joint', 'nw-ucla-stream'):\n"
            "    net = mksgn.load(name)\n"
            "    print(net.path.parent.name, net.path.is_file(), len(net.class_names))\n")
    assert python(code, folder).splitlines() == ["nw-ucla True 10", "nw-ucla-joint True 10", "nw-ucla-stream True 10"]


def test_the_commands_run(folder: Path) -> None:
    asked = ("--net", "nw-ucla-joint", "--data", "synthetic", "--samples", "4")
    done = mksgn("run", *asked, "--backend", "emulator", "--json", "run.json", folder=folder)
    assert done.returncode == 0, done.stderr
    run = json.loads((folder / "run.json").read_text())
    assert len(run["predictions"]) == 4 and run["synops"] > 0 and run["versions"]["numpy"]
    done = mksgn("energy", *asked, "--json", "energy.json", folder=folder)
    assert done.returncode == 0, done.stderr
    record = json.loads((folder / "energy.json").read_text())
    assert record["run"]["command"].startswith("mksgn energy --net nw-ucla-joint")
    done = mksgn("map", "--net", "nw-ucla-joint", folder=folder)
    assert done.returncode in (0, 1) and "cores" in done.stdout, done.stderr
    net = python("import mksgn; print(mksgn.load('nw-ucla-joint').path)", folder).strip()
    done = mksgn("convert", "--net", net, "--out", "out.nir", folder=folder)
    assert done.returncode == 0 and (folder / "out.nir").is_file(), done.stderr


@pytest.mark.parametrize("command", ["run", "map", "energy", "convert", "train"])
def test_help_comes_at_once(command: str, folder: Path) -> None:
    """What takes time to load is not loaded; the time itself would depend on the machine."""
    done = started(sys.executable, "-X", "importtime", str(script()), command, "--help", folder=folder)
    assert done.returncode == 0 and f"usage: mksgn {command} " in done.stdout, done.stderr[-2000:]
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "mksgn" in loaded and not loaded & set(SLOW)


@pytest.mark.skipif(present(LAVA_RUNTIME), reason="Lava is here")
def test_without_lava_it_is_named(folder: Path) -> None:
    done = mksgn("run", "--net", "nw-ucla-joint", "--data", "synthetic", "--samples", "2", folder=folder)
    assert done.returncode == 0 and "backend emulator" in done.stdout, done.stderr
    done = mksgn("run", "--net", "nw-ucla-joint", "--data", "synthetic", "--backend", "lava", folder=folder)
    assert done.returncode == 2 and "extra [lava]" in done.stderr and "pip install 'mksgn[lava]'" in done.stderr
    assert ("CPython 3.10" in done.stderr) or sys.version_info[:2] == (3, 10)


@pytest.mark.skipif(present("torch") and present(SLAYER), reason="everything that training needs is here")
def test_without_torch_and_slayer_training_names_them(folder: Path) -> None:
    done = mksgn("train", folder=folder)
    assert done.returncode == 2 and "training needs" in done.stderr and "pip install 'mksgn[" in done.stderr
    assert not list(folder.glob("runs*"))


@pytest.mark.skipif(present("torch"), reason="torch is here")
def test_without_torch_a_cuda_device_names_it(folder: Path) -> None:
    done = mksgn("run", "--net", "nw-ucla-joint", "--data", "synthetic", "--backend", "emulator", "--device", "cuda",
                 folder=folder)
    assert done.returncode == 2 and "extra [torch]" in done.stderr, done.stderr
