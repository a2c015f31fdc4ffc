"""The training program: resume to the bit, two processes, no pickle, clear errors."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from network_of import network_of
from safetensors.torch import load_file
from slayer_runs import ROOT, TINY, assert_same_run, environment, interrupted_at, kill_after, train

from mksgn.data.augmentation import lateral_joints
from mksgn.data.preprocess import Augment, Preprocess
from mksgn.data.synthetic import synthetic_pack
from mksgn.errors import ConfigError
from mksgn.ir import graph_difference
from mksgn.netx import read_net
from mksgn.nn import SpikingGraphNet
from mksgn.nn.lowering import to_graph
from mksgn.skeleton import UCLA20
from mksgn.training.batches import Batches, ahead
from mksgn.training.checkpoint import load_checkpoint, save_checkpoint
from mksgn.training.distill import binary_cross_entropy, distillation
from mksgn.training.network_file import load_network, read_meta
from mksgn.training.recipe import PRESETS
from mksgn.training.run_files import read_state

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def tiny(pack_path) -> list[str]:
    """A run of seconds on the small pack."""
    return [*TINY, "--data", str(pack_path)]


@pytest.fixture(scope="module")
def whole_run(tiny, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    train(*tiny, "--out", str(folder))
    return folder


@pytest.mark.slow
def test_a_run_leaves_everything_it_promises(whole_run):
    rows = [json.loads(line) for line in (whole_run / "metrics.jsonl").read_text().splitlines()]
    assert [(r["stage"], r["epoch"]) for r in rows[:-1]] == [("float", 0), ("float", 1), ("tune", 0), ("tune", 1)]
    assert all({"loss", "accuracy", "rate", "val_accuracy", "seconds"} <= set(r) for r in rows[:-1])
    assert set(rows[-1]["final"]) == {"accuracy_float", "accuracy_integer"}
    assert list((whole_run / "events").glob("events.*"))
    graph = read_net(whole_run / "mksgn.net")
    fewer = graph.meta["agreement_tuned"] < graph.meta["agreement_rounded"]
    assert graph.meta["integers"] == ("rounded" if fewer else "fine-tuned")
    assert graph.meta["accuracy_integer"] == rows[-1]["final"]["accuracy_integer"]
    assert graph.meta["labels"] == list(synthetic_pack(60).class_names)
    Preprocess.from_json(graph.meta["preprocess"])
    assert not list(whole_run.glob("*.tmp"))


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_same_bits(whole_run, tiny, tmp_path):
    """Ctrl-C and SIGKILL, in a stage each, then --resume: weights, log and net equal the uninterrupted run's."""
    with interrupted_at("float", 0):
        assert train(*tiny, "--out", str(tmp_path), check=False).code == 130
    kill_after(("tune", 0), ["--resume", "--out", str(tmp_path)], tmp_path)
    train("--resume", "--out", str(tmp_path))
    assert_same_run(whole_run, tmp_path)


def test_scales_may_be_integers_and_the_float_network_the_teacher(tiny, tmp_path):
    """Interrupted and resumed; then another run starts from it. Both leave files whose integers agree."""
    with interrupted_at("tune", 0):
        begun = train(*tiny, "--scales", "integer", "--tune-loss", "own", "--out", str(tmp_path / "a"), check=False)
        assert begun.code == 130
    train("--resume", "--out", str(tmp_path / "a"))
    train("--start", str(tmp_path / "a"), *tiny[-2:], "--epochs", "0", "--tune-epochs", "0", "--out",
          str(tmp_path / "b"))
    for folder in (tmp_path / "a", tmp_path / "b"):
        graph = read_net(folder / "mksgn.net")
        net = load_network(folder / "weights.safetensors")
        assert graph_difference(to_graph(net, graph.meta), graph) == ""
        assert any(scale.bit_count() > 1 for scale in net.scales())
        recipe = json.loads(graph.meta["recipe"])
        assert (recipe["scales"], recipe["tune_loss"]) == ("integer", "own")
    rows = [json.loads(line) for line in (tmp_path / "a" / "metrics.jsonl").read_text().splitlines()]
    losses = {(row["stage"], row["epoch"]): row["loss"] for row in rows if "stage" in row}
    assert 0 < losses["tune", 1] < losses["float", 1], "integers are close to what they were rounded from"


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["fabric", "torchrun"])
def test_two_gloo_processes_train_one_model(launcher, tiny, tmp_path):
    program = [str(ROOT / "train" / "train_slayer.py"), *tiny, "--epochs", "1", "--tune-epochs", "1",
               "--out", str(tmp_path)]
    command = [sys.executable, *program, "--devices", "2"]
    if launcher == "torchrun":
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *program]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [r.get("stage") for r in rows] == ["float", "tune", None]
    assert read_net(tmp_path / "mksgn.net").meta["test_samples"] > 0


def test_ranks_share_a_batch():
    pack = synthetic_pack(80)
    parts = [Batches(pack, np.arange(80), Preprocess(frames=8), Augment(), batch=16, rank=r, world=2) for r in range(2)]
    whole = Batches(pack, np.arange(80), Preprocess(frames=8), Augment(), batch=16)
    for (_, a), (_, b), (_, both) in zip(parts[0].epoch(3), parts[1].epoch(3), whole.epoch(3)):
        assert torch.equal(torch.stack([a, b], 1).flatten(), both)


def test_every_rank_has_a_sample_of_a_batch():
    with pytest.raises(ConfigError, match=r"--batch, --devices(.|\n)*4 samples for 5 processes"):
        Batches(synthetic_pack(40), np.arange(40), Preprocess(frames=8), Augment(), batch=4, rank=2, world=5)


def test_batches_made_ahead_keep_order_errors_and_no_thread():
    def items(fail: bool):
        for i in range(7):
            if fail and i == 3:
                raise ValueError("bad sequence")
            yield i

    assert list(ahead(items(False))) == list(range(7))
    failing = ahead(items(True))
    assert [next(failing) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="bad sequence"):
        next(failing)
    dropped = ahead(items(False))
    assert next(dropped) == 0
    dropped.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "batches"]


def test_mixup_mixes_samples_labels_and_what_teachers_see_alike():
    pack = synthetic_pack(40)
    arguments = (pack, np.arange(40), Preprocess(frames=8), Augment())
    plain = Batches(*arguments, batch=8)
    mixing = Batches(*arguments, batch=8, extra=lambda chosen, rng: [torch.eye(8)], mixup=1.0)
    (x, labels), (mixed_x, shares, weights) = next(plain.epoch(3)), next(mixing.epoch(3))
    assert all(torch.equal(a, b) for a, b in zip((mixed_x, shares, weights), next(mixing.epoch(3))))
    # Row r of the mixed identity holds the share of every sample in sample r: two of them, or one mixed with itself.
    assert ((weights > 0).sum(1) <= 2).all() and ((weights > 0).sum(1) == 2).any()
    assert torch.allclose(weights.sum(1), torch.ones(8))
    assert torch.allclose(shares, weights @ torch.nn.functional.one_hot(labels, len(pack.class_names)).float())
    assert mixed_x.dtype == torch.int8
    assert (mixed_x - torch.einsum("rs,scfv->rcfv", weights, x.float())).abs().max() <= 0.5001


def test_mixed_labels_are_shares_in_every_loss():
    logits, shares = torch.randn(3, 4, generator=torch.manual_seed(0)), torch.tensor([[.3, .7, 0, 0]] * 3)
    parts = [binary_cross_entropy(logits, torch.full((3,), c), 0.1) for c in range(2)]
    assert torch.isclose(binary_cross_entropy(logits, shares, 0.1), 0.3 * parts[0] + 0.7 * parts[1])
    with pytest.raises(ConfigError, match="mixed samples"):
        replace(PRESETS["mksgn"], mixup=0.2, distil=distillation("ce-kl", ("run",), soft_labels="cached"))


def test_batches_depend_on_seed_and_epoch_only():
    pack = synthetic_pack(40)
    batches = Batches(pack, np.arange(40), Preprocess(frames=8), Augment(), batch=8)
    first = [x for x, _ in batches.epoch(5)]
    list(batches.epoch(2))
    assert all(torch.equal(a, b) for a, b in zip(first, [x for x, _ in batches.epoch(5)]))
    assert not all(torch.equal(a, b) for a, b in zip(first, [x for x, _ in batches.epoch(6)]))


def test_checkpoint_restores_optimiser_and_rng(tmp_path):
    torch.manual_seed(3)
    net = network_of(body=UCLA20, classes=3, frames=8, widths=(4,), strides=(1,))
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-2)
    x = torch.randint(-100, 100, (4, 3, 8, 20))
    net(x).logits.square().sum().backward()
    optimiser.step()
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, net, optimiser, {"epoch": 4})
    drawn = torch.rand(3)
    other = SpikingGraphNet(net.config, net.data)
    fresh = torch.optim.AdamW(other.parameters(), lr=1e-2)
    load_checkpoint(path, other, fresh)
    assert torch.equal(torch.rand(3), drawn)
    assert read_state(path) == {"epoch": 4}
    for a, b in zip(net.state_dict().values(), other.state_dict().values()):
        assert torch.equal(a, b)
    for index, entry in optimiser.state_dict()["state"].items():
        for name, value in entry.items():
            assert torch.equal(torch.as_tensor(value), torch.as_tensor(fresh.state_dict()["state"][index][name]))


@pytest.mark.slow
def test_a_run_starts_from_the_weights_of_another(whole_run, tiny, pack_path, tmp_path):
    """Fine-tuning alone, with the recipe of the run, repeats what it did after its float stage; weights of another
    network are refused."""
    again = tmp_path / "again"
    train("--start", str(whole_run), "--data", str(pack_path), "--epochs", "0", "--out", str(again))
    first, second = (load_file(folder / "weights.safetensors") for folder in (whole_run, again))
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    last = [json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1]) for folder in (whole_run, again)]
    assert last[0] == last[1]
    assert read_meta(again / "weights.safetensors")["started_from"] == [whole_run.name]
    assert read_meta(again / "weights.safetensors")["epochs_before"] == 2
    tuned = tmp_path / "tuned"
    train("--start", str(whole_run), "--data", str(pack_path), "--epochs", "0", "--integers", "tuned",
          "--out", str(tuned))
    assert "integers" not in read_net(tuned / "mksgn.net").meta
    last, checkpoint = (load_file(tuned / f"{name}.safetensors") for name in ("weights", "checkpoint"))
    assert all(torch.equal(value, checkpoint[name]) for name, value in last.items())
    other = train(*tiny, "--graph-conv", "learned", "--start", str(whole_run), "--out", str(tmp_path / "other"),
                  check=False)
    assert other.code == 2 and "another network" in other.err and "Traceback" not in other.err
    assert not (tmp_path / "other").exists()


def test_presets_fit_the_paper():
    assert len(PRESETS["base-sgn"].network.widths) == 10
    assert len(PRESETS["mksgn"].network.widths) == 6
    for name in ("ntu60", "ntu120", "spikformer-256", "spike-driven-256"):
        assert PRESETS[name].network.time_steps == 4, name
    budget = {(p.network.time_steps, p.batch, p.epochs, p.network.surrogate_width, p.augment)
              for name, p in PRESETS.items() if name in ("mksgn", "base-sgn", "spikformer", "spike-driven")}
    assert len(budget) == 1, "networks that are compared are trained alike"
    assert lateral_joints(synthetic_pack(24)) == ((4, 8), (12, 16))


def test_help_teaches():
    text = train("--help").out
    for word in ("Presets", "demo", "base-sgn", "mksgn", "--resume", "bit for bit"):
        assert word in text
