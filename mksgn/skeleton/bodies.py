"""Bodies by name: the joints, bones and sides of the skeletons that sensors and pose estimators give."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from mksgn.errors import ConfigError
from mksgn.skeleton.body import NTU25, UCLA20, Body, body_of

_SIDES = re.compile("left|right")
_OPPOSITE = {"left": "right", "right": "left"}


@dataclass(frozen=True)
class NamedBody:
    """A skeleton that many people have.

    Parameters
    ----------
    name : str
    title : str
        Who gives such skeletons, in one line.
    body : Body
        Joints, bones and centre of one person; every joint is named.
    root : int
        The joint that carries the body: hips, pelvis, else the first of both hips.
    """

    name: str
    title: str
    body: Body
    root: int

    @property
    def joint_names(self) -> tuple[str, ...]:
        """One name per joint."""
        return self.body.joint_names or ()

    @property
    def sides(self) -> tuple[tuple[int, int], ...]:
        """(left, right) pairs of joints."""
        return sides_of(self.joint_names)


def sides_of(joint_names: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """The (left, right) pairs among joints, by their names; a joint whose opposite is not named is in none."""
    names = [name.lower() for name in joint_names]
    pairs = []
    for left, name in enumerate(names):
        opposite = _SIDES.sub(lambda side: _OPPOSITE[side[0]], name)
        if "left" in name and opposite in names:
            pairs.append((left, names.index(opposite)))
    return tuple(pairs)


def _named(name: str, title: str, joints: str, bones: str, root: str) -> NamedBody:
    """A body from text: joint names, and chains of joint names such as ``a-b-c`` along the bones."""
    names = tuple(joints.split())
    index = {joint: v for v, joint in enumerate(names)}
    edges = [(index[a], index[b]) for chain in bones.split() for a, b in zip(chain.split("-"), chain.split("-")[1:])]
    return NamedBody(name, title, body_of(edges, len(names), names), index[root])


_LIMBS = ("left_shoulder-left_elbow-left_wrist right_shoulder-right_elbow-right_wrist "
          "left_hip-left_knee-left_ankle right_hip-right_knee-right_ankle ")
_FACE = "nose-left_eye-left_ear nose-right_eye-right_ear "
_COCO = ("nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_wrist "
         "right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle ")
_TRUNK = "left_shoulder-right_shoulder left_hip-right_hip left_shoulder-left_hip right_shoulder-right_hip "
_FEET = "ankle-{0}_heel {0}_ankle-{0}_big_toe-{0}_small_toe "

COCO17 = _named(
    "coco17", "COCO key points: YOLO pose, AlphaPose, HRNet, MMPose and pyskl's 2-D skeletons", _COCO,
    _LIMBS + _FACE + _TRUNK + "nose-left_shoulder nose-right_shoulder", "left_hip")
OPENPOSE18 = _named(
    "openpose18", "OpenPose COCO model: COCO key points and a neck",
    "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip right_knee "
    "right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear",
    _LIMBS + _FACE + "nose-neck left_shoulder-neck-right_shoulder left_hip-neck-right_hip", "neck")
OPENPOSE25 = _named(
    "openpose25", "OpenPose BODY_25",
    "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist mid_hip right_hip right_knee "
    "right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear left_big_toe left_small_toe "
    "left_heel right_big_toe right_small_toe right_heel",
    _LIMBS + _FACE + "nose-neck-mid_hip left_shoulder-neck-right_shoulder left_hip-mid_hip-right_hip "
    + "".join(f"{side}_" + _FEET.format(side) for side in ("left", "right")), "mid_hip")
HALPE26 = _named(
    "halpe26", "Halpe body key points: AlphaPose and MMPose with feet",
    _COCO + "head neck hip left_big_toe right_big_toe left_small_toe right_small_toe left_heel right_heel",
    _LIMBS + _FACE + "nose-head-neck-hip left_shoulder-neck-right_shoulder left_hip-hip-right_hip "
    + "".join(f"{side}_" + _FEET.format(side) for side in ("left", "right")), "hip")
MEDIAPIPE33 = _named(
    "mediapipe33", "MediaPipe Pose (BlazePose) landmarks",
    "nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer left_ear right_ear "
    "mouth_left mouth_right left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist left_pinky "
    "right_pinky left_index right_index left_thumb right_thumb left_hip right_hip left_knee right_knee left_ankle "
    "right_ankle left_heel right_heel left_foot_index right_foot_index",
    _LIMBS + _TRUNK + "nose-left_eye_inner-left_eye-left_eye_outer-left_ear "
    "nose-right_eye_inner-right_eye-right_eye_outer-right_ear mouth_left-mouth_right nose-mouth_left nose-mouth_right "
    "nose-left_shoulder nose-right_shoulder "
    + "".join(f"{s}_wrist-{s}_pinky-{s}_index-{s}_wrist {s}_wrist-{s}_thumb "
              f"{s}_ankle-{s}_heel-{s}_foot_index-{s}_ankle " for s in ("left", "right")), "left_hip")
MSR20 = _named(
    "msr20", "MSR-Action3D: Kinect's 20 joints in an order of their own",
    "shoulder_left shoulder_right shoulder_center spine hip_left hip_right hip_center elbow_left elbow_right "
    "wrist_left wrist_right hand_left hand_right knee_left knee_right ankle_left ankle_right foot_left foot_right head",
    "head-shoulder_center-spine-hip_center shoulder_left-shoulder_center-shoulder_right "
    "hip_left-hip_center-hip_right "
    + "".join(f"shoulder_{s}-elbow_{s}-wrist_{s}-hand_{s} hip_{s}-knee_{s}-ankle_{s}-foot_{s} "
              for s in ("left", "right")), "hip_center")
KINECT20 = NamedBody("kinect20", "Kinect v1 (20 joints): NW-UCLA, UTKinect", UCLA20, 0)
KINECT25 = NamedBody("kinect25", "Kinect v2 (25 joints): NTU RGB+D 60 and 120, PKU-MMD", NTU25, 0)

BODIES: dict[str, NamedBody] = {
    each.name: each for each in (KINECT20, KINECT25, COCO17, OPENPOSE18, OPENPOSE25, HALPE26, MEDIAPIPE33, MSR20)}
ALIASES = {"ucla20": "kinect20", "nw-ucla": "kinect20", "ntu25": "kinect25", "ntu": "kinect25", "coco": "coco17",
           "yolo": "coco17", "openpose": "openpose25", "body_25": "openpose25", "body25": "openpose25",
           "halpe": "halpe26", "blazepose": "mediapipe33", "mediapipe": "mediapipe33", "msr-action3d": "msr20"}


def body_named(name: str) -> NamedBody:
    """The body of a name or of another name for it, such as ``coco17`` or ``yolo``.

    Raises
    ------
    ConfigError
        When there is none.
    """
    key = name.strip().lower()
    key = ALIASES.get(key, key)
    if key not in BODIES:
        raise ConfigError("no body has this name", got=repr(name), allowed=", ".join(BODIES),
                          fix="list them with `mksgn bodies`, or give the bones of your own with --edges")
    return BODIES[key]


def name_of(body: Body) -> str:
    """The name of a body: that with the same joints and bones, whatever the joints are called; empty for none."""
    bones = _bones(body.edges)
    for each in BODIES.values():
        if each.body.num_joints == body.num_joints and _bones(each.body.edges) == bones:
            return each.name
    return ""


def _bones(edges: np.ndarray) -> set[tuple[int, ...]]:
    return {tuple(sorted(pair)) for pair in edges.tolist()}
