"""Small recordings in the layouts of pose estimators, written for the tests of readers."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np

from mksgn.skeleton.bodies import MEDIAPIPE33


def walker(frames: int, joints: int, dimensions: int = 2, seed: int = 0, scale: float = 100.0) -> np.ndarray:
    """A body (F, V, D) that drifts; no coordinate is 0."""
    rng = np.random.default_rng(seed)
    drift = np.linspace(0, 1, frames)[:, None, None]
    return (scale * (2 + seed * 7 + rng.uniform(0, 1, (1, joints, dimensions)) + drift)).round(3)


def openpose_frame(*people: np.ndarray) -> dict:
    """People (V, 3) of x, y, score in one frame."""
    return {"version": 1.3, "people": [{"person_id": [-1], "pose_keypoints_2d": person.ravel().tolist(),
                                        "face_keypoints_2d": []} for person in people]}


def scored(points: np.ndarray, score: float = 0.5) -> np.ndarray:
    """(..., V, 2) with a score beside each joint."""
    return np.concatenate([points, np.full((*points.shape[:-1], 1), score)], axis=-1)


def write_json(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def openpose_folder(folder: Path, points: np.ndarray, stem: str = "clip") -> Path:
    """One file a frame."""
    for f, frame in enumerate(points):
        write_json(folder / f"{stem}_{f:012d}_keypoints.json", openpose_frame(scored(frame)))
    return folder


def coco_results(path: Path, points: np.ndarray, **more: object) -> Path:
    """One body in every image of a clip, as AlphaPose names them."""
    return write_json(path, [{"image_id": f"{f}.jpg", "category_id": 1, "keypoints": scored(frame).ravel().tolist(),
                              "score": 2.5, **more} for f, frame in enumerate(points)])


def yolo_person(points: np.ndarray, visible: bool = True, **more: object) -> dict:
    keys = {"x": points[:, 0].tolist(), "y": points[:, 1].tolist()}
    if visible:
        keys["visible"] = [0.9] * len(points)
    return {"name": "person", "class": 0, "confidence": 0.9, "box": {"x1": 0, "y1": 0, "x2": 1, "y2": 1},
            "keypoints": keys, **more}


def landmarks(points: np.ndarray) -> list[dict]:
    return [{"x": float(x), "y": float(y), "z": float(z), "visibility": 0.9, "name": name}
            for (x, y, z), name in zip(points, MEDIAPIPE33.joint_names)]


def annotation(name: str, label: int, points: np.ndarray, scores: bool = True) -> dict:
    """A pyskl annotation of (M, F, V, D) points."""
    made = {"frame_dir": name, "label": label, "img_shape": (480, 640), "original_shape": (480, 640),
            "total_frames": points.shape[1], "keypoint": points}
    return {**made, "keypoint_score": np.full(points.shape[:3], 0.75, np.float16)} if scores else made


def pyskl_file(path: Path, annotations: list[dict], protocol: int = 4, **splits: list[str]) -> Path:
    path.write_bytes(pickle.dumps({"split": splits, "annotations": annotations}, protocol))
    return path


BVH = """HIERARCHY
ROOT Hips
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT rig:LeftUpLeg
  {
    OFFSET 1 0 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    JOINT LeftFoot
    {
      OFFSET 0 -2 0
      CHANNELS 3 Zrotation Xrotation Yrotation
      End Site
      {
        OFFSET 0 0 1
      }
    }
  }
  JOINT Head
  {
    OFFSET 0 3 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    End Site
    {
      OFFSET 0 0 0
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.033
1 2 3 0 0 0 0 0 0 0 0 0 0 0 0
1 2 3 90 0 0 0 0 0 0 90 0 0 0 0
"""
