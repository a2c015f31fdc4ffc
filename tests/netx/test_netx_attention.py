"""Attention in a `.net` file: there and back, refused where damaged, and no stock netx runs it."""

from __future__ import annotations

import h5py
import pytest
from attention_graphs import attention_graph

from mksgn.errors import GraphError, NetFileError
from mksgn.ir.equality import graph_difference
from mksgn.ir.streaming import streamed
from mksgn.netx import read_net, stock_obstacles, write_net


@pytest.mark.parametrize("seed", range(14))
def test_there_and_back(seed, tmp_path):
    graph = attention_graph(seed)
    write_net(graph, tmp_path / "a.net")
    assert graph_difference(graph, read_net(tmp_path / "a.net")) == ""


def test_a_streamed_one(tmp_path):
    graph = streamed(attention_graph(3, across_frames=False))
    write_net(graph, tmp_path / "a.net")
    assert graph_difference(graph, read_net(tmp_path / "a.net")) == ""


@pytest.mark.parametrize(("field", "value", "message"), [
    ("heads", 5, "heads do not share"), ("heads", 0, "heads"), ("acrossFrames", 2, "acrossFrames"),
    ("heads", None, "heads"), ("acrossFrames", None, "acrossFrames"), ("other", 1, "other"),
])
def test_damage_is_one_clear_error(field, value, message, tmp_path):
    write_net(attention_graph(2), tmp_path / "a.net")
    with h5py.File(tmp_path / "a.net", "r+") as file:
        layer = next(each for each in file["layer"].values() if each["type"][()][0] == b"attention")
        if field in layer:
            del layer[field]
        if value is not None:
            layer[field] = value
    with pytest.raises((NetFileError, GraphError), match=message):
        read_net(tmp_path / "a.net")


def test_stock_netx_stops_at_it(tmp_path):
    graph = attention_graph(2)
    assert any("attention" in reason for reason in stock_obstacles(graph))
    with pytest.raises(NetFileError, match="stock netx cannot run"):
        write_net(graph, tmp_path / "a.net", require_stock=True)
    write_net(graph, tmp_path / "a.net")
    with h5py.File(tmp_path / "a.net") as file:
        kinds = [file["layer"][str(number)]["type"][()][0] for number in range(len(file["layer"]))]
    at = kinds.index(b"attention")
    assert kinds[at - 1] == b"concat", "at a concat stock netx raises NotImplementedError"
