"""Distillation: every equation against loops, gradients, views of the same sample, teachers that do not fit."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from network_of import network_of
from teacher_runs import teacher_run

from mksgn.data.preprocess import MODALITIES, Augment, Preprocess
from mksgn.data.splits import split
from mksgn.data.synthetic import synthetic_pack
from mksgn.errors import ConfigError
from mksgn.networks import MkSgnConfig
from mksgn.nn import SpikingGraphNet
from mksgn.nn.translation import FeatureTranslation
from mksgn.skeleton import UCLA20
from mksgn.teachers.scores import load_stream
from mksgn.teachers.soft_labels import fused_soft_labels
from mksgn.training.batches import Batches
from mksgn.training.distill import (
    PRESETS,
    Distillation,
    binary_cross_entropy,
    cosine_distance,
    distillation,
    divergence,
    label_losses,
    soft_label_distance,
    weighted_sum,
)
from mksgn.training.distiller import Distiller, load_teachers, student_layers
from mksgn.training.frozen_teachers import FEATURE_LAYERS, Teachers, cached_logits
from mksgn.training.recipe import PRESETS as RECIPES
from mksgn.training.recipe import Recipe
from mksgn.training.run_data import RunData

DATA = "small.npz"


def softmax(row: list[float], temperature: float = 1.0) -> list[float]:
    exponents = [math.exp(value / temperature) for value in row]
    return [e / sum(exponents) for e in exponents]


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(0, 1.5, shape).astype(np.float32))


def spikes(*shape: int, seed: int = 0, rate: float = 0.3) -> torch.Tensor:
    return torch.from_numpy((np.random.default_rng(seed).random(shape) < rate).astype(np.float32))


# ---------------------------------------------------------------------------------------------- equations
@pytest.mark.parametrize(("alpha", "temperature"), [((), 1.0), ((0.6, 0.3, 0.4), 1.0), ((2.0, 0.0, 1.0), 3.0)])
def test_soft_labels_are_eq_25(alpha, temperature):
    logits = normal(4, 3, 5)
    got = fused_soft_labels(logits, alpha, temperature)
    weights = alpha or (1, 1, 1)
    for n in range(4):
        for j in range(5):
            total = sum(weights[s] * softmax(logits[n, s].tolist(), temperature)[j] for s in range(3))
            assert got[n, j].item() == pytest.approx(total / sum(weights), rel=1e-5)
    with pytest.raises(ConfigError, match="--alpha"):
        fused_soft_labels(logits, (1.0, 1.0))


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_class_loss_is_eq_15(smoothing):
    logits, labels = normal(6, 4), torch.tensor([0, 3, 1, 1, 2, 0])
    total = 0.0
    for n in range(6):
        y = softmax(logits[n].tolist())
        for j in range(4):
            target = (1 - smoothing) * (labels[n].item() == j) + smoothing / 4
            total -= target * math.log(y[j]) + (1 - target) * math.log(1 - y[j])
    assert binary_cross_entropy(logits, labels, smoothing).item() == pytest.approx(total / 6, rel=1e-5)


def test_class_loss_is_finite_where_a_probability_rounds_to_one():
    logits = torch.tensor([[90.0, -90.0, -90.0]], requires_grad=True)
    right = binary_cross_entropy(logits, torch.tensor([0]))
    assert right.item() == pytest.approx(0, abs=1e-6)
    wrong = binary_cross_entropy(logits, torch.tensor([1]))
    # -log y_1 = 180, and -log(1 - y_0) = 180 - log 2
    assert wrong.item() == pytest.approx(360 - math.log(2), rel=1e-5)
    wrong.backward()
    assert torch.isfinite(logits.grad).all() and logits.grad[0, 0] > 1.9


def test_soft_label_loss_is_eq_26():
    logits, soft = normal(5, 4), fused_soft_labels(normal(5, 2, 4, seed=1))
    total = 0.0
    for n in range(5):
        y = softmax(logits[n].tolist())
        total += math.sqrt(sum((y[j] - soft[n, j].item()) ** 2 for j in range(4)))
    assert soft_label_distance(logits, soft).item() == pytest.approx(total / 5, rel=1e-5)
    same = logits.clone().requires_grad_()
    soft_label_distance(same, logits.softmax(1)).backward()
    assert torch.isfinite(same.grad).all()


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_divergence_is_tau_squared_kullback_leibler(temperature):
    logits, teachers = normal(5, 4), normal(5, 1, 4, seed=1)
    soft = fused_soft_labels(teachers, (), temperature)
    total = 0.0
    for n in range(5):
        y, p = softmax(logits[n].tolist(), temperature), softmax(teachers[n, 0].tolist(), temperature)
        total += sum(p[j] * math.log(p[j] / y[j]) for j in range(4))
    assert divergence(logits, soft, temperature).item() == pytest.approx(temperature**2 * total / 5, rel=1e-4)
    assert divergence(teachers[:, 0], soft, temperature).item() == pytest.approx(0, abs=1e-5)
    certain = torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    assert torch.isfinite(divergence(logits[:1], certain, temperature))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.05, 0.3, 1.0]), st.sampled_from([0.1, 0.6]))
def test_feature_loss_is_eq_29(seed, rate_t, rate_s):
    samples, steps, channels, frames, joints = 2, 3, 2, 2, 4
    shape = (samples * steps, channels, frames, joints)
    teacher, student = spikes(*shape, seed=seed, rate=rate_t), spikes(*shape, seed=seed + 1, rate=rate_s)
    total = 0.0
    for n in range(samples):
        for v in range(joints):
            t = [teacher[n * steps + k, c, f, v].item() for k in range(steps) for c in range(channels)
                 for f in range(frames)]
            s = [student[n * steps + k, c, f, v].item() for k in range(steps) for c in range(channels)
                 for f in range(frames)]
            norms = math.sqrt(sum(a * a for a in t)) * math.sqrt(sum(b * b for b in s))
            total += 1 - (sum(a * b for a, b in zip(t, s)) / norms if norms else 0)
    assert cosine_distance(teacher, student, steps).item() == pytest.approx(total / samples / joints, abs=1e-5)


def test_a_silent_joint_has_a_bounded_gradient():
    teacher = torch.ones(2, 3, 2, 4)
    student = torch.zeros(2, 3, 2, 4, requires_grad=True)
    cosine_distance(teacher, student, 2).backward()
    # 4 joints, each -T / |T| with |T| = sqrt(2 * 3 * 2)
    assert torch.allclose(student.grad, torch.full_like(student, -1 / math.sqrt(12) / 4))


def test_bfloat16_spikes_give_the_same_feature_loss():
    teacher, student = spikes(8, 16, 8, 20), spikes(8, 16, 8, 20, seed=1)
    exact = cosine_distance(teacher, student, 4)
    assert cosine_distance(teacher.bfloat16(), student.bfloat16(), 4).item() == pytest.approx(exact.item(), rel=1e-6)


def test_the_presets_combine_as_they_say():
    step_logits, labels, teachers = normal(3, 2, 4), torch.tensor([1, 0, 3]), normal(3, 2, 4, seed=2)
    mean = step_logits.mean(1)
    soft = fused_soft_labels(teachers)
    class_loss, soft_loss = label_losses(PRESETS["paper"], step_logits, labels, teachers, 0.0)
    assert torch.equal(class_loss, binary_cross_entropy(mean, labels))
    assert torch.equal(soft_loss, soft_label_distance(mean, soft))
    warm = fused_soft_labels(teachers, (), 2.0)
    class_loss, soft_loss = label_losses(PRESETS["ce-kl"], step_logits, labels, teachers, 0.1)
    assert torch.equal(class_loss, torch.nn.functional.cross_entropy(mean, labels, label_smoothing=0.1))
    assert torch.equal(soft_loss, divergence(mean, warm, 2.0))
    class_loss, soft_loss = label_losses(PRESETS["tet"], step_logits, labels, teachers, 0.1)
    each = [(torch.nn.functional.cross_entropy(step_logits[:, t], labels, label_smoothing=0.1),
             divergence(step_logits[:, t], warm, 2.0)) for t in range(2)]
    assert class_loss.item() == pytest.approx((each[0][0] + each[1][0]).item() / 2, rel=1e-5)
    assert soft_loss.item() == pytest.approx((each[0][1] + each[1][1]).item() / 2, rel=1e-5)
    assert weighted_sum([torch.tensor(2.0), torch.tensor(3.0)], (0.5, 2.0)).item() == 7.0  # Eq. 31 and 32


# ---------------------------------------------------------------------------------------------- FTM
def convolved(x: np.ndarray, weight: np.ndarray, depthwise: bool = False) -> np.ndarray:
    """Same-size convolution of (N, I, F, V) by loops; weight (O, I, k, l), or (O, 1, k, l) when depth-wise."""
    samples, channels, frames, joints = x.shape
    outputs, _, height, breadth = weight.shape
    y = np.zeros((samples, outputs, frames, joints))
    for n, o, f, v in np.ndindex(*y.shape):
        for i in [o] if depthwise else range(channels):
            for k in range(height):
                for m in range(breadth):
                    a, b = f + k - height // 2, v + m - breadth // 2
                    if 0 <= a < frames and 0 <= b < joints:
                        y[n, o, f, v] += weight[o, 0 if depthwise else i, k, m] * x[n, i, a, b]
    return y


def standardised(x: np.ndarray, eps: float) -> np.ndarray:
    mean, var = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
    return (x - mean) / np.sqrt(var + eps)


def test_translation_is_eq_27_and_28():
    """Two streams of two persons: concatenation, depth-wise separable convolution, PCM, and a LIF by loops."""
    torch.manual_seed(5)
    steps, shape = 3, (4, 3, 6)
    ftm = FeatureTranslation([2, 3], shape)
    streams = [normal(4, 2, 3, 3), normal(4, 3, 3, 3, seed=1)]  # 2 samples of 2 persons, 3 joints each
    joined = np.zeros((2, 5, 3, 6))
    for n in range(2):
        for m in range(2):
            for first, stream in ((0, streams[0]), (2, streams[1])):
                channels = stream.shape[1]
                joined[n, first:first + channels, :, 3 * m:3 * m + 3] = stream[2 * n + m].numpy()
    fused = convolved(convolved(joined, ftm.depthwise.weight.detach().numpy(), depthwise=True),
                      ftm.pointwise.weight.detach().numpy())
    fused = standardised(fused, ftm.norm.eps)
    coder = ftm.coder.projections[0].weight(None).detach().numpy()
    drive = standardised(convolved(fused, coder), ftm.coder.norm.eps)
    expected = np.zeros((2, steps, *shape))
    for n, c, f, v in np.ndindex(2, *shape):
        potential = 0.0
        for t in range(steps):
            potential = 0.25 * potential + drive[n, c, f, v]
            if potential > 1:
                expected[n, t, c, f, v], potential = 1, 0.0
    got = ftm(streams, steps).detach().numpy()
    np.testing.assert_array_equal(got, expected.reshape(-1, *shape))
    assert 0.05 < got.mean() < 0.6, "a silent translation proves nothing"


def test_translation_keeps_channels_and_adapts_frames():
    ftm = FeatureTranslation([64] * 4, (64, 16, 20))
    assert ftm.pointwise.weight.shape == (256, 256, 1, 1)  # 8 C with C = 32, paper below Eq. 27
    features = [normal(2, 64, 26, 20, seed=s) for s in range(4)]  # 52 frames: what CTR-GCN's NW-UCLA recipe has
    assert ftm(features, 2).shape == (4, 64, 16, 20)
    pooled = FeatureTranslation([1], (1, 2, 1))._fit([torch.arange(4.0).reshape(1, 1, 4, 1)])
    assert pooled.flatten().tolist() == [0.5, 2.5]
    with pytest.raises(ConfigError, match="do not fit"):
        ftm(features[:3], 2)
    with pytest.raises(ConfigError, match="do not fit"):
        ftm([f[..., :7] for f in features], 2)
    with pytest.raises(ConfigError, match="no teacher"):
        FeatureTranslation([], (1, 1, 1))


# ---------------------------------------------------------------------------------------------- teachers and student
@pytest.fixture(scope="module")
def runs(pack, tmp_path_factory):
    folder = tmp_path_factory.mktemp("teachers")
    return [teacher_run(folder / m, pack, DATA, modality=m, seed=s, width=8 * (1 + s % 2))
            for s, m in enumerate(MODALITIES)]


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


# ---------------------------------------------------------------------------------------------- cached logits
def test_cached_logits_are_the_recorded_ones(pack, runs):
    choice = distillation("ce-kl", runs, soft_labels="cached")
    assert choice.gamma == (1.0, 1.0, 0.0)
    recipe, net, distiller, batch = taught_batch(pack, runs, choice)
    assert distiller.teachers is None and len(distiller.ftm) == 0 and not distiller.optimisers()
    assert recipe.distil.teachers[1].startswith("ctr-gcn bone, test 0.5000, sha256 ")
    order = np.random.default_rng((0, 0)).permutation(split(pack).train)[:6]
    scores = [load_stream(run / "scores.safetensors").train for run in runs]
    for n, number in enumerate(order):
        for s, stream in enumerate(scores):
            np.testing.assert_array_equal(batch[2][n, s], stream.logits[np.flatnonzero(stream.indices == number)[0]])
    loss, parts = loss_of(net, distiller, batch)
    loss.backward()
    assert parts[2] == 0 and torch.isfinite(loss)


def test_cached_logits_of_other_sequences_are_refused(pack, runs):
    parts = split(pack)
    with pytest.raises(ConfigError, match="not of these training sequences"):
        cached_logits(runs, pack, np.append(parts.train, parts.test[0]))
    other = synthetic_pack(96, seed=9)
    other.labels = (pack.labels + 1) % len(pack.class_names)
    with pytest.raises(ConfigError, match="not of these training sequences") as caught:
        cached_logits(runs, other, parts.train)
    assert "other labels" in caught.value.got


# ---------------------------------------------------------------------------------------------- what does not fit
def test_a_fitting_teacher_is_accepted(pack, runs):
    Teachers(runs).check(pack=pack, data=DATA, protocol=split(pack).protocol, persons=1)


@pytest.mark.parametrize(("changed", "message"), [
    ({"data": "other.npz"}, "other data"), ({"protocol": "ntu60-xsub"}, "another split"),
    ({"labels": ["wave"]}, "other classes"), ({"persons": 2}, "another number of persons"),
])
def test_unfitting_teachers_are_refused(pack, tmp_path, changed, message):
    run = teacher_run(tmp_path / "t", pack, **{"data": DATA, **changed})
    with pytest.raises(ConfigError, match=message) as caught:
        Teachers([run]).check(pack=pack, data=DATA, protocol=split(pack).protocol, persons=1)
    assert str(run) in caught.value.where


def test_a_teacher_of_another_body_is_refused(pack, runs):
    other = replace(pack, edges=pack.edges[:-1])
    assert other.body != pack.body and pack.body.num_joints == UCLA20.num_joints
    with pytest.raises(ConfigError, match="another body"):
        Teachers(runs).check(pack=other, data=DATA, protocol=split(pack).protocol, persons=1)


def test_unusable_teachers(pack, runs, tmp_path):
    with pytest.raises(ConfigError, match="of the same modality"):
        Teachers([runs[0], runs[1], runs[0]])
    with pytest.raises(ConfigError, match="weights"):
        Teachers([tmp_path])
    data = data_of(pack, RECIPE)
    with pytest.raises(ConfigError, match="--alpha"):
        load_teachers(RECIPE.taught(Distillation(alpha=(1.0, 2.0))), runs, data)
    recipe, *_ = load_teachers(RECIPE.taught(Distillation()), runs, data)
    load_teachers(RECIPE.taught(Distillation()), runs, data, recipe.distil.teachers)
    with pytest.raises(ConfigError, match="have changed"):
        load_teachers(RECIPE.taught(Distillation()), runs[:3], data, recipe.distil.teachers)


@pytest.mark.parametrize(("options", "message"), [
    ({"loss": "mse"}, "unknown"), ({"soft_labels": "never"}, "unknown"), ({"gamma": (1.0, 1.0)}, "3 numbers"),
    ({"beta": (1.0,)}, "2 numbers"), ({"alpha": (0.0, 0.0)}, "all zero"), ({"temperature": 2.0}, "no temperature"),
    ({"soft_labels": "cached"}, "features"), ({"gamma": (1.0, 0.0, 0.0)}, "no effect"),
    ({"beta": (0.0, 0.0)}, "no effect"),
])
def test_impossible_distillations_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        Distillation(**options)


def test_options_of_distillation_need_a_teacher(runs):
    assert distillation(None, (), temperature=None) is None
    with pytest.raises(ConfigError, match="--soft-labels"):
        distillation(None, (), soft_labels="online")
    with pytest.raises(ConfigError, match="--distil"):
        distillation("tet", ())
    assert distillation(None, runs) == PRESETS["paper"]
    with pytest.raises(ConfigError, match="--beta, --ftm-lr"):
        distillation("tet", runs, soft_labels="cached", beta=(1.0, 2.0), ftm_lr=0.2)
    with pytest.raises(ConfigError, match="features cannot"):
        distillation("tet", runs, soft_labels="cached", gamma=(1.0, 1.0, 1.0))


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
