"""NIR files of ours: the same graph comes back, and the parameters alone say the same network to other tools."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import nir
import numpy as np
import pytest
import torch
from any_graphs import graphs
from attention_graphs import attention_graph
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lava_dl_wheel import wheel_file
from nir_torch import run
from written_graphs import branched_graph, chain_graph, streamed_graph

from mksgn.data.synthetic import synthetic_pack
from mksgn.emulator import Emulator
from mksgn.ir import Conv, Cuba, Dense, Graph, GraphConv, JointMix, Population, graph_difference
from mksgn.networks import NETWORKS
from mksgn.netx import read_net
from mksgn.nir import NirError, read_nir, to_nir, write_nir
from mksgn.nir.budget import Budget
from mksgn.nir.exporter import NirBuilder
from mksgn.nn.lowering import to_graph
from mksgn.training.recipe import Recipe

SHIPPED = Path(__file__).resolve().parent.parent.parent / "models" / "nw-ucla-joint" / "mksgn.net"
QUIET = dict(derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))


def weights(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return 2 * rng.integers(-127, 128, size=shape).astype(np.int16)


def ends(graph: Graph) -> dict[str, str]:
    """Name of the NIR node of every population."""
    builder = NirBuilder(graph, 1e-4, Budget(1 << 30))
    builder.build()
    return builder.ends


def truncation(population: Population) -> Callable[[torch.Tensor], torch.Tensor]:
    """Decayed states of the chip: whole multiples of 1 / (64 scale), rounded toward zero."""
    assert population.neuron is not None
    unit = 64.0 * 2 ** (max(population.neuron.vth, 1).bit_length() - 1)
    return lambda x: torch.trunc(x * unit) / unit


def samples_of(graph: Graph, count: int, steps: int, largest: int = 128) -> np.ndarray:
    rng = np.random.default_rng(0)
    low, high = (-largest, largest) if graph.input.message_bits else (0, 2)
    return rng.integers(low, high, (count, *graph.input.shape, steps))


def assert_same_run(graph: Graph, read: nir.NIRGraph, samples: np.ndarray, exact: bool = True) -> tuple[int, int]:
    """Every population's spikes, and the readout, against the emulator; counts differences and spikes."""
    node = ends(graph)
    rounding = {}
    for population in graph.populations[1:]:
        rounding |= {node[population.name]: truncation(population),
                     f"{node[population.name]}_current": truncation(population)}
    with Emulator(graph) as emulator:
        ours = emulator.run(samples, "spikes")
    different = spikes = 0
    for number, sample in enumerate(samples):
        theirs = run(read, sample, rounding if exact else None)
        for population in graph.populations[1:]:
            seen = theirs[node[population.name]].reshape(*population.shape, -1)
            if population.role == "readout":
                scale = 2 ** (max(population.neuron.vth, 1).bit_length() - 1)  # type: ignore[union-attr]
                if exact:
                    assert np.array_equal(seen[..., -1].reshape(-1) * scale, ours.output[number]), population.name
                continue
            mine = ours.spikes[population.name][number]
            different += int((seen != mine).sum())
            spikes += int(mine.sum())
            if exact:
                assert np.array_equal(seen, mine), population.name
    return different, spikes


@settings(max_examples=15, **QUIET)
@given(graph=graphs())
def test_round_trip_of_any_graph(tmp_path_factory: pytest.TempPathFactory, graph: Graph) -> None:
    path = tmp_path_factory.mktemp("nir") / "any.nir"
    write_nir(graph, path)
    nir.read(path)  # with its type check
    assert graph_difference(graph, read_nir(path)) == ""


@st.composite
def lively_graphs(draw: st.DrawFn) -> Graph:
    """As test_netx's, with thresholds that are reached, delays within the run, and sums that do not wrap."""
    graph = draw(graphs())
    populations = list(graph.populations[:1])
    for p in graph.populations[1:]:
        neuron = Cuba(draw(st.integers(0, 500)), draw(st.sampled_from([0, 1000, 2048, 4096, 4096])),
                      draw(st.sampled_from([0, 1, 3072, 3333, 4096])))
        if p.role == "readout":
            neuron = Cuba((1 << 17) - 1, draw(st.sampled_from([0, 4096])), 0)
        populations.append(replace(p, neuron=neuron, bias=None if p.bias is None else p.bias % 200 - 90))
    synapses = [replace(s, delay=s.delay % 4) if isinstance(s, Dense) and s.delay is not None else s
                for s in graph.synapses]
    return Graph(tuple(populations), tuple(synapses), 6)


@settings(max_examples=25, **QUIET)
@given(graph=lively_graphs())
def test_parameters_alone_say_the_same_network(tmp_path_factory: pytest.TempPathFactory, graph: Graph) -> None:
    path = tmp_path_factory.mktemp("nir") / "any.nir"
    write_nir(graph, path)
    assert_same_run(graph, nir.read(path), samples_of(graph, 1, 6, largest=8))


def test_every_kind_of_synapse_and_delay(tmp_path: Path) -> None:
    graph = branched_graph()
    populations = tuple(p if p.neuron is None else replace(p, neuron=replace(
        p.neuron, vth=(1 << 17) - 1 if p.role == "readout" else min(p.neuron.vth, 400))) for p in graph.populations)
    lively = Graph(populations, tuple(replace(s, delay=s.delay % 5) if isinstance(s, Dense) else s
                                      for s in graph.synapses), 8, graph.meta)
    write_nir(lively, tmp_path / "a.nir")
    read = nir.read(tmp_path / "a.nir")
    assert_same_run(lively, read, samples_of(lively, 2, 8, largest=8))
    assert graph_difference(lively, read_nir(tmp_path / "a.nir")) == ""
    kinds = {type(node).__name__ for node in read.nodes.values()}
    assert {"Conv2d", "Linear", "Affine", "Delay", "Flatten", "LIF", "I", "LI"} <= kinds


def test_real_units() -> None:
    """Hand-computed: weight 96 at threshold 64 is 1.5 at 1.0; a decay of 3072 per 100 us is 133.3 us."""
    graph = Graph((Population("x", (2, 1, 1), role="input"),
                   Population("y", (1, 1, 1), Cuba(64, 2048, 3072), bias=np.array([-8]))),
                  (Dense("w", ("x",), "y", np.array([[96, -2]], np.int16), delay=np.array([0, 3])),), 4)
    made = to_nir(graph)
    weight, delay, neuron = made.nodes["w_w"], made.nodes["w_w_delay"], made.nodes["n_y"]
    assert weight.weight.tolist() == [[1.5, -0.03125]] and np.allclose(delay.delay, [0, 3e-4])
    assert isinstance(neuron, nir.CubaLIF) and neuron.v_threshold.tolist() == [1.0]
    assert np.allclose(neuron.tau_mem, 1e-4 / 0.75) and np.allclose(neuron.tau_syn, 2e-4)
    assert np.allclose(neuron.v_leak, -0.125 / 0.75) and neuron.v_reset.tolist() == [0.0]
    assert set(made.edges) == {("input", "w_w_delay"), ("w_w_delay", "w_w"), ("w_w", "n_y"), ("n_y", "output")}


def test_concat_is_several_edges_into_one_node() -> None:
    made = to_nir(branched_graph())
    assert {source for source, target in made.edges if target == "w_temporal"} == {"n_fused", "n_code"}


# Networks that exist -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif(not SHIPPED.exists(), reason="the shipped network is not here")
def test_the_shipped_network(tmp_path: Path) -> None:
    graph = read_net(SHIPPED)
    write_nir(graph, tmp_path / "shipped.nir")
    assert graph_difference(graph, read_nir(tmp_path / "shipped.nir")) == ""
    read = nir.read(tmp_path / "shipped.nir")
    samples = samples_of(graph, 1, 1).repeat(graph.time_steps, -1)
    different, spikes = assert_same_run(graph, read, samples)
    assert different == 0 and spikes > 10_000


@pytest.mark.parametrize("network", ["base-sgn", "mksgn"])
@pytest.mark.parametrize("graph_conv", ["layer", "fused"])
def test_the_demo_network(tmp_path: Path, network: str, graph_conv: str) -> None:
    torch.manual_seed(4)
    recipe = Recipe(network=NETWORKS[network](widths=(8, 8), strides=(1, 2), graph_conv=graph_conv), frames=8,
                    val_subjects=(3,))
    net = recipe.untrained(synthetic_pack(12))
    net.eval()
    net.quantize()
    graph = to_graph(net)
    graph = Graph(tuple(p if p.neuron is None else replace(p, neuron=replace(p.neuron, vth=p.neuron.vth // 2))
                        for p in graph.populations), graph.synapses, graph.time_steps, graph.meta)
    write_nir(graph, tmp_path / "demo.nir")
    assert graph_difference(graph, read_nir(tmp_path / "demo.nir")) == ""
    different, spikes = assert_same_run(graph, nir.read(tmp_path / "demo.nir"), samples_of(graph, 1, 1).repeat(4, -1))
    assert different == 0 and spikes > 100
    # In real numbers nothing is rounded toward zero: close, not equal.
    different, _ = assert_same_run(graph, nir.read(tmp_path / "demo.nir"), samples_of(graph, 1, 1).repeat(4, -1), False)
    print(f"{network}, {graph_conv}, in real numbers: {different} spikes beside {spikes} differ")
    assert different < 0.02 * spikes


@pytest.mark.parametrize(("name", "layers"), [
    ("tiny.net", None), ("gts/ntidigits/ntidigits.net", 5), ("gts/pilotnet_lif/network.net", None), ("mnist.net", None),
    ("mnist.net", 3)])
def test_stock_networks(tmp_path: Path, name: str, layers: int | None) -> None:
    graph = read_net(wheel_file(name), num_layers=layers)
    write_nir(graph, tmp_path / "stock.nir", max_bytes=2 << 30)
    nir.read(tmp_path / "stock.nir")
    back = read_nir(tmp_path / "stock.nir", max_bytes=2 << 30)
    assert graph_difference(graph, back) == ""
    if graph.output.neuron and graph.output.role == "readout" and graph.output.neuron.voltage_decay:
        return  # the emulator runs no readout that forgets
    samples = samples_of(graph, 1, 6)
    with Emulator(replace(graph, time_steps=6)) as left, Emulator(replace(back, time_steps=6)) as right:
        a, b = left.run(samples, "spikes"), right.run(samples, "spikes")
    assert np.array_equal(a.output, b.output)
    assert all(np.array_equal(a.spikes[key], b.spikes[key]) for key in a.spikes)


def test_snntorch_runs_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """snnTorch's own reader and neurons: LIF and CubaLIF, hard reset, spike above threshold, bias."""
    from snntorch.import_nir import import_from_nir

    rng = np.random.default_rng(0)
    graph = Graph((Population("x", (20, 1, 1), role="input"),
                   Population("a", (30, 1, 1), Cuba(256, 4096, 3072), bias=rng.integers(-20, 20, 30)),
                   Population("b", (10, 1, 1), Cuba(200, 2048, 1024))),
                  (Dense("s", ("x",), "a", weights(rng, 30, 20)), Dense("t", ("a",), "b", weights(rng, 10, 30))), 16)
    write_nir(graph, tmp_path / "a.nir")
    samples = samples_of(graph, 5, 16)
    with Emulator(graph) as emulator:
        ours = emulator.run(samples).output
    net = import_from_nir(nir.read(tmp_path / "a.nir"))
    theirs = []
    with torch.no_grad():
        for step in range(16):
            out, _ = net(torch.as_tensor(samples[:, :, 0, 0, step], dtype=torch.float32))
            theirs.append(out.numpy())
    assert "warning" not in capsys.readouterr().out  # no weights scaled behind our back
    assert 0.1 < ours.mean() < 0.9
    assert np.array_equal(np.stack(theirs, -1), ours[:, :, 0, 0])


# What NIR cannot hold ------------------------------------------------------------------------------


def small(**changes: object) -> Graph:
    dense = Dense("s", ("x",), "y", np.array([[2]], np.int16))
    x = Population("x", (1, 1, 1), role="input")
    return Graph((x, replace(Population("y", (1, 1, 1), Cuba(1)), **changes)), (dense,))  # type: ignore[arg-type]


def test_refused_by_name(tmp_path: Path) -> None:
    one = np.array([[2]], np.int16)
    x, y, z = (Population("x", (1, 1, 1), role="input"), Population("y", (1, 1, 1), Cuba(1), role="readout"),
               Population("z", (1, 1, 1), Cuba(1)))
    cases = {
        "graded messages": (small(message_bits=8), "'y'"),
        "last population may be a readout": (Graph((x, y, z), (Dense("s", ("x",), "y", one),
                                                              Dense("t", ("x",), "z", one))), "'y'"),
        "an input has no neurons": (Graph((replace(x, bias=np.array([1])), z), (Dense("s", ("x",), "z", one),)), "'x'"),
        "no neuron that rests between the frames": (streamed_graph(), "'x'"),
        "no node that multiplies two inputs": (attention_graph(1), "'attention0'"),
        "a meta entry": (Graph((x, z), (Dense("s", ("x",), "z", one),), None, {"loss": float("nan")}), "'loss'"),
    }
    for message, (graph, name) in cases.items():
        with pytest.raises(NirError, match=message) as error:
            write_nir(graph, tmp_path / "a.nir")
        assert name in str(error.value)
    with pytest.raises(NirError, match="time step must be positive"):
        write_nir(small(), tmp_path / "a.nir", dt=0.0)
    for place in (tmp_path, tmp_path / "missing" / "a.nir"):
        with pytest.raises(NirError, match=r"write to|written"):
            write_nir(small(), place)
    assert list(tmp_path.iterdir()) == []


def test_a_graph_that_would_be_enormous_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    """A fused graph convolution of 256 channels, 64 frames, 25 joints: 41 MB for each of its 73 edges."""
    edges = np.stack([np.arange(73) % 25, np.arange(73) // 3], 1)
    weight = np.arange(73, dtype=np.int16)[:, None, None] * np.ones((1, 256, 256), np.int16)
    graph = Graph((Population("x", (256, 64, 25), role="input"), Population("y", (256, 64, 25), Cuba(1))),
                  (GraphConv("gcn", ("x",), "y", weight, edges),))
    with pytest.raises(NirError, match="larger than the size limit") as error:
        write_nir(graph, tmp_path / "a.nir")
    assert "'gcn' (GraphConv)" in str(error.value) and "JointMix" in str(error.value)
    mixing = JointMix("mix", ("x",), "y", np.ones((1, 25, 25), np.int16))
    assert to_nir(Graph(graph.populations, (mixing,))).nodes["w_mix"].weight.nbytes == 256 * 64 * 25 * 25 * 4


# Parameters against metadata -----------------------------------------------------------------------


def change(where: str, index: int, value: float) -> Callable[[h5py.File], None]:
    def edit(file: h5py.File) -> None:
        data = file[where][()]
        data.reshape(-1)[index] = value
        file[where][...] = data
    return edit


@pytest.mark.parametrize(("edit", "named"), [
    (change("node/nodes/w_s0/weight", 3, 0.25), "'w_s0', weight"),
    (change("node/nodes/n_a/tau", 0, 2e-4), "'n_a', tau"),
    (change("node/nodes/n_a/v_threshold", 5, 1.0), "'n_a', v_threshold"),
    (change("node/nodes/w_s0/bias", 0, 0), "bias"), (change("node/nodes/w_s0/stride", 0, 2), "stride"),
    (change("node/metadata/arrays/synapse1_weight", 7, 1), "'w_s1'"),
    (change("node/metadata/arrays/population1_bias", 0, 9), "'w_s0', bias"),
    (lambda file: file.move("node/nodes/n_a", "node/nodes/n_aa"), "does not exist"),
    (lambda file: file["node/edges"].write_direct(file["node/edges"][()][::-1].copy()), ""),
], ids=lambda case: case if isinstance(case, str) else "edit")
def test_a_change_of_one_without_the_other(tmp_path: Path, edit: Callable[[h5py.File], None], named: str) -> None:
    path = tmp_path / "a.nir"
    write_nir(chain_graph(), path)
    with h5py.File(path, "r+") as file:
        edit(file)
    if not named:  # edges in another order are the same edges
        assert graph_difference(chain_graph(), read_nir(path)) == ""
        return
    with pytest.raises(NirError, match=named):
        read_nir(path)


def test_parameters_stored_again_in_float32(tmp_path: Path) -> None:
    graph = branched_graph()
    path = tmp_path / "a.nir"
    made = write_nir(graph, path)
    for node in made.nodes.values():
        for key, value in vars(node).items():
            if isinstance(value, np.ndarray) and value.dtype == np.float64:
                setattr(node, key, value.astype(np.float32))
    nir.write(path, made)
    assert graph_difference(graph, read_nir(path)) == ""


def test_conv_of_every_parity(tmp_path: Path) -> None:
    """Kernels that no square can centre, strides, dilations, groups: nested loops would be the same sum."""
    rng = np.random.default_rng(1)
    for kernel in ((1, 1), (1, 2), (2, 1), (3, 2), (2, 3), (4, 1), (2, 2), (1, 3), (5, 3)):
        for groups, (stride, padding, dilation) in ((1, ((1, 2), (2, 1), (1, 1))), (2, ((2, 1), (0, 2), (1, 2))),
                                                    (4, ((1, 1), (0, 0), (1, 1)))):
            synapse = Conv("c", ("x",), "y", weights(rng, 4, 4 // groups, *kernel), stride, padding, dilation, groups)
            size = [(n + 2 * p - d * (k - 1) - 1) // s + 1
                    for n, p, d, k, s in zip((6, 5), padding, dilation, kernel, stride)]
            graph = Graph((Population("x", (4, 6, 5), role="input", message_bits=8),
                           Population("y", (4, *size), Cuba(300, 4096, 0), bias=rng.integers(-99, 99, (4, *size)))),
                          (synapse,), 2)
            write_nir(graph, tmp_path / "a.nir")
            assert_same_run(graph, nir.read(tmp_path / "a.nir"), samples_of(graph, 1, 2, largest=8))
