"""Students, their data and their teachers, for the tests of distillation."""

from __future__ import annotations

import torch
from network_of import network_of

from mksgn.data.splits import split
from mksgn.networks import MkSgnConfig
from mksgn.nn import SpikingGraphNet
from mksgn.training.batches import Batches
from mksgn.training.distill import Distillation
from mksgn.training.distiller import Distiller, load_teachers
from mksgn.training.recipe import Recipe
from mksgn.training.run_data import RunData

DATA = "small.npz"


def student(pack, **options) -> SpikingGraphNet:
    torch.manual_seed(1)
    config = {"body": pack.body, "classes": len(pack.class_names), "frames": 8, "widths": (4,) * 6,
              "strides": (1, 1, 2, 1, 2, 1), "time_steps": 2, **options}
    return network_of(**config)


RECIPE = Recipe(network=MkSgnConfig(widths=(4,) * 6, time_steps=2), frames=8)


def data_of(pack, recipe: Recipe) -> RunData:
    return RunData.prepared(pack, DATA, recipe.preprocess(pack), protocol=None, val_subjects=None, seed=0)


def taught_batch(pack, runs, choice: Distillation):
    recipe, teachers, extra = load_teachers(RECIPE.taught(choice), runs, data_of(pack, RECIPE))
    batches = Batches(pack, split(pack).train, recipe.preprocess(pack), recipe.augmentation(pack), batch=6, extra=extra)
    net = student(pack)
    net.train()
    return recipe, net, Distiller(recipe.distil, teachers, net).train(), next(batches.epoch(0))


def loss_of(net, distiller, batch):
    x, labels, *taught = batch
    _, seen = net.forward_spikes(x)
    return distiller(seen, net.readout.step_logits(seen, net.steps), labels, taught, smoothing=0.0)
