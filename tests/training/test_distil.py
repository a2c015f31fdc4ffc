"""Distillation: gradients, the layers compared, and views of the same sample."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from distilled import DATA, RECIPE, data_of, loss_of, student, taught_batch
from teacher_runs import teacher_run

from mksgn.data.preprocess import Augment, Preprocess
from mksgn.data.splits import split
from mksgn.data.synthetic import synthetic_pack
from mksgn.errors import ConfigError
from mksgn.training.batches import Batches
from mksgn.training.distill import (
    PRESETS,
    Distillation,
    cosine_distance,
)
from mksgn.training.distiller import Distiller, load_teachers, student_layers
from mksgn.training.frozen_teachers import FEATURE_LAYERS, Teachers
from mksgn.training.recipe import PRESETS as RECIPES


def with_gradient(module) -> set[str]:
    return {name for name, p in module.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}


@pytest.mark.parametrize("preset", PRESETS)
def test_gradients_reach_student_and_ftm_only(pack, runs, preset):
    _, net, distiller, batch = taught_batch(pack, runs, PRESETS[preset])
    before = {k: v.clone() for k, v in distiller.teachers.state_dict().items()}
    loss, parts = loss_of(net, distiller, batch)
    assert loss.item() == pytest.approx(parts.sum().item(), rel=1e-5) and parts.shape == (3,)
    loss.backward()
    assert not [n for n, p in net.named_parameters() if p.requires_grad and p.grad is None]
    assert with_gradient(distiller.ftm) == {n for n, p in distiller.ftm.named_parameters() if p.requires_grad}
    assert not any(p.requires_grad or p.grad is not None for p in distiller.teachers.parameters())
    (optimiser,) = distiller.optimisers().values()
    optimiser.step()
    for name, value in distiller.teachers.state_dict().items():
        assert torch.equal(value, before[name]), name
    owned = {id(p) for group in optimiser.param_groups for p in group["params"]}
    assert not owned & {id(p) for p in net.parameters()}


def test_feature_loss_stops_at_the_layer_it_compares(pack, runs):
    choice = Distillation(gamma=(0.0, 0.0, 1.0), beta=(0.7, 0.0))
    _, net, distiller, batch = taught_batch(pack, runs, choice)
    loss, parts = loss_of(net, distiller, batch)
    assert loss.item() == pytest.approx(parts[2].item())
    loss.backward()
    blocks = {name.split(".")[1] for name in with_gradient(net)}
    numbers = {name: str(i) for i, name in enumerate(net.names)}
    assert numbers["block3.stc"] in blocks and numbers["block1.stc"] in blocks
    assert not blocks & {numbers[n] for n in net.names if n.startswith(("block4", "block5", "block6", "head"))}
    assert {n.split(".")[0] for n in with_gradient(distiller.ftm)} == {"0"}


def test_feature_loss_of_a_batch_by_hand(pack, runs):
    """beta_1 L(5, 3) + beta_2 L(8, 5), on the teachers' own features of the very samples of the batch."""
    _, net, distiller, batch = taught_batch(pack, runs, Distillation(gamma=(1.0, 0.0, 2.0), beta=(0.5, 3.0)))
    _, seen = net.forward_spikes(batch[0])
    lesson = distiller.teachers(batch[2:])
    assert [[f.shape[1] for f in layer] for layer in lesson.features] == [[16, 32] * 2, [32, 64] * 2]
    expected = 0.0
    for weight, layer, name, ftm in zip((0.5, 3.0), lesson.features, ("block3.stc", "block5.stc"), distiller.ftm):
        expected += weight * cosine_distance(ftm(layer, 2), seen[name], 2).item()
    loss, parts = distiller(seen, net.readout.step_logits(seen, 2), batch[1], batch[2:], smoothing=0.0)
    assert parts[2].item() == pytest.approx(expected, rel=1e-5)
    assert loss.item() == pytest.approx((parts[0] + 2 * parts[2]).item(), rel=1e-5)


@pytest.mark.parametrize("preset", PRESETS)
def test_distillation_makes_the_student_more_like_its_teachers(pack, runs, preset):
    """Steps of both optimisers on one batch, without its labels (which untrained teachers contradict)."""
    choice = replace(PRESETS[preset], gamma=(0.0, 1.0, 1.0))
    _, _, distiller, batch = taught_batch(pack, runs, choice)
    net = student(pack, widths=(12,) * 6).train()
    distiller = Distiller(choice, distiller.teachers, net)
    optimisers = [torch.optim.AdamW(net.parameters(), lr=0.01), *distiller.optimisers().values()]
    history = []
    for _ in range(12):
        loss, parts = loss_of(net, distiller, batch)
        loss.backward()
        for optimiser in optimisers:
            optimiser.step()
            optimiser.zero_grad()
        history.append(parts.numpy())
    first, last = np.mean(history[:2], 0), np.mean(history[-3:], 0)
    assert last[1] < 0.9 * first[1] and last[2] < 0.9 * first[2], (first, last)


def test_compared_layers_are_those_that_halve_the_frames(pack):
    assert FEATURE_LAYERS == (5, 8)
    for name, layers in (("mksgn", (3, 5)), ("base-sgn", (5, 8)), ("demo", (2, 3))):
        net = student(pack, widths=(2,) * len(RECIPES[name].network.widths), strides=RECIPES[name].network.strides)
        assert student_layers(net) == tuple(f"block{n}.stc" for n in layers)
    with pytest.raises(ConfigError, match="third --gamma 0"):
        student_layers(student(pack, widths=(2, 2), strides=(1, 2)))


def test_step_logits_average_to_the_logits(pack):
    for quantised in (False, True):
        net = student(pack).eval()
        if quantised:
            net.quantize()
        out, seen = net.forward_spikes(torch.from_numpy(Preprocess(frames=8)(pack.sequence(0), pack.body))[None])
        each = net.readout.step_logits(seen, 2)
        assert each.shape == (1, 2, len(pack.class_names))
        assert torch.allclose(each.mean(1), out.logits, atol=1e-6)


def test_teachers_see_the_student_s_augmented_samples(pack, runs):
    """The view of a teacher with the student's own preprocessing is the student's sample, mirrored or not."""
    teachers = Teachers(runs)
    own = Preprocess(frames=8)
    teachers.preprocess = [own, Preprocess(frames=12, modality="bone"), own]
    augment = RECIPE.augmentation(pack)
    plain = Batches(pack, np.arange(40), own, augment, batch=8, seed=2)
    batches = Batches(pack, np.arange(40), own, augment, batch=8, seed=2, extra=teachers.views(pack, augment))
    for (x, labels), (same, same_labels, *views) in zip(plain.epoch(3), batches.epoch(3)):
        assert torch.equal(x, same) and torch.equal(labels, same_labels)
        assert torch.equal(views[0], x) and torch.equal(views[2], x)
        assert views[1].shape == (8, 3, 12, 20)
        straight = np.stack([own(pack.sequence(i), pack.body) for i in range(8)])
        assert not np.array_equal(straight, x.numpy())


def test_teachers_stay_frozen(pack, runs):
    teachers = Teachers(runs)
    teachers.train()
    assert not any(module.training for module in teachers.modules())
    view = torch.zeros(3, 3, 8, 20, dtype=torch.int8)
    lesson = teachers([view] * 4)
    assert lesson.logits.shape == (3, 4, len(pack.class_names)) and not lesson.logits.requires_grad
    with pytest.raises(ValueError):
        teachers([view] * 3)


def test_two_persons_are_joints_of_the_student(tmp_path):
    pack = synthetic_pack(96)
    run = teacher_run(tmp_path / "t", pack, DATA, persons=2)
    recipe = replace(RECIPE, persons=2).taught(PRESETS["paper"])
    recipe, teachers, extra = load_teachers(recipe, [run], data_of(pack, recipe))
    net = student(pack, persons=2)
    batches = Batches(pack, split(pack).train, recipe.preprocess(pack), recipe.augmentation(pack), batch=4, extra=extra)
    loss, _ = loss_of(net, Distiller(recipe.distil, teachers, net), next(batches.epoch(0)))
    assert torch.isfinite(loss)


def test_table_5():
    choice = PRESETS["paper"]
    assert (choice.ftm_lr, choice.ftm_weight_decay) == (0.1, 1e-4)
    rates = [choice.ftm_learning_rate("float", epoch / 64) for epoch in range(64)]
    assert rates[:50] == [0.1] * 50 and rates[50:] == pytest.approx([0.01] * 14)
    assert choice.ftm_learning_rate("tune", 0.0) == pytest.approx(0.01)
    assert RECIPE.taught(choice).label_smoothing == 0 and RECIPE.taught(PRESETS["tet"]).label_smoothing == 0.1
    assert RECIPE.taught(choice).to_dict()["distil"]["gamma"] == (1.0, 1.0, 1.0)


def test_augmentation_in_views_covers_mirroring(pack):
    """With Augment(mirror=...), one more random number is drawn: the views must still agree."""
    augment = Augment(mirror=0.5, mirrored=tuple(range(20)))
    own = Preprocess(frames=8)
    batches = Batches(pack, np.arange(20), own, augment, batch=10, extra=views_of(own, pack, augment))
    for x, _, view in batches.epoch(0):
        assert torch.equal(x, view)


def views_of(own, pack, augment):
    teachers = Teachers.__new__(Teachers)
    torch.nn.Module.__init__(teachers)
    teachers.preprocess = [own]
    return teachers.views(pack, augment)
