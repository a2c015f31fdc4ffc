"""The training of a teacher, CTR-GCN or ST-GCN on one stream or on all together; scores at the end."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim import Optimizer

from mksgn.commit import describe_commit
from mksgn.data.augmentation import augmentation_for
from mksgn.teachers.scores import SCORES, Scores, Stream, save_stream, stream_accuracies
from mksgn.teachers.stack import GraphStack, unfold_persons
from mksgn.teachers.weights import TeacherConfig, copy_weights, save_teacher, trained_parameters
from mksgn.training.batches import Batches
from mksgn.training.devices import choose_precision
from mksgn.training.evaluation import PART, answers
from mksgn.training.log import RunLog
from mksgn.training.run_data import RunData
from mksgn.training.run_files import CHECKPOINT, WEIGHTS
from mksgn.training.stage import Stage, StepLoss
from mksgn.training.starting import Origin
from mksgn.training.streams import EARLY, stored_name
from mksgn.training.teacher_recipe import TeacherRecipe
from mksgn.training.training import NETWORK, Training

MOMENTUM = 0.9
LABEL_WIDTH = 12
"""Columns of the longest modality's name, so that the lines of all streams stand below each other."""
WIDEST = 4
"""Channels of the last layers, in units of ``base_channels``."""


class TeacherLoss(StepLoss):
    """A teacher and its cross-entropy.

    Parameters
    ----------
    network : GraphStack
    recipe : TeacherRecipe
    dtype : torch.dtype
        Of the products; the loss is float32.
    batch : int
        Samples per step.
    """

    def __init__(self, network: GraphStack, recipe: TeacherRecipe, dtype: torch.dtype, batch: int) -> None:
        super().__init__()
        self.network, self.dtype, self.persons = network, dtype, recipe.persons
        self.cross_entropy = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
        self.names = ["loss", "accuracy"]
        self.per_step = torch.tensor([1, batch], dtype=torch.float64)

    def forward(self, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Loss, and the figures of ``names``: the loss, and how many of the batch are right, float64 (2,)."""
        with torch.autocast(x.device.type, self.dtype, enabled=self.dtype != torch.float32):
            logits = self.network(unfold_persons(x, self.persons)).logits
        loss = self.cross_entropy(logits, labels)
        right = (logits.argmax(1) == labels).sum()
        return loss, torch.stack([loss.detach().double(), right.double()])


class TeacherTraining(Training):
    """A teacher in training.

    Parameters
    ----------
    folder : Path
    recipe : TeacherRecipe
    data : RunData
        Its preprocessing has one modality, the stream, or all.
    fabric : Fabric
    origin : Origin
    precision : 'auto', 'bf16' or 'fp32'

    Raises
    ------
    ConfigError
        When the run to start from has another network.
    """

    files = (CHECKPOINT, WEIGHTS, SCORES)
    network: GraphStack

    def __init__(self, folder: Path, recipe: TeacherRecipe, data: RunData, fabric: Fabric, origin: Origin, *,
                 precision: str) -> None:
        super().__init__(folder, recipe, data, fabric, recipe.seed)
        self.recipe, self.origin = recipe, origin
        modalities = data.preprocess.modalities
        self.modality = stored_name(modalities)
        label = EARLY if len(modalities) > 1 else self.modality
        self.stages = (Stage("", recipe.epochs, f"{label:<{LABEL_WIDTH}}"),)
        self.dtype = choose_precision(precision, fabric.device, WIDEST * recipe.base_channels)
        pack = data.pack
        self.batches = Batches(pack, data.split.train, data.preprocess, augmentation_for(pack, recipe.augment),
                               batch=recipe.batch, passes=recipe.passes, seed=recipe.seed)
        self.config = TeacherConfig(network=recipe.network, body=pack.body, classes=data.classes,
                                     channels=data.preprocess.channels, persons=recipe.persons,
                                     base_channels=recipe.base_channels, dropout=recipe.dropout)
        torch.manual_seed(recipe.seed)
        self.network = self.config.build()
        if origin.start is not None:
            copy_weights(self.network, self.config, origin.start / WEIGHTS)
        self.prepare_average()

    def describe(self) -> str:
        recipe, data = self.recipe, self.data
        return (f"[bold]{recipe.network}[/] {self.modality}, base width {recipe.base_channels}, "
                f"{recipe.frames} frames, {trained_parameters(self.network):,} parameters; {data.describe()}; "
                f"{self.fabric.device.type}, {str(self.dtype)[6:]}"
                + (f"; {data.unlabelled} without a label are left out" if data.unlabelled else ""))

    def recipe_values(self) -> dict[str, Any]:
        return self.recipe.to_dict()

    def export(self, log: RunLog) -> dict[str, float]:
        """Evaluate the test split, once, and write weights and scores; returns accuracies."""
        data, split = self.data, self.data.split
        stream = Stream(self.modality, data.name, split.protocol, self._scores(split.train), self._scores(split.test))
        final = stream_accuracies(stream.test.probabilities(), stream.test)
        save_stream(self.folder / SCORES, stream)
        save_teacher(self.folder / WEIGHTS, self.network, self.config, {
            "modality": self.modality, "preprocess": data.preprocess.to_json(), "recipe": self.recipe.to_dict(),
            "preset": self.origin.preset, "data": data.name, "protocol": split.protocol,
            "val_subjects": split.val_subjects, "labels": list(data.pack.class_names),
            "commit": describe_commit(), "test": final, **self.origin.lineage})
        log.finish(final)
        return final

    def step_loss(self, stage: Stage) -> TeacherLoss:
        return TeacherLoss(self.network, self.recipe, self.dtype, self.batches.batch)

    def optimisers(self, stage: Stage) -> dict[str, Optimizer]:
        recipe = self.recipe
        return {NETWORK: torch.optim.SGD(self.network.parameters(), lr=recipe.lr, momentum=MOMENTUM, nesterov=True,
                                         weight_decay=recipe.weight_decay)}

    def learning_rates(self, stage: Stage, epochs: float) -> dict[str, float]:
        return {NETWORK: self.recipe.learning_rate(epochs)}

    def logged_rates(self, rates: Mapping[str, float]) -> dict[str, float]:
        return {"lr": rates[NETWORK]}

    def remedy(self, optimiser: str, stage: Stage, epoch: int) -> str:
        return "lower --lr, or lengthen --warm-up"

    def averaged_batches(self) -> Iterator[tuple[Tensor, ...]]:
        for x, *rest in super().averaged_batches():
            yield self._inputs(x), *rest

    def validate(self) -> dict[str, float]:
        """The accuracy on held-out subjects; nothing where none are."""
        if not len(self.validation):
            return {}
        labels = self.data.labels(self.data.split.val)
        return {"val_accuracy": float((self._logits(self.validation).argmax(1) == labels).mean())}

    def state(self) -> dict[str, Any]:
        return {"lineage": dict(self.origin.lineage)}

    def _inputs(self, x: Tensor) -> Tensor:
        """What the network takes of a batch."""
        return unfold_persons(x.to(self.fabric.device), self.recipe.persons)

    def _logits(self, samples: np.ndarray) -> np.ndarray:
        """Logits in float32 of int8 samples (N, C, F, M V)."""
        return answers(self.network, lambda part: self.network(self._inputs(part)).logits,
                       np.array_split(samples, math.ceil(len(samples) / PART)))

    def _scores(self, indices: np.ndarray) -> Scores:
        """Logits and labels of sequences, and which of them are no copies of training sequences."""
        split = self.data.split
        clean = np.ones(len(indices), bool) if split.clean is None else ~np.isin(
            indices, np.setdiff1d(split.test, split.clean))
        return Scores(self._logits(self.data.samples(indices)), self.data.labels(indices), indices, clean)
