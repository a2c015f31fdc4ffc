"""The host process: everything of Lava lives below it, in a session of its own.

Started by :class:`mksgn.lava.host_handle.HostHandle` as a fresh interpreter, so that Lava forks its
children from a small process without torch, CUDA or threads, its chatter stays off the user's
terminal, and one process group holds all that has to end together. Requests come over standard
input, answers leave over standard output (see :mod:`mksgn.lava.wire`):

- ``graph``: keep this graph, import Lava; answered with ``loaded``;
- ``run``: run the graph once; answered with ``started``, a ``segment`` at each pause, ``done`` and ``stopped``;
- ``open``: start the graph and wait for frames; answered with ``started``. Then ``frame``, answered with ``frame``, as
  often as wanted, and ``shut``, answered with ``stopped`` (:mod:`mksgn.lava.host_runs` has both);
- ``call``: call the ``function`` ('module:name') with the graph and the request; answered with what it returns.

Who watches whom: a thread here ends everything when the parent closes the pipe or dies, and
reports a child of Lava that dies; the kernel ends the children when this process dies (Linux);
the parent ends the session when this process does not.
"""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import queue
import select
import signal
import sys
import threading
import time
import traceback
from multiprocessing import resource_tracker
from typing import Any, NoReturn

from mksgn.errors import MksgnError
from mksgn.ir import Graph
from mksgn.lava.stack_dumps import answer_with_stack
from mksgn.lava.wire import Frames, graph_from_message, pack
from mksgn.run.registry import named_object

_POLL_S = 0.25
_PR_SET_PDEATHSIG = 1


class ChildWatch:
    """What the watching thread knows of the running network."""

    def __init__(self) -> None:
        self.active = False
        self.runtime: Any = None
        self.names: list[str] = []
        self._known: dict[int, Any] = {}
        # Lava closes its process objects when it stops: nobody may look at them then.
        self._lock = threading.Lock()

    def begin(self, runtime: Any, names: list[str]) -> None:
        with self._lock:
            self.runtime, self.names, self._known, self.active = runtime, names, {}, True

    def end(self) -> None:
        with self._lock:
            self.active = False

    def look(self) -> tuple[list[int], dict[str, Any] | None]:
        """Descriptors that become readable when a child ends, and the report of one that has, if any."""
        with self._lock:
            if not self.active:
                return [], None
            # active_children() forgets a child that ended before it was asked; Lava's own list does not.
            for process in (*self._actors(), *multiprocessing.active_children()):
                self._known.setdefault(process.pid or 0, process)
            sentinels = []
            for process in self._known.values():
                if process.exitcode is not None:
                    return [], self._describe(process)
                sentinels.append(process.sentinel)
            return sentinels, None

    def _actors(self) -> list[Any]:
        infrastructure = getattr(self.runtime, "_messaging_infrastructure", None)
        return list(getattr(infrastructure, "actors", ()))

    def _describe(self, process: Any) -> dict[str, Any]:
        actors = self._actors()
        name = process.name
        if process in actors:
            position = actors.index(process)
            name = self.names[position] if position < len(self.names) else "runtime service"
        raised = getattr(process, "exception", None)
        where = f"Lava process {name!r} (pid {process.pid})"
        if raised:
            error, trace = raised
            return {"event": "error", "what": "a Lava ProcessModel raised", "where": where,
                    "got": f"{type(error).__name__}: {error}", "trace": trace}
        code = process.exitcode
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        hint = "out of memory, or out of shared memory" if code in (-signal.SIGKILL, -signal.SIGBUS) else ""
        return {"event": "error", "what": "a Lava process died", "where": where, "got": how, "hint": hint}


class _AfterFork:
    """What every child that Lava forks does first: die with its parent, hold none of the host's pipes."""

    def __init__(self, pid: int, descriptors: list[int]) -> None:
        self.pid, self.descriptors = pid, descriptors

    def enter(self) -> None:
        """Run in the child, right after the fork."""
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors = []
        if sys.platform == "linux":
            ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != self.pid:
                os._exit(1)
        self.pid = os.getpid()


class AnswerPipe:
    """Answers to the parent; both threads send."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._lock = threading.Lock()

    def send(self, message: dict[str, Any]) -> None:
        data = memoryview(pack(message))
        with self._lock:
            while data:
                data = data[os.write(self.descriptor, data):]


def main() -> NoReturn:
    """Serve requests until the parent closes the pipe."""
    requests_in, answers_out = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answer_with_stack()
    # One tracker for all: it unlinks shared memory that a killed network leaves behind.
    resource_tracker.ensure_running()
    parent = os.getppid()
    after_fork = _AfterFork(os.getpid(), [requests_in, answers_out])
    os.register_at_fork(after_in_child=after_fork.enter)
    channel, watch = AnswerPipe(answers_out), ChildWatch()
    requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_control, args=(requests_in, parent, requests, channel, watch), daemon=True).start()
    graph: Graph | None = None
    while True:
        request = requests.get()
        try:
            if request["op"] == "graph":
                graph = graph_from_message(request["graph"])
                import_lava()
                channel.send({"event": "loaded"})
            elif request["op"] == "call":
                assert graph is not None
                channel.send(named_object(request["function"])(graph, request))
            elif request["op"] == "open":
                assert graph is not None
                _runs().run_frames(graph, request, channel, watch, requests)
            else:
                assert graph is not None
                _runs().run_samples(graph, request, channel, watch)
        except BaseException as error:
            _report(error, channel, watch)
            _end_children()
            os._exit(1)


def _runs() -> Any:
    """:mod:`mksgn.lava.host_runs`, which imports Lava."""
    from mksgn.lava import host_runs

    return host_runs


def import_lava() -> None:
    """Import Lava and repair its channels, here and for every process forked from this one."""
    # Imported here, not at the top: the pipe must be watched before the seconds that this takes.
    import logging

    import lava.magma.compiler.compiler  # noqa: F401

    import mksgn.lava.builder  # noqa: F401
    from mksgn.events.kernels import warm
    from mksgn.lava.channels import repair

    repair()
    warm()
    logging.getLogger().setLevel(logging.ERROR)


def _report(error: BaseException, channel: AnswerPipe, watch: ChildWatch) -> None:
    # The watching thread knows better when a child has died: give it the first word.
    if watch.active:
        time.sleep(2 * _POLL_S)
    if isinstance(error, MksgnError):
        channel.send({"event": "error", "what": error.what, "where": error.where, "got": error.got,
                      "allowed": error.allowed, "fix": error.fix})
        return
    # Lava attaches the child's traceback to what a ProcessModel's constructor raised.
    trace = getattr(error, "trace", "") or traceback.format_exc()
    channel.send({"event": "error", "what": "Lava failed", "where": "host process",
                  "got": f"{type(error).__name__}: {error}", "trace": trace})


def _control(descriptor: int, parent: int, requests: queue.SimpleQueue[dict[str, Any]], channel: AnswerPipe,
             watch: ChildWatch) -> None:
    frames = Frames()
    while True:
        sentinels, failure = watch.look()
        if failure is not None:
            channel.send(failure)
            _end_children()
            os._exit(1)
        ready = _wait_readable([descriptor, *sentinels])
        if os.getppid() != parent:
            _end_children()
            os._exit(1)
        if descriptor in ready:
            data = os.read(descriptor, 1 << 20)
            if not data:
                _end_children()
                os._exit(0)
            frames.feed(data)
            while (message := frames.next()) is not None:
                requests.put(message)


def _wait_readable(descriptors: list[int]) -> list[int]:
    poller = select.poll()
    for descriptor in descriptors:
        poller.register(descriptor, select.POLLIN)
    return [descriptor for descriptor, _ in poller.poll(_POLL_S * 1000)]


def _end_children() -> None:
    children = [process.pid for process in multiprocessing.active_children() if process.pid]
    for pid in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for pid in children:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


