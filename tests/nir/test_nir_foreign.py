"""NIR files of others: taken where our integers hold them exactly, else refused with the node and the reason."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import h5py
import nir
import numpy as np
import pytest
from nir_torch import run

from mksgn.emulator import Emulator
from mksgn.errors import GraphError, MksgnError
from mksgn.ir import Conv, Cuba, Dense, Graph, JointMix, Population
from mksgn.nir import Assumptions, NirError, read_nir, write_nir

DT = 1e-4


def lif(*shape: int, threshold: float = 1.0, decay: float = 0.75, leak: float = 0.0) -> nir.LIF:
    tau = DT / decay

    def full(value: float) -> np.ndarray:
        return np.full(shape, value, np.float32)

    return nir.LIF(full(tau), full(tau / DT), full(leak), full(threshold), full(0.0))


def affine(rng: np.random.Generator, outputs: int, inputs: int) -> nir.Affine:
    return nir.Affine(rng.integers(-100, 101, (outputs, inputs)).astype(np.float32) / 64,
                      rng.integers(-9, 10, outputs).astype(np.float32) / 64)


def conv(rng: np.random.Generator, size: tuple[int, int], outputs: int, inputs: int) -> nir.Conv2d:
    return nir.Conv2d(size, rng.integers(-60, 61, (outputs, inputs, 3, 3)).astype(np.float32) / 64, 1, 1, 1, 1,
                      np.zeros(outputs, np.float32))


def chain(*nodes: nir.NIRNode, shape: tuple[int, ...], **options: object) -> nir.NIRGraph:
    """Nodes one after another, named by type and position."""
    named = {f"{type(node).__name__.lower()}{number}": node for number, node in enumerate(nodes)}
    names = ["input", *named, "output"]
    ends = nir.Input(np.array(shape)), nir.Output(np.array([1]))
    return nir.NIRGraph({"input": ends[0], **named, "output": ends[1]}, list(pairwise(names)), type_check=False)


def store(graph: nir.NIRGraph, folder: Path) -> Path:
    nir.write(folder / "foreign.nir", graph)
    return folder / "foreign.nir"


def test_a_network_of_another_tool_runs_here_with_its_spikes(tmp_path: Path) -> None:
    """Float32 parameters, a bias, a skip, a delay, a CubaLIF without names of ours."""
    rng = np.random.default_rng(3)
    half = np.full(6, DT / 0.5, np.float32)
    cuba = nir.CubaLIF(half, half, half / np.float32(DT), np.zeros(6, np.float32), np.full(6, 2.5, np.float32), None,
                       half / np.float32(DT))
    nodes = {"input": nir.Input(np.array([2, 4, 5])), "conv": conv(rng, (4, 5), 3, 2), "a": lif(3, 4, 5, leak=0.25),
             "flat": nir.Flatten({"input": np.array([3, 4, 5])}, 0), "late": nir.Delay(np.full(60, 2 * DT)),
             "fc": affine(rng, 6, 60), "b": cuba, "flat2": nir.Flatten({"input": np.array([2, 4, 5])}, 0),
             "skip": nir.Linear(rng.integers(-3, 4, (6, 40)).astype(np.float32) / 32),
             "output": nir.Output(np.array([6]))}
    nodes["fc"].bias[:] = 0
    edges = [("input", "conv"), ("conv", "a"), ("a", "flat"), ("flat", "late"), ("late", "fc"), ("fc", "b"),
             ("input", "flat2"), ("flat2", "skip"), ("skip", "b"), ("b", "output")]
    path = store(nir.NIRGraph(nodes, edges), tmp_path)
    graph = read_nir(path, Assumptions(time_steps=8))
    assert graph.time_steps == 8 and graph.meta == {"origin": "nir", "dt": DT}
    assert graph["a"].neuron == Cuba(graph["a"].neuron.vth, 4096, 3072)  # type: ignore[union-attr]
    assert [s.delay.max() for s in graph.synapses if isinstance(s, Dense) and s.delay is not None] == [2]
    x = (rng.random((3, 2, 4, 5, 8)) < 0.5).astype(np.int64)
    with Emulator(graph) as emulator:
        ours = emulator.run(x, "spikes").spikes
    total = 0
    for number, sample in enumerate(x):
        theirs = run(nir.read(path), sample)
        for name in ("a", "b"):
            seen = theirs[name].reshape(*graph[name].shape, -1)
            assert np.array_equal(seen, ours[name][number]), name
            total += int(seen.sum())
    assert total > 100


def test_each_weighted_node_becomes_the_synapse_that_is_equal(tmp_path: Path) -> None:
    mixing = np.broadcast_to(np.arange(15, dtype=np.float32).reshape(3, 5), (2, 4, 3, 5)).copy()
    depth = np.broadcast_to(np.array([1, -2], np.float32)[:, None, None], (2, 4, 5)).copy()
    cases: list[tuple[nir.NIRNode, tuple[int, ...], type]] = [
        (nir.Linear(mixing), (2, 4, 3), JointMix), (nir.Scale(depth), (2, 4, 5), Conv),
        (nir.Conv1d(4, np.ones((3, 2, 3), np.float32), 1, 1, 1, 1, np.zeros(3, np.float32)), (3, 4), Conv)]
    for node, out, kind in cases:
        shape = (2, 4) if isinstance(node, nir.Conv1d) else (2, 4, 5)
        graph = read_nir(store(chain(node, lif(*out, threshold=16.0), shape=shape), tmp_path))
        assert type(graph.synapses[0]) is kind and graph.output.size == np.prod(out)
    assert graph.input.shape == (2, 4, 1) and graph.synapses[0].weight.shape == (3, 2, 3, 1)


def test_neurons_without_a_shape_of_their_own_and_direct_edges(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    graph = read_nir(store(chain(conv(rng, (4, 5), 3, 2), lif(1), lif(3, 4, 5), shape=(2, 4, 5)), tmp_path))
    assert [p.shape for p in graph.populations] == [(2, 4, 5), (3, 4, 5), (3, 4, 5)]
    assert isinstance(graph.synapses[1], Conv) and graph.synapses[1].groups == 3


def test_our_own_file_without_its_metadata(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    graph = Graph((Population("x", (8, 1, 1), role="input"), Population("a", (4, 1, 1), Cuba(256), bias=np.arange(4)),
                   Population("b", (2, 1, 1), Cuba((1 << 17) - 1, 4096, 0), role="readout")),
                  (Dense("s", ("x",), "a", 2 * rng.integers(-127, 128, (4, 8)).astype(np.int16)),
                   Dense("t", ("a",), "b", 2 * rng.integers(-127, 128, (2, 4)).astype(np.int16))), 4)
    write_nir(graph, tmp_path / "a.nir")
    read = read_nir(tmp_path / "a.nir", Assumptions(time_steps=4), foreign=True)
    x = (rng.random((9, 8, 1, 1, 4)) < 0.5).astype(np.int64)
    with Emulator(graph) as one, Emulator(read) as two:
        left, right = one.run(x, "spikes"), two.run(x, "spikes")
    assert np.array_equal(left.spikes["a"], right.spikes["n_a"]) and left.spikes["a"].any()
    with pytest.raises(NirError, match="have no effect"):
        read_nir(tmp_path / "a.nir", Assumptions())


# Refused, with the node's name ---------------------------------------------------------------------


def changed(node: nir.NIRNode, **fields: object) -> nir.NIRNode:
    for name, value in fields.items():
        setattr(node, name, value)
    return node


def refusals() -> dict[str, tuple[nir.NIRGraph, str, str]]:
    rng = np.random.default_rng(1)
    fc = affine(rng, 4, 6)

    def after(*nodes: nir.NIRNode) -> nir.NIRGraph:
        return chain(fc, *nodes, shape=(6,))

    recurrent = after(lif(4))
    recurrent.nodes["w"] = nir.Linear(np.eye(4, dtype=np.float32))
    recurrent.edges += [("lif1", "w"), ("w", "lif1")]
    uneven = changed(lif(4), tau=np.array([DT, DT, DT, 2 * DT]))
    pool = nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0]))
    return {
        "weights": (chain(nir.Linear(np.array([[0.1, 1.0]], np.float32)), lif(1), shape=(2,)), "no integer", "linear0"),
        "threshold": (after(lif(4, threshold=1 / 3)), "no integer", "lif1"),
        "negative threshold": (after(lif(4, threshold=-1.0)), "threshold is negative", "lif1"),
        "range": (chain(nir.Linear(np.array([[1e6, 1.0]], np.float32)), lif(1), shape=(2,)), "no integer", "lif1"),
        "decay": (after(lif(4, decay=0.3)), "no multiple of 1/4096", "lif1"),
        "no decay": (after(lif(4, decay=1e-9)), "no multiple of 1/4096", "lif1"),
        "reset": (after(changed(lif(4), v_reset=np.full(4, 0.5))), "resets to another voltage", "lif1"),
        "uneven": (after(uneven), "differs between the neurons", "lif1"),
        "nan": (after(changed(lif(4), v_threshold=np.full(4, np.nan))), "not finite", "lif1"),
        "integrator": (after(nir.IF(np.full(4, 3.0), np.ones(4))), "input of an integrator", "if1"),
        "recurrent": (recurrent, "recurrent", "lif1"),
        "two weights": (chain(fc, affine(rng, 3, 4), lif(3), shape=(6,)), "two weighted nodes", "affine1"),
        "pool": (chain(conv(rng, (4, 4), 2, 2), pool, lif(2, 2, 2), shape=(2, 4, 4)), "no counterpart", "sumpool2d1"),
        "threshold node": (after(nir.Threshold(np.ones(4))), "no counterpart", "threshold1"),
        "voltage": (after(nir.LI(*[np.full(4, DT), np.ones(4), np.zeros(4)]), lif(4)), "voltage on", "li1"),
        "linear output": (chain(fc, shape=(6,)), "must be one node of neurons", "affine0"),
        "late delay": (chain(fc, nir.Delay(np.full(4, DT)), lif(4), shape=(6,)), "between weights and", "delay1"),
        "odd delay": (chain(nir.Delay(np.full(6, 0.5 * DT)), fc, lif(4), shape=(6,)), "delay is no number", "delay0"),
        "long delay": (chain(nir.Delay(np.full(6, 63 * DT)), fc, lif(4), shape=(6,)), "delay is no number", "delay0"),
        "joints": (chain(nir.Linear(np.arange(72, dtype=np.float32).reshape(2, 3, 3, 4)), lif(2, 3, 3),
                         shape=(2, 3, 4)), "differs between channels or frames", "linear0"),
        "scale": (chain(nir.Scale(np.arange(24, dtype=np.float32).reshape(2, 3, 4)), lif(2, 3, 4), shape=(2, 3, 4)),
                  "one number per channel", "scale0"),
        "axes": (chain(lif(1, 2, 3, 4), shape=(1, 2, 3, 4)), "shape has no counterpart", "input"),
        "padding": (chain(changed(conv(rng, (4, 4), 2, 2), padding="same", stride=(2, 2)), lif(2, 2, 2),
                          shape=(2, 4, 4)), "padding has no counterpart", "conv2d0"),
        "memory": (after(nir.CubaLIF(*[np.full(4, 2 * DT)] * 2, np.full(4, 2.0), np.zeros(4), np.ones(4), None, 2.0)),
                   "synapse with memory", "affine0"),
        "subgraph": (after(lif(4), chain(fc, lif(4), shape=(6,))), "no counterpart", "nirgraph2"),
    }


@pytest.mark.parametrize("kind", refusals())
def test_refused_with_the_node(tmp_path: Path, kind: str) -> None:
    graph, message, node = refusals()[kind]
    with pytest.raises(NirError, match=message) as error:
        read_nir(store(graph, tmp_path))
    assert f"'{node}'" in error.value.where or node in error.value.got, str(error.value)


def test_shapes_that_do_not_fit_name_both_ends(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    with pytest.raises(GraphError, match="affine0"):
        read_nir(store(chain(affine(rng, 4, 5), lif(4), shape=(6,)), tmp_path))


@pytest.mark.parametrize("assumptions", [Assumptions(dt=0.0), Assumptions(dt=float("nan")), Assumptions(dt=1e-3),
                                         Assumptions(time_steps=0)])
def test_assumptions_that_make_no_sense(tmp_path: Path, assumptions: Assumptions) -> None:
    path = store(chain(affine(np.random.default_rng(1), 4, 6), lif(4), shape=(6,)), tmp_path)
    with pytest.raises(MksgnError, match=r"time step|1/4096|time_steps"):
        read_nir(path, assumptions)


# Damaged and hostile -------------------------------------------------------------------------------


@pytest.fixture
def good(tmp_path: Path) -> Path:
    graph = Graph((Population("x", (2, 3, 2), role="input"), Population("a", (2, 3, 2), Cuba(3)),
                   Population("b", (2, 1, 1), Cuba(3))),
                  (Conv("s", ("x",), "a", np.full((2, 2, 1, 1), 2, np.int16)),
                   Dense("h", ("a",), "b", np.full((2, 12), 8, np.int16))), 4, {"labels": ["one", "two"]})
    write_nir(graph, tmp_path / "good.nir")
    return tmp_path / "good.nir"


def put(where: str, value: object, **options: object) -> Callable[[h5py.File], None]:
    def edit(file: h5py.File) -> None:
        del file[where]
        file.create_dataset(where, data=value, **options)
    return edit


def circle(file: h5py.File) -> None:
    file["node/nodes/n_a/inside"] = file["node"]


def link(kind: object) -> Callable[[h5py.File], None]:
    def edit(file: h5py.File) -> None:
        del file["node/nodes/n_a/tau"]
        file["node/nodes/n_a/tau"] = kind
    return edit


def bomb(file: h5py.File) -> None:
    """A few bytes that declare 8 terabytes."""
    del file["node/nodes/w_s/weight"]
    file.create_dataset("node/nodes/w_s/weight", shape=(1 << 20, 1 << 20), dtype="f8", chunks=(1, 1 << 10),
                        compression="gzip")


def external(file: h5py.File) -> None:
    del file["node/nodes/n_a/tau"]
    file.create_dataset("node/nodes/n_a/tau", shape=(2, 3, 2), dtype="f8", external=[("/etc/hostname", 0, 96)])


HOSTILE: dict[str, tuple[Callable[[h5py.File], None], str]] = {
    "no graph": (lambda file: file.move("node", "other"), "no NIR graph"),
    "NIR of the future": (put("version", "2.0"), "unknown version of NIR"),
    "no NIR version": (lambda file: file.move("version", "other"), "unknown version of NIR"),
    "no nodes": (lambda file: file.move("node/nodes", "node/other"), "no nodes"),
    "no edges": (lambda file: file.move("node/edges", "node/other"), "edges are not pairs"),
    "unknown type": (put("node/nodes/n_a/type", "Pickle"), "unknown node type"),
    "type is a number": (put("node/nodes/n_a/type", 7), "unknown node type"),
    "edge to nowhere": (put("node/edges", [("input", "nowhere")], dtype=h5py.string_dtype()), "does not exist"),
    "version": (put("node/metadata/format_version", 2), "unknown version"),
    "no JSON": (put("node/metadata/graph", "{" * 10_000), "metadata of mksgn are damaged"),
    "deep JSON": (put("node/metadata/graph", "[" * 100_000), "metadata of mksgn are damaged"),
    "other JSON": (put("node/metadata/graph", "[1]"), "metadata of mksgn are damaged"),
    "float weights": (put("node/metadata/arrays/synapse0_weight", np.ones((2, 2, 1, 1))), "of mksgn are damaged"),
    "extra array": (lambda file: file.create_dataset("node/metadata/arrays/more", data=[1]), "without a use"),
    "soft link": (link(h5py.SoftLink("/node/nodes/n_b/tau")), "links are not followed"),
    "external link": (link(h5py.ExternalLink("/etc/passwd", "/x")), "links are not followed"),
    "circle": (circle, "nested too deeply"),
    "bomb": (bomb, "larger than the size limit"),
    "external storage": (external, "data outside the file"),
    "objects": (put("node/nodes/n_a/tau", np.zeros(3, np.dtype([("a", "f8")]))), "neither numbers nor text"),
    "references": (put("node/nodes/n_a/tau", np.array([], dtype=h5py.ref_dtype)), "neither numbers nor text"),
    "missing parameter": (lambda file: file.move("node/nodes/n_a/tau", "node/nodes/n_a/tan"), "'n_a', ta"),
    "many populations": (put("node/metadata/graph", f'{{"synapses": [], "populations": [{"{}, " * 9998}{{}}]}}'),
                         "9999 populations"),
    "edge twice": (put("node/edges", [("input", "w_s"), ("input", "w_s")], dtype=h5py.string_dtype()), "stands twice"),
    "huge shape": (put("node/metadata/graph", '{"dt": 1e-4, "time_steps": 4, "meta": {}, "synapses": [], '
                       '"populations": [{"name": "x", "shape": [1073741824, 1048576, 1024], "role": "input", '
                       '"message_bits": 0, "neuron": null}]}'), "damaged"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_one_clear_error(good: Path, kind: str) -> None:
    edit, message = HOSTILE[kind]
    with h5py.File(good, "r+") as file:
        edit(file)
    with pytest.raises(NirError, match=message) as error:
        read_nir(good)
    assert len(str(error.value)) < 2000


def test_no_file_and_no_hdf5(tmp_path: Path) -> None:
    (tmp_path / "text.nir").write_text("not HDF5")
    (tmp_path / "empty.nir").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe.nir")
    for name in ("missing.nir", "text.nir", "empty.nir", "pipe.nir", ".", "a\0b"):
        with pytest.raises(NirError):
            read_nir(tmp_path / name)


def test_every_truncation_and_many_flipped_bytes(good: Path) -> None:
    """Whatever happens to the bytes: the same graph, another valid one, or one of our errors; never anything else."""
    content = good.read_bytes()
    rng = np.random.default_rng(0)
    for cut in rng.integers(0, len(content), 60):
        good.write_bytes(content[:cut])
        with pytest.raises(MksgnError):
            read_nir(good)
    failed = 0
    for position in rng.integers(0, len(content), 250):
        damaged = bytearray(content)
        damaged[position] ^= int(rng.integers(1, 256))
        good.write_bytes(bytes(damaged))
        try:
            read_nir(good)
        except MksgnError:
            failed += 1
    assert failed > 10


def test_a_long_signal_needs_no_table_of_its_length_squared(tmp_path: Path) -> None:
    """A convolution over a million samples is a small file; as a matrix it is not made."""
    x, y = Population("x", (1, 1, 1 << 20), role="input"), Population("y", (1, 1, 1 << 20), Cuba(1))
    for kernel in (1, 3):
        synapse = Conv("c", ("x",), "y", np.ones((1, 1, 1, kernel), np.int16), padding=(0, kernel // 2))
        write_nir(Graph((x, y), (synapse,)), tmp_path / "a.nir")
        assert read_nir(tmp_path / "a.nir").output.size == 1 << 20
    even = Conv("c", ("x",), "y", np.ones((1, 1, 1, 2), np.int16))
    with pytest.raises(NirError, match="larger than the size limit"):
        write_nir(Graph((x, Population("y", (1, 1, (1 << 20) - 1), Cuba(1))), (even,)), tmp_path / "b.nir")


def test_the_limit_is_the_callers(good: Path) -> None:
    with pytest.raises(NirError, match="larger than the size limit"):
        read_nir(good, max_bytes=1000)


def test_shared_weights_are_charged_for_every_copy(tmp_path: Path) -> None:
    """One matrix that a hundred populations read: a small file that would become gigabytes."""
    weight = np.zeros((1024, 1024), np.float32)
    nodes: dict[str, nir.NIRNode] = {"input": nir.Input(np.array([1024])), "w": nir.Linear(weight)}
    edges = [("input", "w")]
    for number in range(100):
        nodes[f"n{number}"] = lif(1024)
        edges.append(("w", f"n{number}"))
    nodes["output"] = nir.Output(np.array([1024]))
    edges.append(("n0", "output"))
    path = store(nir.NIRGraph(nodes, edges, type_check=False), tmp_path)
    with pytest.raises(NirError, match="larger than the size limit"):
        read_nir(path)
