"""The networks we ship: they load, they are what their weights say, and their cards' figures can be printed again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mksgn.data.pack import load_pack
from mksgn.data.preprocess import Preprocess
from mksgn.data.splits import evenly_spaced, split
from mksgn.emulator import Emulator, run_frames
from mksgn.ir import graphs_equal
from mksgn.ir.streaming import continuous
from mksgn.netx import read_net
from mksgn.nn import SpikingGraphNet
from mksgn.nn.ensemble import ensemble_graph
from mksgn.nn.lowering import to_graph
from mksgn.nn.slayer_backend import SlayerReference
from mksgn.nn.unfolding import unfolded
from mksgn.training.batches import preprocessed
from mksgn.training.network_file import load_network

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = "deploy/run_lava.py"
FOLDERS = sorted(path.parent for path in (ROOT / "models").glob("*/mksgn.net"))


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.name)
def folder(request: pytest.FixtureRequest) -> Path:
    """Every network of models/."""
    return request.param


def networks(folder: Path) -> list[SpikingGraphNet]:
    """One network, or those that train/join_runs.py set side by side."""
    files = [folder / "weights.safetensors"]
    if not files[0].exists():
        files = sorted(folder.glob(f"member-*/{files[0].name}"))
    return [load_network(path) for path in files]


def test_weights_and_net_are_one_network(folder):
    graph, nets = read_net(folder / "mksgn.net"), networks(folder)
    made = to_graph(nets[0], graph.meta) if len(nets) == 1 else ensemble_graph(nets, graph.meta)
    assert graphs_equal(made, graph)


def test_what_is_trained_on_or_exported_again_begins_with_the_same_integers(folder):
    """--start unfolds them and rounds them again, to the same kind of scales; the half unit of bias (0011) cancels."""
    for net in networks(folder):
        again = unfolded(net)
        again.quantize("power-of-two" if all(scale & (scale - 1) == 0 for scale in net.scales()) else "integer")
        assert graphs_equal(to_graph(again), to_graph(net))


def test_models_stay_small():
    assert sum(f.stat().st_size for f in (ROOT / "models").rglob("*") if f.is_file()) <= 10e6


def test_the_card_quotes_the_file(folder):
    graph = read_net(folder / "mksgn.net")
    card = (folder / "README.md").read_text()
    for key in ("accuracy_float", "accuracy_float_clean", "accuracy_integer", "accuracy_integer_clean"):
        assert f"{100 * graph.meta[key]:.2f}" in card, key


def real_samples(folder: Path, path: Path, count: int) -> np.ndarray:
    graph = read_net(folder / "mksgn.net")
    pack = load_pack(path)
    test = split(pack, "nw-ucla-xview", val_subjects=()).test
    return preprocessed(pack, evenly_spaced(test, count), Preprocess.from_json(graph.meta["preprocess"]))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_slayer_runs_the_shipped_network_as_the_emulator_does(folder, nw_ucla_path):
    nets, graph = networks(folder), read_net(folder / "mksgn.net")
    samples = real_samples(folder, nw_ucla_path, 1)
    with Emulator(graph) as emulator:
        emulated = emulator.run(samples, record="spikes")
    seen = set()
    for number, net in enumerate(nets, 1):
        slayer = SlayerReference(net, batch_size=1).run(samples)
        for name in net.names:
            own = name if len(nets) == 1 else f"net{number}-{name}"
            assert np.array_equal(slayer.spikes[name], emulated.spikes[own]), own
            seen.add(own)
        assert len(nets) > 1 or np.array_equal(slayer.output, emulated.output)
    assert seen == {p.name for p in graph.populations if p.role == "hidden"}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_shipped_network_is_as_accurate_as_it_says(program, folder, nw_ucla_path, tmp_path):
    """40 samples spread over the test split; the whole split takes minutes and is in the card."""
    out = tmp_path / "r.json"
    done = program("--net", folder / "mksgn.net", "--data", nw_ucla_path, "--backend", "emulator", "--samples", 40,
                   "--json", out)
    assert done.code == 0, done.err[-2000:]
    result = json.loads(out.read_text())
    assert result["samples"] == 40
    stated = read_net(folder / "mksgn.net").meta["accuracy_integer"]
    assert result["accuracy"] > stated - 3 * (stated * (1 - stated) / 40) ** 0.5, "three standard errors under the card"
    assert set(result["subsets"]) == {"clean"}


def test_the_network_for_streams_decides_at_every_frame_as_on_the_clip_that_ends_there():
    graph = read_net(ROOT / "models" / "nw-ucla-stream" / "mksgn.net")
    channels, window, joints = graph.input.shape
    steps = np.random.default_rng(3).integers(-4, 5, (channels, window + 12, joints))
    frames = np.clip(3 * steps.cumsum(axis=1), -127, 127).astype(np.int8)
    clips = np.stack([frames[:, first:first + window] for first in range(13)])
    with Emulator(graph) as emulator:
        expected = emulator.run(clips).output
    assert len({tuple(row) for row in expected.tolist()}) == 13, "the clips should differ"
    np.testing.assert_array_equal(run_frames(continuous(graph), frames).output, expected)


@pytest.mark.timeout(300)
def test_the_shipped_network_runs_without_its_data(program, folder, tmp_path):
    """On a fresh machine: synthetic skeletons, predictions without labels to compare them with, and it says so."""
    out = tmp_path / "r.json"
    done = program("--net", folder / "mksgn.net", "--data", "synthetic", "--backend", "emulator", "--samples", 2,
                   "--json", out)
    assert done.code == 0, done.err[-2000:]
    result = json.loads(out.read_text())
    assert result["accuracy"] is None
    assert len(result["predictions"]) == 2
    assert result["synops"] > 0
