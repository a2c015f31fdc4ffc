"""What a file of skeletons holds: for ``mksgn data show``, as values and in a few lines."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

import numpy as np

from mksgn.data.axes import measured_up
from mksgn.data.compatibility import describe
from mksgn.data.own_splits import named_protocols
from mksgn.data.pack import Pack
from mksgn.data.readers.registry import find
from mksgn.skeleton.bodies import name_of

_CLASSES = 12
_FEW = 8


class Contents(TypedDict):
    """What a pack holds; ``format`` is empty for what was not read from a file."""

    format: str
    title: str
    sequences: int
    frames: int
    lengths: dict[str, float]
    """Shortest, longest and median, in frames."""
    body: str
    """Empty for a body without a name."""
    joints: int
    joint_names: list[str]
    bones: int
    persons: int
    dimensions: int
    units: str
    up: str
    """What the format or an option says; empty: nothing does."""
    measured_up: str
    """What the bodies say."""
    measured_share: float
    size: float
    """Median extent of a body, in the unit."""
    scores: bool
    missing: float
    """Share of the joints of present persons."""
    classes: dict[str, int]
    """Sequences of each class."""
    unlabelled: int
    ids: dict[str, list[int]]
    test_mask: bool
    splits: list[str]


def contents(path: Path | None, pack: Pack, name: str = "") -> Contents:
    """What ``pack``, which was read from ``path``, holds.

    Parameters
    ----------
    path : Path or None
        None for what was not read.
    pack : Pack
    name : str
        Of the reader, where it was chosen.

    Raises
    ------
    DataError
        When the path is of no known format.
    """
    reader, known, upright = None if path is None else find(path, name), describe(pack), measured_up(pack)
    labels, lengths = pack.labels[pack.labels >= 0], pack.lengths
    counts = np.bincount(labels, minlength=len(pack.class_names))
    return {
        "format": "" if reader is None else reader.name, "title": "" if reader is None else reader.title,
        "sequences": len(pack), "frames": len(pack.data),
        "lengths": {"min": int(lengths.min()), "max": int(lengths.max()), "median": float(np.median(lengths))},
        "body": name_of(pack.body), "joints": pack.body.num_joints, "joint_names": list(pack.joint_names),
        "bones": len(pack.edges), "persons": pack.persons, "dimensions": known.dimensions, "units": pack.facts.units,
        "up": pack.facts.up, "measured_up": upright.axis, "measured_share": round(upright.share, 4),
        "size": known.size, "scores": pack.scores is not None, "missing": known.missing,
        "classes": {name: int(count) for name, count in zip(pack.class_names, counts)},
        "unlabelled": len(pack) - len(labels),
        "ids": {id_: np.unique(values).tolist() for id_, values in pack.ids.items()},
        "test_mask": pack.test is not None, "splits": list(named_protocols(pack))}


def summary(found: Contents) -> str:
    """Lines of: format, sequences and their lengths, body, coordinates, missing joints, classes, ids and splits."""
    lengths = found["lengths"]
    measured = (f", {found['measured_up']} by {found['measured_share']:.0%} of the bodies looked at"
                if found["measured_up"] else "")
    lines = {
        "format": f"{found['format']}: {found['title']}" if found["format"] else "made here",
        "sequences": f"{found['sequences']:,}, {found['frames']:,} frames; {lengths['min']} to {lengths['max']} each, "
                     f"median {lengths['median']:g}",
        "body": f"{found['body'] or 'unnamed'}: {found['joints']} joints, {found['bones']} bones; up to "
                f"{found['persons']} {'person' if found['persons'] == 1 else 'persons'}",
        "coordinates": f"{found['dimensions']}-D, unit {found['units'] or 'unknown'}, up {found['up'] or 'unsaid'}"
                       f"{measured}; bodies are {found['size']:.3g} across",
        "missing joints": f"{found['missing']:.1%}" + ("" if found["scores"] else ", and no scores that mark them"),
        "classes": _classes(found),
        "ids": "; ".join(f"{name} {_listed(values)}" for name, values in found["ids"].items()) or "none",
        "splits": ", ".join([*(["test mask"] if found["test_mask"] else []), *found["splits"]]) or "none"}
    return "\n".join(f"{name + ':':<16}{text}" for name, text in lines.items())


def _classes(found: Contents) -> str:
    present = [f"{name} ({count})" for name, count in found["classes"].items() if count]
    more = f", and {len(present) - _CLASSES} more" if len(present) > _CLASSES else ""
    without = f"{found['unlabelled']} without a label"
    if not present:
        return without
    return (f"{len(present)} of {len(found['classes'])}: {', '.join(present[:_CLASSES])}{more}"
            + (f"; {without}" if found["unlabelled"] else ""))


def _listed(values: list[int]) -> str:
    return " ".join(map(str, values[:_FEW])) + (" ..." if len(values) > _FEW else "")
