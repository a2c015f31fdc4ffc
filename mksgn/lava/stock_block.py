"""A :class:`lava_models.block.process.Block` as a network of stock Processes: what hardware, or a comparison, needs."""

from __future__ import annotations

import numpy as np
from lava.magma.core.decorator import implements, tag
from lava.magma.core.model.sub.model import AbstractSubProcessModel
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from lava_models.block.process import Block
from mksgn.errors import BackendError
from mksgn.ir.partition import Part
from mksgn.lava.builder import Builder, connect
from mksgn.lava.process_plan import plan_processes
from mksgn.lava.timing import Timing


@implements(proc=Block, protocol=LoihiProtocol)
@tag("fixed_pt")
class SubBlockModel(AbstractSubProcessModel):
    """One stock Process per synapse and population, and a Delay where branches wait; the same messages, step by step.

    It has nothing to record with: sinks belong on the Processes inside. Choose it in a run configuration, or with
    ``LavaBackend(graph, models={"lava_models.block.process:Block": "mksgn.lava.stock_block:SubBlockModel"})``.

    Raises
    ------
    BackendError
        When the part is to be recorded.
    """

    def __init__(self, proc: Block) -> None:
        part: Part = proc.proc_params.get("part")
        if part.record != "none":
            raise BackendError("a block of stock Processes cannot be recorded", where=f"block {proc.name!r}",
                               got=part.record, allowed="none", fix="use the layout 'stock' to record populations")
        layout = plan_processes(part.graph, entry=True)
        first = part.graph.populations[1].name
        # A part counts depths from its entry; its phases count from the input of the whole graph.
        offset = part.reset_phase[first] - layout.schedule.depth[first] if part.reset_phase else 0
        timing = Timing((), (), part.reset_interval, offset, own_time=bool(part.depth))
        silence = np.zeros((*part.graph.input.shape[::-1], 1), np.int32)
        processes = connect(Builder(part.graph, silence, timing, layout, "none"), proc.in_ports.s_in)
        for number, process in enumerate(processes.values()):
            setattr(self, f"process{number}", process)  # Lava finds a sub-process model's Processes by its attributes
        last = processes[part.graph.output.name]
        last.s_out.connect(proc.out_ports.s_out)
        proc.vars.v.alias(last.v)
