"""The Python interface: the lines that the README prints, and what each call gives and refuses."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from programs import Program, graph_for
from same_counts import assert_same_counts

import mksgn
from mksgn.data.pack import save_pack
from mksgn.data.synthetic import synthetic_pack
from mksgn.emulator import Emulator
from mksgn.errors import BackendError, ConfigError, DataError, NetFileError
from mksgn.ir import Cuba, Dense, Graph, Population
from mksgn.netx import write_net

README = Path(__file__).resolve().parent.parent / "README.md"

@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small network under the names of the shipped ones, and data of the name that the README uses."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("nw-ucla", "nw-ucla-joint"):
        (folder / "models" / name).mkdir(parents=True)
        write_net(graph_for(synthetic_pack(12), "nw_ucla.npz"), folder / "models" / name / "mksgn.net")
    save_pack(synthetic_pack(180), folder / "nw_ucla.npz")
    return folder


@pytest.fixture(autouse=True)
def in_checkout(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(checkout)


def printed_lines() -> str:
    """The first block of Python in the README that uses this package."""
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    return next(block for block in blocks if "import mksgn" in block)


def test_the_lines_of_the_readme_run(capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(printed_lines(), "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "energy and time per sample" in printed and "the paper's Eq. 34" in printed
    page = Path("report.html").read_text()
    assert page.startswith("<!doctype html>") and page.rstrip().endswith("</html>")


def test_importing_the_package_loads_nothing_slow() -> None:
    code = ("import sys, mksgn\n"
            "print(sorted({name.partition('.')[0] for name in sys.modules}\n"
            "             & {'numpy', 'torch', 'numba', 'lava', 'h5py', 'scipy', 'rich'}), 'mksgn.api' in sys.modules)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] False"
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = mksgn.no_such_name


def test_a_run_is_what_the_emulator_gives() -> None:
    net = mksgn.load("nw-ucla")
    result = net.run(mksgn.read("nw_ucla.npz", samples=9))
    assert isinstance(result, mksgn.Result) and len(result.predictions) == 9 and result.selection.split == "test"
    assert result.selection.x.dtype == np.int8 and result.selection.x.shape[1:] == tuple(net.graph.input.shape)
    with Emulator(net.graph) as emulator:
        expected = emulator.run(result.selection.x, "spikes")
    np.testing.assert_array_equal(result.output, expected.output)
    np.testing.assert_array_equal(result.predictions, expected.predictions)
    assert result.counts.synops == expected.counts.synops and not result.spikes
    assert result.predicted == tuple(net.class_names[i] for i in result.predictions)
    assert result.accuracy == pytest.approx((result.predictions == result.selection.labels).mean())
    recorded = net.run(result.selection.x, record=True)
    assert recorded.accuracy is None and recorded.spikes.keys() == expected.spikes.keys()
    for name, spikes in expected.spikes.items():
        np.testing.assert_array_equal(recorded.spikes[name], spikes, err_msg=name)
    assert "9 samples" in repr(result) and "T = 4" in repr(net) and "180 sequences" in repr(mksgn.read("nw_ucla.npz"))


def test_frames_as_time_steps_give_the_same_result(tmp_path: Path) -> None:
    net = mksgn.load("nw-ucla-joint")
    clip, stream = (net.run(mksgn.read("nw_ucla.npz", samples=5), time=mode) for mode in ("clip", "stream"))
    np.testing.assert_array_equal(clip.output, stream.output)
    assert_same_counts(clip.counts, stream.counts)
    assert (clip.time, stream.time) == ("clip", "stream") and clip.accuracy == stream.accuracy
    assert str(net.energy(clip)) == str(net.energy(stream)), "of the clip at once: what was counted is the same"
    page = net.report(tmp_path / "stream.html", stream).read_text(encoding="utf-8")
    assert "time=" in page and "stream" in page
    recorded = net.run(clip.selection.x[:2], record=True, time="stream")
    for name, spikes in net.run(clip.selection.x[:2], record=True).spikes.items():
        np.testing.assert_array_equal(recorded.spikes[name], spikes, err_msg=name)
    with pytest.raises(ConfigError, match="unknown time mode"):
        net.run(clip.selection.x, time="frames")  # type: ignore[arg-type]


def test_figures_are_those_of_the_programs(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
                                           checkout: Path) -> None:
    """benchmarks/energy.py and deploy/map_loihi.py print the same numbers of the same samples."""
    net = mksgn.load(Path("models") / "nw-ucla")
    result = net.run(mksgn.read("nw_ucla.npz", samples=6))
    energy = net.energy(result)
    outcome = Program("benchmarks/energy.py", capsys, monkeypatch, checkout)(
        "--net", "models/nw-ucla/mksgn.net", "--data", "nw_ucla.npz", "--samples", 6)
    assert outcome.code == 0, outcome.err
    printed = {line.rstrip() for line in outcome.out.splitlines()}
    assert {line for line in str(energy).splitlines() if line} - printed == {str(energy).splitlines()[-1]}
    assert f"{energy.board}: {energy.cores} cores on {energy.chips} chips" in outcome.out
    low, high = energy.models["loihi1"].dynamic_mj
    assert 0 < low <= high and energy.paper_mj > 0 and energy.models["horowitz-fp32"].static_mj is None
    placed = net.map("oheo-gulch", result)
    assert not placed.problems and placed.board.name == "oheo-gulch" and not placed.uniform
    assert net.map().uniform and net.map(objective="cores").packing.cores <= net.map().packing.cores


@pytest.mark.lava
def test_lava_runs_the_same() -> None:
    net = mksgn.load("nw-ucla")
    x = net.run(mksgn.read("nw_ucla.npz", samples=2)).selection.x
    lava, emulator = (net.run(x, backend=name, record=True) for name in ("lava", "emulator"))
    np.testing.assert_array_equal(lava.output, emulator.output)
    assert str(net.energy(lava)) == str(net.energy(emulator))
    bare = net.run(x, backend="lava")
    assert bare.counts.synops == lava.counts.synops and not bare.spikes
    with pytest.raises(ConfigError, match="which neuron sent what"):
        net.energy(bare)


def test_a_net_without_steps_takes_a_stream(tmp_path: Path) -> None:
    chain = Graph((Population("in", (1, 1, 2), role="input"), Population("a", (2, 1, 1), Cuba(10))),
                  (Dense("s", ("in",), "a", np.array([[64, 0], [0, 64]], np.int16)),))
    write_net(chain, tmp_path / "chain.net")
    net = mksgn.load(tmp_path / "chain.net")
    np.save(tmp_path / "x.npy", np.array([[1, 0, 1, 0, 0], [0, 1, 1, 0, 0]]).reshape(1, 1, 2, 5))
    result = net.run(mksgn.read(tmp_path / "x.npy"), record=True)
    assert result.spikes["a"][0, :, 0, 0].tolist() == [[0, 1, 0, 1, 0], [0, 0, 1, 1, 0]]
    assert result.counts.spikes["a"] == 4 and result.class_names == () and result.predicted == ("0",)
    assert net.report(tmp_path / "r.html", result).is_file()


def test_what_cannot_be_done_is_one_typed_error(tmp_path: Path) -> None:
    net = mksgn.load("nw-ucla")
    result = net.run(np.zeros((1, *net.graph.input.shape), np.int8))
    for error, message, call in (
            (NetFileError, "nowhere", lambda: mksgn.load("nowhere.net")),
            (DataError, "nowhere", lambda: mksgn.read("nowhere.npz")),
            (DataError, "cannot be read", lambda: mksgn.read("nowhere.npy")),
            (ConfigError, "negative", lambda: mksgn.read("nw_ucla.npz", samples=-1)),
            (ConfigError, "no splits", lambda: mksgn.read("x.npy", samples=1)),
            (DataError, "does not fit the net", lambda: net.run(np.zeros((2, 3, 4), np.int8))),
            (DataError, "integers", lambda: net.run(np.zeros((1, *net.graph.input.shape)))),
            (ConfigError, "unknown backend", lambda: net.run(mksgn.read("nw_ucla.npz"), backend="gpu")),
            (ConfigError, "no effect", lambda: net.run(mksgn.read("nw_ucla.npz"), layout="stock")),
            (ConfigError, "no-such-board", lambda: net.map("no-such-board")),
            (ConfigError, "no-such-model", lambda: net.energy(result, cost=["no-such-model"])),
            (ConfigError, "does not exist", lambda: net.report(tmp_path / "no" / "r.html", result)),
            (BackendError, "Loihi 2 cannot be used", lambda: net.run(mksgn.read("nw_ucla.npz"), backend="loihi2"))):
        with pytest.raises(error) as caught:
            call()
        assert message in str(caught.value), str(caught.value)
