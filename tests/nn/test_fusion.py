"""Spiking multimodal fusion: the equations by hand, the estimator, and the integers it becomes."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lively_nets import lively, samples_for
from network_of import network_of

from mksgn.data.preprocess import MODALITIES
from mksgn.emulator import Emulator
from mksgn.energy import paper_energy_mj
from mksgn.energy.causes import ratio_causes
from mksgn.errors import ConfigError
from mksgn.ir import Conv, graphs_equal
from mksgn.networks import MkSgnConfig
from mksgn.netx import read_net, write_net
from mksgn.nn import SpikingGraphNet
from mksgn.nn.fused_projection import FusedProjection
from mksgn.nn.fusion import Fusion, MutualInformation, fusion_weights, lower_bound
from mksgn.nn.lowering import to_graph
from mksgn.nn.slayer_backend import SlayerReference
from mksgn.nn.spike_coding import coder_name
from mksgn.run.comparison import compare
from mksgn.run.registry import open_backend
from mksgn.skeleton import UCLA20
from mksgn.training.network_file import load_network, save_network
from mksgn.training.objective import Objective
from mksgn.training.recipe import Recipe

CODERS = tuple(coder_name(modality) for modality in MODALITIES)
WEIGHTS = (1.0, 0.63, 0.0, 0.37)


def small_net(network: str = "mksgn", graph_conv: str = "layer", **options) -> SpikingGraphNet:
    torch.manual_seed(0)
    return network_of(**{
        "kind": network, "body": UCLA20, "classes": 5, "frames": 8, "widths": (6, 8), "strides": (1, 2),
        "temporal_kernel": 5, "graph_conv": graph_conv, "modalities": MODALITIES, "fusion": "smf", "coder_width": 4,
        **options})


def quantised(network: str = "mksgn", graph_conv: str = "layer", **options) -> SpikingGraphNet:
    net = small_net(network, graph_conv, **options)
    lively(net, samples_for(net))
    net.fix_fusion(WEIGHTS)
    net.quantize()
    return net


# ---------------------------------------------------------------------- Eq. 21-23
def test_weights_by_hand():
    """Rows of the matrix sum to 3, 2, 5, 4 of 14; the least becomes 0 and the largest 1."""
    matrix = torch.tensor([[0, 1, 2, 0], [1, 0, 0, 1], [2, 0, 0, 3], [0, 1, 3, 0]], dtype=torch.float64)
    assert fusion_weights(matrix).tolist() == pytest.approx([1 / 3, 0, 1, 2 / 3])


def test_a_negative_bound_says_no_more_than_zero():
    matrix = torch.tensor([[0, 1, -9], [1, 0, 2], [-9, 2, 0]], dtype=torch.float32)
    none = torch.tensor([[0, 1, 0], [1, 0, 2], [0, 2, 0]], dtype=torch.float32)
    assert torch.equal(fusion_weights(matrix), fusion_weights(none))
    assert fusion_weights(matrix).tolist() == pytest.approx([0, 1, 0.5])


@pytest.mark.parametrize("value", [0.0, 2.0, -3.0])
def test_where_none_stands_out_all_count(value):
    matrix = value * (1 - torch.eye(4))
    assert torch.equal(fusion_weights(matrix), torch.ones(4))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0.01, 5), min_size=6, max_size=6), st.permutations(range(4)), st.floats(0.5, 20))
def test_weights_follow_the_modalities_and_not_the_unit(values, order, unit):
    matrix = torch.zeros(4, 4, dtype=torch.float64)
    for (a, b), value in zip(itertools.combinations(range(4), 2), values):
        matrix[a, b] = matrix[b, a] = value
    weights = fusion_weights(matrix)
    if bool((weights == 1).all()):
        return
    assert float(weights.min()) == 0 and float(weights.max()) == pytest.approx(1)
    picked = torch.tensor(order)
    assert torch.allclose(fusion_weights(matrix[picked][:, picked]), weights[picked], atol=1e-6)
    assert torch.allclose(fusion_weights(matrix * unit), weights, atol=1e-6)


def test_the_bound_reaches_the_mutual_information():
    """Of a 2 x 2 distribution written out as samples, with the best critic, log p(x, y) / p(x) p(y)."""
    joint = {(0, 0): 5, (0, 1): 1, (1, 0): 2, (1, 1): 8}
    total = sum(joint.values())
    left = [sum(n for (x, _), n in joint.items() if x == value) for value in (0, 1)]
    right = [sum(n for (_, y), n in joint.items() if y == value) for value in (0, 1)]
    best = {(x, y): math.log(n * total / (left[x] * right[y])) for (x, y), n in joint.items()}
    together = [best[pair] for pair, n in joint.items() for _ in range(n)]
    apart = [best[x, y] for (x, y) in joint for _ in range(left[x] * right[y])]
    known = sum(n / total * best[pair] for pair, n in joint.items())
    bound = lower_bound(torch.tensor([together], dtype=torch.float64), torch.tensor([apart], dtype=torch.float64), (1,))
    assert float(bound) == pytest.approx(known) and known > 0.1


# ---------------------------------------------------------------------- the estimator
def test_rates_without_time_hold_no_information():
    """The same at every step: joint and marginal are one distribution, and by Jensen no critic exceeds 0."""
    torch.manual_seed(0)
    estimator = MutualInformation(3, 5)
    constant = [torch.rand(6, 1, 5).expand(6, 4, 5) for _ in range(3)]
    per_sample, bound = estimator(constant)
    assert float(per_sample.max()) <= 1e-6 and float(bound) <= 1e-6
    assert torch.equal(per_sample, per_sample.transpose(1, 2))


def test_the_estimator_finds_who_shares():
    """Modalities 0 and 1 follow one signal in time, 2 its own: 2 shares least and weighs nothing."""
    torch.manual_seed(0)
    estimator = MutualInformation(3, 2, hidden=16)
    optimiser = torch.optim.Adam(estimator.parameters(), lr=1e-2)

    def draw(count: int) -> list[torch.Tensor]:
        shared, own = torch.rand(count, 4, 2), torch.rand(count, 4, 2)
        return [shared, shared.flip(2), own]

    for _ in range(150):
        _, bound = estimator(draw(64))
        optimiser.zero_grad()
        (-bound).backward()
        optimiser.step()
    estimator.eval()
    with torch.no_grad():
        per_sample, _ = estimator(draw(256))
    mean = per_sample.mean(0)
    assert float(mean[0, 1]) > 0.3 + max(float(mean[0, 2]), float(mean[1, 2]))
    weights = fusion_weights(per_sample).mean(0)
    assert float(weights[2]) < 0.2 < 0.6 < float(weights[:2].min())


def test_fusion_is_the_weighted_sum_of_each_sample():
    torch.manual_seed(0)
    fusion = Fusion(4, 3, "smf").eval()
    trains = [(torch.rand(2 * 4, 3, 5, 6) < 0.3).float() for _ in range(4)]
    fused, weights, bound = fusion(trains, steps=4)
    assert weights.shape == (2, 4) and not weights.requires_grad and bound is not None
    for n, t in itertools.product(range(2), range(4)):
        expected = sum(float(weights[n, m]) * trains[m][n * 4 + t] for m in range(4))
        assert torch.allclose(fused[n * 4 + t], expected)
    fusion.fix((1.0, 0.5, 0.25, 0.0))
    fused, weights, bound = fusion(trains, steps=4)
    assert bound is None and torch.equal(fused, trains[0] + 0.5 * trains[1] + 0.25 * trains[2])


def test_the_task_and_the_estimator_do_not_touch_each_other():
    """One backward pass; the network's gradients are those of the loss alone, the estimator's of its bound alone."""
    net = small_net()
    recipe = Recipe(modality=MODALITIES, network=MkSgnConfig(fusion="smf"), synop_weight=0.5, synop_target=1.0)
    objective = Objective(net, recipe, torch.float32)
    x, labels = torch.from_numpy(samples_for(net, 6)), torch.tensor([0, 1, 2, 3, 4, 0])
    figures = dict(zip(objective.names, objective(x, labels)[1].tolist()))
    assert set(figures) == {"loss", "accuracy", "rate", "synops", "information"}
    net.zero_grad()
    objective(x, labels)[0].backward()
    estimator = {f"fusion.estimator.{name}" for name, _ in net.fusion.estimator.named_parameters()}
    together = {name: p.grad.clone() for name, p in net.named_parameters() if p.requires_grad}
    assert estimator < set(together) and all(bool(together[name].any()) for name in estimator if "weight" in name)
    net.zero_grad()
    (-net(x).information).backward()
    alone = {name: p.grad for name, p in net.named_parameters() if p.grad is not None and bool(p.grad.any())}
    assert set(alone) <= estimator
    assert all(torch.allclose(alone[name], together[name], atol=1e-6) for name in alone)
    missing = [name for name, p in net.named_parameters() if p.requires_grad and name not in together]
    assert not missing


# ---------------------------------------------------------------------- integers
@pytest.mark.parametrize(("network", "graph_conv"), itertools.product(("mksgn", "base-sgn"), ("layer", "fused")))
def test_slayer_fused_and_emulator_agree(network, graph_conv):
    net = quantised(network, graph_conv)
    samples = samples_for(net)
    slayer = SlayerReference(net)
    reference = slayer.run(samples)
    with Emulator(slayer.graph) as emulator:
        emulated = emulator.run(samples, record="spikes")
    _, fast = net.forward_spikes(torch.from_numpy(samples))
    order = tuple(net.names)
    comparison = compare(reference, emulated, order)
    assert comparison.equal, comparison.first
    assert np.array_equal(reference.output, emulated.output)
    for name in order:
        train = fast[name].unflatten(0, (-1, 4)).permute(0, 2, 3, 4, 1).detach().numpy()
        assert np.array_equal(train, reference.spikes[name]), name
    for name in CODERS:
        assert 0.02 < emulated.counts.rate(name) < 0.9, "a comparison of silent coders proves nothing"


@pytest.mark.lava
@pytest.mark.parametrize("layout", ["blocks", "stock"])
def test_lava_agrees(layout):
    net = quantised(widths=(4,), strides=(1,), coder_width=2)
    samples = samples_for(net, 2)
    graph = to_graph(net)
    with Emulator(graph) as emulator:
        emulated = emulator.run(samples, record="spikes")
    with open_backend("lava", graph, layout=layout) as lava:
        ran = lava.run(samples, record="spikes")
    comparison = compare(emulated, ran, tuple(net.names))
    assert comparison.equal, comparison.first
    assert np.array_equal(emulated.output, ran.output)
    assert not emulated.counts.differences(ran.counts)


def test_folding_rounds_each_modality_once_on_one_scale():
    net = quantised()
    graph = to_graph(net)
    block = dict(net.named_populations())["block1.lif1"]
    (projection,) = block.projections
    assert isinstance(projection, FusedProjection)
    shared = projection.inner.weight(None).detach().double().numpy()
    scale = block.neuron.w_scale
    found = graph.into("block1.lif1")
    assert [synapse.sources for synapse in found] == [(name,) for name in CODERS]
    for synapse, weight in zip(found, WEIGHTS):
        # Even integers: round(w / 2) * 2, within what 8 bits hold.
        exact = np.clip(2 * np.rint(np.float32(weight) * shared * scale / 2), -254, 254)
        assert np.abs(synapse.weight - exact).max() <= (2 if weight not in (0.0, 1.0) else 0), "ties may round apart"
        assert (synapse.weight == exact).mean() > 0.99
    assert not graph.into("block1.mix")[2].weight.any() and graph.into("block1.mix")[0].weight.any()


def test_a_coder_reads_its_own_channels_and_nothing_else_is_counted():
    net = quantised()
    graph, samples = to_graph(net), samples_for(net)
    with Emulator(graph) as emulator:
        counts = emulator.run(samples).counts
    for index, name in enumerate(CODERS):
        (synapse,) = graph.into(name)
        assert isinstance(synapse, Conv) and synapse.weight.shape == (4, 12, 3, 3)
        mine = slice(3 * index, 3 * index + 3)
        others = np.delete(synapse.weight, np.arange(12)[mine], axis=1)
        assert not others.any() and synapse.weight[:, mine].any()
        met = 0  # by hand: every message of these three channels meets the taps that stay inside the borders
        for _, i, m, n in np.argwhere(synapse.weight):
            rows, columns = slice(max(m - 1, 0), 8 + min(m - 1, 0)), slice(max(n - 1, 0), 20 + min(n - 1, 0))
            met += int((samples[:, i, rows, columns] != 0).sum())
        assert counts.macs[synapse.name] == 4 * met > 0


def test_the_papers_first_layer_is_four_convolutions_of_three_channels():
    """Eq. 35: n_m times FLOPs of the first layer; and what was counted still splits into its causes."""
    net = quantised()
    graph, samples = to_graph(net), samples_for(net)
    with Emulator(graph) as emulator:
        counts = emulator.run(samples).counts
    assert paper_energy_mj(graph, counts).first_layer_macs == 4 * (4 * 8 * 20) * 3 * 9
    causes = ratio_causes(graph, counts)["sc.bone"]
    assert causes is not None and causes.borders < 1 and causes.zero_weights <= 1
    assert causes.ratio == pytest.approx(causes.borders * causes.zero_weights * causes.uneven_firing)


def test_file_round_trip(tmp_path):
    net = quantised()
    graph = to_graph(net, meta={"fusion": "smf", "fusion_weights": list(net.fusion_weights)})
    write_net(graph, tmp_path / "mksgn.net")
    read = read_net(tmp_path / "mksgn.net")
    assert graphs_equal(read, graph)
    assert read.meta["fusion_weights"] == [1.0, 0.63, 0.0, 0.37]


@pytest.mark.parametrize("integers", [False, True])
def test_weights_round_trip(tmp_path, integers):
    net = quantised() if integers else lively(small_net(), samples_for(small_net())).eval()
    path = tmp_path / "weights.safetensors"
    save_network(path, net)
    other = load_network(path, quantized=integers)
    x = torch.from_numpy(samples_for(net))
    net.eval()
    assert torch.equal(net(x).logits, other(x).logits)
    assert (other.fusion.estimator is None) == integers and other.config == net.config
    with pytest.raises(ConfigError, match="does not hold"):
        load_network(path, quantized=not integers)


def test_float_and_fixed_weights_agree_where_they_must():
    """A floating-point network of fixed weights is the network of one sample with those weights."""
    net = lively(small_net(), samples_for(small_net())).eval()
    x = torch.from_numpy(samples_for(net, 1))
    with torch.no_grad():
        first, spikes = net.forward_spikes(x)
        weights = first.weights[0].tolist()
        net.fix_fusion(weights)
        second, again = net.forward_spikes(x)
    assert len({round(w, 6) for w in weights}) > 1, "equal weights prove nothing"
    assert torch.equal(spikes.fused, again.fused) and torch.equal(first.logits, second.logits)
    assert second.information is None and first.information is not None


def test_weights_that_vary_are_not_quantised():
    net = small_net()
    with pytest.raises(ConfigError, match="no integers"):
        net.quantize()
    with pytest.raises(ConfigError, match="one number per modality"):
        net.fix_fusion((1.0, 0.5))


def test_one_modality_is_as_it_was():
    net = small_net(modalities=("joint",), fusion="sum", coder_width=None)
    assert net.names[0] == "sc" and net.fusion is None and net.input_shape == (3, 8, 20)
    assert "block1.lif1" not in net.names


@pytest.mark.parametrize(("options", "message"), [
    ({"modalities": ("joint",)}, "nothing to be fused"),
    ({"modalities": ("joint", "joint")}, "different"),
    ({"modalities": (), "fusion": "sum"}, "at least one"),
    ({"fusion": "mean"}, "unknown fusion"),
    ({"fusion": "fixed"}, "need each other"),
    ({"fusion_weights": (1.0,) * 4}, "need each other"),
    ({"fusion": "fixed", "fusion_weights": (1.0, -1.0, 1.0, 1.0)}, "fusion-weights"),
    ({"fusion": "fixed", "fusion_weights": (1.0, math.nan, 1.0, 1.0)}, "fusion-weights"),
    ({"time_steps": 1}, "time steps"),
])
def test_impossible_fusions_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        small_net(**options)


def test_a_recipe_that_cannot_be_estimated_is_refused():
    with pytest.raises(ConfigError, match="time steps"):
        replace(Recipe(modality=MODALITIES, network=MkSgnConfig(fusion="smf")), early_steps=1)
