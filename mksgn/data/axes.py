"""Which way is up: measured on the bodies, and data turned so that y points up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from mksgn.data.facts import Facts
from mksgn.data.frames import Frames, rewritten
from mksgn.data.pack import Pack
from mksgn.errors import DataError

_TOP = ("head", "nose", "eye", "neck", "shoulder_center", "spine_shoulder")
_BOTTOM = ("ankle", "foot", "toe", "heel")
_SAMPLES = 200
_AGREED, _ENOUGH = 0.8, 5
"""Share of sequences that must agree, and the least number of sequences, to believe the bodies more than the facts."""
_CLEAR = 0.8
"""Part of the distance from the feet to the head that one axis must carry."""
#: How data with each direction up is turned: axes taken, and their signs. Rotations, so that left stays left.
_TURNS = {"+y": ((0, 1, 2), (1, 1, 1)), "-y": ((0, 1, 2), (1, -1, -1)), "+z": ((0, 2, 1), (1, 1, -1)),
          "-z": ((0, 2, 1), (1, -1, 1)), "+x": ((1, 0, 2), (-1, 1, 1)), "-x": ((1, 0, 2), (1, -1, 1))}


@dataclass(frozen=True)
class Upright:
    """What the bodies of a pack say: the direction from their feet to their heads, and the share that agrees.

    ``axis`` is empty where the joints have no names that tell, or nobody stands along an axis.
    """

    axis: str
    share: float
    sequences: int

    @property
    def sure(self) -> bool:
        """Whether it is more than a few people who lie on the floor."""
        return bool(self.axis) and self.share >= _AGREED and self.sequences >= _ENOUGH


def measured_up(pack: Pack) -> Upright:
    """Look at up to 200 sequences, evenly spread: in each, the axis along which head and feet lie most of the time."""
    tops, bottoms = (_joints(pack.joint_names, parts) for parts in (_TOP, _BOTTOM))
    if not tops or not bottoms or not len(pack):
        return Upright("", 0.0, 0)
    chosen = np.linspace(0, len(pack) - 1, min(len(pack), _SAMPLES)).astype(int)
    found = Counter(axis for i in chosen if (axis := _axis(pack.sequence(int(i))[:, 0], tops, bottoms)))
    if not found:
        return Upright("", 0.0, len(chosen))
    axis, count = found.most_common(1)[0]
    return Upright(axis, count / len(chosen), len(chosen))


def _joints(names: tuple[str, ...], parts: tuple[str, ...]) -> list[int]:
    return [v for v, name in enumerate(names) if any(part in name.lower().replace(" ", "_") for part in parts)]


def _axis(person: np.ndarray, tops: list[int], bottoms: list[int]) -> str:
    """Of (F, V, D) joints of a person; joints at 0 are missing."""
    seen = person.any(axis=2)
    frames = seen[:, tops].any(axis=1) & seen[:, bottoms].any(axis=1)
    if not frames.any():
        return ""
    person, seen = person[frames], seen[frames][..., None]
    high, low = (np.nan_to_num((person * seen)[:, part].sum(axis=1) / seen[:, part].sum(axis=1))
                 for part in (tops, bottoms))
    upward = np.median((high - low).astype(np.float64), axis=0)
    k = int(np.argmax(np.abs(upward)))
    if abs(upward[k]) < _CLEAR * max(float(np.linalg.norm(upward)), 1e-12):
        return ""
    return f"{'+' if upward[k] > 0 else '-'}{'xyz'[k]}"


def turned(pack: Pack, up: str = "", frames: Frames | None = None) -> Pack:
    """The pack with y up.

    Parameters
    ----------
    up : str
        The direction that is up now; by default what the pack's facts say, else what its bodies say.
    frames : Frames, optional
        Empty; gathers the new coordinates, by default in memory.

    Raises
    ------
    DataError
        When nothing tells which way is up, or two-dimensional data cannot have it so.
    """
    up = up or pack.facts.up or measured_up(pack).axis
    dimensions = pack.data.shape[3]
    if up not in _TURNS or (dimensions == 2 and up[1] == "z"):
        raise DataError("It is unknown which way is up", "pack", f"{up!r}, {dimensions} coordinates",
                        ", ".join(_TURNS), "say it with --up")
    axes, signs = _TURNS[up]
    # In two dimensions -y is an image whose rows count downwards: other numbers for the same picture, no mirror image.
    taken, factors = list(axes[:dimensions]), np.array(signs[:dimensions], np.float32)
    data = pack.data if up == "+y" else rewritten(pack.data, Frames() if frames is None else frames,
                                                  lambda _, block: block[..., taken] * factors + np.float32(0))
    return replace(pack, data=data, facts=Facts(pack.facts.units, "+y", pack.facts.source))
