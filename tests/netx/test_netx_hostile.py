"""Files that are damaged, wrong or malicious: each gives one NetFileError (or GraphError) that says what and where."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from written_graphs import layered_graph

from mksgn.errors import GraphError, MksgnError, NetFileError
from mksgn.ir import graphs_equal
from mksgn.netx import read_net

Change = Callable[[h5py.File], None]


def replace(where: str, value: object) -> Change:
    def change(file: h5py.File) -> None:
        del file[where]
        file[where] = value
    return change


def attribute(key: str, value: object) -> Change:
    def change(file: h5py.File) -> None:
        file.attrs[key] = value
    return change


def link(where: str, to: object) -> Change:
    def change(file: h5py.File) -> None:
        if where in file:
            del file[where]
        file[where] = to
    return change


def remove(where: str) -> Change:
    def change(file: h5py.File) -> None:
        del file[where]
    return change


def dataset(where: str, **options: object) -> Change:
    def change(file: h5py.File) -> None:
        if where in file:
            del file[where]
        file.create_dataset(where, **options)
    return change


def virtual(file: h5py.File) -> None:
    del file["layer/2/weight"]
    layout = h5py.VirtualLayout(shape=(2, 2, 1, 1), dtype="i2")
    layout[:] = h5py.VirtualSource("/etc/hostname", "w", shape=(2, 2, 1, 1))
    file.create_virtual_dataset("layer/2/weight", layout)


def loop(file: h5py.File) -> None:
    del file["layer/2/neuron"]
    file["layer/2/neuron"] = file["layer"]


def references(file: h5py.File) -> None:
    del file["layer/2/weight"]
    pointers = np.array([file["layer"].ref] * 4, dtype=h5py.ref_dtype)
    file.create_dataset("layer/2/weight", data=pointers.reshape(2, 2, 1, 1))


def no_layers(file: h5py.File) -> None:
    del file["layer"]
    file.create_group("layer")


def layer_dataset(file: h5py.File) -> None:
    del file["layer"]
    file["layer"] = 3


def weight_group(file: h5py.File) -> None:
    del file["layer/2/weight"]
    file.create_group("layer/2/weight")


HUGE = 10**6
W = "layer/2/weight"
CASES: dict[str, tuple[Change, str]] = {
    # links and data outside the file
    "external link": (link(W, h5py.ExternalLink("/etc/passwd", "/")), "links are not followed"),
    "external link to a group": (link("layer/2/neuron", h5py.ExternalLink("other.net", "/layer")),
                                 "links are not followed"),
    "external link at the root": (link("simulation", h5py.ExternalLink("other.net", "/")), "links are not followed"),
    "soft link": (link(W, h5py.SoftLink("/layer/4/weight")), "links are not followed"),
    "dangling soft link": (link("layer/99", h5py.SoftLink("/nowhere")), "links are not followed"),
    "external storage": (dataset(W, shape=(2, 2, 1, 1), dtype="i2", external=[("/etc/passwd", 0, 8)]),
                         "outside the file"),
    "virtual dataset": (virtual, "outside the file"),
    "group that holds itself": (loop, "required field is missing"),
    # sizes
    "terabytes of weights": (dataset(W, shape=(HUGE, HUGE, 1, 1), chunks=(64, 64, 1, 1), dtype="i1"),
                             "larger than the size limit"),
    "terabytes of delays": (dataset("layer/9/delay", shape=(HUGE, HUGE), chunks=(64, 64), dtype="i1"),
                            "larger than the size limit"),
    "terabytes of neurons": (replace("layer/0/shape", np.array([HUGE, HUGE, 1])), "larger than the size limit"),
    "chunks far larger than their data": (dataset(W, shape=(2, 2), maxshape=(None, None), chunks=(40000, 40000),
                                                  dtype="i1"), "larger than the size limit"),
    "a long string": (replace("layer/2/name", np.bytes_(b"x" * 5000)), "string is too long"),
    "a long variable string": (replace("layer/2/name", "x" * 5000), "string is too long"),
    # types and values
    "object type": (dataset(W, shape=(2,), dtype=h5py.vlen_dtype(np.int16)), "numbers were expected"),
    "references": (references, "numbers were expected"),
    "compound type": (dataset(W, shape=(4,), dtype=[("a", "i2"), ("b", "i2")]), "numbers were expected"),
    "array type": (dataset(W, shape=(4,), dtype=np.dtype(("i2", (3,)))), "numbers were expected|wrong shape"),
    "text for numbers": (replace(W, np.array([b"1"])), "numbers were expected"),
    "complex numbers": (replace(W, np.ones((2, 2, 1, 1), complex)), "numbers were expected"),
    "fractional weights": (replace(W, np.full((2, 2, 1, 1), 0.5)), "whole numbers"),
    "NaN weights": (replace(W, np.full((2, 2, 1, 1), np.nan)), "whole numbers"),
    "infinite weights": (replace(W, np.full((2, 2, 1, 1), np.inf)), "whole numbers"),
    "weights above the range": (replace(W, np.full((2, 2, 1, 1), 255)), "out of range"),
    "weights below the range": (replace(W, np.full((2, 2, 1, 1), -257)), "out of range"),
    "weights that wrap in 16 bits": (replace(W, np.full((2, 2, 1, 1), 65538)), "out of range"),
    "weights of 64 unsigned bits": (replace(W, np.full((2, 2, 1, 1), 2**64 - 2, np.uint64)), "out of range"),
    "weights of the wrong rank": (replace(W, np.full(4, 2)), "wrong shape"),
    "no weights": (replace(W, np.zeros((0, 2, 1, 1))), "wrong shape"),
    "an empty dataset": (replace(W, h5py.Empty("i2")), "holds nothing"),
    "weights that do not fit": (replace(W, np.full((3, 2, 1, 1), 2)), "contradicts"),
    "a bias above the range": (replace("layer/2/bias", np.array([4096, 0])), "out of range"),
    "a bias of the wrong shape": (replace("layer/2/bias", np.zeros(3)), "bias has the wrong shape"),
    "a delay above the range": (replace("layer/9/delay", np.full(6, 63)), "out of range"),
    "a delay of the wrong shape": (replace("layer/9/delay", np.zeros(5)), "delays have the wrong shape"),
    "an edge below 0": (replace("layer/6/edges", np.array([[0, 0], [1, 1], [-1, 1]])), "out of range"),
    "an edge to no joint": (replace("layer/6/edges", np.array([[0, 0], [1, 1], [2, 1]])), "joint outside"),
    "edges that do not pair": (replace("layer/6/edges", np.array([[0, 0]])), "do not pair"),
    "negative stride": (replace("layer/2/stride", np.array([-1, 1])), "out of range"),
    "stride 0": (replace("layer/2/stride", np.array([0, 1])), "out of range"),
    "absurd stride": (replace("layer/2/stride", np.array([2**40, 1])), "out of range"),
    "absurd padding": (replace("layer/2/padding", np.array([60000, 0])), "does not fit its ends"),
    "three strides": (replace("layer/2/stride", np.array([1, 1, 1])), "one or two numbers"),
    "no groups": (replace("layer/2/groups", 0), "out of range"),
    "a negative shape": (replace("layer/2/shape", np.array([-2, 3, 2])), "out of range"),
    "a shape of two": (replace("layer/2/shape", np.array([2, 3])), "one or three numbers"),
    "another shape": (replace("layer/2/shape", np.array([2, 3, 3])), "does not fit its ends"),
    "vThMant above the range": (replace("layer/2/neuron/vThMant", 1 << 17), "out of range"),
    "iDecay above the range": (replace("layer/2/neuron/iDecay", 4097), "out of range"),
    "vDecay below the range": (replace("layer/2/neuron/vDecay", -1), "out of range"),
    "two thresholds": (replace("layer/2/neuron/vThMant", np.array([1, 2])), "one number was expected"),
    "graded spikes of a CUBA neuron": (replace("layer/2/neuron/gradedSpike", True), "out of range"),
    "a refractory period": (replace("layer/2/neuron/refDelay", 5), "out of range"),
    "weight_exp, which netx ignores": (link("layer/2/neuron/weight_exp", 3), "out of range"),
    "an unknown role": (link("layer/2/neuron/role", np.bytes_(b"king")), "unknown role"),
    # structure
    "no layers": (remove("layer"), "holds no network"),
    "an empty layer group": (no_layers, "at least one population"),
    "a missing layer": (remove("layer/1"), "a layer is missing"),
    "layer is a dataset": (layer_dataset, "a group was expected"),
    "weights are a group": (weight_group, "a dataset was expected"),
    "no type": (remove("layer/2/type"), "required field is missing"),
    "no weights field": (remove(W), "required field is missing"),
    "no neurons": (remove("layer/2/neuron"), "no neurons"),
    "no name": (remove("layer/2/name"), "required field is missing"),
    "an unknown type": (replace("layer/2/type", np.array([b"transformer"])), "layer type is not supported"),
    "a pool layer": (replace("layer/2/type", np.array([b"pool"])), "layer type is not supported"),
    "a recurrent layer": (replace("layer/2/type", np.array([b"dense_rec"])), "layer type is not supported"),
    "a second input": (replace("layer/2/type", np.array([b"input"])), "unknown field|first layer"),
    "a type that is a number": (replace("layer/2/type", 7), "one string was expected"),
    "a type that is not UTF-8": (replace("layer/2/type", np.bytes_(b"\xff\xfe")), "damaged"),
    "two types": (replace("layer/2/type", np.array([b"conv", b"conv"])), "one string was expected"),
    "an SDNN neuron": (replace("layer/2/neuron/type", "SDNN"), "neuron type is not supported"),
    "an RF neuron": (replace("layer/2/neuron/type", "RF_IZ"), "neuron type is not supported"),
    "an adaptive neuron": (replace("layer/2/neuron/type", "ALIF"), "neuron type is not supported"),
    "an unknown field": (link("layer/2/gain", 3), "unknown field"),
    "recurrent weights": (link("layer/2/weight_rec", np.zeros((2, 2))), "unknown field"),
    "an unknown neuron field": (link("layer/2/neuron/jitter", 3), "unknown field"),
    "an unknown group": (link("extra", 3), "unknown field"),
    "a source that comes later": (replace("layer/1/layers", np.array([2])), "out of range"),
    "a source without neurons": (replace("layer/3/layers", np.array([1])), "holds no neurons"),
    "the same source twice": (replace("layer/5/layers", np.array([2, 2])), "must be distinct"),
    "a matrix of sources": (replace("layer/5/layers", np.zeros((2, 2), np.int64)), "list of layers was expected"),
    "a source that is no list": (replace("layer/5/layers", 2), "list of layers was expected"),
    "no source": (replace("layer/5/layers", np.array([], dtype=np.int64)), "has no source"),
    "a target with neurons of its own": (link("layer/4/target", 2), "no neurons of its own"),
    "a target that is the input": (link("layer/4/target", 0), "no neurons of its own"),
    "two populations of one name": (replace("layer/4/name", np.bytes_(b"a")), "two populations have one name"),
    "two synapses of one name": (replace("layer/4/synapse", np.bytes_(b"s")), "two synapses have one name"),
    "a flatten before a conv": (replace("layer/1/type", np.array([b"flatten"])), "unknown field|flatten"),
    "no flatten before a dense": (replace("layer/8/type", np.array([b"conv"])), "required field|unknown field"),
    # attributes
    "another format": (attribute("format", np.bytes_(b"other")), "unknown file format"),
    "a format that is a number": (attribute("format", 3), "unknown file format"),
    "a later version": (attribute("format_version", 3), "unknown format version"),
    "the version of streams, without lattices": (attribute("format_version", 2), "a required field is missing"),
    "version 0": (attribute("format_version", 0), "unknown format version"),
    "a version that is text": (attribute("format_version", np.bytes_(b"1")), "unknown format version"),
    "a version that is a fraction": (attribute("format_version", 1.0), "unknown format version"),
    "a version that is true": (attribute("format_version", True), "unknown format version"),
    "several versions": (attribute("format_version", [1, 1]), "unknown format version"),
    "no version": (lambda f: f.attrs.__delitem__("format_version"), "unknown format version"),
    "a version without a format": (lambda f: f.attrs.__delitem__("format"), "version and no format"),
    "time_steps 0": (attribute("time_steps", 0), "impossible time_steps"),
    "time_steps that is text": (attribute("time_steps", np.bytes_(b"4")), "impossible time_steps"),
    "NaN in meta": (attribute("accuracy", float("nan")), "value that is not allowed"),
    "infinity in a list": (attribute("mean", [0.0, float("inf")]), "value that is not allowed"),
    "complex meta": (attribute("accuracy", 1j), "type that is not allowed"),
    "a matrix in meta": (attribute("accuracy", np.zeros((2, 2))), "impossible shape"),
    "a long list in meta": (attribute("accuracy", np.zeros(5000)), "impossible shape"),
    "empty meta": (attribute("accuracy", h5py.Empty("f8")), "value that is not allowed"),
    "bytes that are not UTF-8": (attribute("note", np.bytes_(b"\xff")), "not UTF-8"),
    "a reference in meta": (lambda f: f.attrs.create("note", f.ref, dtype=h5py.ref_dtype), "type that is not allowed"),
    "text of variable length in meta": (attribute("note", "text"), "type that is not allowed"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_hostile_file_gives_one_clear_error(net: Path, case: str) -> None:
    change, message = CASES[case]
    with h5py.File(net, "r+") as file:
        change(file)
    started = time.process_time()
    with pytest.raises(MksgnError, match=message) as caught:
        read_net(net)
    assert isinstance(caught.value, (NetFileError, GraphError))
    assert caught.value.where or isinstance(caught.value, GraphError)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None, "h5py's own error shows through"
    assert time.process_time() - started < 5, "the reader believed a declared size"


def test_the_unchanged_file_is_fine(net: Path) -> None:
    """Otherwise the cases above could fail for another reason."""
    assert graphs_equal(read_net(net), layered_graph())


def test_the_size_limit_is_the_callers(net: Path) -> None:
    with pytest.raises(NetFileError, match="size limit"):
        read_net(net, max_bytes=500)
    assert graphs_equal(read_net(net, max_bytes=5000), layered_graph())


def test_num_layers_is_for_stock_files(net: Path) -> None:
    with pytest.raises(NetFileError, match="num_layers does not apply"):
        read_net(net, num_layers=2)


def test_an_unknown_filter_is_not_looked_up(net: Path) -> None:
    """HDF5 would search its plug-in folders for a library with this number and load it."""
    with h5py.File(net, "r+") as file:
        del file[W]
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk((2, 2, 1, 1))
        properties.set_filter(307, h5py.h5z.FLAG_OPTIONAL, ())
        space = h5py.h5s.create_simple((2, 2, 1, 1))
        h5py.h5d.create(file.id, W.encode(), h5py.h5t.NATIVE_INT16, space, properties)
    with pytest.raises(NetFileError, match="unknown compression"):
        read_net(net)


def test_a_text_heap_that_lies_about_its_size_is_not_allocated(net: Path) -> None:
    """HDF5 itself allocates what the heap declares, here 3 GiB, before it notices."""
    with h5py.File(net, "r+") as file:
        del file["layer/2/neuron/type"]
        file["layer/2/neuron/type"] = "CUBA"
    assert graphs_equal(read_net(net), layered_graph())
    content = net.read_bytes()
    heap = content.index(b"GCOL")
    net.write_bytes(content[:heap + 8] + (3 << 30).to_bytes(8, "little") + content[heap + 16:])
    with pytest.raises(NetFileError, match="text heap of 3221225472 bytes"):
        read_net(net)
