"""Ours in stock netx, and stock files in ours: both run under Lava, and the reference says what has to come out.

The reference steps in wall time, as Lava does: what a population sends at step t reaches its targets at step t + 1.
"""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from lava_dl_wheel import wheel_file
from reference import simulate_wall

from mksgn.emulator import Emulator
from mksgn.errors import GraphError, NetFileError
from mksgn.ir import Conv, Cuba, Dense, Graph, JointMix, Population
from mksgn.lava.backend import LavaBackend
from mksgn.netx import read_net, write_net

STEPS = 14
"""Of a run in Lava."""


def run_stock(path: Path, inputs: np.ndarray | None, message_bits: int = 0, bias: np.ndarray | None = None,
              **options: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Output spikes (step, ...), final u and v of the last layer, of stock netx under Lava's fixed_pt models."""
    from lava.lib.dl.netx.hdf5 import Network
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.proc.io.sink import RingBuffer as Sink
    from lava.proc.io.source import RingBuffer as Source

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        net = Network(net_config=str(path), input_message_bits=message_bits, **options)
    assert printed.getvalue() == "", "netx prints when it clips weights"
    if inputs is not None:
        source = Source(data=inputs.transpose(3, 2, 1, 0) if inputs[0, 0].shape != () and len(net.inp.shape) == 3
                        else inputs.reshape(len(inputs), -1).T)
        source.s_out.connect(net.inp)
    if bias is not None:
        net.in_layer.neuron.bias_mant.init = bias.transpose(2, 1, 0).reshape(net.in_layer.neuron.bias_mant.shape)
    sink = Sink(shape=net.out.shape, buffer=STEPS)
    net.out.connect(sink.a_in)
    try:
        net.run(condition=RunSteps(num_steps=STEPS), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
        received = sink.data.get().astype(np.int64)
        u, v = net.out_layer.neuron.u.get(), net.out_layer.neuron.v.get()
    finally:
        net.stop()
    return np.moveaxis(received, -1, 0), u, v


def arrived(spikes: np.ndarray) -> np.ndarray:
    """Spikes (1, C, F, V, step) of one stream as :func:`run_stock` gives them, (step, neurons)."""
    return spikes.reshape(-1, STEPS).T


def last(states: np.ndarray) -> np.ndarray:
    """The states (1, C, F, V, step) of one stream after its last step, flat."""
    return states[0, ..., -1].ravel()


def write_stock(path: Path, layers: list[dict[str, Any]]) -> None:
    """A file as SLAYER's blocks export it."""
    with h5py.File(path, "w") as file:
        for number, layer in enumerate(layers):
            for key, value in layer.items():
                if key == "neuron":
                    for name, content in value.items():
                        file[f"layer/{number}/neuron/{name}"] = content
                else:
                    file[f"layer/{number}/{key}"] = np.array([value.encode()]) if key == "type" else value


def random_chain(seed: int, message_bits: int) -> Graph:
    """conv (groups, stride, padding, dilation) -> conv (bias per neuron) -> dense -> dense, both with delays."""
    rng = np.random.default_rng(seed)

    def weights(*shape: int) -> np.ndarray:
        return 2 * rng.integers(-60, 80, size=shape).astype(np.int16)

    populations = (
        Population("x", (2, 7, 5), role="input", message_bits=message_bits),
        Population("a", (4, 4, 3), Cuba(60, 4096, 1024), bias=rng.integers(-20, 60, 4)),
        Population("b", (3, 3, 3), Cuba(70, 3000, 3072), bias=rng.integers(-30, 40, (3, 3, 3))),
        Population("c", (2, 3, 1), Cuba(50, 2048, 4096), bias=rng.integers(-9, 30, (2, 3, 1))),
        Population("d", (6, 1, 1), Cuba(40, 4096, 500), bias=rng.integers(-9, 30, 6)),
    )
    synapses = (
        Conv("s0", ("x",), "a", weights(4, 1, 3, 2), (2, 1), (1, 0), (1, 2), groups=2),
        Conv("s1", ("a",), "b", weights(3, 4, 2, 3), padding=(0, 1)),
        Dense("s2", ("b",), "c", weights(6, 27), delay=rng.integers(0, 4, 27)),
        Dense("s3", ("c",), "d", weights(6, 6), delay=rng.integers(0, 3, 6)),
    )
    return Graph(populations, synapses, time_steps=None)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("message_bits", [0, 8])
def test_a_chain_written_by_us_runs_in_stock_netx_with_the_same_spikes(tmp_path: Path, message_bits: int) -> None:
    graph = random_chain(11, message_bits)
    path = tmp_path / "chain.net"
    write_net(graph, path, require_stock=True)
    rng = np.random.default_rng(3)
    inputs = rng.integers(-3, 4, (STEPS, 2, 7, 5)) if message_bits else rng.integers(0, 2, (STEPS, 2, 7, 5))
    received, u, v = run_stock(path, inputs, message_bits)
    ours = simulate_wall(graph, np.moveaxis(inputs, 0, -1))
    assert all(0 < ours.spikes[p.name].mean() < 1 for p in graph.populations[1:]), "a silent network proves nothing"
    np.testing.assert_array_equal(received, arrived(ours.spikes["d"]))
    np.testing.assert_array_equal(u, last(ours.u["d"]))
    np.testing.assert_array_equal(v, last(ours.v["d"]))


@pytest.mark.timeout(300)
def test_a_readout_does_not_spike_in_stock_netx(tmp_path: Path) -> None:
    chain = random_chain(12, 0)
    readout = Population("d", (6, 1, 1), Cuba(40, 4096, 0), chain["d"].bias, role="readout")
    graph = Graph((*chain.populations[:-1], readout), chain.synapses)
    write_net(graph, tmp_path / "readout.net", require_stock=True)
    inputs = np.random.default_rng(4).integers(0, 2, (STEPS, 2, 7, 5))
    received, _, v = run_stock(tmp_path / "readout.net", inputs)
    ours = last(simulate_wall(graph, np.moveaxis(inputs, 0, -1)).v["d"])
    assert not received.any() and np.abs(ours).max() > 64 * 40
    np.testing.assert_array_equal(v, ours)


@pytest.mark.timeout(300)
def test_mnist_runs_as_in_stock_netx() -> None:
    """Its readout is netx's default integrator: the sums stay in u, and v decays completely."""
    graph = read_net(wheel_file("mnist.net"))
    bias = np.random.default_rng(0).integers(0, 64, graph.input.shape)
    _, u, v = run_stock(wheel_file("mnist.net"), None, bias=bias)
    stream = np.broadcast_to(bias[..., None], (*bias.shape, STEPS))
    with Emulator(graph) as emulator:
        result = emulator.run_stream(stream, "states")
    np.testing.assert_array_equal(last(result.u["layer_3"]), u)
    np.testing.assert_array_equal(last(result.v["layer_3"]), v)
    np.testing.assert_array_equal(result.output[0], v // 64)
    assert np.unique(v).size == 10
    for layout in ("layers", "stock"):
        with LavaBackend(graph, layout=layout) as lava:
            np.testing.assert_array_equal(lava.run_stream(stream).output, result.output, layout)


@pytest.mark.timeout(300)
def test_input_neurons_of_a_stock_file_mean_the_same_here(tmp_path: Path) -> None:
    """Input neurons driven through their bias, with a current decay below one, and the default neuron at the end."""
    rng = np.random.default_rng(8)
    path = tmp_path / "stock.net"
    neuron = {"type": "CUBA", "iDecay": 1024, "vDecay": 700, "vThMant": 50, "refDelay": 1, "gradedSpike": False}
    write_stock(path, [
        {"type": "input", "shape": [2, 4, 3], "weight": np.array([40.0]), "bias": np.array([3.0]), "neuron": neuron},
        {"type": "conv", "shape": [3, 3, 2], "weight": 2.0 * rng.integers(-30, 50, (3, 2, 2, 2, 1)),
         "stride": [1, 1], "padding": [0, 0], "dilation": [1, 1], "groups": 1, "neuron": neuron},
        {"type": "flatten", "shape": [18, 1, 1]},
        {"type": "dense", "shape": [1], "weight": 2.0 * rng.integers(-30, 50, 18)},
    ])
    graph = read_net(path)
    assert [p.name for p in graph.populations] == ["input", "layer_0", "layer_1", "layer_3"]
    assert graph.output.role == "readout"
    bias = rng.integers(-20, 90, (2, 4, 3))
    _, u, v = run_stock(path, None, bias=bias)
    # One step more than in Lava: it takes the input message.
    ours = simulate_wall(graph, np.broadcast_to(bias[..., None], (2, 4, 3, STEPS + 1)))
    assert all(0 < ours.spikes[name].mean() < 1 for name in ("layer_0", "layer_1"))
    np.testing.assert_array_equal(u, last(ours.u["layer_3"]))
    np.testing.assert_array_equal(v, last(ours.v["layer_3"]))


def first_layer_files(folder: Path) -> tuple[Path, Path]:
    """A net that starts with a dense layer, as lava-dl's Oxford tutorial trains it, and one that starts with a conv."""
    rng = np.random.default_rng(10)
    neuron = {"type": "CUBA", "iDecay": 1024, "vDecay": 700, "vThMant": 50, "refDelay": 1, "gradedSpike": False}
    dense = {"type": "dense", "neuron": neuron}
    write_stock(folder / "dense.net", [
        {**dense, "shape": [8, 1, 1], "inFeatures": 24, "outFeatures": 8, "delay": np.floor(5.0 * rng.random(8)),
         "weight": 2.0 * rng.integers(-30, 50, (8, 24))},
        {**dense, "shape": [5, 1, 1], "inFeatures": 8, "outFeatures": 5, "delay": np.floor(5.0 * rng.random(5)),
         "weight": 2.0 * rng.integers(-30, 50, (5, 8))},
    ])
    write_stock(folder / "conv.net", [
        {"type": "conv", "shape": [3, 3, 2], "weight": 2.0 * rng.integers(-30, 50, (3, 2, 2, 2)), "stride": [1, 1],
         "padding": [0, 0], "dilation": [1, 1], "groups": 1, "neuron": neuron},
        {"type": "flatten", "shape": [18, 1, 1]},
        {**dense, "shape": [5, 1, 1], "weight": 2.0 * rng.integers(-30, 50, (5, 18))},
    ])
    return folder / "dense.net", folder / "conv.net"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("first", ["dense", "conv"])
def test_nets_without_input_layer_run_as_in_stock_netx(tmp_path: Path, first: str) -> None:
    dense, conv = first_layer_files(tmp_path)
    inputs = np.random.default_rng(5).integers(0, 2, (STEPS, 2, 4, 3))
    if first == "dense":
        inputs = inputs.reshape(STEPS, 24, 1, 1)
        graph = read_net(dense)
        received, u, v = run_stock(dense, inputs)
    else:
        graph = read_net(conv, input_shape=(2, 4, 3))
        received, u, v = run_stock(conv, inputs, input_shape=(3, 4, 2))
    assert [p.name for p in graph.populations] == ["input", "layer_0", "layer_1" if first == "dense" else "layer_2"]
    assert graph.input.message_bits == 0 and graph.input.shape == inputs.shape[1:]
    with Emulator(graph) as emulator:
        result = emulator.run_stream(np.moveaxis(inputs, 0, -1), "states")
    np.testing.assert_array_equal(arrived(result.output), received)
    np.testing.assert_array_equal(last(result.u[graph.output.name]), u)
    np.testing.assert_array_equal(last(result.v[graph.output.name]), v)
    assert 0 < received.mean() < 1 and 0 < result.spikes["layer_0"].mean() < 1


def test_the_shape_of_an_input_that_no_layer_says(tmp_path: Path) -> None:
    dense, conv = first_layer_files(tmp_path)
    assert read_net(dense).input.shape == (24, 1, 1)
    assert read_net(dense, input_shape=(2, 4, 3)).input.shape == (2, 4, 3)
    assert read_net(dense, num_layers=1).output.name == "layer_0"
    with pytest.raises(NetFileError, match="does not say the shape of its input"):
        read_net(conv)
    for path, shape, message in ((dense, (2, 4, 4), "24 neurons in all"), (conv, (3, 4, 2), "with C = 2"),
                                 (conv, (2, 4, 0), "each at least 1")):
        with pytest.raises(NetFileError, match=message):
            read_net(path, input_shape=shape)
    with pytest.raises(GraphError, match=r"\(2, 5, 3\) gives \(3, 4, 2\)"):
        read_net(conv, input_shape=(2, 5, 3))
    with pytest.raises(NetFileError, match="size limit"):
        read_net(conv, input_shape=(2, 1 << 20, 1 << 20))
    stated = tmp_path / "stated.net"
    write_stock(stated, [{"type": "input", "shape": [24, 1, 1]}])
    with h5py.File(stated, "r+") as to, h5py.File(dense) as source:
        source.copy("layer/0", to["layer"], "1")
    assert read_net(stated, input_shape=(2, 4, 3)).input.shape == (24, 1, 1)


def test_stock_netx_stops_at_what_it_cannot_run(tmp_path: Path) -> None:
    from lava.lib.dl.netx.hdf5 import Network

    mix = JointMix("s", ("x",), "y", np.array([[[2, 4], [6, 8]]], dtype=np.int16))
    graph = Graph((Population("x", (1, 1, 2), role="input"), Population("y", (1, 1, 2), Cuba(3))), (mix,))
    write_net(graph, tmp_path / "mix.net")
    with pytest.raises(NotImplementedError, match="concat"):
        Network(net_config=str(tmp_path / "mix.net"))
