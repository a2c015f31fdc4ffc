"""The host process of one graph: started when a run first needs it, kept between runs, ended whatever happens."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from mksgn.errors import BackendError
from mksgn.ir import Graph
from mksgn.lava.host_handle import HostHandle
from mksgn.lava.wire import graph_message

_STOP_S = 20.0
"""Seconds that Lava's own orderly stop may take."""


@dataclass
class Effort:
    """What the last run took.

    Parameters
    ----------
    os_processes : int
    pids : tuple of int
        Those below the host process, of every network that the run started.
    start_s : float
        Building, compiling and starting the Lava network.
    steps : int
        Wall steps, the pipeline's filling and draining included.
    run_s : float
        Running them, collecting what was recorded included.
    """

    os_processes: int = 0
    pids: tuple[int, ...] = ()
    start_s: float = 0.0
    steps: int = 0
    run_s: float = 0.0


class GraphHost:
    """Runs networks of ``graph`` in a host process.

    Parameters
    ----------
    graph : Graph
    timeout_s : float
        Longest silence of the host process in seconds.
    """

    def __init__(self, graph: Graph, timeout_s: float) -> None:
        self.graph = graph
        self._timeout_s = timeout_s
        self._host: HostHandle | None = None

    @property
    def pid(self) -> int | None:
        """Process and session id of the host process; None where there is none."""
        return None if self._host is None else self._host.pid

    @property
    def timeout_s(self) -> float:
        """Longest silence in seconds; it may be changed while a run is going on."""
        return self._timeout_s

    @timeout_s.setter
    def timeout_s(self, seconds: float) -> None:
        self._timeout_s = seconds
        if self._host is not None:
            self._host.timeout_s = seconds

    def run(self, request: dict[str, Any], effort: Effort,
            on_segment: Callable[[dict[str, Any]], None]) -> dict[str, dict[str, np.ndarray]]:
        """Run one network.

        Parameters
        ----------
        request : dict
            What :mod:`mksgn.lava.host` needs for its ``run``.
        effort : Effort
            Added to.
        on_segment : callable
            Called with every message ``segment`` of the host process.

        Returns
        -------
        dict
            What blocks counted: quantity -> name -> int64 (samples,).

        Raises
        ------
        BackendError
            When Lava fails, a process of it dies, or it falls silent; nothing is left running.
        """
        with self._closed_on_error():
            host = self._begin("run", request, effort)
            effort.steps += request["ends"][-1]
            started = time.perf_counter()
            while (message := host.receive())["event"] == "segment":
                on_segment(message)
            counted: dict[str, dict[str, np.ndarray]] = message["counted"]
            effort.run_s += time.perf_counter() - started
            self._stop(host)
        return counted

    def open(self, request: dict[str, Any], effort: Effort) -> None:
        """Start a network that waits for frames (:meth:`push`); parameters and errors as of :meth:`run`."""
        with self._closed_on_error():
            self._begin("open", request, effort)

    def push(self, messages: np.ndarray) -> dict[str, Any]:
        """Let a frame enter the open network, int32 (T, V, 1, C); what the host process answers."""
        with self._closed_on_error():
            host = self._start()
            host.send({"op": "frame", "messages": messages})
            return host.receive()

    def shut(self) -> None:
        """End the open network; the host process stays."""
        with self._closed_on_error():
            host = self._start()
            host.send({"op": "shut"})
            self._stop(host)

    def close(self) -> None:
        """End the host process and everything below it. May be called twice."""
        host, self._host = self._host, None
        if host is not None:
            host.close()

    @contextmanager
    def _closed_on_error(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            # KeyboardInterrupt included: whatever happened, nothing may go on running.
            self.close()
            raise

    def _begin(self, operation: str, request: dict[str, Any], effort: Effort) -> HostHandle:
        host = self._start()
        host.send({"op": operation, **request})
        message = host.receive()
        effort.pids += tuple(message["children"])
        effort.start_s += message["seconds"]
        return host

    def _start(self) -> HostHandle:
        if self._host is None:
            self._host = HostHandle(self._timeout_s)
            self._host.send({"op": "graph", "graph": graph_message(self.graph)})
            self._host.receive()
        return self._host

    def _stop(self, host: HostHandle) -> None:
        """Wait for Lava's own orderly stop; all results are here, so a stop that hangs is ended instead."""
        host.timeout_s = min(_STOP_S, self._timeout_s)
        try:
            host.receive()
            host.timeout_s = self._timeout_s
        except BackendError:
            self.close()
