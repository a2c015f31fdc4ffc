"""One run under probes, its input held on the chip. Imports Lava: only the host process imports this module."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import numpy as np
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2HwCfg

from mksgn.errors import BackendError
from mksgn.ir import Graph
from mksgn.lava.builder import connect
from mksgn.lava.network import LavaNetwork
from mksgn.lava.process_plan import ProcessNode, ProcessPlan, plan_processes
from mksgn.lava.timing import Timing
from mksgn.loihi.checks import silent
from mksgn.loihi.chip_builder import ChipBuilder
from mksgn.loihi.extension import held_input, make_probes, read_probe, select_host


class HeldBuilder(ChipBuilder):
    """Builds a plan whose source is a buffer on the chip, so that no step waits for the host.

    The source and its later copies are one buffer: a message that never changes is the same however late it is.
    """

    def __init__(self, graph: Graph, frame: np.ndarray, timing: Timing, layout: ProcessPlan) -> None:
        super().__init__(graph, frame[..., None], timing, layout, "none")
        self.frame = frame
        self._buffer: Any = None

    def _source(self, node: ProcessNode) -> tuple[AbstractProcess, Any, Any]:
        if self._buffer is None:
            self._buffer = held_input(self.frame, self.graph[node.population].message_bits > 0)
        return self._buffer, None, self._buffer.s_out


def build_held(graph: Graph, frame: np.ndarray, steps: int, callbacks: list[Any]) -> LavaNetwork:
    """The network of ``graph`` with ``frame``, int32 (V, F, C), at its input at every step, and nothing recorded.

    Raises
    ------
    BackendError
        When a Process of it is not stock Lava's or the extension's.
    """
    assert graph.time_steps is not None
    layout = plan_processes(graph, delays="relay", unroll_limit=0)
    # Resets as for samples that stream back to back (mksgn.lava.timing.sample_timing).
    timing = Timing((steps,), (), graph.time_steps, 1)
    processes = connect(HeldBuilder(graph, frame, timing, layout))
    for name, process in processes.items():
        if not type(process).__module__.startswith("lava."):
            raise BackendError("only stock Lava Processes run on Loihi 2", where=name, got=type(process).__name__)
    return LavaNetwork(graph, layout, processes, Loihi2HwCfg(select_tag="fixed_pt", callback_fxs=callbacks))


def measure_once(graph: Graph, request: dict[str, Any]) -> dict[str, Any]:
    """Build the network, run it once under the requested probes, stop it, and return what they hold.

    Parameters
    ----------
    graph : Graph
    request : dict
        ``chip`` (for :func:`~mksgn.loihi.extension.select_host`; empty: leave the environment as it is),
        ``frame`` int32 (V, F, C), ``idle`` (zero biases besides), ``steps``, ``probes``, ``time_buffer``.

    Returns
    -------
    dict
        The event ``measured``: ``seconds``, ``result`` (v of the output after the last step, int32 (V, F, C)) and
        ``probes``: name -> quantity -> float64 array.
    """
    if request["chip"]:
        select_host(request["chip"])
    started = time.perf_counter()
    probes = make_probes(tuple(request["probes"]), request["steps"], request["time_buffer"])
    graph = silent(graph) if request["idle"] else graph
    network = build_held(graph, np.asarray(request["frame"], np.int32), request["steps"], list(probes.values()))
    try:
        # The configuration carries the probes: the extension attaches them before the run and reads them after it.
        network.root.run(condition=RunSteps(num_steps=request["steps"]), run_cfg=network.run_config)
        result = network.result()
    except BaseException:
        # What failed first is the news, not that stopping fails, too; but the board must be let go.
        with contextlib.suppress(Exception):
            network.root.stop()
        raise
    network.root.stop()
    return {"event": "measured", "seconds": time.perf_counter() - started, "result": result,
            "probes": {name: read_probe(name, probe) for name, probe in probes.items()}}
