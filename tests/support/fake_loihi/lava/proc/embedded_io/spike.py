"""Fake adapters between host and chip: they pass messages through on the CPU, in the same step."""

from __future__ import annotations

import fake_chip
import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol


class PyToNxAdapter(AbstractProcess):
    """Fake: host to chip."""

    def __init__(self, shape: tuple[int, ...], num_message_bits: int = 0) -> None:
        super().__init__(shape=shape)
        fake_chip.record("PyToNxAdapter", shape=shape, num_message_bits=num_message_bits)
        self.inp = InPort(shape=shape)
        self.out = OutPort(shape=shape)


class PyToN3ConvAdapter(AbstractProcess):
    """Fake: host to the convolutions of the chip."""

    def __init__(self, shape: tuple[int, ...], num_message_bits: int = 0, spike_exp: int = 0) -> None:
        super().__init__(shape=shape)
        fake_chip.record("PyToN3ConvAdapter", shape=shape, num_message_bits=num_message_bits, spike_exp=spike_exp)
        self.inp = InPort(shape=shape)
        self.out = OutPort(shape=shape)


class NxToPyAdapter(AbstractProcess):
    """Fake: chip to host."""

    def __init__(self, shape: tuple[int, ...], num_message_bits: int = 0) -> None:
        super().__init__(shape=shape)
        fake_chip.record("NxToPyAdapter", shape=shape, num_message_bits=num_message_bits)
        self.inp = InPort(shape=shape)
        self.out = OutPort(shape=shape)


class _PassThrough(PyLoihiProcessModel):
    inp: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def run_spk(self) -> None:
        self.out.send(self.inp.recv())


@implements(proc=PyToNxAdapter, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class FakePyToNxModel(_PassThrough):
    """Fake model of the host-to-chip adapter."""


@implements(proc=PyToN3ConvAdapter, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class FakePyToN3ConvModel(_PassThrough):
    """Fake model of the adapter for convolutions."""


@implements(proc=NxToPyAdapter, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class FakeNxToPyModel(_PassThrough):
    """Fake model of the chip-to-host adapter."""
