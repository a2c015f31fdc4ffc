"""Preprocessing: what reaches the network, and what it must not depend on."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from mksgn.data.coordinates import INPUT_MAX
from mksgn.data.preprocess import MODALITIES, Augment, Preprocess
from mksgn.data.synthetic import synthetic_pack
from mksgn.errors import ConfigError, DataError
from mksgn.skeleton import NTU25, UCLA20, parents

LATERAL = ((4, 8), (12, 16))


@pytest.fixture(scope="module")
def sequence() -> np.ndarray:
    return synthetic_pack(24).sequence(0)


def turned(sequence: np.ndarray, degrees: float) -> np.ndarray:
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return (sequence @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])).astype(np.float32)


@pytest.mark.parametrize("modality", MODALITIES)
def test_shape_range_and_use_of_the_range(sequence, modality):
    out = Preprocess(frames=16, modality=modality)(sequence, UCLA20)
    assert out.dtype == np.int8
    assert out.shape == (3, 16, 20)
    assert np.abs(out.astype(int)).max() == INPUT_MAX


def test_view_and_place_do_not_matter(sequence):
    preprocess = Preprocess(frames=16, lateral=LATERAL)
    moved = turned(sequence, 70.0) + np.array([1.5, -0.2, 3.0], np.float32)
    difference = preprocess(sequence, UCLA20).astype(int) - preprocess(moved, UCLA20)
    assert np.abs(difference).max() <= 1  # rounding
    plain = Preprocess(frames=16)
    assert np.abs(plain(sequence, UCLA20).astype(int) - plain(moved, UCLA20)).max() > 20


def test_one_frame_is_a_still_sequence(sequence):
    out = Preprocess(frames=8)(sequence[:1], UCLA20)
    assert (out == out[:, :1]).all()
    motion = Preprocess(frames=8, modality="joint-motion")(sequence[:1], UCLA20)
    assert not motion.any()


def test_bones_join_joints_to_their_parents(sequence):
    out = Preprocess(frames=len(sequence), modality="bone")(sequence, UCLA20).astype(float)
    raw = (sequence[:, 0] - sequence[:, 0, parents(UCLA20)]).transpose(2, 0, 1)
    relative = raw - raw[:, :, UCLA20.center : UCLA20.center + 1]
    scale = INPUT_MAX / np.abs(relative).max()
    others = [v for v in range(20) if v != UCLA20.center]
    assert np.abs(out - relative * scale)[:, :, others].max() <= 0.5 + 1e-3


def test_an_absent_person_stays_zero():
    rng = np.random.default_rng(0)
    scene = rng.normal(size=(12, 2, 25, 3)).astype(np.float32)
    scene[4:, 1] = 0  # the second person leaves
    out = Preprocess(frames=12, persons=2)(scene, NTU25)
    assert out.shape == (3, 12, 50)
    assert out[:, :4, 25:].any()
    assert not out[:, 4:, 25:].any()
    alone = Preprocess(frames=12, persons=2)(scene[:, :1], NTU25)
    assert not alone[:, :, 25:].any()


def test_augmentation_depends_on_the_generator_only(sequence):
    preprocess = Preprocess(frames=16, lateral=LATERAL)
    first, again, other = (preprocess(sequence, UCLA20, Augment(), np.random.default_rng(s)) for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("modality", ["bone-motion", ("bone", "joint"), MODALITIES])
def test_json_round_trip(modality):
    preprocess = Preprocess(frames=16, persons=2, modality=modality, lateral=LATERAL, motion_range=0.15)
    assert Preprocess.from_json(preprocess.to_json()) == preprocess


def test_modalities_are_stacked_as_each_is_alone(sequence):
    several = ("bone-motion", "joint", "bone")
    together = Preprocess(frames=16, modality=several, lateral=LATERAL, root_range=3.0)
    alone = [replace(together, modality=modality)(sequence, UCLA20) for modality in several]
    assert together.channels == 9
    assert np.array_equal(together(sequence, UCLA20), np.concatenate(alone))
    # Augmentation draws once per sample, whatever is formed from it.
    augmented = [preprocess(sequence, UCLA20, Augment(), np.random.default_rng(1))
                 for preprocess in (together, replace(together, modality="joint"))]
    assert np.array_equal(augmented[0][3:6], augmented[1])


def test_a_motion_range_keeps_the_speed(sequence):
    """One lost joint sets the scale of a sequence's motions, unless the scale is that of the body."""
    lost = sequence.copy()
    lost[len(lost) // 2, 0, 7] += 0.5
    def motions(range_, points):
        return Preprocess(frames=len(points), modality="joint-motion", motion_range=range_)(points, UCLA20)
    others = np.delete(np.arange(20), [7])
    by_its_largest, by_the_body = (
        [motions(range_, points)[:, :, others].astype(int) for points in (sequence, lost)] for range_ in (0, 0.15))
    assert np.abs(by_its_largest[0]).sum() > 1.5 * np.abs(by_its_largest[1]).sum()
    assert np.abs(by_the_body[0] - by_the_body[1]).max() <= 1
    twice = np.repeat(sequence, 2, axis=0)  # what stands still every other frame moves as far in the others
    assert np.array_equal(motions(0.15, twice)[:, 1::2][:, :-1], motions(0.15, sequence)[:, :-1])


def test_a_motion_range_is_half_the_messages_at_twice_the_scale(sequence):
    quarter, half = (Preprocess(frames=16, modality="bone-motion", motion_range=range_)(sequence, UCLA20).astype(int)
                     for range_ in (0.25, 0.5))
    free = np.abs(quarter) < 127
    assert np.abs(quarter[free] - 2 * half[free]).max() <= 1


@pytest.mark.parametrize("range_", [-0.1, float("inf"), float("nan")])
def test_an_impossible_motion_range_is_refused(range_):
    with pytest.raises(ConfigError, match="motion_range"):
        Preprocess(frames=8, motion_range=range_)


def test_one_modality_is_stored_as_before():
    assert json.loads(Preprocess(frames=8).to_json()) == {
        "frames": 8, "persons": 1, "modality": "joint", "lateral": [], "root_range": 1.0}


@pytest.mark.parametrize("modality", [(), ("joint", "joint"), ("joint", "smell"), ("joint", 3)])
def test_impossible_modalities_are_refused(modality):
    with pytest.raises(ConfigError, match="modalit"):
        Preprocess(frames=8, modality=modality)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"frames": 8, "colour": 1}', '{"frames": 8, "modality": "smell"}',
                                  '{"frames": 8, "modality": []}', '{"frames": 8, "modality": 3}'])
def test_what_is_no_preprocessing_is_refused(text):
    with pytest.raises(ConfigError):
        Preprocess.from_json(text)


def test_the_wrong_body_is_refused(sequence):
    with pytest.raises(DataError, match="wrong number of joints"):
        Preprocess(frames=8)(sequence, NTU25)
