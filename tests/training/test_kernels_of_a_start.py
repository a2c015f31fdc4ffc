"""A run may start from weights whose temporal kernel is longer, or padded otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from network_of import network_of

from mksgn.errors import ConfigError
from mksgn.skeleton import UCLA20
from mksgn.training.checkpoint import load_weights, save_network


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
