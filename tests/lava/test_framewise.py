"""A stream without ends in Lava, paused between frames: what a call gives is what the emulator gives."""

from __future__ import annotations

import os
import signal

import numpy as np
import psutil
import pytest
from random_graphs import random_messages
from streamable import longer_input, unpadded

from lava_models.frame_entry.process import FrameEntry
from mksgn.emulator import FrameByFrame
from mksgn.errors import BackendError, ConfigError, DataError, GraphError
from mksgn.ir.endless import frames_to_decide, prompt_steps
from mksgn.ir.streaming import continuous, streamed
from mksgn.lava.framewise import LavaFrames
from mksgn.run.registry import open_frames

pytestmark = [pytest.mark.lava, pytest.mark.timeout(300)]


@pytest.mark.parametrize(("seed", "blocks", "record"), [(0, 1, True), (10, 2, False), (22, 2, True), (18, 3, True)])
def test_each_call_gives_what_the_emulator_gives(seed: int, blocks: int, record: bool) -> None:
    graph = unpadded(seed)
    stream = continuous(graph)
    x = random_messages(longer_input(graph, graph.input.shape[1] + 6), 1, seed)[0]
    names = [p.name for p in graph.populations if p.role == "hidden"]
    events, outputs = 0, []
    with FrameByFrame(stream) as emulator, LavaFrames(stream, blocks, record) as lava:
        assert lava.graph.time_steps == prompt_steps(stream) and lava.steps == graph.time_steps
        for number in [*range(x.shape[1]), None, *range(x.shape[1] - 3)]:
            if number is None:  # a third of the way begins anew
                emulator.reset()
                lava.reset()
                continue
            expected, ours = (each.push(x[:, number:number + 1]) for each in (emulator, lava))
            np.testing.assert_array_equal(ours.output, expected.output)
            for field in ("number", "first", "spikes", "active", "synops", "macs"):
                assert getattr(ours, field) == getattr(expected, field), (seed, number, field)
            for name in names:
                assert lava.lag(name) == emulator.lag(name)
                if record:
                    np.testing.assert_array_equal(lava.spikes(name), emulator.spikes(name), f"{number} {name}")
            events += ours.synops
            outputs.append(ours.output)
        assert lava.effort.start_s > 0 and len(lava.effort.pids) > 2 * blocks
    told = np.array([each for each in outputs if each is not None])
    assert events > 100 and len(np.unique(told, axis=0)) > 1
    assert (len(told) < len(outputs)) == (frames_to_decide(stream) > 1)


def test_what_cannot_run_is_refused_and_nothing_goes_on_running() -> None:
    graph = unpadded(10)
    stream = continuous(graph)
    for other in (graph, streamed(graph)):
        with pytest.raises(GraphError, match="without ends"):
            LavaFrames(other)
    with pytest.raises(ConfigError, match="frame by frame"):
        open_frames("loihi2", stream)
    with pytest.raises(ValueError, match="overlap"):
        FrameEntry(shape=(2,), interval=3, length=4)
    frame = np.zeros(graph.input.shape, np.int8)[:, :1]
    with LavaFrames(stream, 1) as lava:
        with pytest.raises(DataError, match="does not fit"):
            lava.push(frame[:, :, :-1])
        with pytest.raises(DataError, match="out of the message range"):
            lava.push(frame.astype(np.int32) + 1000)
        lava.push(frame)
        with pytest.raises(ConfigError, match="recorded"):
            lava.spikes("b0.0")
        children = [psutil.Process(pid) for pid in lava.effort.pids]
        os.kill(lava.effort.pids[-1], signal.SIGKILL)
        with pytest.raises(BackendError, match=r"died|failed|answer"):
            for _ in range(3):
                lava.push(frame)
        _, alive = psutil.wait_procs(children, 10)
        assert not [each for each in alive if each.status() != psutil.STATUS_ZOMBIE]
    with pytest.raises(BackendError, match="closed"):
        lava.push(frame)
