"""What a Trainer trains: the part that differs between a spiking network and a teacher."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from mksgn.training.averaged_tail import AveragedTail
from mksgn.training.averaging import AVERAGE, average_of, take_average
from mksgn.training.batches import Batches
from mksgn.training.log import RunLog
from mksgn.training.run_data import RunData
from mksgn.training.stage import Stage, StepLoss

NETWORK = ""
"""Name of the network's own optimiser; others are named after what they train."""


class Training(ABC):
    """One network in training, prepared: its data and batches, its stages, and what begins and ends them.

    Attributes
    ----------
    folder : Path
        Of the run.
    files : tuple of str
        Names of the files in it that a run writes and that a new one replaces.
    stages : tuple of Stage
        The weights of the first may be averaged at its end (:mod:`mksgn.training.averaging`).
    network : nn.Module
        What is trained, and what a checkpoint holds.
    seed : int
        Of the random numbers of every epoch.
    max_norm : float, optional
        Norm to which the gradients of every optimiser are clipped; None: they are not.
    """

    files: tuple[str, ...]
    max_norm: float | None = None
    stages: tuple[Stage, ...]
    network: nn.Module
    batches: Batches

    def __init__(self, folder: Path, recipe: AveragedTail, data: RunData, fabric: Fabric, seed: int) -> None:
        self.folder, self.data, self.fabric, self.seed = folder, data, fabric, seed
        self.tail = recipe
        self.average: AveragedModel | None = None

    @cached_property
    def validation(self) -> np.ndarray:
        """The validation samples, int8 (N, C, F, V)."""
        return self.data.samples(self.data.split.val)

    def prepare_average(self) -> None:
        """Make room for the mean of the network's weights; to be called once the network has its first weights."""
        self.average = average_of(self.network, self.tail, self.fabric.device)

    @abstractmethod
    def describe(self) -> str:
        """The first line of a run."""

    @abstractmethod
    def recipe_values(self) -> dict[str, Any]:
        """The recipe as JSON values, for checkpoints."""

    # Stages
    def begin_stage(self, stage: Stage, state: Mapping[str, Any] | None) -> None:  # noqa: B027
        """Prepare the network for a stage; ``state`` is the checkpoint's where the stage is resumed."""

    def begin_epoch(self, stage: Stage, epoch: int) -> None:  # noqa: B027
        """Prepare the network for an epoch."""

    def end_stage(self, stage: Stage) -> None:
        """After the last epoch of a stage, also where it has none: the average replaces the weights of the first."""
        if self.average is not None and stage is self.stages[0]:
            take_average(self.network, self.average, self.averaged_batches(), self.seed)

    @abstractmethod
    def export(self, log: RunLog) -> Mapping[str, Any]:
        """Evaluate the test split, once, and write what the run leaves; called on one process of several."""

    # Steps
    @abstractmethod
    def step_loss(self, stage: Stage) -> StepLoss:
        """Network and loss."""

    @abstractmethod
    def optimisers(self, stage: Stage) -> dict[str, Optimizer]:
        """Optimisers by name, the first being ``NETWORK``."""

    @abstractmethod
    def learning_rates(self, stage: Stage, epochs: float) -> dict[str, float]:
        """Learning rates of the optimisers that have no constant one, after ``epochs`` epochs of a stage."""

    @abstractmethod
    def remedy(self, optimiser: str, stage: Stage, epoch: int) -> str:
        """What to do about a loss of that epoch that is not finite, seen at the gradients of an optimiser."""

    def averages(self, stage: Stage, epoch: int) -> bool:
        """Whether the steps of an epoch are averaged."""
        return self.average is not None and stage is self.stages[0] and epoch >= self.tail.averaged_from

    def averaged_batches(self) -> Iterator[tuple[Tensor, ...]]:
        """Batches from which the averaged network takes its statistics: what it reads comes first."""
        return self.batches.epoch(self.stages[0].epochs)

    # What an epoch leaves
    @abstractmethod
    def validate(self) -> dict[str, float]:
        """Accuracy on the validation samples, for the log."""

    def logged_rates(self, rates: Mapping[str, float]) -> dict[str, float]:
        """Learning rates of an epoch's last step that stand in the log."""
        return {}

    def further_modules(self, stage: Stage) -> dict[str, nn.Module]:
        """What a checkpoint holds beside the network, by name."""
        return {AVERAGE: self.average} if self.average is not None and stage is self.stages[0] else {}

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """JSON values that a checkpoint holds beside epoch, options and recipe."""

    def restore(self, state: Mapping[str, Any]) -> None:  # noqa: B027
        """Take from a checkpoint's ``state`` what belongs to weights that were just loaded."""
