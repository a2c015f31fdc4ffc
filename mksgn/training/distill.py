"""Knowledge distillation: its choices, and the losses of the paper's Eq. 15, 26 and 29-32 and of two alternatives.

Letters: N samples, S teacher streams, J classes, T time steps, C channels, F frames, V joints of all persons.
How the paper is read where it leaves a choice: docs/decisions/0005-how-distillation-is-read.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from mksgn.errors import ConfigError
from mksgn.limits import check_limits, option
from mksgn.teachers.soft_labels import fused_soft_labels

LOSSES = ("paper", "ce-kl", "tet")
SOURCES = ("online", "cached")
PARTS = ("class_loss", "soft_loss", "feature_loss")
"""Names of the three terms of Eq. 32, in its order, before they are weighted."""


@dataclass(frozen=True, kw_only=True)
class Distillation:
    """All choices of a distillation.

    Parameters
    ----------
    loss : 'paper', 'ce-kl' or 'tet'
        ``paper``: L_b (Eq. 15) and L_sdk (Eq. 26). ``ce-kl``: cross-entropy, and the Kullback-Leibler divergence from
        the teachers at a temperature. ``tet``: those two at every time step's logits instead of their mean's.
    temperature : float
        tau of ``ce-kl`` and ``tet``; the paper has none (1).
    gamma : (float, float, float)
        Weights of the class loss, the soft labels and the features (Eq. 32). With the last 0 there is no FTM.
    beta : (float, float)
        Weights of the two layers' feature losses (Eq. 31).
    alpha : tuple of float
        Weight of each teacher in the soft labels (Eq. 25), divided by their sum; empty: equal.
    soft_labels : 'online' or 'cached'
        Whether the teachers see every augmented sample, or the logits that train_teacher.py left are used.
    ftm_lr, ftm_weight_decay, ftm_step, ftm_decay : float
        SGD of the FTM: learning rate, L2 penalty, and the part of the float epochs after which the rate is multiplied
        by ``ftm_decay`` (Table 5: 0.1, 1e-4, 50 of 64 epochs, 0.1).
    teachers : tuple of str
        What taught, for the record; see :meth:`mksgn.training.frozen_teachers.Teachers.describe`.

    Raises
    ------
    ConfigError
        When a value is impossible or has no effect.
    """

    loss: str = "paper"
    temperature: float = 1.0
    gamma: tuple[float, ...] = (1.0, 1.0, 1.0)
    beta: tuple[float, ...] = (1.0, 1.0)
    alpha: tuple[float, ...] = ()
    soft_labels: str = "online"
    ftm_lr: float = 0.1
    ftm_weight_decay: float = 1e-4
    ftm_step: float = 50 / 64
    ftm_decay: float = 0.1
    teachers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, allowed in (("loss", LOSSES), ("soft_labels", SOURCES)):
            if getattr(self, name) not in allowed:
                raise ConfigError("unknown choice of distillation", name, str(getattr(self, name)), ", ".join(allowed))
        check_limits(self)
        for name, count in (("gamma", len(PARTS)), ("beta", 2)):
            if len(getattr(self, name)) != count:
                raise ConfigError(f"{option(name)} has too few or too many weights", option(name),
                                  " ".join(map(str, getattr(self, name))), f"{count} numbers")
        if self.alpha and not any(self.alpha):
            raise ConfigError("the weights of the teachers are all zero", "--alpha", " ".join(map(str, self.alpha)),
                              "at least one above 0", "leave out --alpha, which weighs all teachers alike")
        if self.loss == "paper" and self.temperature != 1:
            raise ConfigError("the paper's loss has no temperature", "--temperature", str(self.temperature),
                              fix="choose --distil ce-kl or tet")
        if self.features and self.soft_labels == "cached":
            raise ConfigError("features cannot be distilled from cached logits", "--soft-labels", "cached",
                              "online, or the third --gamma 0")
        if not any(self.gamma[1:]) or (self.features and not any(self.beta)):
            raise ConfigError("with these weights the teachers have no effect", "--gamma, --beta",
                              f"{self.gamma}, {self.beta}", fix="leave out --teacher, or raise a weight")

    @property
    def features(self) -> bool:
        """Whether inner layers are distilled."""
        return self.gamma[2] > 0

    def ftm_learning_rate(self, stage: str, part: float) -> float:
        """The FTM's learning rate after ``part`` (0..1) of a stage: one step down, and no way up again."""
        return self.ftm_lr * (self.ftm_decay if stage == "tune" or part >= self.ftm_step else 1.0)


PRESETS: dict[str, Distillation] = {
    "paper": Distillation(),
    # Hinton et al. 2015 (arXiv 1503.02531) with the FTM's features. The temperature is low because our teachers are
    # trained with smoothed labels (Chandrasegaran et al. 2022, arXiv 2206.14532).
    "ce-kl": Distillation(loss="ce-kl", temperature=2.0),
    # Deng et al. 2022 (arXiv 2202.11946): every time step is taught, not only their mean.
    "tet": Distillation(loss="tet", temperature=2.0),
}


def distillation(preset: str | None, teachers: Sequence[str], start: Distillation | None = None,
                 **given: Any) -> Distillation | None:
    """The choices that a program's options mean; None without a teacher.

    Without a preset they change those of ``start``, the run that this one starts from, or else the paper's. Cached
    logits have no features: unless ``gamma`` is given, its last weight is then 0.

    Raises
    ------
    ConfigError
        Options of distillation without a teacher, or of features where none are distilled; impossible values.
    """
    given = {name: value for name, value in given.items() if value is not None}
    if not teachers:
        if preset is not None or given:
            named = [*(["distil"] if preset else []), *given]
            raise ConfigError("distillation needs a teacher", got=", ".join(map(option, named)),
                              fix="name folders of finished train_teacher.py runs with --teacher")
        return None
    base = PRESETS[preset or "paper"] if preset or start is None else replace(start, teachers=())
    if given.get("soft_labels") == "cached" and "gamma" not in given:
        given["gamma"] = (*base.gamma[:2], 0.0)
    choice = replace(base, **given)
    idle = sorted(given.keys() & {"beta", "ftm_lr"})
    if idle and not choice.features:
        raise ConfigError("options of features have no effect where none are distilled",
                          got=", ".join(map(option, idle)), fix="raise the third --gamma")
    return choice


def binary_cross_entropy(logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    r"""L_b as printed (Eq. 15), y the softmax of the logits (N, J), mean over the batch.

    .. math:: L_b = -\frac{1}{B} \sum_i \sum_j Y_{ij} \log y_{ij} + (1 - Y_{ij}) \log(1 - y_{ij})

    ``log(1 - y_j)`` is taken as the log-sum-exp over the other classes less that over all, which is exact where
    y_j rounds to 1.
    """
    classes = logits.shape[1]
    targets = smoothed(labels, classes, smoothing)
    total = logits.logsumexp(1, keepdim=True)
    itself = torch.eye(classes, dtype=torch.bool, device=logits.device)
    others = logits[:, None, :].masked_fill(itself, float("-inf")).logsumexp(2)
    return -(targets * (logits - total) + (1 - targets) * (others - total)).sum(1).mean()


def smoothed(labels: Tensor, classes: int, smoothing: float) -> Tensor:
    """Rows (N, J), one-hot or the shares in ``labels``, ``smoothing`` of each spread evenly over all classes."""
    targets = F.one_hot(labels, classes).float() if labels.dim() == 1 else labels
    return targets * (1 - smoothing) + smoothing / classes


def soft_label_distance(logits: Tensor, soft: Tensor) -> Tensor:
    """L_sdk (Eq. 26): Euclidean distance of the softmax of the logits (N, J) from the soft labels, batch mean."""
    return torch.linalg.vector_norm(logits.softmax(1) - soft, dim=1).mean()


def divergence(logits: Tensor, soft: Tensor, temperature: float) -> Tensor:
    """tau^2 KL(soft labels || softmax(logits / tau)), batch mean: gradients keep their size at any tau.

    Parameters
    ----------
    logits, soft : Tensor (N, J)
        The student's logits, and the teachers' probabilities at the same temperature.
    """
    student = (logits / temperature).log_softmax(1)
    return temperature**2 * (torch.xlogy(soft, soft) - soft * student).sum(1).mean()


def cosine_distance(teacher: Tensor, student: Tensor, steps: int) -> Tensor:
    r"""Feature loss of one layer (Eq. 29-30), mean over samples.

    .. math:: \frac{1}{V} \sum_j \left(1 - \frac{T^j \cdot S^j}{\|T^j\| \, \|S^j\|}\right)

    j runs over the joints; the vector of a joint is its spikes over time steps, channels and frames. A train without
    a spike has no direction: its norm is taken as 1, the smallest any other can have, so its loss is 1.

    Parameters
    ----------
    teacher, student : Tensor (N T, C, F, V)
        Spikes.
    steps : int
        T.
    """
    teacher = teacher.to(student.dtype)
    dot, size_t, size_s = ((a * b).unflatten(0, (-1, steps)).sum((1, 2, 3), dtype=torch.float32)
                           for a, b in ((teacher, student), (teacher, teacher), (student, student)))
    return (1 - dot * (size_t.clamp(min=1) * size_s.clamp(min=1)).rsqrt()).mean()


def label_losses(choice: Distillation, step_logits: Tensor, labels: Tensor, teacher_logits: Tensor,
                 smoothing: float) -> tuple[Tensor, Tensor]:
    """Class loss and soft-label loss of a batch, as the preset has them.

    Parameters
    ----------
    choice : Distillation
    step_logits : Tensor (N, T, J)
        The student's logits at each time step.
    labels : int64 Tensor (N,), or float (N, J) of mixed samples
    teacher_logits : Tensor (N, S, J)
    smoothing : float
        Share of the class target spread over all classes.
    """
    soft = fused_soft_labels(teacher_logits, choice.alpha, choice.temperature)
    logits, steps = step_logits.mean(1), step_logits.shape[1]
    if choice.loss == "paper":
        return binary_cross_entropy(logits, labels, smoothing), soft_label_distance(logits, soft)
    if choice.loss == "tet":
        logits = step_logits.flatten(0, 1)
        labels, soft = labels.repeat_interleave(steps, 0), soft.repeat_interleave(steps, 0)
    return F.cross_entropy(logits, labels, label_smoothing=smoothing), divergence(logits, soft, choice.temperature)


def weighted_sum(parts: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """Sum of ``weight * part`` (Eq. 31 and 32)."""
    return torch.stack([weight * part for weight, part in zip(weights, parts, strict=True)]).sum()
