"""Builds the Lava Processes of a plan. Imports Lava: only the host process imports this module.

Everything but the Processes of :mod:`lava_models` is a stock Lava Process: ``LIF`` and ``LIFReset``,
``Conv``, ``Sparse``, ``DelaySparse``, ``ProdNeuron``, ``GradedVec``, ``RingBuffer`` sources,
``Extractor`` sinks (which send whole arrays; reading a ``RingBuffer`` sink sends one message per element).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.run_configs import AbstractLoihiRunCfg, Loihi2SimCfg
from lava.proc.conv.process import Conv as ConvProcess
from lava.proc.graded.process import GradedVec
from lava.proc.io.extractor import Extractor
from lava.proc.io.source import RingBuffer
from lava.proc.lif.process import LIF, LIFReset
from lava.proc.prodneuron.process import ProdNeuron
from lava.proc.sparse.process import DelaySparse, Sparse
from lava.utils.weightutils import SignMode
from scipy.sparse import csr_matrix, identity

from lava_models.block.process import Block
from lava_models.clocked_lif.process import ClockedLIF
from lava_models.delay.process import Delay
from lava_models.delay_sparse.process import DelaySparseReset
from lava_models.frame_entry.process import FrameEntry
from mksgn.errors import BackendError
from mksgn.ir import Attention, Conv, Dense, Graph, Population, Synapse
from mksgn.ir.bounds import input_bound
from mksgn.ir.partition import Part
from mksgn.ir.relays import RELAY, UNIT
from mksgn.ir.streamed_clips import lattice_of
from mksgn.ir.synapses import Shape
from mksgn.lava.attention_matrices import MATRICES, attention_matrix
from mksgn.lava.network import LavaNetwork
from mksgn.lava.process_models import FAST, STOCK
from mksgn.lava.process_plan import ProcessNode, ProcessPlan
from mksgn.lava.timing import Timing
from mksgn.lava.unroll import lava_kernel, lava_order, matrix
from mksgn.run.registry import named_object

BIAS_EXPONENT = 6
FOR_EVER = 1 << 30
"""Steps after which neurons of a stream without ends that carry their states would begin anew."""


def build(builder: Builder, layout: str, models: dict[str, str]) -> LavaNetwork:
    """Create and connect the Processes of a builder's plan.

    Parameters
    ----------
    builder : Builder
    layout : str
        Whose ProcessModels run, see :mod:`mksgn.lava.process_plan`.
    models : dict of 'module:Process' to 'module:ProcessModel'
        ProcessModels that replace those of the layout.

    Raises
    ------
    BackendError
        When weights cannot be held exactly.
    """
    processes = connect(builder)
    replaced = {named_object(key): named_object(value) for key, value in models.items()}
    return LavaNetwork(builder.graph, builder.plan, processes, builder.run_config(processes, layout, replaced))


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
    nodes = {node.name: node for node in builder.plan.nodes}
    for left, right in builder.plan.edges:
        source, sink = made[left][1], made[right][0]
        if nodes[right].port:
            source = getattr(processes[left], nodes[right].port)
        if nodes[left].matrix:
            sink = getattr(processes[right], MATRICES[nodes[left].matrix][2])
        (source if source.shape == sink.shape else source.reshape(sink.shape)).connect(sink)
    return processes


class Builder:
    """Makes the Processes of a plan for Lava's CPU simulator. Other machines have a builder of their own that differs.

    Parameters
    ----------
    graph : Graph
    stream : int32 ndarray (V, F, C, steps)
        The input's messages.
    timing : Timing
    plan : ProcessPlan
    record : 'none', 'spikes' or 'states'
        What blocks send to their sinks.
    """

    full_decay = 4096
    """Largest voltage decay that the machine holds."""
    silent_threshold = 1 << 17
    """Threshold of a readout: 64 times this is 2^23, which v, clipped to 2^23 - 1, never exceeds."""
    unary_bits = 1
    """``num_message_bits`` of a synapse that reads spikes. On the CPU 0 would cast the sum of concatenated spikes to
    bool, and is slower besides."""
    sample_ends_delays = True
    """Whether a functional delay can drop what it still carries when its sample ends."""

    def __init__(self, graph: Graph, stream: np.ndarray, timing: Timing, plan: ProcessPlan, record: str) -> None:
        self.graph, self.stream, self.timing, self.plan, self.record = graph, stream, timing, plan, record
        self.synapses = {synapse.name: synapse for synapse in graph.synapses}

    @staticmethod
    def select_machine(machine: dict[str, str]) -> None:
        """Called once in the host process, before anything is built: the simulator runs where the host does."""

    def run_config(self, processes: dict[str, AbstractProcess], layout: str,
                   replaced: dict[type, type]) -> AbstractLoihiRunCfg:
        """Lava's run configuration for ``processes``; ``replaced`` names other ProcessModels than the layout's."""
        chosen = {**(STOCK if layout == "stock" else FAST), **replaced}
        # By class too: a sub-process model's own Processes do not exist yet.
        return Loihi2SimCfg(select_tag="fixed_pt", exception_proc_model_map={
            **chosen, **{process: chosen[type(process)] for process in processes.values()}})

    def make(self, node: ProcessNode) -> tuple[AbstractProcess, Any, Any]:
        """The Process of ``node``, its input port and its output port (None where it has none)."""
        if self.timing.direct and node.synapse and self.graph.input.name in self.synapses[node.synapse].sources:
            self.check_direct(node)
        return getattr(self, f"_{node.kind}")(node)

    def check_direct(self, node: ProcessNode) -> None:
        """Raise :class:`BackendError` unless the input's message of a step can reach ``node``'s target in that step."""
        if node.kind != "sparse":
            raise direct_error(node, node.kind)

    def _source(self, node: ProcessNode) -> tuple[AbstractProcess, Any, Any]:
        if self.timing.live:
            lattice = lattice_of(self.graph.input)
            entry = FrameEntry(shape=lava_shape(node.shape), interval=lattice.interval, length=lattice.length,
                               name=node.name)
            return entry, None, entry.out_port
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
        return process, None, process.s_out

    def _neuron(self, node: ProcessNode) -> tuple[AbstractProcess, Any, Any]:
        population = self.graph[node.population]
        assert population.neuron is not None
        parameters: dict[str, Any] = {
            "shape": lava_shape(population.shape),
            "du": population.neuron.current_decay - 1,
            "dv": min(population.neuron.voltage_decay, self.full_decay),
            "vth": self.silent_threshold if population.role == "readout" else population.neuron.vth,
            "bias_mant": _bias(population), "bias_exp": BIAS_EXPONENT, "name": node.name,
        }
        interval, lattice = self.timing.reset_interval, population.lattice
        if lattice is not None and lattice.frames is None:
            # Each frame begins at rest, like a sample; states that are carried begin so once.
            lattice = replace(lattice, frames=FOR_EVER // lattice.interval if lattice.carried else 1)
            interval = lattice.sample_frames * lattice.interval
        if interval is None:
            process: AbstractProcess = LIF(**parameters)
        elif lattice is None or not lattice.has_rests(interval):
            own = interval if lattice is None or lattice.carried else lattice.interval
            process = LIFReset(**parameters, reset_interval=own, reset_offset=self._phase(node.population) % own)
        else:
            largest = sum(input_bound(self.graph, synapse) for synapse in self.graph.into(population.name))
            process = ClockedLIF(**parameters, lattice=lattice, reset_interval=interval,
                                 reset_offset=self._phase(node.population), largest_input=largest)
        return process, process.a_in, process.s_out

    def _phase(self, population: str) -> int:
        """The wall step, modulo the reset interval where there is one, before which a population resets."""
        phase = self.timing.reset_offset + self.plan.schedule.depth[population]
        return phase if self.timing.reset_interval is None else phase % self.timing.reset_interval

    def _block(self, node: ProcessNode) -> tuple[AbstractProcess, Any, Any]:
        assert node.part is not None
        wait = {(s.name, source): self.plan.schedule.wait[s.name, source]
                for s in node.part.synapses for source in s.sources}
        depths, timing = self.plan.schedule.depth, self.timing
        known = timing.reset_interval is not None or timing.own_time
        phase = {p.name: self._phase(p.name) for p in node.part.populations[1:]} if known else {}
        depth = {p.name: depths[p.name] for p in node.part.populations} if timing.own_time else {}
        part = Part(node.part, wait, timing.reset_interval, phase, self.record, len(timing.reads), timing.steps, depth,
                    timing.live)
        process = Block(part=part, name=node.name)
        return process, process.s_in, process.s_out

    def _conv(self, node: ProcessNode) -> tuple[AbstractProcess, Any, Any]:
        synapse = self._part(node)
        assert isinstance(synapse, Conv)
        process = ConvProcess(
            weight=lava_kernel(synapse), input_shape=lava_shape(self.graph[synapse.sources[0]].shape),
            stride=synapse.stride[::-1], padding=synapse.padding[::-1], dilation=synapse.dilation[::-1],
            groups=synapse.groups, num_message_bits=self._message_bits(synapse), name=node.name)
        return process, process.s_in, process.a_out

    def _sparse(self, node: ProcessNode) -> tuple[AbstractProcess, Any, Any]:
        synapse, weights = self._weights(node)
        process = Sparse(weights=weights, num_message_bits=self._message_bits(synapse), name=node.name,
                         sign_mode=_sign_mode(weights, synapse.name))
        if self.timing.direct and self.graph.input.name in synapse.sources:
            process.a_buff.init = weights.dot(self.stream[..., 0].reshape(-1)).astype(np.int32)
        return process, process.s_in, process.a_out

    def _matrix(self, node: ProcessNode) -> tuple[AbstractProcess, Any, Any]:
        synapse = self.synapses[node.synapse]
        assert isinstance(synapse, Attention)
        source = self.graph[synapse.sources[0]].shape
        weights = attention_matrix(node.matrix, synapse, source)
        graded = MATRICES[node.matrix][0] not in ("q", "k", "v")
        bits = synapse.tokens(source).bit_length() + 1 if graded else self.unary_bits
        process = Sparse(weights=weights, num_message_bits=bits, name=node.name,
                         sign_mode=_sign_mode(weights, synapse.name))
        return process, process.s_in, process.a_out

    def _product_neurons(self, node: ProcessNode) -> tuple[AbstractProcess, Any, Any]:
        process = ProdNeuron(shape=(node.shape[0],), vth=0)
        process.name = node.name
        return process, None, process.s_out

    def _counting_neurons(self, node: ProcessNode) -> tuple[AbstractProcess, Any, Any]:
        process = GradedVec(shape=(node.shape[0],), vth=0)
        process.name = node.name
        return process, process.a_in, process.s_out

    def _delayed(self, node: ProcessNode) -> tuple[AbstractProcess, Any, Any]:
        synapse, weights = self._weights(node)
        options: dict[str, Any] = {
            "weights": weights, "delays": self._delays(node, synapse, weights), "name": node.name,
            "num_message_bits": self._message_bits(synapse), "sign_mode": _sign_mode(weights, synapse.name)}
        if not isinstance(synapse, Dense):  # a relay's spikes wait in its synapse, and gates end the sample
            process: AbstractProcess = DelaySparse(**options)
        elif self.timing.own_time and self.timing.reset_interval is not None and self.sample_ends_delays:
            process = DelaySparseReset(**options, reset_interval=self.timing.reset_interval,
                                                        reset_offset=self._phase(node.population) - 1)
        else:
            process = DelaySparse(**options)
        return process, process.s_in, process.a_out

    def _delays(self, node: ProcessNode, synapse: Synapse, weights: csr_matrix) -> csr_matrix:
        if not isinstance(synapse, Dense):
            return csr_matrix((np.full(weights.nnz, node.steps), weights.indices, weights.indptr), weights.shape)
        delays = lava_order(np.where(synapse.weight != 0, synapse.delay_of_each, 0),
                            self.graph[synapse.sources[0]].shape, self.graph[synapse.target].shape)
        return csr_matrix(delays.astype(int))

    def _delay(self, node: ProcessNode) -> tuple[AbstractProcess, Any, Any]:
        process = Delay(shape=lava_shape(node.shape), steps=node.steps, name=node.name)
        return process, process.s_in, process.s_out

    def _relay_synapse(self, node: ProcessNode) -> tuple[AbstractProcess, Any, Any]:
        size = int(np.prod(node.shape))
        weights = identity(size, dtype=np.int32, format="csr") * UNIT
        if node.steps == 1:
            process = Sparse(weights=weights, num_message_bits=self.unary_bits, name=node.name)
        else:
            delays = identity(size, dtype=int, format="csr") * (node.steps - 1)
            process = DelaySparse(weights=weights, delays=delays, num_message_bits=self.unary_bits, name=node.name)
        return process, process.s_in, process.a_out

    def _relay(self, node: ProcessNode) -> tuple[AbstractProcess, Any, Any]:
        process = LIF(shape=lava_shape(node.shape), du=RELAY.current_decay - 1, dv=self.full_decay, vth=RELAY.vth,
                      name=node.name)
        return process, process.a_in, process.s_out

    def _sink(self, node: ProcessNode) -> tuple[AbstractProcess, Any, Any]:
        process = Extractor(shape=lava_shape(node.shape), buffer_size=self.plan.segment, name=node.name)
        return process, process.in_port, None

    def _part(self, node: ProcessNode) -> Synapse:
        """What of its synapse ``node`` implements."""
        synapse = self.synapses[node.synapse]
        if node.tap is None:
            return synapse
        assert isinstance(synapse, Conv), "no other kind has taps in time"
        return dict(synapse.by_delay())[node.tap]

    def _weights(self, node: ProcessNode) -> tuple[Synapse, csr_matrix]:
        synapse = self._part(node)
        return synapse, matrix(synapse, self.graph[synapse.sources[0]].shape, self.graph[synapse.target].shape)

    def _message_bits(self, synapse: Synapse) -> int:
        return max(self.unary_bits, *(self.graph[source].message_bits for source in synapse.sources))


def direct_error(node: ProcessNode, got: str) -> BackendError:
    """What is wrong with an input that is to reach ``node``'s target without a hop."""
    return BackendError("an input that is written into the first neurons is possible on the CPU only, and through a "
                        "sparse synapse", where=f"synapse {node.synapse!r}", got=got, fix="use --backend emulator")


def lava_shape(shape: Shape) -> tuple[int, ...]:
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
