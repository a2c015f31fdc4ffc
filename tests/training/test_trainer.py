"""The training loop on a network of one weight: stages, means, learning rates, log, checkpoint, what is not finite."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from rich.console import Console
from torch import Tensor, nn

import mksgn.training.trainer
from mksgn.data.preprocess import Augment, Preprocess
from mksgn.data.synthetic import synthetic_pack
from mksgn.errors import ConfigError
from mksgn.training.averaged_tail import AveragedTail
from mksgn.training.batches import Batches
from mksgn.training.checkpoint import save_checkpoint
from mksgn.training.log import METRICS
from mksgn.training.run_data import RunData
from mksgn.training.run_files import CHECKPOINT, read_state
from mksgn.training.stage import EpochMeans, Stage, StepLoss
from mksgn.training.trainer import Trainer
from mksgn.training.training import NETWORK, Training

PACK = synthetic_pack(48)
RATE = 0.25


class NoAverage(AveragedTail):
    epochs, average_part, average_lr = 2, 0.0, 1.0


class Descent(StepLoss):
    """The loss is the weight itself: every step takes the learning rate from it."""

    def __init__(self, network: nn.Linear, batch: int) -> None:
        super().__init__()
        self.network, self.names = network, ["loss", "accuracy"]
        self.per_step = torch.tensor([1, batch], dtype=torch.float64)

    def forward(self, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        loss = self.network.weight.sum()
        return loss, torch.stack([loss.detach().double(), torch.tensor(float(len(labels) // 2)).double()])


class OneWeight(Training):
    """Two stages, of two epochs and one."""

    files = (CHECKPOINT, "result.txt")

    def __init__(self, folder: Path, first: float = 1.0) -> None:
        fabric = Fabric(accelerator="cpu", devices=1)
        data = RunData.prepared(PACK, "synthetic", Preprocess(frames=4), protocol=None, val_subjects=(), seed=0)
        super().__init__(folder, NoAverage(), data, fabric, seed=0)
        self.network: nn.Linear = nn.Linear(1, 1, bias=False)
        nn.init.constant_(self.network.weight, first)
        self.batches = Batches(PACK, np.arange(12), data.preprocess, Augment(), batch=4)
        self.stages = (Stage("first", 2, "first"), Stage("second", 1, "second"))
        self.seen: list[str] = []

    def describe(self) -> str:
        return self.data.describe()

    def recipe_values(self) -> dict[str, Any]:
        return {"epochs": 2}

    def begin_stage(self, stage: Stage, state: Mapping[str, Any] | None) -> None:
        self.seen.append(f"begin {stage.name}" + (" again" if state else ""))

    def end_stage(self, stage: Stage) -> None:
        super().end_stage(stage)
        self.seen.append(f"end {stage.name}")

    def export(self, log: Any) -> dict[str, float]:
        log.finish({"weight": self.network.weight.item()}, extra=1)
        return {"weight": self.network.weight.item()}

    def step_loss(self, stage: Stage) -> Descent:
        return Descent(self.network, self.batches.batch)

    def optimisers(self, stage: Stage) -> dict[str, torch.optim.Optimizer]:
        return {NETWORK: torch.optim.SGD(self.network.parameters(), lr=9.0)}

    def learning_rates(self, stage: Stage, epochs: float) -> dict[str, float]:
        return {NETWORK: RATE * (1 if stage.name == "first" else 2)}

    def remedy(self, optimiser: str, stage: Stage, epoch: int) -> str:
        return "lower --lr"

    def validate(self) -> dict[str, float]:
        return {"val_accuracy": float("nan")}

    def state(self) -> dict[str, Any]:
        return {"seen": self.seen}


def trained(training: Training, state: Mapping[str, Any] | None = None) -> tuple[Mapping[str, Any], str]:
    """Results, and what was printed."""
    file = io.StringIO()
    results = Trainer(training, {"option": 1}, state, Console(file=file, width=200)).run()
    return results, file.getvalue()


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / METRICS).read_text().splitlines()]


def test_every_stage_has_its_epochs_rates_and_lines(tmp_path):
    (tmp_path / "result.txt").write_text("of an earlier run")
    training = OneWeight(tmp_path)
    results, said = trained(training)
    assert training.seen == ["begin first", "end first", "begin second", "end second"]
    assert results["weight"] == 1 - RATE * 3 * 2 - 2 * RATE * 3, "three steps an epoch"
    *epochs, final = lines(tmp_path)
    assert [(row["stage"], row["epoch"]) for row in epochs] == [("first", 0), ("first", 1), ("second", 0)]
    assert [row["loss"] for row in epochs] == [0.75, 0.0, -1.0]
    assert all(row["accuracy"] == 0.5 and row["val_accuracy"] is None and row["seconds"] > 0 for row in epochs)
    assert final == {"final": dict(results), "extra": 1}
    state = read_state(tmp_path / CHECKPOINT)
    assert (state["stage"], state["epoch"], state["options"], state["recipe"]) == ("second", 0, {"option": 1},
                                                                                   {"epochs": 2})
    assert not (tmp_path / "result.txt").exists()
    assert said.splitlines()[0] == training.describe() and "first   1/2  loss 0.750  accuracy 50.0%  " in said
    assert "to go: 1 more epochs" in said and "val" not in said.split("test", 1)[1]


def test_a_stopped_run_goes_on_where_it_was(tmp_path, monkeypatch):
    expected, _ = trained(OneWeight(tmp_path / "whole"))

    def stopping(path, model, optimiser, state, *further):
        save_checkpoint(path, model, optimiser, state, *further)
        raise KeyboardInterrupt

    folder = tmp_path / "stopped"
    with monkeypatch.context() as patch:
        patch.setattr(mksgn.training.trainer, "save_checkpoint", stopping)
        for state in (None, 0, 1):
            with pytest.raises(KeyboardInterrupt):
                trained(OneWeight(folder, first=7.0 if state is not None else 1.0),
                        None if state is None else read_state(folder / CHECKPOINT))
            with (folder / METRICS).open("a") as file:
                file.write('{"stage": "fir')  # as a full disk leaves it
    last = OneWeight(folder, first=7.0)
    results, _ = trained(last, read_state(folder / CHECKPOINT))
    assert results == expected and last.seen == ["begin second again", "end second"]
    kept = [[{k: v for k, v in row.items() if k != "seconds"} for row in lines(f)]
            for f in (tmp_path / "whole", folder)]
    assert kept[0] == kept[1]


def test_what_is_not_finite_stops_the_run(tmp_path):
    with pytest.raises(ConfigError, match="not a finite number") as caught:
        trained(OneWeight(tmp_path, first=float("inf")))
    assert caught.value.where == "first epoch 1, step 1" and caught.value.fix == "lower --lr"
    assert not (tmp_path / CHECKPOINT).exists()


def test_a_checkpoint_of_other_stages_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="another program"):
        trained(OneWeight(tmp_path), {"stage": "third", "epoch": 0})


def test_means_count_steps_or_samples():
    means = EpochMeans(["loss", "accuracy"], torch.tensor([1, 24], dtype=torch.float64))
    for loss, right in ((0.5, 7.0), (0.25, 12.0)):
        means.add(torch.tensor([loss, right], dtype=torch.float64))
    assert means.named() == {"loss": 0.375, "accuracy": 19 / 48}
