"""A residual of parallel synapses: finer trained weights beside it, the same float network, exact everywhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from lively_nets import lively
from network_of import network_of

from mksgn.data.preprocess import Preprocess
from mksgn.emulator import Emulator
from mksgn.errors import ConfigError
from mksgn.ir import graphs_equal
from mksgn.netx import read_net, write_net
from mksgn.nn import SpikingGraphNet
from mksgn.nn.lowering import to_graph
from mksgn.nn.slayer_backend import SlayerReference
from mksgn.nn.synops import synops_per_rate
from mksgn.run.comparison import compare
from mksgn.training.batches import preprocessed
from mksgn.training.network_file import load_network, load_weights, save_network

TRAIN = np.arange(0, 60, 2)


def network(pack, parallel: int, **choices) -> SpikingGraphNet:
    torch.manual_seed(0)
    return network_of(body=pack.body, classes=len(pack.class_names), frames=8, widths=(8, 8), strides=(1, 2),
                      time_steps=2, residual_synapses=parallel, **choices)


def samples(pack) -> np.ndarray:
    return preprocessed(pack, TRAIN[:4], Preprocess(frames=8))


@pytest.fixture(params=["mksgn", "base-sgn"])
def pair(request, pack, tmp_path) -> tuple[SpikingGraphNet, SpikingGraphNet]:
    """The same float weights with one synapse per residual, and with four."""
    one = lively(network(pack, 1, kind=request.param), preprocessed(pack, TRAIN, Preprocess(frames=8)))
    save_network(tmp_path / "float.safetensors", one)
    four = network(pack, 4, kind=request.param)
    load_weights(four, tmp_path / "float.safetensors")
    return one.eval(), four.eval()


def test_the_float_network_is_the_same(pair, pack):
    x = torch.from_numpy(samples(pack))
    assert torch.equal(pair[0](x).logits, pair[1](x).logits)


def residuals(graph) -> dict[str, list[int]]:
    """Weights of the synapses of every identity residual, by the population they end in."""
    found: dict[str, list[int]] = {}
    for synapse in graph.synapses:
        if synapse.target.endswith("stc") and synapse.weight.shape[1:] == (1, 1, 1):
            (weight,) = set(synapse.weight.flatten().tolist())
            found.setdefault(synapse.target, []).append(weight)
    return found


def test_temporal_weights_get_more_steps(pair):
    for net in pair:
        net.quantize()
    one, four = (residuals(to_graph(net)) for net in pair)
    assert one and one.keys() == four.keys()
    for name, weights in four.items():
        blocks = [dict(net.named_populations())[name] for net in pair]
        scales = [block.neuron.w_scale for block in blocks]
        assert scales[0] < scales[1] <= 4 * scales[0], (name, scales)
        assert one[name] == [scales[0]] and weights == [scales[1] // 4] * 4


def test_slayer_emulator_and_file_agree(pair, pack, tmp_path):
    net = pair[1]
    net.quantize()
    graph, x = to_graph(net), samples(pack)
    slayer = SlayerReference(net, batch_size=1).run(x)
    with Emulator(graph) as emulator:
        emulated = emulator.run(x, record="spikes")
    result = compare(slayer, emulated, tuple(net.names))
    assert result.equal, result.first
    assert np.array_equal(slayer.output, emulated.output)
    write_net(graph, tmp_path / "r.net")
    assert graphs_equal(read_net(tmp_path / "r.net"), graph)
    save_network(tmp_path / "weights.safetensors", net)
    assert graphs_equal(to_graph(load_network(tmp_path / "weights.safetensors")), graph)


def test_expected_operations_count_every_synapse(pair):
    one, four = (synops_per_rate(net) for net in pair)
    assert sum(four.values()) > sum(one.values())
    assert all(four[name] >= value for name, value in one.items())


@pytest.mark.parametrize("parallel", [0, 3, 32])
def test_only_powers_of_two(pack, parallel):
    with pytest.raises(ConfigError, match="residual-synapses"):
        network(pack, parallel)
