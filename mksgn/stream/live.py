"""A page that shows a stream while it goes on: on this machine alone, from the standard library alone.

The page, its script and its style come from this server; events follow as server-sent events. A request whose ``Host``
or ``Origin`` names anything but this server is refused, so no page of another site can read what is shown, also not by
a name that it has pointed at this machine.
"""

from __future__ import annotations

import base64
import json
import queue
import threading
from collections import deque
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any

import numpy as np

from mksgn.errors import ConfigError
from mksgn.stream.clock import Clock, MachineClock
from mksgn.stream.records import BeginRecord, FrameRecord, NoteRecord, SummaryRecord
from mksgn.stream.sources import LOCAL

PORT = 8765
FRAMES_PER_S = 30.0
"""Frames that a page is sent in a second, at most; it shows the newest."""
_WAITING = 64
"""Messages that a page which is slow may be behind; the oldest are dropped."""
_KEPT_NOTES = 20
_ALIVE_S = 5.0
_BYTE = 255
_POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
           "base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
_FILES = {"/": ("page/live.html", "text/html"), "/live.js": ("page/live.js", "text/javascript"),
          "/live.css": ("page/live.css", "text/css")}
Message = tuple[str, str]


class LivePage:
    """Tells a stream to every browser that has the page open.

    Parameters
    ----------
    port : int
        0: a free one.
    begin : BeginRecord
    edges : sequence of (int, int)
        Bones of the body.
    channels : mapping of str to int
        Populations of the raster, and their channels.
    clock : Clock, optional

    Raises
    ------
    ConfigError
        When the port is taken.
    """

    def __init__(self, port: int, begin: BeginRecord, edges: list[tuple[int, int]], channels: Mapping[str, int],
                 clock: Clock | None = None) -> None:
        self.clock = clock or MachineClock()
        self._begin = _message("begin", {**begin, "edges": edges, "channels": dict(channels)})
        self._frame: Message | None = None
        self._raster: Message | None = None
        self._summary: Message | None = None
        self._notes: deque[Message] = deque(maxlen=_KEPT_NOTES)
        self._readers: set[queue.Queue[Message | None]] = set()
        self._lock = threading.Lock()
        self._newest: tuple[FrameRecord, np.ndarray] | None = None  # what no page has been sent
        self._newest_raster: dict[str, np.ndarray] = {}
        self._sent = -1e9
        try:
            self._server = _Server(port, self)
        except (OSError, OverflowError) as error:
            raise ConfigError("the port of the live page cannot be opened", where="--live", got=f"{port} ({error})",
                              fix="end what has it, or name another port: --live 8766") from None
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="live", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://{LOCAL}:{self._server.server_port}/"

    def close(self) -> None:
        """End the server. Pages that are open show what they have."""
        with self._lock:
            for reader in self._readers:
                _put(reader, None)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def frame(self, record: FrameRecord, joints: np.ndarray, raster: dict[str, np.ndarray]) -> None:
        """A frame and its decision; of a fast stream, not every one."""
        if raster:
            self._newest_raster = raster
        self._newest = record, joints
        if self.clock.now() - self._sent >= 1 / FRAMES_PER_S:
            self._sent = self.clock.now()
            self._tell(*self._encoded())

    def _encoded(self) -> list[Message]:
        """The newest frame, and the newest raster where no page has it."""
        if self._newest is None:
            return []
        (record, joints), self._newest = self._newest, None
        places = [[None if np.isnan(joint).any() else [round(float(value), 4) for value in joint] for joint in person]
                  for person in joints]
        self._frame = _message("frame", {**record, "joints": places})
        if not self._newest_raster:
            return [self._frame]
        self._raster = _message("raster", {name: _bytes(counts) for name, counts in self._newest_raster.items()})
        self._newest_raster = {}
        return [self._frame, self._raster]

    def note(self, record: NoteRecord) -> None:
        """Something happened."""
        self._tell(_message("note", record))

    def summary(self, record: SummaryRecord) -> None:
        """The stream is over."""
        self._summary = _message("summary", record)
        self._tell(*self._encoded(), self._summary)

    def _tell(self, *messages: Message) -> None:
        with self._lock:
            self._notes.extend(message for message in messages if message[0] == "note")
            for reader in self._readers:
                for message in messages:
                    _put(reader, message)

    def read(self, send: Callable[[Message], None], alive: Callable[[], None]) -> None:
        """Tell one browser everything, until the stream is over or the browser is gone (OSError)."""
        reader: queue.Queue[Message | None] = queue.Queue(_WAITING)
        with self._lock:
            known = [self._begin, *self._notes, self._frame, self._raster, self._summary]
            self._readers.add(reader)
        try:
            for message in known:
                if message is not None:
                    send(message)
            over = known[-1] is not None
            while not over:
                try:
                    next_one = reader.get(timeout=_ALIVE_S)
                except queue.Empty:
                    alive()
                    continue
                if next_one is None:
                    return
                send(next_one)
                over = next_one is self._summary
        finally:
            with self._lock:
                self._readers.discard(reader)


def _message(kind: str, content: Any) -> Message:
    return kind, json.dumps(content, allow_nan=False, separators=(",", ":"))


def _put(reader: queue.Queue[Message | None], message: Message | None) -> None:
    """Put a message in; where there is no room, the oldest goes."""
    while True:
        try:
            reader.put_nowait(message)
            return
        except queue.Full:
            try:
                reader.get_nowait()
            except queue.Empty:
                continue


def _bytes(counts: np.ndarray) -> dict[str, Any]:
    """Counts (C, n) as a page takes them: base64 of a byte each, of at most 255."""
    small = np.minimum(counts, _BYTE).astype(np.uint8)
    return {"channels": counts.shape[0], "frames": counts.shape[1],
            "data": base64.b64encode(np.ascontiguousarray(small).tobytes()).decode()}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int, page: LivePage) -> None:
        self.page = page
        super().__init__((LOCAL, port), _Handler)

    @property
    def hosts(self) -> tuple[str, ...]:
        """What a request may call this server."""
        return f"{LOCAL}:{self.server_port}", f"localhost:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that leaves is no error."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "mksgn", ""
    timeout = 60

    def log_message(self, format: str, *arguments: Any) -> None:
        """Requests are no news."""

    def do_GET(self) -> None:
        """The page, its files, or the events."""
        hosts = self.headers.get_all("Host") or []
        origins = self.headers.get_all("Origin") or []
        if len(hosts) != 1 or hosts[0].lower() not in self.server.hosts:
            return self._answer(HTTPStatus.FORBIDDEN, "text/plain", b"this page is for this machine alone\n")
        if any(origin.lower() not in {f"http://{host}" for host in self.server.hosts} for origin in origins):
            return self._answer(HTTPStatus.FORBIDDEN, "text/plain", b"this page is for no other page\n")
        if self.path == "/events":
            return self._events()
        if self.path not in _FILES:
            return self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"there is no such page\n")
        name, kind = _FILES[self.path]
        return self._answer(HTTPStatus.OK, kind, files(__package__).joinpath(name).read_bytes())

    def _answer(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        self.send_response(status)
        self._headers(kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _headers(self, kind: str) -> None:
        for name, value in (("Content-Type", f"{kind}; charset=utf-8"), ("Cache-Control", "no-store"),
                            ("Content-Security-Policy", _POLICY), ("X-Content-Type-Options", "nosniff"),
                            ("Cross-Origin-Resource-Policy", "same-origin"), ("Referrer-Policy", "no-referrer")):
            self.send_header(name, value)

    def _events(self) -> None:
        self.close_connection = True
        self.send_response(HTTPStatus.OK)
        self._headers("text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()

        def write(text: str) -> None:
            self.wfile.write(text.encode())
            self.wfile.flush()

        self.server.page.read(lambda message: write(f"event: {message[0]}\ndata: {message[1]}\n\n"),
                              lambda: write(": still here\n\n"))
