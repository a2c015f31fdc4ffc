"""Fake of the buffer that replays input from the chip's memory: on the CPU it sends its frames in turns."""

from __future__ import annotations

import fake_chip
import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol


class CyclicBuffer(AbstractProcess):
    """Fake."""

    def __init__(self, first_frame: np.ndarray, replay_frames: np.ndarray, spike_exp: int = 4) -> None:
        super().__init__()
        frames = np.concatenate([first_frame[..., None], replay_frames], axis=-1)
        fake_chip.record("CyclicBuffer", shape=first_frame.shape, frames=frames.shape[-1], spike_exp=spike_exp,
                         silent=not frames.any(), constant=bool((frames == frames[..., :1]).all()))
        fake_chip.Board.frame = np.array(first_frame)
        self.frames = Var(shape=frames.shape, init=frames)
        self.s_out = OutPort(shape=first_frame.shape)


@implements(proc=CyclicBuffer, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class FakeCyclicBufferModel(PyLoihiProcessModel):
    """Fake model of the buffer."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    frames: np.ndarray = LavaPyType(np.ndarray, np.int32)

    def run_spk(self) -> None:
        self.s_out.send(self.frames[..., (self.time_step - 1) % self.frames.shape[-1]])
