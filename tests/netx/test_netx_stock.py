"""Stock netx files in ours, and ours in stock netx, held against a reference that shares no code with either.

The reference below runs in wall-clock steps, as Lava does: what a population sends at step t reaches its
targets at step t + 1. The golden arrays come with lava-dl's wheel and were recorded by its authors.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mksgn.emulator import Emulator
from mksgn.errors import GraphError, NetFileError
from mksgn.ir import Conv, Cuba, Dense, Graph, JointMix, Population, Synapse
from mksgn.lava.backend import LavaBackend
from mksgn.netx import read_net, stock_obstacles, write_net
from mksgn.netx.stock import loaded_dense_weight

Resets = dict[str, tuple[int, int]]
STEPS = 14
"""Of a run in Lava."""


def wheel(name: str) -> str:
    """Path of a file that lava-dl's wheel carries."""
    for file in importlib.metadata.files("lava-dl") or ():
        if str(file).endswith(f"lib/dl/netx/{name}"):
            return str(file.locate())
    pytest.skip(f"this lava-dl carries no {name}")


# Reference ---------------------------------------------------------------------------------------


def convolve(x: np.ndarray, synapse: Conv) -> np.ndarray:
    """conv2d of x (C, F, V), one kernel element and one group at a time."""
    (pf, pv), (df, dv), (sf, sv) = synapse.padding, synapse.dilation, synapse.stride
    x = np.pad(x, ((0, 0), (pf, pf), (pv, pv)))
    outputs, inputs, kf, kv = synapse.weight.shape
    frames = (x.shape[1] - df * (kf - 1) - 1) // sf + 1
    joints = (x.shape[2] - dv * (kv - 1) - 1) // sv + 1
    total = np.zeros((outputs, frames, joints), dtype=np.int64)
    share = outputs // synapse.groups
    for m, n in np.ndindex(kf, kv):
        seen = x[:, m * df:m * df + (frames - 1) * sf + 1:sf, n * dv:n * dv + (joints - 1) * sv + 1:sv]
        for g in range(synapse.groups):
            block = synapse.weight[g * share:(g + 1) * share, :, m, n].astype(np.int64)
            total[g * share:(g + 1) * share] += np.tensordot(block, seen[g * inputs:(g + 1) * inputs], 1)
    return total


def accumulate(synapse: Synapse, sent: np.ndarray, step: int, shape: tuple[int, int, int]) -> np.ndarray:
    """What ``synapse`` delivers at ``step``, of everything ``sent`` (step, C, F, V) before."""
    if isinstance(synapse, Conv):
        return convolve(sent[step - 1], synapse)
    if isinstance(synapse, JointMix):
        return np.concatenate([sent[step - 1] @ matrix.T.astype(np.int64) for matrix in synapse.weight])
    assert isinstance(synapse, Dense)
    flat, total = sent.reshape(len(sent), -1), np.zeros(synapse.weight.shape[0], dtype=np.int64)
    delay = np.broadcast_to(0 if synapse.delay is None else synapse.delay, synapse.weight.shape)
    for wait in np.unique(delay[:, :]):
        if step - 1 - wait >= 0:
            total += np.where(delay == wait, synapse.weight, 0).astype(np.int64) @ flat[step - 1 - wait]
    return total.reshape(shape)


def decayed(x: np.ndarray, lost: int) -> np.ndarray:
    return np.sign(x) * (np.abs(x) * (4096 - lost) // 4096)


def simulate(graph: Graph, inputs: np.ndarray, resets: Resets | None = None) -> tuple[dict, dict, dict]:
    """Spikes, u and v, each (step, C, F, V) by population; inputs (step, C, F, V).

    ``resets[name] = (interval, step)``: u and v become 0 before ``step`` and each ``interval`` later.
    """
    steps = len(inputs)
    sent = {p.name: np.zeros((steps, *p.shape), dtype=np.int64) for p in graph.populations}
    u, v = ({name: values.copy() for name, values in sent.items()} for _ in range(2))
    sent[graph.input.name][:] = inputs
    for step, population in ((t, p) for t in range(steps) for p in graph.populations[1:]):
        name, neuron = population.name, population.neuron
        assert neuron is not None
        interval, first = (resets or {}).get(name, (steps + 1, 0))
        fresh = step == 0 or step % interval == first % interval
        before = (0 * u[name][0], 0 * v[name][0]) if fresh else (u[name][step - 1], v[name][step - 1])
        arriving = sum(accumulate(s, sent[source], step, population.shape) for s in graph.into(name)
                       for source in s.sources) if step else 0
        bias = np.zeros(1) if population.bias is None else population.bias
        bias = (bias if bias.ndim == 3 else bias[:, None, None]).astype(np.int64)
        current = decayed(before[0], neuron.current_decay) + 64 * arriving
        assert np.abs(current).max() < 2**23, "the reference does not wrap"
        voltage = decayed(before[1], neuron.voltage_decay) + current + 64 * bias
        voltage = np.clip(voltage, 1 - 2**23, 2**23 - 1)
        spikes = (voltage > 64 * neuron.vth) & (population.role != "readout")
        u[name][step], v[name][step], sent[name][step] = current, np.where(spikes, 0, voltage), spikes
    return sent, u, v


# Golden arrays of lava-dl ------------------------------------------------------------------------


def test_tiny_reproduces_the_golden_spikes_and_currents() -> None:
    """Goldens were recorded by SLAYER, each layer one step later than the one before; the first step is empty."""
    graph = read_net(wheel("tiny.net"))
    assert graph.meta == {"origin": "netx", "input_weight": 36, "input_bias": 34}
    assert stock_obstacles(graph) == []
    golden = {name: np.moveaxis(np.load(wheel(f"gts/tinynet/{name}.npy"))[0], -1, 0)
              for name in ("input", "layer1", "current", "output")}
    bias = np.load(wheel("gts/tinynet/input_bias.npy")).astype(np.int64).transpose(2, 1, 0)
    resets = {f"layer_{i}": (99, i + 1) for i in range(3)}
    sent, u, _ = simulate(graph, np.broadcast_to(bias, (20, *bias.shape)), resets)
    np.testing.assert_array_equal(sent["layer_0"][:16], golden["input"])
    np.testing.assert_array_equal(u["layer_1"][1:17], 64 * golden["current"])
    np.testing.assert_array_equal(sent["layer_1"][2:17], golden["layer1"][1:])
    np.testing.assert_array_equal(sent["layer_2"][3:18], golden["output"][1:])
    assert golden["output"].sum() > 50


def test_ntidigits_with_delays_reproduces_the_golden_output() -> None:
    graph = read_net(wheel("gts/ntidigits/ntidigits.net"), num_layers=5)
    delays = [s.delay for s in graph.synapses if isinstance(s, Dense) and s.delay is not None]
    assert [d.shape for d in delays] == [(256, 64), (256, 256)] and max(d.max() for d in delays) == 62
    assert all((d == d[:, :1]).all() for d in delays), "netx reads a row as one delay per output, square or not"
    steps = 250
    inputs = np.load(wheel("gts/ntidigits/input.npy")).T[:steps].reshape(steps, 1, 1, 64).astype(np.int64)
    golden = np.load(wheel("gts/ntidigits/output.npy")).T
    sent, _, _ = simulate(graph, inputs)
    # The golden array holds what was received: one step after it was sent.
    np.testing.assert_array_equal(sent["layer_4"].reshape(steps, -1)[:-1], golden[1:steps])
    assert golden[1:steps].sum() > 1000


PILOTNET = {"layer_0": "input", "layer_1": "conv-0", "layer_2": "conv-1", "layer_3": "conv-2", "layer_4": "conv-3",
            "layer_5": "conv-4", "layer_7": "fc-0", "layer_8": "fc-1", "layer_9": "fc-2"}


def test_pilotnet_lif_reproduces_the_golden_states() -> None:
    """Recorded on Loihi 2: layer d holds its sample in steps d to d + 15; v of a neuron that spiked reads 128."""
    graph = read_net(wheel("gts/pilotnet_lif/network.net"))
    image = np.load(wheel("gts/pilotnet_lif/image.npy")).astype(np.int64).transpose(2, 1, 0)
    names = [p.name for p in graph.populations[1:]]
    resets = {name: (16, 1 + depth) for depth, name in enumerate(names)}
    sent, u, v = simulate(graph, np.broadcast_to(image, (25, *image.shape)), resets)
    compared = 0
    for depth, (name, file) in enumerate(PILOTNET.items()):
        def golden(suffix: str, name: str = name, file: str = file) -> np.ndarray:
            values = np.load(wheel(f"gts/pilotnet_lif/{file}{suffix}.npy"))
            values = np.moveaxis(values, -1, 0)  # (V, F, C, step) or (C, step)
            return values.reshape(24, *graph[name].shape) if values.ndim == 2 else values.transpose(0, 3, 2, 1)
        window = slice(depth, min(depth + 16, 24))
        ours = slice(window.start + 1, window.stop + 1)  # one step for the input message
        spikes = golden("")[window]
        np.testing.assert_array_equal(sent[name][ours], spikes, err_msg=name)
        assert spikes.any()
        compared += spikes.size
        if depth:
            np.testing.assert_array_equal(u[name][ours], golden("-u")[window], err_msg=name)
            expected = np.where(spikes, 128, v[name][ours])
            np.testing.assert_array_equal(expected, golden("-v")[window], err_msg=name)
    assert compared == 16 * sum(graph[name].size for name in PILOTNET)


def test_mnist_ends_in_the_default_integrator() -> None:
    graph = read_net(wheel("mnist.net"))
    assert [p.shape for p in graph.populations] == [(784, 1, 1), (784, 1, 1), (512, 1, 1), (512, 1, 1), (10, 1, 1)]
    assert graph.output.role == "readout" and graph.output.neuron == Cuba(131071, 0, 4096)
    assert graph["layer_1"].neuron == Cuba(80, 4096, 123)
    assert graph.input.message_bits == 13


# Lava --------------------------------------------------------------------------------------------


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
    steps = STEPS
    if inputs is not None:
        source = Source(data=inputs.transpose(3, 2, 1, 0) if inputs[0, 0].shape != () and len(net.inp.shape) == 3
                        else inputs.reshape(len(inputs), -1).T)
        source.s_out.connect(net.inp)
    if bias is not None:
        net.in_layer.neuron.bias_mant.init = bias.transpose(2, 1, 0).reshape(net.in_layer.neuron.bias_mant.shape)
    sink = Sink(shape=net.out.shape, buffer=steps)
    net.out.connect(sink.a_in)
    try:
        net.run(condition=RunSteps(num_steps=steps), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
        received = sink.data.get().astype(np.int64)
        u, v = net.out_layer.neuron.u.get(), net.out_layer.neuron.v.get()
    finally:
        net.stop()
    return np.moveaxis(received, -1, 0), u, v


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
    inputs = rng.integers(-3, 4, (14, 2, 7, 5)) if message_bits else rng.integers(0, 2, (14, 2, 7, 5))
    received, u, v = run_stock(path, inputs, message_bits)
    sent, ours_u, ours_v = simulate(graph, inputs)
    assert all(0 < sent[p.name].mean() < 1 for p in graph.populations[1:]), "a silent network proves nothing"
    np.testing.assert_array_equal(received, sent["d"].reshape(14, -1))
    np.testing.assert_array_equal(u, ours_u["d"][-1].ravel())
    np.testing.assert_array_equal(v, ours_v["d"][-1].ravel())


@pytest.mark.timeout(300)
def test_a_readout_does_not_spike_in_stock_netx(tmp_path: Path) -> None:
    chain = random_chain(12, 0)
    readout = Population("d", (6, 1, 1), Cuba(40, 4096, 0), chain["d"].bias, role="readout")
    graph = Graph((*chain.populations[:-1], readout), chain.synapses)
    write_net(graph, tmp_path / "readout.net", require_stock=True)
    inputs = np.random.default_rng(4).integers(0, 2, (14, 2, 7, 5))
    received, _, v = run_stock(tmp_path / "readout.net", inputs)
    _, _, ours = simulate(graph, inputs)
    assert not received.any() and np.abs(ours["d"][-1]).max() > 64 * 40
    np.testing.assert_array_equal(v, ours["d"][-1].ravel())


@pytest.mark.timeout(300)
def test_mnist_runs_as_in_stock_netx() -> None:
    """Its readout is netx's default integrator: the sums stay in u, and v decays completely."""
    graph = read_net(wheel("mnist.net"))
    bias = np.random.default_rng(0).integers(0, 64, graph.input.shape)
    _, u, v = run_stock(Path(wheel("mnist.net")), None, bias=bias)
    stream = np.broadcast_to(bias[..., None], (*bias.shape, STEPS))
    with Emulator(graph) as emulator:
        result = emulator.run_stream(stream, "states")
    np.testing.assert_array_equal(result.u["layer_3"][0, ..., -1].ravel(), u)
    np.testing.assert_array_equal(result.v["layer_3"][0, ..., -1].ravel(), v)
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
    sent, ours_u, ours_v = simulate(graph, np.broadcast_to(bias, (15, 2, 4, 3)))
    assert all(0 < sent[name].mean() < 1 for name in ("layer_0", "layer_1"))
    np.testing.assert_array_equal(u, ours_u["layer_3"][-1].ravel())  # 15 steps here: one for the input message
    np.testing.assert_array_equal(v, ours_v["layer_3"][-1].ravel())


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
    np.testing.assert_array_equal(np.moveaxis(result.output[0].reshape(5, STEPS), -1, 0), received)
    np.testing.assert_array_equal(result.u[graph.output.name][0, ..., -1].ravel(), u)
    np.testing.assert_array_equal(result.v[graph.output.name][0, ..., -1].ravel(), v)
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


# Weights -----------------------------------------------------------------------------------------


def lava_dense_weight(weight: np.ndarray) -> np.ndarray | None:
    """Weights as netx and then Lava's Dense model make them, by their own functions."""
    from lava.lib.dl.netx.utils import optimize_weight_bits
    from lava.utils.weightutils import clip_weights, determine_sign_mode, truncate_weights

    try:
        with np.errstate(all="ignore"):
            loaded, bits, exponent, _ = optimize_weight_bits(weight.astype(int))
    except OverflowError:
        return None
    sign = determine_sign_mode(loaded)
    loaded = truncate_weights(clip_weights(loaded, sign, num_bits=8), sign, bits)
    return np.left_shift(loaded, exponent) if exponent > 0 else np.right_shift(loaded, -exponent)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.lists(st.one_of(st.integers(-256, 254), st.sampled_from([-256, -128, -64, -2, -1, 0, 1, 2, 127, 128, 254])),
                min_size=1, max_size=4), st.sampled_from([1, 2]))
def test_our_model_of_stock_weight_loading(values: list[int], step: int) -> None:
    weight = np.array([values], dtype=np.int16) // step * step
    expected, ours = lava_dense_weight(weight), loaded_dense_weight(weight)
    if ours is not None and expected is not None:
        np.testing.assert_array_equal(ours, expected)
    else:
        assert ours is None
        assert expected is None or not np.array_equal(expected, weight), "refused although stock netx loads it well"


@pytest.mark.parametrize(("values", "fine"), [
    ([0, 0], False), ([-128, -2], False), ([-256, -4], False), ([-128, 0], False), ([-1], False), ([-255, 0], False),
    ([-1, 0], True), ([-100, -2], True), ([-100, 0], True),
    ([-256, 254], True), ([-128, 2], True), ([254, 0], True), ([1, 3], True), ([-3, 5], True),
])
def test_which_dense_matrices_stock_netx_spoils(values: list[int], fine: bool) -> None:
    weight = np.array([values], dtype=np.int16)
    graph = Graph((Population("x", (len(values), 1, 1), role="input"), Population("y", (1, 1, 1), Cuba(3))),
                  (Dense("s", ("x",), "y", weight),))
    assert (stock_obstacles(graph) == []) is fine
    stock = lava_dense_weight(weight)
    assert (stock is not None and np.array_equal(stock, weight)) is fine


def test_other_obstacles_are_named() -> None:
    x = Population("x", (200, 1, 1), role="input")
    wide = Conv("wide", ("x",), "y", np.full((200, 1, 1, 1), 2, np.int16), groups=200)
    dense = Dense("flatten", ("y",), "z", np.array([[2, -4] * 100], np.int16))
    after = Conv("after", ("z",), "w", np.full((1, 1, 1, 1), 2, np.int16))
    shapes = {"y": (200, 1, 1), "z": (1, 1, 1), "w": (1, 1, 1)}
    graph = Graph((x, *(Population(n, s, Cuba(1)) for n, s in shapes.items())), (wide, dense, after))
    first, second = stock_obstacles(graph)
    assert "'wide'" in first and "200" in first
    assert "'after'" in second and "after a dense layer" in second
