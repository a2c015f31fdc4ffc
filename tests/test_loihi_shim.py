"""The Loihi 2 shim: what it says without Intel's extension, and what it does with a fake of it (tests/fake_loihi).

Nothing here runs on a chip or shows that a chip would agree.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lava_graphs import T, block_graph, even, simulate

from mksgn.errors import BackendError, ConfigError
from mksgn.ir import Conv, Cuba, Dense, Graph, Population
from mksgn.runtime import open_backend
from mksgn.runtime.loihi import Loihi2Backend, loihi_status

FAKE = Path(__file__).parent / "fake_loihi"


@pytest.fixture(autouse=True)
def no_board(monkeypatch):
    for name in ("PARTITION", "BOARD", "NXSDKHOST", "SLURM", "NOSLURM", "LOIHI_GEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture()
def fake_extension(monkeypatch, tmp_path) -> Path:
    """The fake extension and a fake SLURM in reach; the file in which the fake records its calls."""
    calls = tmp_path / "calls.jsonl"
    monkeypatch.syspath_prepend(str(FAKE))
    monkeypatch.setenv("PATH", f"{FAKE / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_LOIHI_CALLS", str(calls))
    return calls


def test_without_the_extension_it_says_what_is_missing():
    status = loihi_status(partition="any")
    if status.available:
        pytest.skip("Intel's extension is installed here")
    assert "lava.utils.loihi2_profiler" in status.reason
    for word in ("INRC", "lava-loihi", "PARTITION", "BOARD", "NXSDKHOST"):
        assert word in status.how_to_get
    with pytest.raises(BackendError, match="cannot be used from here") as caught:
        open_backend("loihi2", block_graph(), partition="any")
    assert caught.value.got == status.reason and caught.value.fix == status.how_to_get


def test_an_incomplete_extension_is_named(monkeypatch, tmp_path):
    folder = tmp_path / "lava" / "utils"
    folder.mkdir(parents=True)
    (folder / "loihi2_profiler.py").write_text('"""Fake."""\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    status = loihi_status(partition="any")
    assert not status.available and "lava.proc.embedded_io.spike" in status.reason


def test_with_the_fake_a_board_must_be_named(fake_extension, monkeypatch):
    status = loihi_status()
    assert not status.available and "no Loihi 2 board" in status.reason
    monkeypatch.setenv("BOARD", "fakeboard")
    assert loihi_status().available and "board fakeboard" in loihi_status().reason
    assert "partition p" in loihi_status(partition="p").reason  # what is given wins over the environment


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
@pytest.mark.timeout(120)
def test_a_board_that_does_not_exist_is_one_error(fake_extension):
    with (Loihi2Backend(block_graph(), partition="nowhere") as chip,
          pytest.raises(BackendError, match="cannot be reached") as caught):
        chip.run(np.zeros((1, 3, 6, 4), int))
    assert "partition nowhere" in caught.value.got and "sinfo" in caught.value.fix


def chip_graph() -> Graph:
    """Branches of different depth, a graded input, a convolution, a gate and a readout.

    Decays of 4096 are 4095 on the chip, so the gate has 4095 from the start. No sources are concatenated: the
    chip's ``num_message_bits=0`` would cast their sum to bool in the CPU models that the fake runs on.
    """
    rng = np.random.default_rng(0)
    populations = (Population("in", (2, 4, 3), role="input", message_bits=8), Population("coder", (3, 4, 3), Cuba(300)),
                   Population("gate", (2, 4, 3), Cuba(30, 4096, 4095)),
                   Population("out", (4, 1, 1), Cuba(131071, voltage_decay=0), role="readout"))
    synapses = (Conv("code", ("in",), "coder", even(rng, 3, 2, 3, 1), padding=(1, 0)),
                Conv("and", ("coder",), "gate", even(rng, 2, 3, 1, 1)),
                Dense("classify", ("gate",), "out", even(rng, 4, 24)),
                Dense("skip", ("coder",), "out", even(rng, 4, 36)),
                Dense("shortcut", ("in",), "out", even(rng, 4, 24, limit=10)))
    return Graph(populations, synapses, T)


@pytest.mark.lava()
@pytest.mark.timeout(240)
def test_the_hardware_path_runs_on_the_fake(fake_extension):
    """Loihi2HwCfg, adapters, relays and Conv: with the fake's pass-through models the result is the simulator's."""
    graph = chip_graph()
    samples = np.random.default_rng(1).integers(-128, 128, (2, 2, 4, 3))
    with open_backend("loihi2", graph, partition="fakepartition") as chip:
        assert chip.name == "loihi2"
        result = chip.run(samples, record="spikes")
    spikes, _, v = simulate(graph, samples)
    for name in ("coder", "gate"):
        assert 0 < spikes[name].mean() < 1
        np.testing.assert_array_equal(result.spikes[name], spikes[name], err_msg=name)
    np.testing.assert_array_equal(result.output, v["out"][..., -1].reshape(2, -1) // 64)
    calls = [json.loads(line) for line in fake_extension.read_text().splitlines()]
    into = [call for call in calls if call["call"] == "PyToNxAdapter"]
    # Two: the input, and the input late for its shortcut to the readout.
    assert [(call["shape"], call["num_message_bits"]) for call in into] == [([3, 4, 2], 8)] * 2
    assert [call["shape"] for call in calls if call["call"] == "NxToPyAdapter"] == [[3, 4, 3], [3, 4, 2]]
    for call in calls:
        assert (call["SLURM"], call["PARTITION"], call["LOIHI_GEN"]) == ("1", "fakepartition", "N3B3")
