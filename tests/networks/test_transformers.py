"""Spikformer and Spike-driven Transformer: sizes, equations, exactness, and their graphs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lively_nets import lively, samples_for
from network_of import network_of
from programs import Program
from random_graphs import random_messages
from reference import simulate
from slayer_and_emulator import agree_after_a_file
from written_graphs import sparse_even

from mksgn.data.pack import save_pack
from mksgn.data.readers import read
from mksgn.data.splits import split
from mksgn.data.synthetic import synthetic_pack
from mksgn.emulator import Emulator
from mksgn.errors import ConfigError
from mksgn.ir import Conv, Cuba, Graph, Population, schedule
from mksgn.ir.equality import graphs_equal
from mksgn.ir.graph import VTH_MAX
from mksgn.limits import option
from mksgn.networks import DataShape
from mksgn.netx import read_net
from mksgn.nn import SpikingGraphNet
from mksgn.nn.lowering import to_graph
from mksgn.nn.population import SpikingPopulation
from mksgn.nn.product import product
from mksgn.nn.projections import PoolProjection
from mksgn.nn.shortcut import ShortcutPopulation
from mksgn.nn.spikes import Spikes
from mksgn.nn.tokens import TokenSumPopulation
from mksgn.run.comparison import compare
from mksgn.skeleton import NTU25, UCLA20
from mksgn.training.batches import preprocessed
from mksgn.training.checkpoint import load_checkpoint, save_checkpoint
from mksgn.training.network_file import load_network, save_network
from mksgn.training.recipe import PRESETS
from mksgn.training.run_files import read_state

TRANSFORMERS = ("spikformer", "spike-driven")


def small_net(transformer: str, **options) -> SpikingGraphNet:
    torch.manual_seed(0)
    heads = {"heads": 2} if transformer == "spikformer" else {}
    return network_of(**{"kind": transformer, "body": UCLA20, "classes": 5, "frames": 6, "widths": (8, 8), **heads,
                         **options})


def quantized(transformer: str, **options) -> SpikingGraphNet:
    net = small_net(transformer, **options)
    lively(net, samples_for(net)).quantize()
    return net


def in_slayer_layout(train: torch.Tensor) -> np.ndarray:
    return train.unflatten(0, (-1, 4)).permute(0, 2, 3, 4, 1).detach().numpy()


# ---------------------------------------------------------------------- sizes
@pytest.mark.parametrize("network", TRANSFORMERS)
def test_the_paper_s_parameters(network):
    """4.78 M (Tables 1 and 2), counted by hand from Table 7: SPS, six blocks of 4 C^2 + 2 (4 C^2), classifier."""
    recipe = PRESETS[f"{network}-256"]
    net = SpikingGraphNet(recipe.network, DataShape(body=NTU25, classes=60, frames=recipe.frames))
    found = sum(p.numel() for p in net.parameters() if p.requires_grad)
    c = 256
    norms = 4 * 2 * c + 2 * 4 * c + 2 * c
    attention_norm = 2 * c
    by_hand = (3 * 9 * c + 2 * c + 25 * c + 6 * (12 * c * c + norms + attention_norm) + 2 * c + 60 * (c + 1))
    assert found == by_hand
    assert round(found / 1e6, 2) == 4.78


@pytest.mark.parametrize("network", TRANSFORMERS)
def test_presets_are_networks(network):
    for preset in (network, f"{network}-256"):
        config = PRESETS[preset].network
        assert (config.name, len(config.widths), len(set(config.widths))) == (network, 6, 1)
    assert PRESETS["mksgn"].network.name == "mksgn"


@pytest.mark.parametrize(("options", "message"), [
    ({"widths": (8, 16)}, "one width"),
    ({"widths": ()}, "at least one layer"),
    ({"kind": "spikformer", "heads": 3}, "heads"),
    ({"modalities": ("joint", "bone")}, "one modality"),
])
def test_impossible_transformers_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        network_of(**{"kind": "spike-driven", "body": UCLA20, "classes": 5, "frames": 6, "widths": (8, 8), **options})


@pytest.mark.parametrize("name", ["strides", "graph_conv", "coder_width", "fusion"])
def test_a_transformer_has_no_choices_of_graph_convolutions(name):
    for network in TRANSFORMERS:
        with pytest.raises(ConfigError, match="means nothing") as caught:
            PRESETS[network].with_options(**{name: "layer"})
        assert "mksgn or base-sgn" in caught.value.allowed and option(name) in caught.value.what


# ---------------------------------------------------------------------- equations
@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([(2, 1, 2, 3), (4, 2, 1, 3), (6, 3, 2, 2), (4, 4, 3, 1)]))
def test_product_is_spikformer_s_attention(seed, sizes):
    """Q K^T V, the publication's order, in nested loops."""
    channels, heads, frames, joints = sizes
    q, k, v = torch.from_numpy((np.random.default_rng(seed).random((3, 2, channels, frames, joints)) < 0.5) * 1.0)
    found = product(q, k, v, heads).numpy()
    flat = [x.reshape(2, heads, channels // heads, frames * joints).numpy() for x in (q, k, v)]
    for b in range(2):
        for h in range(heads):
            queries, keys, values = (x[b, h].T for x in flat)  # tokens x channels of the head
            attention = [[sum(a * c for a, c in zip(one, other)) for other in keys] for one in queries]
            for n, row in enumerate(attention):
                for d in range(channels // heads):
                    expected = sum(weight * values[m][d] for m, weight in enumerate(row))
                    assert found[b, h * (channels // heads) + d, n // joints, n % joints] == expected


def test_sdsa_masks_q_by_a_sum_over_all_tokens():
    net = quantized("spike-driven")
    _, spikes = net.forward_spikes(torch.from_numpy(samples_for(net)))
    q, k, v, kv, out = (spikes[f"block2.sdsa.{name}"] for name in ("q", "k", "v", "kv", "out"))
    assert kv.shape[1:] == (8, 1, 1)
    assert torch.equal(out, q * kv)
    assert 0 < out.sum() < q.sum(), "a mask that masks nothing, or all, proves nothing"
    block = dict(net.named_populations())["block2.sdsa.kv"]
    weight = block.projections[0].weight(block.neuron.quantize_8bit)[:, 0, 0, 0].double()
    current = (k * v).sum(dim=(2, 3)).double() * weight + block.quantized_bias(block.bias).double()
    assert torch.equal(kv[::4, :, 0, 0] > 0, current[::4] > 1.0), "at the first step v is the current and the bias"


@pytest.mark.parametrize("mode", ["float", "quantised"])
def test_shortcuts_add_membrane_currents(mode):
    """U_n = U_(n-1) + BN(W s) with U_0 the coder's spikes, and LIF(U_n), as published, written out step by step."""
    net = small_net("spike-driven")
    x = torch.from_numpy(samples_for(net))
    lively(net, x.numpy())
    if mode == "quantised":
        net.quantize()
    _, spikes = net.forward_spikes(x)
    chain = [(name, block) for name, block in net.named_populations() if isinstance(block, ShortcutPopulation)]
    assert [name for name, _ in chain] == ["block1.mlp.x", "block2.x", "block2.mlp.x", "head.x"]
    u = spikes["sc"].double()
    for (name, block), branch in zip(chain, ("block1.sdsa.out", "block1.mlp.h", "block2.sdsa.out", "block2.mlp.h")):
        hook = block.neuron.quantize_8bit if mode == "quantised" else None
        drive = torch.einsum("oi,nifv->nofv", block.projections[0].weight(hook)[:, :, 0, 0].double(),
                             spikes[branch].double())
        if block.norm is None:
            drive = drive + block.bias.double()[:, None, None]
        else:
            norm = block.norm
            drive = torch.nn.functional.batch_norm(drive, norm.running_mean.double(), norm.running_var.double(),
                                                   norm.weight.double(), norm.bias.double(), eps=norm.eps)
        u = u + drive
        current = u.unflatten(0, (-1, 4))
        v, fired = torch.zeros_like(current[:, 0]), []
        for t in range(4):
            v = 0.25 * v + current[:, t]
            fired.append((v > 1.0).double())
            v = v * (1 - fired[-1])
        expected = torch.stack(fired, 1).flatten(0, 1)
        different = (expected != spikes[name]).double().mean()
        # In float the sums round; as integers only the bias does, which is added once per branch here and once in all.
        assert different < 0.01, name
        assert 0.05 < expected.mean() < 0.95


def test_a_branch_is_the_same_integers_wherever_it_goes():
    net = quantized("spike-driven")
    graph = to_graph(net)
    into = {name: {s.sources[0]: s.weight for s in graph.into(name)} for name in ("block1.mlp.x", "block2.x", "head.x")}
    assert list(into["head.x"]) == ["sc", "block1.sdsa.out", "block1.mlp.h", "block2.sdsa.out", "block2.mlp.h"]
    for name, weights in into.items():
        for source, weight in weights.items():
            np.testing.assert_array_equal(weight, into["head.x"][source], err_msg=f"{source} -> {name}")
    assert len({graph[name].neuron.vth for name in into}) == 1


def test_the_price_of_the_shortcut():
    """Six blocks: 42 + 36 synapses for 12 branches, and the coder's spikes wait for the last of them."""
    net = quantized("spike-driven", widths=(8,) * 6, frames=2)
    graph = to_graph(net)
    shortcuts = {name for name, block in net.named_populations() if isinstance(block, ShortcutPopulation)}
    read = [s.sources[0].split(".")[1] for s in graph.synapses if s.target in shortcuts and s.sources[0] != "sc"]
    assert len(shortcuts) == 12
    assert (read.count("sdsa"), read.count("mlp")) == (42, 36)
    times = schedule(graph)
    assert times.wait["head.x.0", "sc"] == 7 * 6 - 1
    assert times.latency == 45
    scales = dict(zip(net.names, net.scales()))
    assert scales["sc"] >= 64 * scales["head.x"], "a current of coordinates and currents of spikes share no scale"
    assert len({scales[name] for name in shortcuts}) == 1


# ---------------------------------------------------------------------- exactness
@pytest.mark.parametrize("transformer", TRANSFORMERS)
@pytest.mark.parametrize("decays", [(1.0, 0.75), (0.7, 0.4)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_fused_and_slayer_agree(transformer, decays, dtype):
    net = quantized(transformer, current_decay=decays[0], voltage_decay=decays[1])
    x = torch.from_numpy(samples_for(net))
    out, fused = net.forward_spikes(x, dtype=dtype)
    logits, slayer = net.forward_slayer(x)
    fired = 0
    for name in net.names:
        assert np.array_equal(in_slayer_layout(fused[name].float()), slayer[name].numpy()), name
        fired += bool(slayer[name].any())
    assert fired == len(net.names), "a comparison of silent populations proves nothing"
    assert torch.equal((out.logits.detach() * 4 * net.readout.neuron.w_scale).round(), logits)


@pytest.mark.parametrize("decays", [(1.0, 0.75), (0.7, 0.4)])
def test_slayer_and_emulator_agree_also_after_a_file(decays, tmp_path):
    net = quantized("spike-driven", current_decay=decays[0], voltage_decay=decays[1])
    agree_after_a_file(net, samples_for(net), tmp_path)


@pytest.mark.lava
@pytest.mark.slow
@pytest.mark.parametrize("layout", ["blocks", "stock"])
def test_lava_agrees_on_real_samples(layout, nw_ucla_path):
    """Every spike of every population, and in blocks u and v; branches wait up to 13 steps for the last one."""
    from mksgn.run.registry import open_backend

    pack = read(nw_ucla_path)
    net = small_net("spike-driven", widths=(4, 4), classes=len(pack.class_names))
    recipe = PRESETS["spike-driven"].with_options(frames=6)
    samples = preprocessed(pack, split(pack, val_subjects=()).test[:8], recipe.preprocess(pack))
    lively(net, samples).quantize()
    record = "states" if layout == "blocks" else "spikes"
    with Emulator(to_graph(net)) as emulator:
        expected = emulator.run(samples[:2], record=record)
    with open_backend("lava", to_graph(net), layout=layout) as lava:
        found = lava.run(samples[:2], record=record)
    result = compare(expected, found, tuple(net.names))
    assert result.equal, result.first
    assert np.array_equal(expected.output, found.output)
    assert all(expected.spikes[name].any() for name in net.names if not name.startswith("head.gap"))


def test_sums_over_all_tokens_stay_within_u():
    """All of 640 neurons fire at once: u would wrap, and SLAYER's would not, had the scale not been bounded."""
    shape = (2, 32, 20)
    decays = {"current_decay": 1.0, "voltage_decay": 0.75}
    block = TokenSumPopulation("all", shape, decays)
    unbounded = SpikingPopulation((2, 1, 1), [PoolProjection(("all",), 2, shape[1:])], **decays)
    for one in (block, unbounded):
        with torch.no_grad():
            one.norm.weight.copy_(torch.tensor([317.5, -317.5]))
        one.quantize()
    reach = [float(b.projections[0].weight(b.neuron.quantize_8bit).abs().max()) * b.neuron.w_scale * 640
             for b in (block, unbounded)]
    assert reach[0] <= VTH_MAX * 0.75 < reach[1]
    population, (synapse,) = block.to_ir("sum")
    graph = Graph((Population("all", shape, role="input"), population), (synapse,), 4)
    ones = np.ones((1, *shape), np.int8)
    spikes = block.forward_slayer(Spikes({"all": torch.ones(1, *shape, 4)})).detach()
    with Emulator(graph) as emulator:
        assert np.array_equal(emulator.run(ones, record="spikes").spikes["sum"], spikes.numpy())
    assert spikes.mean() == 0.5


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 4), st.booleans(), st.booleans())
def test_broadcast_is_its_equation(seed, frames, joints, uniform, gated):
    """One neuron to all joints of all frames by a padded convolution, in the emulator's own loop or outside it."""
    rng = np.random.default_rng(seed)
    weight = np.broadcast_to(sparse_even(rng, 3, 1, 1, 1, zeros=0.0), (3, 1, frames, joints)).copy()
    if not uniform:
        weight = sparse_even(rng, *weight.shape)
    shape = (3, frames, joints)
    eye = sparse_even(rng, 3, 1, 1, 1)
    populations = [Population("in", (3, 1, 1), role="input"), Population("relay", (3, 1, 1), Cuba(40)),
                   Population("spread", shape, Cuba(60)), Population("gate", shape, Cuba(90, 4096, 4096))]
    padding = (frames - 1, joints - 1)
    synapses = [Conv("r", ("in",), "relay", eye, groups=3),
                Conv("s", ("relay",), "spread", weight, padding=padding, groups=3),
                Conv("g", ("relay" if gated else "in",), "gate", weight, padding=padding, groups=3),
                Conv("h", ("spread",), "gate", np.abs(eye), groups=3)]
    graph = Graph(tuple(populations), tuple(synapses), 4)
    x = random_messages(graph, 2, seed, 4)
    with Emulator(graph, kernel="dense") as emulator:
        result = emulator.run(x, record="spikes")
    slow = simulate(graph, x)
    for name in ("relay", "spread", "gate"):
        np.testing.assert_array_equal(result.spikes[name], slow.spikes[name])
    for name, synops in result.counts.sample_synops.items():
        np.testing.assert_array_equal(synops, slow.events[name])


# ---------------------------------------------------------------------- training
@pytest.mark.parametrize("transformer", TRANSFORMERS)
@pytest.mark.parametrize("mode", ["float", "quantised"])
def test_every_trained_parameter_gets_a_gradient(transformer, mode):
    net = small_net(transformer)
    samples = samples_for(net, 4)
    lively(net, samples)
    if mode == "quantised":
        net.quantize()
    net.train()
    out = net(torch.from_numpy(samples))
    (out.logits.square().sum() + out.rate).backward()
    trained = {name: p.grad for name, p in net.named_parameters() if p.requires_grad}
    assert not [name for name, grad in trained.items() if grad is None]
    silent = [name for name, grad in trained.items() if not grad.any()]
    assert len(silent) <= len(trained) // 10, silent
    assert all(p.grad is None for p in net.parameters() if not p.requires_grad)


@pytest.mark.parametrize("transformer", TRANSFORMERS)
def test_batch_norm_of_a_branch_normalises(transformer):
    """In training mode a batch's own statistics count, and the running ones move towards them."""
    net = small_net(transformer)
    net.train()
    before = {name: buffer.clone() for name, buffer in net.named_buffers() if "running" in name}
    net(torch.from_numpy(samples_for(net)))
    moved = [name for name, buffer in net.named_buffers() if name in before and not torch.equal(buffer, before[name])]
    assert len(moved) == len(before)


@pytest.mark.parametrize("transformer", TRANSFORMERS)
def test_quantised_training_continues_from_a_checkpoint_to_the_bit(transformer, tmp_path):
    """Scales are shared along the shortcut, so they must come back with the weights."""
    x = torch.from_numpy(samples_for(small_net(transformer)))

    def train_step(net, optimiser):
        net.train()
        net(x).logits.square().mean().backward()
        optimiser.step()
        optimiser.zero_grad()

    net = quantized(transformer)
    optimiser = torch.optim.AdamW([p for p in net.parameters() if p.requires_grad], lr=1e-3)
    train_step(net, optimiser)
    save_checkpoint(tmp_path / "c.safetensors", net, optimiser, {"scales": net.scales()})
    train_step(net, optimiser)
    other = small_net(transformer)
    other.quantize()
    again = torch.optim.AdamW([p for p in other.parameters() if p.requires_grad], lr=1e-3)
    load_checkpoint(tmp_path / "c.safetensors", other, again)
    other.set_scales(read_state(tmp_path / "c.safetensors")["scales"])
    train_step(other, again)
    for (name, value), restored in zip(net.state_dict().items(), other.state_dict().values()):
        assert torch.equal(value, restored), name
    save_network(tmp_path / "w.safetensors", net)
    loaded = load_network(tmp_path / "w.safetensors")
    net.eval()
    assert torch.equal(loaded(x).logits, net(x).logits)
    assert loaded.config.name == transformer


# ---------------------------------------------------------------------- export
@pytest.mark.parametrize("network", TRANSFORMERS)
def test_train_slayer_trains_both(network, capsys, monkeypatch, tmp_path):
    """A tiny run to the end: mksgn.net, weights and accuracies."""
    save_pack(synthetic_pack(60), tmp_path / "small.npz")
    program = Program("train/train_slayer.py", capsys, monkeypatch, tmp_path)
    done = program("--preset", network, "--data", tmp_path / "small.npz", "--widths", *[8] * 6, "--frames", 6,
                   "--batch", 32, "--epochs", 1, "--tune-epochs", 1, "--device", "cpu", "--out", tmp_path / "run")
    assert done.code == 0, done.err
    assert "synthetic: 24 train, 24 val, 12 test" in " ".join(done.out.split())
    final = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    assert set(final["final"]) == {"accuracy_float", "accuracy_integer"}
    assert 0 < final["mean_rate"] < 0.5
    net = load_network(tmp_path / "run" / "weights.safetensors")
    assert net.config.name == network
    graph = read_net(Path(tmp_path / "run" / "mksgn.net"))
    assert graphs_equal(graph, to_graph(net, graph.meta))
