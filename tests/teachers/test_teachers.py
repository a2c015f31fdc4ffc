"""ST-GCN against its sums; what it shares with CTR-GCN; weights and recipes of teachers."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from shaken import CHAIN, shaken

from mksgn.errors import ConfigError
from mksgn.skeleton import UCLA20, spatial_partitions
from mksgn.teachers import CTRGCN, STGCN
from mksgn.teachers.stack import LAYERS, unfold_persons
from mksgn.teachers.stgcn import STLayer, jointly_normalised
from mksgn.teachers.weights import TeacherConfig, load_teacher, save_teacher
from mksgn.training.teacher_recipe import PRESETS, TeacherRecipe


def test_stgcn_layer_equals_its_sums():
    adjacency = jointly_normalised(spatial_partitions(CHAIN))
    layer = shaken(STLayer(2, 3, adjacency, stride=2, residual=True, dropout=0.5))
    x = torch.randn(2, 2, 5, 6, generator=torch.Generator().manual_seed(4))
    weight = layer.mix.weight.view(3, 3, 2)  # (c, k, i)
    mixed = torch.zeros(2, 3, 5, 6)
    for k in range(3):
        for v in range(5):
            for w in range(5):
                support = layer.adjacency[k, v, w] * layer.importance[k, v, w]
                one = torch.einsum("ci,nif->ncf", weight[:, k], x[:, :, w]) + layer.mix.bias.view(3, 3)[:, k, None]
                mixed[:, :, v] += support * one
    y = layer.norm(layer.temporal(torch.relu(layer.mix_norm(mixed)))) + layer.shortcut(x)
    torch.testing.assert_close(layer(x), torch.relu(y))


def test_stgcn_averages_a_joint_and_its_neighbours():
    supports = jointly_normalised(spatial_partitions(CHAIN))
    linked = CHAIN.adjacency() + np.eye(5)
    np.testing.assert_allclose(supports.sum(0), linked / linked.sum(1, keepdims=True), rtol=1e-6)


@pytest.mark.parametrize("kind", [CTRGCN, STGCN])
def test_features_of_every_layer(kind):
    network = kind(UCLA20, 10, persons=2, base_channels=8).eval()
    logits, features = network(torch.randn(3, 3, 16, 20, 2))
    assert logits.shape == (3, 10)
    assert [tuple(f.shape) for f in features] == [
        (6, 8 * width, 16 // (1 if number < 5 else 2 if number < 8 else 4), 20)
        for number, (width, _) in enumerate(LAYERS, 1)]
    pooled = features[-1].mean((2, 3)).view(3, 2, -1).mean(1)
    torch.testing.assert_close(logits, network.classifier(pooled))


@pytest.mark.parametrize("kind", [CTRGCN, STGCN])
def test_half_precision_recognises_the_same(kind):
    torch.manual_seed(0)
    network = kind(UCLA20, 10, base_channels=16)
    x = torch.randn(32, 3, 16, 20, 1)
    exact = network(x).logits
    with torch.autocast("cpu", torch.bfloat16):
        near = network(x).logits
    assert near.dtype == torch.float32
    assert (near - exact).abs().max() < 0.1 * exact.std()


def test_batches_of_the_wrong_shape_are_refused():
    network = CTRGCN(UCLA20, 10, base_channels=8)
    for shape in ((2, 3, 16, 20), (2, 2, 16, 20, 1), (2, 3, 16, 25, 1), (2, 3, 16, 20, 2)):
        with pytest.raises(ConfigError, match="does not fit"):
            network(torch.zeros(shape))


@pytest.mark.parametrize("kind,width", [(CTRGCN, 12), (CTRGCN, 0), (CTRGCN, -8), (STGCN, 0)])
def test_impossible_widths_are_refused(kind, width):
    with pytest.raises(ConfigError, match="width"):
        kind(UCLA20, 10, base_channels=width)


def test_unfold_persons_takes_joint_m_v_plus_v_to_v_m():
    samples = np.random.default_rng(0).integers(-127, 128, (2, 3, 4, 10), dtype=np.int8)
    unfolded = unfold_persons(torch.from_numpy(samples), 2)
    assert unfolded.shape == (2, 3, 4, 5, 2)
    for v in range(5):
        for m in range(2):
            np.testing.assert_allclose(unfolded[..., v, m], samples[..., m * 5 + v] / 127, rtol=1e-6)


@pytest.mark.parametrize("network", ["ctr-gcn", "st-gcn"])
def test_weights_survive_the_file(tmp_path, network):
    config = TeacherConfig(network=network, body=UCLA20, classes=10, persons=2, base_channels=8, dropout=0.1)
    made = shaken(config.build())
    save_teacher(tmp_path / "w.safetensors", made, config, {"modality": "bone", "test": {"accuracy": 0.5}})
    loaded, meta = load_teacher(tmp_path / "w.safetensors")
    assert meta["modality"] == "bone" and meta["test"]["accuracy"] == 0.5
    assert TeacherConfig.from_dict(meta["config"]) == config
    assert not loaded.training and list(tmp_path.iterdir()) == [tmp_path / "w.safetensors"]
    x = torch.randn(2, 3, 8, 20, 2)
    assert torch.equal(loaded(x).logits, made(x).logits)


def test_learning_rates():
    step = TeacherRecipe(lr=0.1, warm_up=5, epochs=65, milestones=(35, 55))
    assert [step.learning_rate(e) for e in (0, 2.5, 5, 34.9, 35, 55)] == pytest.approx([0, 0.05, 0.1, 0.1, 0.01, 1e-3])
    cosine = TeacherRecipe(lr=0.2, warm_up=10, epochs=110, schedule="cosine", milestones=())
    assert [cosine.learning_rate(e) for e in (5, 10, 60, 110)] == pytest.approx([0.1, 0.2, 0.1, 0])
    assert TeacherRecipe(lr=0.1, warm_up=0).learning_rate(0) == pytest.approx(0.1)


def test_recipes_survive_json_and_refuse_nonsense():
    for recipe in PRESETS.values():
        assert TeacherRecipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe
    for values in ({"network": "gcn"}, {"schedule": "linear"}, {"epochs": 0}, {"batch": 1}, {"lr": 0.0},
                   {"dropout": 1.0}, {"label_smoothing": -0.1}):
        with pytest.raises(ConfigError):
            TeacherRecipe(**values)
    with pytest.raises(ConfigError, match="milestones have no effect"):
        PRESETS["nw-ucla"].with_options({"milestones": (3,)})
    assert PRESETS["nw-ucla"].with_options({"milestones": (3,), "schedule": "step"}).milestones == (3,)
