"""Networks: the fused path, SLAYER's path, the integer graph and the emulator agree on every spike."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from lively_nets import samples_for
from network_of import network_of

from mksgn.emulator import Emulator
from mksgn.errors import ConfigError
from mksgn.ir import schedule
from mksgn.nn import SpikingGraphNet
from mksgn.nn.counting import counts_spikes
from mksgn.nn.gates import GatePopulation
from mksgn.nn.graph_projections import JointMixProjection
from mksgn.nn.lowering import to_graph
from mksgn.nn.projections import ConvProjection
from mksgn.nn.slayer_backend import SlayerReference, calibrate
from mksgn.nn.synops import synops_per_rate
from mksgn.run.comparison import compare
from mksgn.skeleton import NTU25, UCLA20, spatial_partitions


def small_net(network: str, graph_conv: str, **options) -> SpikingGraphNet:
    torch.manual_seed(0)
    return network_of(**{"kind": network, "body": UCLA20, "classes": 5, "frames": 8, "widths": (6, 8, 8),
                         "strides": (1, 2, 1), "graph_conv": graph_conv, "temporal_kernel": 5, **options})


NETWORKS = [("mksgn", "layer", {}), ("mksgn", "learned", {"segments": 2}), ("mksgn", "fused", {}),
            ("base-sgn", "layer", {}), ("base-sgn", "fused", {}),
            ("mksgn", "learned", {"temporal_padding": "none", "temporal_kernel": 3, "frames": 13, "segments": 2,
                                  "residual_synapses": 4}),
            ("base-sgn", "fused", {"temporal_padding": "none", "temporal_kernel": 3, "frames": 15}),
            ("mksgn", "learned", {"temporal_padding": "none", "temporal_kernel": 3, "frames": 13, "segments": 2,
                                  "residual_synapses": 4, "time_steps": 1, "frame_state": "carried"}),
            ("base-sgn", "layer", {"time_steps": 1, "frame_state": "carried"})]


def as_if_trained(net: SpikingGraphNet) -> SpikingGraphNet:
    """Every learned mixing has weights between all joints, as after training."""
    for block in net.populations:
        for projection in block.projections:
            if isinstance(projection, JointMixProjection) and projection.synapse.weight.requires_grad:
                weight = projection.synapse.weight
                with torch.no_grad():
                    weight.add_(torch.rand(weight.shape) * 0.3)
                    block.bias.uniform_(-0.2, 0.2)
    return net


@pytest.mark.parametrize(("network", "graph_conv", "options"), NETWORKS)
@pytest.mark.parametrize("decays", [(1.0, 0.75), (0.7, 0.4)])
def test_slayer_fused_and_emulator_agree(network, graph_conv, options, decays):
    net = small_net(network, graph_conv, current_decay=decays[0], voltage_decay=decays[1], **options)
    steps = net.config.time_steps
    as_if_trained(net)
    samples = samples_for(net)
    calibrate(net, samples)
    # Statistics of a few samples leave channels almost silent; shift the biases so that everything fires.
    with torch.no_grad():
        for block in net.populations:
            if block.norm is not None:
                block.norm.bias.add_(0.4)
        calibrate(net, samples)
    net.quantize()
    slayer = SlayerReference(net).run(samples)
    with Emulator(to_graph(net)) as emulator:
        emulated = emulator.run(samples, record="spikes")
    out, fused = net.forward_spikes(torch.from_numpy(samples))
    order = tuple(net.names)
    comparison = compare(slayer, emulated, order)
    assert comparison.equal, comparison.first
    assert np.array_equal(slayer.output, emulated.output)
    active = 0
    for name in order:
        train = fused[name].unflatten(0, (-1, steps)).permute(0, 2, 3, 4, 1).detach().numpy()
        assert np.array_equal(train, slayer.spikes[name]), name
        active += slayer.spikes[name].any()
    assert active >= len(order) - 1, "a comparison of silent populations proves nothing"
    integers = out.logits.detach() * steps * net.readout.neuron.w_scale
    assert np.array_equal(np.rint(integers.numpy()).astype(np.int64), slayer.output)
    short, trains = net.forward_spikes(torch.from_numpy(samples), dtype=torch.bfloat16)
    assert all(trains[name].dtype == torch.bfloat16 and torch.equal(trains[name].float(), fused[name])
               for name in order)
    assert torch.equal(short.logits, out.logits)
    short.logits.square().sum().backward()
    gradients = [p.grad for p in net.parameters() if p.requires_grad]
    assert all(g is not None and bool(g.isfinite().all()) for g in gradients)


def test_states_are_carried_up_to_the_first_stride():
    """Neither behind it, nor in gates, nor by the head; and not by rounding's counting neurons, which remember."""
    net = small_net("mksgn", "layer", time_steps=1, frame_state="carried", segments=2)
    calibrate(net, samples_for(net))
    net.quantize("integer")
    graph = to_graph(net)
    carried = {p.name: p.neuron.carried for p in graph.populations[1:]}
    assert carried["sc"] and carried["block1.lif2"] and carried["block2.mix"]
    gates = [name for name, block in net.named_populations() if isinstance(block, GatePopulation)]
    assert not any(carried[name] for name in (*gates, "block3.lif2", "head.gap", graph.output.name)) and gates
    kv = next(block for name, block in net.named_populations() if name == "block1.sgsa.kv")
    assert kv.neuron.carried and not counts_spikes(kv)
    with pytest.raises(ConfigError, match="one time step"):
        small_net("mksgn", "layer", time_steps=2, frame_state="carried")


def test_rounding_leaves_firing_rates_where_they_were():
    """Strictly above the threshold, on a lattice of even weights, is half a unit late; quantize() takes it back."""
    torch.manual_seed(3)
    net = network_of(body=NTU25, classes=5, frames=8, widths=(128,), strides=(1,), time_steps=1, coder_width=64)
    samples = samples_for(net, 16)
    calibrate(net, samples)
    _, before = net.forward_spikes(torch.from_numpy(samples))
    folded = {name: block for name, block in net.named_populations() if block.norm is not None}
    net.quantize()
    _, after = net.forward_spikes(torch.from_numpy(samples))
    with torch.no_grad():
        for block in folded.values():
            block.bias.sub_(block.mean_overshoot())
    _, late = net.forward_spikes(torch.from_numpy(samples))
    name = "block1.lif2"
    change = [float(spikes[name].mean() / before[name].mean()) - 1 for spikes in (after, late)]
    assert abs(change[0]) < abs(change[1]) / 2 and change[1] < 0, change


def test_a_shortcut_is_raised_once_however_many_branches_it_adds_up():
    torch.manual_seed(0)
    net = network_of(kind="spike-driven", body=UCLA20, classes=5, frames=8, widths=(8, 8))
    calibrate(net, samples_for(net))
    folded = [block for _, block in net.named_populations() if block.norm is not None]
    before = {id(block): sum(part.norm.bias - part.norm.running_mean * (part.norm.running_var + part.norm.eps).rsqrt()
                             * part.norm.weight for part in (*getattr(block, "chain", ()), block)) for block in folded}
    net.quantize()
    assert any(len(getattr(block, "chain", ())) > 1 for block in folded)
    for block in folded:
        raised = (block.incoming_bias() - before[id(block)]) * block.neuron.w_scale
        torch.testing.assert_close(raised, torch.full_like(raised, 0.5), atol=1e-2, rtol=0)


def test_table_7_shapes():
    """MK-SGN's six layers at the paper's widths on NTU: 64-64-128-128-256-256 channels, stride 2 at 3 and 5."""
    net = network_of(body=NTU25, classes=60, frames=64, persons=2, widths=(64, 64, 128, 128, 256, 256),
                     strides=(1, 1, 2, 1, 2, 1))
    shapes = {name: block.shape for name, block in net.named_populations()}
    assert shapes["sc"] == (64, 64, 50)
    assert shapes["block3.stc"] == (128, 32, 50)
    assert shapes["block6.stc"] == (256, 16, 50)
    assert shapes["block6.sgsa.kv"] == (256, 16, 1)
    assert shapes["head.gap"] == (256, 1, 1)


def test_table_6_names_exist():
    names = set(small_net("mksgn", "layer").names)
    for lif in ("lif2", "sgsa.x", "sgsa.q", "sgsa.k", "sgsa.v", "sgsa.kv", "stc"):
        assert f"block2.{lif}" in names
    assert {"block2.lif1", "block2.res", "sc", "head.gap"} <= names


def test_branches_meet_in_time():
    graph = to_graph(quantized("mksgn", "layer"))
    plan = schedule(graph)
    assert plan.depth["block1.stc"] - plan.depth["sc"] == 8
    assert plan.wait["block1.stc.0", "sc"] == 7
    for synapse in graph.synapses:
        for source in synapse.sources:
            wait = plan.wait[synapse.name, source]
            assert plan.depth[source] + wait + 1 == plan.depth[synapse.target]


def quantized(network: str, graph_conv: str) -> SpikingGraphNet:
    net = small_net(network, graph_conv)
    calibrate(net, samples_for(net))
    net.quantize()
    return net


@pytest.mark.parametrize("mode", ["float", "quantised"])
@pytest.mark.parametrize("graph_conv", ["layer", "learned"])
def test_every_trained_parameter_gets_a_gradient(mode, graph_conv):
    net = small_net("mksgn", graph_conv)
    samples = samples_for(net, 6)
    calibrate(net, samples)
    if mode == "quantised":
        net.quantize()
    net.train()
    out = net(torch.from_numpy(samples))
    (out.logits.square().sum() + out.rate).backward()
    missing = [name for name, p in net.named_parameters() if p.requires_grad and p.grad is None]
    assert not missing
    assert all(p.grad is None for p in net.parameters() if not p.requires_grad)


def test_folding_keeps_the_function():
    """Folding alone changes nothing; rounding moves few spikes of an early population."""
    net = small_net("mksgn", "layer")
    samples = samples_for(net, 8)
    calibrate(net, samples)
    _, before = net.forward_spikes(torch.from_numpy(samples))
    net.quantize()
    _, after = net.forward_spikes(torch.from_numpy(samples))
    agreement = (before["block1.lif2"] == after["block1.lif2"]).float().mean()
    assert agreement > 0.95


def test_gates_are_logic():
    net = quantized("mksgn", "layer")
    _, spikes = net.forward_spikes(torch.from_numpy(samples_for(net)))
    prefix = "block2.sgsa"
    k, v = spikes[f"{prefix}.k"], spikes[f"{prefix}.v"]
    assert torch.equal(spikes[f"{prefix}.k_and_v"], k * v)
    joined = torch.maximum(spikes["block2.lif1"], spikes["block2.lif2"])
    assert torch.equal(spikes[f"{prefix}.x"], joined)


@pytest.mark.parametrize(("options", "message"), [
    ({"graph_conv": "sparse"}, "graph_conv"),
    ({"temporal_kernel": 4}, "odd"),
    ({"strides": (1, 2)}, "one width and one stride"),
])
def test_impossible_networks_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        small_net("mksgn", **{"graph_conv": "layer", **options})


def test_a_learned_graph_starts_from_the_skeleton_and_is_counted_whole():
    """Untrained it is the fixed graph; trained, each joint reaches every other."""
    fixed, learned = small_net("base-sgn", "layer"), small_net("base-sgn", "learned")
    samples = torch.from_numpy(samples_for(fixed))
    assert torch.equal(fixed.eval()(samples).logits, learned.eval()(samples).logits)
    trained = [name for name, p in learned.named_parameters() if p.requires_grad]
    assert len(trained) == len([name for name, p in fixed.named_parameters() if p.requires_grad]) + 2 * 3
    joints, (_, frames, _) = UCLA20.num_joints, learned.populations[0].shape
    spread = 2 * joints - np.count_nonzero(spatial_partitions(UCLA20)[1:]) / joints  # more edges per spike, on average
    more = {name: synops_per_rate(learned)[name] - count for name, count in synops_per_rate(fixed).items()}
    assert more["sc"] == pytest.approx(4 * 6 * frames * joints * spread)


def test_segments_of_the_sequence_are_averaged_apart():
    net = small_net("mksgn", "layer", segments=2)
    samples = samples_for(net)
    calibrate(net, samples)
    _, spikes = net.eval().forward_spikes(torch.from_numpy(samples))
    last, projection = spikes["block3.stc"], net.populations[-1].projections[0]
    halves = torch.stack([part.mean((2, 3)) for part in last.chunk(2, dim=2)], dim=2)
    assert last.shape[2] == 4 and last.any()
    assert torch.allclose(projection.drive(spikes, None)[..., 0], halves, atol=1e-6)
    assert net.readout.projections[0].weight(None).shape == (5, 2 * 8)
    with pytest.raises(ConfigError, match="segments"):
        small_net("mksgn", "layer", segments=3)


def test_integers_do_not_depend_on_what_ran_before():
    """The sums of T steps must fit, whether the network has run T of them, fewer (early training) or none."""
    scales, integers = [], []
    for before in (None, 4, 1):
        net = small_net("base-sgn", "layer", frames=2, widths=(4, 300), strides=(1, 1)).eval()
        with torch.no_grad():
            net.readout.projections[0].synapse.weight.uniform_(0.85, 0.95, generator=torch.Generator().manual_seed(1))
        if before is not None:
            net.steps = before
            net(torch.from_numpy(samples_for(net)))
        net.quantize()
        scales.append(net.scales())
        integers.append(to_graph(net).synapses[-1].weight)
    assert scales[0] == scales[1] == scales[2]
    # 300 weights of about 0.9 over 4 steps: 1080 * 64 fits into 17 bits and 1080 * 128 does not.
    assert scales[0][-1] == 64
    assert np.array_equal(integers[0], integers[1]) and np.array_equal(integers[0], integers[2])


def test_a_network_is_quantised_once():
    net = quantized("base-sgn", "layer")
    with pytest.raises(ConfigError, match="already"):
        net.quantize()


def test_fine_tuning_may_drive_the_biases_of_the_coder_beyond_their_width():
    """Bias per channel and bias per joint add up to one mantissa: their sum saturates, in every path alike."""
    net = quantized("mksgn", "layer")
    samples = samples_for(net)
    coder = net.populations[0]
    limit = 4095 / coder.neuron.w_scale
    with torch.no_grad():
        coder.bias.fill_(0.7 * limit)
        coder.joint_bias.fill_(0.6 * limit)
        coder.joint_bias[1].fill_(-0.6 * limit)
        coder.bias[2], coder.joint_bias[2] = -0.8 * limit, torch.full_like(coder.joint_bias[2], -0.9 * limit)
    graph = to_graph(net)
    assert {int(b) for b in graph.populations[1].bias[[0, 2]].flatten()} == {4095, -4095}
    assert not np.isin(graph.populations[1].bias[1], (4095, -4095)).any()
    with Emulator(graph) as emulator:
        emulated = emulator.run(samples, record="spikes")
    slayer = SlayerReference(net).run(samples)
    comparison = compare(slayer, emulated, tuple(net.names))
    assert comparison.equal, comparison.first
    _, fused = net.forward_spikes(torch.from_numpy(samples))
    train = fused["sc"].unflatten(0, (-1, 4)).permute(0, 2, 3, 4, 1).detach().numpy()
    assert np.array_equal(train, slayer.spikes["sc"])


@pytest.mark.parametrize(("channels", "stride"), [(4, (2, 1)), (6, (2, 2)), (16, (2, 1))])
def test_a_strided_pointwise_convolution_skips_first(channels, stride):
    """The same sums as torch's own; of fewer than 8 channels that one corrupts memory on AVX2 (torch 2.3, oneDNN)."""
    torch.manual_seed(0)
    projection = ConvProjection(("a",), channels, channels + 2, stride=stride)
    x = torch.randint(0, 2, (6, channels, 9, 20)).float()
    weight = projection.weight(None)
    expected = torch.einsum("oi,nifv->nofv", weight[..., 0, 0], x[:, :, :: stride[0], :: stride[1]])
    for _ in range(20):
        found = projection.current(x.contiguous(memory_format=torch.channels_last), None)
        found.sum().backward()
        torch.testing.assert_close(found, expected)
    assert projection.synapse.weight.grad.abs().sum() > 0
