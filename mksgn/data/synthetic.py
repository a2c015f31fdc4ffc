"""Synthetic actions: kinematic skeletons that move, so that everything runs on a machine without any data set.

Joint angles over time drive a forward-kinematic chain of 20 joints (Kinect v1). The actions come in groups that
share their mean pose and differ only in time: opposite directions (raise and lower an arm, sit down and stand up),
opposite orders (step left then right), rates (clap slowly or fast) and turning senses (circle either way, against
swinging on one axis). A classifier that does not look at time stays near groups / actions = 5 / 12.

Axes as in Kinect data of a person who faces the sensor: x to the person's right, y up, z away from the sensor; metres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mksgn.data.pack import Pack
from mksgn.errors import DataError
from mksgn.skeleton.body import UCLA20

ACTIONS = ("raise arm", "lower arm", "sit down", "stand up", "step left then right", "step right then left",
           "circle hand clockwise", "circle hand counter-clockwise", "wave side to side", "wave up and down",
           "clap slowly", "clap fast")
SUBJECTS = 10
VIEWS = 3
TEST_VIEW = 3
MIN_FRAMES, MAX_FRAMES = 20, 60

#: Direction of the sensor per view, radians of yaw; the test view lies between the training views.
_VIEW_YAW = np.deg2rad([-30.0, 30.0, 0.0])
_SENSOR_HEIGHT_M = 0.8

_J = {name: v for v, name in enumerate(UCLA20.joint_names or ())}
_HIP, _SPINE, _NECK = _J["hip_center"], _J["spine"], _J["shoulder_center"]
_SHOULDER_L, _SHOULDER_R, _ELBOW_L, _ELBOW_R = (_J[n] for n in ("shoulder_left", "shoulder_right", "elbow_left",
                                                               "elbow_right"))
_HIP_L, _HIP_R, _KNEE_L, _KNEE_R = (_J[n] for n in ("hip_left", "hip_right", "knee_left", "knee_right"))
_FEET = [_J["foot_left"], _J["foot_right"]]

#: Parent of each joint in the kinematic chain, rooted at the hip centre; every parent precedes its children.
_PARENT = np.array([0, 0, 1, 2, 2, 4, 5, 6, 2, 8, 9, 10, 0, 12, 13, 14, 0, 16, 17, 18])
#: Position relative to the parent in the rest pose (standing, arms down, facing -z), metres.
_OFFSET = np.array([
    (0, 0, 0), (0, .08, 0), (0, .36, 0), (0, .20, -.02),
    (-.17, -.06, 0), (0, -.28, 0), (0, -.25, 0), (0, -.08, 0), (.17, -.06, 0), (0, -.28, 0), (0, -.25, 0), (0, -.08, 0),
    (-.09, -.07, 0), (0, -.42, 0), (0, -.40, 0), (0, -.06, -.12), (.09, -.07, 0), (0, -.42, 0), (0, -.40, 0),
    (0, -.06, -.12)])
#: Bones that share a length factor, so that a subject stays symmetric: trunk, shoulders, arms, hips, legs.
_BONE_GROUP = np.array([0, 0, 0, 0, 1, 2, 2, 2, 1, 2, 2, 2, 3, 4, 4, 4, 3, 4, 4, 4])


@dataclass(frozen=True)
class _Subject:
    """Proportions and habits of a person: bone factors (20,), rest angles (20, 3) in radians and amplitude."""

    bones: np.ndarray
    posture: np.ndarray
    amplitude: float


def synthetic_pack(samples: int = 1500, seed: int = 0) -> Pack:
    """Generate ``samples`` recordings, balanced over actions, then views, then subjects, then trials.

    Recording i depends on ``seed`` and i alone, so a larger pack starts with the smaller one. Views 1 and 2 are for
    training, view 3 for testing (protocol ``synthetic``); ids are subject 1..10, view 1..3 and trial.

    Parameters
    ----------
    samples : int
        1 or more.
    seed : int
        0 or more; draws the subjects as well.

    Returns
    -------
    Pack
        One person, 20 joints, 20 to 60 frames each.

    Raises
    ------
    DataError
        When ``samples`` or ``seed`` is out of range.
    """
    if samples < 1 or seed < 0:
        raise DataError("The synthetic data set is impossible", "synthetic_pack", f"samples {samples}, seed {seed}",
                        "samples >= 1, seed >= 0")
    index = np.arange(samples)
    labels = index % len(ACTIONS)
    views = index // len(ACTIONS) % VIEWS + 1
    subjects = index // (len(ACTIONS) * VIEWS) % SUBJECTS + 1
    trials = index // (len(ACTIONS) * VIEWS * SUBJECTS) + 1
    people = [_subject(np.random.default_rng([seed, s, 1])) for s in range(SUBJECTS)]
    recordings = [
        _recording(int(labels[i]), people[subjects[i] - 1], _VIEW_YAW[views[i] - 1],
                   np.random.default_rng([seed, int(i), 2])) for i in index]
    names = [f"syn_a{a + 1:02d}_s{s:02d}_e{e:02d}_v{v:02d}" for a, s, e, v in zip(labels, subjects, trials, views)]
    return Pack(data=np.concatenate(recordings)[:, None], offsets=np.cumsum([0, *map(len, recordings)]), labels=labels,
                names=np.array(names), class_names=ACTIONS, joint_names=UCLA20.joint_names or (), edges=UCLA20.edges,
                ids={"subject": subjects, "view": views, "trial": trials}, test=views == TEST_VIEW)


def forward_kinematics(angles: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Joint positions of a chain whose joints are turned.

    ``p_v = p_parent + R_parent o_v`` and ``R_v = R_parent Y(b) X(a) Z(c)``; the root stays at the origin.

    Parameters
    ----------
    angles : float64 ndarray (F, 20, 3)
        Rotations (a, b, c) about x, y and z at each joint, radians. Positive a lifts a hanging limb forward.
    offsets : float64 ndarray (20, 3)
        Position of each joint relative to its parent with all angles 0.

    Returns
    -------
    float64 ndarray (F, 20, 3), the unit of ``offsets``.
    """
    local = _rotations(angles)
    turned = np.empty_like(local)
    points = np.zeros_like(angles)
    turned[:, 0] = local[:, 0]
    for v in range(1, angles.shape[1]):
        parent = _PARENT[v]
        points[:, v] = points[:, parent] + turned[:, parent] @ offsets[v]
        turned[:, v] = turned[:, parent] @ local[:, v]
    return points


def _rotations(angles: np.ndarray) -> np.ndarray:
    """Matrices Y(b) X(a) Z(c) of (..., 3) angles, (..., 3, 3)."""
    (sa, sb, sc), (ca, cb, cc) = np.moveaxis(np.sin(angles), -1, 0), np.moveaxis(np.cos(angles), -1, 0)
    matrix = np.empty((*angles.shape, 3))
    matrix[..., 0, 0], matrix[..., 0, 1], matrix[..., 0, 2] = cb * cc + sb * sa * sc, sb * sa * cc - cb * sc, sb * ca
    matrix[..., 1, 0], matrix[..., 1, 1], matrix[..., 1, 2] = ca * sc, ca * cc, -sa
    matrix[..., 2, 0], matrix[..., 2, 1], matrix[..., 2, 2] = cb * sa * sc - sb * cc, sb * sc + cb * sa * cc, cb * ca
    return matrix


def _subject(rng: np.random.Generator) -> _Subject:
    bones = rng.uniform(0.88, 1.12) * rng.normal(1.0, 0.05, size=5).clip(0.85, 1.15)[_BONE_GROUP]
    posture = rng.normal(0.0, 0.04, size=(20, 3))
    posture[_SHOULDER_L, 2] -= (spread := rng.uniform(0.08, 0.25))
    posture[_SHOULDER_R, 2] += spread
    posture[[_ELBOW_L, _ELBOW_R], 0] += rng.uniform(0.1, 0.35)
    return _Subject(bones, posture, rng.uniform(0.88, 1.12))


def _recording(action: int, subject: _Subject, view_yaw: float, rng: np.random.Generator) -> np.ndarray:
    """One recording, float32 (F, 20, 3)."""
    frames = int(rng.integers(MIN_FRAMES, MAX_FRAMES + 1))
    time = np.linspace(0.0, 1.0, frames)
    angles = np.repeat(subject.posture[None], frames, axis=0)
    angles += rng.normal(0.0, 0.03, size=(20, 3)) + _sway(time, rng)
    shift_m = _move(action, angles, time, subject.amplitude * rng.uniform(0.85, 1.15), rng)
    angles[:, _HIP, 1] += rng.normal(0.0, np.deg2rad(6.0))
    points = forward_kinematics(angles, _OFFSET * subject.bones[:, None])
    points[..., 0] += shift_m[:, None]
    points[..., 1] -= points[:, _FEET, 1].min(axis=1)[:, None]
    spin = _rotations(np.array([rng.normal(0.0, 0.03), view_yaw, rng.normal(0.0, 0.02)]))
    points = points @ spin.T
    points += (rng.uniform(-0.5, 0.5), -_SENSOR_HEIGHT_M + rng.normal(0.0, 0.03), rng.uniform(2.2, 3.4))
    return (points + _sensor_noise(frames, rng)).astype(np.float32)


def _sway(time: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Slow idle movement of every joint, radians (F, 20, 3)."""
    rate, phase = rng.uniform(0.5, 1.5, size=(20, 3)), rng.uniform(0.0, 2 * np.pi, size=(20, 3))
    return rng.uniform(0.0, 0.05) * np.sin(2 * np.pi * rate * time[:, None, None] + phase)


def _sensor_noise(frames: int, rng: np.random.Generator) -> np.ndarray:
    """8 mm of noise on every coordinate; one joint in fifty is lost for a frame and 5 cm off."""
    scale = np.where(rng.random((frames, 20, 1)) < 0.02, 0.05, 0.008)
    return rng.normal(size=(frames, 20, 3)) * scale


def _ramp(time: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Go from 0 to 1 smoothly, after a wait and before a hold whose lengths have the same distribution."""
    begin, end = rng.uniform(0.0, 0.3), 1.0 - rng.uniform(0.0, 0.3)
    share = np.clip((time - begin) / (end - begin), 0.0, 1.0)
    return share * share * (3.0 - 2.0 * share)


def _move(action: int, angles: np.ndarray, time: np.ndarray, amplitude: float, rng: np.random.Generator) -> np.ndarray:
    """Add the movement of ``action`` to the angles in place; returns the sideways shift of the body, metres (F,)."""
    name = ACTIONS[action]
    shift_m = np.zeros_like(time)
    if name in ("raise arm", "lower arm"):
        way = _ramp(time, rng)
        way = way if name == "raise arm" else way[::-1]
        angles[:, _SHOULDER_R, 0] += 2.6 * amplitude * way
    elif name in ("sit down", "stand up"):
        way = _ramp(time, rng)
        way = (way if name == "sit down" else way[::-1]) * min(amplitude, 1.1)
        angles[:, [_HIP_L, _HIP_R], 0] += 1.4 * way[:, None]
        angles[:, [_KNEE_L, _KNEE_R], 0] -= 1.5 * way[:, None]
        angles[:, _SPINE, 0] -= 0.5 * np.sin(np.pi * way.clip(0.0, 1.0))
    elif name in ("step left then right", "step right then left"):
        middle, gap = rng.uniform(0.42, 0.58), rng.uniform(0.18, 0.24)
        width = gap * 0.7
        first, second = (np.exp(-0.5 * ((time - middle - sign * gap) / (width / 1.6)) ** 2) for sign in (-1, 1))
        left, right = (first, second) if name == "step left then right" else (second, first)
        angles[:, _HIP_L, 2] -= 0.55 * amplitude * left
        angles[:, _HIP_R, 2] += 0.55 * amplitude * right
        shift_m = 0.3 * amplitude * (right - left)
    elif name in ("clap slowly", "clap fast"):
        claps = rng.uniform(1.5, 2.5) if name == "clap slowly" else rng.uniform(4.0, 6.0)
        opening = 0.2 + 0.35 * amplitude * (1 + np.cos(2 * np.pi * claps * time + rng.uniform(0, 2 * np.pi)))
        angles[:, [_SHOULDER_L, _SHOULDER_R], 0] += 1.2
        # Rotation about y turns the raised left arm outward when positive and the right arm when negative.
        angles[:, _SHOULDER_L, 1] += opening - 0.35
        angles[:, _SHOULDER_R, 1] -= opening - 0.35
    else:
        cycles, phase = rng.uniform(2.0, 3.5), rng.uniform(0, 2 * np.pi)
        turn = 2 * np.pi * cycles * time + phase
        radius = 0.45 * amplitude
        # Seen by the person, up then right is clockwise; rotation about y is rightward when negative.
        up = np.zeros_like(time) if name == "wave side to side" else np.cos(turn)
        side = np.zeros_like(time) if name == "wave up and down" else np.sin(turn)
        side = -side if name == "circle hand counter-clockwise" else side
        angles[:, _SHOULDER_R, 0] += 1.35 + radius * up
        angles[:, _SHOULDER_R, 1] -= radius * side
    return shift_m
