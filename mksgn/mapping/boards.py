"""Boards as data: the limits of a core, chip and board, each with its source (``boards.toml``)."""

from __future__ import annotations

import math
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import tomli

from mksgn.errors import ConfigError

_CONV_WEIGHTS = ("core", "pattern", "none")
_CONV_AXONS = ("population", "position", "neuron")
_LAVA_SPLITS = ("columns and rows", "columns")
_WHERE_FROM = ("sources", "assumed")
NO_SOURCE = "the board file names no source"


@dataclass(frozen=True)
class Board:
    """What a board offers. A limit of 0 is no limit, where said so.

    Parameters
    ----------
    name, generation : str
        'kapoho-point', 'Loihi 2'.
    chips, cores_per_chip : int
    neurons : int
        Neurons of one core.
    neuron_groups : int
        Populations of one core; 0: no limit.
    state_words : int
        Words of a core's joint memory that one neuron takes.
    word_bits : int
        Bits of a memory word.
    synapse_words : int
        Words of synaptic memory of one core.
    core_words : int
        Words of one core's joint memory: neurons, synapses and axons together; 0: memories are apart.
    in_axons, out_axons : int
        Entries of one core's tables of arriving and leaving axons.
    weight_bits : int
        Widest weight.
    synapse_overhead_bits : int
        Bits that a synapse of a list takes beside its weight (target index, delay).
    row_header_words : int
        Words before each row of conv weights.
    list_header_bits : int
        Bits before the synapses of each list.
    in_axon_words, group_words : int
        Words of a core's joint memory that an in-axon and a population take.
    conv_weights : 'core', 'pattern' or 'none'
        What stores a convolution's weights once: a core; a core for each set of taps that a border leaves; nothing.
    conv_axons : 'population', 'position' or 'neuron'
        What takes one in-axon of a convolution: a source population, a source position (frame, joint) of
        any channel, or a source neuron. With the first an out-axon serves a position, else a neuron.
    lava_split : 'columns and rows' or 'columns'
        What the objective ``lava`` halves of a convolution that is too large.
    message_bits : int
        Widest graded message; 0: binary spikes only.
    delay_steps : int
        Longest delay.
    router_mesh, chip_mesh : (rows, columns)
        Where the routers of a chip and the chips lie, numbered row by row.
    router_cores : int
        Cores at one router, numbered router by router.
    synop_ns, update_ns, message_ns : float
        Time per synaptic operation, neuron update and arriving message: the weights of a core's load.
    sources, assumed : dict of str to str
        Where each value comes from; values under ``assumed`` are not public.
    """

    name: str
    generation: str
    chips: int
    cores_per_chip: int
    neurons: int
    neuron_groups: int
    state_words: int
    word_bits: int
    synapse_words: int
    core_words: int
    in_axons: int
    out_axons: int
    weight_bits: int
    synapse_overhead_bits: int
    row_header_words: int
    list_header_bits: int
    in_axon_words: int
    group_words: int
    conv_weights: str
    conv_axons: str
    lava_split: str
    message_bits: int
    delay_steps: int
    router_mesh: tuple[int, int]
    router_cores: int
    chip_mesh: tuple[int, int]
    synop_ns: float
    update_ns: float
    message_ns: float
    sources: dict[str, str] = field(default_factory=dict)
    assumed: dict[str, str] = field(default_factory=dict)

    @property
    def cores(self) -> int:
        """Cores of the whole board."""
        return self.chips * self.cores_per_chip

    @property
    def core_mesh(self) -> tuple[int, int]:
        """(rows, columns) of a chip's cores, those of a router side by side: numbered row by row, too."""
        rows, columns = self.router_mesh
        return rows, columns * self.router_cores


@cache
def boards() -> dict[str, Board]:
    """The boards that come with the package, by name."""
    text = resources.files("mksgn.mapping").joinpath("boards.toml").read_text(encoding="utf-8")
    return _boards(tomli.loads(text), {}, "boards.toml")


def board(name: str | Path) -> Board:
    """A board by its name, or the one that a TOML file describes.

    Raises
    ------
    ConfigError
        When there is no such board, or the file has a field that is missing, unknown or impossible.
    """
    known = boards()
    if str(name) in known:
        return known[str(name)]
    path = Path(name)
    if path.suffix != ".toml":
        raise ConfigError("there is no such board", where="--board", got=str(name),
                          allowed=", ".join(known) + ", or a .toml file")
    return load_board(path)


def load_board(path: Path) -> Board:
    """The last board of a TOML file of the form of ``boards.toml``.

    Raises
    ------
    ConfigError
        As :func:`board`.
    """
    try:
        tables = tomli.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("a board file cannot be read", where=str(path), got=str(error)) from None
    except tomli.TOMLDecodeError as error:
        raise ConfigError("a board file is not TOML", where=str(path), got=str(error)) from None
    found = _boards(tables, boards(), str(path))
    if not found:
        raise ConfigError("a board file describes no board", where=str(path),
                          fix='write [my-board], base = "kapoho-point", and what differs')
    return list(found.values())[-1]


def _boards(tables: dict[str, Any], known: dict[str, Board], where: str) -> dict[str, Board]:
    found: dict[str, Board] = {}
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise ConfigError("a value stands outside every board", where=where, got=name,
                              fix="write a table [my-board] around it")
        found[name] = _board(name, dict(table), {**known, **found}, f"{where}, board {name!r}")
    return found


def _board(name: str, table: dict[str, Any], known: dict[str, Board], where: str) -> Board:
    names = {f.name for f in fields(Board)} - {"name"}
    unknown = sorted(set(table) - names - {"base"})
    if unknown:
        raise ConfigError("a board has an unknown field", where=where, got=", ".join(unknown),
                          allowed=", ".join(sorted(names)))
    base = table.pop("base", None)
    if base is not None and base not in known:
        raise ConfigError("a board is based on one that does not exist", where=where, got=str(base),
                          allowed=", ".join(known))
    values = {} if base is None else {n: getattr(known[base], n) for n in names}
    for key in _WHERE_FROM:
        notes = table.pop(key, {})
        if not isinstance(notes, dict) or not all(isinstance(text, str) for text in notes.values()):
            raise ConfigError(f"{key} must be a table of texts", where=where, got=str(notes))
        stray = sorted(set(notes) - names)
        if stray:
            raise ConfigError(f"{key} names an unknown field", where=where, got=", ".join(stray))
        kept = {field_: text for field_, text in values.get(key, {}).items() if field_ not in table}
        values[key] = {**kept, **notes}
    values.update({key: _value(key, value, where) for key, value in table.items()})
    missing = sorted(f.name for f in fields(Board)
                     if f.name not in values and f.name != "name" and f.default_factory is MISSING)
    if missing:
        raise ConfigError("a board has fields missing", where=where, got=", ".join(missing),
                          fix='give them, or take over others\' with base = "kapoho-point"')
    made = Board(name=name, **values)
    _check(made, where)
    for key in sorted(names - set(_WHERE_FROM) - {"generation"} - set(made.sources) - set(made.assumed)):
        made.assumed[key] = NO_SOURCE
    return made


def _value(key: str, value: Any, where: str) -> Any:
    kind = next(f.type for f in fields(Board) if f.name == key)
    if kind == "int":
        least = 0 if key in _MAY_BE_ZERO else 1
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ConfigError(f"{key} must be a whole number of at least {least}", where=where, got=repr(value))
    elif kind == "float":
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < math.inf:
            raise ConfigError(f"{key} must be a number of at least 0", where=where, got=repr(value))
        return float(value)
    elif kind == "tuple[int, int]":
        if not isinstance(value, list) or len(value) != 2 or not all(
                isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in value):
            raise ConfigError(f"{key} must be [rows, columns]", where=where, got=repr(value))
        return (value[0], value[1])
    elif not isinstance(value, str):
        raise ConfigError(f"{key} must be a text", where=where, got=repr(value))
    return value


_MAY_BE_ZERO = {"neuron_groups", "core_words", "message_bits", "delay_steps", "state_words", "synapse_overhead_bits",
                "row_header_words", "list_header_bits", "in_axon_words", "group_words"}


def _check(made: Board, where: str) -> None:
    for key, allowed in (("conv_weights", _CONV_WEIGHTS), ("conv_axons", _CONV_AXONS),
                         ("lava_split", _LAVA_SPLITS)):
        if getattr(made, key) not in allowed:
            raise ConfigError(f"{key} is unknown", where=where, got=getattr(made, key), allowed=", ".join(allowed))
    for key, mesh, count in (("router_mesh", made.router_mesh, -(-made.cores_per_chip // made.router_cores)),
                             ("chip_mesh", made.chip_mesh, made.chips)):
        if mesh[0] * mesh[1] < count:
            raise ConfigError(f"{key} has too few places", where=where, got=f"{mesh[0]} x {mesh[1]}",
                              allowed=f"at least {count}")
