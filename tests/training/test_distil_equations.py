"""Distillation: every equation against loops, and presets that combine them."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spikes_and_logits import normal, spikes

from mksgn.errors import ConfigError
from mksgn.teachers.soft_labels import fused_soft_labels
from mksgn.training.distill import (
    PRESETS,
    binary_cross_entropy,
    cosine_distance,
    divergence,
    label_losses,
    soft_label_distance,
    weighted_sum,
)


def softmax(row: list[float], temperature: float = 1.0) -> list[float]:
    exponents = [math.exp(value / temperature) for value in row]
    return [e / sum(exponents) for e in exponents]


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
