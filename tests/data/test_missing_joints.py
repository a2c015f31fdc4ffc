"""Missing joints: what is filled, what stays, and that nets without the option see what they always saw."""

from __future__ import annotations

import json

import numpy as np
import pytest
from recordings import fields

from mksgn.data.missing import filled, missing_joints
from mksgn.data.pack import Pack, load_pack
from mksgn.data.preprocess import MODALITIES, Augment, Preprocess
from mksgn.data.synthetic import synthetic_pack
from mksgn.errors import ConfigError
from mksgn.skeleton import NTU25, UCLA20

LATERAL = ((4, 8), (12, 16))
FILL = Preprocess(frames=16, lateral=LATERAL, missing="interpolate")


@pytest.fixture(scope="module")
def sequence() -> np.ndarray:
    return synthetic_pack(24).sequence(0)


def without(sequence: np.ndarray, *gone: tuple) -> tuple[np.ndarray, np.ndarray]:
    points, scores = sequence.copy(), np.ones(sequence.shape[:3], np.float32)
    for index in gone:
        points[index], scores[index] = 0, 0
    return points, scores


def test_old_preprocessings_mean_what_they_meant(sequence: np.ndarray) -> None:
    old = '{"frames": 16, "persons": 1, "modality": "joint", "lateral": [[4, 8], [12, 16]], "root_range": 1.0}'
    loaded = Preprocess.from_json(old)
    assert (loaded.missing, loaded.min_score) == ("", 0.0)
    assert json.loads(loaded.to_json()) == json.loads(old)
    points, scores = without(sequence, (slice(3, 5), 0, 7))
    assert np.array_equal(loaded(points, UCLA20, scores=scores), loaded(points, UCLA20))
    assert Preprocess.from_json(FILL.to_json()) == FILL
    assert json.loads(FILL.to_json())["missing"] == "interpolate"


@pytest.mark.parametrize("modality", [*MODALITIES, MODALITIES])
def test_data_without_scores_or_without_gaps_gives_the_same_tensors(sequence: np.ndarray, modality) -> None:
    old = Preprocess(frames=16, lateral=LATERAL, modality=modality)
    new = Preprocess(frames=16, lateral=LATERAL, modality=modality, missing="interpolate")
    full = np.ones(sequence.shape[:3], np.float32)
    for augment, seed in ((None, None), (Augment(), 3)):
        generators = [None if seed is None else np.random.default_rng(seed) for _ in range(3)]
        expected = old(sequence, UCLA20, augment, generators[0])
        assert np.array_equal(new(sequence, UCLA20, augment, generators[1]), expected)
        assert np.array_equal(new(sequence, UCLA20, augment, generators[2], full), expected)


def test_real_packs_give_the_same_tensors(data_dir) -> None:
    for name, body in (("nw_ucla.npz", UCLA20), ("ntu_fixture18.npz", NTU25)):
        pack = load_pack(data_dir / name)
        old = Preprocess(frames=32, persons=pack.persons, lateral=LATERAL, modality=MODALITIES)
        new = Preprocess(frames=32, persons=pack.persons, lateral=LATERAL, modality=MODALITIES, missing="interpolate")
        for i in range(0, len(pack), max(1, len(pack) // 12)):
            assert np.array_equal(new.of(pack, i), old(pack.sequence(i), body))


def test_a_gap_is_interpolated(sequence: np.ndarray) -> None:
    straight = np.repeat(sequence[:1], 16, axis=0)
    straight[:, 0, 7] += np.linspace(0, 0.4, 16)[:, None]
    points, scores = without(straight, (slice(5, 9), 0, 7), (slice(0, 2), 0, 3))
    got = FILL(points, UCLA20, scores=scores)
    assert np.array_equal(got, FILL(straight, UCLA20, scores=np.ones_like(scores)))
    plain = Preprocess(frames=16, lateral=LATERAL)
    assert np.abs(plain(points, UCLA20).astype(int) - got).max() > 20


def test_low_scores_count_as_missing(sequence: np.ndarray) -> None:
    points, scores = sequence.copy(), np.full(sequence.shape[:3], 0.9, np.float32)
    points[4:6, 0, 7], scores[4:6, 0, 7] = 50.0, 0.2
    gone, none = without(sequence, (slice(4, 6), 0, 7))
    strict = Preprocess(frames=16, lateral=LATERAL, missing="interpolate", min_score=0.3)
    assert np.array_equal(strict(points, UCLA20, scores=scores), FILL(gone, UCLA20, scores=none))
    assert not np.array_equal(FILL(points, UCLA20, scores=scores), FILL(gone, UCLA20, scores=none))


@pytest.mark.parametrize("modality", MODALITIES)
@pytest.mark.parametrize("augmented", [False, True])
def test_a_joint_that_is_never_seen_is_zero(sequence: np.ndarray, modality: str, augmented: bool) -> None:
    hand, wrist = 7, 6
    points, scores = without(sequence, (slice(None), 0, hand), (slice(None), 0, wrist))
    fill = Preprocess(frames=16, lateral=LATERAL, missing="interpolate", modality=modality)
    rng = np.random.default_rng(1) if augmented else None
    out = fill(points, UCLA20, Augment() if augmented else None, rng, scores)
    assert not out[:, :, [hand, wrist]].any()
    assert out[:, :, [3, 10, 11]].any()
    if augmented:
        mirrored = list(range(20))
        for left, right in ((4, 8), (5, 9), (6, 10), (7, 11), (12, 16), (13, 17), (14, 18), (15, 19)):
            mirrored[left], mirrored[right] = right, left
        out = fill(points, UCLA20, Augment(mirror=1.0, mirrored=tuple(mirrored)), np.random.default_rng(1), scores)
        assert not out[:, :, [11, 10]].any() and out[:, :, [7, 6]].any()


def test_without_a_centre_the_others_carry_the_body(sequence: np.ndarray) -> None:
    points, scores = without(sequence, (slice(None), 0, UCLA20.center))
    made, present, never = filled(points, missing_joints(points, scores, 0.0), UCLA20.center)
    assert never[0].tolist() == [v == UCLA20.center for v in range(20)] and present.all()
    others = np.delete(points, UCLA20.center, axis=2)
    np.testing.assert_allclose(made[:, 0, UCLA20.center], others[:, 0].mean(axis=1), atol=1e-5)
    assert FILL(points, UCLA20, scores=scores).any()


def test_absent_persons_stay_absent_and_short_losses_do_not() -> None:
    rng = np.random.default_rng(0)
    scene = rng.normal(size=(12, 2, 25, 3)).astype(np.float32) + 1
    points, scores = without(scene, (slice(4, 7), 0), (slice(8, 12), 1))
    out = Preprocess(frames=12, persons=2, missing="interpolate")(points, NTU25, scores=scores)
    assert out[:, 4:7, :25].any(axis=(0, 2)).all()  # the main person is lost for three frames
    assert not out[:, 8:, 25:].any()
    three = Preprocess(frames=12, persons=3, missing="interpolate")(points, NTU25, scores=scores)
    assert not three[:, :, 50:].any()


def test_two_dimensions() -> None:
    flat = np.random.default_rng(0).normal(size=(6, 1, 20, 2)).astype(np.float32)
    points, scores = without(flat, (slice(2, 3), 0, 7))
    out = FILL(points, UCLA20, scores=scores)
    assert out.shape == (3, 16, 20) and not out[2].any()


def test_of_a_pack_takes_its_scores() -> None:
    scores = np.ones((6, 2, 3), np.float32)
    pack = Pack(**fields(scores=scores))
    pack.data[2:5, 0, 1] = 0
    scores[2:5, 0, 1] = 0
    fill = Preprocess(frames=8, persons=2, missing="interpolate")
    assert np.array_equal(fill.of(pack, 1), fill(pack.sequence(1), pack.body, scores=scores[2:]))
    assert not np.array_equal(fill.of(pack, 1), fill(pack.sequence(1), pack.body))


@pytest.mark.parametrize("values", [{"missing": "guess"}, {"min_score": 0.3},
                                    {"missing": "interpolate", "min_score": -1},
                                    {"missing": "interpolate", "min_score": float("nan")},
                                    {"missing": "interpolate", "min_score": "0.3"}])
def test_impossible_options(values: dict) -> None:
    with pytest.raises(ConfigError):
        Preprocess(frames=8, **values)
    with pytest.raises(ConfigError):
        Preprocess.from_json(json.dumps({"frames": 8, **values}))
