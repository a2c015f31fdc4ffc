"""The integers of a graph as metadata of a NIR graph, and back.

``metadata`` of the NIR graph holds ``format`` = "mksgn", ``format_version``, ``graph`` (JSON: names, shapes, decays,
thresholds, how synapses are wired, T, dt, ``Graph.meta``) and ``arrays`` (a group of integer arrays: weights,
biases, delays, edges). Parameters of nodes are these numbers in real units; a reader of ours checks that they agree.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import singledispatch
from typing import Any

import numpy as np

from mksgn.errors import typed
from mksgn.ir import KINDS, Attention, Conv, Cuba, Dense, Graph, GraphConv, Population, Synapse
from mksgn.nir.errors import NirError

FORMAT, FORMAT_VERSION = "mksgn", 1
_META = "str, bool, int, finite float, or a list of these"


def encode(graph: Graph, dt: float) -> dict[str, Any]:
    """Metadata that :func:`decode` turns into ``graph``; :class:`NirError` when an entry of its meta is no JSON."""
    arrays: dict[str, np.ndarray] = {}
    populations, synapses = [], []
    for number, population in enumerate(graph.populations):
        neuron = population.neuron
        populations.append({
            "name": population.name, "shape": [int(n) for n in population.shape], "role": population.role,
            "message_bits": int(population.message_bits),
            "neuron": neuron and [int(neuron.vth), int(neuron.current_decay), int(neuron.voltage_decay)]})
        if population.bias is not None:
            arrays[f"population{number}_bias"] = population.bias
    for number, synapse in enumerate(graph.synapses):
        entry: dict[str, Any] = {"name": synapse.name, "kind": synapse.kind,
                                 "sources": list(synapse.sources), "target": synapse.target}
        arrays[f"synapse{number}_weight"] = synapse.weight
        entry |= {label: int(value) if label == "groups" else [int(n) for n in value]
                  for label, value in synapse.geometry.items()}
        arrays |= {f"synapse{number}_{label}": array for label, array in _own_arrays(synapse).items()}
        synapses.append(entry)
    for key, value in graph.meta.items():
        _check_meta(key, value)
    text = json.dumps({"dt": dt, "time_steps": graph.time_steps, "populations": populations, "synapses": synapses,
                       "meta": graph.meta}, allow_nan=False)
    return {"format": FORMAT, "format_version": FORMAT_VERSION, "graph": text, "arrays": arrays}


@singledispatch
def _own_arrays(synapse: Synapse) -> dict[str, np.ndarray]:
    """Integer arrays beside the weights, by field: none, where nothing is registered."""
    return {}


@_own_arrays.register
def _dense_arrays(synapse: Dense) -> dict[str, np.ndarray]:
    return {} if synapse.delay is None else {"delay": synapse.delay}


@_own_arrays.register
def _graph_conv_arrays(synapse: GraphConv) -> dict[str, np.ndarray]:
    return {"edges": synapse.edges}


def _check_meta(key: Any, value: Any) -> None:
    items = value if type(value) is list else [value]
    for item in items:
        if type(key) is not str or type(item) not in (str, bool, int, float) or (
                type(item) is float and not math.isfinite(item)):
            raise NirError("a meta entry cannot be stored", where=f"meta {key!r}", allowed=_META,
                           got=f"{item!r:.60} ({type(item).__name__})", fix="convert the entry of Graph.meta")


def is_ours(metadata: Mapping[str, Any]) -> bool:
    """Whether a NIR graph's metadata say that we wrote it."""
    return isinstance(metadata.get("format"), str) and metadata["format"] == FORMAT


def decode(metadata: Mapping[str, Any], nodes: int, edges: int, where: str) -> tuple[Graph, float]:
    """The graph and ``dt`` that :func:`encode` was given.

    ``nodes`` and ``edges`` say how many the file has: at least one for every population, synapse and source.

    Raises
    ------
    NirError
        When the metadata are of another version or damaged.
    GraphError
        When they are readable and describe an impossible network.
    """
    version = metadata.get("format_version")
    if type(version) is not int or version != FORMAT_VERSION:
        raise NirError("unknown version of the metadata", where=where, got=repr(version), allowed=str(FORMAT_VERSION),
                       fix="use the mksgn release that wrote the file, or read its parameters alone with --foreign")
    with typed(NirError, "the metadata of mksgn are damaged", where,
               fix="export the network again, or read the parameters alone with --foreign"):
        content = json.loads(metadata["graph"])
        entries = [*content["populations"], *content["synapses"]]
        if len(entries) > nodes or sum(len(entry.get("sources", ())) for entry in entries) > edges:
            raise ValueError(f"{len(entries)} populations and synapses in a graph of {nodes} nodes")
        arrays = {key: np.asarray(value) for key, value in dict(metadata["arrays"]).items()}
        populations = tuple(_population(number, entry, arrays)
                            for number, entry in enumerate(content["populations"]))
        synapses = tuple(_synapse(number, entry, arrays) for number, entry in enumerate(content["synapses"]))
        steps = content["time_steps"]
        steps = None if steps is None else _integer(steps)
        meta = content["meta"]
        for key, value in meta.items():
            _check_meta(key, value)
        dt = float(content["dt"])
        if arrays:
            raise ValueError(f"arrays without a use: {', '.join(sorted(arrays))[:80]}")
    return Graph(populations, synapses, steps, meta), dt


def _population(number: int, entry: dict[str, Any], arrays: dict[str, np.ndarray]) -> Population:
    neuron = entry["neuron"]
    cuba = None
    if neuron is not None:
        vth, current, voltage = (_integer(value) for value in neuron)
        cuba = Cuba(vth, current, voltage)
    bias = arrays.pop(f"population{number}_bias", None)
    channels, frames, joints = (_integer(n) for n in entry["shape"])
    return Population(_text(entry["name"]), (channels, frames, joints), cuba,
                      None if bias is None else _integers(bias).astype(np.int32), _text(entry["role"]),
                      _integer(entry["message_bits"]))


def _synapse(number: int, entry: dict[str, Any], arrays: dict[str, np.ndarray]) -> Synapse:
    options: dict[str, Any] = {}
    kind = KINDS[entry["kind"]]
    if kind is Attention:
        raise ValueError(f"synapse {number} multiplies two inputs, for which NIR has no node")
    if kind is Conv:
        for label in ("stride", "padding", "dilation"):
            frames, joints = (_integer(n) for n in entry[label])
            options[label] = (frames, joints)
        options["groups"] = _integer(entry["groups"])
    elif kind is Dense and f"synapse{number}_delay" in arrays:
        options["delay"] = _integers(arrays.pop(f"synapse{number}_delay")).astype(np.int32)
    elif kind is GraphConv:
        options["edges"] = _integers(arrays.pop(f"synapse{number}_edges")).astype(np.int32)
    weight = _integers(arrays.pop(f"synapse{number}_weight"))
    if weight.size and abs(weight.astype(np.int64)).max() >= 1 << 15:
        raise ValueError(f"weights of synapse {number} are out of range")
    sources = tuple(_text(source) for source in entry["sources"])
    if not sources:
        raise ValueError(f"synapse {number} has no source")
    return kind(_text(entry["name"]), sources, _text(entry["target"]), weight.astype(np.int16), **options)


def _integer(value: Any) -> int:
    if type(value) is not int:
        raise TypeError(f"an integer was expected, not {value!r:.40}")
    return value


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError(f"text was expected, not {value!r:.40}")
    return value


def _integers(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind not in "iu" or values.dtype.itemsize > 8:
        raise TypeError(f"integers were expected, not {values.dtype}")
    return values
