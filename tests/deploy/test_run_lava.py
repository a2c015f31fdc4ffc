"""deploy/run_lava.py on skeletons: what it prints and writes, on which data, on one backend and on two."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from programs import ROOT, Program, graph_for
from typeguard import CollectionCheckStrategy, check_type

from mksgn.data.pack import Pack, save_pack
from mksgn.data.readers import read
from mksgn.data.synthetic import synthetic_pack
from mksgn.emulator import Emulator
from mksgn.netx import read_net, write_net
from mksgn.programs import nets
from mksgn.programs.samples import Source, select
from mksgn.report.run_file import SkeletonRunFile

PROGRAM = "deploy/run_lava.py"


def test_skeletons_on_the_emulator(program: Program, net: Path, pack_path: Path, tmp_path: Path) -> None:
    report = tmp_path / "r.json"
    outcome = program("--net", net, "--data", pack_path, "--backend", "emulator", "--json", report)
    assert outcome.code == 0, outcome.err
    result = json.loads(report.read_text())
    check_type(result, SkeletonRunFile, collection_check_strategy=CollectionCheckStrategy.ALL_ITEMS)
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


def test_a_bare_name_means_the_newest_run_and_then_a_shipped_model(program: Program, net: Path, tmp_path: Path,
                                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    """``--net mksgn.net``, typed in a fresh checkout or after a training."""
    checkout = tmp_path / "checkout"  # the real one may hold runs, of ``make demo``
    shutil.copytree(ROOT / "models", checkout / "models")
    monkeypatch.setattr(nets, "ROOT", checkout)
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
