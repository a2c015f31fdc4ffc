"""From integers back to floating point: the same function, with batch norms to train it further."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from lively_nets import lively, samples_for
from network_of import network_of
from safetensors import safe_open

from mksgn.data.preprocess import MODALITIES
from mksgn.errors import ConfigError
from mksgn.ir import graph_difference
from mksgn.nn import SpikingGraphNet
from mksgn.nn.lowering import to_graph
from mksgn.nn.unfolding import normalise, unfolded
from mksgn.skeleton import UCLA20
from mksgn.training.network_file import load_network, load_weights, save_network

KINDS = {
    "mksgn": {},
    "base-sgn": {"kind": "base-sgn"},
    "fused": {"graph_conv": "fused"},
    "four modalities": {"modalities": MODALITIES, "graph_conv": "learned", "segments": 2, "residual_synapses": 4},
    "fixed weights": {"modalities": MODALITIES, "fusion": "fixed", "fusion_weights": (0.9, 0.5, 0.1, 1.0)},
    "transformer": {"kind": "spike-driven", "widths": (8, 8)},
}


def small(**choices) -> SpikingGraphNet:
    torch.manual_seed(0)
    shape = {} if "widths" in choices else {"widths": (8, 12), "strides": (1, 2)}
    net = network_of(body=UCLA20, classes=5, frames=8, time_steps=2, **shape, **choices)
    return lively(net, samples_for(net, 6)).eval()


@pytest.fixture(params=["power-of-two", "integer"])
def scales(request) -> str:
    return request.param


@pytest.fixture(params=KINDS)
def pair(request, scales) -> tuple[SpikingGraphNet, SpikingGraphNet]:
    """A network in floating point, and quantised."""
    net = small(**KINDS[request.param])
    integers = copy.deepcopy(net)
    integers.quantize(scales)
    return net, integers


def spikes_of(net: SpikingGraphNet, x: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        out, spikes = net.forward_spikes(x)
    return torch.cat([out.logits.flatten(), *(spikes[name].flatten() for name in net.names)])


def test_what_was_folded_is_the_same_function(pair):
    net, integers = pair
    x = torch.from_numpy(samples_for(net, 6))
    again = unfolded(integers)
    assert not again.quantized and not again.training and integers.quantized
    expected, found = spikes_of(net, x), spikes_of(again, x)
    assert (expected - found).abs().gt(1e-3).float().mean() < 1e-3, "a spike at its threshold may fall either way"


def test_statistics_begin_where_the_function_is(pair):
    """A training step sees batch statistics: those of the samples, which change nothing."""
    net, integers = pair
    x = torch.from_numpy(samples_for(net, 6))
    again = unfolded(integers)
    before = spikes_of(again, x)
    normalise(again, x)
    assert (spikes_of(again, x) - before).abs().gt(1e-3).float().mean() < 1e-3
    norms = [block.norm for block in again.populations if block.norm is not None]
    assert norms and all(block.norm_observer is None for block in again.populations)
    assert not any(torch.equal(norm.get_buffer("running_mean"), torch.zeros_like(norm.bias)) for norm in norms)
    again.train()
    for norm in norms:
        norm.momentum = 0.0
    assert (spikes_of(again, x) - before).abs().gt(1e-3).float().mean() < 5e-3


def test_what_is_quantised_again_has_the_same_integers(pair, scales):
    """Master weights are kept: rounding them once more gives the same graph."""
    _, integers = pair
    again = unfolded(integers)
    again.quantize(scales)
    assert again.scales() == integers.scales()
    # INPUT_SCALE is a power of two: folding it and back is exact. The half unit of a bias is taken back and given.
    assert graph_difference(to_graph(again), to_graph(integers)) == ""


def test_time_steps_and_residuals_may_differ():
    integers = small()
    integers.quantize()
    one = unfolded(integers, time_steps=1, residual_synapses=4)
    assert (one.config.time_steps, one.steps, one.config.residual_synapses) == (1, 1, 4)
    one.quantize()
    assert to_graph(one).time_steps == 1


def test_floating_point_has_nothing_to_unfold():
    with pytest.raises(ConfigError, match="nothing to unfold"):
        unfolded(small())


def test_weights_are_taken_from_a_file_of_integers(scales, tmp_path: Path):
    integers = small()
    integers.quantize(scales)
    save_network(tmp_path / "weights.safetensors", integers)
    net = SpikingGraphNet(integers.config, integers.data)
    load_weights(net, tmp_path / "weights.safetensors")
    expected = unfolded(integers).state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in net.state_dict().items())


@pytest.mark.parametrize("kind", ["mksgn", "four modalities", "fused", "fixed weights"])
def test_a_compact_file_holds_the_same_integers(kind, scales, tmp_path: Path):
    integers = small(**KINDS[kind])
    integers.quantize(scales)
    for name, compact in (("full", False), ("compact", True)):
        save_network(tmp_path / name, integers, compact=compact)
    with safe_open(tmp_path / "compact", "pt") as file:
        kinds = {name: str(file.get_tensor(name).dtype) for name in file.keys()}  # noqa: SIM118
    packed = [name for name, dtype in kinds.items() if dtype == "torch.int8"]
    assert packed and all("weight" in name for name in packed)
    assert graph_difference(to_graph(load_network(tmp_path / "compact")), to_graph(integers)) == ""
