"""One sample, to be played: the skeleton from the front, and the spikes of its run."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np

from mksgn.report.schema import Example, PopulationRow

POSES = 6
UNITS = 1000
"""Half the height or width of the body's box, in the whole numbers that coordinates are sent as."""
BYTE = 255
MOST_CELLS = 1_200_000
"""Cells of all rasters together, a byte each: what keeps the page below 3 MB."""


@dataclass(frozen=True)
class Pose:
    """A frame drawn still, for paper and where no script runs. Lines are (x1, y1, x2, y2)."""

    frame: int
    lines: list[tuple[int, int, int, int]]
    joints: list[tuple[int, int]]


@dataclass(frozen=True)
class Player:
    """The example: stills, the data for the script, what to choose from, and what did not fit."""

    name: str
    label: str
    prediction: str
    right: bool | None
    sample: int
    frames: int
    poses: list[Pose]
    populations: list[str]
    left_out: list[str]
    data: dict[str, Any]


def player(example: Example, classes: list[str], populations: list[PopulationRow]) -> Player:
    """Everything the page needs to show and play a sample.

    Coordinates are (x, y, z), y up, as Kinect gives them; they are centred and scaled over all frames and joints.
    """
    xyz = _scaled(np.array(example["skeleton"], dtype=np.float64))
    frames = len(xyz)
    shown = np.unique(np.linspace(0, frames - 1, min(POSES, frames)).round().astype(int))
    poses = [Pose(int(f), [(int(xyz[f, a, 0]), -int(xyz[f, a, 1]), int(xyz[f, b, 0]), -int(xyz[f, b, 1]))
                           for a, b in example["edges"]],
                  [(int(x), -int(y)) for x, y in xyz[f, :, :2]]) for f in shown]
    order = [row["name"] for row in populations]
    names = sorted(example["raster"], key=lambda name: order.index(name) if name in order else len(order))
    packed, left_out = _packed(example["raster"], names)
    rows = {row["name"]: row for row in populations}
    for entry in packed:
        row = rows.get(entry["name"])
        entry |= {"neurons": row["neurons"], "layer": row["layer"]} if row else {"neurons": None, "layer": ""}
    label, prediction = _class(example["label"], classes), _class(example["prediction"], classes)
    right = None if not label or not prediction else label == prediction
    data = {"edges": example["edges"], "skeleton": xyz.reshape(frames, -1).tolist(), "rasters": packed}
    return Player(example["name"], label, prediction, right, example["sample"], frames, poses,
                  [entry["name"] for entry in packed], left_out, data)


def _scaled(xyz: np.ndarray) -> np.ndarray:
    low, high = xyz.min(axis=(0, 1)), xyz.max(axis=(0, 1))
    half = float((high - low).max()) / 2 or 1.0
    return np.rint((xyz - (low + high) / 2) / half * UNITS).astype(int)


def _class(value: str | int | None, classes: list[str]) -> str:
    if isinstance(value, int):
        return classes[value] if value >= 0 else ""
    return value or ""


def _packed(rasters: dict[str, Any], names: list[str]) -> tuple[list[dict[str, Any]], list[str]]:
    """Counts as bytes, base64; above 255 scaled, with ``unit`` spikes a step. What exceeds the budget is left out."""
    packed: list[dict[str, Any]] = []
    left_out = []
    budget = MOST_CELLS
    for name in names:
        counts = np.array(rasters[name], dtype=np.int64)
        if counts.size > budget:
            left_out.append(name)
            continue
        budget -= counts.size
        top = int(counts.max())
        unit = 1.0 if top <= BYTE else top / BYTE
        data = base64.b64encode(np.rint(counts / unit).astype(np.uint8).tobytes()).decode()
        channels, frames = counts.shape
        packed.append({"name": name, "channels": channels, "frames": frames, "unit": unit, "data": data})
    return packed, left_out
