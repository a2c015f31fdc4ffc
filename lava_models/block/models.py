"""How :class:`Block` behaves on a CPU: all its populations in one OS process, event by event."""

from __future__ import annotations

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from lava_models.block.process import Block
from mksgn.counts.step_tally import StepTally
from mksgn.events.stepper import Stepper
from mksgn.ir import Attention
from mksgn.ir.partition import Part


@implements(proc=Block, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyBlockModel(PyLoihiProcessModel):
    """Steps the part with :class:`mksgn.events.stepper.Stepper`: the integers of Lava's ``fixed_pt`` models."""

    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    bits: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.uint8)
    u_all: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    v_all: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    v: np.ndarray = LavaPyType(np.ndarray, np.int32)
    counted: np.ndarray = LavaPyType(np.ndarray, np.int64)
    sums: np.ndarray = LavaPyType(np.ndarray, np.int64)

    def __init__(self, proc_params: dict) -> None:
        super().__init__(proc_params)
        part: Part = proc_params["part"]
        self._entry = part.graph.input.name
        self._tally = StepTally(part)
        self._attentions = [(synapse.name, synapse.target) for synapse in part.graph.synapses
                            if isinstance(synapse, Attention)]
        self._names = [population.name for population in part.graph.populations[1:]]
        self._record, self._adds_up = part.record, part.adds_up
        self._stepper = Stepper(part.graph, part.wait, part.reset_interval, part.reset_phase,
                                store_u=part.record == "states", per_sample=bool(part.depth))

    def run_spk(self) -> None:
        """One step: compute and send what was received before, then receive. So blocks run side by side."""
        stepper, step = self._stepper, self.time_step
        for name, active in stepper.step(step).items():
            self._tally.add(self.counted, step, name, stepper.spikes(name, step), active)
        for synapse, target in self._attentions:
            self._tally.add_inside(self.counted, step, synapse, target, stepper.inside[synapse])
        last = self._names[-1]
        self.s_out.send(stepper.spikes(last, step).transpose(1, 0, 2))
        frames, joints, channels = stepper.spikes(last, step).shape
        self.v[:] = stepper.states(last)[1].reshape(frames, joints, channels).transpose(1, 0, 2)
        if self._record != "none":
            flat = np.concatenate([stepper.spikes(name, step).ravel() for name in self._names])
            self.bits.send(np.packbits(flat))
        if self._record == "states":
            u, v = zip(*(stepper.states(name) for name in self._names))
            self.u_all.send(np.concatenate(u))
            self.v_all.send(np.concatenate(v))
        messages = self.s_in.recv().transpose(1, 0, 2)
        stepper.receive(step, messages)
        self._tally.add(self.counted, step, self._entry, np.ascontiguousarray(messages))
        if self._adds_up:
            self.sums[:] = self._tally.sums(self.counted)
