"""Measuring a network on Loihi 2 in steady state. Has not run on silicon: see docs/loihi2.md."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mksgn.errors import ConfigError
from mksgn.ir import Graph, schedule
from mksgn.lava.host_handle import HostHandle
from mksgn.lava.wire import graph_message
from mksgn.loihi.analysis import above, core_readings, figure, noise_floor, resolution, run_reading
from mksgn.loihi.checks import DECAY_MAX, Procedure, as_on_chip, check_measurable
from mksgn.loihi.extension import require
from mksgn.loihi.result import Figure, LoihiMeasurement, RunReading

TIMEOUT_S = 1800.0
MEASURE_ONCE = "mksgn.loihi.session:measure_once"
"""What the host process calls for one run under probes."""
HOST_SHARE = 0.1
"""Part of a step spent waiting for the host from which the host is said to limit the run."""
DRIFT_SHARE = 0.1
"""Part of the dynamic power by which static power may move from the first idle run to the last without a note."""
_RAILS = ("vdd", "vddm", "vddio")
_MJ_PER_W_US = 1e-3


def measure(graph: Graph, samples: np.ndarray, procedure: Procedure | None = None, board: str | None = None,
            host_address: str | None = None, loihi_gen: str | None = None, timeout_s: float = TIMEOUT_S,
            progress: Callable[[int, int], None] | None = None) -> LoihiMeasurement:
    """Measure ``graph`` on a Loihi 2 board, sample after sample, with the input held on the chip.

    Every run loads the network on the same board and steps it without the host: a buffer on the chip sends the
    sample at every step, so that samples stream back to back as fast as the chip can, one every T steps. Per
    repeat, one idle run (the same network, no biases, fed zeros) and one active run of every sample under the power
    and time probes, in turns, so that drift meets all alike; then one run of every sample under the memory and
    activity probes, which read whole cores. Static power is what the sensors read after the idle runs: the same
    cores allocated, not stepping. Nothing here has run on silicon.

    Parameters
    ----------
    graph : Graph
        T a power of two, no functional delays.
    samples : int ndarray (S, C, F, V)
        Each takes ``procedure.repeats + 1`` runs; a few representative ones are enough.
    procedure : Procedure, optional
        Steps, warm-up, repeats.
    board : str, optional
        SLURM board (not a partition: all runs must use one board). Default: the environment's BOARD.
    host_address : str, optional
        Address of a board on the network. Default: the environment's NXSDKHOST.
    loihi_gen : str, optional
        Chip generation. Default: the environment's LOIHI_GEN, else N3B3.
    timeout_s : float
        Longest that one run may take, waiting for the board included.
    progress : callable, optional
        Called with (runs done, runs in all).

    Returns
    -------
    LoihiMeasurement

    Raises
    ------
    ConfigError, DataError
        Before anything starts: see :func:`mksgn.loihi.checks.check_measurable`.
    BackendError
        When Intel's extension or the board is missing (saying how to get it), the graph does not fit the chip, a
        run fails or falls silent, or a probe returned nothing that can be used.
    """
    procedure = procedure or Procedure()
    choice = require(None, board, host_address, loihi_gen, held_input=True)
    samples = check_measurable(graph, samples, procedure, choice)
    frames = np.ascontiguousarray(samples.transpose(0, 3, 2, 1), np.int32)
    runs, raw, counted = _make_runs(graph, frames, procedure, choice, timeout_s, progress)
    return _summary(graph, samples, procedure, choice, runs, raw, counted)


def _make_runs(graph: Graph, frames: np.ndarray, procedure: Procedure, choice: dict[str, str], timeout_s: float,
               progress: Callable[[int, int], None] | None,
               ) -> tuple[list[RunReading], list[dict[str, Any]], list[dict[str, Any]]]:
    """All runs: their readings, the messages of the same runs, and those of the memory and activity runs."""
    order = [kind for _ in range(procedure.repeats) for kind in (None, *range(len(frames)))]
    runs: list[RunReading] = []
    raw: list[dict[str, Any]] = []
    counted: list[dict[str, Any]] = []
    host = HostHandle(timeout_s)
    try:
        host.send({"op": "graph", "graph": graph_message(graph)})
        host.receive()

        def once(sample: int | None, probes: tuple[str, ...]) -> dict[str, Any]:
            frame = np.zeros_like(frames[0]) if sample is None else frames[sample]
            host.send({"op": "call", "function": MEASURE_ONCE, "chip": choice, "frame": frame, "idle": sample is None,
                       "probes": probes, "steps": procedure.total(graph), "time_buffer": procedure.time_buffer})
            message = host.receive()
            if progress is not None:
                progress(len(raw) + len(counted) + 1, len(order) + len(frames))
            return message

        for sample in order:
            raw.append(once(sample, ("power", "time")))
            kind = "idle" if sample is None else "active"
            runs.append(run_reading(kind, sample, raw[-1], procedure, graph))
        for sample in range(len(frames)):
            counted.append(once(sample, ("memory", "activity")))
    finally:
        host.close()
    return runs, raw, counted


def _summary(graph: Graph, samples: np.ndarray, procedure: Procedure, choice: dict[str, str], runs: list[RunReading],
             raw: list[dict[str, Any]], counted: list[dict[str, Any]]) -> LoihiMeasurement:
    steps = graph.time_steps
    assert steps is not None
    idle = [[run for run in runs if run.kind == "idle"]]
    active = [[run for run in runs if run.sample == sample] for sample in range(len(samples))]
    total, static = _watts(active, "total"), _watts(idle, "static")[0]
    step_us = _array(active, lambda run: run.step_us["mean"])
    quantum = resolution([message["probes"]["power"]["total"] for message in raw])
    dynamic, floor = figure(total - static.mean(), "W"), noise_floor(total, static, quantum)
    energy, alone = _energy(total, static, step_us * steps, quantum)
    cores = core_readings(counted, procedure.total(graph) / steps)
    power = {"total": figure(total, "W"), "static": figure(static[None], "W"),
             "dynamic": above(dynamic, dynamic, floor), "idle": figure(_watts(idle, "total"), "W")}
    if procedure.board_chips is not None:
        used = len({core.chip for core in cores})
        power["static_used_chips"] = _of_used_chips(power["static"], used, procedure.board_chips)
    rails = {name: figure(_watts(active, name), "W") for name in _RAILS}
    rails.update({f"static_{name}": figure(_watts(idle, f"static_{name}"), "W") for name in _RAILS})
    phases = {name: figure(np.array([[run.phases_us[name] for run in row] for row in active]), "us")
              for name in active[0][0].phases_us}
    latency = steps + schedule(graph).latency
    agrees = _agrees(graph, samples, [(run.sample, message["result"]) for run, message in zip(runs, raw)])
    return LoihiMeasurement(
        host=choice, procedure=procedure, time_steps=steps, latency_steps=latency, samples=len(samples), power=power,
        rails=rails, noise_floor=floor, energy=energy, dynamic_by_sample=alone, time_per_step=figure(step_us, "us"),
        step_sd=figure(_array(active, lambda run: run.step_us["sd"]), "us"),
        throughput=figure(1e6 / (step_us * steps), "samples/s"), latency=figure(step_us * latency / 1e3, "ms"),
        phases=phases, cores=cores, agrees=agrees,
        notes=_notes(graph, dynamic, floor, static, phases, step_us, agrees), runs=tuple(runs))


def _array(rows: list[list[RunReading]], pick: Callable[[RunReading], float]) -> np.ndarray:
    """One quantity of runs in rows of repeats, float64 (rows, R)."""
    return np.array([[pick(run) for run in row] for row in rows])


def _watts(rows: list[list[RunReading]], name: str) -> np.ndarray:
    return _array(rows, lambda run: run.power_w[name])


def _energy(total: np.ndarray, static: np.ndarray, sample_us: np.ndarray,
            quantum: float) -> tuple[dict[str, Figure], tuple[Figure, ...]]:
    """Energy per sample, and the dynamic part of every sample by itself."""
    spent = total - static.mean()
    mj = spent * sample_us * _MJ_PER_W_US
    floor = noise_floor(total, static, quantum)
    energy = {"total": figure(total * sample_us * _MJ_PER_W_US, "mJ"),
              "static": figure(static.mean() * sample_us * _MJ_PER_W_US, "mJ"),
              "dynamic": above(figure(mj, "mJ"), figure(spent, "W"), floor)}
    alone = tuple(above(figure(mj[[n]], "mJ"), figure(spent[[n]], "W"), noise_floor(total[[n]], static, quantum))
                  for n in range(len(total)))
    return energy, alone


def _of_used_chips(static: Figure, used: int, board: int) -> Figure:
    if used > board:
        raise ConfigError("the network uses more chips than the board is said to have", where="board_chips",
                          got=str(board), allowed=f"at least {used}")
    assert static.value is not None
    share = used / board
    return Figure(static.value * share, static.unit, static.spread * share, static.runs)


def _agrees(graph: Graph, samples: np.ndarray, answers: list[tuple[int | None, np.ndarray]]) -> bool | None:
    """Whether the chip's last answers are the emulator's: figures of a net that computes otherwise are worthless.

    ``answers`` are the sample of each run and the output's v after it, int32 (V, F, C).
    """
    if graph.output.role != "readout":
        return None
    # Not at the top: it brings torch, which the host process must not load.
    from mksgn.emulator import Emulator

    with Emulator(as_on_chip(graph)) as emulator:
        expected = emulator.run(samples).output
    return all(np.array_equal(expected[sample], v.transpose(2, 1, 0).reshape(-1) // 64)
               for sample, v in answers if sample is not None)


def _notes(graph: Graph, dynamic: Figure, floor: Figure, static: np.ndarray, phases: dict[str, Figure],
           step_us: np.ndarray, agrees: bool | None) -> tuple[str, ...]:
    assert dynamic.value is not None and floor.value is not None
    notes = []
    if agrees is False:
        notes.append("the chip's answers differ from the emulator's: the figures are of a network that computes "
                     "something else")
    if agrees is None:
        notes.append("the output is spikes, so the chip's answers were not compared with the emulator's")
    if dynamic.value < -floor.value:
        notes.append(f"total power is {-dynamic.value:.3g} W below static power, more than noise explains: the two "
                     "were not measured in the same state")
    if abs(static[-1] - static[0]) > DRIFT_SHARE * abs(dynamic.value):
        notes.append(f"static power moved from {static[0]:.4g} W to {static[-1]:.4g} W during the measurement, over "
                     f"{DRIFT_SHARE:.0%} of the dynamic power")
    if "host" in phases and (waiting := phases["host"].value or 0.0) > HOST_SHARE * step_us.mean():
        notes.append(f"the chip waited {waiting:.3g} us of every step for the host: time and power are not its own")
    changed = [p.name for p in graph.populations if p.neuron is not None and p.neuron.voltage_decay > DECAY_MAX]
    if changed:
        notes.append(f"the voltage decay of {len(changed)} populations, {changed[0]} the first, is {DECAY_MAX} on the "
                     "chip instead of 4096; so it is in the emulator's answers that they were compared with")
    return tuple(notes)
