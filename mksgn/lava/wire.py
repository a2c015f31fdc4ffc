"""Messages between :class:`~mksgn.lava.host_handle.HostHandle` and its child: JSON and raw arrays, framed.

A message is a nested dict of plain values and arrays. On the wire: 8 bytes total length, 8 bytes
header length (both little-endian), the header (JSON, arrays replaced by their number), the arrays'
bytes in C order. Nothing is ever unpickled.
"""

from __future__ import annotations

import json
import struct
from dataclasses import fields
from typing import Any

import numpy as np

from mksgn.ir import KINDS, Cuba, Graph, Population
from mksgn.ir.lattice import Lattice

_LENGTHS = struct.Struct("<QQ")
_ARRAY = "array"
_KINDS: dict[str, Any] = {kind.__name__: kind for kind in KINDS.values()}


def pack(message: dict[str, Any]) -> bytes:
    """The frame of ``message``."""
    arrays: list[np.ndarray] = []

    def plain(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            arrays.append(np.ascontiguousarray(value).reshape(value.shape))
            return {_ARRAY: len(arrays) - 1, "dtype": value.dtype.str, "shape": list(value.shape)}
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(item) for item in value]
        if isinstance(value, np.generic):
            return value.item()
        return value

    header = json.dumps(plain(message)).encode()
    total = _LENGTHS.size + len(header) + sum(array.nbytes for array in arrays)
    return b"".join([_LENGTHS.pack(total, len(header)), header, *(array.tobytes() for array in arrays)])


class Frames:
    """Collects bytes and gives back whole messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Append what was read from the pipe."""
        self._buffer += data

    def next(self) -> dict[str, Any] | None:
        """The next whole message, or None when more bytes are needed."""
        if len(self._buffer) < _LENGTHS.size:
            return None
        total, header_length = _LENGTHS.unpack_from(self._buffer)
        if len(self._buffer) < total:
            return None
        frame = bytes(self._buffer[:total])
        del self._buffer[:total]
        position = _LENGTHS.size + header_length
        specs: dict[int, dict[str, Any]] = {}
        message = json.loads(frame[_LENGTHS.size:position])
        _collect(message, specs)
        arrays: dict[int, np.ndarray] = {}
        for number in sorted(specs):
            dtype, shape = np.dtype(specs[number]["dtype"]), tuple(specs[number]["shape"])
            count = int(np.prod(shape))
            arrays[number] = np.frombuffer(frame, dtype, count, position).reshape(shape)
            position += count * dtype.itemsize
        restored = _restore(message, arrays)
        assert isinstance(restored, dict)
        return restored


def _collect(value: Any, specs: dict[int, dict[str, Any]]) -> None:
    if isinstance(value, dict):
        if _is_array(value):
            specs[value[_ARRAY]] = value
        else:
            for item in value.values():
                _collect(item, specs)
    elif isinstance(value, list):
        for item in value:
            _collect(item, specs)


def _restore(value: Any, arrays: dict[int, np.ndarray]) -> Any:
    if isinstance(value, dict):
        if _is_array(value):
            return arrays[value[_ARRAY]]
        return {key: _restore(item, arrays) for key, item in value.items()}
    if isinstance(value, list):
        return [_restore(item, arrays) for item in value]
    return value


def _is_array(value: dict[str, Any]) -> bool:
    return set(value) == {_ARRAY, "dtype", "shape"}


def graph_message(graph: Graph) -> dict[str, Any]:
    """``graph`` as plain values and arrays; its ``meta`` is left out."""
    populations = []
    for population in graph.populations:
        item = {f.name: getattr(population, f.name) for f in fields(population)}
        if population.neuron is not None:
            item["neuron"] = {f.name: int(getattr(population.neuron, f.name)) for f in fields(population.neuron)}
        if population.lattice is not None:
            item["lattice"] = {"interval": population.lattice.interval, "length": population.lattice.length,
                               "frames": population.lattice.frames, "carried": population.lattice.carried}
        populations.append(item)
    synapses = [{"kind": type(s).__name__, **{f.name: getattr(s, f.name) for f in fields(s)}} for s in graph.synapses]
    return {"populations": populations, "synapses": synapses, "time_steps": graph.time_steps}


def graph_from_message(message: dict[str, Any]) -> Graph:
    """The graph that :func:`graph_message` described."""
    populations = []
    for item in message["populations"]:
        neuron = Cuba(**item["neuron"]) if item["neuron"] is not None else None
        lattice = Lattice(**item["lattice"]) if item["lattice"] is not None else None
        populations.append(Population(**{**item, "shape": tuple(item["shape"]), "neuron": neuron, "lattice": lattice}))
    synapses = []
    for item in message["synapses"]:
        values = {key: tuple(value) if isinstance(value, list) else value for key, value in item.items()
                  if key != "kind"}
        synapses.append(_KINDS[item["kind"]](**values))
    return Graph(tuple(populations), tuple(synapses), message["time_steps"])
