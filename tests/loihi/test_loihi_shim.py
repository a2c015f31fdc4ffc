"""The Loihi 2 shim: what it says without Intel's extension, and what it does with a fake of it.

The fake lies in tests/support/fake_loihi. Nothing here runs on a chip or shows that a chip would agree.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from loihi_fake import chip_graph, extension_path, fake_in_reach
from reference import simulate
from written_graphs import bias_behind_a_delay, block_graph

from mksgn.errors import BackendError, ConfigError
from mksgn.loihi import Loihi2Backend, loihi_status
from mksgn.loihi.checks import check_samples_apart
from mksgn.loihi.extension import require, select_host
from mksgn.run.registry import open_backend


@pytest.fixture()
def fake_extension(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The fake extension in reach; the file in which it records its calls."""
    with fake_in_reach(monkeypatch, tmp_path) as calls:
        yield calls


@pytest.fixture()
def no_board(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with extension_path(monkeypatch):
        yield


def test_without_the_extension_it_says_what_is_missing(no_board):
    status = loihi_status(partition="any")
    if status.available:
        pytest.skip("Intel's extension is installed here")
    assert "lava.utils.loihi2_profiler" in status.reason
    for word in ("INRC", "lava-loihi", "PARTITION", "BOARD", "NXSDKHOST"):
        assert word in status.how_to_get
    with pytest.raises(BackendError, match="cannot be used from here") as caught:
        open_backend("loihi2", block_graph(), partition="any")
    assert caught.value.got == status.reason and caught.value.fix == status.how_to_get


def test_an_incomplete_extension_is_named(no_board, monkeypatch, tmp_path):
    folder = tmp_path / "lava" / "utils"
    folder.mkdir(parents=True)
    (folder / "loihi2_profiler.py").write_text('"""Fake."""\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    status = loihi_status(partition="any")
    assert not status.available and "lava.proc.embedded_io.spike" in status.reason


def test_a_chip_cannot_drop_what_fires_before_the_sample(fake_extension):
    graph = bias_behind_a_delay()
    with (open_backend("loihi2", graph, partition="fakepartition") as chip,
          pytest.raises(BackendError, match="fire on their bias before the sample arrives") as caught):
        chip.run(np.zeros((1, 1, 1, 1), np.int8))
    assert "'a'" in caught.value.where and caught.value.got == "a spike 1 step(s) early"
    quiet = replace(graph.populations[1], bias=None)
    check_samples_apart(replace(graph, populations=(graph.populations[0], quiet, graph.populations[2])))
    check_samples_apart(block_graph())


def test_with_the_fake_a_board_must_be_named(fake_extension, monkeypatch):
    status = loihi_status()
    assert not status.available and "no Loihi 2 board" in status.reason
    monkeypatch.setenv("BOARD", "fakeboard")
    assert loihi_status().available and "board fakeboard" in loihi_status().reason
    assert "partition p" in loihi_status(partition="p").reason  # what is given wins over the environment


HOSTS = {
    "an address wins": ({"NXSDKHOST": "1.2.3.4", "BOARD": "b"}, {"host_address": "1.2.3.4"}),
    "the board wins over its partition": ({"BOARD": "b", "PARTITION": "p"}, {"board": "b"}),
    "SLURM leaves the address out": ({"SLURM": "1", "NXSDKHOST": "1.2.3.4", "PARTITION": "p"}, {"partition": "p"}),
    "NOSLURM leaves SLURM's names out": ({"NOSLURM": "1", "BOARD": "b", "NXSDKHOST": "1.2.3.4"},
                                         {"host_address": "1.2.3.4"}),
}


@pytest.mark.parametrize("name", HOSTS)
def test_the_environment_names_the_host_as_lava_reads_it(fake_extension, monkeypatch, name):
    environment, expected = HOSTS[name]
    for key, value in {**environment, "LOIHI_GEN": "N3C1"}.items():
        monkeypatch.setenv(key, value)
    assert require(None, None, None, None) == {**expected, "loihi_gen": "N3C1"}
    assert require(None, None, "9.9.9.9", "N3D1") == {"host_address": "9.9.9.9", "loihi_gen": "N3D1"}


def test_the_environment_is_checked_too(fake_extension, monkeypatch):
    monkeypatch.setenv("BOARD", "b")
    monkeypatch.setenv("NOSLURM", "1")
    with pytest.raises(BackendError, match="cannot be used from here") as caught:
        require(None, None, None, None)
    assert "no Loihi 2 board" in caught.value.got
    monkeypatch.setenv("LOIHI_GEN", "loihi")
    with pytest.raises(ConfigError, match="chip generation") as wrong:
        require(None, "b", None, None)
    assert wrong.value.where == "LOIHI_GEN"


def test_selecting_a_host_sets_what_the_extension_reads(fake_extension, monkeypatch):
    """sinfo ends with a newline, at which lava-nc 0.10.0 fails by itself; select_host mends that."""
    slurm = importlib.import_module("lava.utils.slurm")
    monkeypatch.setattr(slurm, "try_run_command", slurm.try_run_command)  # undone, whatever it becomes
    monkeypatch.setenv("HOST_BINARY", "/opt/driver")
    for _ in range(2):
        select_host({"board": "fakeboard", "loihi_gen": "N3C1"})
        chosen = [os.environ.get(key) for key in ("SLURM", "NOSLURM", "BOARD", "PARTITION", "LOIHI_GEN")]
        assert chosen == ["1", None, "fakeboard", None, "N3C1"]
    select_host({"host_address": "10.0.0.7", "loihi_gen": "N3B3"})
    chosen = [os.environ.get(key) for key in ("SLURM", "NOSLURM", "NXSDKHOST", "HOST_BINARY", "LOIHI_GEN")]
    assert chosen == [None, "1", "10.0.0.7", "/opt/driver", "N3B3"]
    for choice in ({"board": "other"}, {"partition": "other"}, {"host_address": "10.0.0.8"}):
        with pytest.raises(BackendError, match="cannot be reached"):
            select_host({**choice, "loihi_gen": "N3B3"})


def test_bad_options_and_intervals_are_refused_before_anything_starts(fake_extension):
    graph = block_graph()
    with pytest.raises(ConfigError, match="name one of"):
        Loihi2Backend(graph, partition="a", board="b")
    with pytest.raises(ConfigError, match="chip generation"):
        Loihi2Backend(graph, partition="a", loihi_gen="N9")
    with pytest.raises(ConfigError, match="no effect"):
        open_backend("loihi2", graph, partition="a", delays="process")
    with pytest.raises(BackendError, match="power of two") as caught:
        Loihi2Backend(replace(graph, time_steps=6), partition="a")
    assert caught.value.got == "6"
    with Loihi2Backend(graph, partition="a") as chip, pytest.raises(BackendError, match="power of two"):
        chip.run_stream(np.zeros((3, 6, 4, 8), int), reset_interval=3)
    assert not fake_extension.exists()


@pytest.mark.lava()
def test_a_board_that_does_not_exist_is_one_error(fake_extension):
    with (Loihi2Backend(block_graph(), partition="nowhere") as chip,
          pytest.raises(BackendError, match="cannot be reached") as caught):
        chip.run(np.zeros((1, 3, 6, 4), int))
    assert "partition nowhere" in caught.value.got and "sinfo" in caught.value.fix


@pytest.mark.lava()
@pytest.mark.timeout(240)
def test_the_hardware_path_runs_on_the_fake(fake_extension):
    """Loihi2HwCfg, adapters, relays and Conv: with the fake's pass-through models the result is the simulator's."""
    graph = chip_graph()
    samples = np.random.default_rng(1).integers(-128, 128, (2, 2, 4, 3))
    with open_backend("loihi2", graph, partition="fakepartition") as chip:
        assert chip.name == "loihi2"
        result = chip.run(samples, record="spikes")
    reference = simulate(graph, samples)
    spikes, v = reference.spikes, reference.v
    for name in ("coder", "gate"):
        assert 0 < spikes[name].mean() < 1
        np.testing.assert_array_equal(result.spikes[name], spikes[name], err_msg=name)
    np.testing.assert_array_equal(result.output, v["out"][..., -1].reshape(2, -1) // 64)
    calls = [json.loads(line) for line in fake_extension.read_text().splitlines()]
    into = [call for call in calls if call["call"].startswith("PyTo")]
    # Two: the input of the convolution, and the input late for its shortcut to the readout.
    assert [call["call"] for call in into] == ["PyToN3ConvAdapter", "PyToNxAdapter"]
    assert [(call["shape"], call["num_message_bits"]) for call in into] == [([3, 4, 2], 8)] * 2
    assert [call["shape"] for call in calls if call["call"] == "NxToPyAdapter"] == [[3, 4, 3], [3, 4, 2]]
    for call in calls:
        assert (call["SLURM"], call["PARTITION"], call["LOIHI_GEN"]) == ("1", "fakepartition", "N3B3")
