"""The Lava backend against the neuron equations in plain numpy, the emulator and stock netx."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pytest
from lava_graphs import T, block_graph, even
from reference import simulate, simulate_wall, synaptic_input
from same_counts import assert_same_counts

from mksgn.emulator import Emulator
from mksgn.errors import BackendError, ConfigError, DataError
from mksgn.ir import Conv, Cuba, Dense, Graph, GraphConv, JointMix, Population
from mksgn.lava import limits
from mksgn.lava.backend import LavaBackend
from mksgn.lava.guard import end_session
from mksgn.lava.process_plan import LAYOUTS, plan, plan_blocks
from mksgn.lava.unroll import lava_kernel, matrix
from mksgn.lava.wire import Frames, graph_from_message, graph_message, pack
from mksgn.run.backend import RunResult
from mksgn.run.comparison import compare
from mksgn.run.registry import open_backend


def block_samples(count: int = 3) -> np.ndarray:
    return np.random.default_rng(1).integers(-128, 128, (count, 3, 6, 4))


def check_run(graph: Graph, samples: np.ndarray, result: RunResult) -> None:
    """Every spike, u and v that ``result`` holds is what the equations give."""
    reference = simulate(graph, samples)
    spikes, u, v = reference.spikes, reference.u, reference.v
    assert set(result.spikes) == {population.name for population in graph.populations[1:]}
    for population in graph.populations[1:]:
        name = population.name
        np.testing.assert_array_equal(result.spikes[name], spikes[name], err_msg=f"spikes of {name}")
        if population.role == "hidden":
            assert 0 < spikes[name].mean() < 1, f"{name} decides nothing in this test"
        for quantity, expected in (("u", u), ("v", v)):
            if name in getattr(result, quantity):
                np.testing.assert_array_equal(getattr(result, quantity)[name], expected[name], f"{quantity} of {name}")
    if graph.output.role == "readout":
        final = v[graph.output.name][..., -1].reshape(len(samples), -1)
        np.testing.assert_array_equal(result.output, final // 64)
    else:
        np.testing.assert_array_equal(result.output, spikes[graph.output.name])


# ---- without Lava -----------------------------------------------------------------------------------------------

SYNAPSES = [
    (Conv("s", ("a",), "b", even(np.random.default_rng(0), 4, 3, 3, 2), stride=(2, 1), padding=(1, 1), dilation=(1, 2),
          groups=2), (6, 7, 5), (4, 4, 5)),
    (Conv("s", ("a",), "b", even(np.random.default_rng(1), 5, 2, 1, 1)), (2, 3, 4), (5, 3, 4)),
    (Dense("s", ("a",), "b", even(np.random.default_rng(2), 8, 24)), (2, 3, 4), (2, 2, 2)),
    (JointMix("s", ("a",), "b", even(np.random.default_rng(3), 3, 5, 4)), (2, 3, 4), (6, 3, 5)),
    (GraphConv("s", ("a",), "b", even(np.random.default_rng(4), 3, 5, 2), edges=np.array([(0, 0), (3, 1), (2, 1)])),
     (2, 3, 4), (5, 3, 2)),
]


@pytest.mark.parametrize(("synapse", "source", "target"), SYNAPSES, ids=lambda x: getattr(type(x), "__name__", ""))
def test_unrolled_synapse_is_the_equation(synapse, source, target):
    weights = matrix(synapse, source, target)
    weights.eliminate_zeros()
    assert weights.nnz == synapse.connections(source, target)
    rng = np.random.default_rng(5)
    for _ in range(3):
        spikes = rng.integers(-3, 4, source)
        a = weights @ spikes.transpose(2, 1, 0).reshape(-1)
        expected = synaptic_input(synapse, spikes, target)
        np.testing.assert_array_equal(a.reshape(target[::-1]).transpose(2, 1, 0), expected)


def test_kernel_is_flipped_and_transposed():
    synapse = Conv("s", ("a",), "b", np.arange(24, dtype=np.int16).reshape(2, 2, 3, 2))
    kernel = lava_kernel(synapse)
    assert kernel.shape == (2, 2, 3, 2)  # (O, kV, kF, I)
    assert kernel[1, 0, 2, 1] == synapse.weight[1, 1, 0, 1]


def test_edges_named_twice_must_fit_in_8_bits():
    twice = GraphConv("s", ("a",), "b", np.full((2, 1, 1), 200, np.int16), edges=np.array([(0, 0), (0, 0)]))
    with pytest.raises(BackendError, match="more than 8 bits"):
        matrix(twice, (1, 1, 1), (1, 1, 1))


def test_plan_shares_delays_and_counts_processes():
    graph = block_graph()
    kinds: dict[str, dict[str, int]] = {}
    for delays in ("process", "relay"):
        layout = plan(graph, ("body",), 4, delays)
        kinds[delays] = {}
        for node in layout.nodes:
            kinds[delays][node.kind] = kinds[delays].get(node.kind, 0) + 1
        assert layout.os_processes == len(layout.nodes) + 4
    # coder waits 2 steps before body, 3 before gate and strided; mixed and partner wait 1; body waits 1 before strided.
    late = {(n.population, n.steps) for n in plan(graph).nodes if n.kind == "delay"}
    waits = {(source, steps) for (_, source), steps in plan(graph).schedule.wait.items() if steps and source != "in"}
    assert late == waits
    assert kinds["process"] == {"source": 2, "neuron": 9, "sparse": 13, "delay": len(late), "sink": 1}
    assert kinds["relay"] == {"source": 2, "neuron": 9, "sparse": 13, "relay": len(late), "relay_synapse": len(late),
                              "sink": 1}


def chain_graph(length: int = 6) -> Graph:
    """Populations in a row, with a graded input: it can be cut anywhere."""
    rng = np.random.default_rng(11)
    populations = [Population("in", (3, 4, 5), role="input", message_bits=8)]
    populations += [Population(f"p{i}", (4, 4, 5), Cuba(500 if i == 0 else 30)) for i in range(length)]
    # Its v / 64 is no whole number, and is rounded down.
    populations.append(Population("out", (3, 1, 1), Cuba(131071, 2500, 1000), role="readout"))
    names = [p.name for p in populations]
    synapses = [Conv(f"s{i}", (names[i],), names[i + 1], even(rng, 4, 3 if i == 0 else 4, 3, 1), padding=(1, 0))
                for i in range(length)]
    return Graph(tuple(populations), (*synapses, Dense("fc", (names[-2],), "out", even(rng, 3, 80))), T)


def test_plan_of_blocks():
    layout = plan_blocks(chain_graph(), 3, "states", 4)
    kinds = [node.kind for node in layout.nodes]
    assert kinds == ["source"] + 3 * ["block"] + 9 * ["sink"]
    assert layout.os_processes == 17
    names = [node.name for node in layout.nodes[:4]]
    assert layout.edges[:3] == tuple(pairwise(names))
    assert [node.population for node in layout.nodes[1:4]][-1] == "out"
    assert len(plan_blocks(block_graph(), 3).nodes) == 2  # nothing in it can be cut


def test_long_waits_take_several_relays():
    names = [f"p{i}" for i in range(70)]
    populations = [Population("in", (1, 1, 1), role="input"), Population("first", (1, 1, 1), Cuba(1))]
    populations += [Population(name, (1, 1, 1), Cuba(1)) for name in names]
    weight = np.full((1, 1), 4, np.int16)
    chain = ["in", "first", *names]
    synapses = [Dense(f"s{i}", (chain[i],), chain[i + 1], weight) for i in range(len(chain) - 1)]
    synapses.append(Dense("skip", ("first",), names[-1], weight))
    relays = [n for n in plan(Graph(tuple(populations), tuple(synapses), T), delays="relay").nodes
              if n.kind == "relay_synapse"]
    assert sorted(node.steps for node in relays) == [6, 63]  # 69 steps, at most 63 per relay


def test_too_many_processes_and_too_little_memory(monkeypatch):
    with (LavaBackend(block_graph(), max_processes=20, layout="layers") as lava,
          pytest.raises(BackendError, match="more OS processes") as caught):
        lava.run(block_samples())
    assert "--max-processes" in caught.value.fix
    assert caught.value.got.startswith("34 ")

    class Full:
        f_bavail, f_frsize = 1, 1024

    monkeypatch.setattr(limits.os, "statvfs", lambda path: Full)
    with LavaBackend(block_graph(), layout="stock") as lava, pytest.raises(BackendError, match="shared memory"):
        lava.run(block_samples())
    monkeypatch.setattr("mksgn.lava.process_plan.NONZERO_LIMIT", 100)
    with pytest.raises(BackendError, match="do not fit into memory"):
        LavaBackend(block_graph(), layout="stock")


def test_bad_input_and_options():
    graph = block_graph()
    with LavaBackend(graph) as lava:
        for samples, message in ((np.zeros((1, 3, 6, 5), int), "do not fit"),
                                 (np.zeros((0, 3, 6, 4), int), "no samples"),
                                 (np.zeros((1, 3, 6, 4)), "integers"), (np.full((1, 3, 6, 4), 128), "message range"),
                                 (np.zeros((1, 3, 6, 4, 3), int), "do not fit")):
            with pytest.raises(DataError, match=message):
                lava.run(samples)
        with pytest.raises(ConfigError, match="record"):
            lava.run(block_samples(), record="all")
        with pytest.raises(ConfigError, match="offset has no effect"):
            lava.run_stream(np.zeros((3, 6, 4, 2), int), reset_offset=1)
    with pytest.raises(BackendError, match="closed"):
        lava.run(block_samples())
    with pytest.raises(ConfigError, match="delays"):
        LavaBackend(graph, layout="layers", delays="magic")
    with pytest.raises(ConfigError, match="unknown layout"):
        LavaBackend(graph, layout="magic")
    for options in ({"delays": "relay"}, {"unroll_limit": 0}, {"layout": "stock", "blocks": 2}):
        with pytest.raises(ConfigError, match="no effect in this layout"):
            LavaBackend(graph, **options)
    with pytest.raises(ConfigError, match="at least one block"):
        LavaBackend(graph, blocks=-1)
    with pytest.raises(ConfigError, match="steps per sample"):
        LavaBackend(replace(graph, time_steps=None)).run(block_samples())


def test_open_backend_refuses_what_has_no_effect():
    graph = block_graph()
    with pytest.raises(ConfigError, match="unknown backend"):
        open_backend("gpu", graph)
    with pytest.raises(ConfigError, match="no effect") as e:
        open_backend("emulator", graph, max_processes=3)
    assert "max_processes" in e.value.got
    assert open_backend("lava", graph, timeout_s=5.0, batch_size=None).name == "lava"
    assert open_backend("emulator", graph, batch_size=2).name == "emulator"


def test_importing_the_runtime_imports_no_lava():
    code = ("import sys, mksgn.run.registry, mksgn.lava.backend, mksgn.loihi\n"
            "print([m for m in sys.modules if m.split('.')[0] == 'lava' or m == 'torch'])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_wire_carries_graphs_and_arrays_exactly():
    message = {"graph": graph_message(block_graph()), "x": np.arange(6, dtype=np.int8).reshape(2, 3),
               "n": [1, None, "a"], "empty": np.zeros((0, 3)), "scalar": np.int64(5)}
    frames, data = Frames(), pack(message) + pack({"second": True})
    for start in range(0, len(data), 1000):
        frames.feed(data[start:start + 1000])
        if start == 0:
            assert frames.next() is None
    received, second = frames.next(), frames.next()
    assert received is not None and second == {"second": True} and frames.next() is None
    np.testing.assert_array_equal(received["x"], message["x"])
    assert received["n"] == [1, None, "a"] and received["scalar"] == 5 and received["empty"].shape == (0, 3)
    graph, original = graph_from_message(received["graph"]), block_graph()
    for left, right in zip(graph.synapses, original.synapses):
        assert type(left) is type(right)
        assert (left.name, left.sources, left.target) == (right.name, right.sources, right.target)
        np.testing.assert_array_equal(left.weight, right.weight)
    assert [p.neuron for p in graph.populations] == [p.neuron for p in original.populations]


# ---- with Lava --------------------------------------------------------------------------------------------------


@pytest.mark.lava()
@pytest.mark.timeout(240)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_block_is_exact_and_counts_agree(layout):
    """Every spike, u and v of three streamed samples, and the counts; all kinds of synapses, and waits."""
    graph, samples = block_graph(), block_samples()
    done: list[int] = []
    with LavaBackend(graph, progress=done.append, layout=layout) as lava:
        result = lava.run(samples, record="states")
    check_run(graph, samples, result)
    assert result.u and result.v
    assert done == [1, 2, 3]
    assert lava.effort.steps == len(samples) * T + plan(graph).schedule.latency
    with Emulator(graph) as emulator:
        expected = emulator.run(samples, record="states")
    assert_same_counts(result.counts, expected.counts)
    comparison = compare(result, expected, tuple(p.name for p in graph.populations[1:]))
    assert comparison.equal, str(comparison.first)


@pytest.mark.lava()
@pytest.mark.timeout(240)
@pytest.mark.parametrize("layout", ["layers", "stock"])
def test_conv_and_relays_are_exact_and_a_backend_runs_twice(layout):
    graph, samples = block_graph(), block_samples()
    with LavaBackend(graph, layout=layout, delays="relay", unroll_limit=0) as lava:
        check_run(graph, samples, lava.run(samples, record="spikes"))
        # Messages that change from step to step, and no recording: only the readout.
        moving = np.random.default_rng(2).integers(-128, 128, (2, 3, 6, 4, T))
        result = lava.run(moving)
        assert not result.spikes and not result.counts.spikes and result.counts.samples == 2
        expected = simulate(graph, moving).v["out"]
        np.testing.assert_array_equal(result.output, expected[..., -1].reshape(2, -1) // 64)


@pytest.mark.lava()
@pytest.mark.timeout(240)
@pytest.mark.parametrize("record", ["none", "spikes", "states"])
def test_blocks_in_several_processes_are_exact(record):
    graph = chain_graph()
    samples = np.random.default_rng(12).integers(-128, 128, (3, 3, 4, 5))
    with LavaBackend(graph, blocks=3) as lava:
        result = lava.run(samples, record)
        assert lava.effort.os_processes == 4 + 4 + {"none": 0, "spikes": 3, "states": 9}[record]
    if record != "none":
        check_run(graph, samples, result)
    assert bool(result.u) == (record == "states")
    with Emulator(graph) as emulator:
        expected = emulator.run(samples)
    np.testing.assert_array_equal(result.output, expected.output)
    # Counted in the Lava Processes, whether anything is recorded or not.
    assert_same_counts(result.counts, expected.counts, lacking=("sent",) if record == "none" else ())


@pytest.mark.lava()
@pytest.mark.timeout(240)
@pytest.mark.parametrize("make", [chain_graph, block_graph])
def test_blocks_of_stock_processes_give_the_same_result(make):
    """One Process graph, two models: ours in one OS process per block, and sub-process models of stock Processes."""
    graph = make()
    samples = np.random.default_rng(13).integers(-128, 128, (3, *graph.input.shape))
    models = {"lava_models.block.process:Block": "mksgn.lava.stock_block:SubBlockModel"}
    with LavaBackend(graph, blocks=2, models=models) as lava:
        result = lava.run(samples)
        assert len(lava.effort.pids) > 15, "it should have started a Process per synapse and population"
        with pytest.raises(BackendError, match="cannot be recorded"):
            lava.run(samples, "spikes")
    with Emulator(graph) as emulator:
        np.testing.assert_array_equal(result.output, emulator.run(samples).output)


@pytest.mark.lava()
@pytest.mark.timeout(240)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_more_groups_than_lava_can_count(layout):
    """128 groups do not fit the 8 signed bits of a stock Conv: with its own models such a net would be silent."""
    shape = (130, 2, 2)
    rng = np.random.default_rng(14)
    graph = Graph((Population("in", shape, role="input"), Population("out", shape, Cuba(30))),
                  (Conv("c", ("in",), "out", even(rng, 130, 1, 1, 1), groups=130),), T)
    samples = rng.integers(0, 2, (2, *shape))
    options = {} if layout == "blocks" else {"unroll_limit": 0}
    with LavaBackend(graph, layout=layout, **options) as lava:
        check_run(graph, samples, lava.run(samples, "spikes"))


def extreme_graph(steps: int | None) -> Graph:
    """Sums far beyond 16 bits, u that wraps, v that clips, weights of -256 alone, no current decay, odd weights."""
    rng = np.random.default_rng(3)
    size = (50, 2, 2)
    populations = (
        Population("in", size, role="input", message_bits=8),
        Population("wide", (6, 1, 1), Cuba(2000, 1000, 300), bias=np.array([4095, -4096, 0, 1, 2, 3])),
        Population("negative", (4, 1, 1), Cuba(3, voltage_decay=0), bias=np.array([600, 300, 260, 1000])),
        Population("keeping", (4, 1, 1), Cuba(4000, current_decay=0, voltage_decay=4096)),
        Population("out", (3, 1, 1), Cuba(300, voltage_decay=0)),
    )
    synapses = (
        Dense("big", ("in",), "wide", (2 * rng.integers(60, 128, (6, 200))).astype(np.int16)),
        Dense("inhibit", ("wide",), "negative", np.where(rng.random((4, 6)) < 0.5, -256, 0).astype(np.int16)),
        Dense("odd", ("wide",), "keeping", rng.integers(0, 255, (4, 6)).astype(np.int16) | 1),
        Dense("last", ("negative", "keeping"), "out", (2 * rng.integers(-100, 128, (3, 4))).astype(np.int16)),
        Dense("silent", ("wide",), "out", np.zeros((3, 6), np.int16)),
    )
    return Graph(populations, synapses, steps)


@pytest.mark.lava()
@pytest.mark.timeout(240)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_extreme_numbers_are_exact(layout):
    """Also an interval of 3 steps, which no power of two is."""
    graph = extreme_graph(3)
    samples = np.random.default_rng(4).integers(-128, 128, (4, 50, 2, 2, 3))
    samples[0] = 127
    samples[1] = -128
    with LavaBackend(graph, layout=layout) as lava:
        result = lava.run(samples, record="states")
    expected = simulate(graph, samples)
    spikes, u, v = expected.spikes, expected.u, expected.v
    assert np.abs(u["wide"]).max() > 1 << 23  # a wraps once only, as in Lava
    assert (np.abs(v["wide"]) == (1 << 23) - 1).any()
    for name in spikes:
        if name != "in":
            for got, wanted in ((result.spikes, spikes), (result.u, u), (result.v, v)):
                np.testing.assert_array_equal(got[name], wanted[name], err_msg=name)


@pytest.mark.lava()
@pytest.mark.timeout(60)
def test_weights_that_lava_would_truncate_are_refused():
    graph = extreme_graph(2)
    mixed = replace(graph.synapses[2], weight=np.array([[1, -1, 3, 5, 7, 9]] * 4, np.int16))
    graph = replace(graph, synapses=(*graph.synapses[:2], mixed, *graph.synapses[3:]))
    with (LavaBackend(graph, layout="layers") as lava,
          pytest.raises(BackendError, match="odd weights of both signs")):
        lava.run(np.zeros((1, 50, 2, 2), int))


def delayed_graph(steps: int | None) -> Graph:
    rng = np.random.default_rng(6)
    populations = (Population("in", (2, 3, 4), role="input"), Population("conv", (3, 3, 4), Cuba(60)),
                   Population("dense", (5, 1, 1), Cuba(50, 2000, 1500)), Population("out", (4, 1, 1), Cuba(40)))
    synapses = (Conv("c", ("in",), "conv", even(rng, 3, 2, 3, 1), padding=(1, 0)),
                Dense("d", ("conv",), "dense", even(rng, 5, 36), delay=rng.integers(0, 4, (5, 36))),
                Dense("o", ("dense",), "out", even(rng, 4, 5, limit=90), delay=rng.integers(0, 3, 5)))
    return Graph(populations, synapses, steps)


@pytest.mark.lava()
@pytest.mark.timeout(240)
def test_functional_delays_do_not_reach_the_next_sample():
    graph = delayed_graph(T)
    samples = np.random.default_rng(7).integers(0, 2, (2, 2, 3, 4, T))
    done: list[int] = []
    with LavaBackend(graph, progress=done.append) as lava:
        check_run(graph, samples, lava.run(samples, record="spikes"))
    assert done == [1, 2]


NETX = """
import json, sys
import numpy as np
from lava.lib.dl.netx.hdf5 import Network
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.io.sink import RingBuffer as Sink
from lava.proc.io.source import RingBuffer as Source
path, options = sys.argv[1], json.loads(sys.argv[2])
x = np.load(path + ".npy")
net = Network(net_config=path, **options)
source = Source(data=x.transpose(2, 1, 0, 3))
sink = Sink(shape=net.out.shape, buffer=x.shape[3])
source.s_out.connect(net.inp)
net.out.connect(sink.a_in)
try:
    net.run(condition=RunSteps(num_steps=x.shape[3]), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
    np.save(path + ".out.npy", sink.data.get())
finally:
    net.stop()
"""


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


def run_stock_netx(path: Path, options: dict[str, int]) -> np.ndarray:
    """Output of stock netx. In a session of its own: stock Lava leaves its children behind when it fails."""
    with subprocess.Popen([sys.executable, "-c", NETX, str(path), json.dumps(options)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, start_new_session=True) as program:
        try:
            printed, _ = program.communicate(timeout=240)
            assert program.returncode == 0, printed
        finally:
            end_session(program.pid)
    return np.load(f"{path}.out.npy")


@pytest.mark.lava()
@pytest.mark.timeout(300)
@pytest.mark.parametrize("reset", [{}, {"reset_interval": 5, "reset_offset": 2}], ids=["free", "reset"])
def test_stream_is_what_stock_netx_gives(tmp_path, reset):
    graph = delayed_graph(None)
    x = np.random.default_rng(8).integers(0, 2, (2, 3, 4, 24))
    path = tmp_path / "stock.net"
    write_stock_net(path, graph)
    np.save(f"{path}.npy", x)
    stock = run_stock_netx(path, reset)
    with LavaBackend(graph) as lava:
        result = lava.run_stream(x, "spikes", **reset)
    assert 0 < stock.mean() < 1
    np.testing.assert_array_equal(result.output[0, :, 0, 0], stock)
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


SELECTION = """
from lava.magma.compiler.compiler_graphs import ProcGroupDiGraphs
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.io.extractor import Extractor
from lava_models.delay.process import Delay
from mksgn.lava.builder import STOCK
import numpy as np
from scipy.sparse import identity
eye = identity(2, dtype=int, format="csr")
make = {"LIF": dict(shape=(2,)), "LIFReset": dict(shape=(2,)), "Conv": dict(weight=np.zeros((1, 1, 1, 1))),
        "Sparse": dict(weights=eye), "DelaySparse": dict(weights=eye, delays=eye),
        "RingBuffer": dict(data=np.zeros((1, 1))), "Delay": dict(shape=(2,), steps=1),
        "DelaySparseReset": dict(weights=eye, delays=eye, reset_interval=4, reset_offset=1)}
config = Loihi2SimCfg(select_tag="fixed_pt")
for kind, model in STOCK.items():
    if kind is not Extractor:
        process = kind(**make[kind.__name__])
        chosen = config.select(process, ProcGroupDiGraphs._find_proc_models(process))
        assert chosen is model, (kind, chosen, model)
print(len(STOCK))
"""


@pytest.mark.timeout(60)
def test_named_models_are_those_that_the_tag_selects():
    done = subprocess.run([sys.executable, "-c", SELECTION], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "9"
