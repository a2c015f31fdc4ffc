"""The training loop: stages, epochs, steps, checkpoints and the log, whatever network is trained."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import torch
from rich.console import Console
from torch import Tensor, nn
from torch.optim import Optimizer

from mksgn.errors import ConfigError
from mksgn.programs.console import TrainingProgress, training_progress
from mksgn.training.checkpoint import load_checkpoint, save_checkpoint
from mksgn.training.log import RunLog
from mksgn.training.run_files import CHECKPOINT
from mksgn.training.stage import EpochMeans, Stage, StepLoss
from mksgn.training.training import NETWORK, Training

SEED_STRIDE = 100_003
"""Between the seeds of two runs: more than any run has epochs, and each of those has a seed of its own."""


class Trainer:
    """Takes a training through its stages, with a checkpoint and a line of the log after every epoch.

    Parameters
    ----------
    training : Training
    options : mapping
        JSON values of the program's options, which a resumed run takes from the checkpoint.
    state : mapping, optional
        Of the checkpoint in the run's folder from which it goes on; None: it begins, and what an earlier run left in
        its folder is removed.
    console : Console
        For a line and a bar of each epoch, from the first of several processes.
    """

    def __init__(self, training: Training, options: Mapping[str, Any], state: Mapping[str, Any] | None,
                 console: Console) -> None:
        self.training, self.options, self.state, self.console = training, dict(options), state, console
        self.fabric, self.checkpoint = training.fabric, training.folder / CHECKPOINT
        self.chief = self.fabric.is_global_zero

    def run(self) -> Mapping[str, Any]:
        """All epochs that are left, then the export.

        Returns
        -------
        mapping
            What :meth:`Training.export` says; empty on all processes but the first.

        Raises
        ------
        ConfigError
            When the loss is not finite any more, or the checkpoint does not fit.
        """
        training = self.training
        if self.chief:
            training.folder.mkdir(parents=True, exist_ok=True)
            for name in training.files if self.state is None else ():
                (training.folder / name).unlink(missing_ok=True)
            self.console.print(training.describe())
        log = RunLog(training.folder, self.chief, keep=self._last_entry())
        first_stage = self._stage_of_checkpoint()
        with training_progress(self.console, self.chief) as progress:
            for number, stage in enumerate(training.stages[first_stage:], first_stage):
                resumed = self.state is not None and number == first_stage
                later = sum(each.epochs for each in training.stages[number + 1:])
                self._train_stage(stage, resumed, later, progress, log)
        return training.export(log) if self.chief else {}

    def _last_entry(self) -> dict[str, Any] | None:
        """The log's entry of the checkpoint's epoch."""
        if self.state is None:
            return None
        return self.training.stages[self._stage_of_checkpoint()].entry(self.state["epoch"])

    def _stage_of_checkpoint(self) -> int:
        """Position of the stage that is resumed; 0 where none is."""
        names = [stage.name for stage in self.training.stages]
        name = names[0] if self.state is None else self.state.get("stage", "")
        if name not in names:
            raise ConfigError("this checkpoint is of another program, or of an older version of this one",
                              str(self.checkpoint), f"stage {name!r:.60}", ", ".join(names),
                              "resume it with what wrote it, or start anew with --overwrite")
        return names.index(name)

    def _train_stage(self, stage: Stage, resumed: bool, later: int, progress: TrainingProgress, log: RunLog) -> None:
        """The epochs of a stage that are left, and what ends it; ``later`` epochs follow in other stages."""
        training = self.training
        training.begin_stage(stage, self.state if resumed else None)
        loss, optimisers = training.step_loss(stage), training.optimisers(stage)
        modules = training.further_modules(stage)
        first = 0
        if resumed and self.state is not None:
            first = self.state["epoch"] + 1
            load_checkpoint(self.checkpoint, training.network, *_own_and_further(optimisers), modules)
            training.restore(self.state)
        model, *prepared = self.fabric.setup(loss, *optimisers.values())
        for epoch in range(first, stage.epochs):
            began = time.perf_counter()
            training.begin_epoch(stage, epoch)
            row = self._train_epoch(stage, epoch, model, loss, dict(zip(optimisers, prepared)), progress)
            row |= training.validate()
            row["seconds"] = time.perf_counter() - began
            log.write(stage, epoch, row)
            progress.report(stage.label, epoch + 1, stage.epochs, row, later)
            if self.chief:
                state = {**stage.entry(epoch), "options": self.options, "recipe": training.recipe_values(),
                         **training.state()}
                own, further = _own_and_further(optimisers)
                save_checkpoint(self.checkpoint, training.network, own, state, further, modules)
            self.fabric.barrier()
        training.end_stage(stage)

    def _train_epoch(self, stage: Stage, epoch: int, model: nn.Module, loss: StepLoss,
                     optimisers: Mapping[str, Optimizer], progress: TrainingProgress) -> dict[str, float]:
        """One epoch; returns what the log says of its steps."""
        training = self.training
        torch.manual_seed(training.seed * SEED_STRIDE + epoch)
        means, steps = EpochMeans(loss.names, loss.per_step), len(training.batches)
        progress.epoch(f"{stage.label.strip()} {epoch + 1}/{stage.epochs}", steps)
        rates: dict[str, float] = {}
        for step, batch in enumerate(training.batches.epoch(epoch)):
            rates = training.learning_rates(stage, epoch + step / steps)
            for name, rate in rates.items():
                for group in optimisers[name].param_groups:
                    group["lr"] = rate
            value, figures = model(*(part.to(self.fabric.device) for part in batch))
            self.fabric.backward(value)
            for name, optimiser in optimisers.items():
                self._clip_and_check(name, optimiser, model, figures[0], (stage, epoch, step))
                optimiser.step()
                optimiser.zero_grad()
            if training.average is not None and training.averages(stage, epoch):
                training.average.update_parameters(training.network)
            means.add(figures)
            progress.advance(means.named())
        total = self.fabric.all_reduce(means.tensor())
        assert isinstance(total, Tensor)
        return {**training.logged_rates(rates), **dict(zip(means.names, total.tolist()))}

    def _clip_and_check(self, name: str, optimiser: Optimizer, model: nn.Module, loss: Tensor,
                      at: tuple[Stage, int, int]) -> None:
        """Clip the gradients of an optimiser where the training wants that, and refuse what is not finite."""
        norm = loss
        if self.training.max_norm is not None:
            found = self.fabric.clip_gradients(model, optimiser, max_norm=self.training.max_norm,
                                               error_if_nonfinite=False)
            assert found is not None, "gradients are clipped by their norm"
            norm = found
        if not (torch.isfinite(norm) and torch.isfinite(loss)):
            stage, epoch, step = at
            gradient = "" if norm is loss else f", its gradient {norm.item():g}"
            raise ConfigError("the loss is not a finite number any more",
                              f"{stage.name} epoch {epoch + 1}, step {step + 1}".strip(),
                              f"loss {loss.item():g}{gradient}", fix=self.training.remedy(name, stage, epoch))


def _own_and_further(optimisers: Mapping[str, Optimizer]) -> tuple[Optimizer, dict[str, Optimizer]]:
    """The network's own optimiser, and the others by name, as checkpoints name them."""
    return optimisers[NETWORK], {name: each for name, each in optimisers.items() if name != NETWORK}
