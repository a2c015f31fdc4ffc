"""Networks without temporal padding: a stream without ends decides at every frame as the clip that ends there."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from lively_nets import lively, samples_for
from network_of import network_of

from mksgn.emulator import Emulator, FrameByFrame, run_frames
from mksgn.errors import ConfigError
from mksgn.ir.streaming import continuous
from mksgn.nn.lowering import to_graph
from mksgn.nn.slayer_backend import SlayerReference
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


@pytest.mark.parametrize("options", [{"frames": 13, "segments": 2, "graph_conv": "learned", "residual_synapses": 4},
                                     {"frames": 11, "graph_conv": "layer", "voltage_decay": 0.4, "current_decay": 0.7}])
def test_carried_states_make_one_long_clip_of_a_stream(options: dict) -> None:
    """SLAYER's neurons on a clip as long as the stream send, frame by frame, what the stream's send.

    The stream's first decision is that of a clip of the network's own length, whose states begin at 0, too. Later
    windows begin with what earlier frames left.
    """
    torch.manual_seed(0)
    made = {"kind": "mksgn", **SMALL, "time_steps": 1, "frame_state": "carried", **options}
    net = network_of(**made)
    samples = samples_for(net)
    lively(net, samples).quantize("integer")
    graph, more = to_graph(net), 16
    long = network_of(**{**made, "frames": options["frames"] + more})
    long.quantize()
    head = f"populations.{len(net.populations) - 1}."  # it averages more frames, and nobody here reads it
    long.load_state_dict({name: value for name, value in net.state_dict().items() if not name.startswith(head)},
                         strict=False)
    for ours, theirs in zip(long.populations, net.populations):
        ours.neuron.rescale(theirs.neuron.units)
    channels, length, joints = graph.input.shape
    x = np.random.default_rng(1).integers(-127, 128, (channels, length + more, joints)).astype(np.int8)
    slayer = SlayerReference(long).run(x[None]).spikes
    found = run_frames(continuous(graph), x, "spikes")
    before_stride = [p.name for p in graph.populations[1:] if p.neuron is not None and p.neuron.carried]
    for name in before_stride:
        sent = np.moveaxis(found.spikes[name][:, :, 0], 0, 1)
        np.testing.assert_array_equal(sent, slayer[name][0][:, :len(found.output)], name)
    assert len(before_stride) > 10 and all(slayer[name].any() for name in before_stride[:8])
    with Emulator(graph) as emulator:
        windows = np.stack([x[:, first:first + length] for first in range(more + 1)])
        alone = emulator.run(windows).output
    np.testing.assert_array_equal(found.output[0], alone[0])
    assert (found.output[1:] != alone[1:]).any(), "what earlier frames left matters"


def test_frames_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConfigError, match="whole number of windows") as caught:
        network_of(kind="mksgn", **SMALL, frames=14)
    assert "13" in caught.value.allowed and "15" in caught.value.allowed
    with pytest.raises(ConfigError, match="whole number of windows"):
        network_of(kind="mksgn", **SMALL, frames=4)
