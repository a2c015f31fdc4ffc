"""Splits of own data: by subjects, views, ratio, mask and name, and what each says of itself."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from recordings import fields

from mksgn.data.own_splits import named_protocols, protocol_of
from mksgn.data.pack import Pack
from mksgn.data.splits import default_protocol, has_protocol, split, training_split
from mksgn.errors import ConfigError, DataError


def own(count: int = 24, splits: dict | None = None, **ids: np.ndarray) -> Pack:
    return Pack(np.ones((count, 1, 2, 3), np.float32), np.arange(count + 1), np.arange(count) % 3,
                np.array([f"q{i}" for i in range(count)]), ("c0", "c1", "c2"), ("a", "b"), np.array([[0, 1]]), ids,
                splits=splits or {})


SUBJECTS = np.repeat(np.arange(1, 7), 4)


def test_own_data_with_views_is_not_called_synthetic() -> None:
    pack = own(view=np.arange(24) % 3 + 1, subject=SUBJECTS)
    assert not has_protocol(pack)
    with pytest.raises(DataError, match="No protocol is known") as error:
        split(pack)
    assert all(option in error.value.fix for option in ("--test-subjects", "--test-views", "--test-ratio"))


def test_by_subjects_and_views() -> None:
    pack = own(view=np.arange(24) % 3 + 1, subject=SUBJECTS)
    s = split(pack, protocol_of(test_subjects=[5, 2]), val_subjects=(1,))
    assert set(pack.ids["subject"][s.test]) == {2, 5} and set(pack.ids["subject"][s.val]) == {1}
    assert s.line == ("protocol test-subjects=2,5: subjects 2, 5 test; 12 sequences train, 4 validate (subjects 1), "
                      "8 test")
    s = split(pack, protocol_of(test_views=[3]), val_subjects=())
    assert set(pack.ids["view"][s.test]) == {3} and not len(s.val)
    with pytest.raises(DataError, match="not in the data"):
        split(pack, "test-subjects=9")
    with pytest.raises(DataError, match="lacks the ids"):
        split(own(), "test-subjects=1")
    with pytest.raises(DataError, match="half of the split is empty"):
        split(pack, "test-subjects=1,2,3,4,5,6")


def test_by_ratio_takes_whole_subjects() -> None:
    pack = own(subject=SUBJECTS)
    protocol = protocol_of(test_ratio=0.35, seed=3)
    assert protocol == "test-ratio=0.35,seed=3"
    s, again, other = (split(pack, p, val_subjects=()) for p in (protocol, protocol, "test-ratio=0.35,seed=4"))
    np.testing.assert_array_equal(s.test, again.test)
    assert not np.array_equal(s.test, other.test)
    assert len(s.test) == 8 and not set(pack.ids["subject"][s.test]) & set(pack.ids["subject"][s.train])
    assert "33% of the sequences" in s.line and "seed 3" in s.line
    without = split(own(), "test-ratio=0.25", val_subjects=())
    assert np.bincount(own().labels[without.test]).tolist() == [2, 2, 2]
    assert "no subject ids" in without.line
    with pytest.raises(DataError, match="One subject"):
        split(own(subject=np.ones(24, int)), "test-ratio=0.25")


def test_named_splits_are_protocols() -> None:
    first = np.arange(24) < 16
    pack = own(splits={"xsub_train": first, "xsub_val": ~first, "train1": first, "test1": ~first, "odd": first})
    assert named_protocols(pack) == {"xsub": ("xsub_train", "", "xsub_val"), "1": ("train1", "", "test1"),
                                     "odd": ("", "", "odd")}
    s = split(pack, "xsub")
    assert (len(s.train), len(s.val), s.test.tolist()) == (16, 0, list(range(16, 24)))
    assert "xsub_train / xsub_val" in s.line
    assert split(pack, "odd").test.tolist() == list(range(16))
    with pytest.raises(DataError, match="Unknown protocol") as error:
        split(pack, "xview")
    assert "xsub" in error.value.allowed
    with pytest.raises(DataError, match="several named splits"):
        default_protocol(pack)
    three = own(splits={"train": np.arange(24) < 12, "val": (np.arange(24) >= 12) & first, "test": ~first})
    assert default_protocol(three) == "split"
    s = split(three)
    assert (len(s.train), len(s.val), len(s.test)) == (12, 4, 8)
    held = split(dataclasses.replace(three, ids={"subject": SUBJECTS}), val_subjects=(1,))
    assert (len(held.train), len(held.val)) == (8, 4)
    with pytest.raises(DataError, match="both halves"):
        split(own(splits={"train": first, "test": first}))


def test_a_mask_and_labels_that_are_unknown() -> None:
    pack = dataclasses.replace(own(), test=np.arange(24) % 4 == 0, labels=np.where(np.arange(24) < 4, -1, 1))
    halves, unlabelled = training_split(pack, val_subjects=())
    assert (halves.protocol, unlabelled, len(halves.test)) == ("as-packed", 4, 5)
    assert not has_protocol(Pack(**fields(test=None)))


@pytest.mark.parametrize("given", [
    {"test_subjects": [1], "test_views": [1]}, {"test_ratio": 0.0}, {"test_ratio": 1.0}, {"test_subjects": []},
    {"test_ratio": float("nan")}])
def test_options_that_describe_no_half(given: dict) -> None:
    with pytest.raises(ConfigError):
        protocol_of(**given)
    assert protocol_of() is None
    assert protocol_of(named="xsub") == "xsub"
