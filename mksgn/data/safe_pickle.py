"""Pickles read without running anything: plain containers, numbers, text and numpy arrays.

A pickle is a program for a small machine, and the names in it are functions that the program calls. This reader looks
up no name: it knows what stands for a handful of names and refuses every other, and it carries out no operation that
makes instances. :mod:`mksgn.teachers.pickles` reads tensors with the same machine and other names.
"""

from __future__ import annotations

import math
import os
import pickle
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar, NoReturn

import numpy as np

from mksgn.errors import DataError

_KINDS = "biufSU"
"""Kinds of numpy types that are read: booleans, numbers, text."""
_DEPTH = 64
"""Containers inside containers."""


def only(operations: tuple[bytes, ...], refused: str = "an operation that plain data does not need",
         **others: Any) -> dict[int, Any]:
    """The table of a machine that carries out the pickle operations named and refuses all others.

    Parameters
    ----------
    operations : tuple of bytes
    refused : str
        What an error says of the others.
    others : callable
        Operations by their lower-case names that are done in another way than the pickle module's.
    """
    def refuse(_: Any) -> NoReturn:
        raise pickle.UnpicklingError(refused)

    table: dict[int, Any] = dict.fromkeys(pickle._Unpickler.dispatch, refuse)
    table |= {code[0]: pickle._Unpickler.dispatch[code[0]] for code in operations}
    return table | {getattr(pickle, name.upper())[0]: done for name, done in others.items()}


PLAIN = (
    pickle.PROTO, pickle.FRAME, pickle.MARK, pickle.STOP, pickle.GLOBAL, pickle.STACK_GLOBAL, pickle.REDUCE,
    pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE, pickle.BININT, pickle.BININT1, pickle.BININT2, pickle.LONG1,
    pickle.BINFLOAT, pickle.BINUNICODE, pickle.SHORT_BINUNICODE, pickle.EMPTY_DICT, pickle.EMPTY_LIST,
    pickle.EMPTY_TUPLE, pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3, pickle.APPEND, pickle.APPENDS,
    pickle.SETITEM, pickle.SETITEMS, pickle.BINPUT, pickle.LONG_BINPUT, pickle.BINGET, pickle.LONG_BINGET,
    pickle.MEMOIZE)
"""Operations that build plain data."""


# The pickle module's Python version: the one in C reserves memory for whatever memo number a file claims.
class RestrictedUnpickler(pickle._Unpickler):
    """An unpickler that knows the names in ``names``, and nothing beyond."""

    dispatch: ClassVar[dict[int, Any]] = only(PLAIN)
    names: ClassVar[dict[tuple[str, str], Any]] = {}
    wanted: ClassVar[str] = "plain data"

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file, encoding="utf-8")

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.names:
            raise pickle.UnpicklingError(f"the file asks for {module}.{name}, which is no {self.wanted}")
        return self.names[module, name]


@dataclass(eq=False)
class _Type:
    """A numpy type in the making: its state tells the order of its bytes."""

    value: np.dtype

    def __init__(self, name: Any, *_: Any) -> None:
        if not isinstance(name, str) or len(name) > 8:
            raise pickle.UnpicklingError("a numpy type that is none")
        self.value = np.dtype(name)
        if self.value.kind not in _KINDS:
            raise pickle.UnpicklingError(f"an array of type {self.value}")

    def set(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", ">", "|", "="):
            raise pickle.UnpicklingError("a numpy type of unknown state")
        if any(part is not None for part in state[2:5]):
            raise pickle.UnpicklingError("a numpy type with fields")
        self.value = self.value.newbyteorder(state[1])


@dataclass(eq=False)
class _Array:
    """A numpy array in the making."""

    value: np.ndarray | None = None

    def set(self, state: Any) -> None:
        _, shape, kind, fortran, data = state
        self.value = _filled(data, kind, shape, "F" if fortran else "C")


def _filled(data: Any, kind: Any, shape: Any, order: str) -> np.ndarray:
    if not isinstance(kind, _Type) or not isinstance(data, (bytes, bytearray)) or not isinstance(shape, tuple) or \
            not all(type(n) is int and n >= 0 for n in shape) or len(shape) > 8:
        raise pickle.UnpicklingError("a numpy array that is none")
    if math.prod(shape) * kind.value.itemsize != len(data):
        raise pickle.UnpicklingError(f"an array of shape {shape} with {len(data)} bytes")
    return np.frombuffer(data, kind.value).reshape(shape, order="F" if order == "F" else "C")


def _array(*_: Any) -> _Array:
    return _Array()


def _from_buffer(data: Any, kind: Any, shape: Any, order: Any) -> _Array:
    return _Array(_filled(data, kind, shape, order))


def _scalar(kind: Any, data: Any) -> Any:
    return _filled(data, kind, (), "C")[()]


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError("text that stands for no bytes")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """How protocol 2 writes ``b""``."""
    return b""


def _build(unpickler: Any) -> None:
    """State of an object: only numpy's arrays and types have one."""
    state = unpickler.stack.pop()
    if not isinstance(unpickler.stack[-1], (_Array, _Type)):
        raise pickle.UnpicklingError("an object with a state, which plain data has not")
    unpickler.stack[-1].set(state)


def _numpy(name: str, stand_in: Any) -> dict[tuple[str, str], Any]:
    """A name of numpy's core under both names that the core has had."""
    return {(f"numpy.{core}.{name.split('.')[0]}", name.split(".")[1]): stand_in for core in ("core", "_core")}


class PlainUnpickler(RestrictedUnpickler):
    """Unpickler of plain containers, numbers, text and numpy arrays, as every protocol from 2 on writes them."""

    dispatch: ClassVar[dict[int, Any]] = only(
        (*PLAIN, pickle.LONG4, pickle.BINUNICODE8, pickle.BINBYTES, pickle.SHORT_BINBYTES, pickle.BINBYTES8,
         pickle.BYTEARRAY8, pickle.BINSTRING, pickle.SHORT_BINSTRING, pickle.POP, pickle.POP_MARK), build=_build)
    wanted: ClassVar[str] = "plain data or numpy array"
    names: ClassVar[dict[tuple[str, str], Any]] = {
        ("collections", "OrderedDict"): OrderedDict, ("_codecs", "encode"): _encode,
        ("__builtin__", "bytes"): _no_bytes, ("numpy", "ndarray"): _Array,
        ("numpy", "dtype"): _Type, **_numpy("multiarray._reconstruct", _array), **_numpy("multiarray.scalar", _scalar),
        **_numpy("numeric._frombuffer", _from_buffer)}


def read_plain_pickle(path: str | os.PathLike[str]) -> Any:
    """What a pickle holds, where that is plain data and numpy arrays; nothing in the file is run.

    Returns
    -------
    dict, list, tuple, str, bytes, int, float, bool, None, numpy array or numpy scalar; arrays may be read-only.

    Raises
    ------
    DataError
        When the file is missing, damaged, or asks for anything else.
    """
    try:
        with Path(path).open("rb") as file:
            content = PlainUnpickler(file).load()
        return _settled(content, {}, 0)
    except Exception as error:  # whatever a hostile file makes the unpickler raise is one finding: not readable
        raise DataError("The pickle cannot be read as plain data", str(path), f"{type(error).__name__}: {error}"[:200],
                        "dictionaries, lists, numbers, text and numpy arrays",
                        "nothing in the file was run; save the data without other objects") from None


def _settled(value: Any, done: dict[int, Any], depth: int) -> Any:
    """``value`` with arrays for those in the making; what occurs several times is settled once."""
    if isinstance(value, _Array):
        if value.value is None:
            raise pickle.UnpicklingError("an array without a state")
        return value.value
    if isinstance(value, (type, _Type)) or callable(value):
        raise pickle.UnpicklingError("a name where data belongs")
    if not isinstance(value, (dict, list, tuple)):
        return value
    if depth > _DEPTH:
        raise pickle.UnpicklingError(f"more than {_DEPTH} containers inside one another")
    if id(value) not in done:
        if isinstance(value, tuple):
            done[id(value)] = tuple(_settled(each, done, depth + 1) for each in value)
        else:
            done[id(value)] = value
            for key, each in (value.items() if isinstance(value, dict) else enumerate(value)):
                value[key] = _settled(each, done, depth + 1)
    return done[id(value)]
