"""Preprocessing that does not look ahead: frame by frame is clip by clip, and no frame knows a later one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mksgn.data.causal import ABSENCE_S, Causal, CausalFrames, last_frames
from mksgn.data.pack import load_pack
from mksgn.data.preprocess import MODALITIES, Augment, Preprocess
from mksgn.data.synthetic import synthetic_pack
from mksgn.errors import ConfigError, DataError
from mksgn.skeleton import UCLA20, Body, parents

LATERAL = ((4, 8), (12, 16))
PREPROCESS = Preprocess(frames=24, modality=MODALITIES, lateral=LATERAL, root_range=3.0, motion_range=0.15,
                        causal=Causal())


@pytest.fixture(scope="module")
def sequence() -> np.ndarray:
    return synthetic_pack(24).sequence(0)


def streamed(preprocess: Preprocess, sequence: np.ndarray, body: Body = UCLA20,
             scores: np.ndarray | None = None, times: np.ndarray | None = None) -> np.ndarray:
    frames = CausalFrames(preprocess, body)
    return np.concatenate([frames.push(joints, None if times is None else times[f], None if scores is None else
                                       scores[f]) for f, joints in enumerate(sequence)], axis=1)


def by_hand(sequence: np.ndarray, settle: int) -> np.ndarray:
    """Joint coordinates of one person who is always seen, at the sensor's rate, all frames at once: int (3, F, V)."""
    points = sequence[:, 0].astype(np.float64)
    count = np.minimum(np.arange(len(points)) + 1, settle)
    mean = lambda values: np.cumsum(values, axis=0)[count - 1] / count.reshape(-1, *[1] * (values.ndim - 1))  # noqa: E731
    window = lambda f: slice(max(f + 1 - PREPROCESS.frames, 0), f + 1)  # noqa: E731
    across = sum(points[:, right] - points[:, left] for left, right in LATERAL)
    axis = np.stack([across[window(f)].mean(axis=0) for f in range(len(points))])
    lengths = mean(np.linalg.norm(points - points[:, parents(UCLA20)], axis=2))
    way = lengths.copy()
    for joint in range(20):
        above = parents(UCLA20)[joint]
        while above != parents(UCLA20)[above]:
            way[:, joint] += lengths[:, above]
            above = parents(UCLA20)[above]
    size = way.max(axis=1)
    angle = np.arctan2(axis[:, 2], axis[:, 0])
    points = points - np.stack([points[window(f).start, UCLA20.center] for f in range(len(points))])[:, None]
    x = points[..., 0] * np.cos(angle)[:, None] + points[..., 2] * np.sin(angle)[:, None]
    z = points[..., 2] * np.cos(angle)[:, None] - points[..., 0] * np.sin(angle)[:, None]
    turned = np.stack([x, points[..., 1], z], axis=-1)
    center = turned[:, UCLA20.center].copy()
    relative = turned - center[:, None]
    relative[:, UCLA20.center] = center / PREPROCESS.root_range
    return np.rint(np.clip(relative * 127 / size[:, None, None], -127, 127)).transpose(2, 0, 1).astype(int)


def test_the_steps_are_those_of_the_text(sequence: np.ndarray) -> None:
    for settle in (1, 8, 1000):
        ours = streamed(replace(PREPROCESS, modality="joint", causal=Causal(settle=settle)), sequence).astype(int)
        expected = by_hand(sequence, settle)
        assert ours.shape == expected.shape == (3, len(sequence), 20)
        assert np.abs(ours - expected).max() <= 1 and (ours != expected).mean() < 1e-3  # float32: ties of rounding
        assert np.abs(ours).max() > 90, "the body fills the range"


@pytest.mark.parametrize("causal", [Causal(), Causal(rate=15.0), Causal(rate=50.0, settle=3),
                                    Causal(rate=7.3, recorded_rate=11.0)])
def test_frame_by_frame_is_clip_by_clip(causal: Causal) -> None:
    pack = synthetic_pack(12)
    preprocess = replace(PREPROCESS, causal=causal)
    for i in range(4):
        frames = streamed(preprocess, pack.sequence(i))
        np.testing.assert_array_equal(last_frames(frames, 24), preprocess.of(pack, i))
        duration = (len(pack.sequence(i)) - 1) / causal.recorded_rate
        expected = len(pack.sequence(i)) if not causal.rate else int(duration * causal.rate + 1e-9) + 1
        assert frames.shape[1] == expected


def test_frame_by_frame_is_clip_by_clip_on_real_recordings(nw_ucla_path: Path) -> None:
    pack = load_pack(nw_ucla_path)
    chosen = np.linspace(0, len(pack) - 1, 12).astype(int)
    for i in chosen:
        frames = streamed(PREPROCESS, pack.sequence(i), pack.body)
        np.testing.assert_array_equal(last_frames(frames, 24), PREPROCESS.of(pack, i))
    assert {len(pack.sequence(i)) > 24 for i in chosen} == {True, False}, "longer and shorter ones"


@pytest.mark.parametrize("rate", [0.0, 20.0])
def test_no_frame_knows_a_later_one(sequence: np.ndarray, rate: float) -> None:
    preprocess = replace(PREPROCESS, causal=Causal(rate=rate))
    whole = streamed(preprocess, sequence)
    for length in (1, 2, 9, 20):
        other = np.concatenate([sequence[:length], sequence[:length][::-1] * 3 + 5])
        begun = streamed(preprocess, sequence[:length]).shape[1]
        np.testing.assert_array_equal(streamed(preprocess, other)[:, :begun], whole[:, :begun])


def test_a_lower_rate_leaves_frames_out(sequence: np.ndarray) -> None:
    once = replace(PREPROCESS, frames=99, modality="joint", lateral=(), causal=Causal(settle=1))
    half = replace(once, causal=Causal(settle=1, rate=15.0))
    np.testing.assert_array_equal(streamed(half, sequence), streamed(once, sequence)[:, ::2])


def test_a_jittering_clock_does_not_matter(sequence: np.ndarray) -> None:
    """A body that moves evenly is where it should be at each tick, whenever the sensor's frames came."""
    times = np.sort(np.random.default_rng(1).uniform(0, 2, 80))
    times -= times[0]
    even = sequence[:1] + (times[:, None, None, None] * np.array([0.2, 0.1, -0.3])).astype(np.float32)
    preprocess = replace(PREPROCESS, frames=99, modality=("joint", "joint-motion"), lateral=(),
                         causal=Causal(rate=25.0, settle=1))
    frames = streamed(preprocess, even, times=times).astype(int)
    assert frames.shape[1] == int(times[-1] * 25) + 1
    center = UCLA20.center
    moved = frames[:3, :, center] * PREPROCESS.root_range
    slope = moved[:, -1] / (frames.shape[1] - 1)
    assert np.abs(moved - np.arange(frames.shape[1]) * slope[:, None]).max() <= 3
    others = np.delete(frames[:3], center, axis=2)
    assert np.abs(others - others[:, :1]).max() <= 1, "the pose itself does not move"
    assert np.ptp(frames[3:, 1:, center], axis=1).max() <= 1, "an even motion is the same in every frame"


def test_view_place_and_size_do_not_matter(sequence: np.ndarray) -> None:
    c, s = np.cos(1.2), np.sin(1.2)
    other = (sequence @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]]) * 1.4 + [2.0, 0.5, 3.0]).astype(np.float32)
    difference = streamed(PREPROCESS, sequence).astype(int) - streamed(PREPROCESS, other)
    assert np.abs(difference).max() <= 2 and (difference != 0).mean() < 0.1


def test_a_frame_forgets_what_its_clip_does_not_hold(sequence: np.ndarray) -> None:
    """Where a body was and which way it faced long ago does not matter: a stream may go on for ever."""
    c, s = np.cos(2.0), np.sin(2.0)
    elsewhere = (sequence[:8] @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]]) + [9.0, 0.5, 3.0]).astype(np.float32)
    short = replace(PREPROCESS, frames=5)
    ours, others = (streamed(short, np.concatenate([begin, sequence])) for begin in (sequence[:8], elsewhere))
    assert (ours[:, 9:12] != others[:, 9:12]).any(), "a clip still holds the turn"
    np.testing.assert_allclose(ours[:, 13:].astype(int), others[:, 13:], atol=1)  # bones are measured in float32


def test_missing_joints_stay_beside_the_centre(sequence: np.ndarray) -> None:
    moved = np.repeat(sequence[:1], 6, axis=0) + (np.arange(6) * 0.05).reshape(-1, 1, 1, 1).astype(np.float32)
    expected = streamed(PREPROCESS, moved)
    lost = moved.copy()
    lost[3:, :, 7] = np.nan
    np.testing.assert_allclose(streamed(PREPROCESS, lost).astype(int), expected, atol=1)
    scores = np.ones(moved.shape[:3], np.float32)
    unsure = moved.copy()
    unsure[3:, :, 7], scores[3:, :, 7] = 99.0, 0.1
    low = replace(PREPROCESS, min_score=0.2)
    np.testing.assert_allclose(streamed(low, unsure, scores=scores).astype(int), expected, atol=1)
    never = moved.copy()
    never[:, :, 7] = np.nan
    assert not streamed(replace(PREPROCESS, modality="bone"), never)[:, :, 7].any()
    assert not streamed(replace(PREPROCESS, modality="joint"), never)[:, :, 7].any()


def test_who_is_away_for_long_comes_back_as_another(sequence: np.ndarray) -> None:
    away = int(ABSENCE_S * 30)
    nobody = np.zeros_like(sequence[:1])
    fresh = streamed(PREPROCESS, sequence[10:])
    for missing in (np.nan, 0.0):
        frames = CausalFrames(PREPROCESS, UCLA20)
        for joints in sequence[:10]:
            frames.push(joints)
        held = [frames.push(nobody[0] + missing).shape[1] for _ in range(away + 5)]
        assert held == [1] * away + [0] * 5, "held for a second, then nothing"
        assert frames.begun == 1
        again = np.concatenate([frames.push(joints) for joints in sequence[10:]], axis=1)
        np.testing.assert_array_equal(again, fresh)
        assert frames.begun == 2


def test_another_person_or_a_sensor_that_stood_still_begins_anew(sequence: np.ndarray) -> None:
    fresh = streamed(PREPROCESS, sequence[10:])
    for first, then, gap in ((3, 4, 0.0), (3, 3, 2.0)):
        frames = CausalFrames(PREPROCESS, UCLA20)
        for f, joints in enumerate(sequence[:10]):
            frames.push(joints, f / 30, ids=[first])
        again = [frames.push(joints, f / 30 + 10 / 30 + gap, ids=[then]) for f, joints in enumerate(sequence[10:])]
        np.testing.assert_array_equal(np.concatenate(again, axis=1), fresh)
        assert frames.begun == 2


def test_a_second_person_enters_beside_the_first(sequence: np.ndarray) -> None:
    both = np.concatenate([sequence, sequence + np.float32(1.0)], axis=1)
    both[:5, 1] = 0
    pair = replace(PREPROCESS, persons=2)
    frames = streamed(pair, both)
    np.testing.assert_array_equal(frames[..., :20], streamed(PREPROCESS, sequence))
    assert not frames[:, :5, 20:].any() and frames[:, 5:, 20:].any()
    motions = frames[6:9, 5, 20:]
    assert not motions.any(), "who enters has not moved yet"


@pytest.mark.parametrize("pace", [0.0, 0.5])
@pytest.mark.parametrize("onset", [0.0, 0.5])
def test_random_changes_are_drawn_as_by_the_other_way(sequence: np.ndarray, pace: float, onset: float) -> None:
    augment = Augment(mirror=0.5, mirrored=tuple(range(20)), pace=pace, onset=onset)
    states = []
    for preprocess in (PREPROCESS, replace(PREPROCESS, causal=None)):
        rng = np.random.default_rng(3)
        samples = [preprocess(sequence, UCLA20, augment, rng) for _ in range(4)]
        assert all((sample != samples[0]).any() for sample in samples[1:])
        states.append(rng.bit_generator.state)
    assert states[0] == states[1]


def test_a_changed_pace_changes_the_number_of_frames(sequence: np.ndarray) -> None:
    """29 frames of the sensor at 30 a second are 20 to 43 at paces of 1.5 and 2/3."""
    still = Augment(yaw=0.0, pitch=0.0, roll=0.0, crop=1.0, noise=0.0)
    long = replace(PREPROCESS, frames=60, causal=Causal(rate=30.0))

    def entered(augment: Augment, seed: int) -> int:
        coded = long(sequence, UCLA20, augment, np.random.default_rng(seed))
        return int(coded.any(axis=(0, 2)).sum())

    assert {entered(still, seed) for seed in range(5)} == {29}
    paces = [entered(replace(still, pace=0.5), seed) for seed in range(200)]
    assert min(paces) in (19, 20) and max(paces) in (42, 43) and len(set(paces)) > 15
    assert np.mean(np.array(paces) < 29) == pytest.approx(0.5, abs=0.1), "faster as often as slower"


def test_a_part_can_begin_where_the_sequence_does() -> None:
    """With the probability ``onset``; its length, half to all of the sequence, does not depend on it."""
    rng = np.random.default_rng(0)
    for onset in (0.0, 0.3, 1.0):
        parts = np.array([Augment(crop=0.5, onset=onset).part_of(40, rng) for _ in range(2000)])
        starts, lengths = parts.T
        assert (starts == 0).mean() == pytest.approx(onset, abs=0.04)
        assert (starts >= 0).all() and (starts + lengths <= 40).all()
        assert lengths.min() == pytest.approx(20, abs=0.5) and lengths.mean() == pytest.approx(30, abs=0.5)


def test_equal_rates_leave_every_frame_as_it_is(sequence: np.ndarray) -> None:
    """Times that differ by a rounding make no frame wait for the next."""
    for first in (0.0, 12.3, 1e6 + 1 / 3):
        times = np.array([first + f / 30 for f in range(len(sequence))])
        same = streamed(replace(PREPROCESS, causal=Causal(rate=30.0)), sequence, times=times)
        np.testing.assert_array_equal(same, streamed(PREPROCESS, sequence))


def test_it_is_stored_with_the_net() -> None:
    text = PREPROCESS.to_json()
    assert Preprocess.from_json(text) == PREPROCESS
    assert json.loads(text)["causal"] == {"rate": 0.0, "recorded_rate": 30.0, "settle": 8}
    assert "causal" not in json.loads(replace(PREPROCESS, causal=None).to_json())
    with pytest.raises(ConfigError, match="cannot be read"):
        Preprocess.from_json(text.replace('"settle"', '"settles"'))


def test_what_cannot_be_coded_is_refused(sequence: np.ndarray) -> None:
    with pytest.raises(ConfigError, match="largest motion"):
        replace(PREPROCESS, motion_range=0.0)
    with pytest.raises(ConfigError, match="holds missing joints"):
        replace(PREPROCESS, missing="interpolate")
    with pytest.raises(ConfigError, match="settle"):
        Causal(settle=0)
    frames = CausalFrames(PREPROCESS, UCLA20)
    frames.push(sequence[0], 1.0)
    with pytest.raises(DataError, match="one after the other"):
        frames.push(sequence[1], 1.0)
    with pytest.raises(DataError, match="one after the other"):
        frames.push(sequence[1], float("nan"))
    with pytest.raises(DataError, match="wrong shape"):
        frames.push(sequence[1][:, :19])
    with pytest.raises(DataError, match="infinity"):
        frames.push(sequence[1] * np.inf)
