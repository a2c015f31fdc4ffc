"""ProcessModels that fail in the ways the cleanup tests are about. Imported by Lava's host process only."""

from __future__ import annotations

import os
import time

from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.lif.models import PyLifResetModelBitAcc
from lava.proc.lif.process import LIFReset

FAULT_STEP = 9
"""In the second sample of the cleanup tests' graph: T is 4 and its latency 2."""
GO_AHEAD = "LAVA_FAULTS_GO_AHEAD"
"""Names a file that a fault waits for: until then the test looks at processes that the fault would end."""


@implements(proc=LIFReset, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class RaisingModel(PyLifResetModelBitAcc):
    """Raises at FAULT_STEP, once the file of GO_AHEAD exists."""

    def run_spk(self) -> None:
        if self.time_step == FAULT_STEP:
            while not os.path.exists(os.environ[GO_AHEAD]):
                time.sleep(0.01)
            raise ArithmeticError("a fault for the test")
        super().run_spk()


@implements(proc=LIFReset, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class HangingModel(PyLifResetModelBitAcc):
    """Never finishes FAULT_STEP."""

    def run_spk(self) -> None:
        if self.time_step == FAULT_STEP:
            time.sleep(3600)
        super().run_spk()


@implements(proc=LIFReset, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class SlowModel(PyLifResetModelBitAcc):
    """Takes its time, so that a test can interfere with a run."""

    def run_spk(self) -> None:
        time.sleep(0.1)
        super().run_spk()


@implements(proc=LIFReset, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class UnbuildableModel(PyLifResetModelBitAcc):
    """Raises while Lava starts it."""

    def __init__(self, proc_params: object) -> None:
        raise ArithmeticError("a fault at the start")
