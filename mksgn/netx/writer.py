"""Writing a spiking graph as a `.net` file (docs/net-format.md).

The layers follow lava-dl's netx protocol: a layer is a synapse together with the neurons it drives,
fed by the layer before it. What a chain cannot say is said by `concat` layers, which name sources by
id, and by `target`, which lets a further synapse drive the neurons of an earlier layer.
"""

from __future__ import annotations

import errno
import os
from functools import singledispatch
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mksgn.errors import NetFileError
from mksgn.files import replacing
from mksgn.ir import Attention, Conv, Dense, Graph, GraphConv, Population, Synapse
from mksgn.netx import metadata, stock

VTH_NEVER = (1 << 18) - 1
"""Threshold above any 24-bit voltage, as SLAYER writes it for a layer that does not spike."""
NAME_BYTES_MAX = 255


def write_net(graph: Graph, path: str | os.PathLike[str], require_stock: bool = False) -> None:
    """Write ``graph`` to ``path`` as HDF5, completely or not at all.

    The file is written beside ``path`` under a temporary name, flushed to disk and renamed, so that an
    interrupted export leaves an existing file as it was. A chain of conv and dense layers loads in
    stock ``lava.lib.dl.netx.hdf5.Network`` as the same network; any other graph holds a `concat`
    layer, at which stock netx stops. A streamed graph (:mod:`mksgn.ir.streaming`) is such a graph.

    Parameters
    ----------
    graph : Graph
    path : path
    require_stock : bool
        Refuse a graph that stock netx cannot run as the same network.

    Raises
    ------
    NetFileError
        When ``path`` cannot be written, when an entry of ``graph.meta`` or a name cannot be stored
        exactly, or when ``require_stock`` is not met.
    """
    name = os.fspath(path)
    against = stock.obstacles(graph)
    if require_stock and against:
        raise NetFileError("stock netx cannot run this network", where=name, got="; ".join(against),
                           fix="pass require_stock=False: mksgn itself reads any graph")
    attributes: dict[str, Any] = {"format": np.bytes_(metadata.FORMAT.encode("ascii")),
                                  "format_version": np.int64(metadata.version_of(graph))}
    if graph.time_steps is not None:
        attributes["time_steps"] = np.int64(graph.time_steps)
    attributes.update({key: metadata.encode(key, value, name) for key, value in graph.meta.items()})
    with _in_memory(name + ".built") as built, _in_memory(name) as file:
        for key, value in attributes.items():
            file.attrs[key] = value
        _Layers(built.create_group("layer"), graph, explicit=bool(against), where=name).write()
        # Groups that grew entry by entry leave holes. A copy has none, and is a third smaller.
        built.copy("layer", file)
        file.flush()
        image = file.id.get_file_image()
    _replace(name, image)


def _in_memory(name: str) -> h5py.File:
    """A file that is never on disk: HDF5 itself crashes the interpreter when the disk fills up while it writes.

    Objects as HDF5 1.10 writes them take a third less space than those of 1.6, its default.
    """
    return h5py.File(name, "w", driver="core", backing_store=False, libver="v110")


def _replace(path: str, content: bytes) -> None:
    """Put ``content`` in the place of ``path`` in one step, flushed to disk before."""
    if not os.path.basename(path) or os.path.isdir(path):
        raise NetFileError("not a file name to write to", where=path,
                           got="a folder" if os.path.isdir(path) else "no name")
    try:
        with replacing(Path(path)) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        raise NetFileError("the network could not be written", where=path, got=error.strerror or str(error),
                           fix="free some space" if full else "check that the folder exists and can be written to"
                           ) from None


class _Layers:
    """Writes the `layer` group, population by population."""

    def __init__(self, group: h5py.Group, graph: Graph, explicit: bool, where: str) -> None:
        self.group = group
        self.graph = graph
        self.explicit = explicit
        self.where = where
        self.ids: dict[str, int] = {}
        self.flat: set[str] = set()

    def write(self) -> None:
        """Write every population with its synapses."""
        self._input(self.graph.input)
        for population in self.graph.populations[1:]:
            for position, synapse in enumerate(self.graph.into(population.name)):
                self._sources(synapse)
                layer = self._synapse(synapse, population)
                if position:
                    layer["target"] = self.ids[population.name]
                else:
                    self._neurons(layer, population, flat=synapse.flattens)
            if all(s.flattens for s in self.graph.into(population.name)):
                self.flat.add(population.name)

    def _layer(self, kind: str, shape: tuple[int, int, int]) -> h5py.Group:
        layer = self.group.create_group(str(len(self.group)))
        layer.create_dataset("type", data=np.array([kind.encode("ascii")]))
        layer["shape"] = np.array(shape, dtype=np.int64)
        return layer

    def _input(self, population: Population) -> None:
        if population.bias is not None:
            raise NetFileError("an input has no neurons that a bias could act on",
                               where=f"population {population.name!r}",
                               fix="give the bias to the populations that the input drives")
        layer = self._layer("input", population.shape)
        self._identify(layer, "name", population.name)
        self._messages(layer, population)
        self.ids[population.name] = 0

    def _sources(self, synapse: Synapse) -> None:
        """State where ``synapse`` reads from; in a chain for stock netx it is the layer before."""
        source = self.graph[synapse.sources[0]]
        if self.explicit:
            concat = self._layer("concat", source.shape)
            concat["layers"] = np.array([self.ids[name] for name in synapse.sources], dtype=np.int64)
        if synapse.flattens and source.shape[1:] != (1, 1) and source.name not in self.flat:
            self._layer("flatten", (source.size, 1, 1))

    def _synapse(self, synapse: Synapse, population: Population) -> h5py.Group:
        layer = self._layer(synapse.kind, population.shape)
        self._identify(layer, "synapse", synapse.name)
        _array(layer, "weight", synapse.weight)
        _write_own(synapse, layer)
        return layer

    def _neurons(self, layer: h5py.Group, population: Population, flat: bool) -> None:
        assert population.neuron is not None
        self._identify(layer, "name", population.name)
        self._messages(layer, population)
        if population.bias is not None:
            _array(layer, "bias", _bias(population, flat))
        neuron = layer.create_group("neuron")
        neuron["type"] = np.bytes_(b"CUBA")
        neuron["iDecay"] = population.neuron.current_decay
        neuron["vDecay"] = population.neuron.voltage_decay
        neuron["refDelay"] = 1
        neuron["gradedSpike"] = False
        if population.neuron.carried or (population.lattice is not None and population.lattice.carried):
            neuron["carried"] = 1
        readout = population.role == "readout"
        neuron["vThMant"] = VTH_NEVER if readout else population.neuron.vth
        if readout:
            neuron["role"] = np.bytes_(b"readout")
            neuron["vth"] = population.neuron.vth
        self.ids[population.name] = len(self.group) - 1

    def _messages(self, layer: h5py.Group, population: Population) -> None:
        """What the population sends, and when."""
        if population.message_bits:
            layer["messageBits"] = population.message_bits
        if population.lattice is not None:
            own = population.lattice
            layer["lattice"] = np.array([own.interval, own.length, own.sample_frames], dtype=np.int64)

    def _identify(self, layer: h5py.Group, field: str, name: str) -> None:
        if not metadata.storable(name) or not 0 < len(name.encode("utf-8")) <= NAME_BYTES_MAX:
            raise NetFileError("a name cannot be stored", where=self.where, got=repr(name)[:80],
                               allowed=f"1 to {NAME_BYTES_MAX} bytes of UTF-8 without NUL", fix=f"rename the {field}")
        layer[field] = np.bytes_(name.encode("utf-8"))


@singledispatch
def _write_own(synapse: Synapse, layer: h5py.Group) -> None:
    """Write the fields that only the synapse's kind has: none, where nothing is registered."""


@_write_own.register
def _write_conv(synapse: Conv, layer: h5py.Group) -> None:
    for label in ("stride", "padding", "dilation"):
        layer[label] = np.array(getattr(synapse, label), dtype=np.int64)
    layer["groups"] = synapse.groups
    layer["kernelSize"] = np.array(synapse.weight.shape[2:], dtype=np.int64)
    layer["inChannels"] = synapse.weight.shape[1] * synapse.groups
    layer["outChannels"] = synapse.weight.shape[0]
    if synapse.frame_steps:
        layer["frameSteps"] = synapse.frame_steps


@_write_own.register
def _write_dense(synapse: Dense, layer: h5py.Group) -> None:
    layer["outFeatures"], layer["inFeatures"] = synapse.weight.shape
    if synapse.delay is not None:
        _array(layer, "delay", _delay(synapse))


@_write_own.register
def _write_graph_conv(synapse: GraphConv, layer: h5py.Group) -> None:
    _array(layer, "edges", synapse.edges)


@_write_own.register
def _write_attention(synapse: Attention, layer: h5py.Group) -> None:
    layer["heads"], layer["acrossFrames"] = synapse.heads, int(synapse.across_frames)


def _bias(population: Population, flat: bool) -> np.ndarray:
    """Bias in the form stock netx reads: a dense layer's flat, a conv layer's per neuron as (V, F, C)."""
    assert population.bias is not None
    bias = population.bias
    if flat:
        bias = bias if bias.ndim == 3 else bias[:, None, None]
        return np.broadcast_to(bias, population.shape).reshape(-1)
    return bias.transpose(2, 1, 0) if bias.ndim == 3 else bias


def _delay(synapse: Dense) -> np.ndarray:
    """Delay as stock netx reads it: of a square layer, one row would be taken as one column."""
    assert synapse.delay is not None
    outputs, inputs = synapse.weight.shape
    return synapse.delay_of_each if outputs == inputs else synapse.delay


def _array(layer: h5py.Group, name: str, values: np.ndarray) -> None:
    """Store ``values`` compressed, in the smallest integer type that holds them."""
    options: dict[str, Any] = {"compression": "gzip", "shuffle": True} if values.size else {}
    low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
    layer.create_dataset(name, data=values.astype(np.result_type(np.min_scalar_type(min(low, -1)),
                                                                 np.min_scalar_type(min(-high - 1, -1)))), **options)
