"""What every test shares: real data where it is, thread caps, and a look for processes left behind."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from without_extras import skip_without_extras

from mksgn.extras import LAVA_RUNTIME, present
from mksgn.report import provenance

if TYPE_CHECKING:
    from programs import Program

    from mksgn.data.pack import Pack

# Set before anything imports numpy, torch or numba, and inherited by every process a test starts: the tests
# run in parallel themselves, so one thread each is fastest on a small machine.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

# Lava sets multiprocessing's start method when it is imported, and fails where a process was started before.
if present(LAVA_RUNTIME):
    importlib.import_module("lava.magma.runtime.message_infrastructure.multiprocessing")
skip_without_extras()

ROOT = Path(__file__).resolve().parent.parent
SESSION_VARIABLE = "MKSGN_TEST_SESSION"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
VERSIONS = ("lava-nc", "lava-dl", "torch", "numpy")
_started: list[tuple[float, str]] = []


def data_folder() -> Path:
    """Where real data is looked for: MKSGN_DATA, or ``shared/data`` beside the repository."""
    return Path(os.environ.get("MKSGN_DATA") or ROOT.parent / "shared" / "data")


def loihi_extension_present() -> bool:
    """Whether Intel's Lava extension for Loihi can be imported (the module Lava itself looks for)."""
    return present("lava.utils.loihi2_profiler")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--target", choices=("simulation", "loihi2"), default="simulation",
                     help="loihi2: also run the tests marked loihi2, on the chip (default: simulation)")


def pytest_report_header(config: pytest.Config) -> list[str]:
    versions = ", ".join(f"{name} {version}" for name, version in provenance.versions().items() if name in VERSIONS)
    folder = data_folder()
    loihi = _why_no_loihi(config)
    return [
        f"mksgn: CPython {platform.python_version()}, {versions}",
        f"real data: {folder}" if folder.is_dir() else f"real data: none at {folder}, tests on it are skipped",
        f"Loihi 2: {loihi}, hardware tests are skipped" if loihi else "Loihi 2: hardware tests run",
    ]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        _longest_first(items)
    why = _why_no_loihi(config)
    if why:
        for item in items:
            if item.get_closest_marker("loihi2"):
                item.add_marker(pytest.mark.skip(reason=why))


def _longest_first(items: list[pytest.Item]) -> None:
    """Of a run in several workers: files with slow tests first, then those with most tests.

    Files are handed out in this order (``--no-loadscope-reorder``). A long one that comes last would keep one worker
    busy while the others have nothing to do.
    """
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    tests = Counter(item.path for item in items)
    items.sort(key=lambda item: (-slow[item.path], -tests[item.path], item.path))


def pytest_runtest_setup(item: pytest.Item) -> None:
    _started.append((time.time(), item.nodeid))


def _why_no_loihi(config: pytest.Config) -> str:
    if config.getoption("--target") != "loihi2":
        return "not asked for (--target loihi2)" if loihi_extension_present() else "no Loihi 2"
    return "" if loihi_extension_present() else "no Loihi 2: Intel's Lava extension (INRC) is not installed"


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of real skeleton data; the test is skipped where there is none.

    In CI a folder that MKSGN_DATA names must exist: a typing error must not turn tests off.
    """
    folder = data_folder()
    if not folder.is_dir():
        if os.environ.get("CI") == "true" and os.environ.get("MKSGN_DATA"):
            pytest.fail(f"MKSGN_DATA is {folder}, which is no folder", pytrace=False)
        pytest.skip(f"no real data at {folder}: set MKSGN_DATA")
    return folder


@pytest.fixture(scope="session")
def nw_ucla_path(data_dir: Path) -> Path:
    """The NW-UCLA pack, ``nw_ucla.npz``."""
    path = data_dir / "nw_ucla.npz"
    if not path.is_file():
        pytest.skip(f"no {path.name} in {data_dir}")
    return path


@pytest.fixture(scope="session", autouse=True)
def synthetic_data_is_made_once() -> Iterator[None]:
    """What ``--data synthetic`` names: 1,500 recordings, the same in every test."""
    from mksgn.data import sources

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "synthetic_pack", functools.cache(sources.synthetic_pack))
        yield


@pytest.fixture(scope="session")
def pack() -> Pack:
    """Some 96 synthetic sequences, eight of each class; a test that changes a pack makes its own."""
    from mksgn.data.synthetic import synthetic_pack

    return synthetic_pack(96)


@pytest.fixture(scope="session")
def pack_path(pack: Pack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of ``pack``, ``small.npz``."""
    from mksgn.data.pack import save_pack

    path = tmp_path_factory.mktemp("data") / "small.npz"
    save_pack(pack, path)
    return path


@pytest.fixture
def program(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
            tmp_path: Path) -> Program:
    """The program that the module of the test names as ``PROGRAM``, in an empty folder: ``program("--net", net)``."""
    from programs import Program

    return Program(request.module.PROGRAM, capsys, monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def one_host() -> Iterator[None]:
    """The tests of a file run Lava in one host process. Tests of processes, not of results, start one each."""
    from kept_host import end, opened

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mksgn.lava.graph_host.HostHandle", opened)
        yield
    end()


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Packs that tests convert go into no user's cache, and none that is there is read."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def torch_as_it_was() -> None:
    """Undo what the test before may have set for the whole process: threads, and small numbers flushed to zero."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
        torch.set_flush_denormal(False)


@pytest.fixture(scope="session", autouse=True)
def no_process_left_behind() -> Iterator[None]:
    """Fail the session when a process that a test started outlives the tests, and end it.

    Found as descendants of this process, and, where the parent has died and the process was adopted
    by init, by a variable that everything started from here inherits.
    """
    mark = uuid.uuid4().hex
    os.environ[SESSION_VARIABLE] = mark
    known = {process.pid for process in psutil.Process().children(recursive=True)}
    yield
    deadline = time.monotonic() + 30
    while (left := _left_behind(mark, known)) and time.monotonic() < deadline:
        time.sleep(0.1)
    if left:
        lines = [_describe(process) for process in left]
        for process in left:
            process.kill()
        psutil.wait_procs(left, timeout=5)
        pytest.fail("processes left behind (now killed):\n" + "\n".join(lines), pytrace=False)


def _left_behind(mark: str, known: set[int]) -> list[psutil.Process]:
    me = psutil.Process()
    candidates = {process.pid: process for process in me.children(recursive=True)}
    for process in psutil.process_iter():
        try:
            if process.environ().get(SESSION_VARIABLE) == mark:
                candidates[process.pid] = process
        except (psutil.Error, OSError):
            continue
    spared = {me.pid, *known, *(parent.pid for parent in me.parents())}
    return [process for pid, process in candidates.items() if pid not in spared and _counts(process)]


def _counts(process: psutil.Process) -> bool:
    """Zombies hold nothing, and multiprocessing's resource tracker belongs to this process for its life."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE and "resource_tracker" not in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False


def _describe(process: psutil.Process) -> str:
    try:
        born, command = process.create_time(), " ".join(process.cmdline())[:160]
    except psutil.NoSuchProcess:
        return f"  pid {process.pid}, ended meanwhile"
    # The kernel's start times are good to a second (/proc/stat holds the boot time as an integer).
    before = [nodeid for start, nodeid in _started if start <= born][-1:]
    within = [nodeid for start, nodeid in _started if born < start <= born + 1][:4]
    during = ", ".join(before + within) or "collection"
    return f"  pid {process.pid}, started during {during}: {command}"


@pytest.fixture(scope="session")
def browser() -> str:
    """A Chromium, from MKSGN_BROWSER or PATH."""
    named = os.environ.get("MKSGN_BROWSER")
    found = named or next(filter(None, map(shutil.which, BROWSERS)), None)
    if not found:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} on PATH, and MKSGN_BROWSER is not set")
    assert shutil.which(found), f"MKSGN_BROWSER={found} is no program"
    return found
