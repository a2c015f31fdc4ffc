"""Stock ``LIF`` and ``LIFReset`` in one pass over memory; stock Lava makes about twenty."""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.lif.models import PyLifModelBitAcc, PyLifResetModelBitAcc
from lava.proc.lif.process import LIF, LIFReset

from mksgn.events import kernels

_UNITY = 4096


def one_pass(model: Any) -> None:
    """Subthreshold dynamics, spike and reset of an ``AbstractPyLifModelFixed`` by one kernel, and its two messages.

    Decays and threshold are those of the whole Process, as Lava's Processes take them.
    """
    a = model.a_in.recv()
    model.scale_bias()
    shape = model.v.shape
    bias = np.ascontiguousarray(np.broadcast_to(model.effective_bias, shape), np.int32).reshape(-1)
    u, v = (np.ascontiguousarray(state, np.int32).reshape(-1) for state in (model.u, model.v))
    spikes = np.empty(v.size, np.int8)
    keep_u, keep_v = (
        (_UNITY - int(np.asarray(decay).item()) - offset) / _UNITY
        for decay, offset in ((model.du, model.ds_offset), (model.dv, model.dm_offset)))
    kernels.step_neurons(np.ascontiguousarray(a, np.int32).reshape(-1), bias, u, v, keep_u, keep_v,
                         int(np.asarray(model.vth).item()) << model.vth_shift, spikes)
    model.u[:] = u.reshape(shape)
    model.v[:] = v.reshape(shape)
    model.s_out_buff = spikes.reshape(shape)
    model.s_out.send(model.s_out_buff)


@implements(proc=LIF, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt", "fast")
class PyLifModelOnePass(PyLifModelBitAcc):
    """Drop-in for ``PyLifModelBitAcc``."""

    def run_spk(self) -> None:
        """Receive, integrate, send."""
        one_pass(self)


@implements(proc=LIFReset, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt", "fast")
class PyLifResetModelOnePass(PyLifResetModelBitAcc):
    """Drop-in for ``PyLifResetModelBitAcc``."""

    def run_spk(self) -> None:
        """Reset where it is time, receive, integrate, send."""
        if self.time_step % self.reset_interval == self.reset_offset:
            self.u[:] = 0
            self.v[:] = 0
        one_pass(self)
