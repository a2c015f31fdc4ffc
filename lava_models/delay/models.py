"""How :class:`Delay` behaves: a ring buffer on the CPU, relay neurons on the chip."""

from __future__ import annotations

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.model.sub.model import AbstractSubProcessModel
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.lif.process import LIF
from lava.proc.sparse.process import Sparse
from scipy.sparse import identity

from lava_models.delay.process import Delay
from mksgn.ir.relays import RELAY, UNIT


@implements(proc=Delay, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyDelayModel(PyLoihiProcessModel):
    """Ring buffer; carries any int32 message."""

    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    pending: np.ndarray = LavaPyType(np.ndarray, np.int32)

    def run_spk(self) -> None:
        """Send what arrived d steps ago, keep what arrives now."""
        slot = self.time_step % len(self.pending)
        self.s_out.send(self.pending[slot])
        self.pending[slot] = self.s_in.recv()


@implements(proc=Delay, protocol=LoihiProtocol)
@tag("fixed_pt")
class SubDelayModel(AbstractSubProcessModel):
    """A chain of d relay neurons per delayed neuron, from stock Processes: one hop, one step each.

    Carries unary spikes only.
    """

    def __init__(self, proc: Delay) -> None:
        shape = proc.proc_params.get("shape")
        size = int(np.prod(shape))
        before = proc.in_ports.s_in
        for number in range(proc.proc_params.get("steps")):
            synapse = Sparse(weights=identity(size, dtype=np.int32, format="csr") * UNIT, num_message_bits=1)
            relay = LIF(shape=shape, du=RELAY.current_decay - 1, dv=RELAY.voltage_decay, vth=RELAY.vth)
            before.reshape((size,)).connect(synapse.s_in)
            synapse.a_out.reshape(shape).connect(relay.a_in)
            setattr(self, f"synapse{number}", synapse)
            setattr(self, f"relay{number}", relay)
            before = relay.s_out
        before.connect(proc.out_ports.s_out)
