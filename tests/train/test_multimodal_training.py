"""Training of several modalities by the program itself: what it leaves, resume to the bit, the presets on fixtures."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from programs import ROOT, Outcome, Program
from safetensors.torch import load_file

import mksgn.training.trainer
from mksgn.data.pack import Pack, load_pack, save_pack
from mksgn.data.preprocess import MODALITIES, Preprocess
from mksgn.emulator import Emulator
from mksgn.netx import read_net
from mksgn.nn.slayer_backend import SlayerReference
from mksgn.programs.samples import find_data, select
from mksgn.run.comparison import compare
from mksgn.training.batches import preprocessed
from mksgn.training.checkpoint import save_checkpoint
from mksgn.training.network_file import load_network
from mksgn.training.recipe import PRESETS
from mksgn.training.run_files import read_state

TINY = ("--preset", "mksgn-4", "--fusion", "smf", "--widths", 4, 4, 4, 4, 4, 4, "--coder-width", 2, "--frames", 8,
        "--batch", 40, "--epochs", 2, "--tune-epochs", 2, "--precision", "fp32")
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def train(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Program:
    return Program("train/train_slayer.py", capsys, monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def whole(pack_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing stopped."""
    folder = tmp_path_factory.mktemp("whole")
    program = ROOT / "train" / "train_slayer.py"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(program.parent))
        patch.setattr(sys, "argv", [str(program), *map(str, TINY), "--data", str(pack_path), "--out", str(folder)])
        with pytest.raises(SystemExit) as done:
            runpy.run_path(str(program), run_name="__main__")
    assert not done.value.code
    return folder


def stopped(train: Program, after: int, monkeypatch: pytest.MonkeyPatch, *arguments: object) -> Outcome:
    """Ctrl-C once ``after`` checkpoints of this start are written."""
    written = []

    def counted(*given: object) -> None:
        save_checkpoint(*given)  # type: ignore[arg-type]
        written.append(given)
        if len(written) == after:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(mksgn.training.trainer, "save_checkpoint", counted)
        return train(*arguments)


def test_a_run_and_its_resumption_to_the_bit(train, whole, pack_path, tmp_path, monkeypatch):
    """Stopped in the float stage, at its end and in the fine-tuning; estimator and weights included."""
    expected, got = whole, tmp_path / "resumed"
    first = stopped(train, 1, monkeypatch, *TINY, "--data", pack_path, "--out", got)
    assert first.code == 130 and f"go on with: python train/train_slayer.py --resume --out {got}\n" in first.err
    tensors = load_file(got / "checkpoint.safetensors")
    assert any(name.startswith("optimiser.estimator.") for name in tensors)
    assert any(name.startswith("model.fusion.estimator.lstms") for name in tensors)
    assert stopped(train, 1, monkeypatch, "--resume", "--out", got).code == 130
    assert read_state(got / "checkpoint.safetensors")["stage"] == "float"
    assert stopped(train, 1, monkeypatch, "--resume", "--out", got).code == 130
    state = read_state(got / "checkpoint.safetensors")
    assert (state["stage"], state["epoch"]) == ("tune", 0) and len(state["fusion_weights"]) == 4
    assert train("--resume", "--out", got).code == 0
    for name in ("checkpoint", "float", "weights"):
        first, second = (load_file(folder / f"{name}.safetensors") for folder in (expected, got))
        assert first.keys() == second.keys()
        for key, value in first.items():
            assert torch.equal(value, second[key]), f"{name}: {key}"
    logs = [[json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
            for folder in (expected, got)]
    losses = [[row.get("loss") for row in log] for log in logs]
    assert losses[0] == losses[1]
    assert logs[0][-1] == logs[1][-1]


def test_what_a_run_leaves(whole, pack_path, tmp_path, capsys, monkeypatch):
    """The log, the net and both networks agree with each other; the estimator is not exported."""
    folder = whole
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert all("information" in row for row in rows if row.get("stage") == "float")
    assert all("information" not in row and "synops" in row for row in rows if row.get("stage") == "tune")
    graph = read_net(folder / "mksgn.net")
    assert rows[-1]["final"] == {key: graph.meta[key] for key in (
        "accuracy_float", "accuracy_float_fixed", "accuracy_integer")}
    weights = graph.meta["fusion_weights"]
    assert graph.meta["fusion"] == "smf" and all(0 <= weight <= 1 for weight in weights)
    assert Preprocess.from_json(graph.meta["preprocess"]).modalities == MODALITIES
    assert [p.name for p in graph.populations[1:5]] == ["sc.joint", "sc.bone", "sc.joint_motion", "sc.bone_motion"]
    assert not any("estimator" in name for name in load_file(folder / "weights.safetensors"))

    net = load_network(folder / "weights.safetensors")
    assert net.fusion_weights == tuple(weights)
    chosen = select(graph, folder / "mksgn.net", find_data(graph, folder / "mksgn.net", str(pack_path)), None, None, 4)
    assert chosen.x.shape[1:] == (12, 8, 20)
    with Emulator(graph) as emulator:
        result = compare(SlayerReference(net).run(chosen.x), emulator.run(chosen.x, "spikes"), tuple(net.names))
    assert result.equal, result.first

    side_by_side = Program("benchmarks/experiments/fusion.py", capsys, monkeypatch, tmp_path)
    outcome = side_by_side("--run", folder, "--data", pack_path, "--json", tmp_path / "f.json")
    assert outcome.code == 0, outcome.err
    found = {row["weights"]: row for row in json.loads((tmp_path / "f.json").read_text())["rows"]}
    final = rows[-1]["final"]
    assert found["float, per sample"]["accuracy"] == pytest.approx(final["accuracy_float"])
    assert found["float, fixed (training mean)"]["accuracy"] == pytest.approx(final["accuracy_float_fixed"])
    assert found["integers, fixed"]["accuracy"] == pytest.approx(final["accuracy_integer"])
    assert any(found["float, per sample"]["deviation"]) and not any(found["integers, fixed"]["deviation"])

    deployed = Program("deploy/run_lava.py", capsys, monkeypatch, tmp_path)
    outcome = deployed("--net", folder / "mksgn.net", "--data", pack_path, "--backend", "emulator")
    assert outcome.code == 0 and "accuracy" in outcome.out


def test_given_weights(train, pack_path, tmp_path, capsys, monkeypatch):
    outcome = train(*TINY[:-6], "--epochs", 1, "--tune-epochs", 0, "--precision", "fp32", "--data", pack_path, "--out",
                    tmp_path / "run", "--modality", "joint", "bone", "--fusion", "fixed", "--fusion-weights", 1.0, 0.25)
    assert outcome.code == 0, outcome.err
    graph = read_net(tmp_path / "run" / "mksgn.net")
    assert graph.meta["fusion_weights"] == [1.0, 0.25] and graph.input.shape == (6, 8, 20)
    assert "accuracy_float_fixed" not in graph.meta
    outcome = Program("benchmarks/experiments/fusion.py", capsys, monkeypatch, tmp_path)("--run", tmp_path / "run")
    assert outcome.code == 2 and "no modality weights per sample" in outcome.err


@pytest.mark.parametrize(("arguments", "message"), [
    (("--modality", "joint"), "nothing to be fused"),
    (("--modality", "joint", "joint"), "different"),
    (("--fusion", "fixed"), "need each other"),
    (("--time-steps", 1), "time steps to shuffle"),
    (("--synop-target", -1), "synop"),
])
def test_bad_options_give_one_message(train, pack_path, tmp_path, arguments, message):
    outcome = train(*TINY, *arguments, "--data", pack_path, "--out", tmp_path / "x")
    assert outcome.code == 2 and message in outcome.err


@pytest.fixture(scope="module")
def ntu(data_dir: Path) -> Pack:
    path = data_dir / "ntu_fixture18.npz"
    if not path.is_file():
        pytest.skip(f"no {path.name} in {data_dir}")
    return load_pack(path)


@pytest.mark.parametrize(("preset", "batch"), [("ntu60", 60), ("ntu120", 40)])
def test_ntu_presets_are_tables_5_and_7(preset, batch, ntu):
    recipe = PRESETS[preset]
    network = recipe.network
    assert (recipe.lr, recipe.lr_decay, recipe.batch, network.time_steps, recipe.epochs, recipe.lr_step,
            network.dropout, recipe.weight_decay, recipe.optimiser) == (0.1, 0.1, batch, 4, 64, 50, 0.3, 1e-4, "sgd")
    net = recipe.untrained(ntu)
    shapes = {name: block.shape for name, block in net.named_populations()}
    assert net.input_shape == (12, 64, 50) and net.readout.shape == (60, 1, 1)
    assert shapes["sc.bone_motion"] == shapes["block1.lif1"] == shapes["block2.stc"] == (64, 64, 50)
    assert shapes["block4.stc"] == (128, 32, 50) and shapes["block6.stc"] == (256, 16, 50)
    samples = preprocessed(ntu, np.arange(3), recipe.preprocess(ntu))
    assert samples.shape == (3, 12, 64, 50) and samples.dtype == np.int8
    assert samples[:, :, :, :25].any(axis=(2, 3)).all()


def test_ntu60_trains_on_the_fixture(train, ntu, tmp_path):
    save_pack(ntu, tmp_path / "ntu.npz")
    outcome = train("--preset", "ntu60", "--data", tmp_path / "ntu.npz", "--widths", 4, 4, 4, 4, 4, 4, "--frames", 8,
                    "--epochs", 2, "--tune-epochs", 1, "--val-subjects", "--out", tmp_path / "run")
    assert outcome.code == 0, outcome.err
    graph = read_net(tmp_path / "run" / "mksgn.net")
    assert graph.input.shape == (12, 8, 50) and graph.meta["protocol"] == "ntu60-xsub"
    assert graph.output.shape == (60, 1, 1)
