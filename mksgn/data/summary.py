"""What a file of skeletons holds, in a few lines: for ``mksgn data show``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mksgn.data.axes import measured_up
from mksgn.data.compatibility import describe
from mksgn.data.own_splits import named_protocols
from mksgn.data.pack import Pack
from mksgn.data.readers.registry import find
from mksgn.skeleton.bodies import name_of

_CLASSES = 12
_FEW = 8


def summary(path: Path, pack: Pack) -> str:
    """Lines of: format, sequences and their lengths, body, coordinates, missing joints, classes, ids and splits.

    Parameters
    ----------
    path : Path
        What ``pack`` was read from.
    pack : Pack

    Raises
    ------
    DataError
        When the path is of no known format.
    """
    reader, known = find(path), describe(pack)
    lengths, body = pack.lengths, name_of(pack.body)
    upright = measured_up(pack)
    measured = f", {upright.axis} by {upright.share:.0%} of the bodies looked at" if upright.axis else ""
    lines = {
        "format": f"{reader.name}: {reader.title}",
        "sequences": f"{len(pack):,}, {len(pack.data):,} frames; {lengths.min()} to {lengths.max()} each, median "
                     f"{np.median(lengths):g}",
        "body": f"{body or 'unnamed'}: {pack.body.num_joints} joints, {len(pack.edges)} bones; up to "
                f"{pack.persons} {'person' if pack.persons == 1 else 'persons'}",
        "coordinates": f"{known.dimensions}-D, unit {pack.facts.units or 'unknown'}, up {pack.facts.up or 'unsaid'}"
                       f"{measured}; bodies are {known.size:.3g} across",
        "missing joints": f"{known.missing:.1%}" + (", and no scores that mark them" if pack.scores is None else ""),
        "classes": _classes(pack),
        "ids": "; ".join(_ids(pack)) or "none",
        "splits": ", ".join([*(["test mask"] if pack.test is not None else []), *named_protocols(pack)]) or "none"}
    return "\n".join(f"{name + ':':<16}{text}" for name, text in lines.items())


def _classes(pack: Pack) -> str:
    labels = pack.labels[pack.labels >= 0]
    unknown = len(pack) - len(labels)
    counts = np.bincount(labels, minlength=len(pack.class_names))
    present = np.flatnonzero(counts)
    shown = ", ".join(f"{pack.class_names[k]} ({counts[k]})" for k in present[:_CLASSES])
    more = f", and {len(present) - _CLASSES} more" if len(present) > _CLASSES else ""
    without = f"{'; ' if len(labels) else ''}{unknown} without a label" if unknown else ""
    return f"{len(present)} of {len(pack.class_names)}: {shown}{more}{without}" if len(labels) else without


def _ids(pack: Pack) -> list[str]:
    made = []
    for name, values in pack.ids.items():
        distinct = np.unique(values)
        listed = " ".join(map(str, distinct[:_FEW].tolist())) + (" ..." if len(distinct) > _FEW else "")
        made.append(f"{name} {listed}")
    return made
