"""How :class:`ClockedLIF` behaves: a CPU skips its steps of rest; stock Processes are held down in them."""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.ports import PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.model.sub.model import AbstractSubProcessModel
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.lif.models import AbstractPyLifModelFixed
from lava.proc.lif.process import LIFReset
from lava.proc.sparse.process import Sparse
from lava.utils.weightutils import SignMode
from scipy.sparse import csr_matrix

from lava_models.clocked_lif.process import ClockedLIF
from lava_models.lif.models import one_pass
from mksgn.errors import BackendError
from mksgn.ir.graph import DECAY_UNITY, STATE_MAX, STATE_SHIFT
from mksgn.ir.lattice import Lattice

_STRONG = 254
"""The largest weight of a synapse whose weights are even."""


@implements(proc=ClockedLIF, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyClockedLIFModel(AbstractPyLifModelFixed):
    """Stock ``LIF`` in one pass over memory, at the steps of its frames."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)
    vth: int = LavaPyType(int, np.int32, precision=17)

    def run_spk(self) -> None:
        """Work, or rest."""
        lattice = self.proc_params["lattice"]
        step = (self.time_step - self.proc_params["reset_offset"]) % self.proc_params["reset_interval"]
        if lattice.begins(step):
            self.u[:] = 0
            self.v[:] = 0
        if lattice.frame(step) is not None:
            one_pass(self)
        else:
            self.a_in.recv()
            self.s_out.send(np.zeros(self.v.shape, np.int32))


@implements(proc=ClockedLIF, protocol=LoihiProtocol)
@tag("fixed_pt")
class SubClockedLIFModel(AbstractSubProcessModel):
    r"""A ``LIFReset`` that clock neurons inhibit in its steps of rest: the same spikes, step by step.

    It resets where frames begin; where states are carried, with the first of them. A clock is two ``LIFReset`` of one
    neuron. One counts on its bias up to the first step of rest; the other keeps the current of that spike, and spikes
    until the clock starts anew. A clock of the sample inhibits after the last frame, and one of the interval between
    frames. The spike subtracts K, and

    .. math:: K \ge (T + 1)\, B + b, \qquad (c K + B)\, g + T B < 2^{17}

    make this exact: B is ``largest_input``, T the steps of a frame (0 where u is not kept from step to step), b the
    largest bias, c the number of clocks, g the number of inputs whose current u can hold at once. By the first,
    u + bias is never above 0 at rest, and a v that did not spike before does not now. By the second, u does not wrap.

    u and v are those of a :class:`ClockedLIF` in its frames only: at rest these neurons go on.

    Raises
    ------
    BackendError
        When the inputs are too large for both conditions, or a sample is no multiple of the interval between frames.
    """

    def __init__(self, proc: ClockedLIF) -> None:
        get = proc.proc_params.get
        lattice, cycle, offset, shape = get("lattice"), get("reset_interval"), get("reset_offset"), get("shape")
        if lattice.carried and lattice.length == lattice.interval:  # as if all frames were one
            lattice = Lattice(lattice.end, lattice.end, 1)
        if lattice.carried:
            raise BackendError("stock neurons cannot keep their states over steps of rest",
                               where=f"Process {proc.name!r}",
                               got=f"frames of {lattice.length} steps every {lattice.interval}",
                               fix="use PyClockedLIFModel, or frames that follow each other without rest")
        interval = cycle if lattice.frames == 1 else lattice.interval
        if cycle % interval:
            raise BackendError("stock neurons reset at one interval, which must divide the steps of a sample",
                               where=f"Process {proc.name!r}", got=f"frames every {interval} of {cycle} steps")
        # A frame of one step begins at rest: what it would keep does not matter.
        kept = {"du": get("du"), "dv": get("dv")} if lattice.length > 1 else {"du": DECAY_UNITY - 1, "dv": DECAY_UNITY}
        self.neuron = LIFReset(shape=shape, **kept, vth=proc.vth.init, bias_mant=get("bias_mant"),
                               bias_exp=get("bias_exp"), reset_interval=interval, reset_offset=offset % interval)
        proc.in_ports.a_in.connect(self.neuron.a_in)
        self.neuron.s_out.connect(proc.out_ports.s_out)
        proc.vars.u.alias(self.neuron.u)
        proc.vars.v.alias(self.neuron.v)
        rests = [(first, period) for first, period in ((lattice.end, cycle), (lattice.length, interval))
                 if first < period]
        rests = list(dict.fromkeys(rests))
        exponent = _exponent(proc, lattice.length, len(rests), DECAY_UNITY - 1 - kept["du"])
        for number, (first, period) in enumerate(rests):
            for name, process in _clock(first, period, offset).items():
                setattr(self, f"{name}{number}", process)
            self._inhibit(number, first, period, offset, exponent)

    def _inhibit(self, number: int, first: int, period: int, offset: int, exponent: int) -> None:
        size = int(np.prod(self.neuron.proc_params.get("shape")))
        weights = csr_matrix(np.full((size, 1), -_STRONG, np.int32))
        synapse = Sparse(weights=weights, weight_exp=exponent, num_message_bits=1, sign_mode=SignMode.MIXED)
        if (1 - offset) % period >= first:  # the run starts within the rest of a sample before the first
            synapse.a_buff.init = np.full(size, -_STRONG << exponent, np.int32)
        getattr(self, f"rest{number}").s_out.connect(synapse.s_in)
        synapse.a_out.reshape(self.neuron.a_in.shape).connect(self.neuron.a_in)
        setattr(self, f"inhibition{number}", synapse)


def _clock(first: int, period: int, offset: int) -> dict[str, Any]:
    """Processes of a neuron, ``rest``, whose spikes reach their target in its steps of rest.

    They are those from ``first`` to the end of each period. A period of the target begins at ``offset``.
    """
    # States as they are in a period that began before the run did.
    count_step, rest_step = ((1 - offset + hops) % period for hops in (2, 1))
    counted = 2 * (count_step % (first + 1)) << STATE_SHIFT
    count = LIFReset(shape=(1,), du=DECAY_UNITY - 1, dv=0, vth=2 * first, bias_mant=2, bias_exp=STATE_SHIFT, v=counted,
                     reset_interval=period, reset_offset=(offset - 2) % period)
    # du 0 loses 1 / 4096 of u in a step, which a spike outlasts by far.
    rest = LIFReset(shape=(1,), du=0, dv=DECAY_UNITY, vth=1, u=_STRONG << STATE_SHIFT if rest_step >= first else 0,
                    reset_interval=period, reset_offset=(offset - 1) % period)
    begin = Sparse(weights=csr_matrix(np.array([[_STRONG]], np.int32)), num_message_bits=1, sign_mode=SignMode.MIXED)
    count.s_out.connect(begin.s_in)
    begin.a_out.connect(rest.a_in)
    return {"count": count, "begin": begin, "rest": rest}


def _exponent(proc: ClockedLIF, length: int, clocks: int, kept: int) -> int:
    """Exponent of the inhibiting weight; ``kept`` / 4096 of u lasts from one of a frame's ``length`` steps to the next.
    """
    get = proc.proc_params.get
    largest = get("largest_input")
    bias = np.asarray(get("bias_mant")).astype(np.int64) << np.asarray(get("bias_exp")).astype(np.int64)
    frame = length if kept else 0
    needed = (frame + 1) * largest + max(-(-int(bias.max()) // (1 << STATE_SHIFT)), 0)
    exponent = 0
    while _STRONG << exponent < needed:
        exponent += 1
    together = min(get("reset_interval"), -(-DECAY_UNITY // (DECAY_UNITY - kept)) if kept < DECAY_UNITY else 1 << 30)
    deepest = (clocks * (_STRONG << exponent) + largest) * together + frame * largest
    if clocks and deepest << STATE_SHIFT >= STATE_MAX:
        raise BackendError("the inhibition that these inputs need would wrap the current of 24 bits",
                           where=f"Process {proc.name!r}", got=f"up to {deepest} at once",
                           allowed=f"below {STATE_MAX >> STATE_SHIFT}",
                           fix="use PyClockedLIFModel, or the gates of mksgn.ir.gates")
    return exponent
