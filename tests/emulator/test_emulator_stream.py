"""Wall time: the emulator's stream against its own phases, genuine Lava processes and lava-dl's golden arrays."""

from __future__ import annotations

import numpy as np
import pytest
from lava_dl_wheel import wheel_file
from random_graphs import random_messages
from written_graphs import sparse_even, varied_graph

from mksgn.emulator import Emulator
from mksgn.errors import ConfigError, DataError
from mksgn.ir import Conv, Cuba, Dense, Graph, Population, schedule
from mksgn.netx import read_net

STEPS = 30


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_samples_back_to_back_are_the_phases_shifted_by_depth(seed):
    graph = varied_graph(seed, delays=False)
    x = random_messages(graph, 5, seed, steps=4)
    latency = schedule(graph).latency
    stream = np.concatenate([*x, np.zeros((*graph.input.shape, latency), np.int8)], axis=-1)
    with Emulator(graph) as emulator:
        phases = emulator.run(x, "states")
        wall = emulator.run_stream(stream, "states", reset_interval=4, reset_offset=1)
    assert wall.counts.steps == stream.shape[-1]
    for population in graph.populations[1:]:
        depth = schedule(graph).depth[population.name]
        for quantity in ("spikes", "u", "v"):
            expected = np.concatenate(list(getattr(phases, quantity)[population.name]), axis=-1)
            got = getattr(wall, quantity)[population.name][0][..., depth:depth + 20]
            np.testing.assert_array_equal(got, expected, f"{quantity} {population.name}")


def lava_chain() -> Graph:
    """Graded input -> Conv -> CUBA -> Dense -> LIF -> Dense with delays -> CUBA, as stock netx can hold."""
    rng = np.random.default_rng(11)
    return Graph(
        (Population("in", (2, 6, 3), role="input", message_bits=8),
         Population("a", (4, 3, 3), Cuba(2500, 2500, 1000), rng.integers(-60, 60, 4)),
         Population("b", (6, 1, 1), Cuba(150, 4096, 3072), rng.integers(-20, 20, 6)),
         Population("c", (5, 1, 1), Cuba(200, 1000, 1024), np.array([40, -10, 0, 7, 90]))),
        (Conv("ab", ("in",), "a", sparse_even(rng, 4, 2, 3, 2), (2, 1), (1, 1), (1, 2)),
         Dense("bc", ("a",), "b", sparse_even(rng, 6, 36)),
         Dense("cd", ("b",), "c", sparse_even(rng, 5, 6), rng.integers(0, 9, (5, 6)))))


def run_in_lava(graph: Graph, x: np.ndarray, interval: int | None, offset: int) -> dict[str, dict[str, np.ndarray]]:
    """u, v and spikes of every population of :func:`lava_chain`, step by step, from stock ``fixed_pt`` models."""
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.proc.conv.process import Conv as LavaConv
    from lava.proc.dense.process import DelayDense
    from lava.proc.io.sink import RingBuffer as Sink
    from lava.proc.io.source import RingBuffer as Source
    from lava.proc.lif.process import LIF, LIFReset
    from lava.proc.sparse.process import Sparse
    from scipy.sparse import csr_matrix

    conv, dense, delayed = graph.synapses
    source = Source(data=x.transpose(2, 1, 0, 3).astype(np.int32))  # (V, F, C, T)
    synapses = [
        LavaConv(weight=conv.weight[:, :, ::-1, ::-1].transpose(0, 3, 2, 1), input_shape=(3, 6, 2),
                 stride=conv.stride[::-1], padding=conv.padding[::-1], dilation=conv.dilation[::-1],
                 num_message_bits=8),
        Sparse(weights=csr_matrix(dense.weight)),
        DelayDense(weights=delayed.weight, delays=delayed.delay, max_delay=62),
    ]
    neurons, sinks = [], []
    for depth, population in enumerate(graph.populations[1:], 1):
        neuron, shape = population.neuron, population.shape[::-1] if depth == 1 else population.shape[:1]
        bias = np.broadcast_to(population.bias, shape) if depth == 1 else population.bias
        common = dict(shape=shape, vth=neuron.vth, du=neuron.current_decay - 1, dv=neuron.voltage_decay,
                      bias_mant=bias, bias_exp=6)
        neurons.append(LIF(**common) if interval is None else
                       LIFReset(**common, reset_interval=interval, reset_offset=offset + depth))
        sinks.append(Sink(shape=shape, buffer=STEPS))
        neurons[-1].s_out.connect(sinks[-1].a_in)
        synapses[depth - 1].a_out.connect(neurons[-1].a_in)
    source.s_out.connect(synapses[0].s_in)
    neurons[0].s_out.transpose([2, 1, 0]).flatten().connect(synapses[1].s_in)
    neurons[1].s_out.connect(synapses[2].s_in)

    states: dict[str, list[list[np.ndarray]]] = {"u": [[], [], []], "v": [[], [], []]}
    config = Loihi2SimCfg(select_tag="fixed_pt")
    try:
        for _ in range(STEPS):
            neurons[0].run(condition=RunSteps(1), run_cfg=config)
            for quantity, traces in states.items():
                for trace, neuron in zip(traces, neurons):
                    trace.append(np.array(getattr(neuron, quantity).get()))
        spikes = [sink.data.get() for sink in sinks]
    finally:
        neurons[0].stop()
    shapes = [population.shape for population in graph.populations[1:]]

    def ours(values: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
        return values.transpose(2, 1, 0, 3) if values.ndim == 4 else values.reshape(*shape, -1)

    result = {q: {n: ours(np.stack(t, axis=-1), s) for n, s, t in zip("abc", shapes, traces)}
              for q, traces in states.items()}
    return result | {"spikes": {n: ours(t, s) for n, s, t in zip("abc", shapes, spikes)}}


@pytest.mark.lava()
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("interval", "offset"), [(None, 0), (7, 3)])
def test_stream_is_genuine_lava(interval, offset):
    graph = lava_chain()
    x = np.random.default_rng(4).integers(-128, 128, (2, 6, 3, STEPS))
    lava = run_in_lava(graph, x, interval, offset)
    with Emulator(graph) as emulator:
        result = emulator.run_stream(x, "states", reset_interval=interval, reset_offset=offset)
    for name in "abc":
        for quantity in ("u", "v", "spikes"):
            ours = getattr(result, quantity)[name][0]
            np.testing.assert_array_equal(ours, lava[quantity][name], f"{quantity} {name}")
        assert 20 < result.counts.spikes[name] < 0.9 * result.counts.neuron_steps[name]
    assert result.output.shape == (1, 5, 1, 1, STEPS)


def test_ntidigits_with_axonal_delays_is_golden():
    net = read_net(wheel_file("gts/ntidigits/ntidigits.net"), num_layers=5)
    x = np.load(wheel_file("gts/ntidigits/input.npy")).astype(np.int8)
    expected = np.load(wheel_file("gts/ntidigits/output.npy"))
    with Emulator(net) as emulator:
        out = emulator.run_stream(x.reshape(64, 1, 1, -1).transpose(1, 2, 0, 3)).output.reshape(242, -1)
    # The golden output is one step later than a Lava run's (lava-dl's test compares step 3000 with step 2).
    np.testing.assert_array_equal(out[:, :-1], expected[:, 1:])
    assert out.sum() > 20000


def test_pilotnet_lif_is_golden_in_every_layer():
    # The arrays come from a Loihi run that resets every 17 steps and in which v of a neuron that just spiked
    # reads 128 (the chip's refractory marker) where Lava has 0.
    net = read_net(wheel_file("gts/pilotnet_lif/network.net"))
    image = np.load(wheel_file("gts/pilotnet_lif/image.npy")).transpose(2, 1, 0)
    with Emulator(net) as emulator:
        result = emulator.run_stream(np.repeat(image[..., None], 24, axis=-1), "states", reset_interval=17)
    names = ["input", *(f"conv-{i}" for i in range(5)), *(f"fc-{i}" for i in range(3))]
    for name, population in zip(names, net.populations[1:]):
        spikes = result.spikes[population.name][0]

        def load(suffix: str, shape=spikes.shape, name=name) -> np.ndarray:
            values = np.load(wheel_file(f"gts/pilotnet_lif/{name}{suffix}.npy")).astype(int)
            return values.transpose(2, 1, 0, 3) if values.ndim == 4 else values.reshape(shape)

        np.testing.assert_array_equal(spikes, load(""), name)
        assert spikes.any()
        if name != "input":  # the wheel has no states of the input neurons
            np.testing.assert_array_equal(result.u[population.name][0], load("-u"), name)
            v = load("-v")
            assert (v[spikes == 1] == 128).all()
            np.testing.assert_array_equal(result.v[population.name][0], np.where(spikes == 1, 0, v), name)


def test_neurons_integrate_their_bias_before_input_arrives():
    graph = Graph(
        (Population("in", (1, 1, 1), role="input"), Population("a", (1, 1, 1), Cuba(100, 4096, 0), np.array([30])),
         Population("b", (1, 1, 1), Cuba(50, 4096, 4096))),
        (Dense("s", ("in",), "a", np.array([[50]])), Dense("t", ("a",), "b", np.array([[60]]), np.array([[2]]))))
    x = np.array([1, 0, 0, 0, 0, 0, 0, 0]).reshape(1, 1, 1, 8)
    with Emulator(graph) as emulator:
        result = emulator.run_stream(x, "states")
        direct = emulator.run_stream(x, "states", direct_input=True)
    # v / 64: 30, 30 + 30 + 50 = 110 > 100, then 30, 60, 90, 120 > 100, 30, 60.
    assert (result.v["a"].ravel() // 64).tolist() == [30, 0, 30, 60, 90, 0, 30, 60]
    assert result.spikes["a"].ravel().tolist() == [0, 1, 0, 0, 0, 1, 0, 0]
    assert result.spikes["b"].ravel().tolist() == [0, 0, 0, 0, 1, 0, 0, 0]  # one hop and a delay of 2
    assert (direct.v["a"].ravel() // 64).tolist()[:3] == [80, 0, 30]
    assert (result.counts.synops, result.counts.spikes) == ({"s": 1, "t": 2}, {"in": 1, "a": 2, "b": 1})


def test_bad_streams():
    graph = lava_chain()
    x = np.zeros((2, 6, 3, 4), int)
    with Emulator(graph) as emulator:
        with pytest.raises(DataError, match="does not fit"):
            emulator.run_stream(x[:, :5])
        with pytest.raises(DataError, match="at least one step"):
            emulator.run_stream(x[..., :0])
        with pytest.raises(DataError, match="takes integers"):
            emulator.run_stream(x * 0.5)
        x[1, 2, 0, 3] = 200
        with pytest.raises(DataError, match=r"step 3\n.*200 at \(1, 2, 0\)"):
            emulator.run_stream(x)
        with pytest.raises(ConfigError, match="no effect"):
            emulator.run_stream(x * 0, reset_offset=1)
        with pytest.raises(ConfigError, match="at least 1"):
            emulator.run_stream(x * 0, reset_interval=0)
