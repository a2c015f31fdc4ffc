"""deploy/run_lava.py on tensors: any net, every spike out, and tensors that cannot be run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from programs import Program
from typeguard import CollectionCheckStrategy, check_type

from mksgn.emulator import Emulator
from mksgn.ir import Cuba, Dense, Graph, Population
from mksgn.netx import read_net, write_net
from mksgn.report.run_file import TensorRunFile

PROGRAM = "deploy/run_lava.py"


@pytest.mark.lava
@pytest.mark.timeout(300)
def test_stock_net_in_lava_gives_the_golden_spikes(program: Program, stock: Path) -> None:
    """lava-dl's test_tinynet: input through the bias of the first neurons, 17 steps per sample."""
    bias = np.load(stock / "gts" / "tinynet" / "input_bias.npy").transpose(2, 1, 0)
    np.save("x.npy", np.repeat(bias[..., None], 17, axis=-1))
    arguments = ("--net", stock / "tiny.net", "--input", "x.npy", "--reset-interval", 17, "--dump", "out.npz")
    golden = np.load(stock / "gts" / "tinynet" / "output.npy")[0]
    outcome = program(*arguments, "--all", "--check-states")
    assert outcome.code == 0 and "0 differ" in outcome.out and "states" in outcome.out, outcome.out + outcome.err
    with np.load("out.npz") as dumped:
        assert set(dumped.files) == {"out", "input", "layer_0", "layer_1", "layer_2"}
        assert np.array_equal(dumped["out"][..., 2:17], golden[..., 1:]) and golden.any()
        assert np.array_equal(dumped["layer_2"], dumped["out"]) and dumped["layer_1"].shape == (24, 6, 6, 17)
    assert program(*arguments, "--backend", "emulator").code == 0
    with np.load("out.npz") as dumped:
        assert dumped.files == ["out"] and np.array_equal(dumped["out"][..., 2:17], golden[..., 1:])


def test_stock_net_with_delays_gives_the_golden_spikes(program: Program, stock: Path) -> None:
    """lava-dl's test_axonal_delay_ntidigits: float 0 and 1 of shape (64, 3000) into the net's (1, 1, 64)."""
    files = stock / "gts" / "ntidigits"
    outcome = program("--net", files / "ntidigits.net", "--input", files / "input.npy", "--dump", "out.npz")
    assert outcome.code == 2 and "average" in outcome.err
    outcome = program("--net", files / "ntidigits.net", "--num-layers", 5, "--input", files / "input.npy", "--dump",
                      "out.npz", "--backend", "emulator", "--json", "out.json")
    assert outcome.code == 0, outcome.err
    golden = np.load(files / "output.npy")
    with np.load("out.npz") as dumped:
        # The golden array holds what was received: one step after it was sent.
        assert np.array_equal(dumped["out"].reshape(242, 3000)[:, :-1], golden[:, 1:]) and golden.sum() > 20000
        assert dumped["out"].mean() == pytest.approx(json.loads(Path("out.json").read_text())["rates"]["layer_4"])
    result = json.loads(Path("out.json").read_text())
    check_type(result, TensorRunFile, collection_check_strategy=CollectionCheckStrategy.ALL_ITEMS)
    assert result["accuracy"] is None and result["windows"] == 0


def test_stock_net_that_does_not_say_its_input(program: Program) -> None:
    """It starts with a conv layer: the shape is that of the tensor, or --input-shape."""
    with h5py.File("conv.net", "w") as file:
        conv = {"type": np.array([b"conv"]), "shape": [1, 3, 2], "weight": np.full((1, 2, 2, 2), 2.0), "stride": 1,
                "padding": 0, "dilation": 1, "groups": 1, "neuron/type": "CUBA", "neuron/iDecay": 4096,
                "neuron/vDecay": 0, "neuron/vThMant": 3}
        for key, value in conv.items():
            file[f"layer/0/{key}"] = value
    x = np.ones((2, 4, 3, 5), int)
    np.save("x.npy", x)
    np.save("flat.npy", x.reshape(24, 5))
    run = ("--net", "conv.net", "--backend", "emulator", "--input")
    assert program(*run, "x.npy", "--dump", "a.npz").code == 0
    assert program(*run, "flat.npy", "--input-shape", 2, 4, 3, "--dump", "b.npz").code == 0
    with np.load("a.npz") as a, np.load("b.npz") as b:
        assert a["out"].shape == (1, 3, 2, 5) and a["out"].any() and np.array_equal(a["out"], b["out"])
    for arguments, message in ((("flat.npy",), "does not say the shape of its input"),
                               (("x.npy", "--input-shape", 2, 3, 4), "does not fit its ends"),
                               (("x.npy", "--input-shape", 3, 4, 3), "does not fit the first layer"),
                               (("x.npy", "--input-shape", 2, 0, 3), "impossible input shape")):
        outcome = program(*run, *arguments)
        assert outcome.code == 2 and message in outcome.err, outcome.err


def test_tensor_into_a_net_with_windows(program: Program, net: Path) -> None:
    graph = read_net(net)
    x = np.random.default_rng(0).integers(-127, 128, (*graph.input.shape, 8))
    np.save("x.npy", x)
    arguments = ("--net", net, "--backend", "emulator", "--dump", "o.npz", "--all", "--input")
    outcome = program(*arguments, "x.npy")
    assert outcome.code == 0 and "2 windows of 4" in outcome.out
    with Emulator(graph) as emulator:
        windows = [emulator.run(x[None, ..., n:n + 4], "spikes") for n in (0, 4)]
    with np.load("o.npz") as dumped:
        assert dumped["out"].shape == (*graph.output.shape, 2)
        for n, window in enumerate(windows):
            assert np.array_equal(dumped["out"][..., n].ravel(), window.output[0])
            assert np.array_equal(dumped["block2.stc"][..., 4 * n:4 * n + 4], window.spikes["block2.stc"][0])
        assert set(dumped.files) == {"out", *(population.name for population in graph.populations)}
        first = dumped["out"]
    np.save("flat.npy", x.reshape(-1, 8).astype(np.float32))
    program(*arguments, "flat.npy")
    with np.load("o.npz") as dumped:
        assert np.array_equal(dumped["out"], first)


def test_stream_through_a_net_with_awkward_names(program: Program, tmp_path: Path) -> None:
    """Populations called like numpy.savez's own argument, with a slash, and like the result."""
    chain = Graph((Population("file", (1, 1, 2), role="input"), Population("a/b", (2, 1, 1), Cuba(10)),
                   Population("out", (1, 1, 1), Cuba(131071, 4096, 0), role="readout")),
                  (Dense("s", ("file",), "a/b", np.array([[64, 0], [0, 64]], np.int16)),
                   Dense("r", ("a/b",), "out", np.array([[2, 4]], np.int16))))
    write_net(chain, tmp_path / "chain.net")
    np.save("x.npy", np.array([[1, 0, 1, 0, 0], [0, 1, 1, 0, 0]], bool))
    outcome = program("--net", "chain.net", "--input", "x.npy", "--dump", "o.npz", "--all", "--backend", "emulator")
    assert outcome.code == 0, outcome.err
    with np.load("o.npz") as dumped:
        assert dumped["a/b"][:, 0, 0].tolist() == [[0, 1, 0, 1, 0], [0, 0, 1, 1, 0]]
        assert dumped["out"].tolist() == [[[[12]]]] and dumped["file"].shape == (1, 1, 2, 5)
    assert program("--net", "chain.net").code == 2


BAD_INPUT: dict[str, tuple[Any, str]] = {
    "wrong shape": (np.zeros((3, 3, 8), int), "does not fit the net"),
    "no time": (np.zeros((3, 8, 20), int), "does not fit the net"),
    "Lava's order": (np.zeros((20, 8, 3, 4), int), "transpose(2, 1, 0, 3)"),
    "no whole window": (np.zeros((3, 8, 20, 6), int), "multiple of time_steps = 4"),
    "fractions": (np.full((3, 8, 20, 4), 0.5), "not made of integers"),
    "NaN": (np.full((3, 8, 20, 4), np.nan), "nan"),
    "too large": (np.full((3, 8, 20, 4), 200), "out of the message range"),
    "beyond int32": (np.full((3, 8, 20, 4), 1 << 40), "not made of integers"),
    "text": (np.array(["a"]), "not made of numbers"),
    "pickle": (np.array([None, {}], object), "cannot be read"),
}


@pytest.mark.parametrize("kind", BAD_INPUT)
def test_bad_tensors(program: Program, net: Path, kind: str) -> None:
    array, message = BAD_INPUT[kind]
    np.save("x.npy", array, allow_pickle=True)
    outcome = program("--net", net, "--input", "x.npy", "--backend", "emulator", "--dump", "o.npz")
    assert outcome.code == 2 and message in outcome.err and not Path("o.npz").exists()


def test_damaged_tensors(program: Program, net: Path) -> None:
    np.save("x.npy", np.zeros((3, 8, 20, 4), int))
    whole = Path("x.npy").read_bytes()
    for content, message in ((b"", "cannot be read"), (whole[:-100], "cannot be read"), (b"x" * 100, "cannot be read"),
                             (whole[:40], "cannot be read")):
        Path("x.npy").write_bytes(content)
        outcome = program("--net", net, "--input", "x.npy", "--backend", "emulator")
        assert outcome.code == 2 and message in outcome.err
    with Path("huge.npy").open("wb") as stream:  # a header that declares terabytes
        np.lib.format.write_array_header_1_0(
            stream, {"descr": "<i8", "fortran_order": False, "shape": (3, 8, 20, 1 << 40)})
    np.savez("z.npz", x=np.zeros(3))
    for name, message in (("huge.npy", "cannot be read"), ("z.npz", "several arrays"), ("none.npy", "does not exist")):
        outcome = program("--net", net, "--input", name, "--backend", "emulator")
        assert outcome.code == 2 and message in outcome.err


def test_reset_interval_has_no_effect_on_windows(program: Program, net: Path) -> None:
    np.save("x.npy", np.zeros((3, 8, 20, 4), int))
    outcome = program("--net", net, "--input", "x.npy", "--reset-interval", 4, "--backend", "emulator")
    assert outcome.code == 2 and "no effect on this net" in outcome.err
