"""A stream without ends on Lava, one frame per call: a network that lives, and is paused between its frames."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from mksgn.errors import BackendError, ConfigError
from mksgn.ir import Graph, schedule
from mksgn.ir.endless import prompt_steps, spaced, steps_at_work
from mksgn.lava.backend import TIMEOUT_S, LavaBackend, readout
from mksgn.lava.graph_host import Effort, GraphHost
from mksgn.lava.limits import check_descriptors, check_processes, check_shared_memory, cpus
from mksgn.lava.process_plan import MAX_PROCESSES, plan_blocks
from mksgn.lava.timing import live_timing
from mksgn.run.frames import FrameResult, checked_frame


class LavaFrames:
    """Runs an endless graph in our Blocks on Lava's simulator, a frame per call.

    The frames are so many steps apart that all that a frame causes is done before the next one enters
    (:func:`mksgn.ir.endless.prompt_steps`). So outputs, spikes and events of a call are those of
    :class:`mksgn.emulator.FrameByFrame`. Between two calls the network is paused; it keeps what it carries.

    Parameters
    ----------
    graph : Graph
        Endless (:func:`mksgn.ir.streaming.continuous`).
    blocks : int, optional
        As of :class:`mksgn.lava.backend.LavaBackend`.
    record : bool
        Whether :meth:`spikes` can be asked.
    timeout_s : float
        Longest silence, in seconds, before a frame is given up.

    Raises
    ------
    GraphError
        When the graph is not endless.
    BackendError
        When it cannot be run here.
    """

    def __init__(self, graph: Graph, blocks: int | None = None, record: bool = False,
                 timeout_s: float = TIMEOUT_S) -> None:
        self.graph = spaced(graph, prompt_steps(graph))
        self.steps = steps_at_work(graph)
        self.effort = Effort()
        assert self.graph.time_steps is not None
        self._per_frame, self._blocks = self.graph.time_steps, blocks or cpus()
        self._record = record or graph.output.role != "readout"
        self._depth = schedule(self.graph).depth
        self._lag = {name: late // self._per_frame for name, late in schedule(self.graph, hop=0).depth.items()}
        self._plan = plan_blocks(self.graph, self._blocks, "spikes" if self._record else "none", self._per_frame)
        check_processes(self._plan, MAX_PROCESSES)
        check_shared_memory(self._plan)
        check_descriptors(self._plan)
        self._host = GraphHost(self.graph, timeout_s)
        self._closed = False
        self._now, self._sums = 0, np.zeros(4, np.int64)
        self._sent: dict[str, np.ndarray] = {}
        self._open()

    def __enter__(self) -> LavaFrames:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End every process that this has started. May be called twice."""
        self._closed = True
        self._host.close()

    def lag(self, population: str) -> int:
        """Frames by which ``population`` works later than the frame that enters."""
        return self._lag[population]

    def reset(self) -> None:
        """Begin anew, with a new network."""
        if self._now:
            self._host.shut()
            self._now, self._sums, self._sent = 0, np.zeros(4, np.int64), {}
            self._open()

    def push(self, frame: np.ndarray) -> FrameResult:
        """Let a frame enter, and run until all that it causes is done.

        Parameters
        ----------
        frame : int ndarray (C, 1, V), the same at every step of the frame, or (C, 1, V, T)

        Raises
        ------
        DataError
            When the frame has another shape, or values that the input cannot send.
        BackendError
            When this is closed; or when Lava fails, a process of it dies, or it falls silent. Nothing is left running.
        """
        if self._closed:
            raise BackendError("this stream is closed", fix="make a new one")
        given = checked_frame(frame, self.graph.input, self.steps, self._now)
        messages = np.broadcast_to(given, (*given.shape[:3], self.steps))
        answer = self._host.push(messages.transpose(3, 2, 1, 0).astype(np.int32))
        now, self._now = self._now, self._now + 1
        self._sent = answer.get("spikes", {})
        spikes, active, synops, macs = (int(number) for number in answer["sums"] - self._sums)
        self._sums = answer["sums"]
        entered = int(np.count_nonzero(messages))
        own = now - self.lag(self.graph.output.name)
        return FrameResult(now, self._output(answer) if own >= 0 else None, own if own >= 0 else None,
                           spikes + entered, active, synops, macs)

    def spikes(self, population: str) -> np.ndarray:
        """What ``population`` sent in the last frame: int8 (C, 1, V, T). It works :meth:`lag` frames late.

        Raises
        ------
        ConfigError
            When nothing is recorded, or the population sends no spikes.
        """
        if population not in self._sent or self.graph[population].role == "readout":
            raise ConfigError("only neurons whose spikes are recorded can be asked for them", got=population,
                              fix="record=True")
        # A frame begins with the input's step 1; a population works on its own frame as many hops later.
        first = self._depth[population] % self._per_frame
        return np.asarray(self._sent[population][first:first + self.steps].transpose(3, 2, 1, 0))

    def _output(self, answer: dict[str, np.ndarray]) -> np.ndarray:
        return readout(answer["result"]) if self.graph.output.role == "readout" else self.spikes(self.graph.output.name)

    def _open(self) -> None:
        silence = np.zeros((*self.graph.input.shape[::-1], 1), np.int32)
        self._host.open({**asdict(live_timing(self._per_frame)), "stream": silence, "layout": "blocks",
                         "record": "spikes" if self._record else "none", "blocks": self._blocks, "models": {},
                         "builder": LavaBackend.builder, "machine": {}}, self.effort)
