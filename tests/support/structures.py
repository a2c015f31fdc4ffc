"""Damages to the structure of a file: every node of it, in every way that a reader must survive.

A damaged file is a valid one with one node replaced: by nothing, by another kind of node, by a link, or by another
type, rank, size or value.
"""

from __future__ import annotations

import json
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

HUGE = 10**6
Damage = tuple[str, str, Callable[[Path], None]]
"""The node, what happens to it, and what does that to a copy of the file."""


def spread(damages: Iterator[Damage], every: int) -> Iterator[Damage]:
    """One in ``every`` damages of each node, others of the next node: all nodes and all damages have their turn."""
    for index, (_, of_node) in enumerate(groupby(damages, itemgetter(0))):
        yield from islice(of_node, index % every, None, every)


@contextmanager
def bounded_memory(more: int = 2 << 30) -> Iterator[None]:
    """Allocations of ``more`` bytes fail inside: a reader that trusts a declared size gets a MemoryError."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def values(stored: np.ndarray) -> dict[str, np.ndarray]:
    """Arrays in the place of ``stored``: wrong type, rank, size and value."""
    numbers = stored if stored.dtype.kind in "iufb" else np.zeros(stored.shape)
    flat = numbers.reshape(-1)
    return {
        "text": np.array(b"x"), "texts": np.full(stored.shape or (1,), b"x"), "no elements": np.zeros(0),
        "no rows": numbers[None][:0], "another axis": stored[None], "two more axes": stored[None, None],
        "one axis": stored.reshape(-1), "a scalar": np.asarray(stored.reshape(-1)[0] if stored.size else 0),
        "twice": np.concatenate([flat, flat]), "one less": flat[:-1], "a matrix": np.zeros((2, 2), np.int64),
        "NaN": np.full(stored.shape, np.nan), "infinity": np.full(stored.shape, -np.inf),
        "a half": np.full(stored.shape, 0.5), "minus one": np.full(stored.shape, -1, np.int64),
        "a huge count": np.full(stored.shape, 2**62), "the largest": np.full(stored.shape, 2**64 - 1, np.uint64),
        "the smallest": np.full(stored.shape, -2**63, np.int64), "a billion": np.full(stored.shape, 10**9),
        "zero": np.zeros(stored.shape, np.int8), "one": np.ones(stored.shape, np.int8),
        "truth": np.ones(stored.shape, bool), "complex": np.full(stored.shape, 1j),
        "float16": (numbers % 7).astype(np.float16), "records": np.zeros(stored.shape, [("a", "i2"), ("b", "i2")]),
    }


def hdf5_damages(path: Path) -> Iterator[Damage]:
    """Every damage of every group, dataset and attribute of a file."""
    nodes: list[str] = []
    with h5py.File(path) as file:
        file.visit(nodes.append)
        for name in nodes:
            others = _dataset_damages(file[name]) if isinstance(file[name], h5py.Dataset) else _group_damages()
            for label, replacement in {"missing": None, **_any_damages(name), **others}.items():
                yield name, label, _in_hdf5(_replacing(name, replacement))
        for key in file.attrs:
            for label, value in {"missing": None, "empty": h5py.Empty("i4"), "variable text": "x",
                                 "a reference": file.ref, **values(np.asarray(file.attrs[key]))}.items():
                yield f"attribute {key}", label, _in_hdf5(_attribute(key, value))


def npz_damages(path: Path) -> Iterator[Damage]:
    """Every damage of every array of an ``.npz`` archive."""
    with np.load(path) as archive:
        arrays = dict(archive)
    for name, stored in arrays.items():
        for label, value in {"missing": None, "objects": np.array([None] * 3, object),
                             "letters": np.full(stored.shape, "x"), "dates": np.zeros(stored.shape, "M8[s]"),
                             **values(stored)}.items():
            yield name, label, _in_npz(_without(arrays, name, value))


def safetensors_damages(path: Path) -> Iterator[Damage]:
    """Every damage of every tensor, and of every node of the JSON beside them."""
    with safe_open(path, "pt") as file:
        state = json.loads(file.metadata()["state"])
    tensors = load_file(path)
    for name, stored in tensors.items():
        real = stored.float()
        for label, value in {
                "missing": None, "no elements": torch.zeros(0), "another axis": stored[None].clone(),
                "a scalar": torch.tensor(1.0), "one axis": stored.reshape(-1).clone(), "NaN": real * torch.nan,
                "infinity": torch.full_like(real, torch.inf), "integers": stored.to(torch.int64),
                "truth": stored.to(torch.bool), "float8": real.to(torch.float8_e4m3fn), "bytes": stored.byte(),
                "twice": stored.reshape(-1).repeat(2)}.items():
            yield name, label, _in_safetensors(_without(tensors, name, value), state)
        yield name, "renamed", _in_safetensors(_without(tensors, name, None) | {f"{name}x": stored}, state)
    for extra in ("other", "optimiser.x", "optimiser.99.step", "optimiser.0", "model."):
        yield "more tensors", extra, _in_safetensors({**tensors, extra: torch.zeros(3)}, state)
    yield "state", "missing", _in_safetensors(tensors, None)
    for place in _json_nodes(state):
        name = "/".join(map(str, ("state", *place)))
        for value in (None, True, "x", -1, 0, 1, 2.5, 10**9, 10**30, float("nan"), [], [[]], {}, {"x": 1}, ["x"],
                      [None], [HUGE] * 3):
            yield name, repr(value), _in_safetensors(tensors, _json_with(state, place, value))
        if place:
            yield name, "missing", _in_safetensors(tensors, _json_with(state, place, None, missing=True))


def _json_nodes(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Places of everything in a JSON value; of a list's elements, the first two."""
    yield place
    inside: Any = value.items() if isinstance(value, dict) else enumerate(value[:2] if isinstance(value, list) else ())
    for key, item in inside:
        yield from _json_nodes(item, (*place, key))


def _json_with(value: Any, place: tuple[str | int, ...], new: Any, missing: bool = False) -> Any:
    if not place:
        return new
    copy = json.loads(json.dumps(value))
    inside = copy
    for key in place[:-1]:
        inside = inside[key]
    if missing:
        del inside[place[-1]]
    else:
        inside[place[-1]] = new
    return copy


def _without(stored: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    """``stored`` with ``value`` in the place of ``name``; None: without it."""
    return {key: value if key == name else other for key, other in stored.items() if key != name or value is not None}


def _in_hdf5(change: Callable[[h5py.File], None]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            change(file)
    return damage


def _in_npz(arrays: dict[str, Any]) -> Callable[[Path], None]:
    return lambda path: np.savez(path, **arrays)


def _in_safetensors(tensors: dict[str, Any], state: Any) -> Callable[[Path], None]:
    return lambda path: save_file(tensors, path, None if state is None else {"state": json.dumps(state)})


def _any_damages(name: str) -> dict[str, Any]:
    return {"a soft link to itself": h5py.SoftLink(f"/{name}"), "a soft link to the root": h5py.SoftLink("/"),
            "a link to another file": h5py.ExternalLink("/etc/hostname", "/"), "the root": _root,
            "a type": np.dtype("i4")}


def _group_damages() -> dict[str, Any]:
    return {"a number": 3, "text": np.bytes_(b"x"), "variable text": "x", "nothing in it": _group({}),
            "another content": _group({"x": 1})}


def _dataset_damages(dataset: h5py.Dataset) -> dict[str, Any]:
    stored = np.asarray(dataset[()])
    if stored.dtype.kind == "O":
        stored = np.asarray(dataset.asstr()[()]).astype("S")
    return {**values(stored), "variable text": "x", "empty": h5py.Empty("i4"), "a group": _group({}),
            "a group of itself": _group({"x": stored}), "references": _references, "lists": _lists,
            "terabytes": dict(shape=(HUGE, HUGE), chunks=(64, 64), dtype="i1"),
            "terabytes of text": dict(shape=(HUGE, HUGE), chunks=(64, 64), dtype="S16"),
            "chunks beyond memory": dict(shape=(2,), maxshape=(None,), chunks=(1 << 31,), dtype="i1")}


def _group(content: dict[str, Any]) -> Callable[[h5py.File, str], None]:
    def make(file: h5py.File, name: str) -> None:
        group = file.create_group(name)
        for key, value in content.items():
            group[key] = value
    return make


def _root(file: h5py.File, name: str) -> None:
    file[name] = file["/"]


def _references(file: h5py.File, name: str) -> None:
    file.create_dataset(name, data=np.array([file.ref] * 2, dtype=h5py.ref_dtype))


def _lists(file: h5py.File, name: str) -> None:
    file.create_dataset(name, shape=(2,), dtype=h5py.vlen_dtype(np.int32))


def _replacing(name: str, replacement: Any) -> Callable[[h5py.File], None]:
    def damage(file: h5py.File) -> None:
        del file[name]
        if isinstance(replacement, dict):
            file.create_dataset(name, **replacement)
        elif replacement is not None and not callable(replacement):
            file[name] = replacement
        elif replacement is not None:
            replacement(file, name)
    return damage


def _attribute(key: str, value: Any) -> Callable[[h5py.File], None]:
    def damage(file: h5py.File) -> None:
        del file.attrs[key]
        if value is not None:
            file.attrs[key] = value
    return damage
