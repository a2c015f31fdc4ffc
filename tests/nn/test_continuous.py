"""Networks without temporal padding: a stream without ends decides at every frame as the clip that ends there."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from lively_nets import lively, samples_for
from network_of import network_of

from mksgn.emulator import Emulator, FrameByFrame
from mksgn.errors import ConfigError
from mksgn.ir.streaming import continuous
from mksgn.nn.lowering import to_graph
from mksgn.skeleton import UCLA20

SMALL = {"body": UCLA20, "classes": 5, "widths": (6, 8, 8), "strides": (1, 2, 1), "temporal_kernel": 3,
         "temporal_padding": "none"}


@pytest.mark.parametrize(("kind", "options"), [
    ("mksgn", {"frames": 13, "segments": 2, "graph_conv": "learned", "time_steps": 2}),
    ("mksgn", {"frames": 11, "graph_conv": "fused", "time_steps": 1, "persons": 2, "residual_synapses": 4}),
    ("mksgn", {"frames": 13, "time_steps": 1, "modalities": ("joint", "joint-motion")}),
    ("base-sgn", {"frames": 15, "time_steps": 3})])
def test_frame_by_frame_is_clip_by_clip(kind: str, options: dict) -> None:
    torch.manual_seed(0)
    net = network_of(**{"kind": kind, **SMALL, **options})
    samples = samples_for(net)
    lively(net, samples).quantize()
    graph = to_graph(net)
    channels, length, joints = graph.input.shape
    stream = np.random.default_rng(1).integers(-127, 128, (channels, length + 9, joints)).astype(np.int8)
    windows = np.stack([stream[:, first:first + length] for first in range(10)])
    with Emulator(graph) as emulator:
        expected = emulator.run(windows)
    assert len(np.unique(expected.output, axis=0)) > 5
    with FrameByFrame(continuous(graph)) as frames:
        assert frames.lag(graph.output.name) == length - 1, "it has read all frames, and waits for none"
        found = [frames.push(stream[:, f:f + 1]).output for f in range(length + 9)]
    assert all(output is None for output in found[:length - 1])
    np.testing.assert_array_equal(found[length - 1:], expected.output)


def test_frames_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConfigError, match="whole number of windows") as caught:
        network_of(kind="mksgn", **SMALL, frames=14)
    assert "13" in caught.value.allowed and "15" in caught.value.allowed
    with pytest.raises(ConfigError, match="whole number of windows"):
        network_of(kind="mksgn", **SMALL, frames=4)
