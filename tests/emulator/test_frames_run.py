"""A stream without ends in one call: the decisions of its clips, and the events of every frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from random_graphs import random_messages
from streamable import longer_input, unpadded

from mksgn.counts.counts import TABLES
from mksgn.emulator import Emulator, FrameByFrame, run_frames
from mksgn.errors import ConfigError, DataError, GraphError
from mksgn.ir import schedule
from mksgn.ir.endless import STEPS_PER_FRAME_MAX, frames_to_decide, prompt_steps, spaced, steps_to_answer
from mksgn.ir.streaming import continuous, streamed


def test_decisions_are_those_of_the_clips_and_frames_add_up() -> None:
    events = lively = 0
    for seed in range(12):
        graph = unpadded(seed)
        length = graph.input.shape[1]
        x = random_messages(longer_input(graph, length + 8), 1, seed)[0]
        stream = continuous(graph)
        assert frames_to_decide(stream) == length
        ours = run_frames(stream, x, "spikes", threads=1 + seed % 2)
        with Emulator(graph) as emulator:
            clips = emulator.run(np.stack([x[:, begin:begin + length] for begin in range(9)]))
        np.testing.assert_array_equal(ours.output, clips.output, str(seed))
        lively += len(np.unique(ours.output, axis=0)) > 3
        for population in graph.populations[1:-1]:
            spikes = ours.spikes[population.name]
            np.testing.assert_array_equal(spikes.sum(axis=(0, 4)), ours.counts.sent[population.name])
            np.testing.assert_array_equal(spikes.sum(axis=(1, 2, 3, 4)), ours.counts.sample_spikes[population.name])
        # Frame by frame: what a population did in its frame n, by hand.
        with FrameByFrame(stream) as frames:
            before = {table: {} for table in TABLES}
            for now in range(x.shape[1]):
                frames.push(x[:, now:now + 1])
                after = frames.counts
                for name, total in after.sample_spikes.items():
                    own, grown = now - frames.lag(name), total - before["sample_spikes"].get(name, 0)
                    if 0 <= own < 9:
                        assert ours.counts.sample_spikes[name][own] == grown, (seed, name, own)
                before = {table: getattr(after, table) for table in TABLES}
        events += sum(int(values.sum()) for values in ours.counts.sample_synops.values())
        assert ours.counts.samples == 9 and ours.counts.steps == graph.time_steps
    assert lively > 5 and events > 3_000


def test_steps_to_an_answer() -> None:
    """A decision needs its own frame's steps and a hop for each synapse on the way; no frame is waited for."""
    for seed in range(10):
        graph = unpadded(seed)
        hops = len({p.name.split(".")[1] for p in graph.populations[1:-1]}) + 1
        assert steps_to_answer(continuous(graph)) == hops + (graph.time_steps or 0)


def test_frames_further_apart_give_the_same_spikes_decisions_and_counts() -> None:
    lively = 0
    for seed in range(10):
        graph = unpadded(seed)
        stream = continuous(graph)
        x = random_messages(longer_input(graph, graph.input.shape[1] + 5), 1, seed)[0]
        expected = run_frames(stream, x, "spikes")
        for steps in {prompt_steps(stream), 3 * (graph.time_steps or 1) + 1, 97}:
            apart = spaced(stream, steps)
            assert frames_to_decide(apart) == frames_to_decide(stream) and apart.time_steps == steps
            ours = run_frames(apart, x, "spikes")
            np.testing.assert_array_equal(ours.output, expected.output, f"{seed} {steps}")
            for name, spikes in expected.spikes.items():
                np.testing.assert_array_equal(ours.spikes[name], spikes, f"{seed} {steps} {name}")
            assert not ours.counts.differences(expected.counts)
        lively += len(np.unique(expected.output, axis=0)) > 2
    assert lively > 4


def test_a_frame_is_done_before_the_next_one_enters_and_no_step_earlier() -> None:
    late = 0
    for seed in range(25):
        stream = continuous(unpadded(seed))
        steps, work = prompt_steps(stream), stream.time_steps or 0
        assert steps_to_answer(spaced(stream, steps)) <= steps
        for given in range(work, steps + 3):
            at = spaced(stream, given)
            waited = schedule(at, hop=0).depth
            last = max(depth - waited[name] + work for name, depth in schedule(at).depth.items())
            assert (last <= given) == (given >= steps), (seed, given)
        late += steps_to_answer(stream) > work
    assert late > 20, "without spacing a decision waits for later frames"


def test_a_frame_takes_the_steps_of_its_neurons_at_least() -> None:
    graph = replace(unpadded(4), time_steps=3)
    stream = continuous(graph)
    for steps in (2, STEPS_PER_FRAME_MAX + 1):
        with pytest.raises(GraphError, match="at this distance") as found:
            spaced(stream, steps)
        assert found.value.got == str(steps) and found.value.allowed.startswith("3 ")
    for other in (graph, streamed(graph)):
        with pytest.raises(GraphError, match="without ends"):
            spaced(other, 9)
    assert spaced(spaced(stream, 50), 3).synapses[0].geometry == stream.synapses[0].geometry


def test_what_cannot_run_is_refused() -> None:
    graph = unpadded(4)
    stream = continuous(graph)
    x = random_messages(graph, 1, 0)[0]
    for other in (graph, streamed(graph)):
        with pytest.raises(GraphError, match="without ends"):
            run_frames(other, x)
    with pytest.raises(DataError, match="too few frames") as few:
        run_frames(stream, x[:, 1:])
    assert few.value.allowed == f"at least {graph.input.shape[1]}"
    with pytest.raises(DataError, match="do not fit"):
        run_frames(stream, x[:, :, :0])
    with pytest.raises(DataError, match="out of the message range"):
        run_frames(stream, x.astype(np.int32) + 1000)
    with pytest.raises(ConfigError, match="kind of record"):
        run_frames(stream, x, "states")
