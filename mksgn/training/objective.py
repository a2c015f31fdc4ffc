"""What training minimises and with what: loss, optimisers, learning rates."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from mksgn.nn import SpikingGraphNet
from mksgn.nn.network import NetOutput
from mksgn.nn.synops import expected_synops, synops_per_rate
from mksgn.training.distill import PARTS, divergence
from mksgn.training.distiller import Distiller
from mksgn.training.recipe import Recipe
from mksgn.training.stage import StepLoss

MOMENTUM = 0.9
"""Of SGD; the paper names none."""
ESTIMATOR = "estimator"
"""Name of the optimiser of SMF's estimator, in checkpoints too."""
OWN_TEMPERATURE = 2.0
"""At which a network's integers are compared with its own floating-point logits; that of the preset ce-kl."""


class Objective(StepLoss):
    """A spiking network and its loss.

    The loss is cross-entropy, plus firing-rate and synop regularisation (:class:`~mksgn.training.recipe.Recipe`), minus
    the mutual information that the estimator of SMF finds (Eq. 21). The last term reaches the estimator's parameters
    only, and the others do not reach them: one backward pass serves two optimisers. With a distiller its loss takes
    the place of the cross-entropy.
    """

    def __init__(self, net: SpikingGraphNet, recipe: Recipe, dtype: torch.dtype,
                 distiller: Distiller | None = None) -> None:
        super().__init__()
        self.net, self.recipe, self.dtype, self.distiller = net, recipe, dtype, distiller
        self.per_rate = synops_per_rate(net) if recipe.synop_weight else {}
        self.names = ["loss", "accuracy", "rate"]
        self.names += ["synops"] if self.per_rate else []
        self.names += ["information"] if net.weighs_samples else []
        self.names += PARTS if distiller else ()
        self.per_step = torch.ones(len(self.names))

    def forward(self, x: Tensor, labels: Tensor, *taught: Tensor) -> tuple[Tensor, Tensor]:
        """What to differentiate, and the figures of ``names`` (the loss there is without the estimator's part).

        ``labels`` are int64 (N,), or float (N, J) of mixed samples, whose accuracy is that of the larger share.
        """
        recipe = self.recipe
        out, spikes = self.net.forward_spikes(x, dtype=self.dtype)
        parts = x.new_zeros(0, dtype=torch.float32)
        if self.distiller is None:
            loss = nn.functional.cross_entropy(out.logits, labels, label_smoothing=recipe.label_smoothing)
        else:
            step_logits = self.net.readout.step_logits(spikes, self.net.steps)
            loss, parts = self.distiller(spikes, step_logits, labels, taught, smoothing=recipe.label_smoothing,
                                         dtype=self.dtype)
        excess = torch.stack([torch.relu(rate - recipe.rate_target) for rate in out.rates.values()]).mean()
        loss = loss + recipe.rate_weight * excess
        figures = [_accuracy(out, labels), out.rate]
        if self.per_rate:
            synops = expected_synops(self.per_rate, out)
            loss = loss + recipe.synop_weight * torch.relu(synops / recipe.synop_target - 1)
            figures.append(synops)
        total = loss
        if out.information is not None:
            total = loss - out.information
            figures.append(out.information)
        return total, torch.cat([torch.stack([loss, *figures]).detach(), parts])


class OwnFloat(StepLoss):
    """A quantised network, and how far its classes are from those of its own floating-point network.

    The loss is the Kullback-Leibler divergence of both softmaxes (:func:`~mksgn.training.distill.divergence`), on the
    same augmented samples; labels and other teachers have no part in it. ``teacher`` stays in evaluation mode.
    """

    def __init__(self, net: SpikingGraphNet, teacher: SpikingGraphNet, dtype: torch.dtype) -> None:
        super().__init__()
        self.net, self.teacher, self.dtype = net, teacher.requires_grad_(False).eval(), dtype
        self.names = ["loss", "accuracy", "rate"]
        self.per_step = torch.ones(len(self.names))

    def train(self, mode: bool = True) -> OwnFloat:
        super().train(mode)
        self.teacher.eval()
        return self

    def forward(self, x: Tensor, labels: Tensor, *taught: Tensor) -> tuple[Tensor, Tensor]:
        """What to differentiate, and the figures of ``names``, as :class:`Objective` has them."""
        with torch.no_grad():
            expected = self.teacher(x, dtype=self.dtype).logits
        out = self.net(x, dtype=self.dtype)
        loss = divergence(out.logits, (expected / OWN_TEMPERATURE).softmax(1), OWN_TEMPERATURE)
        return loss, torch.stack([loss, _accuracy(out, labels), out.rate]).detach()


def _accuracy(out: NetOutput, labels: Tensor) -> Tensor:
    """Part of the samples that are recognised; of mixed ones the class with the larger share counts."""
    classes = labels if labels.dim() == 1 else labels.argmax(1)
    return (out.logits.argmax(1) == classes).float().mean()


def optimiser_of(net: SpikingGraphNet, recipe: Recipe, stage: str) -> torch.optim.Optimizer:
    """The network's optimiser, with weight decay on weights only.

    Integer fine-tuning is AdamW's whatever the float stage used: its steps are those of single integers.
    """
    estimator = {id(p) for p in _estimator(net)}
    trained = [p for p in net.parameters() if p.requires_grad and id(p) not in estimator]
    groups: list[dict[str, Any]] = [{"params": [p for p in trained if p.dim() > 1]},
                                    {"params": [p for p in trained if p.dim() <= 1], "weight_decay": 0.0}]
    if recipe.optimiser == "sgd" and stage == "float":
        return torch.optim.SGD(groups, lr=recipe.lr, momentum=MOMENTUM, weight_decay=recipe.weight_decay)
    return torch.optim.AdamW(groups, lr=recipe.lr, weight_decay=recipe.weight_decay)


def estimator_optimiser(net: SpikingGraphNet, recipe: Recipe) -> dict[str, torch.optim.Optimizer]:
    """The optimiser of SMF's estimator under its name, ``ESTIMATOR``; empty where there is none."""
    estimator = _estimator(net)
    return {ESTIMATOR: torch.optim.Adam(estimator, lr=recipe.estimator_lr)} if estimator else {}


def _estimator(net: SpikingGraphNet) -> list[nn.Parameter]:
    return [] if net.fusion is None else list(net.fusion.parameters())


def learning_rate(recipe: Recipe, stage: str, part: float) -> float:
    """The network's learning rate after ``part`` (0..1) of a stage.

    In floating point one cycle, or steps (Table 5), and a constant rate while weights are averaged; in fine-tuning a
    cosine.
    """
    if stage == "tune":
        return recipe.tune_lr * 0.5 * (1 + math.cos(math.pi * part))
    tail = recipe.tail_rate(part * recipe.epochs)
    if tail is not None:
        return tail
    if recipe.schedule == "step":
        return recipe.lr * (recipe.lr_decay if part * recipe.epochs >= recipe.lr_step else 1.0)
    if recipe.averages:
        part *= recipe.epochs / recipe.cycle_epochs
    rise = 0.1
    if part < rise:
        return recipe.lr * (0.04 + 0.96 * part / rise)
    return recipe.lr * (1e-3 + (1 - 1e-3) * 0.5 * (1 + math.cos(math.pi * (part - rise) / (1 - rise))))
