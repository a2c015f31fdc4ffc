"""Fake of a board: runs that carry probes step no network, record how they were made, and return scripted numbers.

The script is a JSON file that FAKE_LOIHI_SCRIPT names: ``static``, ``idle``, ``active`` (W), ``rails`` (parts of
those), ``run_noise`` and ``noise`` (W, between and within runs), ``quantum`` (W), ``drift`` (W per run), ``step_us``,
``step_noise``, ``host_us``, ``warmup`` (steps that read wildly), ``readings``, ``frames`` and ``answers`` (flat, of
every sample), ``cores`` (chip, core, memory, then events per step), ``fail`` (number of the run that fails).
"""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np
from lava.magma.runtime.runtime import Runtime


def record(name: str, **arguments: object) -> None:
    """Append a call, and the board chosen at that moment, to the file that FAKE_LOIHI_CALLS names."""
    names = ("SLURM", "NOSLURM", "PARTITION", "BOARD", "NXSDKHOST", "LOIHI_GEN")
    board = {key: os.environ.get(key) for key in names}
    with open(os.environ["FAKE_LOIHI_CALLS"], "a") as file:
        file.write(json.dumps({"call": name, **arguments, **board}) + "\n")


class Board:
    """Fake board: one scripted run."""

    frame: np.ndarray
    """What the last input buffer that was made holds."""
    runs = 0

    def __init__(self) -> None:
        with open(os.environ["FAKE_LOIHI_SCRIPT"]) as file:
            self.script: dict[str, Any] = json.load(file)
        self.steps = 0
        self.number = 0
        self.random = np.random.default_rng(0)

    @property
    def idle(self) -> bool:
        return not Board.frame.any()

    def run(self, steps: int) -> None:
        self.steps, self.number = steps, Board.runs
        Board.runs += 1
        record("run", steps=steps, idle=self.idle)
        if self.script.get("fail") == self.number:
            raise RuntimeError("the fake board failed, as scripted")
        self.random = np.random.default_rng(self.number)
        self.offset = self.script["run_noise"] * self.random.standard_normal()
        self.offset += self.script.get("drift", 0) * self.number

    def power(self) -> np.ndarray:
        """Total power readings; double during the warm-up."""
        level = self.script["idle" if self.idle else "active"] + self.offset
        readings = level + self.script["noise"] * self.random.standard_normal(self.script["readings"])
        warm = int(len(readings) * self.script["warmup"] / self.steps)
        readings[:warm] *= 2
        return self._quantised(readings)

    def static(self) -> float:
        return float(self._quantised(np.array([self.script["static"] + self.offset]))[0])

    def _quantised(self, watts: np.ndarray) -> np.ndarray:
        quantum = self.script.get("quantum", 0)
        return np.round(watts / quantum) * quantum if quantum else watts

    def step_us(self) -> np.ndarray:
        """Time per step; five times as long during the warm-up, and a first step that takes for ever."""
        steps = np.abs(self.script["step_us"] + self.script["step_noise"] * self.random.standard_normal(self.steps))
        steps[:self.script["warmup"]] *= 5
        steps[0] = 1e6
        return steps[:self.script.get("kept_steps", self.steps)]

    def answer(self) -> np.ndarray:
        for frame, answer in zip(self.script["frames"], self.script["answers"]):
            if np.array_equal(np.array(frame), Board.frame.reshape(-1)):
                return np.array(answer, np.float64)
        return np.zeros(len(self.script["answers"][0]))


def install() -> None:
    """Take the place of Lava's runtime for every run whose configuration carries probes."""
    originals = {name: getattr(Runtime, name) for name in ("initialize", "start", "get_var", "stop")}

    def probes(runtime: Any) -> list[Any]:
        builders = runtime._executable.runtime_service_builders.values()
        return [probe for builder in builders for probe in builder.rs_kwargs.get("callback_fxs", ())]

    def initialize(self: Any, node_cfg_idx: int = 0) -> None:
        if not probes(self):
            return originals["initialize"](self, node_cfg_idx)
        processes = self._executable.process_list
        record("load", processes=sorted(type(process).__name__ for process in processes),
               biased=any(np.any(process.bias_mant.init) for process in processes if hasattr(process, "bias_mant")))
        self.board, self._is_initialized = Board(), True

    def start(self: Any, condition: Any) -> None:
        if not probes(self):
            return originals["start"](self, condition)
        self._is_started = True
        for probe in probes(self):
            record("attach", probe=type(probe).__name__)
            probe.pre_run_callback(self.board, {})
        self.board.run(condition.num_steps)
        for probe in probes(self):
            record("read", probe=type(probe).__name__)
            probe.post_run_callback(self.board, {})

    def get_var(self: Any, var_id: int, idx: Any = None) -> np.ndarray:
        if not probes(self):
            return originals["get_var"](self, var_id, idx)
        record("get")
        return self.board.answer().reshape(self._executable.node_configs[0].var_models[var_id].shape)

    def stop(self: Any) -> None:
        if not probes(self):
            return originals["stop"](self)
        record("stop")
        self._is_started = False

    for name, function in (("initialize", initialize), ("start", start), ("get_var", get_var), ("stop", stop)):
        setattr(Runtime, name, function)
