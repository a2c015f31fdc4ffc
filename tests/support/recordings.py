"""Packs and recordings made for the tests of readers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from mksgn.data.pack import Pack


def fields(**changes: object) -> dict:
    """Two sequences of three frames, two persons and three joints, as arguments of Pack."""
    rng = np.random.default_rng(0)
    return {"data": rng.normal(size=(6, 2, 3, 3)).astype(np.float32), "offsets": np.array([0, 2, 6]),
            "labels": np.array([1, -1]), "names": np.array(["one", "two"]), "class_names": ("walk", "run"),
            "joint_names": ("a", "b", "c"), "edges": np.array([[0, 1], [1, 2]]), "ids": {"subject": np.array([1, 2])},
            "test": np.array([False, True]), **changes}


def save_arrays(path: Path, **changes: object) -> Path:
    arrays = {**fields(), **changes}
    arrays.update(arrays.pop("ids"))
    np.savez(path, **{k: np.asarray(v) for k, v in arrays.items() if v is not None})
    return path


def assert_same(a: Pack, b: Pack) -> None:
    for name in ("data", "offsets", "labels", "names", "edges", "test", "test_dup_of_train"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert (a.class_names, a.joint_names, set(a.ids)) == (b.class_names, b.joint_names, set(b.ids))
    for name, value in a.ids.items():
        np.testing.assert_array_equal(value, b.ids[name])


def ucla_json(folder: Path, name: str = "a01_s01_e00_v01", **changes: object) -> Path:
    frames = np.random.default_rng(len(name)).normal(size=(4, 20, 3)).round(4).tolist()
    content = {"file_name": name, "skeletons": frames, "label": 1, **changes}
    path = folder / f"{name}.json"
    path.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))
    return path


def skeleton_text(frames: list[dict[str, np.ndarray]], newline: str = "\r\n") -> str:
    """The .skeleton text of frames that map a body id to its (25, 3) joints."""
    lines = [str(len(frames))]
    for bodies in frames:
        lines.append(str(len(bodies)))
        for body, joints in bodies.items():
            lines += [f"{body} 0 1 1 1 1 0 0.01 -0.2 2", str(len(joints))]
            lines += [" ".join(repr(float(x)) for x in p) + " 336.5 192.8 1184.5 489.4 -0.2 0.03 0.9 -0.1 2"
                      for p in joints]
    return newline.join(lines) + newline


def person(frames: int, seed: int, motion: float = 0.1) -> np.ndarray:
    """An upright body (n, 25, 3) that moves by about ``motion`` metres."""
    rng = np.random.default_rng(seed)
    joints = rng.normal(scale=motion, size=(frames, 25, 3)) + rng.normal(size=3)
    joints[..., 1] += np.linspace(0, 5, 25)
    return joints.astype(np.float32)


def ctrgcn(path: Path, **changes: object) -> Path:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(5, 12, 150)).astype(np.float32)
    for i, frames in enumerate((12, 1, 7, 3, 9)):
        x[i, frames:] = 0
    x[2, 3] = 0  # a zero frame inside is not padding
    x[:2, :, 75:] = 0
    y = np.eye(60)[[3, 0, 59, 7, 3]]
    arrays = {"x_train": x[:3], "y_train": y[:3], "x_test": x[3:], "y_test": y[3:], **changes}
    np.savez_compressed(path, **{name: np.asarray(array) for name, array in arrays.items()})
    return path
