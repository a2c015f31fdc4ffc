"""MK-SGN with Eq. 10 as printed, and Spikformer: SLAYER, the file and the emulator agree on every spike."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from lively_nets import lively, samples_for
from network_of import network_of
from slayer_and_emulator import agree_after_a_file

from mksgn.errors import ConfigError
from mksgn.ir import Attention
from mksgn.ir.graph import STATE_MAX
from mksgn.nn import SpikingGraphNet
from mksgn.nn.lowering import to_graph
from mksgn.nn.product import product
from mksgn.nn.synops import synops_per_rate
from mksgn.skeleton import UCLA20

CHOICES = {
    "mksgn": {"kind": "mksgn", "attention": "qkv", "widths": (5, 7), "strides": (1, 2)},
    "mksgn, heads": {"kind": "mksgn", "attention": "qkv", "heads": 3, "widths": (9, 6), "strides": (1, 1)},
    "spikformer": {"kind": "spikformer", "heads": 4, "widths": (8, 8)},
}


def quantized(name: str, **options) -> SpikingGraphNet:
    torch.manual_seed(0)
    net = network_of(**{"body": UCLA20, "classes": 5, "frames": 6, **CHOICES[name], **options})
    lively(net, samples_for(net)).quantize()
    return net


@pytest.mark.parametrize("decays", [(1.0, 0.75), (0.7, 0.4)])
@pytest.mark.parametrize("name", CHOICES)
def test_slayer_and_emulator_agree_after_a_file(name, decays, tmp_path):
    net = quantized(name, current_decay=decays[0], voltage_decay=decays[1])
    graph, emulated = agree_after_a_file(net, samples_for(net), tmp_path)
    attentions = [synapse for synapse in graph.synapses if isinstance(synapse, Attention)]
    assert len(attentions) == 2 and all(synapse.weight.any() for synapse in attentions)
    for synapse in attentions:
        fired = emulated.spikes[synapse.target].mean()
        assert 0 < fired < 1, "attention that is always or never there proves nothing"
        assert emulated.counts.products[synapse.name] > 0
        # Even if all spiked at once, no current would wrap: SLAYER's do not.
        assert np.abs(emulated.u[synapse.target]).max() < STATE_MAX


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", CHOICES)
def test_fused_and_slayer_agree(name, dtype):
    net = quantized(name)
    x = torch.from_numpy(samples_for(net))
    out, fused = net.forward_spikes(x, dtype=dtype)
    logits, slayer = net.forward_slayer(x)
    for each in net.names:
        train = fused[each].float().unflatten(0, (-1, 4)).permute(0, 2, 3, 4, 1).detach()
        assert torch.equal(train, slayer[each]), each
    assert torch.equal((out.logits.detach() * 4 * net.readout.neuron.w_scale).round(), logits)


def test_each_frame_attends_for_itself():
    q, k, v = torch.from_numpy((np.random.default_rng(1).random((3, 2, 6, 3, 5)) < 0.5) * 1.0)
    apart = product(q, k, v, 2, across_frames=False)
    for frame in range(3):
        own = [x[:, :, frame:frame + 1] for x in (q, k, v)]
        assert torch.equal(apart[:, :, frame:frame + 1], product(*own, 2))


def test_the_price_of_a_spike_holds_its_products():
    """Every spike of q, k and v meets a product neuron for each channel of its head."""
    net = quantized("mksgn, heads")
    per_rate = synops_per_rate(net)
    masked = network_of(body=UCLA20, classes=5, frames=6, widths=(9, 6), strides=(1, 1))
    neurons = int(np.prod(net.populations[net.names.index("block1.sgsa.q")].shape))
    assert per_rate["block1.sgsa.q"] == net.config.time_steps * neurons * 9 // 3
    assert synops_per_rate(masked)["block1.sgsa.q"] == net.config.time_steps * neurons


def test_the_masking_form_is_the_default_and_has_no_heads():
    plain = network_of(body=UCLA20, classes=5, frames=6, widths=(5, 7), strides=(1, 2))
    assert "block1.sgsa.k_and_v" in plain.names and "block1.sgsa.kv" in plain.names
    lively(plain, samples_for(plain)).quantize()
    assert not any(isinstance(synapse, Attention) for synapse in to_graph(plain).synapses)
    for options, message in (({"heads": 5}, "masks have no heads"),
                             ({"attention": "qkv", "heads": 5}, "heads must divide every width")):
        with pytest.raises(ConfigError, match=message):
            network_of(body=UCLA20, classes=5, frames=6, widths=(5, 7), strides=(1, 2), **options)
