"""How :class:`FrameEntry` behaves on a CPU."""

from __future__ import annotations

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from lava_models.frame_entry.process import FrameEntry


@implements(proc=FrameEntry, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyFrameEntryModel(PyLoihiProcessModel):
    """Waits for a message only where one is due: a message that is on its way is never taken for none."""

    in_port: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    out_port: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params: dict) -> None:
        super().__init__(proc_params)
        self._interval, self._length = proc_params["interval"], proc_params["length"]
        self._nothing = np.zeros(proc_params["shape"], np.int32)

    def run_spk(self) -> None:
        """One step."""
        due = (self.time_step - 1) % self._interval < self._length
        self.out_port.send(self.in_port.recv() if due else self._nothing)
