"""Structures that a file of ours never has: each reader gives a valid result or one typed error, and takes no memory.

Every node of a file is damaged (:mod:`structures`). ``MKSGN_DAMAGES=1`` runs all damages of every node; the default
is a share of them, others for each node. Flipped and missing bytes are in test_netx_hostile.py and its like.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from network_of import network_of
from recordings import fields
from structures import Damage, bounded_memory, hdf5_damages, npz_damages, safetensors_damages, spread
from written_graphs import layered_graph, streamed_graph

from mksgn.data.pack import Pack, load_pack, save_pack
from mksgn.errors import ConfigError, DataError, GraphError, MksgnError, NetFileError
from mksgn.ir import Conv, Cuba, Dense, Graph, Population, graphs_equal
from mksgn.netx import read_net, write_net
from mksgn.netx.arrays import READERS
from mksgn.nir import NirError, read_nir, write_nir
from mksgn.nir.errors import UNEXPECTED
from mksgn.nn import SpikingGraphNet
from mksgn.skeleton import UCLA20
from mksgn.training.checkpoint import load_checkpoint, save_checkpoint
from mksgn.training.frozen_teachers import Teacher
from mksgn.training.network_file import load_network, read_meta, save_network
from mksgn.training.run_files import read_state

SHARE = int(os.environ.get("MKSGN_DAMAGES", "12"))


def check(path: Path, damages: Iterator[Damage], read: Callable[[Path], Any], *errors: type[MksgnError]) -> None:
    """Every damaged copy of ``path`` is read, or refused by one of ``errors``; some are read, and most are not."""
    read(path)
    copy = path.with_name(f"damaged{path.suffix}")
    wrong, valid, tried = [], 0, 0
    with bounded_memory():
        for node, label, damage in spread(damages, SHARE):
            shutil.copy(path, copy)
            damage(copy)
            tried += 1
            try:
                read(copy)
                valid += 1
            except Exception as error:  # what is not typed is what this test is about
                foreseen = isinstance(error, errors) and error.what != UNEXPECTED
                if not foreseen or "MemoryError" in str(error):
                    wrong.append(f"{node}, {label}: {error!r}"[:200])
                elif error.where and not isinstance(error, GraphError):
                    assert str(copy) in error.where, f"{node}, {label}: {error}"
    assert not wrong, "\n".join(wrong)
    assert 0 < valid < tried / 2


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("graph", [layered_graph(), streamed_graph()], ids=["clip", "stream"])
def test_nets(tmp_path: Path, graph: Graph) -> None:
    path = tmp_path / "a.net"
    write_net(graph, path)
    check(path, hdf5_damages(path), read_net, NetFileError, GraphError)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_stock_nets(tmp_path: Path) -> None:
    neuron = {"type": "CUBA", "iDecay": 4096, "vDecay": 0, "vThMant": 9, "refDelay": 1, "gradedSpike": False}
    layers: list[dict[str, Any]] = [
        {"type": "input", "shape": [2, 2, 2], "weight": np.array([3.0]), "bias": 1.0, "neuron": neuron},
        {"type": "conv", "shape": [1, 2, 2], "weight": np.full((1, 2, 1, 1), 2.0), "stride": 1, "padding": [0, 0],
         "dilation": [1, 1], "groups": 1, "kernelSize": [1, 1], "bias": np.ones(1), "neuron": neuron},
        {"type": "flatten", "shape": [4, 1, 1]},
        {"type": "dense", "shape": [2], "weight": np.full((2, 4), 2.0), "delay": np.ones(2), "inFeatures": 4,
         "neuron": neuron},
        {"type": "dense", "shape": [1], "weight": np.full(2, 2.0), "bias": np.zeros(1)},
    ]
    path = tmp_path / "stock.net"
    with h5py.File(path, "w") as file:
        for number, layer in enumerate(layers):
            for key, value in layer.items():
                for name, content in (value.items() if key == "neuron" else [("", value)]):
                    file[f"layer/{number}/{key}/{name}".rstrip("/")] = content
        file["simulation/Ts"] = 1
    check(path, hdf5_damages(path), read_net, NetFileError, GraphError)
    with h5py.File(path, "r+") as file:  # and the same without an input layer
        del file["layer/0"]
        for number in range(1, 5):
            file.move(f"layer/{number}", f"layer/{number - 1}")
    check(path, hdf5_damages(path), lambda copy: read_net(copy, input_shape=(2, 2, 2)), NetFileError, GraphError)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_nir_files(tmp_path: Path) -> None:
    path = tmp_path / "a.nir"
    write_nir(layered_graph(), path)
    check(path, hdf5_damages(path), read_nir, NirError, GraphError)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_nir_files_of_others(tmp_path: Path) -> None:
    """Conv2d, Flatten, Delay, Linear, Affine, Scale; LIF, CubaLIF and LI."""
    path = tmp_path / "a.nir"
    write_nir(Graph((
        Population("x", (2, 3, 2), role="input"), Population("a", (2, 3, 2), Cuba(3), bias=np.array([1, 2])),
        Population("b", (2, 3, 2), Cuba(5)), Population("c", (2, 1, 1), Cuba(9, 2048, 1024), bias=np.array([1, 2])),
        Population("d", (2, 1, 1), Cuba(9, 4096, 1024), role="readout")), (
        Conv("s", ("x",), "a", np.full((2, 2, 3, 3), 2, np.int16), padding=(1, 1)),
        Conv("r", ("a",), "b", np.full((2, 1, 1, 1), 2, np.int16), groups=2),
        Dense("h", ("b",), "c", np.full((2, 12), 8, np.int16), delay=np.full(12, 3)),
        Dense("t", ("c",), "d", np.full((2, 2), 8, np.int16)),
    )), path)
    check(path, hdf5_damages(path), lambda copy: read_nir(copy, foreign=True), NirError, GraphError)


def test_packs(tmp_path: Path) -> None:
    path = tmp_path / "pack.npz"
    save_pack(Pack(**fields()), path)
    check(path, npz_damages(path), load_pack, DataError)


def small_net() -> SpikingGraphNet:
    torch.manual_seed(3)
    return network_of(body=UCLA20, classes=3, frames=8, widths=(4,), strides=(1,))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("quantized", [False, True])
def test_networks(tmp_path: Path, quantized: bool) -> None:
    net = small_net().eval()
    if quantized:
        net.quantize()
    path = tmp_path / "net.safetensors"
    save_network(path, net, {"recipe": "{}"})

    def read(copy: Path) -> None:
        found = load_network(copy, quantized)
        assert all(value.isfinite().all() for value in found.state_dict().values()) and read_meta(copy)
        found(torch.ones(1, *found.input_shape))

    check(path, safetensors_damages(path), read, ConfigError)


@pytest.mark.timeout(600)
def test_checkpoints(tmp_path: Path) -> None:
    net = small_net()
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-2)

    def step() -> None:
        net(torch.ones(2, *net.input_shape)).logits.square().sum().backward()
        optimiser.step()

    step()
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, net, optimiser, {"epoch": 4, "stage": "float", "scales": net.scales(), "options": {"a": 1}})

    def read(copy: Path) -> None:
        state = read_state(copy, epoch=int, stage=str, scales=list, options=dict)
        load_checkpoint(copy, net, optimiser)
        net.set_scales(state["scales"])
        step()

    check(path, safetensors_damages(path), read, ConfigError)


def test_a_teacher_that_does_not_say_what_it_was_trained_on(tmp_path: Path) -> None:
    net = small_net().eval()
    net.quantize()
    save_network(tmp_path / "weights.safetensors", net, {"recipe": "{}"})
    with pytest.raises(ConfigError, match="no teacher can be read here"):
        Teacher(tmp_path)


# The last resort ---------------------------------------------------------------------------------


def test_what_no_check_foresaw_names_the_layer_and_keeps_its_cause(tmp_path: Path,
                                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("of our own")

    write_net(layered_graph(), tmp_path / "a.net")
    write_nir(layered_graph(), tmp_path / "a.nir")
    monkeypatch.setitem(READERS, "conv", fail)
    with pytest.raises(NetFileError, match="does not expect") as caught:
        read_net(tmp_path / "a.net")
    assert caught.value.where.endswith("a.net: layer/2") and "ZeroDivisionError: of our own" in caught.value.got
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    monkeypatch.setattr("mksgn.nir.foreign.read_neuron", fail)
    with pytest.raises(NirError, match="does not expect") as other:
        read_nir(tmp_path / "a.nir", foreign=True)
    assert other.value.where.endswith("a.nir") and isinstance(other.value.__cause__, ZeroDivisionError)
    monkeypatch.undo()
    assert graphs_equal(read_net(tmp_path / "a.net"), read_nir(tmp_path / "a.nir"))
