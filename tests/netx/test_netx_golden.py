"""Stock netx files in ours: the reference runs them and gives the golden arrays that come with lava-dl's wheel.

The reference steps in wall time, as Lava does: what a population sends at step t reaches its targets at step t + 1.
"""

from __future__ import annotations

import numpy as np
from lava_dl_wheel import wheel_file
from reference import simulate_wall

from mksgn.ir import Cuba, Dense
from mksgn.netx import read_net, stock_obstacles


def stream(value: np.ndarray, steps: int) -> np.ndarray:
    """``value`` (C, F, V) at every step: (C, F, V, steps)."""
    return np.repeat(value.astype(np.int64)[..., None], steps, axis=-1)


def test_tiny_reproduces_the_golden_spikes_and_currents() -> None:
    """Goldens were recorded by SLAYER, each layer one step later than the one before; the first step is empty."""
    graph = read_net(wheel_file("tiny.net"))
    assert graph.meta == {"origin": "netx", "input_weight": 36, "input_bias": 34}
    assert stock_obstacles(graph) == []
    golden = {name: np.load(wheel_file(f"gts/tinynet/{name}.npy"))[0]
              for name in ("input", "layer1", "current", "output")}
    bias = np.load(wheel_file("gts/tinynet/input_bias.npy")).transpose(2, 1, 0)
    ours = simulate_wall(graph, stream(bias, 20), interval=99, offset=1)
    sent = {name: spikes[0] for name, spikes in ours.spikes.items()}
    np.testing.assert_array_equal(sent["layer_0"][..., :16], golden["input"])
    np.testing.assert_array_equal(ours.u["layer_1"][0, ..., 1:17], 64 * golden["current"])
    np.testing.assert_array_equal(sent["layer_1"][..., 2:17], golden["layer1"][..., 1:])
    np.testing.assert_array_equal(sent["layer_2"][..., 3:18], golden["output"][..., 1:])
    assert golden["output"].sum() > 50


def test_ntidigits_with_delays_reproduces_the_golden_output() -> None:
    graph = read_net(wheel_file("gts/ntidigits/ntidigits.net"), num_layers=5)
    delays = [s.delay for s in graph.synapses if isinstance(s, Dense) and s.delay is not None]
    assert [d.shape for d in delays] == [(256, 64), (256, 256)] and max(d.max() for d in delays) == 62
    assert all((d == d[:, :1]).all() for d in delays), "netx reads a row as one delay per output, square or not"
    steps = 250
    inputs = np.load(wheel_file("gts/ntidigits/input.npy"))[:, :steps].reshape(1, 1, 64, steps)
    golden = np.load(wheel_file("gts/ntidigits/output.npy"))[:, 1:steps]
    sent = simulate_wall(graph, inputs.astype(np.int64)).spikes["layer_4"]
    # The golden array holds what was received: one step after it was sent.
    np.testing.assert_array_equal(sent.reshape(-1, steps)[:, :-1], golden)
    assert golden.sum() > 1000


PILOTNET = {"layer_0": "input", "layer_1": "conv-0", "layer_2": "conv-1", "layer_3": "conv-2", "layer_4": "conv-3",
            "layer_5": "conv-4", "layer_7": "fc-0", "layer_8": "fc-1", "layer_9": "fc-2"}


def test_pilotnet_lif_reproduces_the_golden_states() -> None:
    """Recorded on Loihi 2: layer d holds its sample in steps d to d + 15; v of a neuron that spiked reads 128."""
    graph = read_net(wheel_file("gts/pilotnet_lif/network.net"))
    image = np.load(wheel_file("gts/pilotnet_lif/image.npy")).transpose(2, 1, 0)
    ours = simulate_wall(graph, stream(image, 25), interval=16, offset=1)
    compared = 0
    for depth, (name, file) in enumerate(PILOTNET.items()):
        recorded = slice(depth, min(depth + 16, 24))
        computed = slice(recorded.start + 1, recorded.stop + 1)  # one step for the input message
        sent, u, v = (quantity[name][0, ..., computed] for quantity in (ours.spikes, ours.u, ours.v))

        def golden(suffix: str, name: str = name, file: str = file, window: slice = recorded) -> np.ndarray:
            values = np.load(wheel_file(f"gts/pilotnet_lif/{file}{suffix}.npy"))  # (V, F, C, step) or (C, step)
            values = values.reshape(*graph[name].shape, 24) if values.ndim == 2 else values.transpose(2, 1, 0, 3)
            return values[..., window]

        spikes = golden("")
        np.testing.assert_array_equal(sent, spikes, err_msg=name)
        assert spikes.any()
        compared += spikes.size
        if depth:
            np.testing.assert_array_equal(u, golden("-u"), err_msg=name)
            np.testing.assert_array_equal(np.where(spikes, 128, v), golden("-v"), err_msg=name)
    assert compared == 16 * sum(graph[name].size for name in PILOTNET)


def test_mnist_ends_in_the_default_integrator() -> None:
    graph = read_net(wheel_file("mnist.net"))
    assert [p.shape for p in graph.populations] == [(784, 1, 1), (784, 1, 1), (512, 1, 1), (512, 1, 1), (10, 1, 1)]
    assert graph.output.role == "readout" and graph.output.neuron == Cuba(131071, 0, 4096)
    assert graph["layer_1"].neuron == Cuba(80, 4096, 123)
    assert graph.input.message_bits == 13
