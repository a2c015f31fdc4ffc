"""The surroundings users have: read-only programs, full disks, small limits, names that are no text, schedulers."""

from __future__ import annotations

import errno
import gc
import io
import json
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numba.core.caching
import numpy as np
import pytest
import torch
from programs import ROOT, Program, graph_for
from recordings import assert_same, ctrgcn, person, skeleton_text, ucla_json
from written_graphs import block_graph

from mksgn import compiled as compiling
from mksgn.data.frames import Frames
from mksgn.data.pack import load_pack, save_pack
from mksgn.data.readers import cache_folder, read
from mksgn.data.sources import load
from mksgn.data.synthetic import synthetic_pack
from mksgn.errors import BackendError, ConfigError, DataError
from mksgn.files import name_of, replacing
from mksgn.lava import limits
from mksgn.lava.backend import LavaBackend
from mksgn.lava.process_plan import plan_blocks, plan_processes
from mksgn.netx import read_net, write_net
from mksgn.programs.console import exit_on_error
from mksgn.programs.outputs import write_json
from mksgn.training import run_files

NOT_TEXT = os.fsdecode(b"caf\xe9.npz")


@contextmanager
def at_most(size: int) -> Iterator[None]:
    """No file grows beyond ``size`` bytes: a disk that is full after so many."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


# ---- compiled functions -----------------------------------------------------------------------------------------

def plus_one(x: int) -> int:
    return x + 1


def test_functions_compile_where_nothing_can_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.core.caching.FunctionCache._impl_class, "_locator_classes", [])
    with pytest.raises(RuntimeError, match="no locator"):
        numba.njit(cache=True)(plus_one)
    assert compiling.compiled()(plus_one)(1) == 2


def test_functions_compile_where_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def full(self: object, *args: object) -> None:
        calls.append(args)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(numba.core.caching.IndexDataCacheFile, "save", full)
    assert compiling.compiled()(plus_one)(1) == 2
    assert calls


def test_no_folder_called_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's uid without a passwd entry: ``~`` stays ``~``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    monkeypatch.setattr(compiling.os, "access", lambda folder, mode: False)
    assert compiling.compiled()(plus_one)(1) == 2
    assert cache_folder() is None
    assert not list(tmp_path.iterdir())


def test_a_read_only_program_without_a_home_in_the_c_locale(tmp_path: Path) -> None:
    """As root, too, whom permissions do not stop: a file stands where numba's folder would."""
    copy = tmp_path / "program"
    for part in ("mksgn", "lava_models"):
        shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        for folder in {path.parent for path in (copy / part).rglob("*.py")}:
            (folder / "__pycache__").touch()
    ask = ("import sys, mksgn.events.kernels as k, mksgn.emulator, numpy as np\n"
           "from mksgn.programs.console import exit_on_error\n"
           "assert k.__file__.startswith(sys.argv[1])\n"
           "with exit_on_error():\n"
           "    print(int(k.weights_met(np.ones(3, np.int8), np.full(3, 2, np.int32))), '±', sys.argv[2])\n")
    done = subprocess.run(
        [sys.executable, "-c", ask, str(copy), os.fsencode(NOT_TEXT)], cwd=copy, capture_output=True, timeout=120,
        env={"PATH": os.environ["PATH"], "HOME": "/dev/null", "LANG": "C", "PYTHONIOENCODING": "ascii", "TERM": "dumb",
             "PYTHONPATH": str(copy), "NUMBA_NUM_THREADS": "1"})
    assert done.stderr == b""
    assert done.stdout == b"6 \\xb1 caf\\udce9.npz\n"


# ---- limits of the system ---------------------------------------------------------------------------------------

def test_too_few_descriptors_are_refused_before_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = block_graph()
    needed = plan_processes(graph).descriptors
    assert plan_blocks(graph, 2).descriptors < needed
    for hard, refused in ((needed, False), (needed - 1, True), (resource.RLIM_INFINITY, False)):
        monkeypatch.setattr(limits.resource, "getrlimit", lambda kind, hard=hard: (64, hard))
        if refused:
            with pytest.raises(BackendError, match="too few open files") as caught:
                limits.check_descriptors(plan_processes(graph))
            assert str(needed) in caught.value.allowed
            assert "--layout blocks" in caught.value.fix
            assert f"ulimit -n {needed}" in caught.value.fix
        else:
            limits.check_descriptors(plan_processes(graph))


@pytest.mark.lava
def test_a_soft_limit_is_raised_where_lava_runs_and_nowhere_else() -> None:
    """The plan's number is enough for a real run, and ours stays as it was."""
    graph = block_graph()
    samples = np.random.default_rng(1).integers(-128, 128, (1, 3, 6, 4))
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    low = max(int(name) for name in os.listdir("/proc/self/fd")) + 40
    needed = plan_processes(graph, tuple(p.name for p in graph.populations[1:-1]), 1, unroll_limit=0).descriptors
    assert low < needed, "the limit would not be felt"
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (low, before[1]))
        with LavaBackend(graph, layout="layers") as lava:
            result = lava.run(samples, record="spikes")
            assert resource.getrlimit(resource.RLIMIT_NOFILE) == (low, before[1])
            assert lava.host_pid is not None
            raised = resource.prlimit(lava.host_pid, resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert raised == (needed, before[1])
    assert any(spikes.any() for spikes in result.spikes.values())


def test_shared_memory_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SHARED_MEMORY", tmp_path / "none")
    with pytest.raises(BackendError, match="no shared memory"):
        limits.check_shared_memory(plan_processes(block_graph()))


@pytest.mark.parametrize(("text", "expected"), [("150000 100000", 1), ("max 100000", 8), ("6400000 100000", 8),
                                                ("50000 100000", 1), (None, 8)])
def test_a_containers_share_of_the_cpus(text: str | None, expected: int, tmp_path: Path,
                                        monkeypatch: pytest.MonkeyPatch) -> None:
    if text is not None:
        (tmp_path / "cpu.max").write_text(text + "\n")
    monkeypatch.setattr(limits, "CPU_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(limits.os, "sched_getaffinity", lambda pid: set(range(8)))
    assert limits.cpus() == expected


# ---- data -------------------------------------------------------------------------------------------------------

def test_companion_files_are_no_recordings(tmp_path: Path) -> None:
    ucla_json(tmp_path)
    alone = read(tmp_path)
    for name in ("._a01_s01_e00_v01.json", ".DS_Store", "Thumbs.db", "desktop.ini", "._S001C001P001R001A001.skeleton"):
        (tmp_path / name).write_bytes(b"\0\x05\x16\x07")
    assert_same(read(tmp_path), alone)


def ntu_folder(folder: Path) -> tuple[str, str, str]:
    """Three recordings; in the second nobody was tracked."""
    names = ("S001C001P001R001A001", "S001C002P005R002A008", "S001C003P002R001A003")
    for number, name in enumerate(names):
        bodies = [{} if number == 1 else {"7": joints} for joints in person(12, number)]
        (folder / f"{name}.skeleton").write_text(skeleton_text(bodies))
    return names


def test_untracked_recordings_are_left_out_by_content_or_by_name(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    names = ntu_folder(raw)
    with pytest.raises(DataError, match="No body was ever tracked") as caught:
        load(str(raw))
    assert "--skip-untracked" in caught.value.fix
    said: list[str] = []
    for _ in range(2):  # the second time from the cache, with the same count
        pack = load(str(raw), skip_untracked=True, say=said.append)
        assert pack.names.tolist() == [names[0], names[2]]
    assert said == 2 * [f"{raw}: left out 1 recordings in which nobody was tracked"]
    listed = tmp_path / "missing.txt"
    listed.write_text(f"Skeletons that are missing:\n{names[1]}\n{names[2]}.skeleton\nS009C001P001R001A001\n")
    said.clear()
    assert load(str(raw), leave_out=str(listed), say=said.append).names.tolist() == [names[0]]
    assert said == [f"{raw}: left out 2 recordings of the 3 that {listed} names"]
    with pytest.raises(ConfigError, match="no effect") as wrong:
        load(str(ctrgcn(tmp_path / "x.npz")), skip_untracked=True)
    assert wrong.value.where == "--skip-untracked"


def test_a_folder_becomes_a_pack(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                 monkeypatch: pytest.MonkeyPatch) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    ntu_folder(raw)
    make = Program("deploy/make_pack.py", capsys, monkeypatch, tmp_path)
    refused = make("--data", raw, "--out", "ntu.npz")
    assert (refused.code, (tmp_path / "ntu.npz").exists()) == (2, False)
    made = make("--data", raw, "--out", "ntu.npz", "--skip-untracked")
    assert made.code == 0, made.err
    assert "left out 1 recordings" in made.out
    assert "2 sequences, 24 frames" in made.out
    assert_same(load_pack(tmp_path / "ntu.npz"), read(raw, "skip"))
    assert make("--data", raw, "--out", "ntu.npz", "--skip-untracked").code == 2


def test_frames_grow_into_what_concatenation_gives() -> None:
    rng = np.random.default_rng(0)
    blocks = [rng.normal(size=(n, 2, 3)).astype(np.float32) for n in (1, 7, 200, 3)]
    frames = Frames()
    for block in blocks:
        frames.append(block)
    np.testing.assert_array_equal(frames.array(), np.concatenate(blocks))
    assert frames.offsets.tolist() == [0, 1, 8, 208, 211]


def test_a_full_disk_leaves_the_pack_before_and_no_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unraisable: list[object] = []  # what Python would print as "Exception ignored in ..."
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    path = tmp_path / "pack.npz"
    save_pack(synthetic_pack(12), path)
    before = path.read_bytes()
    with at_most(4096), pytest.raises(DataError, match="cannot be written") as caught:
        save_pack(synthetic_pack(24), path)
    gc.collect()
    assert "free space" in caught.value.fix
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    assert not unraisable


# ---- names that are no text -------------------------------------------------------------------------------------

def test_names_that_are_not_utf8_reach_every_file(tmp_path: Path) -> None:
    name = name_of(tmp_path / NOT_TEXT)
    assert name == "caf\\udce9.npz"
    folder = tmp_path / os.fsdecode(b"out\xff")
    folder.mkdir()
    graph = graph_for(synthetic_pack(12), name)
    write_net(graph, folder / "mksgn.net")
    assert read_net(folder / "mksgn.net").meta["data"] == name
    write_json(folder / "result.json", {"data": NOT_TEXT, "ä": "ö"})
    assert json.loads((folder / "result.json").read_text()) == {"data": NOT_TEXT, "ä": "ö"}
    run_files.write_state(folder / "state.safetensors", {"x": torch.zeros(1)}, {"data": NOT_TEXT})
    assert run_files.read_state(folder / "state.safetensors")["data"] == NOT_TEXT
    (tmp_path / NOT_TEXT).with_suffix(".json").write_text(ucla_json(tmp_path).read_text())
    recording = read((tmp_path / NOT_TEXT).with_suffix(".json"))
    assert recording.names.tolist() == ["caf\\udce9"]


@pytest.mark.parametrize("name", ["n" * 255, "動" * 85, "with a space and a 'quote'"])
def test_names_as_long_as_they_may_be_on_a_folder_that_cannot_be_flushed(
        name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flush = os.fsync

    def refusing(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", refusing)
    with replacing(tmp_path / name) as temporary:
        temporary.write_text("whole")
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [(name, "whole")]


# ---- how programs end -------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("number", "fix"), [(errno.ENOSPC, "free some space"), (errno.EROFS, "can be written to"),
                                             (errno.EACCES, "can be written to"), (errno.EMFILE, "ulimit -n")])
def test_errors_of_the_system_are_one_message(number: int, fix: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, exit_on_error():
        raise OSError(number, os.strerror(number), "some/file")
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: the system refused: {os.strerror(number)}\n  where:   some/file\n")
    assert fix in said
    with pytest.raises(OSError, match="our mistake"), exit_on_error():
        raise OSError(errno.EINVAL, "our mistake")


def test_a_scheduler_ends_a_program_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    before, cleaned = signal.getsignal(signal.SIGTERM), []
    with pytest.raises(SystemExit) as ended, exit_on_error():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            cleaned.append(True)
    assert (ended.value.code, cleaned, capsys.readouterr().err) == (143, [True], "ended by SIGTERM\n")
    assert signal.getsignal(signal.SIGTERM) is before


def test_characters_that_the_output_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    with exit_on_error():
        print("0.57 ± 0.1", NOT_TEXT)
    sys.stdout.flush()
    assert raw.getvalue() == b"0.57 \\xb1 0.1 caf\\udce9.npz\n"


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    run_files.write_state(path, {"x": torch.zeros(4)}, {"epoch": 1})
    with at_most(4096), pytest.raises(OSError):  # run_folders says what to do
        run_files.write_state(path, {"x": torch.zeros(100_000)}, {"epoch": 2})
    assert run_files.read_state(path) == {"epoch": 1}
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
