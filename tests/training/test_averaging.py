"""Weights averaged over the last steps of training: schedule, mean, batch statistics, resume."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import pytest
import torch
from network_of import network_of
from safetensors.torch import load_file
from slayer_runs import TINY, assert_same_run, interrupted_at, train

import mksgn.training.training
from mksgn.commands.train_net import train_net
from mksgn.commands.train_options import Options
from mksgn.errors import ConfigError
from mksgn.nn import SpikingGraphNet
from mksgn.nn.batch_norm import update_running_moments
from mksgn.skeleton import UCLA20
from mksgn.training.averaging import AVERAGE, average_of, take_average
from mksgn.training.network_file import load_network, read_meta
from mksgn.training.objective import learning_rate
from mksgn.training.recipe import PRESETS, Recipe

pytestmark = pytest.mark.timeout(600)
CPU = torch.device("cpu")
AVERAGED = [*TINY, "--epochs", "3", "--average-part", "1"]


def rates(recipe: Recipe, parts: int = 10) -> list[list[float]]:
    """Learning rates at ``parts`` steps of every float epoch."""
    return [[learning_rate(recipe, "float", (epoch + step / parts) / recipe.epochs) for step in range(parts)]
            for epoch in range(recipe.epochs)]


def test_the_cycle_is_over_before_a_constant_rate():
    plain = Recipe(epochs=10)
    recipe = Recipe(epochs=14, average_part=4 / 14, average_lr=5e-4)
    assert (recipe.cycle_epochs, recipe.averaged_from) == (10, 11)
    found = rates(recipe)
    assert [x for row in found[:10] for x in row] == pytest.approx([x for row in rates(plain) for x in row])
    assert found[10] == pytest.approx([5e-5 * step for step in range(10)], abs=1e-12)
    assert all(rate == 5e-4 for row in found[11:] for rate in row)
    stepped = replace(recipe, schedule="step", lr_step=8)
    assert [x for row in rates(stepped)[8:10] for x in row] == pytest.approx([3e-4] * 20)
    assert rates(stepped)[10:] == found[10:]


@pytest.mark.parametrize(("epochs", "part"), [(10, 0.0), (0, 1.0), (1, 1.0), (3, 0.3)])
def test_a_part_too_short_to_average_changes_nothing(epochs, part):
    recipe = Recipe(epochs=epochs, average_part=part)
    assert average_of(small(), recipe, CPU) is None
    assert rates(recipe) == rates(Recipe(epochs=epochs))


@pytest.mark.parametrize("part", [-0.1, 1.5])
def test_a_part_is_a_part(part):
    with pytest.raises(ConfigError, match="part"):
        Recipe(average_part=part)


def small() -> SpikingGraphNet:
    torch.manual_seed(0)
    return network_of(body=UCLA20, classes=3, frames=8, widths=(4,), strides=(1,), time_steps=2)


def test_the_average_is_the_mean_and_has_its_own_statistics():
    net, recipe = small(), Recipe(epochs=2, average_part=1.0)
    average = average_of(net, recipe, CPU)
    assert average is not None
    seen: dict[str, list[torch.Tensor]] = {}
    for step in range(3):
        with torch.no_grad():
            for name, parameter in net.named_parameters():
                if parameter.requires_grad:
                    parameter.add_(torch.randn_like(parameter) * (step + 1) * 0.1)
                seen.setdefault(name, []).append(parameter.clone())
        average.update_parameters(net)
    batches = [(torch.randint(-100, 100, (4, 3, 8, 20)), None) for _ in range(5)]
    take_average(net, average, batches, seed=0)
    for name, parameter in net.named_parameters():
        torch.testing.assert_close(parameter, torch.stack(seen[name]).mean(0))
    # Statistics by hand: those that every batch alone leaves where momentum is 1, averaged.
    alone = []
    for x, _ in batches:
        one = copy.deepcopy(net).train()
        for module in one.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = 1.0
        one(x)
        alone.append(dict(one.named_buffers()))
    moments = [name for name, _ in net.named_buffers() if "running" in name]
    assert moments and net.training
    for name, buffer in net.named_buffers():
        if name in moments:
            torch.testing.assert_close(buffer, torch.stack([each[name] for each in alone]).mean(0))
    assert {m.momentum for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)} == {0.1}


def test_statistics_are_those_of_all_time_steps(pack_path, tmp_path, monkeypatch):
    """Also where the last epoch, one of three, ran with the first epochs' fewer steps."""
    asked = []

    def recorded(net, *arguments):
        asked.append(net.steps)
        take_average(net, *arguments)

    monkeypatch.setattr(mksgn.training.training, "take_average", recorded)
    train_net(Options(data=str(pack_path), widths=(4, 4, 4), frames=8, batch=16, epochs=3, tune_epochs=0, time_steps=4,
                      average_part=1.0, out=tmp_path / "run"))
    recipe = Recipe(epochs=3)
    assert recipe.steps_at("float", 2) == 2 and asked == [4]


def test_running_moments_follow_torch():
    """By momentum, and as means without one."""
    for momentum in (0.1, None):
        ours, theirs = (torch.nn.BatchNorm2d(2, momentum=momentum) for _ in range(2))
        for _ in range(3):
            x = torch.randn(8, 2, 3, 3)
            theirs.train()(x)
            var, mean = torch.var_mean(x, dim=(0, 2, 3))
            update_running_moments(ours, mean, var)
        for a, b in zip(ours.buffers(), theirs.buffers()):
            torch.testing.assert_close(a, b)


@pytest.mark.slow
def test_a_run_averages_and_resumes_to_the_same_bits(pack_path, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    averaged = [*AVERAGED, "--data", str(pack_path)]
    train(*averaged, "--out", str(whole))
    with interrupted_at("float", 1):
        assert train(*averaged, "--out", str(killed), check=False).code == 130
    held = load_file(killed / "checkpoint.safetensors")
    assert held[f"{AVERAGE}.model.n_averaged"] > 0
    assert any(not torch.equal(value, held[f"{AVERAGE}.model.module.{name.removeprefix('model.')}"])
               for name, value in held.items() if name.startswith("model."))
    train("--resume", "--out", str(killed))
    assert_same_run(whole, killed)
    # Fine-tuning alone does not average again.
    again = tmp_path / "again"
    train("--start", str(whole), "--data", str(pack_path), "--epochs", "0", "--out", str(again))
    assert json.loads(read_meta(again / "weights.safetensors")["recipe"])["average_part"] == 1.0
    first, second = (load_network(folder / "float.safetensors", quantized=False) for folder in (whole, again))
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name


def test_presets_that_are_compared_average_nothing_by_themselves():
    assert [name for name, recipe in PRESETS.items() if recipe.average_part] == ["mksgn-stream"]
