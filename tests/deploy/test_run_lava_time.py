"""deploy/run_lava.py --time stream: the same results from frames that come one after the other, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from programs import Program
from random_graphs import samples_of
from streamable import streamable
from written_graphs import streamed_graph

from mksgn.emulator import Emulator
from mksgn.ir import Conv, Cuba, Graph, Population, schedule
from mksgn.ir.streaming import streamed
from mksgn.netx import read_net, write_net

PROGRAM = "deploy/run_lava.py"
OWN = ("time", "check", "seconds", "dump")
"""What two runs that give the same need not share."""


def written(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(Path(name).read_text())
    return {key: value for key, value in content.items() if key not in OWN}


def test_samples_give_the_same_both_ways(program: Program, net: Path) -> None:
    common = ("--net", net, "--samples", 9, "--backend", "emulator", "--json")
    clip = program(*common, "clip.json")
    stream = program(*common, "stream.json", "--time", "stream")
    checked = program(*common, "checked.json", "--time", "stream", "--check-states", "--batch-size", 4)
    for outcome in (clip, stream, checked):
        assert outcome.code == 0, outcome.out + outcome.err
    assert written("clip.json") == written("stream.json") == written("checked.json")
    graph = streamed(read_net(net))
    neurons = sum(population.size for population in graph.populations[1:])
    line = next(line for line in stream.out.splitlines() if line.startswith("time stream"))
    assert f"{neurons:,} neurons, {graph.time_steps} steps per clip, latency {schedule(graph).latency} steps" in line
    assert line.endswith("the preprocessing looks ahead, so a clip's latency remains a clip")
    assert "time stream" not in clip.out and "streamed" not in clip.out
    assert "backend streamed emulator and emulator" in checked.out
    assert "check: streamed emulator against emulator" in checked.out and "0 differ" in checked.out
    result = json.loads(Path("checked.json").read_text())
    assert result["time"] == "stream" and json.loads(Path("clip.json").read_text())["time"] == "clip"
    size = sum(population.size for population in read_net(net).populations[1:]) * 4 * 9
    assert result["check"]["backends"] == ["streamed emulator", "emulator"]
    assert result["check"]["spikes_compared"] == size and result["check"]["states_compared"] == 2 * size


@pytest.mark.lava
def test_lava_streamed_agrees_with_the_emulator_on_the_whole_clip(program: Program, net: Path) -> None:
    outcome = program("--net", net, "--samples", 3, "--backend", "lava", "--time", "stream", "--check", "--json",
                      "lava.json")
    assert outcome.code == 0, outcome.out + outcome.err
    assert "check: streamed lava against emulator" in outcome.out and "0 differ" in outcome.out
    assert program("--net", net, "--samples", 3, "--backend", "emulator", "--json", "clip.json").code == 0
    lava, clip = written("lava.json"), written("clip.json")
    assert lava.pop("backend") == "lava" and clip.pop("backend") == "emulator" and lava == clip


def test_a_difference_is_found_between_the_modes(program: Program, net: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mksgn.run.clips_as_streams as module

    right, first = module.as_clip, read_net(net).populations[1].name

    def wrong(population: Population, values: np.ndarray) -> np.ndarray:
        made = right(population, values)
        if population.name == first:
            made[1, 0, 3, 2, 1] ^= 1
        return made

    monkeypatch.setattr(module, "as_clip", wrong)
    outcome = program("--net", net, "--samples", 3, "--backend", "emulator", "--time", "stream", "--check")
    assert outcome.code == 1, outcome.out + outcome.err
    assert f"spikes of {first} differ first at sample 1, step 1, channel 0, frame 3, joint 2" in outcome.out


def lively() -> tuple[Graph, np.ndarray]:
    """A random graph whose output has several frames and spikes, T > 1, and three samples of it."""
    for seed in range(1, 1000, 2):
        pair = streamable(seed)
        if pair is None or pair[0].time_steps == 1 or pair[0].output.shape[1] == 1 or pair[0].output.role == "readout":
            continue
        x = samples_of(pair[0], seed, 3)
        with Emulator(pair[0]) as emulator:
            if emulator.run(x).output.any():
                return pair[0], x
    raise AssertionError("no such graph")


def test_a_tensor_gives_the_same_both_ways(program: Program) -> None:
    graph, x = lively()
    write_net(graph, Path("any.net"))
    np.save("x.npy", x.transpose(1, 2, 3, 0, 4).reshape(*graph.input.shape, -1))
    for time in ("clip", "stream"):
        outcome = program("--net", "any.net", "--input", "x.npy", "--backend", "emulator", "--time", time, "--all",
                          "--dump", f"{time}.npz", "--json", f"{time}.json")
        assert outcome.code == 0, outcome.err
        assert "preprocessing" not in outcome.out
    assert written("clip.json") == written("stream.json")
    clip, stream = np.load("clip.npz"), np.load("stream.npz")
    assert set(clip) == set(stream) and clip["out"].shape == (*graph.output.shape, 3 * (graph.time_steps or 1))
    for name in clip:
        np.testing.assert_array_equal(clip[name], stream[name], err_msg=name)


def unequal() -> Graph:
    """Two branches of different strides that meet."""
    def one(name: str, source: str, target: str, taps: int = 1, stride: int = 1) -> Conv:
        return Conv(name, (source,), target, np.full((1, 1, taps, 1), 2, np.int16), (stride, 1))

    populations = (Population("a", (1, 6, 1), role="input"), Population("slow", (1, 2, 1), Cuba(1)),
                   Population("quick", (1, 2, 1), Cuba(1)), Population("both", (1, 2, 1), Cuba(1)))
    return Graph(populations, (one("s", "a", "slow", stride=3), one("q", "a", "quick", taps=5),
                               one("t", "slow", "both"), one("r", "quick", "both")), 1)


def test_what_cannot_be_streamed_is_refused(program: Program, net: Path) -> None:
    write_net(unequal(), Path("unequal.net"))
    np.save("x.npy", np.zeros((1, 6, 1, 2), np.int8))
    raw = ("--net", "unequal.net", "--input", "x.npy", "--backend", "emulator", "--json", "r.json")
    outcome = program(*raw, "--time", "stream")
    assert outcome.code == 2 and "'slow'" in outcome.err and "'quick'" in outcome.err and "clip by clip" in outcome.err
    assert program(*raw).code == 0
    Path("r.json").unlink()
    write_net(Graph(unequal().populations, unequal().synapses), Path("unequal.net"))
    outcome = program(*raw, "--time", "stream")
    assert outcome.code == 2 and "without steps per sample" in outcome.err
    write_net(streamed_graph(), Path("streamed.net"))
    for arguments in (("--input", "x.npy"), ("--data", "synthetic"), ("--data", "synthetic", "--time", "stream")):
        outcome = program("--net", "streamed.net", *arguments, "--backend", "emulator", "--json", "r.json")
        assert outcome.code == 2 and "holds a streamed graph" in outcome.err and "--time stream" in outcome.err
    outcome = program("--net", net, "--backend", "emulator", "--time", "stream", "--check", "--layout", "blocks")
    assert outcome.code == 2 and "no effect on the emulator" in outcome.err, "both backends are the emulator"
    assert not Path("r.json").exists()
