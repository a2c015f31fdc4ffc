"""Whether data is of the kind that a net was trained on: joints, dimensions, which way is up, size, missing joints.

A net's meta says it under ``training_data``, JSON that :func:`description` makes of the pack it was trained on. Nets
from before lack it; those of a Kinect body were trained on three dimensions in metres, y up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mksgn.data.axes import measured_up
from mksgn.data.facts import Facts
from mksgn.data.pack import Pack
from mksgn.data.preprocess import Preprocess
from mksgn.data.traps import scores_as_coordinates
from mksgn.errors import ConfigError, DataError
from mksgn.skeleton import body_of
from mksgn.skeleton.bodies import name_of

META_KEY = "training_data"
"""Attribute of a net that holds :func:`description`."""
_SAMPLES = 200
_RATIO = 3.0
"""Sizes of bodies that differ by more are warned about."""


@dataclass(frozen=True)
class Description:
    """What is known of the data a net was trained on; empty or 0 where nothing is.

    Parameters
    ----------
    dimensions : int
    units, up : str
        As :class:`~mksgn.data.facts.Facts`; ``up`` as the data said, else as its bodies said.
    size : float
        Median extent of a body in the data's unit, over sequences: diagonal of the box around the main person.
    joint_names : tuple of str
    missing : float
        Share of the joints of present persons that were missing.
    """

    dimensions: int = 0
    units: str = ""
    up: str = ""
    size: float = 0.0
    joint_names: tuple[str, ...] = ()
    missing: float = 0.0


@dataclass(frozen=True)
class Finding:
    """A difference. ``refuse``: the net's answers would mean nothing; else they may be worse."""

    refuse: bool
    what: str
    got: str
    expected: str
    fix: str

    def __str__(self) -> str:
        return f"{self.what}: {self.got}; the net's training data: {self.expected}. {self.fix}"


def describe(pack: Pack) -> Description:
    """What a pack is like, measured on up to 200 sequences."""
    upright = measured_up(pack)
    said = upright.axis if upright.sure else pack.facts.up or upright.axis
    return Description(pack.data.shape[3], pack.facts.units, said, round(_size(pack), 4), pack.joint_names,
                       round(missing_share(pack), 4))


def description(pack: Pack) -> str:
    """:func:`describe` as JSON, for a net's meta under ``META_KEY``."""
    return json.dumps(asdict(describe(pack)))


def of_net(meta: Mapping[str, Any]) -> Description:
    """What a net's meta says of its training data, or its body, where it was made before nets said it.

    Raises
    ------
    ConfigError
        When it says something that cannot be read.
    """
    text = meta.get(META_KEY)
    if text is None:
        return _of_old_net(meta)
    try:
        values = json.loads(text)
        values["joint_names"] = tuple(map(str, values.get("joint_names", ())))
        known = Description(**values)
        Facts(known.units, known.up)
        if type(known.dimensions) is not int or not all(
                type(number) in (int, float) for number in (known.size, known.missing)):
            raise ValueError("numbers")
        return known
    except (TypeError, ValueError, KeyError, AttributeError, RecursionError, DataError) as error:
        raise ConfigError("what the net says of its training data cannot be read", f"attribute {META_KEY!r}",
                          f"{str(text)[:80]} ({str(error).splitlines()[0][:60]})", fix="export the net again") from None


def _of_old_net(meta: Mapping[str, Any]) -> Description:
    joints, flat = meta.get("joints"), meta.get("edges")
    try:
        body = body_of(np.array(flat, dtype=np.int64).reshape(-1, 2), int(joints))  # type: ignore[arg-type]
    except (TypeError, ValueError, DataError):
        return Description()
    return Description(3, "m", "+y") if name_of(body).startswith("kinect") else Description()


def findings(meta: Mapping[str, Any], pack: Pack, preprocess: Preprocess | None = None) -> list[Finding]:
    """Every difference between a pack and a net's training data, those that forbid a run first.

    Parameters
    ----------
    preprocess : Preprocess, optional
        The net's.

    Raises
    ------
    ConfigError
        As :func:`of_net`.
    """
    net, data = of_net(meta), describe(pack)
    found = [*_dimensions(net, data), *_up(net, pack), *_joints(net, data), *_scale(net, data),
             *_missing(net, data, preprocess, pack.scores is not None), *_scores(pack)]
    return sorted(found, key=lambda finding: not finding.refuse)


def check(meta: Mapping[str, Any], pack: Pack, preprocess: Preprocess | None = None, where: str = "",
          say: Callable[[str], object] = lambda line: None) -> None:
    """Refuse data that a net's answers would mean nothing on, and say what else differs, with the figures.

    Parameters
    ----------
    where : str
        Names the data in errors.
    say : callable
        Told each warning.

    Raises
    ------
    DataError
        With the first difference that forbids a run.
    ConfigError
        As :func:`of_net`.
    """
    for finding in findings(meta, pack, preprocess):
        if finding.refuse:
            raise DataError(finding.what, where, finding.got, f"as the net's training data: {finding.expected}",
                            finding.fix)
        say(str(finding))


def _dimensions(net: Description, data: Description) -> list[Finding]:
    if not net.dimensions or net.dimensions == data.dimensions:
        return []
    return [Finding(True, "The data has another number of coordinates than the net was trained on",
                    f"{data.dimensions}-D", f"{net.dimensions}-D", "use data of these dimensions, or train a net on "
                    "data such as this")]


def _up(net: Description, pack: Pack) -> list[Finding]:
    upright = measured_up(pack)
    if not net.up or not (upright.axis or pack.facts.up):
        return []
    fix = "turn the data with --upright, so that y points up"
    measured = f"{upright.axis} in {upright.share:.0%} of {upright.sequences} sequences, from feet to head"
    if upright.sure:
        return [] if upright.axis == net.up else [
            Finding(True, "Another axis points up than in the net's training data", measured, net.up, fix)]
    if pack.facts.up and pack.facts.up != net.up:
        return [Finding(True, "Another axis points up than in the net's training data", f"{pack.facts.up}, as the data "
                        "says", net.up, fix)]
    if not pack.facts.up and upright.axis != net.up:
        return [Finding(False, "Another axis may point up than in the net's training data", measured, net.up, fix)]
    return []


def _joints(net: Description, data: Description) -> list[Finding]:
    if not net.joint_names or net.joint_names == data.joint_names or len(net.joint_names) != len(data.joint_names):
        return []
    v = next(v for v, (a, b) in enumerate(zip(net.joint_names, data.joint_names)) if a != b)
    return [Finding(False, "Joints have other names than in the net's training data",
                    f"joint {v} is {data.joint_names[v]!r}", repr(net.joint_names[v]),
                    "make sure that they are in the same order")]


def _scale(net: Description, data: Description) -> list[Finding]:
    fix = "the preprocessing divides by the body's size, so that it matters only if the bodies differ in shape"
    if net.units and data.units and net.units != data.units:
        return [Finding(False, "The data is in another unit than the net's training data", data.units, net.units, fix)]
    if net.size > 0 and data.size > 0 and not 1 / _RATIO < data.size / net.size < _RATIO:
        return [Finding(False, "Bodies have another size than in the net's training data",
                        f"median {data.size:.3g}, {data.size / net.size:.3g} times as large", f"{net.size:.3g}", fix)]
    return []


def _missing(net: Description, data: Description, preprocess: Preprocess | None, scored: bool) -> list[Finding]:
    if data.missing <= net.missing + 0.001 or (preprocess is not None and preprocess.missing and scored):
        return []
    if not scored:
        return [Finding(False, "Joints lie at 0 in some frames, and the pack has no scores that mark them as missing",
                        f"{data.missing:.1%} of them", f"{net.missing:.1%}",
                        "keep scores in the pack's 'scores', 0 for a missing joint")]
    return [Finding(False, "Joints are missing, and the net's preprocessing fills none", f"{data.missing:.1%} of them",
                    f"{net.missing:.1%}", "train a net whose preprocessing interpolates missing joints")]


def _scores(pack: Pack) -> list[Finding]:
    """x, y in parts of an image and a score: the same span as x, y, z, so only a warning."""
    if pack.facts or pack.data.shape[3] != 3 or not len(pack):
        return []
    chosen = np.linspace(0, len(pack) - 1, min(len(pack), _SAMPLES)).astype(int)
    points = np.concatenate([pack.sequence(int(i))[:, 0] for i in chosen])
    why = scores_as_coordinates(points)
    seen = points[points.any(axis=2)]
    if not why and len(seen) and seen.min() >= 0 and seen.max() <= 1 and np.median(seen[:, 2]) > 0.5:
        why = f"all three lie in 0..1, and the median of the third is {np.median(seen[:, 2]):.2f}"
    return [Finding(False, "The third coordinate may be a score", why, "x, y and z",
                    "keep scores in the pack's 'scores'")] if why else []


def _size(pack: Pack) -> float:
    """Median over sequences of the largest diagonal of the box around the main person."""
    if not len(pack):
        return 0.0
    sizes = []
    for i in np.linspace(0, len(pack) - 1, min(len(pack), _SAMPLES)).astype(int):
        person = pack.sequence(int(i))[:, 0].astype(np.float64)
        seen = person.any(axis=2)
        if seen.any():
            low = np.where(seen[..., None], person, np.inf).min(axis=1)
            high = np.where(seen[..., None], person, -np.inf).max(axis=1)
            frames = seen.any(axis=1)
            sizes.append(float(np.median(np.linalg.norm((high - low)[frames], axis=1))))
    return float(np.median(sizes)) if sizes else 0.0


def missing_share(pack: Pack) -> float:
    """Part of the joints of present persons that are missing, in up to 200 sequences.

    Score and coordinates of a missing joint are 0. In a pack without scores a joint whose coordinates are 0 in some of
    a sequence's frames and not in others counts as one that its maker could not mark.
    """
    missing = present = 0
    for i in np.linspace(0, len(pack) - 1, min(len(pack), _SAMPLES)).astype(int):
        points, scores = pack.sequence(int(i)), pack.scores_of(int(i))
        there = points.any(axis=(2, 3))
        present += int(there.sum()) * points.shape[2]
        zero = ~points.any(axis=3) & there[..., None]
        missing += int((zero & (scores <= 0) if scores is not None else zero & points.any(axis=(0, 3))).sum())
    return missing / max(present, 1)
