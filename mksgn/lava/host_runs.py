"""Running a built network: samples in one go, or frames as they come. Imports Lava: only the host process imports this.

The requests and answers are those of :mod:`mksgn.lava.host`.
"""

from __future__ import annotations

import multiprocessing
import queue
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from lava.magma.compiler.builders.py_builder import PyProcessBuilder
from lava.magma.core.process.message_interface_enum import ActorType
from lava.magma.core.run_conditions import RunSteps
from lava.magma.runtime.mgmt_token_enums import MGMT_RESPONSE, enum_equal
from lava.magma.runtime.runtime import Runtime

from mksgn.ir import Graph
from mksgn.lava.builder import build
from mksgn.lava.limits import allow_descriptors
from mksgn.lava.network import LavaNetwork
from mksgn.lava.process_plan import CHANNEL_SLOTS, plan_blocks, plan_processes
from mksgn.lava.timing import Timing
from mksgn.run.registry import named_object

if TYPE_CHECKING:
    from mksgn.lava.host import AnswerPipe, ChildWatch

_REPORT_S = 2.0
"""Seconds in which the watching thread reports a child that failed."""


def run_samples(graph: Graph, request: dict[str, Any], channel: AnswerPipe, watch: ChildWatch) -> None:
    """Request ``run``: a ``segment`` at each pause, ``done`` and ``stopped``."""
    started = time.perf_counter()
    timing = _timing(request)
    network, runtime = _start(graph, request, timing, channel, watch)
    position = 0
    reads = set(timing.reads)
    for end in timing.ends:
        _advance(network, runtime, end - position)
        message: dict[str, Any] = {"event": "segment", "first": position + 1, "last": end}
        message.update(network.recorded(end - position))
        if request["record"] == "states" and request["layout"] != "blocks":
            message.update(network.states(request["states"]))
        if request["read_output"] and end in reads:
            message["result"] = network.result()
        channel.send(message)
        position = end
    counted = network.counted()
    watch.end()
    channel.send({"event": "done", "seconds": time.perf_counter() - started, "counted": counted})
    network.root.stop()
    channel.send({"event": "stopped"})


def run_frames(graph: Graph, request: dict[str, Any], channel: AnswerPipe, watch: ChildWatch,
               requests: queue.SimpleQueue[dict[str, Any]]) -> None:
    """Request ``open``: a ``frame`` for each request ``frame``, and ``stopped`` for the request ``shut``.

    Between two frames the network is paused, with everything it carries.
    """
    timing = _timing(request)
    network, runtime = _start(graph, request, timing, channel, watch)
    while (given := requests.get())["op"] == "frame":
        for message in given["messages"]:
            network.root.send(np.array(message))
        _advance(network, runtime, timing.steps)
        channel.send({"event": "frame", "result": network.result(), "sums": network.sums(),
                      **network.recorded(timing.steps)})
    watch.end()
    network.root.stop()
    channel.send({"event": "stopped"})


def _timing(request: dict[str, Any]) -> Timing:
    return Timing(tuple(request["ends"]), tuple(request["reads"]), request["reset_interval"], request["reset_offset"],
                  request["direct"], request["steps"], request["own_time"], request["live"])


def _start(graph: Graph, request: dict[str, Any], timing: Timing, channel: AnswerPipe,
           watch: ChildWatch) -> tuple[LavaNetwork, Runtime]:
    """Build and start a network; ``started`` is answered."""
    make_builder = named_object(request["builder"])
    make_builder.select_machine(request["machine"])
    started = time.perf_counter()
    if request["layout"] == "blocks":
        layout = plan_blocks(graph, request["blocks"], request["record"], timing.segment)
    else:
        layout = plan_processes(graph, tuple(request["recorded"]), timing.segment, request["delays"],
                                request["unroll_limit"])
    allow_descriptors(layout)
    network = build(make_builder(graph, request["stream"], timing, layout, request["record"]), request["layout"],
                    request["models"])
    executable = network.root.compile(network.run_config, {"pypy_channel_size": CHANNEL_SLOTS})
    runtime = Runtime(executable, ActorType.MultiProcessing)
    executable.assign_runtime_to_all_processes(runtime)
    names = [process.name for process, b in executable.proc_builders.items() if isinstance(b, PyProcessBuilder)]
    watch.begin(runtime, names)
    runtime.initialize()
    children = [process.pid for process in multiprocessing.active_children()]
    channel.send({"event": "started", "seconds": time.perf_counter() - started, "children": children})
    return network, runtime


def _advance(network: LavaNetwork, runtime: Runtime, steps: int) -> None:
    """Run so many steps, and pause."""
    # Not blocking: Lava's own wait joins all children when one fails, which can hang.
    network.root.run(RunSteps(num_steps=steps, blocking=False))
    if not all(enum_equal(port.peek(), MGMT_RESPONSE.DONE) for port in runtime.service_to_runtime):
        time.sleep(_REPORT_S)
        raise RuntimeError("the runtime service reports a failed ProcessModel")
    runtime.wait()
