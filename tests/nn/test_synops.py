"""Synop regularisation: what it counts, that it can be differentiated, and that the counters agree."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from network_of import network_of

from mksgn.data.preprocess import MODALITIES
from mksgn.emulator import Emulator
from mksgn.errors import ConfigError
from mksgn.ir import JointMix, Synapse
from mksgn.nn import SpikingGraphNet
from mksgn.nn.lowering import to_graph
from mksgn.nn.network import NetOutput
from mksgn.nn.slayer_backend import calibrate
from mksgn.nn.synops import expected_synops, synops_per_rate
from mksgn.skeleton import UCLA20
from mksgn.training.objective import Objective
from mksgn.training.recipe import Recipe

NETWORKS = [("mksgn", "layer", ("joint",)), ("base-sgn", "fused", ("joint",)), ("mksgn", "layer", MODALITIES),
            ("base-sgn", "layer", MODALITIES)]
SPIKE_DRIVEN = ("spike-driven", "layer", ("joint",))


def network(kind: str, graph_conv: str, modalities: tuple[str, ...]) -> tuple[SpikingGraphNet, np.ndarray]:
    torch.manual_seed(0)
    own = ({"widths": (8, 8)} if kind == "spike-driven" else
           {"widths": (6, 8), "strides": (1, 2), "temporal_kernel": 5, "graph_conv": graph_conv})
    net = network_of(kind=kind, body=UCLA20, classes=5, frames=8, modalities=modalities, **own)
    smooth = np.random.default_rng(0).normal(size=(4, *net.input_shape)).cumsum(axis=2)
    samples = np.clip(smooth * 30, -127, 127).astype(np.int8)
    calibrate(net, samples)
    with torch.no_grad():
        for block in net.populations:
            if block.norm is not None:
                block.norm.bias.add_(0.4)
    calibrate(net, samples)
    return net, samples


@pytest.mark.parametrize(("kind", "graph_conv", "modalities"), [*NETWORKS, SPIKE_DRIVEN])
def test_every_synapse_is_in_it(kind, graph_conv, modalities):
    """T times the fan-out of every neuron, synapse by synapse of the integer graph, with no weight rounded to 0."""
    net, _ = network(kind, graph_conv, modalities)
    per_rate = synops_per_rate(net)
    net.quantize()
    graph = to_graph(net)
    expected = dict.fromkeys(per_rate, 0)
    for synapse in graph.synapses:
        for source in synapse.sources:
            if source != "input":
                filled = np.where(synapse.weight == 0, _exists(synapse), synapse.weight)
                met = replace(synapse, weight=filled).fanout(graph[source].shape, graph[synapse.target].shape)
                expected[source] += net.config.time_steps * int(met.sum())
    assert per_rate == expected
    assert all(value > 0 for value in per_rate.values())


def _exists(synapse: Synapse) -> np.ndarray:
    """1 where a trained weight may have been rounded to 0; absent edges of fixed joint mixing stay 0."""
    return np.zeros_like(synapse.weight) if isinstance(synapse, JointMix) else np.ones_like(synapse.weight)


@pytest.mark.parametrize(("kind", "graph_conv", "modalities"), NETWORKS)
def test_what_is_expected_is_what_is_counted(kind, graph_conv, modalities):
    net, samples = network(kind, graph_conv, modalities)
    net.quantize()
    with torch.no_grad():
        out = net(torch.from_numpy(samples))
    expected = float(expected_synops(synops_per_rate(net), out))
    with Emulator(to_graph(net)) as emulator:
        counts = emulator.run(samples).counts
    for name, rate in {**out.rates, **out.gate_rates}.items():
        assert float(rate) == pytest.approx(counts.rate(name)), name
    counted = sum(counts.synops.values()) / len(samples)
    # The mean fan-out stands for every neuron's; borders and rounded weights differ by a few percent.
    assert expected == pytest.approx(counted, rel=0.08)


def test_rates_of_one_cost_everything():
    net, _ = network(*NETWORKS[0])
    per_rate = synops_per_rate(net)
    whole = NetOutput(torch.zeros(1, 5), {name: torch.ones(()) for name in per_rate})
    assert float(expected_synops(per_rate, whole)) == pytest.approx(sum(per_rate.values()))


def priced(**options: float) -> tuple[float, float]:
    """Expected operations before and after some steps of the regulariser, with a task that asks for nothing."""
    net, samples = network("mksgn", "layer", MODALITIES)
    net.train()
    net.readout.projections[0].synapse.weight.data.zero_()
    net.readout.requires_grad_(False)
    objective = Objective(net, Recipe(modality=MODALITIES, label_smoothing=0.0, rate_weight=0.0, **options),
                          torch.float32)
    x, labels = torch.from_numpy(samples), torch.zeros(len(samples), dtype=torch.int64)
    optimiser = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=0.02)
    found = []
    for _ in range(12):
        total, figures = objective(x, labels)
        found.append(float(figures[objective.names.index("synops")]))
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
    return found[0], found[-1]


def test_the_price_lowers_what_is_performed():
    first, last = priced(synop_weight=1.0, synop_target=1e5)
    assert last < 0.8 * first
    first, last = priced(synop_weight=1.0, synop_target=1e12)  # nothing to pay below the target
    assert last == first


def test_without_a_weight_nothing_is_counted():
    net, _ = network(*NETWORKS[0])
    assert "synops" not in Objective(net, Recipe(), torch.float32).names


@pytest.mark.parametrize("options", [{"synop_weight": -1.0}, {"synop_target": 0.0}, {"synop_target": float("inf")}])
def test_impossible_prices_are_refused(options):
    with pytest.raises(ConfigError, match="synop"):
        Recipe(**options)
