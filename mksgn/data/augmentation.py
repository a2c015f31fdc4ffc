"""Alignment and augmentation that suit a pack: sides by joint names, rotations by dimensions, noise by unit."""

from __future__ import annotations

import re
from dataclasses import replace

from mksgn.data.compatibility import describe
from mksgn.data.pack import Pack
from mksgn.data.preprocess import Augment

METRES = {"": 1.0, "m": 1.0, "cm": 100.0, "mm": 1000.0}
"""What one metre is in the units whose bodies have a known size."""
BODY = 2.0
"""Metres across a body, from hand to foot: what stands for a body's extent where the unit says nothing of its size."""


def augmentation_for(pack: Pack, augment: Augment) -> Augment:
    """``augment`` as it suits a pack.

    Bodies are mirrored only where the pack names left and right joints. Flat data is turned within its plane alone. The
    noise, which is in metres, becomes one in the data's unit: of pixels, parts of an image and flat data of an unknown
    unit, the same part of a body's size.
    """
    mirrored, flat, unit = mirrored_joints(pack), pack.data.shape[3] == 2, pack.facts.units
    noise = augment.noise
    if noise and (unit not in METRES or (flat and not unit)):
        noise *= describe(pack).size / BODY
    elif noise:
        noise *= METRES[unit]
    return replace(augment, mirror=augment.mirror if mirrored else 0.0, mirrored=mirrored, noise=noise,
                   yaw=0.0 if flat else augment.yaw, pitch=0.0 if flat else augment.pitch)


def lateral_joints(pack: Pack) -> tuple[tuple[int, int], ...]:
    """(left, right) pairs of shoulders and hips by joint name; empty when the pack names no such joints.

    Empty for flat data, too: nothing tells how far such a body is turned.
    """
    if pack.data.shape[3] == 2:
        return ()
    index = {name.lower().replace("-", "_").replace(" ", "_"): i for i, name in enumerate(pack.joint_names or ())}
    pairs = []
    for part in ("shoulder", "hip"):
        for left, right in ((f"{part}_left", f"{part}_right"), (f"left_{part}", f"right_{part}")):
            if left in index and right in index:
                pairs.append((index[left], index[right]))
    return tuple(pairs)


def mirrored_joints(pack: Pack) -> tuple[int, ...]:
    """The joint that takes each joint's place in a mirror, by joint name; empty without left and right."""
    names = [name.lower() for name in pack.joint_names or ()]
    sides = {"left": "right", "right": "left"}
    opposite = [re.sub("left|right", lambda side: sides[side[0]], name) for name in names]
    if opposite == names or not set(opposite) <= set(names):
        return ()
    return tuple(names.index(name) for name in opposite)
