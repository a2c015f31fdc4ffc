"""Stock files that we do not run: each gives one error that says what the layer lacks or holds too much."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from mksgn.errors import MksgnError
from mksgn.ir import Dense
from mksgn.netx import read_net


def stock_file(path: Path, layers: list[dict]) -> Path:
    with h5py.File(path, "w") as file:
        for number, layer in enumerate(layers):
            for key, value in layer.items():
                file[f"layer/{number}/{key}"] = np.array([value.encode()]) if key == "type" else value
    return path


NEURON = {"neuron/type": "CUBA", "neuron/iDecay": 4096, "neuron/vDecay": 0, "neuron/vThMant": 9}
INPUT = {"type": "input", "shape": [2, 2, 2]}
CONV = {"type": "conv", "shape": [1, 2, 2], "weight": np.full((1, 2, 1, 1), 2.0), "stride": 1, "padding": 0,
        "dilation": 1, "groups": 1, **NEURON}
DENSE = {"type": "dense", "shape": [2], "weight": np.full((2, 4), 2.0), **NEURON}
FLATTEN = {"type": "flatten", "shape": [4, 1, 1]}


@pytest.mark.parametrize(("layers", "message"), [
    ([INPUT, CONV, DENSE], "flatten layer must stand before"),
    ([INPUT, CONV, FLATTEN], "must be followed by a dense"),
    ([INPUT, FLATTEN, CONV], "must be followed by a dense"),
    ([INPUT, {**CONV, "delay": np.ones(1)}], "unknown field"),
    ([INPUT, {**CONV, "neuron/vThMant": (1 << 18) - 1}, FLATTEN, DENSE], "never spike feed another layer"),
    ([INPUT, {key: value for key, value in CONV.items() if not key.startswith("neuron")}], "no neurons"),
    ([INPUT, {**CONV, "neuron/type": "SDNN"}], "neuron type"),
    ([{**INPUT, "neuron/type": "SDNN", "neuron/vThMant": 0}, CONV], "neuron type"),
    ([{**INPUT, "weight": 3.0}, CONV], "input without neurons has no weight"),
    ([{**INPUT, **NEURON, "weight": 0.5}, CONV], "whole numbers"),
    ([INPUT, CONV, {"type": "average", "shape": [1, 1, 1]}], "layer type is not supported"),
    ([INPUT, CONV, {"type": "concat", "shape": [1, 2, 2], "layers": [0, 1]}], "layer type is not supported"),
    ([INPUT, {**CONV, "name": "a"}], "unknown field"),
    ([CONV], "does not say the shape of its input"),
    ([CONV, INPUT], "does not say the shape of its input"),
    ([DENSE, INPUT], "first layer"),
    ([FLATTEN], "at least one population|must be followed by a dense"),
    ([{**DENSE, "weight": np.zeros((0, 4))}], "weights have the wrong shape"),
    ([{**DENSE, "inFeatures": 5}], "contradicts the weights"),
    ([INPUT], "at least one population"),
])
def test_stock_files_that_we_do_not_run(tmp_path: Path, layers: list[dict], message: str) -> None:
    with pytest.raises(MksgnError, match=message):
        read_net(stock_file(tmp_path / "a.net", layers))


def test_the_stock_layers_of_these_cases_are_fine(tmp_path: Path) -> None:
    read = read_net(stock_file(tmp_path / "a.net", [INPUT, CONV, FLATTEN, {**DENSE, "delay": np.array([0.0, 5.0])}]))
    dense = read.synapses[1]
    assert isinstance(dense, Dense) and dense.delay is not None and dense.delay.tolist() == [[0] * 4, [5] * 4]
