"""Runs of train_slayer.py that cannot begin, or cannot go on: one message, and nothing half-written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from programs import Outcome, Program
from safetensors import SafetensorError

import mksgn.teachers.weights
from mksgn.data.pack import save_pack
from mksgn.data.splits import split
from mksgn.data.synthetic import synthetic_pack
from mksgn.errors import ConfigError, NetFileError
from mksgn.netx import read_net
from mksgn.training.folder import check_folder, run_folders
from mksgn.training.run_files import CHECKPOINT, read_state

TINY = ("--widths", 4, 4, 4, "--frames", 8, "--batch", 16, "--epochs", 2, "--tune-epochs", 1, "--device", "cpu",
        "--val-subjects")
FULL = "Error while serializing: I/O error: No space left on device (os error 28)"


@pytest.fixture
def train(capsys, monkeypatch, tmp_path) -> Callable[..., Outcome]:
    return Program("train/train_slayer.py", capsys, monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("data") / "small.npz"
    save_pack(synthetic_pack(60), path)
    return path


@pytest.mark.parametrize(("options", "parts"), [
    (("--batch", 0), ("--batch", "got:     0", "a whole number from 1 on")),
    (("--frames", 0), ("--frames",)),
    (("--time-steps", 0), ("--time-steps",)),
    (("--persons", 0), ("--persons",)),
    (("--devices", 0), ("--devices",)),
    (("--seed", -1), ("--seed", "from 0 to 4294967295")),
    (("--dropout", 2), ("--dropout", "from 0 to below 1")),
    (("--lr", "nan"), ("--lr", "got:     nan", "above 0")),
    (("--lr", -1), ("--lr",)),
    (("--epochs", -1), ("--epochs",)),
    (("--widths", 4, 0, 4), ("--widths", "got:     4 0 4")),
    (("--widths", 4, 4), ("one width and one stride", "2 widths, 3 strides")),
    (("--residual-synapses", 3), ("--residual-synapses", "1, 2, 4, 8 or 16")),
    (("--epochs", 0, "--tune-epochs", 0), ("trains nothing", "--start")),
    (("--fusion", "smf", "--time-steps", 2), ("--fusion", "--modality")),
    (("--fusion", "fixed"), ("--fusion", "--fusion-weights")),
    (("--preset", "spikformer", "--graph-conv", "layer"), ("--graph-conv means nothing", "mksgn or base-sgn")),
    (("--preset", "base-sgn", "--heads", 2), ("--heads means nothing", "network base-sgn", "mksgn or spikformer")),
    (("--heads", 2), ("masks have no heads", "--attention qkv")),
    (("--segments", 5), ("--segments", "divisors of")),
    (("--resume",), ("no checkpoint", "--resume")),
    (("--data", "no/such/file.npz"), ("no/such/file.npz",)),
    (("--data", "synthetic", "--protocol", "ntu60-xsub"), ("ntu60-xsub", "--protocol")),
    (("--device", "cuda"), ("no CUDA device", "--device")),
])
def test_bad_options_give_one_message_and_leave_nothing(options, parts, train, tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    done = train(*options, "--out", tmp_path / "new" / "run")
    assert done.code == 2, done.out + done.err
    assert all(part in done.err for part in parts), done.err
    assert done.err.startswith("error: ") and "fix:" in done.err
    assert not (tmp_path / "new").exists()


def test_a_place_that_is_no_folder_is_refused(train, small, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("mine")
    for out in ("file", "file/run"):
        done = train(*TINY, "--data", small, "--out", out)
        assert done.code == 2 and "this is a file" in done.err and "--out" in done.err
    assert (tmp_path / "file").read_text() == "mine"
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(ConfigError, match="cannot be written to"):
        check_folder(tmp_path / "new" / "run")


def test_data_without_a_test_half_is_refused(train, tmp_path):
    pack = synthetic_pack(60)
    parts, pack.test = split(pack), None
    save_pack(pack.subset(parts.train), tmp_path / "half.npz")
    done = train(*TINY, "--data", tmp_path / "half.npz", "--out", "run")
    assert done.code == 2 and "no test sequences" in done.err and "--protocol" in done.err
    assert not (tmp_path / "run").exists()


def test_sequences_without_a_label_are_left_out_of_both_parts(train, tmp_path):
    pack = synthetic_pack(60)
    parts = split(pack, val_subjects=())
    pack.labels[[parts.train[0], parts.train[7], parts.test[3]]] = -1
    save_pack(pack, tmp_path / "some.npz")
    done = train(*TINY, "--data", tmp_path / "some.npz", "--epochs", 1, "--out", "run")
    assert done.code == 0, done.err
    said = " ".join(done.out.split())
    assert f"{len(parts.train) - 2} train, 0 val, {len(parts.test) - 1} test" in said
    assert "3 without a label are left out" in said
    assert read_net(tmp_path / "run" / "mksgn.net").meta["test_samples"] == len(parts.test) - 1


def test_a_full_disk_keeps_the_checkpoint_and_the_run_goes_on_from_it(train, small, tmp_path, monkeypatch):
    whole, written = mksgn.teachers.weights.save_file, []

    def filling(tensors, path, metadata):
        written.append(path)
        if len(written) == 2:
            path.write_bytes(b"half")
            raise SafetensorError(FULL)
        whole(tensors, path, metadata)

    with monkeypatch.context() as patch:
        patch.setattr(mksgn.teachers.weights, "save_file", filling)
        done = train(*TINY, "--data", small, "--out", "run")
    assert done.code == 2 and "its last checkpoint is whole" in done.err and "No space left" in done.err
    assert "python train/train_slayer.py --resume --out run" in done.err
    assert read_state(tmp_path / "run" / CHECKPOINT)["epoch"] == 0
    assert not list((tmp_path / "run").glob(".*.tmp"))
    with (tmp_path / "run" / "metrics.jsonl").open("a") as file:
        file.write('{"stage": "flo')  # as a full disk leaves it
    assert train("--resume", "--out", "run").code == 0
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [(row.get("stage"), row.get("epoch")) for row in rows] == [("float", 0), ("float", 1), ("tune", 0),
                                                                      (None, None)]
    done = train(*TINY, "--data", small, "--out", "run")
    assert done.code == 2 and "holds a run already" in done.err and "--resume" in done.err
    done = train("--start", "run", "--out", "run", "--overwrite")
    assert done.code == 2 and "cannot replace" in done.err and (tmp_path / "run" / "mksgn.net").exists()
    path = tmp_path / "run" / CHECKPOINT
    path.write_bytes(path.read_bytes()[:-100])
    done = train("--resume", "--out", "run")
    assert done.code == 2 and "cut short" in done.err and "bytes" in done.err


def test_a_run_that_diverges_says_so(train, small, tmp_path):
    done = train(*TINY, "--data", small, "--lr", 1e38, "--out", "runs/diverging")
    assert done.code == 2 and "not a finite number any more" in done.err and "lower --lr" in done.err
    assert not (tmp_path / "runs").exists(), "a run without a checkpoint leaves nothing"


def test_what_a_run_leaves_when_it_ends_early(tmp_path):
    """The folder and those above it that were made for it go, unless it holds a checkpoint; others stay."""
    deep = tmp_path / "a" / "b" / "run"

    def end_with(error: BaseException, checkpoint: bool) -> BaseException:
        with pytest.raises(BaseException) as caught, run_folders([deep], "python again"):
            deep.mkdir(parents=True, exist_ok=True)
            (deep / "metrics.jsonl").touch()
            if checkpoint:
                (deep / CHECKPOINT).touch()
            raise error
        return caught.value

    for error in (ConfigError("diverged"), KeyboardInterrupt(), OSError(28, "No space left on device"), ValueError()):
        found = end_with(error, checkpoint=False)
        assert not (tmp_path / "a").exists() and "python again" not in str(found)
    assert isinstance(end_with(BrokenPipeError(), checkpoint=True), BrokenPipeError)
    for error in (KeyboardInterrupt(), OSError(28, "No space left on device"), NetFileError("full", fix="make room")):
        found = end_with(error, checkpoint=True)
        assert "python again" in str(found) and (deep / CHECKPOINT).exists()
