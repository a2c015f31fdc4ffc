"""`.net` files of ours: what is written is what is read, completely or not at all."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import h5py
import numpy as np
import pytest
from any_graphs import graphs
from hypothesis import HealthCheck, given, settings
from written_graphs import META, branched_graph, chain_graph

import mksgn
from mksgn.errors import NetFileError
from mksgn.ir import (
    Cuba,
    Dense,
    Graph,
    Population,
    graph_difference,
    graphs_equal,
)
from mksgn.netx import read_net, stock_obstacles, write_net


@settings(max_examples=40, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(graph=graphs())
def test_round_trip_of_any_graph(tmp_path_factory: pytest.TempPathFactory, graph: Graph) -> None:
    path = tmp_path_factory.mktemp("net") / "any.net"
    write_net(graph, path)
    assert graph_difference(graph, read_net(path)) == ""


def test_round_trip_of_a_branched_graph(tmp_path: Path) -> None:
    graph = branched_graph()
    write_net(graph, tmp_path / "a.net")
    back = read_net(tmp_path / "a.net")
    assert graph_difference(graph, back) == ""
    assert back.meta == META and all(type(back.meta[key]) is type(value) for key, value in META.items())
    assert back.time_steps == 4
    assert all(s.weight.dtype == np.int16 for s in back.synapses)


def test_the_comparison_sees_each_kind_of_change(tmp_path: Path) -> None:
    """Without this, a comparison that always says equal would pass every round trip."""
    graph = branched_graph()
    path = tmp_path / "a.net"
    write_net(graph, path)

    def changed(**edits: int) -> str:
        write_net(graph, path)
        with h5py.File(path, "r+") as file:
            for field, value in edits.items():
                where = {"vDecay": "layer/2/neuron/vDecay", "bias": "layer/2/bias", "weight": "layer/4/weight",
                         "delay": "layer/13/delay", "stride": "layer/8/stride"}[field]
                data = file[where]
                data[...] = np.where(np.arange(data.size).reshape(data.shape) == 0, value, data[()])
        return graph_difference(graph, read_net(path))

    assert changed(vDecay=7).startswith("population code: neuron")
    assert changed(bias=7).startswith("population code: biases")
    assert changed(weight=-255).startswith("synapse mix: weights")
    assert changed(delay=0).startswith("synapse head: delays")
    assert not graphs_equal(graph, Graph(graph.populations, graph.synapses, 5, graph.meta))
    assert not graphs_equal(graph, Graph(graph.populations, graph.synapses, 4, {**META, "clean": 1}))
    assert not graphs_equal(graph, Graph(graph.populations, graph.synapses[:-1], 4, META))


def test_equality_is_of_meaning() -> None:
    left, right = chain_graph(), chain_graph()
    per_neuron = np.broadcast_to(np.array([1, -2, 3])[:, None, None], right["a"].shape)
    populations = tuple(Population(p.name, p.shape, p.neuron, per_neuron) if p.name == "a" else p
                        for p in right.populations)
    assert graph_difference(left, Graph(populations, right.synapses[::-1], 4)) == ""


def test_the_file_follows_the_netx_protocol(tmp_path: Path) -> None:
    write_net(chain_graph(), tmp_path / "chain.net", require_stock=True)
    with h5py.File(tmp_path / "chain.net") as file:
        assert dict(file.attrs) == {"format": b"mksgn", "format_version": 1, "time_steps": 4}
        kinds = [file[f"layer/{i}/type"][0] for i in range(len(file["layer"]))]
        assert kinds == [b"input", b"conv", b"flatten", b"dense", b"dense"]
        conv = file["layer/1"]
        assert conv["shape"][()].tolist() == [3, 3, 4]
        assert conv["weight"].compression == "gzip" and conv["weight"].shuffle and conv["weight"].dtype == np.int16
        assert conv["bias"].dtype == np.int8
        assert {key: value[()] for key, value in conv["neuron"].items()} == {
            "type": b"CUBA", "iDecay": 4096, "vDecay": 3072, "vThMant": 50, "refDelay": 1, "gradedSpike": False}
        assert file["layer/4/neuron/vThMant"][()] == (1 << 18) - 1  # a readout: stock netx must not let it spike


def test_what_stock_netx_cannot_run_holds_a_concat_before_anything_else(tmp_path: Path) -> None:
    """Stock netx drops unknown types in silence; at a concat it stops."""
    graph = branched_graph()
    assert len(stock_obstacles(graph)) >= 4
    write_net(graph, tmp_path / "a.net")
    with h5py.File(tmp_path / "a.net") as file:
        assert file["layer/1/type"][0] == b"concat"
        assert file["layer/7/type"][0] == b"concat" and file["layer/7/layers"][()].tolist() == [6, 2]
        assert file["layer/10/target"][()] == 8 and "neuron" not in file["layer/10"]
    with pytest.raises(NetFileError, match="stock netx cannot run this network"):
        write_net(graph, tmp_path / "b.net", require_stock=True)
    assert not (tmp_path / "b.net").exists()


def test_the_same_graph_gives_the_same_bytes(tmp_path: Path) -> None:
    write_net(branched_graph(), tmp_path / "a.net")
    write_net(branched_graph(), tmp_path / "b.net")
    assert (tmp_path / "a.net").read_bytes() == (tmp_path / "b.net").read_bytes()


@pytest.mark.parametrize("meta", [
    {"loss": float("nan")}, {"loss": float("inf")}, {"x": None}, {"x": {"y": 1}}, {"x": (1, 2)}, {"x": [1, "a"]},
    {"x": [1, 2.5]}, {"x": [[1]]}, {"x": 1 << 63}, {"x": "a\0b"}, {"x": "\ud800"}, {"format": "other"},
    {"time_steps": 9}, {"": 1}, {"x": b"y"}, {"x": np.float32(0.1)}, {"x": [0.0] * 5000},
    {"x": "y" * 70_000}, {"x": ["y" * 60, *"abc"] * 1000},
], ids=lambda meta: repr(meta)[:30])
def test_meta_that_would_not_come_back_is_refused(tmp_path: Path, meta: dict) -> None:
    graph = chain_graph()
    with pytest.raises(NetFileError, match="meta"):
        write_net(Graph(graph.populations, graph.synapses, 4, meta), tmp_path / "a.net")
    assert list(tmp_path.iterdir()) == []


def test_names_and_input_biases_that_cannot_be_kept_are_refused(tmp_path: Path) -> None:
    dense = Dense("s", ("i",), "o", np.array([[2]], np.int16))
    output = Population("o", (1, 1, 1), Cuba(1))
    biased = Graph((Population("i", (1, 1, 1), role="input", bias=np.array([1])), output), (dense,))
    with pytest.raises(NetFileError, match="bias"):
        write_net(biased, tmp_path / "a.net")
    for name in ("", "a\0", "x" * 256, "\ud800"):
        graph = Graph((Population(name, (1, 1, 1), role="input"), output), (Dense("s", (name,), "o", dense.weight),))
        with pytest.raises(NetFileError, match="name cannot be stored"):
            write_net(graph, tmp_path / "a.net")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("where", ["missing/a.net", ".", ""])
def test_places_that_cannot_be_written(tmp_path: Path, where: str) -> None:
    with pytest.raises(NetFileError, match=r"written|write to"):
        write_net(chain_graph(), f"{tmp_path}/{where}")


@pytest.mark.parametrize("failure", [MemoryError(), KeyboardInterrupt()], ids=lambda e: type(e).__name__)
def test_an_export_that_fails_half_way_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                           failure: BaseException) -> None:
    path = tmp_path / "a.net"
    write_net(chain_graph(), path)
    before = path.read_bytes()
    create, calls = h5py.Group.create_dataset, []

    def failing(*arguments: object, **options: object) -> h5py.Dataset:
        calls.append(arguments)
        if len(calls) == 12:
            raise failure
        return create(*arguments, **options)

    monkeypatch.setattr(h5py.Group, "create_dataset", failing)
    with pytest.raises(type(failure)):
        write_net(branched_graph(), path)
    assert len(calls) == 12 and path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.net"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failing_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    path = tmp_path / "a.net"
    write_net(chain_graph(), path)
    before = path.read_bytes()

    def failing(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, step, failing)
    with pytest.raises(NetFileError, match="Input/output error"):
        write_net(branched_graph(), path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["a.net"]


_CHILD = """
    import resource, signal, sys, time
    import numpy as np
    from mksgn.errors import NetFileError
    from mksgn.ir import Cuba, Dense, Graph, Population
    from mksgn.netx import write_net

    weight = np.random.default_rng(0).integers(-256, 255, (400, 400)).astype(np.int16)
    graph = Graph((Population("i", (400, 1, 1), role="input"), Population("a", (400, 1, 1), Cuba(9)),
                   Population("o", (400, 1, 1), Cuba(9))),
                  (Dense("s", ("i",), "a", weight), Dense("t", ("a",), "o", weight)))
"""


def _child(program: str, path: Path, **options: object) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(Path(mksgn.__file__).parent.parent)}
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(_CHILD) + textwrap.dedent(program), str(path)],
                            stdout=subprocess.PIPE, text=True, env=environment)


@pytest.mark.timeout(300)
def test_a_child_killed_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.net"
    write_net(chain_graph(), path)
    before = path.read_bytes()
    with _child("""
        import os
        def slow(descriptor):
            print("written, not yet on disk", flush=True)
            time.sleep(250)
        os.fsync = slow
        write_net(graph, sys.argv[1])
    """, path) as child:
        assert child.stdout is not None and child.stdout.readline() == "written, not yet on disk\n"
        child.send_signal(signal.SIGKILL)
        child.wait()
    left = [p for p in tmp_path.iterdir() if p != path]
    assert len(left) == 1 and left[0].suffix == ".tmp" and left[0].stat().st_size > 100_000, "the child was writing"
    assert path.read_bytes() == before and graphs_equal(read_net(path), chain_graph())


@pytest.mark.timeout(300)
def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    """A limit on file size makes the operating system refuse the write, as a full disk would."""
    path = tmp_path / "a.net"
    write_net(chain_graph(), path)
    before = path.read_bytes()
    with _child("""
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        try:
            write_net(graph, sys.argv[1])
        except NetFileError as error:
            print(error.what)
    """, path) as child:
        output, _ = child.communicate(timeout=250)
    assert output == "the network could not be written\n" and child.returncode == 0
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["a.net"]
