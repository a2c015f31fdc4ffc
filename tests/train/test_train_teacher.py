"""The teacher's training program: what a run leaves, resuming to the bit, four streams and their fusion, errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from programs import program_module
from safetensors.torch import load_file
from teacher_runs import teacher_run

import mksgn.training.trainer
from mksgn.data.pack import save_pack
from mksgn.data.preprocess import MODALITIES, Preprocess
from mksgn.data.splits import split
from mksgn.data.synthetic import synthetic_pack
from mksgn.errors import ConfigError, DataError
from mksgn.teachers.scores import load_stream
from mksgn.teachers.stack import unfold_persons
from mksgn.teachers.weights import load_teacher
from mksgn.training.batches import preprocessed
from mksgn.training.checkpoint import save_checkpoint
from mksgn.training.run_files import read_state
from mksgn.training.streams import modalities_of, stored_name
from mksgn.training.teacher import TeacherTraining
from mksgn.training.teacher_recipe import PRESETS, TeacherRecipe
from mksgn.training.trainer import Trainer

PROGRAM = Path(__file__).resolve().parent.parent.parent / "train" / "train_teacher.py"
COUNT = 60
"""Sequences."""
LEFT = ["checkpoint.safetensors", "events", "metrics.jsonl", "scores.safetensors", "weights.safetensors"]


@pytest.fixture(scope="module")
def teacher() -> Iterator[ModuleType]:
    with program_module("train/train_teacher.py") as module:
        yield module


@pytest.fixture(scope="module")
def pack_path(tmp_path_factory) -> Path:
    """Some 60 synthetic sequences, of which 3 test ones are said to be copies of training sequences."""
    pack = synthetic_pack(COUNT)
    pack.test_dup_of_train = np.zeros(len(pack), bool)
    pack.test_dup_of_train[split(pack).test[:3]] = True
    path = tmp_path_factory.mktemp("data") / "small.npz"
    save_pack(pack, path)
    return path


@pytest.fixture(scope="module")
def tiny(teacher, pack_path):
    return teacher.Options(data=str(pack_path), base_channels=8, frames=8, epochs=2, batch=12, warm_up=1, seed=3)


@pytest.fixture(scope="module")
def whole_run(teacher, tiny, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    teacher.main(replace(tiny, out=folder, modality="bone", val_subjects=(1,)))
    return folder


def rows(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_run_leaves_everything_it_promises(whole_run, pack_path):
    assert sorted(p.name for p in whole_run.iterdir()) == LEFT
    *epochs, final = rows(whole_run)
    assert [r["epoch"] for r in epochs] == [0, 1]
    assert all({"lr", "loss", "accuracy", "val_accuracy", "seconds"} <= set(r) for r in epochs)
    network, meta = load_teacher(whole_run / "weights.safetensors")
    assert (meta["modality"], meta["data"], meta["val_subjects"]) == ("bone", "small.npz", [1])
    assert meta["test"] == final["final"]
    stream = load_stream(whole_run / "scores.safetensors")
    # The file alone must be enough to get the same logits from the raw data.
    pack = synthetic_pack(COUNT)
    parts = split(pack, val_subjects=(1,))
    for scores, indices in ((stream.train, parts.train), (stream.test, parts.test)):
        np.testing.assert_array_equal(scores.indices, indices)
        np.testing.assert_array_equal(scores.labels, pack.labels[indices])
        samples = torch.from_numpy(preprocessed(pack, indices, Preprocess.from_json(meta["preprocess"])))
        logits = network(unfold_persons(samples, meta["config"]["persons"])).logits.detach().numpy()
        np.testing.assert_allclose(scores.logits, logits, rtol=1e-3, atol=1e-3)
    right = stream.test.logits.argmax(1) == stream.test.labels
    assert stream.train.clean.all() and (~stream.test.clean).tolist() == [True] * 3 + [False] * (len(right) - 3)
    assert meta["test"] == {"accuracy": right.mean(), "samples": len(right),
                            "accuracy_clean": right[3:].mean(), "samples_clean": len(right) - 3}


@pytest.mark.parametrize("modality", ["bone", "early"])
def test_a_folder_says_itself_which_stream_goes_on(teacher, tiny, tmp_path, monkeypatch, modality):
    """--resume --out FOLDER is all that train_mksgn.py gives, and all that a reader should need."""
    folder, export = tmp_path / "t", TeacherTraining.export

    def killed(training, log):
        raise KeyboardInterrupt

    monkeypatch.setattr(TeacherTraining, "export", killed)
    with pytest.raises(KeyboardInterrupt):
        teacher.main(replace(tiny, epochs=1, modality=modality, out=folder))
    monkeypatch.setattr(TeacherTraining, "export", export)
    teacher.main(teacher.Options(out=folder, resume=True))
    _, meta = load_teacher(folder / "weights.safetensors")
    assert meta["modality"] == stored_name(modalities_of(modality))


@pytest.mark.slow
@pytest.mark.parametrize(("network", "part"), [("ctr-gcn", 1.0), ("st-gcn", 0.0)])
def test_a_killed_run_resumes_to_the_same_bits(teacher, tiny, tmp_path, monkeypatch, network, part):
    """Dropout, momentum, order, augmentation, averages included; a line logged after the last checkpoint goes away."""
    options = replace(tiny, network=network, dropout=0.3, epochs=4, average_part=part)
    teacher.main(replace(options, out=tmp_path / "whole"))

    def killed(path, model, optimiser, state, *further):
        if state["epoch"] == 2:
            raise KeyboardInterrupt
        save_checkpoint(path, model, optimiser, state, *further)

    monkeypatch.setattr(mksgn.training.trainer, "save_checkpoint", killed)
    with pytest.raises(KeyboardInterrupt):
        teacher.main(replace(options, out=tmp_path / "cut"))
    assert len(rows(tmp_path / "cut")) == 3 and read_state(tmp_path / "cut" / LEFT[0])["epoch"] == 1
    again = []

    def counted(path, model, optimiser, state, *further):
        again.append(state["epoch"])
        save_checkpoint(path, model, optimiser, state, *further)

    monkeypatch.setattr(mksgn.training.trainer, "save_checkpoint", counted)
    # The recipe comes from the checkpoint, not from the command line or today's presets.
    monkeypatch.setitem(PRESETS, "nw-ucla", TeacherRecipe(seed=99))
    teacher.main(teacher.Options(out=tmp_path / "cut", resume=True))
    assert again == [2, 3]
    for name in ("weights.safetensors", "scores.safetensors"):
        one, two = (load_file(tmp_path / folder / name) for folder in ("whole", "cut"))
        assert all(torch.equal(one[k], two[k]) for k in one | two), name
    logged = [[{k: v for k, v in r.items() if k != "seconds"} for r in rows(tmp_path / f)] for f in ("whole", "cut")]
    assert logged[0] == logged[1]


def test_a_teacher_is_the_average_of_its_last_steps(teacher, tiny, tmp_path, monkeypatch):
    """Weights are those after every step from the second epoch on, averaged; the learning rate is constant there."""
    seen: list[list[torch.Tensor]] = []
    update = torch.optim.SGD.step

    def step(optimiser, *arguments):
        result = update(optimiser, *arguments)
        seen.append([p.detach().clone() for group in optimiser.param_groups for p in group["params"]])
        return result

    monkeypatch.setattr(torch.optim.SGD, "step", step)
    teacher.main(replace(tiny, epochs=3, average_part=1.0, average_lr=0.03, out=tmp_path / "a"))
    network, meta = load_teacher(tmp_path / "a" / "weights.safetensors")
    assert meta["recipe"]["average_lr"] == 0.03 and [row["lr"] for row in rows(tmp_path / "a")[1:3]] == [0.03, 0.03]
    last = seen[len(seen) // 3:]
    for parameter, *steps in zip(network.parameters(), *last):
        torch.testing.assert_close(parameter, torch.stack(steps).mean(0))
    assert any(not torch.equal(p, end) for p, end in zip(network.parameters(), seen[-1]))
    recipe = TeacherRecipe(epochs=10, warm_up=2, schedule="cosine", milestones=(), average_part=0.4, average_lr=0.01)
    assert recipe.learning_rate(6 - 1e-9) < 1e-9 and recipe.learning_rate(6.5) == 0.005
    assert recipe.learning_rate(7) == recipe.learning_rate(9.9) == 0.01
    with pytest.raises(ConfigError, match="--average-lr"):
        TeacherRecipe(average_lr=0.0)


@pytest.mark.slow
def test_a_run_starts_from_another(teacher, tiny, whole_run, tmp_path, monkeypatch):
    """Its weights and its recipe, streams by their names; what it came from is kept, also over a resume."""
    with torch.no_grad():
        first = load_teacher(whole_run / "weights.safetensors")[0].state_dict()
    seen = []
    train = Trainer.run

    def watched(trainer):
        seen.append({k: v.clone() for k, v in trainer.training.network.state_dict().items()})
        return train(trainer)

    monkeypatch.setattr(Trainer, "run", watched)
    on = teacher.Options(data=tiny.data, start=str(whole_run), modality="bone", out=tmp_path / "on", epochs=1)
    teacher.main(on)
    assert seen[0].keys() == first.keys() and all(torch.equal(seen[0][k], first[k]) for k in first)
    meta = load_teacher(tmp_path / "on" / "weights.safetensors")[1]
    assert (meta["started_from"], meta["epochs_before"], meta["preset"]) == ([whole_run.name], 2, whole_run.name)
    assert meta["recipe"] == {**load_teacher(whole_run / "weights.safetensors")[1]["recipe"], "epochs": 1}
    (tmp_path / "on" / "weights.safetensors").unlink()
    teacher.main(replace(on, resume=True, start=None))
    assert load_teacher(tmp_path / "on" / "weights.safetensors")[1]["epochs_before"] == 2
    teacher.main(replace(on, start=str(tmp_path / "on"), out=tmp_path / "twice"))
    meta = load_teacher(tmp_path / "twice" / "weights.safetensors")[1]
    assert (meta["started_from"], meta["epochs_before"]) == ([whole_run.name, "on"], 3)
    for wrong, message in ((replace(on, modality="joint"), "another modality"),
                           (replace(on, base_channels=16), "base_channels 8"),
                           (replace(on, modality="all"), "can be read")):
        with pytest.raises(ConfigError, match=message):
            teacher.main(replace(wrong, out=tmp_path / "w"))
    assert {p.name for p in tmp_path.iterdir()} == {"on", "twice"}


@pytest.mark.slow
def test_four_streams_start_from_four(teacher, tiny, pack_path, tmp_path):
    pack = synthetic_pack(COUNT)
    recipe = replace(tiny, epochs=1).recipe().to_dict()
    for modality in MODALITIES:
        teacher_run(tmp_path / f"a-{modality}", pack, pack_path.name, modality=modality, recipe=recipe)
    on = teacher.Options(data=tiny.data, start=str(tmp_path / "a"), modality="all", out=tmp_path / "b")
    teacher.main(on)
    for modality in MODALITIES:
        meta = load_teacher(tmp_path / f"b-{modality}" / "weights.safetensors")[1]
        assert (meta["modality"], meta["started_from"]) == (modality, [f"a-{modality}"])
    teacher_run(tmp_path / "a-bone", pack, pack_path.name, modality="bone", recipe={**recipe, "lr": 0.5})
    with pytest.raises(ConfigError, match="different recipes"):
        teacher.main(replace(on, overwrite=True))


def test_four_streams_are_trained_resumed_and_fused(teacher, tiny, tmp_path, capsys, monkeypatch):
    options = replace(tiny, epochs=1, modality="all", out=tmp_path / "t")
    export = TeacherTraining.export

    def killed(training, log):
        if training.modality == "bone":
            raise KeyboardInterrupt
        return export(training, log)

    monkeypatch.setattr(TeacherTraining, "export", killed)
    with pytest.raises(KeyboardInterrupt, match=f"--resume --modality all --out {tmp_path / 't'}$"):
        teacher.main(options)
    monkeypatch.setattr(TeacherTraining, "export", export)
    assert {p.name for p in tmp_path.iterdir()} == {"t-joint", "t-bone"}
    first = (tmp_path / "t-joint" / "weights.safetensors").stat().st_mtime_ns
    teacher.main(teacher.Options(modality="all", out=tmp_path / "t", resume=True))
    assert (tmp_path / "t-joint" / "weights.safetensors").stat().st_mtime_ns == first
    printed = capsys.readouterr().out
    folders = [tmp_path / f"t-{modality}" for modality in MODALITIES]
    streams = [load_stream(folder / "scores.safetensors") for folder in folders]
    assert [s.modality for s in streams] == list(MODALITIES)
    # Eq. 25 once more, without the library.
    total = torch.stack([torch.from_numpy(s.test.logits).double().softmax(1) for s in streams]).sum(0).numpy()
    right = total.argmax(1) == streams[0].test.labels
    line = next(line for line in printed.splitlines() if "summed softmax" in line)
    assert f"{right.mean():.2%}" in line and f"{right[3:].mean():.2%}" in line
    teacher.main(teacher.Options(fuse=tuple(folders)))
    assert line in capsys.readouterr().out


@pytest.mark.slow
def test_networks_learn(teacher, tiny, tmp_path):
    """On easy data the loss falls within seconds, and training accuracy leaves chance behind."""
    teacher.main(replace(tiny, epochs=5, passes=4, label_smoothing=0.0, dropout=0.0, out=tmp_path / "r"))
    epochs = rows(tmp_path / "r")[:-1]
    assert epochs[-1]["loss"] < 0.7 * epochs[0]["loss"]
    assert epochs[-1]["accuracy"] > 3 / 12


def test_weights_of_streams_change_the_fusion(teacher, whole_run, capsys):
    teacher.main(teacher.Options(fuse=(whole_run, whole_run), alpha=(1.0, 0.0)))
    line = next(line for line in capsys.readouterr().out.splitlines() if "summed" in line)
    assert f"{rows(whole_run)[-1]['final']['accuracy']:.2%}" in line
    with pytest.raises(ConfigError, match="weights"):
        teacher.main(teacher.Options(fuse=(whole_run,), alpha=(1.0, 0.0)))


def test_impossible_wishes_are_refused(teacher, tiny, whole_run, tmp_path, tmp_path_factory):
    foreign = tmp_path_factory.mktemp("foreign")
    network = torch.nn.Linear(2, 2)
    save_checkpoint(foreign / LEFT[0], network, torch.optim.SGD(network.parameters()), {"epoch": 3, "options": {}})
    cases = [(replace(tiny, out=whole_run), "holds a run already"),
             (replace(tiny, out=tmp_path, resume=True), "no run to resume"),
             (replace(tiny, out=tmp_path, alpha=(1.0,)), "no effect"),
             (replace(tiny, out=tmp_path, milestones=(1,)), "no effect"),
             (replace(tiny, out=tmp_path, base_channels=9), "width"),
             (replace(tiny, out=tmp_path, base_channels=0), "--base-channels"),
             (replace(tiny, out=tmp_path, modality="all", alpha=(0.0,) * 4), "--alpha"),
             (replace(tiny, out=tmp_path, modality="all", alpha=(1.0, 2.0)), "4 numbers"),
             (replace(tiny, out=whole_run, start=str(whole_run), modality="bone", overwrite=True), "cannot replace"),
             (replace(tiny, out=whole_run / LEFT[0]), "this is a file"),
             (teacher.Options(out=whole_run, modality="bone", resume=True, batch=0), "--batch"),
             (teacher.Options(fuse=(tmp_path,)), "can be read"),
             (teacher.Options(out=foreign, resume=True), "another program")]
    for options, message in cases:
        with pytest.raises(ConfigError, match=message):
            teacher.main(options)
    assert not list(tmp_path.iterdir())


def test_data_without_a_half_or_labels_is_refused(teacher, tiny, tmp_path):
    pack = synthetic_pack(COUNT)
    parts = split(pack)
    pack.test = None
    for indices, message in ((parts.train, "no test sequences"), (parts.test, "no training sequences")):
        save_pack(pack.subset(indices), tmp_path / "half.npz")
        with pytest.raises(DataError, match=message):
            teacher.main(replace(tiny, data=str(tmp_path / "half.npz"), out=tmp_path / "r"))
    pack.labels[parts.test] = -1
    save_pack(pack, tmp_path / "unknown.npz")
    with pytest.raises(DataError, match=f"no test sequences(.|\n)* {len(parts.test)} of them without a label"):
        teacher.main(replace(tiny, data=str(tmp_path / "unknown.npz"), out=tmp_path / "r"))
    assert not (tmp_path / "r").exists()


def test_sequences_without_a_label_are_left_out(teacher, tiny, tmp_path, capsys):
    pack = synthetic_pack(COUNT)
    parts = split(pack, val_subjects=())
    chosen = [parts.train[4], parts.test[2]]
    pack.labels[chosen] = -1
    save_pack(pack, tmp_path / "unknown.npz")
    teacher.main(replace(tiny, data=str(tmp_path / "unknown.npz"), epochs=1, out=tmp_path / "r"))
    assert "2 without a label are left out" in " ".join(capsys.readouterr().out.split())
    stream = load_stream(tmp_path / "r" / "scores.safetensors")
    assert not {*stream.train.indices, *stream.test.indices} & set(chosen)
    assert len(stream.train.indices) + len(stream.test.indices) == COUNT - 2


def test_two_persons_of_ntu(teacher, data_dir, tmp_path):
    """The published recipe, smaller, on the parser's fixture: both persons reach the network."""
    path = data_dir / "ntu_fixture18.npz"
    if not path.is_file():
        pytest.skip(f"no {path.name} in {data_dir}")
    options = teacher.Options(preset="ntu60", data=str(path), base_channels=8, frames=8, epochs=1, batch=4)
    teacher.main(replace(options, out=tmp_path / "r"))
    network, meta = load_teacher(tmp_path / "r" / "weights.safetensors")
    assert (network.persons, network.joints, meta["protocol"], len(meta["labels"])) == (2, 25, "ntu60-xsub", 60)
    assert meta["recipe"]["milestones"] == [35, 55] and meta["recipe"]["augment"]["yaw"] == 17.0


def test_a_loss_that_explodes_stops_the_run(teacher, tiny, tmp_path):
    with pytest.raises(ConfigError, match="finite"):
        teacher.main(replace(tiny, out=tmp_path / "r", lr=1e30, warm_up=0, epochs=3))
    assert not (tmp_path / "r").exists()


def test_errors_reach_the_shell_as_one_message(program):
    outcome = program("--resume", "--out", "none")
    assert outcome.code == 2 and "no run to resume" in outcome.err


def test_one_teacher_reads_all_four_modalities(teacher, tiny, pack_path, tmp_path):
    """Its input has twelve channels; its file names what it reads; a run goes on from it, and no other stream does."""
    teacher.main(replace(tiny, modality="early", out=tmp_path / "early"))
    network, meta = load_teacher(tmp_path / "early" / "weights.safetensors")
    assert meta["modality"] == "+".join(MODALITIES) and meta["config"]["channels"] == 3 * len(MODALITIES)
    scores = load_stream(tmp_path / "early" / "scores.safetensors").test
    samples = torch.from_numpy(preprocessed(synthetic_pack(COUNT), scores.indices,
                                            Preprocess.from_json(meta["preprocess"])))
    assert samples.shape[1] == 3 * len(MODALITIES)
    logits = network(unfold_persons(samples, 1)).logits.detach().numpy()
    np.testing.assert_allclose(scores.logits, logits, rtol=1e-3, atol=1e-3)
    teacher.main(teacher.Options(data=str(pack_path), modality="early", start=str(tmp_path / "early"),
                                 out=tmp_path / "more"))
    with pytest.raises(ConfigError, match="another modality"):
        teacher.main(teacher.Options(data=str(pack_path), modality="bone", start=str(tmp_path / "early"),
                                     out=tmp_path / "bone"))
