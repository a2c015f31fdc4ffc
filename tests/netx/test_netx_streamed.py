"""`.net` files of streamed graphs: what is written is what is read, and stock netx stops at them."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np
import pytest
from any_graphs import graphs
from carrying import carrying_clip
from hypothesis import HealthCheck, assume, given, settings
from streamable import streamable_pairs
from written_graphs import streamed_graph

from mksgn.errors import GraphError, NetFileError
from mksgn.ir import Conv, Graph, graph_difference
from mksgn.ir.streaming import streamed
from mksgn.netx import read_net, stock_obstacles, write_net


@pytest.mark.slow
def test_round_trip_of_random_streamed_graphs(tmp_path: Path) -> None:
    read, taps, deep = 0, 0, 0
    for seed, graph, stream in streamable_pairs(120):
        stream = Graph(stream.populations, stream.synapses, stream.time_steps, {"labels": ["a", "ä"], "seed": seed})
        write_net(stream, tmp_path / "s.net")
        back = read_net(tmp_path / "s.net")
        assert graph_difference(stream, back) == "", seed
        read += 1
        taps += any(isinstance(s, Conv) and s.frame_steps > 0 for s in back.synapses)
        deep += graph.time_steps != 1
    assert read > 20 and taps > 15 and deep > 15


def test_carried_states_come_back(tmp_path: Path) -> None:
    """Of a clip the neurons carry them, of a stream the lattices. Stock netx resets all neurons, and stops."""
    streams = 0
    for seed in range(40):
        graph = carrying_clip(seed)
        both = [graph]
        with suppress(GraphError):
            both.append(streamed(graph))
            streams += 1
        for each in both:
            write_net(each, tmp_path / "c.net")
            assert graph_difference(each, read_net(tmp_path / "c.net")) == "", seed
        if any(p.neuron is not None and p.neuron.carried for p in graph.populations):
            assert any("carries its states" in reason for reason in stock_obstacles(graph))
            with h5py.File(tmp_path / "c.net", "r+") as file:
                neurons = [layer["neuron"] for layer in file["layer"].values() if "neuron" in layer]
                del next(neuron for neuron in neurons if "carried" in neuron)["carried"]
            assert graph_difference(both[-1], read_net(tmp_path / "c.net")) != "", "the comparison sees it"
    assert streams > 5


@pytest.mark.slow
@settings(max_examples=20, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(graph=graphs())
def test_round_trip_of_any_streamed_graph(tmp_path_factory: pytest.TempPathFactory, graph: Graph) -> None:
    try:
        stream = streamed(graph)
    except GraphError:
        assume(False)
        return
    path = tmp_path_factory.mktemp("net") / "any.net"
    write_net(stream, path)
    assert graph_difference(stream, read_net(path)) == ""


def test_the_comparison_sees_each_kind_of_change(tmp_path: Path) -> None:
    graph, path = streamed_graph(), tmp_path / "s.net"
    for field, values, difference in (
            ("0/lattice", (2, 2, 5), "population x: lattice"), ("2/lattice", (5, 2, 3), "population a: lattice"),
            ("2/lattice", (4, 1, 3), "population a: lattice"), ("2/frameSteps", 4, "synapse s: frame_steps")):
        write_net(graph, path)
        with h5py.File(path, "r+") as file:
            file[f"layer/{field}"][...] = values
        assert graph_difference(graph, read_net(path)).startswith(difference), field


def test_a_chain_is_marked_for_stock_netx_too(tmp_path: Path) -> None:
    """Without the mark, stock netx would run every tap at once, and every neuron at every step."""
    from lava.lib.dl.netx.hdf5 import Network

    graph, path = streamed_graph(), tmp_path / "s.net"
    reasons = stock_obstacles(graph)
    assert any("rest between frames" in reason for reason in reasons) and any("taps" in reason for reason in reasons)
    write_net(graph, path)
    with pytest.raises(NotImplementedError, match="concat"):
        Network(net_config=str(path))
    with pytest.raises(NetFileError, match="stock netx cannot run this network"):
        write_net(graph, path, require_stock=True)
    assert graph_difference(graph, read_net(path)) == "", "the file is as it was"


@pytest.mark.parametrize(("field", "value", "message"), [
    ("layer/0/lattice", None, "required field is missing"), ("layer/2/lattice", None, "required field is missing"),
    ("layer/0/lattice", np.array([2, 2]), "three numbers"), ("layer/2/lattice", np.array([2, 2, 0]), "out of range"),
    ("layer/2/lattice", np.array([2, 4, 2]), "do not overlap"),
    ("layer/2/lattice", np.array([2, 2, 9]), "within the steps of a sample"),
    ("layer/2/lattice", np.array([1, 1, 1 << 21]), "out of range"),
    ("layer/2/shape", np.array([2, 2, 2]), "one frame at a time|does not fit its ends"),
    ("layer/2/frameSteps", np.array(0), "out of range"), ("layer/2/frameSteps", np.array([1, 2]), "one number"),
    ("layer/6/frameSteps", None, "does not fit its ends"), ("layer/1/lattice", np.array([2, 2, 3]), "unknown field"),
    ("layer/4/frameSteps", np.array(2), "unknown field"),
    ("format_version", 1, "unknown field"), ("format_version", 3, "unknown format version"),
    ("time_steps", 1 << 21, "impossible time_steps"),
])
def test_what_does_not_fit_is_refused(tmp_path: Path, field: str, value: np.ndarray | int | None, message: str) -> None:
    path = tmp_path / "s.net"
    write_net(streamed_graph(), path)
    with h5py.File(path, "r+") as file:
        if "/" not in field:
            file.attrs[field] = np.int64(value)
        else:
            if field in file:
                del file[field]
            if value is not None:
                file[field] = value
    with pytest.raises((NetFileError, GraphError), match=message):
        read_net(path)


def test_frames_count_for_the_size_limit(tmp_path: Path) -> None:
    path = tmp_path / "s.net"
    write_net(streamed_graph(), path)
    with h5py.File(path, "r+") as file:
        file.attrs["time_steps"] = np.int64(1 << 20)
        file["layer/2/lattice"][...] = (2, 2, 1 << 19)
    with pytest.raises(NetFileError, match="larger than the size limit") as error:
        read_net(path, max_bytes=1 << 20)
    assert re.search(r"layer/2/lattice", error.value.where)


def test_a_clip_is_written_as_before(tmp_path: Path) -> None:
    """Earlier releases read it; of a streamed graph they say that its version is unknown."""
    _, clip, stream = streamable_pairs(20)[0]
    for graph, version in ((clip, 1), (stream, 2)):
        write_net(graph, tmp_path / "v.net")
        with h5py.File(tmp_path / "v.net") as file:
            assert file.attrs["format_version"] == version
            assert any("lattice" in layer for layer in file["layer"].values()) == (version == 2)
