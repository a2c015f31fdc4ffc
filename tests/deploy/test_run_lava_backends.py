"""deploy/run_lava.py on several backends, in several processes, and as a process of its own."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from programs import Program

from mksgn.emulator import Emulator
from mksgn.ir import Graph
from mksgn.netx import read_net

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = "deploy/run_lava.py"

@pytest.mark.lava
@pytest.mark.timeout(300)
def test_lava_agrees_with_the_emulator_on_every_spike(program: Program, net: Path) -> None:
    outcome = program("--net", net, "--samples", 3, "--check", "--json", "c.json")
    assert outcome.code == 0, outcome.out + outcome.err
    result = json.loads(Path("c.json").read_text())
    graph = read_net(net)
    size = sum(population.size for population in graph.populations[1:])
    assert result["check"]["equal"] and result["check"]["spikes_compared"] == size * 4 * 3
    assert result["check"]["backends"] == ["lava", "emulator"] and result["backend"] == "lava"
    assert f"{size * 12:,} spikes" in outcome.out and "0 differ" in outcome.out
    # Lava's counts come from its recorded spikes, the emulator's from its own sums.
    outcome = program("--net", net, "--samples", 3, "--backend", "emulator", "--json", "e.json")
    counted = json.loads(Path("e.json").read_text())
    for key in ("spikes", "synops", "macs", "rates", "energy_mj_paper", "predictions", "accuracy", "names"):
        assert counted[key] == result[key], key


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_processes_share_a_test_set(program: Program, net: Path, tmp_path: Path) -> None:
    """torchrun: the same counts and predictions as one process, printed and written once."""
    arguments = ["--net", str(net), "--backend", "emulator", "--samples", "31", "--json"]
    assert program(*arguments, "one.json").code == 0
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
               str(ROOT / PROGRAM)]
    done = subprocess.run([*command, *arguments, "two.json"], cwd=tmp_path, capture_output=True, text=True,
                          timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("wrote two.json") == 1
    one, two = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("one", "two"))
    assert one.pop("seconds") > 0 and two.pop("seconds") > 0
    assert one == two and sum(one["predictions"]) and one["samples"] == 31


def test_processes_share_nothing_but_samples_of_the_emulator(program: Program, net: Path,
                                                             monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "3")  # as torchrun tells its processes
    refused = program("--net", net)
    assert refused.code == 2 and "samples of the emulator only" in refused.err


@pytest.mark.skipif(importlib.util.find_spec("lava.utils.loihi2_profiler") is not None, reason="the extension is here")
def test_loihi_says_what_it_needs(program: Program, net: Path) -> None:
    outcome = program("--net", net, "--backend", "loihi2", "--samples", 1, "--json", "l.json")
    assert outcome.code == 2 and "Loihi" in outcome.err and "INRC" in outcome.err and not Path("l.json").exists()


def test_a_difference_is_reported_and_exits_with_1(program: Program, net: Path,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    import mksgn.run.registry

    class Wrong(Emulator):
        """Stands in for Lava and loses one spike."""

        name = "lava"

        def __init__(self, graph: Graph, timeout_s: float | None = None, max_processes: int | None = None,
                     progress: Callable[[int], None] | None = None) -> None:
            super().__init__(graph, progress=progress)

        def run(self, samples: np.ndarray, record: str = "none") -> Any:
            result = super().run(samples, record)
            result.spikes["sc"][1, 2, 3, 4, 0] ^= 1
            return result

    module = sys.modules[__name__]
    monkeypatch.setattr(module, "Wrong", Wrong, raising=False)
    monkeypatch.setitem(mksgn.run.registry.BACKENDS, "lava", f"{__name__}:Wrong")
    monkeypatch.setitem(sys.modules, __name__, module)
    outcome = program("--net", net, "--samples", 3, "--check", "--json", "d.json")
    assert outcome.code == 1
    found = json.loads(Path("d.json").read_text())["check"]
    assert not found["equal"] and found["differing"] == {"spikes sc": 1}
    assert "sample 1, step 0, channel 2, frame 3, joint 4" in found["first"]
    assert found["first"] in outcome.out and "1 differ" in outcome.out


def test_as_a_process(net: Path, tmp_path: Path) -> None:
    """Exit codes, and results on standard output while errors go to standard error."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def start(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, str(ROOT / PROGRAM), *arguments], cwd=tmp_path, env=environment,
                              text=True, capture_output=True, timeout=240)

    done = start("--net", str(net), "--backend", "emulator", "--samples", "2", "--json", "r.json")
    assert done.returncode == 0, done.stderr
    assert "accuracy" in done.stdout and json.loads((tmp_path / "r.json").read_text())["samples"] == 2
    failed = start("--net", "missing.net")
    assert failed.returncode == 2 and failed.stderr.startswith("error: ") and "Traceback" not in failed.stderr
    assert failed.stdout == ""
