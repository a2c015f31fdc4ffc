"""Builds the Lava Processes of a plan. Imports Lava: only the host process imports this module.

Everything but the Processes of :mod:`lava_models` is a stock Lava Process: ``LIF`` and ``LIFReset``,
``Conv``, ``Sparse``, ``DelaySparse``, ``RingBuffer`` sources, ``Extractor`` sinks (which send whole
arrays; reading a ``RingBuffer`` sink sends one message per element).
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.run_configs import AbstractLoihiRunCfg, Loihi2HwCfg, Loihi2SimCfg
from lava.proc.conv.models import PyConvModelFixed
from lava.proc.conv.process import Conv as ConvProcess
from lava.proc.io.extractor import Extractor, PyLoihiExtractorModel
from lava.proc.io.source import PySendModelFixed, RingBuffer
from lava.proc.lif.models import PyLifModelBitAcc, PyLifResetModelBitAcc
from lava.proc.lif.process import LIF, LIFReset
from lava.proc.sparse.models import PyDelaySparseModelBitAcc, PySparseModelBitAcc
from lava.proc.sparse.process import DelaySparse, Sparse
from lava.utils.weightutils import SignMode
from scipy.sparse import csr_matrix, identity

from lava_models.block.models import PyBlockModel
from lava_models.block.process import Block
from lava_models.conv.models import PyConvModelEvent
from lava_models.delay.models import RELAY_THRESHOLD, RELAY_WEIGHT, PyDelayModel
from lava_models.delay.process import Delay
from lava_models.delay_sparse.models import PyDelaySparseResetModel
from lava_models.delay_sparse.process import DelaySparseReset
from lava_models.lif.models import PyLifModelOnePass, PyLifResetModelOnePass
from lava_models.sparse.models import PySparseModelEvent
from mksgn.errors import BackendError
from mksgn.ir import Conv, Dense, Graph, Population, Synapse
from mksgn.ir.partition import Part
from mksgn.ir.synapses import Shape
from mksgn.lava.network import LavaNetwork
from mksgn.lava.process_plan import Node, Plan
from mksgn.lava.timing import Timing
from mksgn.lava.unroll import lava_kernel, lava_order, matrix
from mksgn.loihi.extension import to_chip, to_host

BIAS_EXPONENT = 6
SILENT = 1 << 17
"""Threshold of a readout on the CPU: 64 times this is 2^23, which v, clipped to 2^23 - 1, never exceeds."""
SILENT_ON_CHIP = (1 << 17) - 1
"""Largest threshold that fits the chip's 17 bits."""


STOCK: dict[type, type] = {
    LIF: PyLifModelBitAcc, LIFReset: PyLifResetModelBitAcc, ConvProcess: PyConvModelFixed, Sparse: PySparseModelBitAcc,
    DelaySparse: PyDelaySparseModelBitAcc, RingBuffer: PySendModelFixed, Extractor: PyLoihiExtractorModel,
    Delay: PyDelayModel, DelaySparseReset: PyDelaySparseResetModel,
}
"""What ``Loihi2SimCfg(select_tag="fixed_pt")`` selects on the CPU.

Named here because Lava's search executes every file beside a Process's own, once per Process: two of
the three seconds that compiling 38 Processes took. (The stock ``Extractor``'s model carries no tag, so
selection by tag would not find it at all.)
"""
FAST: dict[type, type] = {
    **STOCK, LIF: PyLifModelOnePass, LIFReset: PyLifResetModelOnePass, ConvProcess: PyConvModelEvent,
    Sparse: PySparseModelEvent, Block: PyBlockModel,
}
"""The same with our ProcessModels."""


def build(plan: Plan, graph: Graph, stream: np.ndarray, timing: Timing, target: str, layout: str,
          models: dict[str, str], record: str) -> LavaNetwork:
    """Create and connect the Processes of ``plan``.

    Parameters
    ----------
    plan : Plan
    graph : Graph
    stream : int32 ndarray (V, F, C, steps)
        The input's messages.
    timing : Timing
    target : 'lava' or 'loihi2'
    layout : str
        Whose ProcessModels run, see :mod:`mksgn.lava.process_plan`.
    models : dict of 'module:Process' to 'module:ProcessModel'
        ProcessModels that replace those of the layout.
    record : 'none', 'spikes' or 'states'
        What blocks send to their sinks.

    Raises
    ------
    BackendError
        When weights cannot be held exactly.
    """
    processes = connect(Builder(graph, stream, timing, plan, target, record))
    overrides = {_named(key): _named(value) for key, value in models.items()}
    if target == "loihi2":
        # The chip's models come with Intel's extension; only Lava's own search knows them.
        config: AbstractLoihiRunCfg = Loihi2HwCfg(
            select_tag="fixed_pt", exception_proc_model_map={Extractor: PyLoihiExtractorModel, **overrides})
    else:
        chosen = {**(STOCK if layout == "stock" else FAST), **overrides}
        # By class too: a sub-process model's own Processes do not exist yet.
        config = Loihi2SimCfg(select_tag="fixed_pt", exception_proc_model_map={
            **chosen, **{process: chosen[type(process)] for process in processes.values()}})
    return LavaNetwork(graph, plan, processes, config)


def connect(builder: Builder, entry: Any = None) -> dict[str, AbstractProcess]:
    """Make the Processes of the builder's plan and connect them.

    Parameters
    ----------
    builder : Builder
    entry : port, optional
        Where the messages of an ``entry`` node come from.
    """
    made: dict[str, tuple[Any, Any]] = {}
    processes: dict[str, AbstractProcess] = {}
    for node in builder.plan.nodes:
        if node.kind == "entry":
            made[node.name] = (None, entry)
            continue
        process, port_in, port_out = builder.make(node)
        processes[node.name] = process
        made[node.name] = (port_in, port_out)
    ports = {node.name: node.port for node in builder.plan.nodes}
    for left, right in builder.plan.edges:
        source, sink = made[left][1], made[right][0]
        if ports[right]:
            source = getattr(processes[left], ports[right])
        (source if source.shape == sink.shape else source.reshape(sink.shape)).connect(sink)
    return processes


class Builder:
    """Makes the Process of a node; parameters as for :func:`build`."""

    def __init__(self, graph: Graph, stream: np.ndarray, timing: Timing, plan: Plan, target: str, record: str) -> None:
        self.graph, self.stream, self.timing, self.plan, self.record = graph, stream, timing, plan, record
        self.on_chip = target == "loihi2"
        self.synapses = {synapse.name: synapse for synapse in graph.synapses}

    def make(self, node: Node) -> tuple[AbstractProcess, Any, Any]:
        """The Process of ``node``, its input port and its output port (None where it has none)."""
        if self.timing.direct and node.synapse and self.graph.input.name in self.synapses[node.synapse].sources:
            if self.on_chip or node.kind != "sparse":
                raise BackendError("an input that is written into the first neurons is possible on the CPU only, and "
                                   "through a sparse synapse", where=f"synapse {node.synapse!r}",
                                   got="Loihi 2" if self.on_chip else node.kind,
                                   fix="use --backend emulator")
        return getattr(self, f"_{node.kind}")(node)

    def _source(self, node: Node) -> tuple[AbstractProcess, Any, Any]:
        # A source repeats its data; zeros for the last steps keep the next "sample" silent.
        steps = self.timing.ends[-1]
        data = np.zeros((*self.stream.shape[:3], steps), np.int32)
        late = node.steps - self.timing.direct
        # Sent a step early, the first message is already in the synapse's buffer when the run starts (_sparse).
        stream = self.stream[..., 1:] if late < 0 else self.stream
        late = max(late, 0)
        kept = max(0, min(stream.shape[3], steps - late))
        data[..., late:late + kept] = stream[..., :kept]
        process = RingBuffer(data=data)
        process.name = node.name
        if self.on_chip:
            consumers = {right for left, right in self.plan.edges if left == node.name}
            conv = any(other.kind == "conv" for other in self.plan.nodes if other.name in consumers)
            adapter = to_chip(_lava(node.shape), self.graph[node.population].message_bits, conv)
            process.s_out.connect(adapter.inp)
            return process, None, adapter.out
        return process, None, process.s_out

    def _neuron(self, node: Node) -> tuple[AbstractProcess, Any, Any]:
        population = self.graph[node.population]
        assert population.neuron is not None
        silent = SILENT_ON_CHIP if self.on_chip else SILENT
        parameters: dict[str, Any] = {
            "shape": _lava(population.shape),
            "du": population.neuron.current_decay - 1,
            "dv": min(population.neuron.voltage_decay, 4095) if self.on_chip else population.neuron.voltage_decay,
            "vth": silent if population.role == "readout" else population.neuron.vth,
            "bias_mant": _bias(population), "bias_exp": BIAS_EXPONENT, "name": node.name,
        }
        if self.timing.reset_interval is None:
            process: AbstractProcess = LIF(**parameters)
        else:
            process = LIFReset(**parameters, reset_interval=self.timing.reset_interval,
                               reset_offset=self._phase(node.population))
        return process, process.a_in, process.s_out

    def _phase(self, population: str) -> int:
        """The wall step, modulo the reset interval, before which a population resets."""
        assert self.timing.reset_interval is not None
        return (self.timing.reset_offset + self.plan.schedule.depth[population]) % self.timing.reset_interval

    def _block(self, node: Node) -> tuple[AbstractProcess, Any, Any]:
        assert node.part is not None
        wait = {(s.name, source): self.plan.schedule.wait[s.name, source]
                for s in node.part.synapses for source in s.sources}
        phase = {p.name: self._phase(p.name) for p in node.part.populations[1:]} if self.timing.reset_interval else {}
        depths = self.plan.schedule.depth
        depth = {p.name: depths[p.name] for p in node.part.populations} if self.timing.own_time else {}
        part = Part(node.part, wait, self.timing.reset_interval, phase, self.record, len(self.timing.reads),
                    self.timing.steps, depth)
        process = Block(part=part, name=node.name)
        return process, process.s_in, process.s_out

    def _conv(self, node: Node) -> tuple[AbstractProcess, Any, Any]:
        synapse = self.synapses[node.synapse]
        assert isinstance(synapse, Conv)
        process = ConvProcess(
            weight=lava_kernel(synapse), input_shape=_lava(self.graph[synapse.sources[0]].shape),
            stride=synapse.stride[::-1], padding=synapse.padding[::-1], dilation=synapse.dilation[::-1],
            groups=synapse.groups, num_message_bits=self._message_bits(synapse), name=node.name)
        return process, process.s_in, process.a_out

    def _sparse(self, node: Node) -> tuple[AbstractProcess, Any, Any]:
        synapse, weights = self._weights(node)
        process = Sparse(weights=weights, num_message_bits=self._message_bits(synapse), name=node.name,
                         sign_mode=_sign_mode(weights, synapse.name))
        if self.timing.direct and self.graph.input.name in synapse.sources:
            process.a_buff.init = weights.dot(self.stream[..., 0].reshape(-1)).astype(np.int32)
        return process, process.s_in, process.a_out

    def _delayed(self, node: Node) -> tuple[AbstractProcess, Any, Any]:
        synapse, weights = self._weights(node)
        assert isinstance(synapse, Dense)
        delays = lava_order(np.where(synapse.weight != 0, synapse.delay_of_each, 0),
                            self.graph[synapse.sources[0]].shape, self.graph[synapse.target].shape)
        options: dict[str, Any] = {
            "weights": weights, "delays": csr_matrix(delays.astype(int)), "name": node.name,
            "num_message_bits": self._message_bits(synapse), "sign_mode": _sign_mode(weights, synapse.name)}
        if self.timing.own_time and self.timing.reset_interval is not None and not self.on_chip:
            process: AbstractProcess = DelaySparseReset(**options, reset_interval=self.timing.reset_interval,
                                                        reset_offset=self._phase(node.population) - 1)
        else:
            process = DelaySparse(**options)
        return process, process.s_in, process.a_out

    def _delay(self, node: Node) -> tuple[AbstractProcess, Any, Any]:
        process = Delay(shape=_lava(node.shape), steps=node.steps, name=node.name)
        return process, process.s_in, process.s_out

    def _relay_synapse(self, node: Node) -> tuple[AbstractProcess, Any, Any]:
        size = int(np.prod(node.shape))
        weights = identity(size, dtype=np.int32, format="csr") * RELAY_WEIGHT
        bits = 0 if self.on_chip else 1
        if node.steps == 1:
            process = Sparse(weights=weights, num_message_bits=bits, name=node.name)
        else:
            delays = identity(size, dtype=int, format="csr") * (node.steps - 1)
            process = DelaySparse(weights=weights, delays=delays, num_message_bits=bits, name=node.name)
        return process, process.s_in, process.a_out

    def _relay(self, node: Node) -> tuple[AbstractProcess, Any, Any]:
        decay = 4095 if self.on_chip else 4096
        process = LIF(shape=_lava(node.shape), du=4095, dv=decay, vth=RELAY_THRESHOLD, name=node.name)
        return process, process.a_in, process.s_out

    def _sink(self, node: Node) -> tuple[AbstractProcess, Any, Any]:
        shape = _lava(node.shape)
        process = Extractor(shape=shape, buffer_size=self.plan.segment, name=node.name)
        if self.on_chip:
            adapter = to_host(shape)
            adapter.out.connect(process.in_port)
            return process, adapter.inp, None
        return process, process.in_port, None

    def _weights(self, node: Node) -> tuple[Synapse, csr_matrix]:
        synapse = self.synapses[node.synapse]
        return synapse, matrix(synapse, self.graph[synapse.sources[0]].shape, self.graph[synapse.target].shape)

    def _message_bits(self, synapse: Synapse) -> int:
        bits = max(self.graph[source].message_bits for source in synapse.sources)
        # On the CPU 0 bits would cast the sum of concatenated spikes to bool, and is slower besides.
        return bits if self.on_chip else max(bits, 1)


def _lava(shape: Shape) -> tuple[int, ...]:
    return tuple(int(size) for size in shape[::-1])


def _bias(population: Population) -> np.ndarray:
    bias = population.bias
    if bias is None:
        bias = np.zeros(1, np.int32)
    full = bias[:, None, None] if bias.ndim == 1 else bias
    return np.ascontiguousarray(np.broadcast_to(full, population.shape).transpose(2, 1, 0)).astype(np.int32)


def _sign_mode(weights: csr_matrix, name: str) -> SignMode:
    """The sign mode under which Lava keeps ``weights`` as they are.

    Left to itself, Lava treats a matrix without positive weights as inhibitory and clips -256 to -255.
    """
    data = weights.data
    if not (data % 2).any():
        return SignMode.MIXED
    if data.min() >= 0:
        return SignMode.EXCITATORY
    if data.max() <= 0 and data.min() >= -255:
        return SignMode.INHIBITORY
    raise BackendError("odd weights of both signs do not fit Lava's 8-bit synapses", where=f"synapse {name!r}",
                       got=f"{data.min()}..{data.max()}", allowed="even weights in -256..254, or weights of one sign",
                       fix="export with a scale that makes the weights even")


def _named(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)
