"""What Lava's compiler printed for public networks, against our mapper: a figure agrees or is named as unexplained."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from lava_dl_wheel import wheel_file
from programs import program_module

from mksgn.mapping import board, place
from mksgn.mapping.memory import weight_bits
from mksgn.netx import read_net

NETWORKS = ("mnist", "oxford", "s4d_dense", "pilotnet_snn", "pilotnet_sdnn", "yolo_kp")


@pytest.fixture(scope="module")
def logs() -> Iterator[ModuleType]:
    with program_module("benchmarks/_compile_logs.py") as module:
        yield module


def layers(logs: ModuleType, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = logs.logs()[name]["layers"]
    return found


@pytest.mark.parametrize("name", NETWORKS)
def test_cores_of_each_network_are_within_a_quarter(logs: ModuleType, name: str) -> None:
    log = logs.logs()[name]
    assert sum(layer["cores"] for layer in log["layers"]) == log["cores"]
    assert abs(logs.placement(name).packing.cores / log["cores"] - 1) <= 0.25


@pytest.mark.parametrize("name", NETWORKS)
def test_every_figure_agrees_or_is_named_as_unexplained(logs: ModuleType, name: str) -> None:
    log = logs.logs()[name]
    rows = {row.what: row for row in logs.network_rows(name)}
    for number, layer in enumerate(log["layers"]):
        differs = set(layer.get("differs", {})) - {"tile"}
        if "axon_memory" in layer and "kernel" in log["layers"][min(number + 1, len(log["layers"]) - 1)]:
            differs |= {"axon_memory"} if number + 1 < len(log["layers"]) else set()
        for column in set(layer) & set(logs.COLUMNS):
            row = rows[f"{layer['name']}: {logs.COLUMNS[column]}"]
            percent = log["printed"] == "percent" and column not in ("cores", "allocation")
            assert row.published == layer[column] and row.tolerance == (0.01 if percent else 0)
            assert row.explained == (column not in differs), row
            assert row.why or row.explained, row
            if row.explained:
                assert abs(row.ours - row.published) <= row.tolerance + 1e-9


@pytest.mark.parametrize("name", [name for name in NETWORKS if name.startswith(("pilotnet", "yolo"))])
def test_tiles_agree_or_are_named_as_unexplained(logs: ModuleType, name: str) -> None:
    for layer in layers(logs, name):
        if "tile" in layer:
            assert (logs.tile(name, layer) == tuple(layer["tile"])) == ("tile" not in layer.get("differs", {})), layer


def test_the_joint_memory_is_the_sum_of_all_printed_columns(logs: ModuleType) -> None:
    """Total = neurons + synapse words + axons, arriving and leaving + neuron groups, of 20,000 words.

    Shares are rounded to 0.01 %, so up to four entries of 16,000 words may each be 0.8 words off.
    """
    checked = 0
    for name in NETWORKS:
        where = logs.limits_of_log(name)
        for layer in (layer for layer in layers(logs, name) if "total" in layer):
            words = (layer["neurons"] * where.neurons + layer["synapses"] * where.synapse_words
                     + (layer["in_axons"] + layer["axon_map"] + layer.get("axon_memory", 0.0)) * where.out_axons) / 100
            assert 100 * (words + layer.get("groups", 1)) / where.core_words == pytest.approx(layer["total"], abs=0.016)
            checked += 1
    assert checked == 14


def test_pilotnet_here_is_the_wheels(logs: ModuleType) -> None:
    """Shapes, synaptic memory and cores are those of the trained network in lava-dl's wheel."""
    theirs, ours = read_net(wheel_file("gts/pilotnet_lif/network.net")), logs.graph("pilotnet_snn")
    assert [p.shape for p in theirs.populations] == [p.shape for p in ours.populations]
    for synapse, mine in zip(theirs.synapses, ours.synapses):
        assert type(synapse) is type(mine) and synapse.target == mine.target
        assert weight_bits(synapse.weight) == weight_bits(mine.weight)
        assert np.shape(synapse.weight)[0] == np.shape(mine.weight)[0]
    where = board("oheo-gulch-2022")
    placed = place(theirs, where, objective="lava", steps=16).packing
    assert placed.cores == logs.placement("pilotnet_snn").packing.cores
    np.testing.assert_array_equal(placed.usage, logs.placement("pilotnet_snn").packing.usage)


def test_rows_name_their_source_and_are_all_there(logs: ModuleType) -> None:
    rows = logs.rows()
    assert set(logs.names()) == set(NETWORKS)
    assert {row.network for row in rows} == {logs.logs()[name]["title"] for name in NETWORKS}
    assert all("lava-dl, " in row.source for row in rows)
    assert len({(row.network, row.what) for row in rows}) == len(rows)
    assert sum(row.explained for row in rows if row.ours is not None) / len(rows) > 0.6
