"""A network for streams, trained: what the sensor sees, pushed frame by frame, is what the clip's net says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from slayer_runs import train

from mksgn.data.causal import CausalFrames
from mksgn.data.pack import load_pack
from mksgn.data.preprocess import Preprocess
from mksgn.emulator import Emulator, FrameByFrame
from mksgn.errors import ConfigError
from mksgn.ir.streaming import continuous
from mksgn.netx import read_net
from mksgn.training.recipe import PRESETS


@pytest.mark.slow
def test_a_trained_stream_decides_as_its_clips(pack_path: Path, tmp_path: Path) -> None:
    train("--preset", "demo", "--widths", "16", "16", "--strides", "1", "2", "--temporal-kernel", "3",
          "--temporal-padding", "none", "--frames", "13", "--coding", "causal", "--rate", "20", "--settle", "4",
          "--modality", "joint", "bone-motion", "--motion-range", "0.15", "--epochs", "8", "--lr", "0.01",
          "--tune-epochs", "1", "--batch", "8", "--data", str(pack_path), "--out", str(tmp_path))
    graph, pack = read_net(tmp_path / "mksgn.net"), load_pack(pack_path)
    preprocess = Preprocess.from_json(str(graph.meta["preprocess"]))
    assert preprocess.causal is not None and preprocess.causal.rate == 20.0
    assert json.loads(str(graph.meta["recipe"]))["temporal_padding"] == "none"
    clips = np.stack([preprocess.of(pack, i) for i in range(4)])
    with Emulator(graph) as emulator:
        expected = emulator.run(clips).output
    with FrameByFrame(continuous(graph)) as stream:
        for i in range(4):
            stream.reset()
            sensor = CausalFrames(preprocess, pack.body)
            coded = np.concatenate([sensor.push(joints) for joints in pack.sequence(i)], axis=1)
            nobody = [np.zeros_like(coded[:, :1])] * (preprocess.frames - 1)
            outputs = [stream.push(frame).output for frame in [*nobody, *np.split(coded, coded.shape[1], axis=1)]]
            np.testing.assert_array_equal(outputs[-1], expected[i])
            assert all(output is not None for output in outputs[preprocess.frames - 1:])
    assert len(np.unique(expected, axis=0)) > 1


def test_a_rate_without_a_stream_is_refused() -> None:
    with pytest.raises(ConfigError, match="--rate"):
        PRESETS["demo"].with_options(rate=15.0)
    with pytest.raises(ConfigError, match="--rate"):
        PRESETS["mksgn-stream"].with_options(rate=0.0)  # its clips change their pace
