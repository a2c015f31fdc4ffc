"""Streams in wall time on the Lava backend, against stock netx, the equations and the emulator."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from lava_runs import delayed_graph
from reference import simulate_wall
from same_counts import assert_same_counts
from written_graphs import block_graph

from mksgn.emulator import Emulator
from mksgn.ir import Conv, Cuba, Dense, Graph
from mksgn.lava.backend import LavaBackend
from mksgn.lava.process_plan import LAYOUTS
from mksgn.lava.sessions import end_session

pytestmark = pytest.mark.usefixtures("one_host")
NETX = """
import json, sys
import numpy as np
from lava.lib.dl.netx.hdf5 import Network
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.io.sink import RingBuffer as Sink
from lava.proc.io.source import RingBuffer as Source
path = sys.argv[1]
x = np.load(path + ".npy")
outputs = []
for options in json.loads(sys.argv[2]):
    net = Network(net_config=path, **options)
    source = Source(data=x.transpose(2, 1, 0, 3))
    sink = Sink(shape=net.out.shape, buffer=x.shape[3])
    source.s_out.connect(net.inp)
    net.out.connect(sink.a_in)
    try:
        net.run(condition=RunSteps(num_steps=x.shape[3]), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
        outputs.append(sink.data.get())
    finally:
        net.stop()
np.save(path + ".out.npy", outputs)
"""
RESETS: dict[str, dict[str, int]] = {"free": {}, "reset": {"reset_interval": 5, "reset_offset": 2}}


def write_stock_net(path: Path, graph: Graph) -> None:
    """``graph`` (conv, dense, dense) as the netx HDF5 that lava-dl's README documents."""
    with h5py.File(path, "w") as file:
        layers = file.create_group("layer")
        first = layers.create_group("0")
        first["type"], first["shape"] = "input", np.array(graph.input.shape)
        number = 1
        for population in graph.populations[1:]:
            (synapse,) = graph.into(population.name)
            assert population.neuron is not None
            if isinstance(synapse, Dense) and number == 2:
                layers.create_group("2")["type"] = "flatten"
                number = 3
            group = layers.create_group(str(number))
            shape = population.shape if isinstance(synapse, Conv) else (population.size,)
            group["type"] = "conv" if isinstance(synapse, Conv) else "dense"
            group["shape"], group["weight"] = np.array(shape), synapse.weight.astype(int)
            if isinstance(synapse, Conv):
                group["stride"], group["padding"] = np.array(synapse.stride), np.array(synapse.padding)
                group["dilation"], group["groups"] = np.array(synapse.dilation), synapse.groups
            elif synapse.delay is not None:
                group["delay"] = np.broadcast_to(synapse.delay, synapse.weight.shape).astype(int)
            for key, value in (("type", "CUBA"), ("vThMant", population.neuron.vth), ("refDelay", 1),
                               ("iDecay", population.neuron.current_decay), ("vDecay", population.neuron.voltage_decay),
                               ("gradedSpike", False)):
                group[f"neuron/{key}"] = value
            number += 1


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> tuple[Graph, np.ndarray, dict[str, np.ndarray]]:
    """A graph, a stream, and the outputs of stock netx under each of ``RESETS``.

    In a session of its own: stock Lava leaves its children behind when it fails.
    """
    graph, path = delayed_graph(None), tmp_path_factory.mktemp("stock") / "stock.net"
    x = np.random.default_rng(8).integers(0, 2, (2, 3, 4, 24))
    write_stock_net(path, graph)
    np.save(f"{path}.npy", x)
    command = [sys.executable, "-c", NETX, str(path), json.dumps(list(RESETS.values()))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          start_new_session=True) as program:
        try:
            printed, _ = program.communicate(timeout=240)
            assert program.returncode == 0, printed
        finally:
            end_session(program.pid)
    return graph, x, dict(zip(RESETS, np.load(f"{path}.out.npy")))


@pytest.mark.lava()
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", RESETS)
def test_stream_is_what_stock_netx_gives(stock, name):
    graph, x, outputs = stock
    reset = RESETS[name]
    assert (outputs["free"] != outputs["reset"]).any()
    with LavaBackend(graph) as lava:
        result = lava.run_stream(x, "spikes", **reset)
    assert 0 < outputs[name].mean() < 1
    np.testing.assert_array_equal(result.output[0, :, 0, 0], outputs[name])
    spikes = simulate_wall(graph, x, reset.get("reset_interval"), reset.get("reset_offset", 0)).spikes
    with Emulator(graph) as emulator:
        emulated = emulator.run_stream(x, "spikes", **reset)
    for population in graph.populations[1:]:
        np.testing.assert_array_equal(result.spikes[population.name], spikes[population.name], population.name)
        np.testing.assert_array_equal(emulated.spikes[population.name], result.spikes[population.name])
    assert_same_counts(result.counts, emulated.counts, lacking=("sample_active",))


@pytest.mark.lava()
@pytest.mark.timeout(240)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_stream_with_branches_and_bias_is_exact(layout):
    """The readout is stock netx's default integrator: its current adds up, its voltage decays completely."""
    graph = block_graph()
    readout = replace(graph.output, neuron=Cuba(131071, 0, 4096), bias=np.arange(-3, 4))
    graph = replace(graph, populations=(*graph.populations[:-1], readout), time_steps=None)
    x = np.random.default_rng(9).integers(-128, 128, (3, 6, 4, 20))
    with LavaBackend(graph, layout=layout) as lava:
        result = lava.run_stream(x, "spikes")
    with Emulator(graph) as emulator:
        expected = emulator.run_stream(x)
    assert_same_counts(result.counts, expected.counts, lacking=() if layout == "blocks" else ("sample_active",))
    reference = simulate_wall(graph, x)
    for name, values in result.spikes.items():
        np.testing.assert_array_equal(values, reference.spikes[name], err_msg=name)
    np.testing.assert_array_equal(result.output[0], reference.v["out"][..., -1].reshape(-1) // 64)
    np.testing.assert_array_equal(result.output, expected.output)
