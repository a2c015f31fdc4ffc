"""The distiller: frozen teachers, the translation of their features, and the loss of a batch (paper Eq. 32)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from mksgn.errors import ConfigError
from mksgn.nn import SpikingGraphNet
from mksgn.nn.translation import FeatureTranslation
from mksgn.training.batches import ExtraTensors
from mksgn.training.distill import Distillation, cosine_distance, label_losses, weighted_sum
from mksgn.training.frozen_teachers import FEATURE_LAYERS, Lesson, Teachers, cached_logits
from mksgn.training.recipe import Recipe
from mksgn.training.run_data import RunData

FTM = "ftm"
"""Name of the feature translation module and of its optimiser in checkpoints."""
FTM_MOMENTUM = 0.9
"""The paper names SGD without it (Table 5); 0.9 is what the code of its teacher, CTR-GCN, has."""


class Distiller(nn.Module):
    """Everything beside the network that distillation needs; none of it is exported.

    Parameters
    ----------
    choice : Distillation
    teachers : Teachers
    net : SpikingGraphNet
        The student, for the shapes of its layers.

    Raises
    ------
    ConfigError
        When features are distilled and the student has not two layers that halve its frames.
    """

    def __init__(self, choice: Distillation, teachers: Teachers, net: SpikingGraphNet) -> None:
        super().__init__()
        self.choice = choice
        self.teachers = teachers if choice.soft_labels == "online" else None
        self.student = student_layers(net) if choice.features else ()
        shapes = {name: population.shape for name, population in net.named_populations()}
        config = net.config
        self.ftm = nn.ModuleList(
            FeatureTranslation(teachers.channels(layer), shapes[name], voltage_decay=config.voltage_decay,
                               current_decay=config.current_decay)
            for layer, name in zip(FEATURE_LAYERS, self.student))

    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """The FTM's, SGD (Table 5), under ``FTM``; none where features are not distilled."""
        trained = [p for p in self.ftm.parameters() if p.requires_grad]
        if not trained:
            return {}
        sgd = torch.optim.SGD(trained, self.choice.ftm_lr, FTM_MOMENTUM, weight_decay=self.choice.ftm_weight_decay)
        return {FTM: sgd}

    def forward(self, spikes: Mapping[str, Tensor], step_logits: Tensor, labels: Tensor, taught: Sequence[Tensor], *,
                smoothing: float, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
        """Loss of a batch (Eq. 32), and its three terms before weighting, detached (3,).

        Parameters
        ----------
        spikes : dict of Tensor (N T, C, F, V)
            Of the student's populations.
        step_logits : Tensor (N, T, J)
            The student's logits at each time step.
        labels : int64 Tensor (N,), or float (N, J) of mixed samples
        taught : sequence of Tensor
            What the batch holds for the teachers: their views, or their cached logits.
        smoothing : float
            Label smoothing of the class loss.
        dtype : torch.dtype
            Of the teachers' and the FTM's products.
        """
        steps = step_logits.shape[1]
        lesson = Lesson(taught[0], []) if self.teachers is None else self.teachers(taught, dtype=dtype)
        class_loss, soft_loss = label_losses(self.choice, step_logits, labels, lesson.logits, smoothing)
        distances = [cosine_distance(ftm(features, steps, dtype=dtype), spikes[name], steps)
                     for ftm, features, name in zip(self.ftm, lesson.features, self.student)]
        feature_loss = weighted_sum(distances, self.choice.beta) if distances else torch.zeros_like(soft_loss)
        parts = [class_loss, soft_loss, feature_loss]
        return weighted_sum(parts, self.choice.gamma), torch.stack(parts).detach()


def student_layers(net: SpikingGraphNet) -> tuple[str, ...]:
    """Populations that the FTMs' spikes are compared with: the output of the two layers that halve the frames.

    In MK-SGN these are layers 3 and 5, as in Eq. 29-30; in Base-SGN 5 and 8, the teacher's own numbers.

    Raises
    ------
    ConfigError
        When the network has not two such layers.
    """
    strides = getattr(net.config, "strides", ())  # a transformer has none
    halving = [number for number, stride in enumerate(strides, 1) if stride > 1]
    if len(halving) != len(FEATURE_LAYERS):
        raise ConfigError("features cannot be distilled into this network", "strides", str(strides),
                          f"{len(FEATURE_LAYERS)} layers with a stride above 1",
                          "use another preset, or distil without features: the third --gamma 0")
    return tuple(f"block{number}.stc" for number in halving)


def load_teachers(recipe: Recipe, folders: Sequence[str | Path], data: RunData,
                  before: Sequence[str] | None = None) -> tuple[Recipe, Teachers, ExtraTensors]:
    """Load and check the teachers of a recipe with distillation.

    Parameters
    ----------
    folders : sequence of path
        Of finished runs of train_teacher.py or train_slayer.py.
    data : RunData
        The student's.
    before : sequence of str, optional
        What taught a run that is being resumed.

    Returns
    -------
    recipe : Recipe
        With what taught in it.
    teachers : Teachers
    extra : callable
        Makes what a batch of :class:`~mksgn.training.batches.Batches` must hold for the distiller.

    Raises
    ------
    ConfigError
        When a teacher does not fit or has changed since, or the weights are not one per teacher.
    """
    choice = recipe.distil
    assert choice is not None, "the recipe has no distillation"
    teachers = Teachers(folders)
    teachers.check(pack=data.pack, data=data.name, protocol=data.split.protocol, persons=data.preprocess.persons)
    if choice.alpha and len(choice.alpha) != len(folders):
        raise ConfigError("the weights of the teachers are impossible", "--alpha", str(choice.alpha),
                          f"{len(folders)} numbers, one per --teacher")
    described = teachers.describe()
    if before is not None and tuple(before) != described:
        raise ConfigError("the teachers have changed since this run was started", "--teacher", "; ".join(described),
                          "; ".join(before) or "none", "put the old weights back, or start anew with --overwrite")
    if choice.soft_labels == "online":
        extra = teachers.views(data.pack, recipe.augmentation(data.pack))
    else:
        extra = cached_logits(teachers.folders, data.pack, data.split.train)
    return replace(recipe, distil=replace(choice, teachers=described)), teachers, extra
