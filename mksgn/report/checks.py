"""What a record must be before it is shown: the types of :mod:`mksgn.report.schema`, and what types cannot say."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from typeguard import CollectionCheckStrategy, TypeCheckError, check_type

from mksgn.errors import MksgnError
from mksgn.report.formatting import ends
from mksgn.report.schema import Example, Record

MAY_BE_NEGATIVE = ("measured",)
"""Measurements may fall below zero; every other number of a record is a count, a share, an energy or a time."""
NO_INDEX = -1
"""A label that is not known, as in :mod:`mksgn.data`."""


class RecordError(MksgnError):
    """A record of a run that cannot be shown."""


def checked(record: Mapping[str, Any]) -> Record:
    """Return ``record`` as what it is.

    Raises
    ------
    RecordError
        When a section or field is missing, unknown or of another type, a number is not finite or negative, a share is
        above 1, a synapse names a population that is not there, or lengths disagree.
    """
    try:
        known = check_type(record, Record, collection_check_strategy=CollectionCheckStrategy.ALL_ITEMS)
    except TypeCheckError as error:
        raise RecordError("a record of a run is malformed", where="record", got=str(error),
                          fix="see mksgn/report/schema.py for every section and field") from None
    _check_numbers(record)
    _check_shares(known)
    _check_ranges(known)
    _check_names(known)
    _check_sizes(known)
    if "example" in known:
        _check_example(known["example"], known["net"]["classes"])
    return known


def _require(condition: bool, what: str, where: str, got: object, allowed: str = "") -> None:
    if not condition:
        raise RecordError(what, where=f"record.{where}", got=str(got), allowed=allowed)


def _numbers(value: Any, where: str) -> Iterator[tuple[str, float]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _numbers(inner, f"{where}.{key}")
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from _numbers(inner, f"{where}[{position}]")
    elif isinstance(value, (int, float)):
        yield where, value


def _check_numbers(record: Mapping[str, Any]) -> None:
    for section, content in record.items():
        if section == "example":
            continue  # its numbers are coordinates and large arrays: _check_example
        for where, number in _numbers(content, section):
            _require(math.isfinite(number) and (number >= 0 or section in MAY_BE_NEGATIVE),
                     "a number of the record cannot be", where, number, "finite, 0 or more")


def _check_shares(record: Record) -> None:
    run = record["run"]
    shares = {"run.accuracy": run["accuracy"]}
    shares |= {f"run.subsets.{name}.accuracy": subset["accuracy"] for name, subset in run.get("subsets", {}).items()}
    shares |= {f"populations[{i}].rate": row["rate"] for i, row in enumerate(record.get("populations", []))}
    for where, share in shares.items():
        _require(share is None or share <= 1, "a share is above one", where, share, "0..1, or null")
    _require(run["samples"] > 0, "a run needs at least one sample", "run.samples", run["samples"])


def _check_ranges(record: Record) -> None:
    for i, model in enumerate(record.get("cost_models", [])):
        for key, value in (*model.items(), *model["breakdown_mj"].items(), *model["by_layer_mj"].items()):
            _require(not isinstance(value, list) or (len(value) == 2 and value[0] <= value[1]),
                     "a range is a low and a high end", f"cost_models[{i}].{key}", value, "[low, high]")
        for key, best in model.get("middle", {}).items():
            _require(best is None or _inside(best, model.get(key)), "a best estimate lies outside its range",
                     f"cost_models[{i}].middle.{key}", best, str(model.get(key)))


def _inside(best: float, value: Any) -> bool:
    """Whether a best estimate lies in the range of its figure, but for rounding."""
    if not isinstance(value, list | int | float):
        return False
    low, high = ends(value)
    return low * (1 - 1e-9) <= best <= high * (1 + 1e-9)


def _unique(names: Sequence[object], where: str) -> None:
    _require(len(set(names)) == len(names), "two entries have one name", where,
             next((name for i, name in enumerate(names) if name in names[:i]), ""))


def _check_names(record: Record) -> None:
    populations = record.get("populations", [])
    synapses = record.get("synapses", [])
    _unique([row["name"] for row in populations], "populations")
    _unique([row["name"] for row in synapses], "synapses")
    _unique([row["name"] for row in record.get("cost_models", [])], "cost_models")
    known = {row["name"] for row in populations}
    for i, row in enumerate(populations):
        _require(len(row["shape"]) == 3, "a population's shape is (C, F, V)", f"populations[{i}].shape", row["shape"])
    for i, synapse in enumerate(synapses):
        _require(bool(synapse["sources"]), "a synapse needs a source", f"synapses[{i}].sources", "none")
        for name in (*synapse["sources"], synapse["target"]) if populations else ():
            _require(name in known, "a synapse names a population that is not in the record", f"synapses[{i}]", name)
    if "mapping" in record:
        cores = [core["index"] for core in record["mapping"]["core_list"]]
        _unique(cores, "mapping.core_list")
        busiest = record["mapping"]["busiest"]
        _require(busiest is None or busiest["index"] in cores, "the busiest core is not in the list of cores",
                 "mapping.busiest.index", busiest and busiest["index"])


def _check_sizes(record: Record) -> None:
    if "samples" in record:
        samples = record["samples"]
        _require(len(samples["correct"]) in (0, len(samples["synops"])), "every sample is right or wrong",
                 "samples.correct", f"{len(samples['correct'])} entries for {len(samples['synops'])} samples")
    if "confusion" in record:
        classes = len(record["confusion"]["labels"])
        rows = record["confusion"]["matrix"]
        _require(len(rows) == classes and all(len(row) == classes for row in rows),
                 "a confusion matrix has a row and a column per label", "confusion.matrix",
                 f"{len(rows)} rows of {sorted({len(row) for row in rows})}", f"{classes} x {classes}")


def _array(value: Any, ndim: int, kinds: str, where: str, axes: str) -> np.ndarray:
    try:
        array = np.array(value)
    except ValueError:
        array = np.empty(0)
    _require(array.ndim == ndim and array.size > 0 and array.dtype.kind in kinds,
             f"an array must be ({axes}), none of its axes empty", where, f"{array.dtype} {array.shape}")
    return array


def _check_example(example: Example, classes: list[str]) -> None:
    skeleton = _array(example["skeleton"], 3, "iuf", "example.skeleton", "F, V, 3")
    _require(skeleton.shape[2] == 3 and bool(np.isfinite(skeleton).all()), "coordinates must be three finite numbers",
             "example.skeleton", skeleton.shape)
    joints = skeleton.shape[1]
    for i, edge in enumerate(example["edges"]):
        _require(len(edge) == 2 and all(0 <= joint < joints for joint in edge), "a bone joins two joints",
                 f"example.edges[{i}]", edge, f"two of 0..{joints - 1}")
    for name, counts in example["raster"].items():
        raster = _array(counts, 2, "iu", f"example.raster.{name}", "C, F")
        _require(int(raster.min()) >= 0, "spike counts cannot be negative", f"example.raster.{name}", raster.min())
    for key, value in (("label", example["label"]), ("prediction", example["prediction"])):
        if isinstance(value, int):
            _require(NO_INDEX <= value < len(classes), "a class has no name", f"example.{key}", value,
                     f"0..{len(classes) - 1}, or -1 for none")
