"""deploy/run_lava.py from its command line: skeletons, tensors, two backends, and everything that can be wrong.

The program runs in this process, as ``python deploy/run_lava.py`` would run it, because starting an
interpreter takes seconds; one test starts it as a process.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from lively_nets import lively, samples_for
from programs import Program, graph_for
from same_counts import assert_same_counts

from mksgn.data.pack import Pack, save_pack
from mksgn.data.readers import read
from mksgn.data.synthetic import synthetic_pack
from mksgn.emulator import Emulator
from mksgn.ir import Cuba, Dense, Graph, Population
from mksgn.netx import read_net, write_net
from mksgn.nn import NetConfig, SpikingGraphNet
from mksgn.nn.lowering import to_graph
from mksgn.programs import classes, outputs
from mksgn.programs.samples import Selection, Source, evenly, select
from mksgn.run.execution import Agreement, execute, part_size
from mksgn.skeleton import NTU25, UCLA20

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = ROOT / "deploy" / "run_lava.py"
JSON_KEYS = {"accuracy", "samples", "subsets", "spikes", "synops", "macs", "energy_mj_paper", "energy_mj_counted",
             "predictions", "labels", "names", "backend", "net", "versions", "rates", "seconds", "check"}


@pytest.fixture
def program(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Program:
    return Program("deploy/run_lava.py", capsys, monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("nets")


@pytest.fixture(scope="module")
def net(folder: Path) -> Path:
    """A net for the synthetic skeletons."""
    write_net(graph_for(synthetic_pack(12), "synthetic"), folder / "syn.net")
    return folder / "syn.net"


@pytest.fixture(scope="module")
def pack_path(folder: Path) -> Path:
    """A small pack of synthetic skeletons whose test half holds copies of training sequences."""
    pack = synthetic_pack(180)
    assert pack.test is not None
    save_pack(replace(pack, test_dup_of_train=pack.test & (pack.ids["subject"] == 2)), folder / "small.npz")
    return folder / "small.npz"


@pytest.fixture(scope="module")
def stock() -> Path:
    """Stock netx files with golden outputs, from lava-dl's wheel."""
    path = Path(str(importlib.metadata.distribution("lava-dl").locate_file("tests/lava/lib/dl/netx")))
    assert (path / "tiny.net").is_file()
    return path


def test_skeletons_on_the_emulator(program: Program, net: Path, pack_path: Path, tmp_path: Path) -> None:
    report = tmp_path / "r.json"
    outcome = program("--net", net, "--data", pack_path, "--backend", "emulator", "--json", report)
    assert outcome.code == 0, outcome.err
    result = json.loads(report.read_text())
    assert result.keys() >= JSON_KEYS
    pack = read(pack_path)
    assert pack.test is not None and pack.test_dup_of_train is not None
    test = np.flatnonzero(pack.test)
    assert result["names"] == pack.names[test].tolist() and result["labels"] == pack.labels[test].tolist()
    right = np.array(result["predictions"]) == pack.labels[test]
    assert len(set(result["predictions"])) > 1
    clean = ~pack.test_dup_of_train[test]
    assert 0 < clean.sum() < len(test) == result["samples"]
    assert result["accuracy"] == pytest.approx(right.mean())
    assert result["subsets"] == {"clean": {"samples": int(clean.sum()), "accuracy": pytest.approx(right[clean].mean())}}
    # Counted once more, neuron by neuron, from recorded spikes.
    graph = read_net(net)
    x = select(graph, net, Source(str(pack_path), own=False), None, "test", 0).x
    with Emulator(graph) as emulator:
        recorded = emulator.run(x, "spikes")
    spikes = {name: int(values.sum()) for name, values in recorded.spikes.items()}
    assert result["spikes"] == sum(spikes.values()) > 0
    assert result["rates"]["sc"] == pytest.approx(recorded.spikes["sc"].mean())
    assert result["energy_mj_counted"] == pytest.approx(
        (4.6 * result["macs"] + 0.9 * result["synops"]) / len(test) * 1e-9)
    assert result["predictions"] == recorded.predictions.tolist()
    for words in ("accuracy", "clean subset", "modelled, Eq. 33-37, 45 nm", str(report), "CPU simulation", "spikes"):
        assert words in outcome.out
    assert_classes(result, pack, outcome.out)
    # Scores: the softmax of what the readout says, in the logits of the network that was trained.
    scale = graph.meta["logit_scale"]
    powers = np.exp(recorded.output / scale)
    assert np.allclose(result["scores"], powers / powers.sum(axis=1, keepdims=True), rtol=1e-12)
    assert result["logit_scale"] == scale and result["scores_note"] is None
    assert [row[0] for row in result["top5"]] == result["predictions"]
    for row, scores in zip(result["top5"], result["scores"]):
        assert len(set(row)) == 5 and [scores[i] for i in row] == sorted(scores, reverse=True)[:5]


def assert_classes(result: dict[str, Any], pack: Pack, printed: str) -> None:
    """The rows of the classes say what predictions and labels say; wrong samples are listed, the first 20."""
    labels, predictions = np.array(result["labels"]), np.array(result["predictions"])
    assert [row["class"] for row in result["classes"]] == [pack.class_names[i] for i in np.unique(labels)]
    for row in result["classes"]:
        label = pack.class_names.index(row["class"])
        found = predictions[labels == label].tolist()
        assert row["samples"] == len(found) and row["right"] == found.count(label)
        wrong = [prediction for prediction in found if prediction != label]
        assert row["times"] == max(map(wrong.count, wrong), default=0)
        if wrong:
            assert wrong.count(pack.class_names.index(row["taken_for"])) == row["times"]
            assert f"{row['taken_for']} ({row['times']})" in printed
    wrong = [name for name, right in zip(result["names"], labels == predictions) if not right]
    assert len(wrong) > 20 and f"the first 20 of {len(wrong)}" in printed
    assert all(name in printed for name in wrong[:20]) and wrong[20] not in printed


def test_scores_are_those_of_the_trained_network() -> None:
    """A readout over the net's logit scale is, to the last bit, the logit of the quantised network in torch."""
    torch.manual_seed(2)
    net = SpikingGraphNet(NetConfig(body=UCLA20, classes=5, frames=8, widths=(8, 12), strides=(1, 2), time_steps=2))
    x = samples_for(net)
    lively(net, x).eval()
    net.quantize()
    graph = to_graph(net)
    with torch.no_grad():
        logits = net(torch.from_numpy(x)).logits
    with Emulator(graph) as emulator:
        output = emulator.run(x).output
    assert np.array_equal(output / graph.meta["logit_scale"], logits.numpy()) and output.any()
    found, why = classes.scores(graph, output)
    assert found is not None and not why and np.allclose(found, logits.softmax(1).numpy(), rtol=1e-6)
    bare = replace(graph, meta={})
    assert classes.scores(bare, output)[0] is None and "export it again" in classes.scores(bare, output)[1]


def test_tables_of_many_classes_and_samples_are_cut() -> None:
    """30 classes of which three are hard: 20 rows with those among them, all with --all; unlabelled samples too."""
    labels = np.repeat(np.arange(30), 4)
    predictions = np.where((labels % 10 == 7) & (np.arange(120) % 4 < 3), 0, labels)
    chosen = selection_of(labels)
    rows = classes.per_class(chosen, predictions)
    cut, whole = classes.classes_table(rows, False), classes.classes_table(rows, True)
    assert (cut.row_count, whole.row_count) == (20, 30) and "20 of 30" in str(cut.caption) and not whole.caption
    assert {"class 7", "class 17", "class 27"} <= {str(cell) for cell in cut.columns[0].cells}
    wrong = classes.samples_table(chosen, predictions, None, False)
    assert wrong is not None and wrong.row_count == 9
    assert classes.samples_table(chosen, labels, None, False) is None
    blind = replace(chosen, labels=np.full(120, -1))
    unknown = [classes.samples_table(blind, predictions, None, everything) for everything in (False, True)]
    assert [table.row_count for table in unknown if table is not None] == [20, 120] and not classes.per_class(
        blind, predictions)


def selection_of(labels: np.ndarray) -> Selection:
    """Samples of which nothing is asked but names and labels."""
    names = tuple(f"sample {number}" for number in range(len(labels)))
    return Selection(np.zeros((len(labels), 1, 1, 1), np.int8), labels, names,
                     tuple(f"class {number}" for number in range(30)), None, "d", "", "all", len(labels), "")


def test_the_default_data_is_what_the_net_was_trained_on(program: Program, net: Path, folder: Path, pack_path: Path,
                                                         tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = program("--net", net, "--backend", "emulator", "--samples", 7)
    assert outcome.code == 0 and "synthetic: 7 of 492 samples, split test" in outcome.out
    write_net(graph_for(synthetic_pack(12), "small.npz"), folder / "own.net")
    outcome = program("--net", folder / "own.net", "--backend", "emulator")
    assert f"{pack_path}: 60 of 60" in outcome.out and "note:" not in outcome.out
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    write_net(graph_for(synthetic_pack(12), "small.npz"), elsewhere / "own.net")
    outcome = program("--net", elsewhere / "own.net", "--backend", "emulator", "--samples", 2)
    assert outcome.code == 2 and "trained on is not here" in outcome.err and "small.npz is in none of" in outcome.err
    assert "--data PATH" in outcome.err and "--input x.npy" in outcome.err and "accuracy" not in outcome.out
    write_net(graph_for(synthetic_pack(12), ""), elsewhere / "unknown.net")
    outcome = program("--net", elsewhere / "unknown.net", "--backend", "emulator")
    assert outcome.code == 2 and "does not say what it was trained on" in outcome.err
    monkeypatch.setenv("MKSGN_DATA", str(folder))
    # The recipe holds subject 3 out; the split is cut as in training.
    outcome = program("--net", elsewhere / "own.net", "--backend", "emulator", "--split", "val", "--json", "v.json")
    names = json.loads(Path("v.json").read_text())["names"]
    assert str(pack_path) in outcome.out and names and all("_s03_" in name for name in names)


def test_a_bare_name_means_the_newest_run_and_then_a_shipped_model(program: Program, net: Path) -> None:
    """``--net mksgn.net``, typed in a fresh checkout or after a training."""
    asked = ("--net", "mksgn.net", "--backend", "emulator", "--samples", 12)
    outcome = program(*asked)
    assert outcome.code == 0 and "mksgn.net is not in this folder: " in outcome.out and "nw-ucla" in outcome.out
    assert "predictions on them mean nothing" in outcome.out, "NW-UCLA is not here"
    for number, name in enumerate(("older", "newer")):
        copy = Path("runs") / name / "mksgn.net"
        copy.parent.mkdir(parents=True)
        shutil.copy(net, copy)
        os.utime(copy, (1e9 + number, 1e9 + number))
    assert "mksgn.net is not in this folder: runs/newer/mksgn.net is used" in program(*asked).out
    shutil.copy(net, "mksgn.net")
    assert "is used" not in program(*asked).out
    outcome = program("--net", "other.net", "--backend", "emulator")
    assert outcome.code == 2 and "other.net" in outcome.err


def test_a_net_of_other_classes_runs_without_accuracy(program: Program, folder: Path) -> None:
    """The shipped net on a machine without its data: synthetic skeletons on request, no result of them printed."""
    pack = synthetic_pack(12)
    graph = graph_for(pack, "nw_ucla.npz", labels=[f"other {i}" for i in range(12)], protocol="nw-ucla-xview")
    write_net(graph, folder / "other.net")
    outcome = program("--net", folder / "other.net", "--backend", "emulator", "--samples", 3, "--json", "o.json",
                      "--data", "synthetic")
    assert outcome.code == 0
    assert "note: the net was trained on nw_ucla.npz" in outcome.out
    assert "accuracy: none, the net's classes" in outcome.out and "prediction  score" not in outcome.out
    result = json.loads(Path("o.json").read_text())
    assert result["accuracy"] is None and "not those of the data" in result["accuracy_note"]
    assert result["labels"] == [None] * 3 and result["spikes"] > 0 and len(result["predictions"]) == 3


def test_real_recordings(program: Program, data_dir: Path, folder: Path) -> None:
    raw = data_dir / "raw"
    one_frame = raw / "nw-ucla" / "a02_s09_e04_v02.json"
    assert read(one_frame).lengths.tolist() == [1]
    write_net(graph_for(read(one_frame.parent), "ucla", "mksgn", protocol="nw-ucla-xview"), folder / "ucla.net")
    outcome = program("--net", folder / "ucla.net", "--data", one_frame, "--backend", "emulator", "--json", "u.json")
    assert outcome.code == 0, outcome.err
    result = json.loads(Path("u.json").read_text())
    assert result["names"] == ["a02_s09_e04_v02"] and result["labels"] == [1] and result["split"] == "all"
    outcome = program("--net", folder / "ucla.net", "--data", raw / "nw-ucla", "--backend", "emulator")
    assert outcome.code == 2 and "no samples in this split" in outcome.err and "--split all" in outcome.err
    two = raw / "ntu" / "S001C003P008R002A058.skeleton"
    write_net(graph_for(read(two), "ntu", persons=2, protocol="ntu60-xsub"), folder / "ntu.net")
    outcome = program("--net", folder / "ntu.net", "--data", two, "--backend", "emulator", "--json", "n.json")
    assert outcome.code == 0, outcome.err
    assert json.loads(Path("n.json").read_text())["labels"] == [57]
    outcome = program("--net", folder / "ntu.net", "--data", raw / "ntu", "--backend", "emulator")
    assert outcome.code == 0 and "split test of ntu60-xsub" in outcome.out
    outcome = program("--net", folder / "ntu.net", "--data", one_frame, "--backend", "emulator")
    assert outcome.code == 2 and "20 joints" in outcome.err and "25 joints" in outcome.err
    msr = sorted((raw / "msr-action3d").glob("*.txt"))[0]
    assert program("--net", folder / "ntu.net", "--data", msr).code == 2


def test_a_cross_subject_net_knows_the_first_classes_of_the_larger_set(program: Program, folder: Path) -> None:
    pack = synthetic_pack(12)
    names = list(pack.class_names)
    fewer = replace(pack, class_names=tuple(names[:6]), labels=pack.labels % 6)
    save_pack(fewer, folder / "fewer.npz")
    write_net(graph_for(pack, "x"), folder / "more.net")
    arguments = ("--net", folder / "more.net", "--split", "all", "--backend", "emulator", "--data")
    assert "on 12 samples" in program(*arguments, folder / "fewer.npz").out
    save_pack(replace(fewer, labels=np.full(12, -1)), folder / "unknown.npz")
    outcome = program(*arguments, folder / "unknown.npz")
    assert outcome.code == 0 and "accuracy: none, the samples have no labels" in outcome.out
    assert outcome.out.count("syn_a") == 12 and "score" in outcome.out, "predictions are listed"


@pytest.mark.lava
@pytest.mark.timeout(300)
def test_lava_agrees_with_the_emulator_on_every_spike(program: Program, net: Path) -> None:
    outcome = program("--net", net, "--samples", 3, "--check", "--json", "c.json")
    assert outcome.code == 0, outcome.out + outcome.err
    result = json.loads(Path("c.json").read_text())
    graph = read_net(net)
    size = sum(population.size for population in graph.populations[1:])
    assert result["check"]["equal"] and result["check"]["spikes_compared"] == size * 4 * 3
    assert result["check"]["backends"] == ["lava", "emulator"] and result["backend"] == "lava"
    assert f"{size * 12:,} spikes" in outcome.out and "0 differ" in outcome.out
    # Lava's counts come from its recorded spikes, the emulator's from its own sums.
    outcome = program("--net", net, "--samples", 3, "--backend", "emulator", "--json", "e.json")
    counted = json.loads(Path("e.json").read_text())
    for key in ("spikes", "synops", "macs", "rates", "energy_mj_paper", "predictions", "accuracy", "names"):
        assert counted[key] == result[key], key


@pytest.mark.timeout(300)
def test_processes_share_a_test_set(program: Program, net: Path, tmp_path: Path) -> None:
    """torchrun: the same counts and predictions as one process, printed and written once."""
    arguments = ["--net", str(net), "--backend", "emulator", "--samples", "31", "--json"]
    assert program(*arguments, "one.json").code == 0
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "3", str(PROGRAM)]
    done = subprocess.run([*command, *arguments, "three.json"], cwd=tmp_path, capture_output=True, text=True,
                          timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("wrote three.json") == 1
    one, three = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("one", "three"))
    assert one.pop("seconds") > 0 and three.pop("seconds") > 0
    assert one == three and sum(one["predictions"]) and one["samples"] == 31
    refused = subprocess.run([*command, *arguments[:2]], cwd=tmp_path, capture_output=True, text=True, timeout=280,
                             check=False)
    assert refused.returncode and "samples of the emulator only" in refused.stdout + refused.stderr


@pytest.mark.lava
@pytest.mark.timeout(300)
def test_stock_net_in_lava_gives_the_golden_spikes(program: Program, stock: Path) -> None:
    """lava-dl's test_tinynet: input through the bias of the first neurons, 17 steps per sample."""
    bias = np.load(stock / "gts" / "tinynet" / "input_bias.npy").transpose(2, 1, 0)
    np.save("x.npy", np.repeat(bias[..., None], 17, axis=-1))
    arguments = ("--net", stock / "tiny.net", "--input", "x.npy", "--reset-interval", 17, "--dump", "out.npz")
    golden = np.load(stock / "gts" / "tinynet" / "output.npy")[0]
    outcome = program(*arguments, "--all", "--check-states")
    assert outcome.code == 0 and "0 differ" in outcome.out and "states" in outcome.out, outcome.out + outcome.err
    with np.load("out.npz") as dumped:
        assert set(dumped.files) == {"out", "input", "layer_0", "layer_1", "layer_2"}
        assert np.array_equal(dumped["out"][..., 2:17], golden[..., 1:]) and golden.any()
        assert np.array_equal(dumped["layer_2"], dumped["out"]) and dumped["layer_1"].shape == (24, 6, 6, 17)
    assert program(*arguments, "--backend", "emulator").code == 0
    with np.load("out.npz") as dumped:
        assert dumped.files == ["out"] and np.array_equal(dumped["out"][..., 2:17], golden[..., 1:])


def test_stock_net_with_delays_gives_the_golden_spikes(program: Program, stock: Path) -> None:
    """lava-dl's test_axonal_delay_ntidigits: float 0 and 1 of shape (64, 3000) into the net's (1, 1, 64)."""
    files = stock / "gts" / "ntidigits"
    outcome = program("--net", files / "ntidigits.net", "--input", files / "input.npy", "--dump", "out.npz")
    assert outcome.code == 2 and "average" in outcome.err
    outcome = program("--net", files / "ntidigits.net", "--num-layers", 5, "--input", files / "input.npy", "--dump",
                      "out.npz", "--backend", "emulator", "--json", "out.json")
    assert outcome.code == 0, outcome.err
    golden = np.load(files / "output.npy")
    with np.load("out.npz") as dumped:
        # The golden array holds what was received: one step after it was sent.
        assert np.array_equal(dumped["out"].reshape(242, 3000)[:, :-1], golden[:, 1:]) and golden.sum() > 20000
        assert dumped["out"].mean() == pytest.approx(json.loads(Path("out.json").read_text())["rates"]["layer_4"])
    result = json.loads(Path("out.json").read_text())
    assert result.keys() >= JSON_KEYS and result["accuracy"] is None and result["windows"] == 0


def test_stock_net_that_does_not_say_its_input(program: Program) -> None:
    """It starts with a conv layer: the shape is that of the tensor, or --input-shape."""
    with h5py.File("conv.net", "w") as file:
        conv = {"type": np.array([b"conv"]), "shape": [1, 3, 2], "weight": np.full((1, 2, 2, 2), 2.0), "stride": 1,
                "padding": 0, "dilation": 1, "groups": 1, "neuron/type": "CUBA", "neuron/iDecay": 4096,
                "neuron/vDecay": 0, "neuron/vThMant": 3}
        for key, value in conv.items():
            file[f"layer/0/{key}"] = value
    x = np.ones((2, 4, 3, 5), int)
    np.save("x.npy", x)
    np.save("flat.npy", x.reshape(24, 5))
    run = ("--net", "conv.net", "--backend", "emulator", "--input")
    assert program(*run, "x.npy", "--dump", "a.npz").code == 0
    assert program(*run, "flat.npy", "--input-shape", 2, 4, 3, "--dump", "b.npz").code == 0
    with np.load("a.npz") as a, np.load("b.npz") as b:
        assert a["out"].shape == (1, 3, 2, 5) and a["out"].any() and np.array_equal(a["out"], b["out"])
    for arguments, message in ((("flat.npy",), "does not say the shape of its input"),
                               (("x.npy", "--input-shape", 2, 3, 4), "does not fit its ends"),
                               (("x.npy", "--input-shape", 3, 4, 3), "does not fit the first layer"),
                               (("x.npy", "--input-shape", 2, 0, 3), "impossible input shape")):
        outcome = program(*run, *arguments)
        assert outcome.code == 2 and message in outcome.err, outcome.err


def test_tensor_into_a_net_with_windows(program: Program, net: Path) -> None:
    graph = read_net(net)
    x = np.random.default_rng(0).integers(-127, 128, (*graph.input.shape, 8))
    np.save("x.npy", x)
    arguments = ("--net", net, "--backend", "emulator", "--dump", "o.npz", "--all", "--input")
    outcome = program(*arguments, "x.npy")
    assert outcome.code == 0 and "2 windows of 4" in outcome.out
    with Emulator(graph) as emulator:
        windows = [emulator.run(x[None, ..., n:n + 4], "spikes") for n in (0, 4)]
    with np.load("o.npz") as dumped:
        assert dumped["out"].shape == (*graph.output.shape, 2)
        for n, window in enumerate(windows):
            assert np.array_equal(dumped["out"][..., n].ravel(), window.output[0])
            assert np.array_equal(dumped["block2.stc"][..., 4 * n:4 * n + 4], window.spikes["block2.stc"][0])
        assert set(dumped.files) == {"out", *(population.name for population in graph.populations)}
        first = dumped["out"]
    np.save("flat.npy", x.reshape(-1, 8).astype(np.float32))
    program(*arguments, "flat.npy")
    with np.load("o.npz") as dumped:
        assert np.array_equal(dumped["out"], first)


def test_stream_through_a_net_with_awkward_names(program: Program, tmp_path: Path) -> None:
    """Populations called like numpy.savez's own argument, with a slash, and like the result."""
    chain = Graph((Population("file", (1, 1, 2), role="input"), Population("a/b", (2, 1, 1), Cuba(10)),
                   Population("out", (1, 1, 1), Cuba(131071, 4096, 0), role="readout")),
                  (Dense("s", ("file",), "a/b", np.array([[64, 0], [0, 64]], np.int16)),
                   Dense("r", ("a/b",), "out", np.array([[2, 4]], np.int16))))
    write_net(chain, tmp_path / "chain.net")
    np.save("x.npy", np.array([[1, 0, 1, 0, 0], [0, 1, 1, 0, 0]], bool))
    outcome = program("--net", "chain.net", "--input", "x.npy", "--dump", "o.npz", "--all", "--backend", "emulator")
    assert outcome.code == 0, outcome.err
    with np.load("o.npz") as dumped:
        assert dumped["a/b"][:, 0, 0].tolist() == [[0, 1, 0, 1, 0], [0, 0, 1, 1, 0]]
        assert dumped["out"].tolist() == [[[[12]]]] and dumped["file"].shape == (1, 1, 2, 5)
    assert program("--net", "chain.net").code == 2


BAD_INPUT: dict[str, tuple[Any, str]] = {
    "wrong shape": (np.zeros((3, 3, 8), int), "does not fit the net"),
    "no time": (np.zeros((3, 8, 20), int), "does not fit the net"),
    "Lava's order": (np.zeros((20, 8, 3, 4), int), "transpose(2, 1, 0, 3)"),
    "no whole window": (np.zeros((3, 8, 20, 6), int), "multiple of time_steps = 4"),
    "fractions": (np.full((3, 8, 20, 4), 0.5), "not made of integers"),
    "NaN": (np.full((3, 8, 20, 4), np.nan), "nan"),
    "too large": (np.full((3, 8, 20, 4), 200), "out of the message range"),
    "beyond int32": (np.full((3, 8, 20, 4), 1 << 40), "not made of integers"),
    "text": (np.array(["a"]), "not made of numbers"),
    "pickle": (np.array([None, {}], object), "cannot be read"),
}


@pytest.mark.parametrize("kind", BAD_INPUT)
def test_bad_tensors(program: Program, net: Path, kind: str) -> None:
    array, message = BAD_INPUT[kind]
    np.save("x.npy", array, allow_pickle=True)
    outcome = program("--net", net, "--input", "x.npy", "--backend", "emulator", "--dump", "o.npz")
    assert outcome.code == 2 and message in outcome.err and not Path("o.npz").exists()


def test_damaged_tensors(program: Program, net: Path) -> None:
    np.save("x.npy", np.zeros((3, 8, 20, 4), int))
    whole = Path("x.npy").read_bytes()
    for content, message in ((b"", "cannot be read"), (whole[:-100], "cannot be read"), (b"x" * 100, "cannot be read"),
                             (whole[:40], "cannot be read")):
        Path("x.npy").write_bytes(content)
        outcome = program("--net", net, "--input", "x.npy", "--backend", "emulator")
        assert outcome.code == 2 and message in outcome.err
    with Path("huge.npy").open("wb") as stream:  # a header that declares terabytes
        np.lib.format.write_array_header_1_0(
            stream, {"descr": "<i8", "fortran_order": False, "shape": (3, 8, 20, 1 << 40)})
    np.savez("z.npz", x=np.zeros(3))
    for name, message in (("huge.npy", "cannot be read"), ("z.npz", "several arrays"), ("none.npy", "does not exist")):
        outcome = program("--net", net, "--input", name, "--backend", "emulator")
        assert outcome.code == 2 and message in outcome.err


OPTIONS: dict[str, tuple[tuple[object, ...], str]] = {
    "no input for dump": (("--dump", "o.npz"), "--dump"),
    "no input for reset": (("--reset-interval", 4), "--reset-interval"),
    "no input for its shape": (("--input-shape", 3, 8, 20), "--input-shape"),
    "another input shape": (("--input", "x.npy", "--input-shape", 3, 8, 21), "input of another shape"),
    "no input for layers": (("--num-layers", 2), "--num-layers"),
    "all without dump": (("--input", "x.npy", "--all"), "--all"),
    "split of a tensor": (("--input", "x.npy", "--split", "test"), "--split"),
    "samples of a tensor": (("--input", "x.npy", "--samples", 0), "--samples"),
    "data and a tensor": (("--input", "x.npy", "--data", "synthetic"), "--data"),
    "protocol of a tensor": (("--input", "x.npy", "--protocol", "as-packed"), "--protocol"),
    "timeout of the emulator": (("--backend", "emulator", "--timeout", 3), "--timeout"),
    "layout of the emulator": (("--backend", "emulator", "--layout", "stock"), "--layout"),
    "layout of a chip": (("--backend", "loihi2", "--layout", "blocks"), "no effect on this backend"),
    "emulator's batch on Lava": (("--batch-size", 4), "--batch-size"),
    "processes of the emulator": (("--backend", "emulator", "--max-processes", 9), "--max-processes"),
    "negative samples": (("--samples", -1), "negative"),
    "protocol of everything": (("--split", "all", "--protocol", "synthetic"), "--protocol"),
    "unknown protocol": (("--protocol", "nonsense"), "Unknown protocol"),
    "no folder": (("--json", "no/such/r.json"), "does not exist"),
    "a folder": (("--json", "."), "is a folder"),
    "no data": (("--data", "nowhere.npz"), "nowhere.npz"),
    "too few processes": (("--samples", 1, "--max-processes", 3), "more OS processes than allowed"),
    "no timeout": (("--samples", 1, "--timeout", 0), "must be positive"),
}


@pytest.mark.parametrize("kind", OPTIONS)
def test_options_without_effect_or_sense(program: Program, net: Path, kind: str) -> None:
    arguments, message = OPTIONS[kind]
    outcome = program("--net", net, *arguments)
    assert outcome.code == 2 and outcome.err.startswith("error: ") and message in outcome.err


def test_reset_interval_has_no_effect_on_windows(program: Program, net: Path) -> None:
    np.save("x.npy", np.zeros((3, 8, 20, 4), int))
    outcome = program("--net", net, "--input", "x.npy", "--reset-interval", 4, "--backend", "emulator")
    assert outcome.code == 2 and "no effect on this net" in outcome.err


def test_unknown_backend_and_missing_net(program: Program, net: Path) -> None:
    outcome = program("--net", net, "--backend", "cloud")
    assert outcome.code == 2 and "cloud" in outcome.err
    outcome = program()
    assert outcome.code == 2 and "--net" in outcome.err


def test_unreadable_nets(program: Program, net: Path, stock: Path) -> None:
    content = net.read_bytes()
    Path("truncated.net").write_bytes(content[:len(content) // 2])
    Path("empty.net").write_bytes(b"")
    Path("text.net").write_text("not a net")
    for name in ("truncated.net", "empty.net", "text.net", "missing.net", "."):
        outcome = program("--net", name)
        assert outcome.code == 2 and outcome.err.startswith("error: "), name
    outcome = program("--net", stock / "tiny.net")
    assert outcome.code == 2 and "--input x.npy" in outcome.err


def test_nets_that_contradict_themselves(program: Program, pack_path: Path) -> None:
    pack = synthetic_pack(12)
    good = graph_for(pack, "synthetic")
    bones = good.meta["edges"]
    preprocess = json.loads(good.meta["preprocess"])
    for changes, message in (
            ({"joints": 25}, "does not make its input"), ({"joints": "20"}, "'joints'"),
            ({"edges": [*bones[:-2], 0, 19]}, "other bones"), ({"edges": bones[:-2]}, "other bones"),
            ({"edges": bones[:-1]}, "not pairs"), ({"labels": ["one"]}, "more or fewer classes"),
            ({"labels": list(range(12))}, "a list of str"), ({"preprocess": "{"}, "cannot be read"),
            ({"preprocess": json.dumps({**preprocess, "frames": 10**9})}, "does not make its input"),
            ({"preprocess": json.dumps({**preprocess, "lateral": [[4, 99]]})}, "joint that does not exist"),
            ({"preprocess": json.dumps({**preprocess, "persons": 1.0})}, "does not make its input"),
            ({"preprocess": json.dumps({**preprocess, "shear": 1})}, "cannot be read")):
        write_net(Graph(good.populations, good.synapses, good.time_steps, {**good.meta, **changes}), "bad.net")
        outcome = program("--net", "bad.net", "--backend", "emulator", "--data", pack_path)
        assert outcome.code == 2 and message in outcome.err, (changes, outcome)
    changes = {"recipe": "[]", "data": pack_path.name}
    write_net(Graph(good.populations, good.synapses, good.time_steps, {**good.meta, **changes}), "bad.net")
    outcome = program("--net", "bad.net", "--backend", "emulator", "--split", "train", "--data", pack_path)
    assert outcome.code == 2 and "recipe" in outcome.err


def test_bad_skeletons(program: Program, net: Path) -> None:
    pack = synthetic_pack(36)
    save_pack(pack.subset(pack.ids["view"] < 3), Path("train.npz"))
    outcome = program("--net", net, "--data", "train.npz")
    assert outcome.code == 2 and "no samples in this split" in outcome.err
    arrays = {"data": np.full_like(pack.data, np.nan), "offsets": pack.offsets, "labels": pack.labels,
              "names": pack.names, "joint_names": np.array(pack.joint_names), "edges": pack.edges}
    np.savez("nan.npz", **arrays)
    outcome = program("--net", net, "--data", "nan.npz")
    assert outcome.code == 2 and "not a finite number" in outcome.err and pack.names[0] in outcome.err
    data = np.ones((2, 1, 25, 3), np.float32)
    save_pack(Pack(data, np.array([0, 2]), np.array([0]), np.array(["a"]), ("c",), NTU25.joint_names or (),
                   NTU25.edges), Path("ntu.npz"))
    outcome = program("--net", net, "--data", "ntu.npz", "--split", "all")
    assert outcome.code == 2 and "25 joints" in outcome.err and "20 joints" in outcome.err
    Path("empty.skeleton").write_text("")
    assert program("--net", net, "--data", "empty.skeleton").code == 2


@pytest.mark.skipif(importlib.util.find_spec("lava.utils.loihi2_profiler") is not None, reason="the extension is here")
def test_loihi_says_what_it_needs(program: Program, net: Path) -> None:
    outcome = program("--net", net, "--backend", "loihi2", "--samples", 1, "--json", "l.json")
    assert outcome.code == 2 and "Loihi" in outcome.err and "INRC" in outcome.err and not Path("l.json").exists()


def test_a_difference_is_reported_and_exits_with_1(program: Program, net: Path,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    import mksgn.run.registry

    class Wrong(Emulator):
        """Stands in for Lava and loses one spike."""

        name = "lava"

        def __init__(self, graph: Graph, timeout_s: float | None = None, max_processes: int | None = None,
                     progress: Callable[[int], None] | None = None) -> None:
            super().__init__(graph, progress=progress)

        def run(self, samples: np.ndarray, record: str = "none") -> Any:
            result = super().run(samples, record)
            result.spikes["sc"][1, 2, 3, 4, 0] ^= 1
            return result

    module = sys.modules[__name__]
    monkeypatch.setattr(module, "Wrong", Wrong, raising=False)
    monkeypatch.setitem(mksgn.run.registry.BACKENDS, "lava", f"{__name__}:Wrong")
    monkeypatch.setitem(sys.modules, __name__, module)
    outcome = program("--net", net, "--samples", 3, "--check", "--json", "d.json")
    assert outcome.code == 1
    found = json.loads(Path("d.json").read_text())["check"]
    assert not found["equal"] and found["differing"] == {"spikes sc": 1}
    assert "sample 1, step 0, channel 2, frame 3, joint 4" in found["first"]
    assert found["first"] in outcome.out and "1 differ" in outcome.out


def test_many_samples_run_in_parts(net: Path) -> None:
    """What is recorded stays within memory, and the parts add up to one run."""
    graph = read_net(net)
    x = np.random.default_rng(1).integers(-127, 128, (5, *graph.input.shape)).astype(np.int8)
    size = sum(population.size for population in graph.populations[1:]) * 4
    assert part_size(graph, 4, "spikes", 2, budget=5 * size) == 2 and part_size(graph, 4, "none", 1) == 0
    assert part_size(graph, 4, "states", 1, budget=1) == 1
    starts: list[tuple[str, int]] = []
    with Emulator(graph) as one, Emulator(graph) as two:
        whole = execute(one, None, x, "none", 0)
        parts = execute(one, two, x, "spikes", 2, lambda backend, start: starts.append((backend.name, start)))
    assert [start for _, start in starts] == [0, 0, 2, 2, 4, 4]
    assert_same_counts(parts.counts, whole.counts)
    assert np.array_equal(parts.output, whole.output)
    assert parts.agreement is not None and parts.agreement.equal and parts.agreement.spikes_compared == 5 * size


def test_a_difference_of_the_output_alone_counts() -> None:
    from mksgn.counts import Counts
    from mksgn.run.backend import RunResult

    left, right = (RunResult(np.array([[1, 2], [3, value]]), Counts()) for value in (4, 5))
    agreement = Agreement(("a", "b"))
    agreement.spikes_compared = 0
    none = RunResult(left.output, left.counts, {"p": np.zeros((2, 1, 1, 1, 1))})
    other = RunResult(right.output, right.counts, {"p": np.zeros((2, 1, 1, 1, 1))})
    agreement.add(none, other, ("p",), 10)
    assert not agreement.equal and agreement.differing == {"output p": 1}
    assert "sample 11: 4 against 5 (a against b)" in agreement.first


def test_chosen_samples_cover_all_classes() -> None:
    labels = np.arange(492) % 12  # every 12th sample is of one class
    for limit in (12, 20, 41):
        chosen = evenly(labels, limit)
        assert len(chosen) == len(set(chosen)) == limit and (np.diff(chosen) > 0).all()
        counts = np.bincount(labels[chosen], minlength=12)
        assert counts.max() - counts.min() <= 1
    assert np.array_equal(evenly(labels, 0), np.arange(492)) and np.array_equal(evenly(labels, 999), np.arange(492))


def test_an_interrupted_report_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.json"
    outputs.write_json(path, {"old": 1})

    def interrupted(*arguments: Any, **options: Any) -> None:
        arguments[1].write('{"half')
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(json, "dump", interrupted)
        with pytest.raises(KeyboardInterrupt):
            outputs.write_json(path, {"new": 2})
    assert json.loads(path.read_text()) == {"old": 1} and list(tmp_path.iterdir()) == [path]
    with pytest.raises(ValueError, match="JSON compliant"):
        outputs.write_json(path, {"accuracy": float("nan")})
    assert json.loads(path.read_text()) == {"old": 1} and list(tmp_path.iterdir()) == [path]


def test_as_a_process(net: Path, tmp_path: Path) -> None:
    """Exit codes, and results on standard output while errors go to standard error."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def start(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, str(PROGRAM), *arguments], cwd=tmp_path, env=environment, text=True,
                              capture_output=True, timeout=240)

    done = start("--net", str(net), "--backend", "emulator", "--samples", "2", "--json", "r.json")
    assert done.returncode == 0, done.stderr
    assert "accuracy" in done.stdout and json.loads((tmp_path / "r.json").read_text())["samples"] == 2
    failed = start("--net", "missing.net")
    assert failed.returncode == 2 and failed.stderr.startswith("error: ") and "Traceback" not in failed.stderr
    assert failed.stdout == ""


def test_unlabelled_clips_that_nothing_splits_run_whole(program: Program, folder: Path) -> None:
    """Own recordings have neither labels nor a protocol, and no option is asked for them."""
    pack = synthetic_pack(12)
    own = replace(pack, class_names=("a",), labels=np.full(12, -1), ids={"view": pack.ids["view"]}, test=None)
    save_pack(own, folder / "own.npz")
    write_net(graph_for(pack, "x"), folder / "own.net")
    outcome = program("--net", folder / "own.net", "--data", folder / "own.npz", "--backend", "emulator", "--json",
                      "o.json")
    assert outcome.code == 0, outcome.err
    result = json.loads(Path("o.json").read_text())
    assert result["split"] == "all" and len(result["names"]) == 12
