"""Builds the Processes of a plan for a Loihi 2 chip. Imports Lava: only the host process imports this module.

It has run against a fake of Intel's extension only, never on silicon.
"""

from __future__ import annotations

from typing import Any

from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.run_configs import AbstractLoihiRunCfg, Loihi2HwCfg
from lava.proc.io.extractor import Extractor, PyLoihiExtractorModel

from mksgn.lava.builder import Builder, direct_error, lava_shape
from mksgn.lava.process_plan import ProcessNode
from mksgn.loihi.checks import DECAY_MAX
from mksgn.loihi.extension import select_host, to_chip, to_host


class ChipBuilder(Builder):
    """As :class:`mksgn.lava.builder.Builder`, with the chip's numbers, and adapters where messages cross to it."""

    full_decay = DECAY_MAX
    silent_threshold = (1 << 17) - 1
    """The largest threshold that fits the chip's 17 bits."""
    unary_bits = 0
    sample_ends_delays = False

    @staticmethod
    def select_machine(machine: dict[str, str]) -> None:
        """Tell Lava which board to use; see :func:`mksgn.loihi.extension.select_host`."""
        select_host(machine)

    def run_config(self, processes: dict[str, AbstractProcess], layout: str,
                   replaced: dict[type, type]) -> AbstractLoihiRunCfg:
        """The chip's ProcessModels come with Intel's extension; only Lava's own search knows them."""
        return Loihi2HwCfg(select_tag="fixed_pt",
                           exception_proc_model_map={Extractor: PyLoihiExtractorModel, **replaced})

    def check_direct(self, node: ProcessNode) -> None:
        """No message reaches a neuron of the chip without a hop."""
        raise direct_error(node, "Loihi 2")

    def _source(self, node: ProcessNode) -> tuple[AbstractProcess, Any, Any]:
        process, _, port = super()._source(node)
        consumers = {right for left, right in self.plan.edges if left == node.name}
        conv = any(other.kind == "conv" for other in self.plan.nodes if other.name in consumers)
        adapter = to_chip(lava_shape(node.shape), self.graph[node.population].message_bits, conv)
        port.connect(adapter.inp)
        return process, None, adapter.out

    def _sink(self, node: ProcessNode) -> tuple[AbstractProcess, Any, Any]:
        process, port, _ = super()._sink(node)
        adapter = to_host(lava_shape(node.shape))
        adapter.out.connect(port)
        return process, adapter.inp, None
