"""Fake of the module by which Lava recognises its Loihi extension: probes that return scripted numbers."""

from __future__ import annotations

from typing import Any

import fake_chip
import numpy as np
from lava.magma.core.callback_fx import NxSdkCallbackFx

fake_chip.install()
_RAILS = ("vdd", "vddm", "vddio")


class _Probe(NxSdkCallbackFx):
    def __init__(self, **arguments: Any) -> None:
        fake_chip.record(type(self).__name__, **arguments)
        self.used = False

    def pre_run_callback(self, board: Any = None, var_id_to_var_model_map: Any = None) -> None:
        assert not self.used, "a probe serves one run"
        self.used = True


class Loihi2Power(_Probe):
    """Fake."""

    def __init__(self, num_steps: int) -> None:
        super().__init__(num_steps=num_steps)

    def post_run_callback(self, board: Any = None, var_id_to_var_model_map: Any = None) -> None:
        self.total_power = board.power()
        self.static_total_power = board.static()
        for rail, part in zip(_RAILS, board.script["rails"]):
            setattr(self, f"{rail}_power", part * self.total_power)
            setattr(self, f"static_{rail}_power", part * self.static_total_power)


class Loihi2ExecutionTime(_Probe):
    """Fake."""

    def __init__(self, t_start: int, t_end: int, buffer_size: int, bin_size: int) -> None:
        super().__init__(t_start=t_start, t_end=t_end, buffer_size=buffer_size, bin_size=bin_size)

    def post_run_callback(self, board: Any = None, var_id_to_var_model_map: Any = None) -> None:
        self.execution_time_per_step = board.step_us()
        self.host_time_per_step = np.full(len(self.execution_time_per_step), board.script["host_us"])


class Loihi2Memory(_Probe):
    """Fake."""

    def post_run_callback(self, board: Any = None, var_id_to_var_model_map: Any = None) -> None:
        table = np.array(board.script["cores"])
        self.chip_idx, self.core_idx, self.total_mpds = table[:, 0], table[:, 1], table[:, 2]


class Loihi2Activity(_Probe):
    """Fake."""

    def post_run_callback(self, board: Any = None, var_id_to_var_model_map: Any = None) -> None:
        table = np.array(board.script["cores"])
        self.chip_idx, self.core_idx = table[:, 0], table[:, 1]
        # Twice as many events for the second sample.
        held = [list(board.frame.reshape(-1)) == frame for frame in board.script["frames"]]
        events = table[:, 3:] * board.steps * (1 + held.index(True))
        self.spikes_in, self.syn_ops, self.dendrite_updates, self.axon_out = events.T
