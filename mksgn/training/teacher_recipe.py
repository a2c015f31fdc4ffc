"""How the teachers are trained: every choice of a run in one frozen dataclass, and the presets users start from."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from mksgn.data.augmentation import lateral_joints
from mksgn.data.missing import WAYS
from mksgn.data.pack import Pack
from mksgn.data.preprocess import NO_WAY, Augment, Preprocess, check_missing, tuples, way_of
from mksgn.errors import ConfigError
from mksgn.limits import Limit, check_limits
from mksgn.teachers.weights import NETWORKS
from mksgn.training.averaged_tail import AveragedTail
from mksgn.training.streams import modalities_of

SCHEDULES = ("cosine", "step")
STEP_FACTOR = 0.1
"""What the learning rate is multiplied with at each milestone of the step schedule."""


@dataclass(frozen=True, kw_only=True)
class TeacherRecipe(AveragedTail):
    """All choices of one training run but the modality.

    Parameters
    ----------
    network : 'ctr-gcn' or 'st-gcn'
    base_channels : int
        Width of the first four of the ten layers; published: 64.
    frames, persons, root_range, motion_range, missing, min_score
        Preprocessing, see :class:`~mksgn.data.preprocess.Preprocess`; the way "" with missing joints is called 'none'.
    epochs, passes : int
        An epoch goes ``passes`` times through the training set.
    batch : int
        Samples per optimiser step.
    lr, warm_up : float, int
        Peak learning rate, reached after a linear rise over ``warm_up`` epochs.
    schedule : 'cosine' or 'step'
        To zero along half a cosine, or times 0.1 at each of ``milestones`` (epochs).
    average_part, average_lr : float
        The last ``average_part`` of the epochs has the constant rate ``average_lr``, and the weights of all its steps
        but those of the first epoch are averaged (:mod:`mksgn.training.averaging`); 'cosine' is at zero before it.
    weight_decay, label_smoothing, dropout : float
        Dropout: before the classifier in CTR-GCN, after every temporal convolution in ST-GCN.
    augment : Augment
        Random changes of the training samples.
    val_subjects : tuple of int or None
        Training subjects held out for validation; None: one fifth of them, chosen by the seed; empty: none.
    seed : int
        Of initialisation, order and augmentation.

    Raises
    ------
    ConfigError
        When a value is impossible.
    """

    network: str = "ctr-gcn"
    base_channels: int = 64
    frames: int = 64
    persons: int = 1
    root_range: float = 3.0
    motion_range: float = 0.0
    missing: str = NO_WAY
    min_score: float = 0.0
    epochs: int = 65
    passes: int = 1
    batch: int = 64
    lr: float = 0.1
    warm_up: int = 5
    schedule: str = "step"
    milestones: tuple[int, ...] = (35, 55)
    average_part: float = 0.0
    average_lr: float = 0.005
    weight_decay: float = 4e-4
    label_smoothing: float = 0.0
    dropout: float = 0.0
    augment: Augment = field(default_factory=Augment)
    val_subjects: tuple[int, ...] | None = ()
    seed: int = 0

    def __post_init__(self) -> None:
        choices = {"network": tuple(NETWORKS), "schedule": SCHEDULES, "missing": (NO_WAY, *filter(None, WAYS))}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ConfigError("the recipe has an unknown choice", name, str(getattr(self, name)),
                                  ", ".join(allowed))
        # A stream of one sample has no batch statistics where only one position is left.
        check_missing(self.missing, self.min_score)
        check_limits(self, epochs=Limit(1, whole=True), batch=Limit(2, whole=True))

    def learning_rate(self, epoch: float) -> float:
        """Learning rate after ``epoch`` epochs, which may be a fraction."""
        tail = self.tail_rate(epoch)
        if tail is not None:
            return tail
        if epoch < self.warm_up:
            return self.lr * epoch / self.warm_up
        if self.schedule == "step":
            return self.lr * STEP_FACTOR ** sum(epoch >= milestone for milestone in self.milestones)
        last = self.cycle_epochs if self.averages else self.epochs
        part = (epoch - self.warm_up) / max(last - self.warm_up, 1)
        return self.lr * 0.5 * (1 + math.cos(math.pi * min(part, 1.0)))

    def preprocess(self, pack: Pack, stream: str) -> Preprocess:
        """Deterministic preprocessing of a stream (:mod:`mksgn.training.streams`) for ``pack``."""
        modalities = modalities_of(stream)
        return Preprocess(frames=self.frames, persons=self.persons,
                          modality=modalities if len(modalities) > 1 else stream, lateral=lateral_joints(pack),
                          root_range=self.root_range, motion_range=self.motion_range, missing=way_of(self.missing),
                          min_score=self.min_score)

    def with_options(self, given: dict[str, Any]) -> TeacherRecipe:
        """A copy with every value that is not None replaced.

        Raises
        ------
        ConfigError
            When milestones are given and the schedule has none.
        """
        changed = replace(self, **{name: value for name, value in given.items() if value is not None})
        if given.get("milestones") is not None and changed.schedule != "step":
            raise ConfigError("milestones have no effect on this schedule", "--milestones", changed.schedule, "step",
                              "give --schedule step as well")
        return changed

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for logs, checkpoints and weight files."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TeacherRecipe:
        """Inverse of :meth:`to_dict`, also after a passage through JSON.

        Raises
        ------
        ConfigError
            When they are no recipe's values, or those of a version that had other choices.
        """
        try:
            return cls(**{**tuples(values), "augment": Augment.from_dict(values["augment"])})
        except (KeyError, TypeError) as error:
            raise ConfigError("this is no recipe of a teacher of this version of mksgn", got=str(error),
                              fix="use the version that wrote it") from None


_NTU = TeacherRecipe(persons=2, augment=Augment(yaw=17.0, pitch=17.0, roll=17.0, crop=0.5, noise=0.0))

PRESETS: dict[str, TeacherRecipe] = {
    # What we train: half the published width, a fifth of its optimiser steps.
    "nw-ucla": TeacherRecipe(
        base_channels=32, frames=32, motion_range=0.15, epochs=80, batch=16, lr=0.05, warm_up=3, schedule="cosine",
        milestones=(), weight_decay=4e-4, label_smoothing=0.1, dropout=0.1,
        augment=Augment(yaw=45.0, pitch=15.0, roll=10.0, crop=0.6, mirror=0.5)),
    # Published recipe (CTR-GCN, config/ucla): whole sequences under random rotations of up to 60 degrees.
    "nw-ucla-full": TeacherRecipe(
        frames=52, passes=5, batch=16, milestones=(50,), weight_decay=1e-4,
        augment=Augment(yaw=60.0, pitch=60.0, roll=0.0, crop=1.0, noise=0.0)),
    # Published recipes (CTR-GCN, config/nturgbd*): rotations of 0.3 rad, windows of half the sequence or more.
    "ntu60": _NTU,
    "ntu120": _NTU,
}
