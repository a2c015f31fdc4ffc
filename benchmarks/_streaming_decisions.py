"""Part of streaming.py: how soon and how surely a net decides while a clip is being seen, and what that costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mksgn.data.coordinates import facing
from mksgn.data.pack import Pack
from mksgn.stream.decider import NOTHING, Decision
from mksgn.stream.early_exit import EarlyExit
from mksgn.stream.framewise import FramewiseDecider

PARTS = tuple(range(10, 101, 10))
"""Percent of a clip that were observed."""
CONFIDENCES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
HOLDS = (1, 4, 12)
"""Decisions in a row that must be the same for an early exit."""
AFTER = 4
"""Fewest frames before an early exit."""
NOBODY = -1
"""In place of a class: nobody was seen yet."""
TURNED = 8
"""Frames at both ends of a stitch that say which way the body faces."""


@dataclass(frozen=True, eq=False)
class Course:
    """What a net said of a clip, frame by frame.

    Parameters
    ----------
    label : int
    decided : int64 ndarray (F,)
        Class with the largest output.
    scores : float64 ndarray (F, J)
    spikes, synops, macs : int64 ndarray (F,)
        Events of each frame; those of the frames before the first, in which nobody is seen, are left out
        (:attr:`mksgn.stream.framewise.FramewiseDecider.filling`).
    """

    label: int
    decided: np.ndarray
    scores: np.ndarray
    spikes: np.ndarray
    synops: np.ndarray
    macs: np.ndarray

    def right_after(self, part: int) -> bool:
        """Whether the decision is right after ``part`` percent of the clip."""
        return bool(self.decided[seen(len(self.decided), part) - 1] == self.label)


def seen(frames: int, part: int) -> int:
    """Frames in ``part`` percent of a clip, at least one."""
    return max(1, -(-frames * part // 100))


def courses(decider: FramewiseDecider, pack: Pack, indices: np.ndarray) -> Iterator[Course]:
    """Every clip from a state in which nobody was seen."""
    for i in indices:
        decider.restart()
        yield _follow(decider, pack.sequence(int(i)), int(pack.labels[i]), 0)


def stitched_courses(decider: FramewiseDecider, pack: Pack, indices: np.ndarray, seed: int = 0) -> list[Course]:
    """The clips of each person in random order as one stream, from which the net is told nothing but frames."""
    found: list[Course] = []
    rng = np.random.default_rng(seed)
    subjects = pack.ids.get("subject", np.zeros(len(pack), np.int64))[indices]
    for subject in np.unique(subjects):
        order = rng.permutation(indices[subjects == subject])
        decider.restart()
        entered = 0
        for i, sequence in zip(order, stitched(pack, order, decider.preprocess.lateral)):
            found.append(_follow(decider, sequence, int(pack.labels[i]), entered))
            entered += len(sequence)
    return found


def _follow(decider: FramewiseDecider, sequence: np.ndarray, label: int, entered: int) -> Course:
    """The course of float (F, M, V, D) frames after ``entered`` others."""
    causal, persons = decider.preprocess.causal, decider.preprocess.persons
    assert causal is not None
    sure = np.ones((persons, sequence.shape[2]), np.float32)
    nothing = np.zeros(decider.graph.output.shape[0])
    decided, scores, events = [], [], []
    for f, given in enumerate(sequence[:, :persons]):
        points = np.zeros((persons, *sure.shape[1:], 3), np.float32)
        points[:len(given), :, :given.shape[2]] = given
        points[~points.any(axis=(1, 2))] = np.nan  # who is not there
        outcome = decider.push(points, sure, (entered + f) / causal.recorded_rate)
        step = outcome.step or NOTHING
        events.append((step.spikes, step.synops, step.macs))
        decision = outcome.decision
        decided.append(NOBODY if decision is None else decision.best)
        scores.append(nothing if decision is None or decision.scores is None else decision.scores)
    if not entered:
        filling = decider.filling
        events[0] = tuple(np.subtract(events[0], (filling.spikes, filling.synops, filling.macs)))
    return Course(label, np.array(decided), np.stack(scores), *np.array(events).T)


def observed(found: Sequence[Course]) -> dict[str, Any]:
    """Accuracy after 10, 20 ... 100 % of a clip, and their mean, which is the area under that curve."""
    right = {part: float(np.mean([course.right_after(part) for course in found])) for part in PARTS}
    return {"accuracy_by_percent": right, "area": float(np.mean(list(right.values())))}


def early_exit(found: Sequence[Course], confidence: float, hold: int = 1, after: int = AFTER) -> dict[str, Any]:
    """What comes of it that the first decision of this ``confidence`` is final, from ``after`` frames on.

    The ``hold`` decisions up to it must be the same, each of that confidence.
    """
    ends = [_settled(course, EarlyExit(confidence, after, hold)) for course in found]
    return {"confidence": confidence, "hold": hold, **_ended(found, ends)}


def _settled(course: Course, rule: EarlyExit) -> int:
    """The frame whose decision is final, or the last one."""
    for f, (best, scores) in enumerate(zip(course.decided, course.scores)):
        rule.passes()
        if rule.settle(Decision(int(best), scores, 0), 0.0):
            return f
    return len(course.decided) - 1


def foreseeing_exit(found: Sequence[Course], after: int = AFTER) -> dict[str, Any]:
    """An exit that knows what the last frame will decide: at the first frame, from ``after`` on, that decides the same.

    No rule that leaves all decisions as they are takes fewer operations.
    """
    begun = [min(after, len(course.decided)) - 1 for course in found]
    return _ended(found, [first + int(np.argmax(course.decided[first:] == course.decided[-1]))
                          for course, first in zip(found, begun)])


def _ended(found: Sequence[Course], ends: Sequence[int]) -> dict[str, Any]:
    """Accuracy, frames and events of courses that end with these frames."""
    events = np.zeros(3)
    for course, end in zip(found, ends):
        events += [kind[:end + 1].sum() for kind in (course.spikes, course.synops, course.macs)]
    spikes, synops, macs = events / len(found)
    return {"accuracy": float(np.mean([course.decided[end] == course.label for course, end in zip(found, ends)])),
            "frames": float(np.mean(ends)) + 1,
            "part_of_the_clip": float(np.mean([(end + 1) / len(course.decided)
                                               for course, end in zip(found, ends)])),
            "spikes": spikes, "synops": synops, "macs": macs}


def stitched(pack: Pack, indices: np.ndarray, lateral: Sequence[tuple[int, int]]) -> list[np.ndarray]:
    """Clips one after the other as one stream: each begins where the last one ended, and faces that way.

    Parameters
    ----------
    pack : Pack
    indices : int64 ndarray
        Clips of one person.
    lateral : sequence of (left, right)
        Joints that say which way a body faces.
    """
    made: list[np.ndarray] = []
    for i in indices:
        sequence = pack.sequence(int(i)).astype(np.float32)
        if made:
            rotation = facing(_axis(made[-1][-TURNED:], lateral)).T @ facing(_axis(sequence[:TURNED], lateral))
            shown = sequence.any(axis=(2, 3))
            centre = sequence[0, 0, pack.body.center].copy()
            sequence = (sequence - centre) @ rotation.T + made[-1][-1, 0, pack.body.center]
            sequence[~shown] = 0
        made.append(sequence.astype(np.float32))
    return made


def _axis(frames: np.ndarray, lateral: Sequence[tuple[int, int]]) -> np.ndarray:
    axis = np.zeros(3)
    for left, right in lateral:
        axis += (frames[:, 0, right] - frames[:, 0, left]).mean(axis=0)
    return axis


def stable(found: Sequence[Course]) -> dict[str, Any]:
    """Frames until a decision is right and stays so to the end of its action, of clips in a stream."""
    waits = []
    for course in found:
        wrong = np.flatnonzero(course.decided != course.label)
        first = int(wrong[-1]) + 1 if wrong.size else 0
        waits.append(first + 1 if first < len(course.decided) else None)
    settled = [wait for wait in waits if wait is not None]
    frames = np.concatenate([course.decided == course.label for course in found])
    return {"actions": len(found), "settled": len(settled) / len(found), "frames_right": float(frames.mean()),
            "median_frames": float(np.median(settled)) if settled else None,
            "frames_90_percent": float(np.percentile(settled, 90)) if settled else None}
