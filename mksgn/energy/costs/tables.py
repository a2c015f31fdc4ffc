"""Cost tables: TOML files of constants, each with its unit and source, checked before anything is priced.

A table has the keys ``title`` and ``about``, perhaps ``base`` (a built-in table whose constants it changes), and
sections of constants:

- ``energy``, pJ per event: all of :data:`~mksgn.energy.costs.model.ENERGY_UNITS`;
- ``time``, ns per event, or no such section: all of :data:`~mksgn.energy.costs.latency.TIME_UNITS`;
- ``slowest``, ns, in place of ``time``: all of :data:`~mksgn.energy.costs.slowest.SLOWEST_UNITS`;
- ``static``: ``chip`` and ``core``, mW, or no such section; needs ``time`` or ``slowest``;
- ``access``, or no such section: all of :data:`~mksgn.energy.costs.access.ACCESS_UNITS`.

A constant is a table of ``value``, or ``low`` and ``high`` and perhaps ``middle`` (the best estimate), ``unit``,
``source``, ``basis`` (:data:`~mksgn.energy.costs.quantity.BASES`) and perhaps ``note``::

    [energy.synop]
    value = 23.6
    unit = "pJ"
    source = "Davies et al. 2018, Table 2"
    basis = "published"

No constant has a default: a model that leaves an event out says so (value 0, basis "not modelled").
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

import tomli

from mksgn.energy.costs.access import ACCESS_UNITS, Access
from mksgn.energy.costs.latency import TIME_UNITS, Times
from mksgn.energy.costs.model import ENERGY_UNITS, CostModel, Energies
from mksgn.energy.costs.quantity import BASES, Constant, Range
from mksgn.energy.costs.slowest import SLOWEST_UNITS, Slowest
from mksgn.errors import ConfigError

BUILT_IN = ("horowitz-fp32", "horowitz-int8", "lemaire", "loihi1", "loihi1-fitted", "loihi1-intel-factors",
            "loihi2-fitted")
"""Names of the tables that come with the package, cheapest assumptions first."""
_UNITS = {"energy": ENERGY_UNITS, "time": TIME_UNITS, "slowest": SLOWEST_UNITS, "static": {"chip": "mW", "core": "mW"},
          "access": ACCESS_UNITS}
_HEAD = ("title", "about", "base")
_KEYS = ("value", "low", "middle", "high", "unit", "source", "basis", "note")


@lru_cache(maxsize=1)
def cost_models() -> Mapping[str, CostModel]:
    """The built-in models by name, in the order of :data:`BUILT_IN`."""
    return MappingProxyType({name: _model(_built_in(name), f"table {name!r}", name) for name in BUILT_IN})


def load_cost_model(path: Path | str) -> CostModel:
    """A user's own table.

    Parameters
    ----------
    path : path of a TOML file
        The model is named after it.

    Raises
    ------
    ConfigError
        When the file cannot be read, or a constant is missing, unknown, negative, not finite, in another unit, or
        without a source; the message names the file and the constant.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError("a cost table cannot be read", where=str(path), got=reason) from None
    return _model(_parse(text, str(path)), str(path), path.stem)


def _built_in(name: str) -> dict[str, Any]:
    text = (files("mksgn.energy") / "tables" / f"{name}.toml").read_text(encoding="utf-8")
    return _parse(text, f"table {name!r}")


def _parse(text: str, where: str) -> dict[str, Any]:
    try:
        return tomli.loads(text)
    except (tomli.TOMLDecodeError, RecursionError) as error:
        raise ConfigError("a cost table is not valid TOML", where=where, got=str(error)) from None


def _model(table: dict[str, Any], where: str, name: str) -> CostModel:
    _known(table, (*_HEAD, *_UNITS), where, "entry")
    for key in _HEAD:
        if key in table and not (isinstance(table[key], str) and table[key].strip()):
            raise ConfigError("an entry must be text", where=f"{where}: {key}", got=repr(table[key]))
    sections = _sections(table, where)
    if "base" in table:
        base = table["base"]
        if base not in BUILT_IN:
            raise ConfigError("a cost table builds on one that does not exist", where=f"{where}: base", got=base,
                              allowed=", ".join(BUILT_IN))
        sections = _merged(_sections(_built_in(base), f"table {base!r}"), sections)
    for key in ("title", "about"):
        if key not in table:
            raise ConfigError("a cost table lacks an entry", where=where, got=f"no {key}",
                              fix=f'say what the figures stand for: {key} = "..."')
    if "energy" not in sections:
        raise ConfigError("a cost table lacks a section", where=where, got="no [energy]",
                          fix="give every event a price, 0 with basis \"not modelled\" where the model has none")
    if "static" in sections and not {"time", "slowest"} & set(sections):
        raise ConfigError("static power without times gives no energy", where=where, got="[static] and no [time]",
                          fix="add [time] or [slowest], or leave [static] out")
    if {"time", "slowest"} <= set(sections):
        raise ConfigError("a cost table says twice how long a step takes", where=where, got="[time] and [slowest]",
                          fix="leave one of them out")
    for section, constants in sections.items():
        missing = [key for key in _UNITS[section] if key not in constants]
        if missing:
            raise ConfigError("a cost table lacks constants", where=f"{where}: [{section}]",
                              got=f"no {', '.join(missing)}",
                              fix="add them (value 0, basis \"not modelled\" where the model leaves an event out), "
                                  'or build on a table with base = "loihi1"')
    values = {section: {key: constant.value for key, constant in constants.items()}
              for section, constants in sections.items()}
    return CostModel(
        name=name, title=table["title"], about=table["about"],
        energies=Energies(**values["energy"]),
        times=Times(**values["time"]) if "time" in values else
        Slowest(**values["slowest"]) if "slowest" in values else None,
        static_chip_mw=values["static"]["chip"] if "static" in values else None,
        static_core_mw=values["static"]["core"] if "static" in values else None,
        access=Access(**values["access"]) if "access" in values else None,
        constants={f"{section}.{key}": constant for section, constants in sections.items()
                   for key, constant in constants.items()})


def _sections(table: dict[str, Any], where: str) -> dict[str, dict[str, Constant]]:
    """The constants of a table, checked one by one."""
    found = {}
    for section, units in _UNITS.items():
        if section not in table:
            continue
        content = table[section]
        if not isinstance(content, dict):
            raise ConfigError("a section must hold constants", where=f"{where}: {section}", got=repr(content))
        _known(content, units, f"{where}: [{section}]", "constant")
        found[section] = {key: _constant(content[key], units[key], f"{where}: {section}.{key}") for key in content}
    return found


def _merged(base: dict[str, dict[str, Constant]],
            own: dict[str, dict[str, Constant]]) -> dict[str, dict[str, Constant]]:
    return {section: base.get(section, {}) | own.get(section, {}) for section in _UNITS
            if section in base or section in own}


def _known(content: Mapping[str, Any], allowed: Iterable[str], where: str, what: str) -> None:
    allowed = tuple(allowed)
    for key in content:
        if key not in allowed:
            near = difflib.get_close_matches(key, allowed, n=1)
            raise ConfigError(f"a cost table has an unknown {what}", where=where, got=key, allowed=", ".join(allowed),
                              fix=f"did you mean {near[0]}?" if near else "leave it out")


def _constant(entry: object, unit: str, where: str) -> Constant:
    if not isinstance(entry, dict):
        raise ConfigError("a constant must have a value, a unit and a source", where=where, got=repr(entry),
                          allowed=", ".join(_KEYS))
    _known(entry, _KEYS, where, "key of a constant")
    for key in ("unit", "source", "basis"):
        if not isinstance(entry.get(key), str) or not entry[key].strip():
            raise ConfigError(f"a constant has no {key}", where=where, got=repr(entry.get(key)),
                              allowed=", ".join(BASES) if key == "basis" else unit if key == "unit" else "text",
                              fix=f'add {key} = "..."')
    if entry["unit"] != unit:
        raise ConfigError("a constant has the wrong unit", where=where, got=entry["unit"], allowed=unit,
                          fix=f"convert the value to {unit}")
    if entry["basis"] not in BASES:
        raise ConfigError("a constant has an unknown basis", where=where, got=entry["basis"], allowed=", ".join(BASES))
    value = _value(entry, where)
    if entry["basis"] == "not modelled" and value != Range(0, 0):
        raise ConfigError("a constant that is not modelled has a value", where=where, got=str(value), allowed="0",
                          fix="say what it rests on: " + ", ".join(BASES[:-1]))
    note = entry.get("note", "")
    if not isinstance(note, str):
        raise ConfigError("a note must be text", where=where, got=repr(note))
    return Constant(value, unit, entry["source"], entry["basis"], note, "middle" in entry)


def _value(entry: dict[str, Any], where: str) -> Range:
    given = [key for key in ("value", "low", "middle", "high") if key in entry]
    if given not in (["value"], ["low", "high"], ["low", "middle", "high"]):
        raise ConfigError("a constant needs one value, or a low and a high", where=where,
                          got=", ".join(given) or "none", allowed="value, or low and high, with or without middle")
    numbers = [_number(entry[key], f"{where}.{key}") for key in given]
    if sorted(numbers) != numbers:
        raise ConfigError("a constant's bounds are in the wrong order", where=where,
                          got=" to ".join(map(str, numbers)), fix="put them in ascending order")
    return Range(numbers[0], numbers[-1], *numbers[1:-1])


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigError("a constant must be a number", where=where, got=repr(value))
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ConfigError("a constant is not finite", where=where, got=str(number))
    if number < 0:
        raise ConfigError("a constant is negative", where=where, got=str(number), allowed="0 or more")
    return number
