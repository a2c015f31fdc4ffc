"""Protocols: published lists, validation by subject, and disagreements that must not pass."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mksgn.data.pack import Pack, load_pack
from mksgn.data.splits import (
    NTU60_TRAIN_SUBJECTS,
    NTU120_TRAIN_SUBJECTS,
    PROTOCOLS,
    Split,
    default_protocol,
    evenly_spaced,
    split,
)
from mksgn.data.synthetic import synthetic_pack
from mksgn.errors import DataError


def made(classes: int = 3, test: np.ndarray | None = None, **ids: list[int]) -> Pack:
    """One-frame sequences that carry nothing but ids."""
    count = len(next(iter(ids.values()))) if ids else 4
    return Pack(np.ones((count, 1, 2, 3), np.float32), np.arange(count + 1), np.arange(count) % classes,
                np.array([f"q{i}" for i in range(count)]), tuple(f"c{i}" for i in range(classes)), ("a", "b"),
                np.array([[0, 1]]), {k: np.array(v) for k, v in ids.items()}, test)


def check_parts(s: Split, pack: Pack) -> None:
    joined = np.concatenate([s.train, s.val, s.test])
    assert len(np.unique(joined)) == len(joined) == len(pack)


def test_nw_ucla(data_dir) -> None:
    pack = load_pack(data_dir / "nw_ucla.npz")
    assert default_protocol(pack) == "nw-ucla-xview"
    s = split(pack, val_fraction=0)
    assert s.clean is not None
    assert (len(s.train), len(s.val), len(s.test), len(s.clean)) == (1020, 0, 464, 369)
    assert set(pack.ids["view"][s.train]) == {1, 2}
    held = split(pack, val_subjects=(3, 7))
    check_parts(held, pack)
    assert set(pack.ids["subject"][held.val]) == {3, 7} == set(held.val_subjects)
    assert not {3, 7} & set(pack.ids["subject"][held.train])
    np.testing.assert_array_equal(held.test, s.test)
    assert set(pack.ids["view"][held.val]) == {1, 2}


def test_recipes_are_chosen_without_the_test_half(data_dir) -> None:
    pack = load_pack(data_dir / "nw_ucla.npz")
    s = split(pack, "nw-ucla-dev", val_subjects=())
    assert set(pack.ids["view"][s.train]) == {1} and set(pack.ids["view"][s.test]) == {2}
    assert (len(s.train), len(s.val), len(s.test), s.clean) == (516, 0, 504, None)


def test_clean_leaves_out_every_copy_of_a_training_sequence(data_dir) -> None:
    pack = load_pack(data_dir / "nw_ucla.npz")
    s = split(pack, val_fraction=0)
    training = {pack.sequence(i).tobytes() for i in s.train}
    assert sum(pack.sequence(i).tobytes() in training for i in s.test) == 95
    assert s.clean is not None
    assert not any(pack.sequence(i).tobytes() in training for i in s.clean)


def test_ntu_fixture(data_dir) -> None:
    pack = load_pack(data_dir / "ntu_fixture18.npz")
    assert default_protocol(pack) == "ntu60-xsub"
    by_subject = split(pack, val_fraction=0)
    np.testing.assert_array_equal(by_subject.train, np.flatnonzero(np.isin(pack.ids["subject"], NTU60_TRAIN_SUBJECTS)))
    by_view = split(pack, "ntu60-xview", val_fraction=0)
    assert set(pack.ids["camera"][by_view.test]) == {1}
    assert by_view.clean is None
    check_parts(by_subject, pack)
    check_parts(by_view, pack)


def test_published_list_sizes() -> None:
    assert len(set(NTU60_TRAIN_SUBJECTS)) == 20
    assert len(set(NTU120_TRAIN_SUBJECTS)) == 53
    assert set(NTU60_TRAIN_SUBJECTS) < set(NTU120_TRAIN_SUBJECTS)


def test_ntu120() -> None:
    pack = made(classes=120, subject=[1, 3, 45, 106], setup=[1, 2, 18, 32], camera=[1, 2, 3, 1])
    assert default_protocol(pack) == "ntu120-xsub"
    s = split(pack, "ntu120-xsub", val_fraction=0)
    assert (s.train.tolist(), s.test.tolist()) == ([0, 2], [1, 3])
    s = split(pack, "ntu120-xset", val_fraction=0)
    assert (s.train.tolist(), s.test.tolist()) == ([1, 2, 3], [0])
    with pytest.raises(DataError, match="subject that the protocol does not know"):
        split(pack, "ntu60-xsub", val_fraction=0)


def test_classes_beyond_the_protocol() -> None:
    pack = made(classes=70, subject=[1] * 65)
    with pytest.raises(DataError, match="classes outside the protocol"):
        split(pack, "ntu60-xsub", val_fraction=0)


def test_synthetic_protocol_and_seeded_validation() -> None:
    pack = synthetic_pack(360, seed=1)
    assert default_protocol(pack) == "synthetic"
    first, again, other = split(pack, seed=4), split(pack, seed=4), split(pack, seed=5)
    assert first.val_subjects == again.val_subjects
    assert len(first.val_subjects) == 2
    assert first.val_subjects != other.val_subjects
    for s in (first, other):
        check_parts(s, pack)
        assert not set(pack.ids["subject"][s.train]) & set(pack.ids["subject"][s.val])
        np.testing.assert_array_equal(s.test, np.flatnonzero(pack.ids["view"] == 3))
    assert len(split(pack, val_fraction=0.01).val_subjects) == 1
    assert len(split(pack, val_fraction=0.99).val_subjects) == 9


def test_validation_never_takes_a_test_subject() -> None:
    pack = made(classes=60, subject=[1, 2, 3, 4], setup=[1] * 4, camera=[1] * 4)
    with pytest.raises(DataError, match="not a training subject"):
        split(pack, "ntu60-xsub", val_subjects=(3,))
    with pytest.raises(DataError, match="takes every training sequence"):
        split(pack, "ntu60-xsub", val_subjects=(1, 2, 4))


def test_as_packed() -> None:
    pack = made(test=np.array([False, True, False, True]))
    assert default_protocol(pack) == "as-packed"
    s = split(pack, val_subjects=())
    assert (s.train.tolist(), s.val.tolist(), s.test.tolist()) == ([0, 2], [], [1, 3])
    with pytest.raises(DataError, match="needs subject ids"):
        split(pack)


def test_the_packs_own_mask_must_agree() -> None:
    mask = np.array([False, False, True, True])
    pack = made(classes=10, view=[1, 2, 3, 3], env=[0] * 4, subject=[1, 2, 1, 2], test=mask)
    assert split(pack, val_fraction=0).test.tolist() == [2, 3]
    wrong = dataclasses.replace(pack, test=np.array([False, True, True, True]))
    with pytest.raises(DataError, match="disagrees") as error:
        split(wrong, val_fraction=0)
    assert "q1" in error.value.where


def test_refusals() -> None:
    pack = made(view=[1, 2, 3, 4], subject=[1, 1, 1, 1])
    with pytest.raises(DataError, match="Unknown protocol") as error:
        split(pack, "nw-ucla")
    assert all(name in error.value.allowed for name in PROTOCOLS)
    with pytest.raises(DataError, match="view that the protocol does not know"):
        split(pack, "synthetic")
    with pytest.raises(DataError, match="lacks the ids"):
        split(pack, "ntu120-xset")
    with pytest.raises(DataError, match="no test mask"):
        split(pack, "as-packed")
    with pytest.raises(DataError, match="No protocol is known"):
        default_protocol(made())
    known = made(view=[1, 2, 3, 3], subject=[1, 1, 1, 1])
    with pytest.raises(DataError, match="One training subject"):
        split(known, "synthetic")
    for share in (-0.1, 1.0, float("nan")):
        with pytest.raises(DataError, match="share is impossible"):
            split(known, "synthetic", val_fraction=share)


def test_evenly_spread_rows() -> None:
    rows = np.arange(10, 20)
    assert evenly_spaced(rows, 4).tolist() == [10, 13, 16, 19]
    assert evenly_spaced(rows, 0).tolist() == evenly_spaced(rows, 99).tolist() == rows.tolist()
    assert evenly_spaced(rows, 1).tolist() == [10] and not len(evenly_spaced(rows[:0], 4))
