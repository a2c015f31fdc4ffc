"""train_slayer.py with teachers: what a run leaves, resuming to the bit with the FTM, errors."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from programs import Program
from safetensors import safe_open
from safetensors.torch import load_file
from slayer_runs import interrupted_at
from teacher_runs import teacher_run

import mksgn.training.trainer
from mksgn.commands.train_net import train_net
from mksgn.commands.train_options import Options
from mksgn.data.preprocess import MODALITIES
from mksgn.data.synthetic import synthetic_pack
from mksgn.errors import ConfigError
from mksgn.netx import read_net
from mksgn.training.checkpoint import save_checkpoint
from mksgn.training.network_file import load_network
from mksgn.training.run_files import read_state

PROGRAM = Path(__file__).resolve().parent.parent.parent / "train" / "train_slayer.py"
CHECKPOINT, WEIGHTS = "checkpoint.safetensors", "weights.safetensors"
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def tiny(pack, pack_path, tmp_path_factory):
    """Options of a run of two epochs of each stage, taught by four streams."""
    folder = tmp_path_factory.mktemp("taught")
    runs = tuple(str(teacher_run(folder / m, pack, "small.npz", modality=m, seed=s)) for s, m in enumerate(MODALITIES))
    return Options(data=str(pack_path), widths=(6, 6, 8), frames=8, epochs=2, tune_epochs=2,
                           batch=24, teacher=runs, distil="paper", gamma=(1.0, 0.5, 2.0), dropout=0.2, device="cpu")


@pytest.fixture(scope="module")
def whole_run(tiny, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    train_net(replace(tiny, out=folder))
    return folder


def rows(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def names(path: Path) -> set[str]:
    with safe_open(path, "pt") as file:
        return set(file.keys())


def test_a_taught_run_says_what_taught_it_and_exports_the_student_alone(whole_run, tiny):
    epochs = [row for row in rows(whole_run) if "stage" in row]
    assert [(r["stage"], r["epoch"]) for r in epochs] == [("float", 0), ("float", 1), ("tune", 0), ("tune", 1)]
    assert all(r[part] > 0 for r in epochs for part in ("class_loss", "soft_loss", "feature_loss"))
    for row in epochs:  # Eq. 32, and the firing rates of this small net are above their target
        assert row["loss"] >= row["class_loss"] + 0.5 * row["soft_loss"] + 2 * row["feature_loss"] - 1e-3
    graph = read_net(whole_run / "mksgn.net")
    distil = json.loads(graph.meta["recipe"])["distil"]
    assert (distil["loss"], distil["gamma"], distil["soft_labels"]) == ("paper", [1.0, 0.5, 2.0], "online")
    assert [text.split(",")[0] for text in distil["teachers"]] == [f"ctr-gcn {m}" for m in MODALITIES]
    assert json.loads(graph.meta["recipe"])["label_smoothing"] == 0
    held = names(whole_run / CHECKPOINT)
    assert any(n.startswith("ftm.model.1.coder") for n in held)
    assert any(n.startswith("optimiser.ftm.") and n.endswith("momentum_buffer") for n in held)
    assert not any("teachers" in n for n in held), "frozen networks need no checkpoint"
    for file in (WEIGHTS, "float.safetensors"):
        assert all(n.startswith("model.populations") or n.startswith("model.readout") for n in names(whole_run / file))
    student = load_network(whole_run / WEIGHTS)
    assert {p.name for p in graph.populations} == {"input", *student.names, "head.fc"}


def killed_at(options, stage: str, epoch: int) -> None:
    """Run until the checkpoint of that epoch is written, and end as a killed process would."""
    with interrupted_at(stage, epoch), pytest.raises(KeyboardInterrupt):
        train_net(options)


def test_a_taught_run_resumes_to_the_same_bits(tiny, whole_run, tmp_path):
    """Killed in each stage: student, FTM and both optimisers as in the uninterrupted run."""
    killed_at(replace(tiny, out=tmp_path), "float", 0)
    again = Options(out=tmp_path, resume=True, device="cpu")
    killed_at(again, "tune", 0)
    assert not (tmp_path / "mksgn.net").exists()
    train_net(again)
    for file in (CHECKPOINT, WEIGHTS):
        expected, got = load_file(whole_run / file), load_file(tmp_path / file)
        assert expected.keys() == got.keys()
        for name, value in expected.items():
            assert torch.equal(value, got[name]), name
    kept = [[{k: v for k, v in row.items() if k != "seconds"} for row in rows(f)] for f in (whole_run, tmp_path)]
    assert kept[0] == kept[1]


def test_the_two_stages_train_the_ftm_with_its_own_rate(tiny, tmp_path, monkeypatch):
    """SGD beside AdamW; the FTM goes on learning while the integers are tuned, at a tenth of its rate."""
    seen = []

    def save(path, net, optimiser, state, further, modules):
        weight, ftm = modules["ftm"][0].pointwise.weight.detach().clone(), further["ftm"]
        seen.append((state["stage"], type(optimiser), type(ftm), ftm.param_groups[0]["lr"], weight))
        save_checkpoint(path, net, optimiser, state, further, modules)

    monkeypatch.setattr(mksgn.training.trainer, "save_checkpoint", save)
    train_net(replace(tiny, out=tmp_path, epochs=1, tune_epochs=1, distil="tet", ftm_lr=0.04))
    assert [s[0] for s in seen] == ["float", "tune"]
    assert all(s[1:3] == (torch.optim.AdamW, torch.optim.SGD) for s in seen)
    assert [s[3] for s in seen] == pytest.approx([0.04, 0.004])
    assert not torch.equal(seen[0][4], seen[1][4])


def test_cached_soft_labels_need_no_ftm(tiny, tmp_path):
    train_net(replace(tiny, out=tmp_path, epochs=1, tune_epochs=1, distil="ce-kl", gamma=None, temperature=3.0,
                         soft_labels="cached", alpha=(0.6, 0.6, 0.4, 0.4)))
    epochs = [row for row in rows(tmp_path) if "stage" in row]
    assert all(r["feature_loss"] == 0 and r["soft_loss"] > 0 for r in epochs)
    assert not any("ftm" in n for n in names(tmp_path / CHECKPOINT))
    distil = json.loads(read_net(tmp_path / "mksgn.net").meta["recipe"])["distil"]
    assert (distil["soft_labels"], distil["gamma"], distil["temperature"]) == ("cached", [1.0, 1.0, 0.0], 3.0)


def test_changed_teachers_stop_a_resumed_run(whole_run, tiny, tmp_path):
    state = read_state(whole_run / CHECKPOINT)
    assert len(state["recipe"]["distil"]["teachers"]) == 4
    weights = Path(tiny.teacher[2]) / WEIGHTS
    held = weights.read_bytes()
    try:
        other = teacher_run(tmp_path / "t", synthetic_pack(96), "small.npz", modality=MODALITIES[2], seed=77)
        weights.write_bytes((other / WEIGHTS).read_bytes())
        with pytest.raises(ConfigError, match="have changed"):
            train_net(Options(out=whole_run, resume=True, tune_epochs=3, device="cpu"))
    finally:
        weights.write_bytes(held)


@pytest.mark.parametrize(("options", "message"), [
    (("--distil", "tet"), "needs a teacher"),
    (("--teacher", "no-run"), "no-run"),
    (("--teacher", "JOINT", "JOINT"), "of the same modality"),
    (("--teacher", "JOINT", "--data", "synthetic"), "other data"),
    (("--teacher", "JOINT", "--persons", "2"), "another number of persons"),
    (("--teacher", "JOINT", "--temperature", "2"), "no temperature"),
    (("--teacher", "JOINT", "--alpha", "0.5", "0.5"), "one per --teacher"),
    (("--teacher", "JOINT", "--soft-labels", "cached", "--gamma", "1", "1", "1"), "features cannot be distilled"),
])
def test_unfitting_options_are_one_message(options, message, tiny, tmp_path, capsys, monkeypatch):
    program = Program("train/train_slayer.py", capsys, monkeypatch, tmp_path)
    given = [tiny.teacher[0] if word == "JOINT" else word for word in options]
    data = [] if "--data" in given else ["--data", tiny.data]
    done = program(*data, *given, "--out", str(tmp_path / "run"))
    assert done.code == 2
    assert message in done.err and not (tmp_path / "run").exists()


def test_the_cost_of_every_way_is_measured(tmp_path, capsys, monkeypatch):
    program = Program("benchmarks/experiments/distillation.py", capsys, monkeypatch, tmp_path)
    small = ("--widths", *[4] * 6, "--frames", 8, "--batch", 4, "--rounds", 1, "--base-channels", 8)
    done = program(*small, "--precision", "fp32", "--json", "cost.json")
    assert done.code == 0, done.err
    seconds = json.loads((tmp_path / "cost.json").read_text())["seconds"]
    assert all(name in done.out and value > 0 for name, value in seconds.items())
    assert seconds["online soft labels and features"] > seconds["cached logits"]
    assert program(*small, "--json", "nowhere/cost.json").code == 2
