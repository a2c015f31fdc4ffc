"""Measuring on Loihi 2, against a fake board (tests/support/fake_loihi): the calls, their order, and the arithmetic.

Nothing here runs on a chip or shows what a chip would measure; the numbers are scripted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loihi_fake import chip_graph, extension_path, fake_in_reach
from written_graphs import T

from mksgn.emulator import Emulator
from mksgn.errors import BackendError, ConfigError, DataError
from mksgn.ir import Cuba, Dense, Graph, Population, schedule
from mksgn.lava.host_handle import HostHandle
from mksgn.lava.wire import graph_message
from mksgn.loihi import BELOW, Figure, LoihiMeasurement, Procedure, measure
from mksgn.loihi.analysis import above, core_readings, figure, noise_floor, resolution, run_reading
from mksgn.loihi.checks import check_graph, silent
from mksgn.loihi.extension import read_probe
from mksgn.loihi.measure import MEASURE_ONCE

STEPS, WARMUP, REPEATS = 10_000, 400, 3
PROCEDURE = Procedure(steps=STEPS, warmup=WARMUP, repeats=REPEATS, time_buffer=512)
CORES = [[0, 4, 0.5, 3, 40, 20, 2], [0, 7, 0.25, 1, 10, 5, 1]]
"""Chip, core, memory, and per step: messages in, synaptic operations, neuron updates, messages out."""


def two_samples() -> np.ndarray:
    return np.random.default_rng(1).integers(-128, 128, (2, 2, 4, 3))


def scripted(graph: Graph, samples: np.ndarray, **changes: Any) -> dict[str, Any]:
    """What the fake board returns: PilotNet's published powers, and the answers that the emulator gives."""
    answers = []
    if graph.output.role == "readout":
        with Emulator(graph) as emulator:
            answers = (64 * emulator.run(samples).output + 5).tolist()
    return {"static": 0.232, "idle": 0.30, "active": 0.679, "rails": [0.7, 0.2, 0.1], "run_noise": 0.001,
            "noise": 0.004, "step_us": 150.0, "step_noise": 3.0, "host_us": 0.5, "warmup": WARMUP, "readings": 600,
            "frames": samples.transpose(0, 3, 2, 1).reshape(len(samples), -1).tolist(), "answers": answers,
            "cores": CORES, **changes}


@pytest.fixture()
def fake_board(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[dict[str, Any]], Path]]:
    """Called with a script for the fake board: the file in which calls are recorded."""
    with fake_in_reach(monkeypatch, tmp_path) as calls:
        def prepare(script: dict[str, Any]) -> Path:
            (tmp_path / "script.json").write_text(json.dumps(script))
            return calls

        yield prepare


def calls_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.lava()
def test_a_measurement_on_the_fake_board(fake_board):
    graph, samples = chip_graph(), two_samples()
    calls = fake_board(scripted(graph, samples))
    progress: list[tuple[int, int]] = []
    result = measure(graph, samples, PROCEDURE, board="fakeboard", progress=lambda *done: progress.append(done))

    latency = schedule(graph).latency
    check_calls(calls_in(calls), STEPS + WARMUP + latency)
    assert progress == [(n, 11) for n in range(1, 12)]  # 3 x (idle, 2 active), 2 for memory and activity
    assert [(run.kind, run.sample) for run in result.runs] == [("idle", None), ("active", 0), ("active", 1)] * 3

    # The script's numbers, so the warm-up (double power, five times the time, a first step of a second) is left out.
    assert value(result.power["total"]) == pytest.approx(0.679, abs=0.002)
    assert value(result.power["static"]) == pytest.approx(0.232, abs=0.002)
    assert value(result.power["dynamic"]) == pytest.approx(0.447, abs=0.003)
    assert value(result.power["idle"]) == pytest.approx(0.30, abs=0.002)
    assert value(result.time_per_step) == pytest.approx(150, abs=0.5)
    assert value(result.step_sd) == pytest.approx(3, rel=0.1)
    assert all(run.step_us["first"] == 1e6 and run.step_us["slowest"] < 200 for run in result.runs)
    # 0.679 W for 4 steps of 150 us.
    assert value(result.energy["total"]) == pytest.approx(0.679 * 600e-6 * 1e3, rel=0.01)
    assert value(result.energy["dynamic"]) == pytest.approx(0.447 * 600e-6 * 1e3, rel=0.01)
    assert value(result.energy["static"]) + value(result.energy["dynamic"]) == pytest.approx(
        value(result.energy["total"]))
    assert np.mean([value(one) for one in result.dynamic_by_sample]) == pytest.approx(value(result.energy["dynamic"]))
    assert value(result.throughput) == pytest.approx(1e6 / 600, rel=0.01)
    assert result.latency_steps == T + latency
    assert value(result.latency) == pytest.approx((T + latency) * 0.150, rel=0.01)
    assert value(result.rails["vddm"]) == pytest.approx(0.2 * value(result.power["total"]))
    assert value(result.rails["static_vddio"]) == pytest.approx(0.1 * value(result.power["static"]))
    assert value(result.phases["host"]) == 0.5
    assert 0 < value(result.noise_floor) < 0.01
    # Events per step, four steps, and the mean of a sample with the script's events and one with twice as many.
    assert [(core.chip, core.core, core.memory) for core in result.cores] == [(0, 4, 0.5), (0, 7, 0.25)]
    events = [[core.spikes_in, core.synops, core.neuron_updates, core.spikes_out] for core in result.cores]
    np.testing.assert_allclose(events, np.array(CORES)[:, 3:] * T * 1.5)
    assert result.agrees is True and result.notes == ()
    assert dict(result.rows())["time per step"].endswith(" us") and len(result.rows()) == 11
    assert result.host == {"board": "fakeboard", "loihi_gen": "N3B3"}
    check_json(result)


def value(one: Figure) -> float:
    assert one.value is not None
    return one.value


def check_calls(calls: list[dict[str, Any]], steps: int) -> None:
    """Every run: its own probes, the input in the chip's memory, probes attached before the steps, the board let go."""
    runs: list[list[dict[str, Any]]] = [[]]
    for call in calls:
        runs[-1].append(call)
        if call["call"] == "stop":
            runs.append([])
    assert len(runs) == 12 and runs.pop() == []
    for number, run in enumerate(runs):
        counting = number >= 9
        names = ["Loihi2Memory", "Loihi2Activity"] if counting else ["Loihi2Power", "Loihi2ExecutionTime"]
        assert [call["call"] for call in run] == [*names, "CyclicBuffer", "load", "attach", "attach", "run", "read",
                                                  "read", "get", "stop"]
        assert [call["probe"] for call in run if call["call"] in ("attach", "read")] == names * 2
        if not counting:
            assert run[0]["num_steps"] == steps
            assert (run[1]["t_start"], run[1]["t_end"]) == (1, steps)
            assert (run[1]["buffer_size"], run[1]["bin_size"]) == (512, 1)
        by_name = {call["call"]: call for call in run}
        idle = not counting and number % 3 == 0
        buffer = by_name["CyclicBuffer"]
        assert (buffer["shape"], buffer["constant"], buffer["silent"]) == ([3, 4, 2], True, idle)
        assert buffer["spike_exp"] == 0 and buffer["frames"] > 1
        assert by_name["run"]["steps"] == steps and by_name["run"]["idle"] == idle
        # No Process of the host, and the same Processes whether idle or not.
        assert set(by_name["load"]["processes"]) == {"CyclicBuffer", "Conv", "Sparse", "LIF", "LIFReset"}
        assert by_name["load"]["processes"] == next(call["processes"] for call in runs[0] if call["call"] == "load")
        assert by_name["load"]["biased"] != idle
        for call in run:
            assert (call["SLURM"], call["BOARD"], call["PARTITION"], call["LOIHI_GEN"]) == ("1", "fakeboard", None,
                                                                                            "N3B3")


def check_json(result: LoihiMeasurement) -> None:
    plain = json.loads(json.dumps(result.as_record()))
    assert plain["tag"] == "measured" and plain["chips"] == 1
    figures = [*plain["power"].values(), *plain["rails"].values(), *plain["energy"].values(),
               *plain["phases"].values(), *plain["dynamic_by_sample"], plain["noise_floor"], plain["time_per_step"],
               plain["step_sd"], plain["throughput"], plain["latency"]]
    assert all(set(one) == {"value", "unit", "spread", "runs", "status", "tag"} and one["tag"] == "measured"
               for one in figures)
    assert plain["procedure"]["steps"] == STEPS and len(plain["runs"]) == 9 and plain["cores"][1]["core"] == 7


@pytest.mark.lava()
def test_what_cannot_be_told_from_noise_is_no_number(fake_board):
    """A run as the published PilotNet SDNN: the host sets the pace and dynamic power drowns. The notes say so."""
    graph, samples = chip_graph(), two_samples()[:1]
    script = scripted(graph, samples, active=0.2321, idle=0.2320, run_noise=0.02, host_us=120.0, drift=0.05)
    script["answers"][0][0] += 64
    cores = [[0, 4, 0.5, 3, 40, 20, 2], [2, 4, 0.25, 1, 10, 5, 1]]
    calls = fake_board({**script, "cores": cores})
    result = measure(graph, samples, replace(PROCEDURE, board_chips=8), host_address="10.0.0.7", loihi_gen="N3C1")
    assert {(c["NOSLURM"], c["NXSDKHOST"], c["LOIHI_GEN"]) for c in calls_in(calls)} == {("1", "10.0.0.7", "N3C1")}
    assert value(result.noise_floor) > 0.02
    for drowned in (result.power["dynamic"], result.energy["dynamic"], result.dynamic_by_sample[0]):
        assert drowned.value is None and drowned.status == BELOW and str(drowned) == "below the noise floor"
    assert result.as_record()["power"]["dynamic"] == {**result.power["dynamic"].as_record(), "value": None}
    assert value(result.energy["total"]) > 0 and result.agrees is False
    assert value(result.power["static_used_chips"]) == pytest.approx(value(result.power["static"]) * 2 / 8)
    assert ("dynamic energy per sample", "below the noise floor") in result.rows()
    text = "\n".join(result.notes)
    for word in ("differ from the emulator's", "static power moved", "waited 120 us"):
        assert word in text


@pytest.mark.lava()
def test_a_run_that_fails_lets_the_board_go(fake_board):
    graph, samples = chip_graph(), two_samples()[:1]
    calls = fake_board(scripted(graph, samples, fail=2))
    with pytest.raises(BackendError) as caught:
        measure(graph, samples, PROCEDURE, board="fakeboard")
    assert "the fake board failed, as scripted" in str(caught.value)
    names = [call["call"] for call in calls_in(calls)]
    assert names[-2:] == ["run", "stop"] and names.count("run") == 3 == names.count("stop")


@pytest.mark.lava()
@pytest.mark.parametrize("idle", [False, True])
def test_the_held_network_computes_what_the_emulator_does(fake_board, idle):
    """Without probes the fake runs the real Processes on the CPU: the input buffer, resets, relays, readout."""
    graph, sample = chip_graph(), two_samples()[:1]
    fake_board(scripted(graph, sample))
    frame = np.ascontiguousarray(sample[0].transpose(2, 1, 0), np.int32) * (not idle)
    host = HostHandle(60)
    try:
        host.send({"op": "graph", "graph": graph_message(graph)})
        host.receive()
        host.send({"op": "call", "function": MEASURE_ONCE, "chip": {}, "frame": frame, "idle": idle, "probes": (),
                   "time_buffer": 1, "steps": 5 * T + schedule(graph).latency})
        message = host.receive()
    finally:
        host.close()
    result = message["result"].transpose(2, 1, 0).reshape(-1) // 64
    with Emulator(graph) as emulator:
        expected = emulator.run(sample).output[0]
    assert expected.any()
    np.testing.assert_array_equal(result, np.zeros_like(expected) if idle else expected)


def delayed_graph() -> Graph:
    return Graph((Population("in", (2, 1, 1), role="input", message_bits=8), Population("a", (2, 1, 1), Cuba(10)),
                  Population("out", (1, 1, 1), Cuba(131071, voltage_decay=0), role="readout")),
                 (Dense("x", ("in",), "a", np.full((2, 2), 2, np.int16), np.array([0, 3])),
                  Dense("y", ("a",), "out", np.full((1, 2), 2, np.int16))), T)


def with_weight(graph: Graph, weight: list[int]) -> Graph:
    synapse = replace(graph.synapses[1], weight=np.array([weight] * 2, np.int16).reshape(2, 3, 1, 1))
    return replace(graph, synapses=(graph.synapses[0], synapse, *graph.synapses[2:]))


def test_everything_that_can_be_known_is_refused_before_anything_starts(fake_board, monkeypatch):
    graph, samples = chip_graph(), two_samples()
    calls = fake_board(scripted(graph, samples))
    wide = replace(graph, populations=(replace(graph.populations[0], message_bits=25), *graph.populations[1:]))

    def refused(kind: type[Exception], words: str, g: Graph = graph, x: np.ndarray = samples, board: str | None = "b",
                **changes: Any) -> None:
        with pytest.raises(kind, match=words):
            measure(g, x, replace(PROCEDURE, **changes), board=board)

    refused(BackendError, "no Loihi 2 board|cannot be used", board=None)
    refused(BackendError, "power of two", replace(graph, time_steps=6))
    refused(ConfigError, "number of steps per sample", replace(graph, time_steps=None))
    refused(BackendError, "functional delays", delayed_graph(), np.zeros((1, 2, 1, 1), int))
    refused(BackendError, "too wide", wide)
    refused(BackendError, "odd weights of both signs", with_weight(graph, [3, -5, 2]))
    refused(BackendError, "either for convolutions", replace(graph, synapses=(*graph.synapses, Dense(
        "besides", ("in",), "coder", np.full((36, 24), 2, np.int16)))))
    refused(ConfigError, "too few", steps=9_996)
    refused(ConfigError, "whole samples", steps=10_001)
    refused(ConfigError, "whole samples", warmup=402)
    refused(ConfigError, "too few", warmup=0)
    refused(ConfigError, "too few", repeats=2)
    refused(ConfigError, "too few", time_buffer=0)
    refused(ConfigError, "too few", board_chips=0)
    refused(DataError, "no samples", x=samples[:0])
    refused(DataError, "held on the chip", x=np.repeat(samples[..., None], T, -1))
    refused(DataError, "do not fit", x=samples[:, :1])
    refused(DataError, "message range", x=samples + 128)
    monkeypatch.setenv("PARTITION", "fakepartition")
    refused(ConfigError, "same board", board=None)
    assert not calls.exists()
    check_graph(with_weight(graph, [1, 3, 255 - 2]))  # odd weights of one sign fit


def test_a_measurement_needs_the_input_buffer(monkeypatch, tmp_path):
    for module in ("utils/loihi2_profiler.py", "proc/embedded_io/spike.py"):
        path = tmp_path / "lava" / module
        path.parent.mkdir(parents=True)
        path.write_text('"""Fake."""\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    with extension_path(monkeypatch), pytest.raises(BackendError, match="cannot be used from here") as caught:
        measure(chip_graph(), two_samples(), board="b")
    assert "lava.proc.cyclic_buffer.process" in caught.value.got and "INRC" in caught.value.fix


def test_silent_has_no_event():
    for graph, events in ((chip_graph(), True), (silent(chip_graph()), False)):
        with Emulator(graph) as emulator:
            result = emulator.run(np.zeros((1, 2, 4, 3), int), "spikes")
        assert result.output.any() == any(spikes.any() for spikes in result.spikes.values()) == events


def a_message(power: np.ndarray, step: np.ndarray) -> dict[str, Any]:
    return {"seconds": 1.0, "probes": {"power": {"total": power, "static": np.array([0.25])}, "time": {"step": step}}}


def test_a_run_without_its_warmup():
    graph = chip_graph()
    total = PROCEDURE.total(graph)
    # The first 12 of 300 readings fall into the 400 warm-up steps of about 10,400.
    power = np.r_[np.full(12, 9.0), np.tile([1.0, 3.0], 144)]
    step = np.r_[np.full(WARMUP, 1000.0), np.tile([10.0, 20.0], STEPS // 2), np.full(total - STEPS - WARMUP, 500.0)]
    run = run_reading("active", 0, a_message(power, step), PROCEDURE, graph)
    assert run.power_w == {"total": 2.0, "static": 0.25} and run.power_readings == 288
    assert run.step_us["mean"] == 15 and run.step_us["sd"] == pytest.approx(5, rel=1e-3)
    assert run.step_us["first"] == 1000 and run.step_us["slowest"] == 20
    with pytest.raises(BackendError, match="too few power readings"):
        run_reading("idle", None, a_message(power[:8], step), PROCEDURE, graph)
    with pytest.raises(BackendError, match="lost steps"):
        run_reading("idle", None, a_message(power, step[:WARMUP + STEPS - 1]), PROCEDURE, graph)


def test_the_noise_floor_by_hand():
    """S = 2, R = 3: pooled variance of (1, 2, 3) and (2, 4, 6) is (1 + 4) / 2; static's of (0, 0, 3) is 3."""
    total, static = np.array([[1.0, 2, 3], [2, 4, 6]]), np.array([0.0, 0, 3])
    floor = noise_floor(total, static, 1e-6)
    assert value(floor) == pytest.approx(4.302653 * np.sqrt(2.5 / 6 + 3 / 3), rel=1e-6)  # t of 2 degrees of freedom
    assert value(noise_floor(total, static, 50.0)) == 50.0
    assert figure(total, "W").spread == pytest.approx(np.sqrt(2.5))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(1e-3, 1e3), st.floats(-5, 5))
def test_the_noise_floor_scales_and_ignores_offsets(seed, scale, offset):
    rng = np.random.default_rng(seed)
    total, static = rng.normal(0, 1, (2, 4)), rng.normal(0, 1, 4)
    floor = value(noise_floor(total, static, 0.0))
    assert value(noise_floor(scale * (total + offset), scale * (static - offset), 0.0)) == pytest.approx(scale * floor)
    signal = Figure(1.0, "mJ", 0.1, 8)
    assert above(signal, Figure(floor * 1.001, "W", 0, 8), Figure(floor, "W", 0, 8)) is signal
    assert above(signal, Figure(floor, "W", 0, 8), Figure(floor, "W", 0, 8)).value is None
    assert above(signal, Figure(-2 * floor, "W", 0, 8), Figure(floor, "W", 0, 8)).status == BELOW


def test_noise_alone_rarely_passes_for_power():
    """No dynamic power at all: one side of a 95 % interval is passed by at most 2.5 % (+ 3 sigma) of measurements."""
    rng = np.random.default_rng(0)
    passed = 0
    for _ in range(1000):
        total, static = rng.normal(0.5, 0.01, (1, 5)), rng.normal(0.5, 0.02, 5)
        passed += total.mean() - static.mean() > value(noise_floor(total, static, 0.0))
    assert 0 < passed <= 40


def test_resolution():
    assert resolution([np.array([0.25, 0.5]), np.array([0.75, 0.625])]) == 0.125
    with pytest.raises(BackendError, match="never changed"):
        resolution([np.full(5, 0.25), np.full(3, 0.25)])


def test_cores_of_several_samples_and_an_extension_without_chip_numbers():
    def message(synops: list[float]) -> dict[str, Any]:
        cores = np.array([3.0, 5.0])
        events = {name: np.zeros(2) for name in ("spikes_in", "neuron_updates", "spikes_out")}
        return {"probes": {"activity": {"core": cores, "synops": np.array(synops), **events},
                           "memory": {"core": np.array([3.0, 9.0]), "used": np.array([0.5, 0.1])}}}

    readings = core_readings([message([100, 0]), message([300, 20])], samples_run=10)
    assert [(r.chip, r.core, r.memory, r.synops) for r in readings] == [(0, 3, 0.5, 20.0), (0, 5, None, 1.0),
                                                                        (0, 9, 0.1, 0.0)]


class Probe:
    """A probe of some version of the extension."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)


def test_probes_that_hold_too_little_are_named():
    whole = {name: np.ones(3) for name in ("core_idx", "spikes_in", "syn_ops", "dendrite_updates", "axon_out")}
    assert set(read_probe("activity", Probe(**whole))) == {"core", "spikes_in", "synops", "neuron_updates",
                                                           "spikes_out"}
    assert read_probe("time", Probe(time_per_step=[1, 2]))["step"].tolist() == [1.0, 2.0]
    later = Probe(execution_time_per_step=[3], time_per_step=[1], host_time_per_step=[0])
    assert {name: values.tolist() for name, values in read_probe("time", later).items()} == {"step": [3.0],
                                                                                             "host": [0.0]}
    with pytest.raises(BackendError, match="does not hold") as caught:
        read_probe("activity", Probe(**{**whole, "syn_ops": None}))
    assert caught.value.where == "Probe.syn_ops"
    for bad in ([], [1.0, float("nan")]):
        with pytest.raises(BackendError, match="nothing that can be used"):
            read_probe("time", Probe(execution_time_per_step=bad))


@pytest.mark.loihi2()
@pytest.mark.timeout(3600)
def test_on_a_chip():
    """What no fake can show. Run with --target loihi2 and BOARD or NXSDKHOST set."""
    result = measure(chip_graph(), two_samples()[:1], Procedure(repeats=3))
    assert result.agrees and value(result.power["total"]) > value(result.power["static"]) > 0
    assert sum(core.synops for core in result.cores) > 0
