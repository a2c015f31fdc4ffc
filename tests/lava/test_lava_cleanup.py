"""Whatever happens to a Lava run, it ends soon, says why, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from reference import simulate
from written_graphs import LIF, small_graph, small_samples

from mksgn.errors import BackendError
from mksgn.ir import Graph
from mksgn.lava.backend import LavaBackend
from mksgn.lava.host_handle import HostHandle
from mksgn.lava.sessions import session_members

SOON_S = 120.0
"""Bound of an end, on a machine that is busy with other things; alone it takes well under a second.

Above 9 s, what HostHandle's own limits add up to when every one of them is used."""

pytestmark = [pytest.mark.lava, pytest.mark.timeout(300)]


PROGRAM = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # as on a terminal, also where a shell's & ignores it
import numpy as np
from written_graphs import LIF, small_graph, small_samples
from mksgn.lava.backend import LavaBackend
with LavaBackend(small_graph(), layout="stock", models={LIF: "lava_faults:SlowModel"},
                 progress=lambda done: print("samples", done, flush=True)) as lava:
    lava.run(small_samples(2000))
"""


def family(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def shared_memory(processes: list[psutil.Process]) -> set[Path]:
    """Files in /dev/shm that ``processes`` have mapped."""
    found = set()
    for process in processes:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it may have ended meanwhile
            found |= set(re.findall(r"/dev/shm/\S+", Path(f"/proc/{process.pid}/maps").read_text()))
    return {Path(name) for name in found}


def runs(process: psutil.Process) -> bool:
    """Whether ``process`` runs; a zombie, which waits for init to take note of its end, does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def all_gone(processes: list[psutil.Process], within: float = SOON_S) -> list[psutil.Process]:
    """Those of ``processes`` that still run after ``within`` seconds."""
    deadline = time.monotonic() + within
    while left := [process for process in processes if runs(process)]:
        if time.monotonic() > deadline:
            return left
        time.sleep(0.02)
    return []


def segments_gone(segments: set[Path], within: float = SOON_S) -> bool:
    deadline = time.monotonic() + within
    while any(segment.exists() for segment in segments):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda n: n.name)
def test_a_program_that_is_interrupted_leaves_nothing(number):
    """Ctrl-C in a program that runs a net; also the kills that give Python no chance to clean up."""
    support = str(Path(__file__).parent.parent / "support")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([support, *filter(None, sys.path)])}
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env=environment) as program:
        try:
            assert program.stdout is not None and program.stderr is not None
            assert program.stdout.readline() == "samples 1\n"  # and nothing of Lava's chatter before it
            children = family(program.pid)
            segments = shared_memory(children)
            assert len(children) >= 8 and segments
            started = time.monotonic()
            program.send_signal(number)
            program.wait(SOON_S)
            took = time.monotonic() - started
            assert not all_gone(children)
            assert segments_gone(segments)
            assert program.returncode == -number
            error = program.stderr.read()
        finally:
            program.kill()
    assert took < SOON_S
    assert ("KeyboardInterrupt" in error) == (number == signal.SIGINT)


def run_and(graph: Graph, models: dict[str, str], act: Callable[[LavaBackend], None], timeout_s: float = 300.0):
    """Run with ``models``, call ``act`` once the first sample is done; the error, its delay and the processes."""
    seen: dict = {"processes": [], "segments": set()}
    # Other tests of this worker may have left a resource tracker, which lives as long as the worker.
    older = set(family(os.getpid()))

    def progress(done: int) -> None:
        if done == 1:
            seen["processes"] = [process for process in family(os.getpid()) if process not in older]
            seen["segments"] = shared_memory(seen["processes"])
            seen["started"] = time.monotonic()
            act(lava)

    with LavaBackend(graph, layout="stock", models=models, progress=progress, timeout_s=timeout_s) as lava:
        with pytest.raises(BackendError) as caught:
            lava.run(small_samples(500))
        seen["took"] = time.monotonic() - seen["started"]
        assert not all_gone(seen["processes"], 0.0), "processes outlive the error"
        assert segments_gone(seen["segments"])
        # The backend can be used again: it starts afresh.
        if models.get(LIF) == "lava_faults:SlowModel":
            lava.progress, lava.models = None, {}
            result = lava.run(small_samples(2))
            np.testing.assert_array_equal(result.output, simulate(graph, small_samples(2)).spikes["second"])
    assert len(seen["processes"]) >= 8
    return caught.value, seen["took"]


def lava_children(lava: LavaBackend) -> list[psutil.Process]:
    assert lava.host_pid is not None
    children = psutil.Process(lava.host_pid).children()
    return [c for c in children if "resource_tracker" not in " ".join(c.cmdline())]


@pytest.mark.parametrize("which", [0, 1, -1], ids=["memory-server", "first-process", "runtime-service"])
def test_a_killed_child_is_named(which):
    victims: list[int] = []

    def kill(lava: LavaBackend) -> None:
        # In the order of their start: pids grow, but for the rare moment at which they start again from low ones.
        children = sorted(lava_children(lava), key=lambda process: (process.create_time(), process.pid))
        victims.append(children[which].pid)
        os.kill(children[which].pid, signal.SIGKILL)

    error, took = run_and(small_graph(), {LIF: "lava_faults:SlowModel"}, kill)
    assert error.what == "a Lava process died"
    assert f"pid {victims[0]}" in error.where
    assert "killed by SIGKILL" in error.got
    names = {0: "SharedMemoryManager", 1: "a/synapse|first|second|b/synapse|in", -1: "runtime service"}
    assert re.search(names[which], error.where), error.where
    assert took < SOON_S


def test_a_killed_host_takes_its_children_with_it():
    def kill(lava: LavaBackend) -> None:
        assert lava.host_pid is not None
        os.kill(lava.host_pid, signal.SIGKILL)

    error, took = run_and(small_graph(), {LIF: "lava_faults:SlowModel"}, kill)
    assert error.what == "the process that runs Lava died"
    assert "killed by SIGKILL" in error.got
    assert took < SOON_S


def test_a_raising_process_model_is_quoted(tmp_path, monkeypatch):
    go_ahead = tmp_path / "go-ahead"
    monkeypatch.setenv("LAVA_FAULTS_GO_AHEAD", str(go_ahead))
    error, took = run_and(small_graph(), {LIF: "lava_faults:RaisingModel"}, lambda lava: go_ahead.touch())
    assert error.what == "a Lava ProcessModel raised"
    assert re.search("Lava process '(first|second)'", error.where)
    assert error.got.startswith("ArithmeticError: a fault for the test")
    assert "lava_faults.py" in error.got
    assert took < SOON_S


def test_a_process_that_hangs_runs_into_the_timeout():
    def hurry(lava: LavaBackend) -> None:
        # From here on: starting up on a busy machine may take longer than this.
        lava.timeout_s = 1.0

    error, took = run_and(small_graph(), {LIF: "lava_faults:HangingModel"}, hurry)
    assert error.what == "Lava did not answer in time"
    assert "nothing for 1 s" in error.got
    assert re.search(r"2 process\(es\), most recent call first:\n.*lava_faults.py:\d+ run_spk", error.got)
    assert took < 1.0 + SOON_S


def test_a_model_that_cannot_be_built_or_found():
    before = {process.pid for process in family(os.getpid())}
    for model, message in (("lava_faults:UnbuildableModel", "a fault at the start"),
                           ("lava_faults:NoSuchModel", "NoSuchModel")):
        with (LavaBackend(small_graph(), layout="stock", models={LIF: model}) as lava,
              pytest.raises(BackendError) as caught):
            lava.run(small_samples(1))
        assert message in caught.value.got
        assert not [process for process in family(os.getpid()) if process.pid not in before and runs(process)]


@pytest.mark.parametrize(("options", "lava_processes"), [({"layout": "stock"}, 6), ({"blocks": 1}, 3)])
def test_a_run_that_succeeds_leaves_nothing_and_prints_nothing(capfd, options, lava_processes):
    with LavaBackend(small_graph(), **options) as lava:
        lava.run(small_samples(2))
        # The Lava Processes, the runtime service and the server of shared memory; gone when run() returns.
        assert len(lava.effort.pids) == lava_processes + 2
        assert not [pid for pid in lava.effort.pids if psutil.pid_exists(pid)]
        assert lava.host_pid is not None
        # Between runs the host waits, without Lava.
        assert len(session_members(lava.host_pid)) <= 2
        assert lava.effort.os_processes == lava_processes + 4
    assert capfd.readouterr() == ("", "")


def test_closing_a_host_that_never_ran_and_closing_twice():
    host = HostHandle(60.0)
    host.close()
    assert session_members(host.pid) == {}
    host.close()
