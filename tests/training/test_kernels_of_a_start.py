"""A run may start from weights whose temporal kernel is longer, or padded otherwise."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from lively_nets import lively, samples_for
from network_of import network_of

from mksgn.errors import ConfigError
from mksgn.nn import SpikingGraphNet
from mksgn.nn.unfolding import normalise
from mksgn.skeleton import UCLA20
from mksgn.training.network_file import floating_network, load_weights, save_network
from mksgn.training.run_files import WEIGHTS
from mksgn.training.starting import start_from_run


@pytest.mark.parametrize(("padding", "kernel", "first"), [("zeros", 5, 2), ("none", 5, 0), ("none", 3, 2)])
def test_a_shorter_kernel_takes_the_taps_that_read_the_same_frames(tmp_path: Path, padding: str, kernel: int,
                                                                   first: int) -> None:
    """Taps count from the frame of the residual: the middle one of a padded kernel, the last of another."""
    given = {"body": UCLA20, "classes": 3, "widths": (5, 7), "strides": (1, 2)}
    torch.manual_seed(3)
    nine = network_of(**given, frames=16, temporal_kernel=9)
    save_network(tmp_path / "float.safetensors", nine)
    short = network_of(**given, frames=16 if padding == "zeros" else 2 * kernel + 1, temporal_kernel=kernel,
                       temporal_padding=padding)
    load_weights(short, tmp_path / "float.safetensors")
    before = dict(nine.named_parameters())
    longer = [(value, before[name]) for name, value in short.named_parameters()
              if value.requires_grad and before[name].shape != value.shape]
    assert len(longer) == 2
    for ours, theirs in longer:
        assert torch.equal(ours, theirs[:, :, first:first + kernel])


def test_frames_that_no_tap_reads_are_refused(tmp_path: Path) -> None:
    given = {"body": UCLA20, "classes": 3, "widths": (5,), "strides": (1,)}
    save_network(tmp_path / "float.safetensors", network_of(**given, frames=16, temporal_kernel=9))
    with pytest.raises(ConfigError, match="lack frames"):
        load_weights(network_of(**given, frames=9, temporal_kernel=7, temporal_padding="none"),
                     tmp_path / "float.safetensors")


def test_what_starts_from_integers_with_shorter_kernels_fires_as_they_did(tmp_path: Path) -> None:
    """A population's drive keeps the mean and the scale it had; fewer taps alone would leave it below its threshold."""
    given = {"body": UCLA20, "classes": 3, "widths": (8, 12, 12), "strides": (1, 1, 1)}
    torch.manual_seed(5)
    nine = network_of(**given, frames=16, temporal_kernel=9)
    samples = samples_for(nine, 24)
    lively(nine, samples).eval().quantize()
    x = torch.from_numpy(samples)
    save_network(tmp_path / WEIGHTS, nine)
    short = network_of(**given, frames=13, temporal_kernel=3, temporal_padding="none")
    start_from_run(short, tmp_path, Batches(x[:, :, -13:]))  # type: ignore[arg-type]
    assert short.training
    before = floating_network(tmp_path / WEIGHTS)
    normalise(before, torch.nn.functional.pad(x[:, :, -13:], (0, 0, 3, 0)))
    norms = [(population.norm, other.norm) for population, other in zip(short.populations, before.populations)
             if population.norm is not None]
    assert norms
    for ours, theirs in norms:
        torch.testing.assert_close(ours.weight, theirs.weight)
        torch.testing.assert_close(ours.bias, theirs.bias)
    as_they_are = copy.deepcopy(short)
    load_weights(as_they_are, tmp_path / WEIGHTS)
    meant, found, silent = (mean_rate(net, each) for net, each in (
        (before, x), (short, x[:, :, -13:]), (as_they_are, x[:, :, -13:])))
    assert abs(found - meant) < abs(silent - meant) and silent < meant, (meant, found, silent)


class Batches:
    def __init__(self, x: torch.Tensor) -> None:
        self.x = x

    def epoch(self, number: int) -> list[tuple[torch.Tensor]]:
        return [(self.x,)]


@torch.no_grad()
def mean_rate(net: SpikingGraphNet, x: torch.Tensor) -> float:
    """Of the last layer's populations."""
    rates = net.eval()(x).rates
    return float(torch.stack([rates[name] for name in list(rates)[-3:]]).mean())
