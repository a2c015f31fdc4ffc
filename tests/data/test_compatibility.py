"""Data of another kind than a net's training data is refused or warned about, with the figures."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from recordings import fields, save_arrays

from mksgn.data.axes import measured_up, turned
from mksgn.data.compatibility import META_KEY, check, describe, description, findings, of_net
from mksgn.data.facts import Facts
from mksgn.data.pack import Pack, load_pack
from mksgn.data.preprocess import Preprocess
from mksgn.data.readers import read
from mksgn.data.synthetic import synthetic_pack
from mksgn.errors import ConfigError, DataError
from mksgn.skeleton import NTU25, UCLA20

OLD = {"joints": 20, "edges": UCLA20.edges.ravel().tolist()}


@pytest.fixture(scope="module")
def pack() -> Pack:
    return synthetic_pack(36)


def changed(pack: Pack, data: np.ndarray, **changes: object) -> Pack:
    return dataclasses.replace(pack, data=np.ascontiguousarray(data, np.float32), **changes)


def test_the_training_data_itself_has_no_differences(pack: Pack) -> None:
    for meta in (OLD, {META_KEY: description(pack)}, {}):
        assert findings(meta, pack, Preprocess(frames=8)) == []
    assert of_net({META_KEY: description(pack)}) == describe(pack)
    assert (describe(pack).dimensions, describe(pack).up) == (3, "+y")


@pytest.mark.parametrize("new", [False, True])
def test_two_dimensions_into_a_net_of_three(pack: Pack, new: bool) -> None:
    meta = {META_KEY: description(pack)} if new else OLD
    with pytest.raises(DataError, match="number of coordinates") as error:
        check(meta, changed(pack, pack.data[..., :2]), where="clips")
    assert (error.value.where, error.value.got) == ("clips", "2-D")
    assert "3-D" in error.value.allowed


@pytest.mark.parametrize("new", [False, True])
def test_z_up_into_a_net_of_y_up(pack: Pack, new: bool) -> None:
    meta = {META_KEY: description(pack)} if new else OLD
    tipped = changed(pack, pack.data[..., [0, 2, 1]] * (1, -1, 1))
    with pytest.raises(DataError, match="Another axis points up") as error:
        check(meta, tipped)
    assert "+z in 100% of 36 sequences" in error.value.got and "+y" in error.value.allowed
    np.testing.assert_array_equal(turned(tipped).data, pack.data)
    said: list[str] = []
    check(meta, tipped.subset(np.arange(2)), say=said.append)  # two people may lie on the floor
    assert len(said) == 1 and "+z" in said[0]
    with pytest.raises(DataError, match="Another axis"):
        check(meta, dataclasses.replace(tipped.subset(np.arange(2)), facts=Facts(up="+z")))


@pytest.mark.parametrize(("up", "axes", "signs"), [
    ("+y", (0, 1, 2), (1, 1, 1)), ("-y", (0, 1, 2), (1, -1, -1)), ("+z", (0, 2, 1), (1, -1, 1)),
    ("-z", (0, 2, 1), (1, 1, -1)), ("+x", (1, 0, 2), (1, -1, 1)), ("-x", (1, 0, 2), (-1, 1, 1))])
def test_every_axis_is_measured_and_turned(pack: Pack, up: str, axes: tuple, signs: tuple) -> None:
    assert np.linalg.det(np.eye(3)[list(axes)] * signs) == pytest.approx(1)  # left stays left
    tipped = changed(pack, pack.data[..., list(axes)] * signs)
    assert measured_up(tipped).axis == up and measured_up(tipped).sure
    upright = turned(tipped)
    np.testing.assert_array_equal(upright.data, pack.data)
    assert upright.facts.up == "+y"


def test_images_are_turned_without_being_mirrored(pack: Pack) -> None:
    flat = changed(pack, pack.data[..., :2] * (1, -1), facts=Facts("px", "-y", "openpose"))
    np.testing.assert_array_equal(turned(flat).data, pack.data[..., :2])
    with pytest.raises(DataError, match="unknown which way"):
        turned(flat, "+z")
    with pytest.raises(DataError, match="unknown which way"):
        turned(Pack(**fields()))


def test_sizes_units_and_names_are_warned_about(pack: Pack) -> None:
    meta = {META_KEY: description(dataclasses.replace(pack, facts=Facts("m", "+y", "made")))}
    for other, words in (
            (changed(pack, pack.data * 100), "100 times as large"),
            (changed(pack, pack.data * 100, facts=Facts("cm", "+y")), "another unit"),
            (dataclasses.replace(pack, joint_names=("pelvis", *pack.joint_names[1:])), "joint 0 is 'pelvis'")):
        found = findings(meta, other)
        assert [finding.refuse for finding in found] == [False]
        assert words in str(found[0])


def test_missing_joints_into_a_net_that_fills_none(pack: Pack) -> None:
    scores = np.ones(pack.data.shape[:3], np.float32)
    data = pack.data.copy()
    data[::2, 0, 7] = scores[::2, 0, 7] = 0
    other = changed(pack, data, scores=scores)
    found = findings(OLD, other, Preprocess(frames=8))
    assert [(f.refuse, "2.5%" in f.got) for f in found] == [(False, True)]
    assert findings(OLD, other, Preprocess(frames=8, missing="interpolate")) == []
    unmarked = findings(OLD, changed(pack, data), Preprocess(frames=8, missing="interpolate"))
    assert [("scores" in f.fix, "2.5%" in f.got) for f in unmarked] == [(True, True)]


def test_a_score_as_the_third_coordinate(tmp_path) -> None:
    rng = np.random.default_rng(0)
    data = np.concatenate([rng.uniform(0, 640, (6, 1, 3, 2)), rng.uniform(0, 1, (6, 1, 3, 1))], axis=3)
    path = save_arrays(tmp_path / "a.npz", data=data)
    with pytest.raises(DataError, match="x, y and a score") as error:
        read(path)
    assert "x and y span" in error.value.got and "scores" in error.value.fix
    unit = np.concatenate([rng.uniform(0, 1, (6, 1, 3, 2)), rng.uniform(0.7, 1, (6, 1, 3, 1))], axis=3)
    found = findings({}, load_pack(save_arrays(tmp_path / "b.npz", data=unit)))
    assert [(f.refuse, "score" in f.what) for f in found] == [(False, True)]


@pytest.mark.parametrize("text", ["", "[]", "{}x", '{"colour": 1}', '{"dimensions": "3"}', '{"up": "north"}', "3",
                                  '{"joint_names": 3}'])
def test_what_a_net_says_may_be_damaged(text: str) -> None:
    with pytest.raises(ConfigError, match="training data cannot be read"):
        of_net({META_KEY: text})
    assert of_net({"joints": "many", "edges": None}).dimensions == 0
    assert json.loads(description(synthetic_pack(12)))["dimensions"] == 3


def test_real_data_fits_the_shipped_nets_bodies(data_dir) -> None:
    assert findings(OLD, load_pack(data_dir / "nw_ucla.npz"), Preprocess(frames=8)) == []
    ntu = {"joints": 25, "edges": NTU25.edges.ravel().tolist()}
    assert findings(ntu, load_pack(data_dir / "ntu_fixture18.npz"), Preprocess(frames=8, persons=2)) == []
