"""Populations that count spikes: their integers fire at the counts at which the floating-point weights fire."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from lively_nets import lively, samples_for
from network_of import network_of
from slayer_and_emulator import agree_after_a_file

from mksgn.ir.graph import BIAS_MAX
from mksgn.nn.counting import counts_spikes, keep_boundaries
from mksgn.nn.population import SpikingPopulation
from mksgn.nn.projections import ConvProjection, PoolProjection
from mksgn.nn.scales import WEIGHT_LIMIT
from mksgn.nn.spikes import Spikes
from mksgn.nn.unfolding import unfolded
from mksgn.skeleton import UCLA20

CHANNELS = 64


def counting(seed: int, sources: tuple[str, ...], joints: int, units: int) -> SpikingPopulation:
    """Weights from tiny to huge, of both signs, some 0; boundaries below, within and above the window."""
    rng = np.random.default_rng(seed)
    made = SpikingPopulation((CHANNELS, 1, 1), [PoolProjection(sources, CHANNELS, (1, joints))])
    weight = rng.choice([-1, 1], CHANNELS) * 10.0 ** rng.uniform(-3, 2, CHANNELS)
    weight[:3] = 0
    # V_th = w n + b at a count between -2 and two above the most
    bias = 1 - weight * rng.uniform(-2, joints * len(sources) + 2, CHANNELS)
    bias[1] = 1.5
    with torch.no_grad():
        made.projections[0].fold(torch.from_numpy(weight * joints).float())
        made.bias.copy_(torch.from_numpy(bias))
    made.norm = None
    made.neuron.rescale(units)
    return made


def fires(made: SpikingPopulation, counts: np.ndarray) -> np.ndarray:
    """In floating point: (channels, counts)."""
    weight = made.projections[0].weight(None)[:, 0, 0, 0].double().numpy()
    return weight[:, None] * counts + made.bias.double().detach().numpy()[:, None] > 1


@pytest.mark.parametrize("sources", [("a",), ("a", "b", "c")])
@pytest.mark.parametrize("joints", [1, 7, 20])
@pytest.mark.parametrize("units", [2, 3, 97, 256, 1016])
def test_every_count_decides_as_it_did(sources, joints, units):
    for seed in range(4):
        made = counting(seed, sources, joints, units)
        counts = np.arange(joints * len(sources) + 1)
        expected = fires(made, counts)
        keep_boundaries(made)
        made.quantized = True
        population, (synapse,) = made.to_ir("p")
        weight, bias = synapse.weight[:, 0, 0, 0].astype(int), population.bias.reshape(CHANNELS).astype(int)
        found = weight[:, None] * counts + bias[:, None] > population.neuron.vth
        np.testing.assert_array_equal(found, expected)
        assert (weight % 2 == 0).all() and abs(weight).max() <= WEIGHT_LIMIT and abs(bias).max() <= BIAS_MAX
        assert (synapse.weight == synapse.weight[:, :, :, :1]).all() and 0 < expected.mean() < 1


def test_what_a_bias_cannot_say_is_rounded_as_ever():
    """A threshold of 100,000 units is far beyond a bias of 13 bits, and beyond one spike of 8 bits."""
    made = counting(0, ("a",), 5, 100_000)
    with torch.no_grad():
        made.bias.clamp_(-0.03, 0.03)
    before = made.bias.clone(), made.projections[0].synapse.weight.clone()
    keep_boundaries(made)
    torch.testing.assert_close(made.bias, before[0] + made.mean_overshoot())
    torch.testing.assert_close(made.projections[0].synapse.weight, before[1])


def test_only_sums_with_one_weight_a_channel_count():
    assert counts_spikes(counting(0, ("a",), 3, 64))
    assert not counts_spikes(SpikingPopulation((4, 1, 3), [ConvProjection(("a",), 4, 4)]))
    both = [PoolProjection(("a",), 4, (1, 3)), ConvProjection(("b",), 4, 4)]
    assert not counts_spikes(SpikingPopulation((4, 1, 1), both))


@pytest.mark.parametrize("kind", [{}, {"kind": "base-sgn"}, {"segments": 2, "temporal_padding": "none",
                                                            "temporal_kernel": 3, "frames": 13}])
def test_a_network_of_one_step_keeps_its_boundaries_everywhere(kind, tmp_path: Path):
    """SLAYER, file and emulator agree; the head, asked about the same spikes, answers as in floating point."""
    torch.manual_seed(0)
    shape = {"widths": (6, 10), "strides": (1, 2), "frames": 8, **kind}
    net = network_of(**{"body": UCLA20, "classes": 5, "time_steps": 1, **shape})
    samples = samples_for(net)
    lively(net, samples).eval()
    plain = copy.deepcopy(net)
    net.quantize("integer")
    counted = [name for name, population in net.named_populations() if counts_spikes(population)]
    assert "head.gap" in counted
    _, emulated = agree_after_a_file(net, samples, tmp_path)
    for name in counted:
        population, twin = (dict(each.named_populations())[name] for each in (net, plain))
        trains = Spikes({source: torch.from_numpy(emulated.spikes[source]).float()[..., 0].contiguous(
            memory_format=torch.channels_last) for source in population.projections[0].sources})
        expected = twin(trains, 1)[0]
        np.testing.assert_array_equal(emulated.spikes[name][..., 0], expected.detach().numpy(), err_msg=name)


def test_rounding_again_finds_the_same_integers():
    torch.manual_seed(0)
    net = network_of(body=UCLA20, classes=5, frames=8, widths=(6, 10), strides=(1, 2), time_steps=1)
    lively(net, samples_for(net)).eval()
    net.quantize("integer")
    again = unfolded(net)
    again.quantize("integer")
    for (name, one), other in zip(net.named_populations(), again.populations):
        if counts_spikes(one) and one.neuron.units == other.neuron.units:
            first, second = one.to_ir(name), other.to_ir(name)
            np.testing.assert_array_equal(first[1][0].weight, second[1][0].weight)
            np.testing.assert_array_equal(first[0].bias, second[0].bias)


def test_with_several_steps_weights_are_rounded_as_before():
    torch.manual_seed(0)
    net = network_of(body=UCLA20, classes=5, frames=8, widths=(6, 10), strides=(1, 2), time_steps=2)
    lively(net, samples_for(net)).eval()
    twin = copy.deepcopy(net)
    net.quantize("integer")
    head, before = net.populations[-1], twin.populations[-1]
    before.quantize("integer")
    with torch.no_grad():
        before.bias.add_(before.mean_overshoot())
    assert torch.equal(head.bias, before.bias)
