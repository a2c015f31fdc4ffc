"""``mksgn map`` and ``mksgn energy`` with ``--time endless``: all figures are of a frame, and what is refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from continuous_net import FRAMES, continuous_net
from programs import Command
from typeguard import CollectionCheckStrategy, check_type

from mksgn.commands.endless import played
from mksgn.data.synthetic import synthetic_pack
from mksgn.emulator import Emulator, run_frames
from mksgn.energy import paper_energy_mj
from mksgn.ir import Graph
from mksgn.ir.endless import prompt_steps, spaced, steps_to_answer
from mksgn.ir.streaming import continuous
from mksgn.mapping.schema import PlacementFile
from mksgn.netx import read_net, write_net
from mksgn.programs.samples import find_data, select


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    return Command(capsys, monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("nets") / "continuous.net"
    write_net(continuous_net(synthetic_pack(12)), path)
    return path


def clips(net: Path, count: int) -> tuple[Graph, np.ndarray]:
    graph = read_net(net)
    return graph, select(graph, net, find_data(graph, net, None), None, None, count).x


def test_a_stream_without_ends_is_placed_and_priced(command: Command, net: Path) -> None:
    outcome = command("map", "--net", net, "--time", "endless", "--data", "synthetic", "--samples", 3,
                      "--json", "m.json")
    assert outcome.code == 0, outcome.out + outcome.err
    graph, x = clips(net, 3)
    stream = continuous(graph)
    neurons = sum(p.size for p in stream.populations[1:])
    assert f"time endless: {neurons:,} neurons, {stream.time_steps} steps per frame" in outcome.out
    assert f"looks at {FRAMES} frames and is there {steps_to_answer(stream)} steps after" in outcome.out
    assert "µs a frame" in outcome.out and "dynamic nJ" in outcome.out and "assumed: gate" not in outcome.out
    assert "per sample" not in outcome.out and "a clip" not in outcome.out
    told = json.loads(Path("m.json").read_text())
    check_type(told, PlacementFile, collection_check_strategy=CollectionCheckStrategy.ALL_ITEMS)
    way, = told["both_ways"]
    counts = run_frames(stream, played(x)).counts
    assert counts.samples == played(x).shape[1] - FRAMES + 1 > FRAMES
    assert told["time"] == way["time"] == "endless" and told["steps"] == stream.time_steps
    met = sum(counts.synops.values()) + sum(counts.macs.values())
    assert way["operations"] == pytest.approx(met / counts.samples)
    assert way["prices"]["loihi1"]["sensor"]["period_ms"] == pytest.approx(1e3 / 30)


def test_a_net_that_carries_states_is_placed_as_a_stream_alone(command: Command, tmp_path: Path) -> None:
    write_net(continuous_net(synthetic_pack(12), carried=True), tmp_path / "carried.net")
    outcome = command("map", "--net", "carried.net", "--time", "stream", "--json", "m.json")
    assert outcome.code == 0, outcome.out + outcome.err
    way, = json.loads(Path("m.json").read_text())["both_ways"]
    assert way["time"] == "stream" and way["cores"] > 0
    for words in (("map",), ("energy", "--data", "synthetic", "--samples", 1)):
        outcome = command(*words, "--net", "carried.net")
        assert outcome.code == 2 and "carry their states" in outcome.err and "--time endless" in outcome.err


def test_frames_further_apart_are_placed_beside_those_close_up(command: Command, net: Path) -> None:
    outcome = command("map", "--net", net, "--time", "endless", "--steps-per-frame", "enough", "--json", "m.json",
                      "--board", "oheo-gulch", "--objective", "cores")
    assert outcome.code == 0, outcome.out + outcome.err
    stream = continuous(read_net(net))
    steps = prompt_steps(stream)
    assert f"{steps} steps per frame (neurons rest in {steps - 2} of them)" in outcome.out
    assert "before the next frame" in outcome.out and "assumed: gate" in outcome.out
    assert "endless, 2 steps" in outcome.out and f"endless, {steps} steps" in outcome.out
    close, apart = json.loads(Path("m.json").read_text())["both_ways"]
    assert (close["steps"], apart["steps"]) == (2, steps) and close["neurons"] == apart["neurons"]
    assert close["latency_steps"] == steps_to_answer(stream) > 2
    assert apart["latency_steps"] == steps_to_answer(spaced(stream, steps)) <= steps
    outcome = command("map", "--net", net, "--time", "endless", "--board", "oheo-gulch", "--objective", "cores")
    late = (steps_to_answer(stream) - 1) // 2
    assert f"{late} frames later; --steps-per-frame {steps} brings it before the next one" in outcome.out


def test_energy_of_frames_further_apart(command: Command, net: Path) -> None:
    words = ("energy", "--net", net, "--time", "endless", "--samples", 2, "--cost", "loihi1", "--objective", "cores",
             "--board", "oheo-gulch", "--json")
    for name, more in (("close", ()), ("apart", ("--steps-per-frame", 40))):
        outcome = command(*words, f"{name}.json", *more)
        assert outcome.code == 0, outcome.out + outcome.err
    close, apart = (json.loads(Path(f"{name}.json").read_text()) for name in ("close", "apart"))
    assert close["totals"] == apart["totals"] and close["paper"] == apart["paper"], "the same events"
    assert (close["endless"]["steps"], apart["endless"]["steps"]) == (2, 40)
    assert apart["endless"]["extra"]["updates_at_rest"] == 38 * apart["endless"]["neurons"]


def test_steps_per_frame_that_mean_nothing_are_refused(command: Command, net: Path) -> None:
    for words, why in ((("--time", "endless", "--steps-per-frame", "many"), "no number of steps"),
                       (("--time", "endless", "--steps-per-frame", 1), "at this distance"),
                       (("--time", "endless", "--steps-per-frame", 10**9), "at this distance"),
                       (("--steps-per-frame", 9), "no effect with --time clip")):
        for command_name in ("map", "energy"):
            outcome = command(command_name, "--net", net, *words)
            assert outcome.code == 2 and why in outcome.err and "Traceback" not in outcome.err


def test_recordings_play_without_the_frames_that_fill_them_up() -> None:
    clips = np.arange(1, 25, dtype=np.int8).reshape(2, 2, 3, 2)
    clips[0, :, :2] = 0
    clips[1, 0, 0] = clips[1, :, 1] = 0  # somebody is seen in one coordinate; nobody is for a moment
    np.testing.assert_array_equal(played(clips), np.concatenate([clips[0, :, 2:], clips[1]], axis=1))


def test_activity_of_clips_is_that_of_frames(command: Command, net: Path) -> None:
    graph, x = clips(net, 4)
    with Emulator(graph) as emulator:
        activity = emulator.run(x).counts.activity()
    np.savez("act.npz", **activity)
    outcome = command("map", "--net", net, "--time", "endless", "--activity", "act.npz", "--json", "m.json")
    assert outcome.code == 0, outcome.out + outcome.err
    told = json.loads(Path("m.json").read_text())
    sent = sum(values.sum() / graph[name].shape[1] for name, values in activity.items() if name != graph.input.name)
    assert told["traffic"]["spikes"] == pytest.approx(sent)
    assert not told["uniform_activity"]


def test_the_energy_of_a_frame(command: Command, net: Path) -> None:
    outcome = command("energy", "--net", net, "--time", "endless", "--samples", 3, "--json", "e.json", "--csv", "e.csv",
                      "--cost", "loihi1", "--objective", "cores", "--board", "oheo-gulch")
    assert outcome.code == 0, outcome.out + outcome.err
    for text in ("per frame, by layer", "events per frame", "frames/s", "traffic per frame", "time endless:"):
        assert text in outcome.out
    assert "per sample" not in outcome.out
    graph, x = clips(net, 3)
    stream = continuous(graph)
    counts = run_frames(stream, played(x)).counts
    told = json.loads(Path("e.json").read_text())
    assert told["frames"] == counts.samples and told["time"] == "endless"
    assert told["totals"]["synops"] == pytest.approx(sum(counts.synops.values()) / counts.samples)
    assert told["paper"]["energy_mj"] == pytest.approx(paper_energy_mj(stream, counts).energy_mj)
    whole = told["totals"]["synops"] + told["totals"]["macs"]
    assert sum(row["counted"] for row in told["layers"]) == pytest.approx(whole)
    model, = told["cost_models"]
    share = np.sum([value for value in model["by_layer_mj"].values()], axis=0)
    host = np.array(model["breakdown_mj"].get("host messages", [0, 0]))
    np.testing.assert_allclose(share + host, model["dynamic_mj"], rtol=1e-9)
    synapses = [row for row in csv.DictReader(Path("e.csv").read_text().splitlines())
                if row["kind"].startswith("synapse")]
    assert len(synapses) == len(stream.synapses)
    for row in told["synapses"]:
        if row["ratio"] is not None and row["theoretical_sops"]:
            assert row["ratio"] * row["theoretical_sops"] == pytest.approx(row["synops"], rel=1e-9), row["name"]


@pytest.mark.lava
@pytest.mark.timeout(120)
def test_lava_counts_the_same_frames(command: Command, net: Path) -> None:
    for backend in ("emulator", "lava"):
        outcome = command("energy", "--net", net, "--time", "endless", "--samples", 2, "--backend", backend, "--json",
                          f"{backend}.json")
        assert outcome.code == 0, outcome.out + outcome.err
    ours, expected = (json.loads(Path(f"{name}.json").read_text()) for name in ("lava", "emulator"))
    for section in ("totals", "populations", "synapses", "layers", "paper", "cost_models", "endless"):
        assert ours[section] == expected[section], section


def test_what_is_refused(command: Command, net: Path, tmp_path: Path) -> None:
    for name, options, why in (("ahead", {"looks_ahead": True}, "reads a whole clip"),
                               ("padded", {"padding": "zeros"}, "pads its frames")):
        other = tmp_path / f"{name}.net"
        write_net(continuous_net(synthetic_pack(12), **options), other)  # type: ignore[arg-type]
        for words in (("map",), ("energy", "--samples", 1)):
            outcome = command(*words, "--net", other, "--time", "endless")
            assert outcome.code == 2 and "must be given clips" in outcome.err and why in outcome.err
    for words in (("--report", "r.html"), ("--backend", "loihi2")):
        outcome = command("energy", "--net", net, "--time", "endless", *words)
        assert outcome.code == 2 and "about clips only" in outcome.err
