"""train/join_runs.py: finished runs side by side, what is written, what is refused; spiking teachers beside it."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from programs import Program

from mksgn.commands.train_net import train_net
from mksgn.commands.train_options import Options
from mksgn.data.preprocess import Preprocess
from mksgn.data.sources import load
from mksgn.data.splits import split
from mksgn.data.synthetic import synthetic_pack
from mksgn.emulator import Emulator
from mksgn.errors import ConfigError
from mksgn.ir import graphs_equal
from mksgn.netx import read_net
from mksgn.nn.ensemble import ensemble_graph
from mksgn.training.batches import preprocessed
from mksgn.training.evaluation import logits
from mksgn.training.frozen_teachers import Teachers
from mksgn.training.joining import join as join_runs
from mksgn.training.network_file import load_network, read_meta
from mksgn.training.run_data import split_of

pytestmark = pytest.mark.timeout(600)
WEIGHTS = "weights.safetensors"


@pytest.fixture(scope="module")
def options(pack_path):
    return Options(data=str(pack_path), widths=(8, 8, 8), frames=8, epochs=2, tune_epochs=0,
                           batch=24, time_steps=1, device="cpu")


@pytest.fixture(scope="module")
def pair(runs, options, tmp_path_factory) -> Path:
    """Two of the runs side by side."""
    out = tmp_path_factory.mktemp("joined") / "pair"
    join_runs(runs[:2], load(options.data), "small.npz", out)
    return out


@pytest.fixture(scope="module")
def runs(options, tmp_path_factory) -> list[Path]:
    """Two runs that differ in their seed, and one of other frames."""
    folder = tmp_path_factory.mktemp("runs")
    changed = [{"seed": 0}, {"seed": 1}, {"frames": 12}]
    for number, change in enumerate(changed):
        train_net(replace(options, out=folder / f"run-{number}", **change))
    return [folder / f"run-{number}" for number in range(len(changed))]


@pytest.fixture
def join(capsys, monkeypatch, tmp_path) -> Program:
    return Program("train/join_runs.py", capsys, monkeypatch, tmp_path)


def test_two_runs_become_one_net(join, runs, options, tmp_path):
    done = join("--run", runs[0], runs[1], "--data", options.data, "--out", "pair")
    assert done.code == 0, done.err
    out = tmp_path / "pair"
    graph = read_net(out / "mksgn.net")
    members = [load_network(out / f"member-{number}" / WEIGHTS) for number in (1, 2)]
    assert graphs_equal(ensemble_graph(members, graph.meta), graph)
    assert graphs_equal(ensemble_graph([load_network(run / WEIGHTS) for run in runs[:2]], graph.meta), graph)
    assert graph.meta["members"] == ["run-0", "run-1"] and graph.time_steps == 1
    pack = synthetic_pack(96)
    test = split(pack).test
    samples = preprocessed(pack, test, Preprocess.from_json(graph.meta["preprocess"]))
    total = sum(logits(load_network(run / "float.safetensors", quantized=False), samples) for run in runs[:2])
    assert graph.meta["accuracy_float"] == pytest.approx(float((total.argmax(1) == pack.labels[test]).mean()))
    for key in ("float", "integer"):
        assert f"{graph.meta[f'accuracy_{key}']:.2%}" in done.out
    train = split_of(pack, read_meta(runs[0] / WEIGHTS)).train
    with Emulator(graph) as emulator:
        fitted = emulator.run(preprocessed(pack, train, Preprocess.from_json(graph.meta["preprocess"]))).predictions
    assert graph.meta["accuracy_train"] == pytest.approx(float((fitted == pack.labels[train]).mean()))
    assert f"training samples without augmentation: {graph.meta['accuracy_train']:.2%}" in done.out
    again = join("--run", runs[0], runs[1], "--data", options.data, "--out", "pair")
    assert again.code == 2 and "--overwrite" in again.err


def test_what_was_joined_runs_and_has_a_row(pair, runs, options, tmp_path, capsys, monkeypatch):
    stated = read_net(pair / "mksgn.net").meta
    lava = Program("deploy/run_lava.py", capsys, monkeypatch, tmp_path)
    done = lava("--net", pair / "mksgn.net", "--data", options.data, "--backend", "emulator", "--samples", "0",
                "--json", "r.json")
    assert done.code == 0, done.err
    assert json.loads((tmp_path / "r.json").read_text())["accuracy"] == pytest.approx(stated["accuracy_integer"])
    accuracy = Program("benchmarks/accuracy.py", capsys, monkeypatch, tmp_path)
    assert accuracy("--run", pair, runs[0], "--data", options.data, "--json", "a.json").code == 0
    rows = json.loads((tmp_path / "a.json").read_text())["rows"]
    pair, alone = (next(row for row in rows if row["run"] == name) for name in ("pair", "run-0"))
    assert "2 nets side by side" in pair["variant"] and pair["parameters"] == 2 * alone["parameters"]
    assert pair["accuracy"] == pytest.approx(stated["accuracy_integer"]) and pair["synops"] > alone["synops"]


def test_fewer_time_steps_are_tabled(options, tmp_path, capsys, monkeypatch):
    train_net(replace(options, out=tmp_path / "four", time_steps=4))
    program = Program("benchmarks/experiments/time_steps.py", capsys, monkeypatch, tmp_path)
    done = program("--run", "four", "--data", options.data, "--samples", "20", "--json", "t.json")
    assert done.code == 0, done.err
    rows = json.loads((tmp_path / "t.json").read_text())["rows"]
    assert [row["time_steps"] for row in rows] == [4, 2, 1] and rows[0]["agreement"] == 1
    assert all(0 <= row["accuracy"] <= 1 and row["samples"] == 20 for row in rows)
    assert program("--run", "four", "--data", "synthetic").code == 2


def test_what_rounding_changes_is_tabled(runs, options, tmp_path, capsys, monkeypatch):
    program = Program("benchmarks/experiments/rounding.py", capsys, monkeypatch, tmp_path)
    ask = ("--run", runs[0], "--data", options.data, "--samples", "20", "--json", "r.json")
    done = program(*ask, "--units", "0", "0.5", "8")
    assert done.code == 0, done.err
    rows = json.loads((tmp_path / "r.json").read_text())["rows"]
    kinds = ["power-of-two", "integer"]
    assert [(row["scales"], row["units"]) for row in rows] == [(None, None), *product(kinds, (0, 0.5, 8))]
    assert (rows[0]["rate"], rows[0]["agreement"], rows[0]["logit_error"]) == (1, 1, 0)
    assert all(row["samples"] == 20 for row in rows) and all(row["logit_error"] > 0 for row in rows[1:])
    for first in (1, 4):
        rates = [row["rate"] for row in rows[first:first + 3]]
        assert rates[0] < rates[1] < rates[2], "higher biases, more spikes"
    (runs[0] / "float.safetensors").rename(tmp_path / "away")
    try:
        done = program(*ask)
    finally:
        (tmp_path / "away").rename(runs[0] / "float.safetensors")
    assert done.code == 2 and "no floating-point network" in done.err


@pytest.mark.parametrize(("chosen", "more", "message"), [
    ((0,), (), "nothing to join"), ((0, 0), (), "named twice"), ((0, 2), (), "do not fit together"),
    ((0, 1), ("--data", "synthetic"), "other data"), ((0, 9), (), "no-run"),
])
def test_what_cannot_be_joined_is_one_message(join, runs, options, tmp_path, chosen, more, message):
    given = [runs[number] if number < len(runs) else tmp_path / "no-run" for number in chosen]
    done = join("--run", *given, *(more or ("--data", options.data)), "--out", "pair")
    assert done.code == 2 and message in done.err, done.err
    assert not (tmp_path / "pair").exists()


def test_a_member_can_be_trained_on_and_can_teach(pair, options, tmp_path):
    """--start and --teacher take folders that hold integers only."""
    member = pair / "member-1"
    again = replace(options, preset=None, widths=None, frames=None, start=str(member), out=tmp_path / "again", epochs=1,
                    teacher=(str(member), str(pair / "member-2")), distil="ce-kl", gamma=(1.0, 1.0, 0.0))
    train_net(again)
    recipe = json.loads(read_net(tmp_path / "again" / "mksgn.net").meta["recipe"])
    assert recipe["widths"] == [8, 8, 8] and len(recipe["distil"]["teachers"]) == 2
    assert all(said.startswith("mksgn joint, test 0.") for said in recipe["distil"]["teachers"])
    row = json.loads((tmp_path / "again" / "metrics.jsonl").read_text().splitlines()[0])
    assert row["soft_loss"] > 0 and row["feature_loss"] == 0
    with pytest.raises(ConfigError, match="no features"):
        train_net(replace(again, out=tmp_path / "never", gamma=None))


def test_a_spiking_teacher_says_what_it_is(runs):
    """Its logits are the floating-point network's; twice the same file is refused, two of one modality are not."""
    teachers = Teachers(runs[:2])
    assert not any(p.requires_grad for p in teachers.parameters())
    samples = np.random.default_rng(0).integers(-100, 100, (4, 3, 8, 20)).astype(np.int8)
    lesson = teachers([torch.from_numpy(samples)] * 2)
    assert lesson.logits.shape == (4, 2, len(synthetic_pack(96).class_names)) and lesson.features == []
    with torch.no_grad():
        expected = load_network(runs[1] / "float.safetensors", quantized=False)(torch.from_numpy(samples)).logits
    torch.testing.assert_close(lesson.logits[:, 1], expected, atol=0.05, rtol=0.05)
    with pytest.raises(ConfigError, match="same network"):
        Teachers([runs[0], runs[0]])
