"""Scores of streams: fused by hand, as soft labels, and files that hold none."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shaken import CHAIN

from mksgn.errors import ConfigError
from mksgn.teachers.scores import Scores, Stream, fuse, load_stream, save_stream, stream_accuracies
from mksgn.teachers.weights import TeacherConfig, load_teacher, save_teacher


def test_other_files_are_no_weights(tmp_path):
    path = tmp_path / "w.safetensors"
    for content in (b"", b"\xff" * 64, json.dumps({"a": 1}).encode()):
        path.write_bytes(content)
        with pytest.raises(ConfigError):
            load_teacher(path)
    half = Scores(np.zeros((2, 3), np.float32), np.zeros(2, np.int64), np.arange(2), np.ones(2, bool))
    save_stream(path, Stream("joint", "d", "p", half, half))
    with pytest.raises(ConfigError, match="does not hold a teacher"):
        load_teacher(path)
    config = TeacherConfig(network="st-gcn", body=CHAIN, classes=2, base_channels=8)
    save_teacher(path, config.build(), config, {})
    with pytest.raises(ConfigError, match="does not hold a stream"):
        load_stream(path)


def scores(logits: np.ndarray, labels: np.ndarray, clean: np.ndarray | None = None) -> Scores:
    count = len(labels)
    return Scores(np.asarray(logits, np.float32), labels, np.arange(count) + 5,
                  np.ones(count, bool) if clean is None else clean)


def test_fusion_by_hand():
    """Softmax of (ln 3, 0) is (3/4, 1/4): the surer stream decides, and weights can turn it."""
    labels = np.array([1, 0])
    one = scores(np.log([[3, 1], [3, 1]]), labels, np.array([True, False]))
    two = scores(np.log([[1, 9], [1, 9]]), labels, np.array([True, False]))
    np.testing.assert_allclose(fuse([one, two]), [[(0.75 + 0.1) / 2, (0.25 + 0.9) / 2]] * 2, rtol=1e-6)
    np.testing.assert_allclose(fuse([one, two], (3, 1)), [[(2.25 + 0.1) / 4, (0.75 + 0.9) / 4]] * 2, rtol=1e-6)
    assert stream_accuracies(fuse([one, two]), one) == {
        "accuracy": 0.5, "samples": 2, "accuracy_clean": 1.0, "samples_clean": 1}
    assert stream_accuracies(fuse([one, two], (3, 1)), one)["accuracy_clean"] == 0.0


@given(st.integers(1, 4), st.floats(-50, 50), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_soft_labels_are_distributions(count, shift, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 5, 6)
    streams = [scores(rng.normal(0, 30, (6, 5)), labels) for _ in range(count)]
    soft = fuse(streams)
    np.testing.assert_allclose(soft.sum(1), 1)
    moved = [replace(s, logits=(s.logits + np.float32(shift)).astype(np.float32)) for s in streams]
    np.testing.assert_allclose(fuse(moved), soft, atol=1e-4)
    np.testing.assert_allclose(fuse(streams[::-1]), soft)


def test_fusion_refuses_what_does_not_fit():
    one = scores(np.zeros((2, 3)), np.zeros(2, np.int64))
    for other in (replace(one, indices=one.indices + 1), replace(one, labels=one.labels + 1),
                  replace(one, logits=np.zeros((2, 4), np.float32))):
        with pytest.raises(ConfigError, match="streams 1 and 2"):
            fuse([one, other])
    for weights in ((1,), (1, -1), (0, 0), (1, float("nan"))):
        with pytest.raises(ConfigError, match="weights"):
            fuse([one, one], weights)
    with pytest.raises(ConfigError):
        fuse([])
