"""Scales that are any integer: how they are chosen, and that every path has the same integers and spikes."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from lava_runs import check_layout
from lively_nets import lively, samples_for
from network_of import network_of
from slayer_and_emulator import agree_after_a_file

from mksgn.data.preprocess import MODALITIES
from mksgn.emulator import Emulator, FrameByFrame
from mksgn.errors import ConfigError
from mksgn.ir import graph_difference
from mksgn.ir.streaming import continuous
from mksgn.nir import read_nir, write_nir
from mksgn.nn import SpikingGraphNet
from mksgn.nn.ensemble import ensemble_graph
from mksgn.nn.gates import GatePopulation
from mksgn.nn.lif import CubaNeuron, Surrogate
from mksgn.nn.lowering import to_graph
from mksgn.nn.population import SpikingPopulation
from mksgn.nn.projections import ConvProjection, IdentityProjection
from mksgn.nn.scales import WEIGHT_LIMIT, choose_scale
from mksgn.nn.slayer_backend import SlayerReference
from mksgn.nn.spikes import Spikes
from mksgn.skeleton import UCLA20

NETWORKS = {
    "layer": {"segments": 2},
    "learned": {"graph_conv": "learned", "residual_synapses": 4, "current_decay": 0.7, "voltage_decay": 0.4},
    "fused": {"graph_conv": "fused", "persons": 2},
    "unpadded": {"temporal_padding": "none", "temporal_kernel": 3, "frames": 11},
    "sum": {"modalities": MODALITIES, "residual_synapses": 4},
    "fixed weights": {"modalities": MODALITIES, "fusion": "fixed", "fusion_weights": (0.9, 0.5, 0.1, 1.0)},
    "base-sgn": {"kind": "base-sgn"},
    "as printed": {"attention": "qkv", "heads": 2},
    "spike-driven": {"kind": "spike-driven", "widths": (8, 8)},
    "spikformer": {"kind": "spikformer", "widths": (8, 8)},
}
T = 3


def integers(scales: str = "integer", seed: int = 0, **choices) -> SpikingGraphNet:
    """A quantised network that fires."""
    torch.manual_seed(seed)
    shape = {} if "widths" in choices else {"widths": (6, 10), "strides": (1, 2)}
    net = network_of(**{"body": UCLA20, "classes": 5, "frames": 8, "time_steps": T, **shape, **choices})
    lively(net, samples_for(net, 6)).eval()
    net.quantize(scales)
    return net


def is_power_of_two(scale: int) -> bool:
    return scale.bit_count() == 1


@pytest.fixture(scope="module", params=NETWORKS)
def net(request) -> SpikingGraphNet:
    return integers(**NETWORKS[request.param])


# How they are chosen -----------------------------------------------------------------------------


def test_every_trained_population_has_its_own_scale_and_gates_keep_theirs(net):
    scales = dict(zip((*net.names, "head.fc"), net.scales()))
    free = [scale for scale in scales.values() if not is_power_of_two(scale)]
    assert len(free) > len(scales) // 3
    for name, population in net.named_populations():
        if isinstance(population, GatePopulation):
            assert is_power_of_two(scales[name]), name


def squared_error(population: SpikingPopulation, units: int) -> float:
    """Of all weights, by plain numpy."""
    weights = np.concatenate([p.weight(None).detach().double().flatten().numpy() for p in population.projections])
    rounded = np.clip(np.round(weights * units / 2) * 2, -WEIGHT_LIMIT, WEIGHT_LIMIT) / units
    return float(((rounded - weights) ** 2).sum())


def population(seed: int, parallel: int = 1) -> SpikingPopulation:
    """Trained weights and a residual of the whole threshold."""
    torch.manual_seed(seed)
    residual = IdentityProjection(("b",), 5, parallel=parallel)
    made = SpikingPopulation((5, 2, 3), [ConvProjection(("a",), 7, 5), residual])
    made.norm = None
    with torch.no_grad():
        made.projections[0].synapse.weight.normal_(0, 0.1 + 0.1 * seed)
    return made


@pytest.mark.parametrize("seed", range(5))
def test_no_integer_that_fits_is_better(seed):
    made = population(seed, parallel=4)
    power, found = choose_scale(made, "power-of-two"), choose_scale(made, "integer")
    fitting = [units for units in range(power // 2, 2 * power + 1) if units % 8 == 0 and units / 4 <= WEIGHT_LIMIT]
    best = min(fitting, key=lambda units: squared_error(made, units))
    assert squared_error(made, found) == pytest.approx(squared_error(made, best), rel=1e-4)
    assert squared_error(made, found) <= squared_error(made, power) * (1 + 1e-4)


@pytest.mark.parametrize("parallel", [1, 2, 4, 8])
def test_a_residual_of_the_threshold_stays_the_threshold(parallel):
    """One unit more, and a single spike of it would fire the neuron."""
    for seed in range(6):
        made = population(seed, parallel)
        made.quantize("integer")
        graph_population, synapses = made.to_ir("p")
        residual = [synapse.weight for synapse in synapses if synapse.sources == ("b",)]
        assert len(residual) == parallel and all((weight % 2 == 0).all() for weight in residual)
        assert (sum(residual) == graph_population.neuron.vth).all() and graph_population.neuron.vth == made.neuron.units


def test_a_large_bias_keeps_the_scale_low():
    made = population(0)
    made.projections = made.projections[:1]
    with torch.no_grad():
        made.bias.fill_(41.0)
    assert 64 <= choose_scale(made, "integer") <= 4095 / 41


def test_where_no_integer_is_better_the_power_of_two_stays():
    made = population(0)
    with torch.no_grad():
        weight = made.projections[0].synapse.weight
        weight.copy_((weight * 32).round() / 32)
    assert choose_scale(made, "integer") == choose_scale(made, "power-of-two")


# The neuron --------------------------------------------------------------------------------------


@pytest.mark.parametrize("units", [3, 97, 200, 255, 257, 3001, 65537, 131071])
def test_no_spike_at_an_odd_threshold(units):
    """Strictly above, by SLAYER's neuron too, whose epsilon float32 must not lose."""
    neuron = CubaNeuron()
    neuron.rescale(units)
    assert neuron.v_th_mant == units and neuron.w_scale // 2 < units <= neuron.w_scale
    states = torch.tensor([units, units + 1]).reshape(1, 2, 1, 1, 1) / neuron.w_scale
    voltage = neuron.dynamics_with_bias(states, torch.zeros(1))
    assert neuron.spike(voltage).flatten().tolist() == [0.0, 1.0]


def test_gradients_are_those_of_the_threshold_whatever_the_scale():
    """The window of the surrogate is as wide in thresholds, and a weight's gradient as large."""
    torch.manual_seed(0)
    gradients = []
    for units in (128, 192):  # weights of both are whole numbers, so that nothing is rounded
        made = SpikingPopulation((4, 2, 3), [ConvProjection(("a",), 3, 4)], norm=False, surrogate=Surrogate(width=1.6))
        with torch.no_grad():
            weight = (torch.linspace(-0.7, 0.9, 12) * 32).round() / 32
            made.projections[0].synapse.weight.copy_(weight.reshape(4, 3, 1, 1, 1))
        made.bias.requires_grad_(True)
        made.neuron.rescale(units)
        made.quantized = True
        train = (torch.rand((2 * T, 3, 2, 3), generator=torch.Generator().manual_seed(1)) < 0.5).float()
        spikes, count = made(Spikes({"a": train.contiguous(memory_format=torch.channels_last)}), T)
        assert 0.05 < spikes.mean() < 0.95
        count.backward()
        gradients.append((made.projections[0].synapse.weight.grad.flatten(), made.bias.grad))
    for one, other in zip(*gradients):
        assert one.abs().max() > 0
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)


# Exact everywhere --------------------------------------------------------------------------------


def test_slayer_fused_file_emulator_and_nir_agree(net, tmp_path: Path):
    samples = samples_for(net)
    graph, emulated = agree_after_a_file(net, samples, tmp_path)
    out, fused = net.forward_spikes(torch.from_numpy(samples))
    for name in net.names:
        train = fused[name].unflatten(0, (-1, T)).permute(0, 2, 3, 4, 1).detach().numpy()
        assert np.array_equal(train, emulated.spikes[name]), name
    assert sum(emulated.spikes[name].any() for name in net.names) >= len(net.names) - 1
    logits = out.logits.detach().double().numpy() * T * net.readout.neuron.units
    np.testing.assert_allclose(logits, emulated.output, atol=0.01, rtol=0)
    assert graph.meta["logit_scale"] == T * net.readout.neuron.units
    short, trains = net.forward_spikes(torch.from_numpy(samples), dtype=torch.bfloat16)
    assert torch.equal(short.logits, out.logits) and all(torch.equal(trains[n].float(), fused[n]) for n in net.names)
    if not any(synapse.kind == "attention" for synapse in graph.synapses):
        write_nir(graph, tmp_path / "n.nir")
        assert graph_difference(read_nir(tmp_path / "n.nir"), graph) == ""


@pytest.mark.lava
@pytest.mark.parametrize("layout", ["blocks", "layers", "stock"])
def test_lava_agrees(layout):
    net = integers(frames=5, widths=(4,), strides=(1,), time_steps=2, modalities=MODALITIES[:2], residual_synapses=2)
    check_layout(to_graph(net), samples_for(net, 2), layout)


def test_a_stream_is_the_clip():
    net = integers(temporal_padding="none", temporal_kernel=3, frames=11, widths=(6, 8, 8), strides=(1, 2, 1))
    graph = to_graph(net)
    channels, length, joints = graph.input.shape
    frames = np.random.default_rng(1).integers(-127, 128, (channels, length + 5, joints)).astype(np.int8)
    with Emulator(graph) as emulator:
        expected = emulator.run(np.stack([frames[:, first:first + length] for first in range(6)])).output
    with FrameByFrame(continuous(graph)) as stream:
        found = [stream.push(frames[:, f:f + 1]).output for f in range(length + 5)]
    np.testing.assert_array_equal(found[length - 1:], expected)


def test_members_add_up_on_the_coarsest_scale():
    nets = [integers(seed=seed, time_steps=1) for seed in (0, 1)]
    with torch.no_grad():
        nets[1].readout.projections[0].synapse.weight.mul_(0.4)
    nets[1].readout.quantize("integer")
    scales = [net.readout.neuron.units for net in nets]
    assert len(set(scales)) == 2 and not is_power_of_two(min(scales))
    graph, samples = ensemble_graph(nets), samples_for(nets[0], 4)
    with Emulator(graph) as emulator:
        together = emulator.run(samples, record="spikes")
    total = 0
    for number, net in enumerate(nets, 1):
        alone = copy.deepcopy(net)
        alone.readout.neuron.rescale(min(scales))
        slayer = SlayerReference(alone).run(samples)
        for name in net.names:
            np.testing.assert_array_equal(together.spikes[f"net{number}-{name}"], slayer.spikes[name])
        total = total + slayer.output
    np.testing.assert_array_equal(together.output, total)
    assert graph.meta["logit_scale"] == 2 * min(scales)


# Files -------------------------------------------------------------------------------------------


def test_a_floating_point_network_takes_no_other_scales():
    net = network_of(body=UCLA20, classes=5, frames=8, widths=(4,), strides=(1,))
    count = len(net.scales())
    net.set_scales([128] * count)
    with pytest.raises(ConfigError, match="scales") as caught:
        net.set_scales([128] * (count - 1) + [97])
    assert "powers of two" in caught.value.allowed
    net.quantize()
    net.set_scales([97] * count)
    assert net.scales() == [97] * count and {p.neuron.v_th_mant for p in net.populations} >= {97}
