"""Teachers of a distillation: their recorded logits, and those that do not fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from distilled import DATA, RECIPE, data_of, loss_of, taught_batch
from teacher_runs import teacher_run

from mksgn.data.splits import split
from mksgn.data.synthetic import synthetic_pack
from mksgn.errors import ConfigError
from mksgn.skeleton import UCLA20
from mksgn.teachers.scores import load_stream
from mksgn.training.distill import (
    PRESETS,
    Distillation,
    distillation,
)
from mksgn.training.distiller import load_teachers
from mksgn.training.frozen_teachers import Teachers, cached_logits


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
