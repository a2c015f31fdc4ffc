"""Networks side by side in one graph: every member's own spikes, and the sum of their logits."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from lava_runs import check_layout
from lively_nets import lively, samples_for
from network_of import network_of

from mksgn.data.preprocess import MODALITIES
from mksgn.emulator import Emulator
from mksgn.errors import ConfigError
from mksgn.ir import graphs_equal
from mksgn.netx import read_net, write_net
from mksgn.nn import SpikingGraphNet
from mksgn.nn.ensemble import ensemble_graph
from mksgn.nn.slayer_backend import SlayerReference
from mksgn.skeleton import UCLA20


def member(seed: int, gain: float = 1.0, **choices) -> SpikingGraphNet:
    """A quantised network; ``gain`` multiplies its classifier, and so changes the scale of its logits."""
    torch.manual_seed(seed)
    net = network_of(**{"body": UCLA20, "classes": 5, "frames": 8, "widths": (8, 12), "strides": (1, 2),
                        "time_steps": 1, **choices})
    lively(net, samples_for(net, 6)).eval()
    with torch.no_grad():
        net.readout.projections[0].synapse.weight.mul_(gain)
        net.readout.bias.uniform_(-gain, gain)
    net.quantize()
    return net


@pytest.fixture(scope="module", params=[1, 2], ids=["T=1", "T=2"])
def nets(request) -> list[SpikingGraphNet]:
    return [member(0, time_steps=request.param), member(1, 9.0, time_steps=request.param),
            member(2, time_steps=request.param, kind="base-sgn")]


def test_members_keep_their_spikes_and_logits_add_up(nets):
    x = samples_for(nets[0], 4)
    graph = ensemble_graph(nets)
    scales = [net.readout.neuron.w_scale for net in nets]
    assert len(set(scales)) > 1, "the test needs classifiers of different scales"
    with Emulator(graph) as emulator:
        together = emulator.run(x, record="spikes")
    total = np.zeros((len(x), 5))
    for number, net in enumerate(nets, 1):
        alone = copy.deepcopy(net)
        alone.readout.neuron.rescale(min(scales))
        slayer = SlayerReference(alone).run(x)
        for name in net.names:
            np.testing.assert_array_equal(together.spikes[f"net{number}-{name}"], slayer.spikes[name])
        total += slayer.output
    np.testing.assert_array_equal(together.output, total)
    assert [net.readout.neuron.w_scale for net in nets] == scales, "members are not changed"


def test_each_member_counts_as_much_as_its_logits_say(nets):
    """The sum is that of the members' logits, up to what rounding the classifiers anew can move."""
    x = samples_for(nets[0], 4)
    graph = ensemble_graph(nets)
    with Emulator(graph) as emulator:
        together = emulator.run(x).output
    scale = min(net.readout.neuron.w_scale for net in nets)
    with torch.no_grad():
        expected = sum(net(torch.from_numpy(x)).logits.numpy() for net in nets) * nets[0].config.time_steps
    inputs = sum(net.readout.projections[0].weight(None).shape[1] for net in nets) * nets[0].config.time_steps
    assert np.abs(together / scale - expected).max() <= (inputs + len(nets)) * 1.0 / scale
    assert graph.meta["logit_scale"] == scale * nets[0].config.time_steps * len(nets), "one logit of their mean"


def test_a_file_holds_it(nets, tmp_path):
    graph = ensemble_graph(nets, {"members": ["a", "b", "c"]})
    write_net(graph, tmp_path / "e.net")
    assert graphs_equal(read_net(tmp_path / "e.net"), graph)


def test_the_sum_fits_the_chip():
    """Logits that fit alone may not fit together: the scale goes down until their sum does."""
    nets = [member(0, 400.0), member(1, 400.0), member(2, 400.0)]
    scale = min(net.readout.neuron.w_scale for net in nets)
    graph = ensemble_graph(nets)
    reach = sum(np.abs(s.weight.astype(int)).sum(1) for s in graph.into("head.fc")) + np.abs(graph.output.bias)
    assert reach.max() <= (1 << 17) + 64 * len(nets), scale


@pytest.mark.slow
@pytest.mark.lava
@pytest.mark.timeout(300)
@pytest.mark.parametrize("layout", ["blocks", "layers"])
def test_lava_runs_one_time_step_exactly(layout):
    """T = 1: neurons reset at every step, and a sample leaves at each."""
    nets = [member(seed, modalities=MODALITIES[:2], widths=(8,), strides=(1,)) for seed in (0, 1)]
    check_layout(ensemble_graph(nets), samples_for(nets[0], 3), layout)


@pytest.mark.parametrize(("second", "message"), [
    ({"classes": 4}, "classes"), ({"time_steps": 2}, "their T"), ({"frames": 16}, "input"),
    ({"modalities": MODALITIES}, "input"),
])
def test_members_that_do_not_fit(second, message):
    with pytest.raises(ConfigError, match=message):
        ensemble_graph([member(0), member(1, **second)])


def test_one_network_or_none_is_no_ensemble():
    with pytest.raises(ConfigError, match="two networks"):
        ensemble_graph([member(0)])
    with pytest.raises(ConfigError, match="quantised"):
        ensemble_graph([member(0), SpikingGraphNet(member(0).config, member(0).data)])
