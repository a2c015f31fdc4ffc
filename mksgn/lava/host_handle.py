"""Keeps Lava in a child of ours, and ends all of it whatever happens.

Lava forks one OS process per Lava Process, blocks on semaphores that no signal interrupts, and
leaves its children behind when anything goes wrong. So Lava runs below a host process
(:mod:`mksgn.lava.host`) that leads a session of its own; :class:`HostHandle` talks to it with
deadlines, and on the way out, normal or not, ends every process of that session.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from typing import IO, Any

from mksgn.errors import BackendError
from mksgn.lava.sessions import end_session, session_members
from mksgn.lava.stack_dumps import stacks_of
from mksgn.lava.wire import Frames, pack

_BOOT = "import sys, json; sys.path[:] = json.loads(sys.argv[1]); from mksgn.lava.host import main; main()"
_POLL_S = 0.25
_GRACE_S = 3.0
"""What the host gets to end its children, and the resource tracker to unlink shared memory."""
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class HostHandle:
    """The parent's side of the host process: starts it, talks to it over two pipes, and ends it.

    Parameters
    ----------
    timeout_s : float
        Longest silence of the host before :meth:`receive` gives up.

    Raises
    ------
    BackendError
        From :meth:`send` and :meth:`receive`: the host's own report, its death, or a timeout. The
        host and everything below it have ended by then.
    """

    def __init__(self, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._frames = Frames()
        # Anonymous and shared with the child: what Lava prints is kept for error reports only.
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (lives as long as the host)
        # Lava starts a process per layer: one thread each, or they would fight for the cores.
        environment = {**os.environ, **{name: "1" for name in _THREAD_VARIABLES}}
        self._process = subprocess.Popen(
            [sys.executable, "-c", _BOOT, json.dumps([entry or os.getcwd() for entry in sys.path])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, env=environment, start_new_session=True)
        assert self._process.stdin is not None and self._process.stdout is not None
        self._to_host, self._from_host = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._to_host, False)

    @property
    def pid(self) -> int:
        """Process and session id of the host."""
        return self._process.pid

    def send(self, message: dict[str, Any]) -> None:
        """Send a request."""
        data = memoryview(pack(message))
        deadline = time.monotonic() + self.timeout_s
        while data:
            if _ready(self._to_host, select.POLLOUT):
                try:
                    data = data[os.write(self._to_host, data):]
                except BrokenPipeError:
                    raise self._death() from None
            elif time.monotonic() > deadline:
                raise self._timeout()

    def receive(self) -> dict[str, Any]:
        """The host's next message."""
        deadline = time.monotonic() + self.timeout_s
        while True:
            message = self._frames.next()
            if message is not None:
                if message["event"] == "error":
                    self.close()
                    raise _reported(message)
                return message
            if _ready(self._from_host, select.POLLIN):
                data = os.read(self._from_host, 1 << 20)
                if not data:
                    raise self._death()
                self._frames.feed(data)
                deadline = time.monotonic() + self.timeout_s
            elif self._process.poll() is not None:
                raise self._death()
            elif time.monotonic() > deadline:
                raise self._timeout()

    def close(self) -> None:
        """End the host and every process of its session; return when they have ended. May be called twice."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()  # the host ends its children when it sees this
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        finally:
            end_session(self.pid)
            self._process.stdout.close()
            self._log.close()

    def _death(self) -> BackendError:
        code: int | None = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._process.wait(_GRACE_S)
        trace = self._log_tail()
        self.close()
        if code is not None and code < 0:
            how = f"killed by {signal.Signals(-code).name}"
        else:
            how = f"exit code {code}" if code is not None else "it closed its pipe"
        return BackendError("the process that runs Lava died", where=f"host process (pid {self.pid})",
                            got="\n".join(part for part in (how, trace) if part))

    def _timeout(self) -> BackendError:
        trace = self._log_tail()
        waiting = [pid for pid, command in session_members(self.pid).items() if "resource_tracker" not in command]
        said = (f"nothing for {self.timeout_s:g} s", trace, stacks_of(waiting, self._log.fileno()))
        self.close()
        return BackendError("Lava did not answer in time", where=f"host process (pid {self.pid})",
                            got="\n".join(part for part in said if part),
                            fix="raise --timeout if the network is large, or use --backend emulator")

    def _log_tail(self) -> str:
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), 2000, max(0, size - 2000)).decode(errors="replace").strip()


def _ready(descriptor: int, event: int) -> bool:
    """Whether ``descriptor`` becomes ready (or breaks) soon. Not select(), which takes no descriptor above 1023."""
    poller = select.poll()
    poller.register(descriptor, event)
    return bool(poller.poll(_POLL_S * 1000))


def _reported(message: dict[str, Any]) -> BackendError:
    got = message.get("got", "")
    trace = message.get("trace", "").strip()
    return BackendError(message["what"], where=message.get("where", ""), got=f"{got}\n{trace}" if trace else got,
                        allowed=message.get("allowed", ""), fix=message.get("fix", "") or message.get("hint", ""))
